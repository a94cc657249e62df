//! Ends of sessions of POP: octets that no side may send, and backends that are not available.

use mail_implicit_tls::{
    gateway::{BackendFailure, Event, GatewayErrorKind, Refusal, Side},
    service::{Protocol, Service},
};

use crate::script::{Backend, Client, ClientOctets, Failed, facts, options, play, pop};

const GREETING: &str = "+OK hello\r\n";
const UNAVAILABLE: &str = "-ERR [SYS/TEMP] service is temporarily unavailable, try again later\r\n";
const NOT_UNDERSTOOD: &str = "-ERR [SYS/TEMP] the server cannot be understood\r\n";

#[test]
fn ends_at_octets_that_no_command_has_before_login() {
    for octets in [
        &b"USER x\nSTAT\r\n"[..],
        b"USER x\rSTAT\r\n",
        b"USER x\0y\r\n",
        b"USER \xc3\xa9\r\n",
        b"USER \xff\r\n",
        b"\n",
    ] {
        let ended = pop(&[
            (Backend(GREETING), "", GREETING),
            (ClientOctets(octets), "", "-ERR not a command\r\n"),
        ]);
        let error = ended.error.unwrap();
        assert_eq!(
            (error.side(), error.kind()),
            (Side::Client, GatewayErrorKind::Octet)
        );
        assert_eq!(ended.events, [Event::Refused(Refusal::Syntax)]);
    }
}

#[test]
fn accepts_utf8_before_login_by_option() {
    let options = options(Protocol::Pop).allow_utf8_before_login();
    let facts = facts(Service::POP3S);
    let pass = "PASS s\u{e9}cret\r\n";
    play(
        &facts,
        &options,
        &[(Backend(GREETING), "", GREETING), (Client(pass), pass, "")],
    );
    let ended = play(
        &facts,
        &options,
        &[
            (Backend(GREETING), "", GREETING),
            (ClientOctets(b"PASS \xff\r\n"), "", "-ERR not a command\r\n"),
        ],
    );
    assert_eq!(
        ended.error.map(|it| it.kind()),
        Some(GatewayErrorKind::Octet)
    );
}

#[test]
fn ends_at_lines_and_refusals_without_end() {
    let ended = pop(&[
        (Backend(GREETING), "", GREETING),
        (Client(&"a".repeat(12_353)), "", "-ERR not a command\r\n"),
    ]);
    assert_eq!(
        ended.error.map(|it| it.kind()),
        Some(GatewayErrorKind::TooLong)
    );
    // 12,352 octets with CRLF are a line.
    let line = format!("AUTH PLAIN {}", "A".repeat(12_339));
    let ended = pop(&[
        (Backend(GREETING), "", GREETING),
        (
            Client(&format!("{line}\r\n")),
            "",
            "-ERR mechanism and base64 expected\r\n",
        ),
        (
            Client(&format!("{line}A\r\n")),
            "",
            "-ERR not a command\r\n",
        ),
    ]);
    assert_eq!(
        ended.error.map(|it| it.kind()),
        Some(GatewayErrorKind::TooLong)
    );
    let answers = "-ERR not available before login\r\n".repeat(21);
    let ended = pop(&[
        (Backend(GREETING), "", GREETING),
        (
            Client(&"STAT\r\n".repeat(30)),
            "",
            &format!("{answers}-ERR not a command\r\n"),
        ),
    ]);
    assert_eq!(
        ended.error.map(|it| it.kind()),
        Some(GatewayErrorKind::TooLong)
    );
}

#[test]
fn says_that_the_backend_is_unavailable_before_login() {
    let ended = pop(&[
        (Failed(BackendFailure::Tls), "", UNAVAILABLE),
        (Client("USER x\r\n"), "", ""),
    ]);
    assert_eq!(ended.events, [Event::Closed]);
    assert!(ended.is_over);
    pop(&[
        (Backend(GREETING), "", GREETING),
        (Client("USER x\r\n"), "USER x\r\n", ""),
        (Failed(BackendFailure::Closed), "", UNAVAILABLE),
        (Failed(BackendFailure::Closed), "", ""),
    ]);
}

#[test]
fn injects_no_line_after_login_or_leave_or_within_a_reply() {
    pop(&[
        (Backend(GREETING), "", GREETING),
        (Client("PASS x\r\n"), "PASS x\r\n", ""),
        (Backend("+OK\r\n"), "", "+OK\r\n"),
        (Failed(BackendFailure::Closed), "", ""),
    ]);
    pop(&[
        (Backend(GREETING), "", GREETING),
        (Client("CAPA\r\n"), "CAPA\r\n", ""),
        (Backend("+OK\r\nUIDL\r\n"), "", "+OK\r\n"),
        (Failed(BackendFailure::Closed), "", ""),
    ]);
    let ended = pop(&[
        (Backend(GREETING), "", GREETING),
        (Backend("-ERR idle\r\n"), "", "-ERR idle\r\n"),
        (Failed(BackendFailure::Closed), "", ""),
    ]);
    assert!(ended.is_over && ended.error.is_none());
    pop(&[
        (Backend("-ERR busy\r\n"), "", "-ERR busy\r\n"),
        (Failed(BackendFailure::Closed), "", ""),
    ]);
}

#[test]
fn ends_at_replies_that_answer_no_command() {
    for (reply, given) in [
        ("+OK early\r\n", ""),
        ("second line of the banner\r\n", ""),
        ("+ go\r\n", ""),
        ("-ERR x\0\r\n", ""),
        ("-ERR x\ny\r\n", ""),
        ("* OK x\r\n", ""),
    ] {
        let ended = pop(&[
            (Backend(GREETING), "", GREETING),
            (Backend(reply), "", &format!("{given}{NOT_UNDERSTOOD}")),
        ]);
        assert_eq!(
            ended.error.map(|it| it.side()),
            Some(Side::Backend),
            "{reply}"
        );
    }
    for reply in ["+OKAY\r\n", "+ok\r\n", "+ go\r\n", "OK\r\n"] {
        let ended = pop(&[
            (Backend(GREETING), "", GREETING),
            (Client("USER x\r\n"), "USER x\r\n", ""),
            (Backend(reply), "", NOT_UNDERSTOOD),
        ]);
        assert_eq!(
            ended.error.map(|it| it.side()),
            Some(Side::Backend),
            "{reply}"
        );
    }
    // Accepted without the response that the backend asked for.
    let ended = pop(&[
        (Backend(GREETING), "", GREETING),
        (Client("AUTH PLAIN\r\n"), "AUTH PLAIN\r\n", ""),
        (
            Backend("+ \r\n+OK in\r\n"),
            "",
            &format!("+ \r\n{NOT_UNDERSTOOD}"),
        ),
    ]);
    assert_eq!(ended.error.map(|it| it.side()), Some(Side::Backend));
    // A list without end.
    let list = format!("+OK\r\n{}", "X\r\n".repeat(257));
    let ended = pop(&[
        (Backend(GREETING), "", GREETING),
        (Client("CAPA\r\n"), "CAPA\r\n", ""),
        (Backend(&list), "", "+OK\r\n"),
    ]);
    assert_eq!(
        ended.error.map(|it| it.kind()),
        Some(GatewayErrorKind::TooLong)
    );
}
