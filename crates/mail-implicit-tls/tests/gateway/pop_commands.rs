//! Commands of POP before login: those that are known pass, one at a time.

use mail_implicit_tls::{
    gateway::{ClientAddress, Event, GatewayOptions, Refusal, Side},
    service::{Protocol, Service},
};

use crate::script::{Backend, Client, facts, play, pop};

const GREETING: &str = "+OK hello\r\n";

#[test]
fn passes_commands_one_at_a_time() {
    let ended = pop(&[
        (Client("UTF8\r\nlang\r\n"), "", ""),
        (Backend(GREETING), "UTF8\r\n", GREETING),
        (Client("LANG de\r\nQUIT\r\nUSER x\r\n"), "", ""),
        (Backend("+OK\r\n"), "lang\r\n", "+OK\r\n"),
        (Backend("+OK\r\nen English\r\n"), "", "+OK\r\n"),
        (Backend(".\r\n"), "LANG de\r\n", "en English\r\n.\r\n"),
        (Backend("-ERR\r\n"), "QUIT\r\n", "-ERR\r\n"),
        (Backend("+OK bye\r\n"), "", "+OK bye\r\n"),
    ]);
    assert!(ended.is_over && ended.error.is_none());
    assert_eq!(ended.events, [Event::Closed]);
}

#[test]
fn refuses_other_commands() {
    let state = ("-ERR not available before login\r\n", Refusal::Command);
    let arguments = ("-ERR wrong arguments\r\n", Refusal::Syntax);
    for (command, (answer, refusal)) in [
        ("STLS", state),
        ("XCLIENT ADDR=192.0.2.9", state),
        ("xclient", state),
        ("STAT", state),
        ("NOOP", state),
        ("", state),
        (" USER x", state),
        ("USER\tx", state),
        ("CAPA x", arguments),
        ("QUIT x", arguments),
        ("UTF8 x", arguments),
        ("USER", arguments),
        ("PASS", arguments),
        ("APOP", arguments),
    ] {
        let ended = pop(&[
            (Backend(GREETING), "", GREETING),
            (
                Client(&format!("{command}\r\nUTF8\r\n")),
                "UTF8\r\n",
                answer,
            ),
        ]);
        assert_eq!(ended.events, [Event::Refused(refusal)], "{command}");
    }
}

#[test]
fn refuses_long_commands() {
    let long = "x".repeat(4_089);
    let fits = format!("PASS {long}\r\n");
    pop(&[
        (Backend(GREETING), "", GREETING),
        (Client(&fits), &fits, ""),
    ]);
    let over = format!("PASS {long}x\r\n");
    pop(&[
        (Backend(GREETING), "", GREETING),
        (Client(&over), "", "-ERR line too long\r\n"),
    ]);
}

/// Dovecot's XCLIENT for POP, which no client can send.
#[test]
fn passes_on_the_clients_address_after_the_greeting() {
    let options = GatewayOptions::try_new(Protocol::Pop, ClientAddress::Xclient).unwrap();
    let xclient = "XCLIENT ADDR=192.0.2.7 PORT=51234 SESSION=000000000000000000000000000000ab\r\n";
    play(
        &facts(Service::POP3S),
        &options,
        &[
            (Client("USER x\r\n"), "", ""),
            (Backend(GREETING), xclient, GREETING),
            (Backend("+OK\r\n"), "USER x\r\n", ""),
            (Backend("+OK\r\n"), "", "+OK\r\n"),
        ],
    );
    let ended = play(
        &facts(Service::POP3S),
        &options,
        &[
            (Backend(GREETING), xclient, GREETING),
            (
                Backend("-ERR not for you\r\n"),
                "",
                "-ERR [SYS/TEMP] the server cannot be understood\r\n",
            ),
        ],
    );
    assert_eq!(ended.error.map(|it| it.side()), Some(Side::Backend));
}

#[test]
fn writes_addresses_of_both_kinds() {
    let options = GatewayOptions::try_new(Protocol::Pop, ClientAddress::Xclient).unwrap();
    for (peer, written) in [
        ("[2001:db8::7]:1", "ADDR=2001:db8::7 PORT=1"),
        ("[::ffff:192.0.2.7]:2", "ADDR=192.0.2.7 PORT=2"),
    ] {
        let mut facts = facts(Service::POP3S);
        facts.record.peer = peer.parse().unwrap();
        let sent = format!("XCLIENT {written} SESSION=000000000000000000000000000000ab\r\n");
        play(&facts, &options, &[(Backend(GREETING), &sent, GREETING)]);
    }
}
