//! Commands that are passed on, and those that are not.

use deep_latch::{ClientReport, SecurityTag, TlsCipher};
use mail_implicit_tls::{
    gateway::{Event, MAX_OWN_REPLIES, MAX_SUBMISSION_COMMAND_BYTES, Refusal},
    service::Service,
};

use super::{EXTENSIONS, Session, facts, options, pair};

/// Commands that only a gateway may send.
const INTERNAL: [&str; 8] = [
    "XCLIENT ADDR=192.0.2.1",
    "xclient addr=192.0.2.1",
    "XcLiEnT",
    "XFORWARD NAME=x",
    "xforward",
    "XPROXY 1",
    "ATRN example.org",
    "XEXCH50 3 2",
];

#[test]
fn passes_no_command_of_gateways_to_the_backend() {
    for command in INTERNAL {
        let line = format!("{command}\r\n");
        let refused = pair("502 Command not available\r\n", "");
        for begin in [
            Session::greeted,
            Session::logged_in,
            Session::in_transaction,
        ] {
            let mut session = begin(&options());
            assert_eq!(session.client(&line).sent(), refused, "{command}");
            assert_eq!(session.events(), [Event::Refused(Refusal::Command)]);
            // Behind another command it waits for the reply, and is refused then.
            session.client(format!("RSET\r\n{line}NOOP\r\n"));
            assert_eq!(session.sent(), pair("", "RSET\r\n"));
            session.backend("250 ok\r\n");
            let expected = pair("250 ok\r\n502 Command not available\r\n", "NOOP\r\n");
            assert_eq!(session.sent(), expected, "{command}");
        }
        let mut session = Session::greeted(&options());
        session.client(format!("AUTH PLAIN AGEAYg==\r\n{line}"));
        session.backend("235 ok\r\n");
        let expected = "235 ok\r\n502 Command not available\r\n";
        assert_eq!(session.sent(), pair(expected, "AUTH PLAIN AGEAYg==\r\n"));
        // Before EHLO, and before the greeting.
        let mut session = Session::new(&facts(), &options());
        session.client(&line).backend("220 mx\r\n");
        assert_eq!(
            session.sent(),
            pair("220 mx\r\n502 Command not available\r\n", "")
        );
    }
}

#[test]
fn refuses_lines_in_which_a_server_may_find_another_command() {
    let lines = [
        (" XCLIENT ADDR=192.0.2.1", "500 Command not recognized\r\n"),
        (
            "\tXCLIENT ADDR=192.0.2.1",
            "501 Syntax error in parameters\r\n",
        ),
        (
            "XCLIENT\tADDR=192.0.2.1",
            "501 Syntax error in parameters\r\n",
        ),
        ("NOOP\u{b}XCLIENT", "501 Syntax error in parameters\r\n"),
        ("NOOP \u{7f}", "501 Syntax error in parameters\r\n"),
        ("XCLIENTS", "500 Command not recognized\r\n"),
        ("", "500 Command not recognized\r\n"),
        (" CLIENT tls=A", "501 Syntax error in parameters\r\n"),
        ("CLIENT\ttls=A", "501 Syntax error in parameters\r\n"),
        ("CLIENT", "501 Syntax error in parameters\r\n"),
        ("STARTTLS", "503 TLS is active\r\n"),
        (
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2",
            "500 Command not recognized\r\n",
        ),
    ];
    for (line, reply) in lines {
        let mut session = Session::logged_in(&options());
        session.client(format!("{line}\r\nNOOP\r\n"));
        assert_eq!(session.sent(), pair(reply, "NOOP\r\n"), "{line:?}");
    }
}

#[test]
fn ends_the_session_at_octets_that_servers_read_as_line_ends() {
    for (text, at) in [
        (&b"NOOP\nXCLIENT ADDR=192.0.2.1\r\n"[..], 4),
        (b"NOOP\rXCLIENT ADDR=192.0.2.1\r\n", 4),
        (b"NOOP\0\r\n", 4),
        (b"NOOP \x8d\x8aXCLIENT\r\n", 5),
        (b"VRFY \xc3\xbc\r\n", 5),
    ] {
        let mut session = Session::greeted(&options());
        session.client(text).client("NOOP\r\n");
        let reply = pair("500 Octet not permitted\r\n", "");
        assert_eq!(session.sent(), reply, "{}", text.escape_ascii());
        let error = format!("client: command: octet that is not permitted at byte {at}");
        assert_eq!(session.error.as_ref(), Some(&error));
        let events = [Event::Refused(Refusal::Syntax), Event::Closed];
        assert_eq!(session.events(), events);
    }
}

/// Windows has such names, and programs send them. RFC 5321 section 4.1.4 has the address for a client without a name.
#[test]
fn gives_the_address_in_place_of_a_name_outside_ascii() {
    let mut session = Session::greeted(&options());
    for (verb, name, passed) in [
        ("EHLO", "B\u{dc}RO-PC", "EHLO [192.0.2.7]\r\n"),
        ("ehlo", "B\u{dc}RO PC ", "EHLO [192.0.2.7]\r\n"),
        ("HeLo", "\u{734a}XCLIENT", "HELO [192.0.2.7]\r\n"),
    ] {
        session.client(format!("{verb} {name}\r\nNOOP\r\n"));
        assert_eq!(session.sent(), pair("", passed), "{name}");
        session.backend("250 mx\r\n");
        assert_eq!(session.sent(), pair("250 mx\r\n", "NOOP\r\n"));
        session.backend("250 ok\r\n").forget();
    }
    let reply = "501 Syntax error in parameters\r\n";
    for name in [&b"B\xdcRO-PC"[..], b"x\xc2\x85", b"x\x7f", b"\xc3\xbc\t"] {
        session.client([b"EHLO ", name, b"\r\nNOOP\r\n"].concat());
        let text = name.escape_ascii();
        assert_eq!(session.sent(), pair(reply, "NOOP\r\n"), "{text}");
        session.backend("250 ok\r\n").forget();
    }
    assert_eq!(session.error, None);
    for (peer, literal) in [
        ("[2001:db8::7]:51234", "[IPv6:2001:db8::7]"),
        ("[::ffff:192.0.2.7]:51234", "[192.0.2.7]"),
    ] {
        let mut facts = facts();
        facts.record.peer = peer.parse().unwrap();
        let mut session = Session::new(&facts, &options());
        session.backend("220 mx\r\n").forget();
        session.client("EHLO \u{fc}\r\n");
        assert_eq!(session.sent(), pair("", &format!("EHLO {literal}\r\n")));
    }
}

#[test]
fn passes_addresses_of_smtputf8_after_login_only() {
    let mail = "MAIL FROM:<\u{fc}@example.org> SMTPUTF8\r\n";
    let mut session = Session::logged_in(&options());
    assert_eq!(session.client(mail).sent(), pair("", mail));
    let mut session = Session::logged_in(&options());
    let refused = pair("501 Syntax error in parameters\r\n", "");
    assert_eq!(session.client("NOOP \u{fc}\r\n").sent(), refused);
    assert_eq!(session.client(b"MAIL FROM:<\xfc@x>\r\n").sent(), refused);
    session.client("EHLO c\r\n").backend("250 mx\r\n").forget();
    assert_eq!(session.client(mail).sent(), refused);
}

#[test]
fn answers_client_with_its_report_and_the_cipher_suite_of_the_connection() {
    for begin in [Session::greeted, Session::logged_in] {
        let mut session = begin(&options());
        session.client("client name=x latch=tls10,tls-cert tls=TLS_A_LIE \r\nNOOP\r\n");
        assert_eq!(session.sent(), pair("250 OK\r\n", "NOOP\r\n"));
        let report = ClientReport {
            name: Some("x".to_owned()),
            latch: vec![SecurityTag::TLS10, SecurityTag::TLS_CERT],
            tls: TlsCipher::parse("TLS_AES_128_GCM_SHA256").ok(),
            ..ClientReport::default()
        };
        let events = [
            Event::Refused(Refusal::Forged),
            Event::Report(Box::new(report)),
        ];
        assert_eq!(session.events(), events);
    }
    let mut session = Session::greeted(&options());
    session.client("EHLO c\r\n").backend("250 mx\r\n").forget();
    session.client("CLIENT name=x\r\n");
    assert_eq!(session.sent(), pair("500 Command not recognized\r\n", ""));
}

#[test]
fn ends_the_session_after_too_many_replies_of_its_own() {
    let mut session = Session::greeted(&options());
    let lines = "XCLIENT\r\n".repeat(MAX_OWN_REPLIES) + "NOOP\r\n";
    session.client(lines);
    let refused = "502 Command not available\r\n".repeat(MAX_OWN_REPLIES);
    assert_eq!(session.sent(), pair(&refused, "NOOP\r\n"));
    session
        .backend("250 ok\r\n")
        .client("CLIENT name=x\r\nNOOP\r\n");
    assert_eq!(
        session.sent(),
        pair("250 ok\r\n421 Too many errors\r\n", "")
    );
    assert_eq!(session.events().last(), Some(&Event::Closed));
    assert_eq!(session.error, None);
}

#[test]
fn limits_the_length_of_commands() {
    let line = |length: usize| format!("NOOP {}\r\n", "x".repeat(length - 7));
    let longest = line(MAX_SUBMISSION_COMMAND_BYTES);
    let mut session = Session::logged_in(&options());
    assert_eq!(session.client(&longest).sent(), pair("", &longest));
    let mut session = Session::logged_in(&options());
    session.client(line(MAX_SUBMISSION_COMMAND_BYTES + 1));
    assert_eq!(session.sent(), pair("500 Line too long\r\n", ""));
    // An AUTH line may have 12,288 octets.
    let auth = |length: usize| format!("AUTH PLAIN {}\r\n", "A".repeat(length));
    let mut session = Session::greeted(&options());
    assert_eq!(session.client(auth(12_276)).sent(), pair("", &auth(12_276)));
    let mut session = Session::greeted(&options());
    session.client(auth(12_280));
    assert_eq!(session.sent(), pair("500 Line too long\r\n", ""));
    let mut session = Session::greeted(&options());
    session.client("x".repeat(12_289));
    assert_eq!(session.sent(), pair("", ""));
    session.client("x");
    assert_eq!(session.sent(), pair("500 Line too long\r\n", ""));
}

#[test]
fn hides_the_greeting_from_a_client_that_has_one() {
    let mut facts = facts();
    facts.record.service = Service::SUBMISSION_STARTTLS;
    let mut session = Session::new(&facts, &options());
    session.backend("220 mx\r\n").client("EHLO c\r\n");
    assert_eq!(session.sent(), pair("", "EHLO c\r\n"));
    session.backend(EXTENSIONS);
    assert_eq!(session.sent(), pair(EXTENSIONS, ""));
    let mut session = Session::new(&facts, &options());
    session.backend("554 no\r\n");
    assert_eq!(session.sent(), pair("554 no\r\n", ""));
}

#[test]
fn stops_receiving_while_too_much_waits() {
    use mail_implicit_tls::gateway::GatewaySession;
    let mut session = Session::greeted(&options());
    session.client("NOOP\r\n").client("x".repeat(65_535));
    assert!(session.gateway.may_receive() && !session.gateway.is_pipe());
    session.client("x");
    assert!(!session.gateway.may_receive());
}
