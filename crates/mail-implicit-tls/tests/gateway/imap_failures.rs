//! Ends of sessions of IMAP: octets that no side may send, and backends that are not available.

use mail_implicit_tls::{
    gateway::{BackendFailure, Event, GatewayErrorKind, Refusal, Side},
    service::{Protocol, Service},
};

use crate::script::{Backend, Client, ClientOctets, Failed, facts, imap, options, play};

const GREETING: &str = "* OK [CAPABILITY IMAP4rev1] hello\r\n";
const LOGIN: &str = "a LOGIN x y\r\n";
const LOGGED_IN: &str = "a OK [CAPABILITY IMAP4rev1] in\r\n";
const UNAVAILABLE: &str =
    "* BYE [UNAVAILABLE] service is temporarily unavailable, try again later\r\n";

/// CVE-2023-51764 to 51766.
#[test]
fn ends_at_octets_that_no_command_has_before_login() {
    for (octets, at) in [
        (&b"a LOGIN x y\nb NOOP\r\n"[..], 11),
        (b"a LOGIN x y\rb NOOP\r\n", 11),
        (b"a LOGIN x\0 y\r\n", 9),
        (b"a LOGIN \xc3\xa9 y\r\n", 8),
        (b"a LOGIN \xff y\r\n", 8),
        (b"a LOGIN \"\xc3\x8d\" y\r\n", 9),
    ] {
        let bye = format!("* BYE command: character that is not allowed at byte {at}\r\n");
        let ended = imap(&[
            (Backend(GREETING), "", GREETING),
            (ClientOctets(octets), "", &bye),
        ]);
        let error = ended.error.unwrap();
        assert_eq!(error.side(), Side::Client);
        assert_eq!(error.kind(), GatewayErrorKind::Octet);
        assert_eq!((error.field(), error.offset()), ("command", at));
        assert_eq!(ended.events, [Event::Refused(Refusal::Syntax)]);
    }
}

#[test]
fn accepts_utf8_before_login_by_option() {
    let options = options(Protocol::Imap).allow_utf8_before_login();
    let login = "a LOGIN alice \"s\u{e9}cret\"\r\n";
    play(
        &facts(Service::IMAPS),
        &options,
        &[
            (Backend(GREETING), "", GREETING),
            (Client(login), login, ""),
        ],
    );
    let ended = play(
        &facts(Service::IMAPS),
        &options,
        &[
            (Backend(GREETING), "", GREETING),
            (
                ClientOctets(b"a LOGIN \xff y\r\n"),
                "",
                "* BYE command: character that is not allowed at byte 8\r\n",
            ),
        ],
    );
    assert_eq!(
        ended.error.map(|it| it.kind()),
        Some(GatewayErrorKind::Octet)
    );
}

#[test]
fn ends_at_lines_and_refusals_without_end() {
    let long = "a".repeat(65_537);
    let ended = imap(&[
        (Backend(GREETING), "", GREETING),
        (
            Client(&long),
            "",
            "* BYE command: more than 65536 at byte 65536\r\n",
        ),
    ]);
    assert_eq!(
        ended.error.map(|it| it.kind()),
        Some(GatewayErrorKind::TooLong)
    );
    let answers = "a BAD not available before login\r\n".repeat(21);
    let ended = imap(&[
        (Backend(GREETING), "", GREETING),
        (
            Client(&"a SELECT x\r\n".repeat(30)),
            "",
            &format!("{answers}* BYE command: more than 20 at byte 0\r\n"),
        ),
    ]);
    assert_eq!(
        ended.error.map(|it| it.kind()),
        Some(GatewayErrorKind::TooLong)
    );
    assert_eq!(ended.events, vec![Event::Refused(Refusal::Command); 21]);
}

#[test]
fn says_that_the_backend_is_unavailable_before_login() {
    for failure in [BackendFailure::Unreachable, BackendFailure::Timeout] {
        let ended = imap(&[(Failed(failure), "", UNAVAILABLE), (Client(LOGIN), "", "")]);
        assert_eq!(ended.events, [Event::Closed]);
        assert!(ended.is_over);
    }
    imap(&[
        (Backend(GREETING), "", GREETING),
        (Client(LOGIN), LOGIN, ""),
        (Failed(BackendFailure::Closed), "", UNAVAILABLE),
    ]);
    imap(&[
        (Backend(GREETING), "", GREETING),
        (
            Failed(BackendFailure::Stopping),
            "",
            "* BYE [UNAVAILABLE] service is being restarted, try again\r\n",
        ),
    ]);
}

#[test]
fn injects_no_line_after_login_or_leave_or_within_a_response() {
    imap(&[
        (Backend(GREETING), "", GREETING),
        (Client(LOGIN), LOGIN, ""),
        (Backend(LOGGED_IN), "", LOGGED_IN),
        (Failed(BackendFailure::Closed), "", ""),
    ]);
    // Logged in, though the session is not a pipe yet.
    imap(&[
        (Backend(GREETING), "", GREETING),
        (Client(LOGIN), LOGIN, ""),
        (Backend("a OK in\r\n"), "", "a OK in\r\n"),
        (Failed(BackendFailure::Closed), "", ""),
    ]);
    imap(&[
        (Backend(GREETING), "", GREETING),
        (Backend("* BYE idle\r\n"), "", "* BYE idle\r\n"),
        (Failed(BackendFailure::Closed), "", ""),
    ]);
    imap(&[
        (Backend(GREETING), "", GREETING),
        (Backend("* X {9}\r\nab"), "", "* X {9}\r\nab"),
        (Failed(BackendFailure::Closed), "", ""),
    ]);
    imap(&[
        (Backend(GREETING), "", GREETING),
        (Client("a LOGOUT\r\n"), "a LOGOUT\r\n", ""),
        (Backend("* BYE\r\na OK\r\n"), "", "* BYE\r\na OK\r\n"),
        (Failed(BackendFailure::Closed), "", ""),
    ]);
}

#[test]
fn passes_the_refusal_of_a_greeting() {
    let ended = imap(&[
        (Backend("* BYE busy\r\n"), "", "* BYE busy\r\n"),
        (Failed(BackendFailure::Closed), "", ""),
    ]);
    assert!(ended.is_over);
    assert_eq!(ended.events, [Event::Closed]);
}

/// Draft 4.2 and 9.1.1: PREAUTH is for a client's certificate, which the backend did not see.
#[test]
fn refuses_a_preauthenticated_backend() {
    let ended = imap(&[
        (Client("a SELECT INBOX\r\n"), "", ""),
        (
            Backend("* PREAUTH [CAPABILITY IMAP4rev1] welcome\r\n"),
            "",
            "* BYE [UNAVAILABLE] the server cannot be understood\r\n",
        ),
    ]);
    assert_eq!(ended.events, [Event::Refused(Refusal::Preauth)]);
    assert_eq!(ended.error.map(|it| it.side()), Some(Side::Backend));
}

/// net-imap#664, and a banner that is split by a line end of its configuration.
#[test]
fn ends_at_responses_that_answer_no_command() {
    let bye = "* BYE [UNAVAILABLE] the server cannot be understood\r\n";
    for (response, given) in [
        ("a OK early\r\n", ""),
        ("b OK other\r\n", ""),
        ("second line of the banner\r\n", ""),
        ("+ go\r\n", ""),
        ("* OK x\0\r\n", ""),
        ("* OK x\ny\r\n", ""),
        ("* OK one\r\nOK two\r\n", "* OK one\r\n"),
    ] {
        let ended = imap(&[
            (Backend(GREETING), "", GREETING),
            (Backend(response), "", &format!("{given}{bye}")),
        ]);
        assert_eq!(
            ended.error.map(|it| it.side()),
            Some(Side::Backend),
            "{response}"
        );
    }
    let done = "a OK done\r\n";
    let ended = imap(&[
        (Backend(GREETING), "", GREETING),
        (Client("a NOOP\r\n"), "a NOOP\r\n", ""),
        (Backend(&done.repeat(2)), "", &format!("{done}{bye}")),
    ]);
    assert_eq!(ended.error.map(|it| it.side()), Some(Side::Backend));
    for response in ["a OKAY\r\n", "a PREAUTH x\r\n", "c OK x\r\n", "+ go\r\n"] {
        let ended = imap(&[
            (Backend(GREETING), "", GREETING),
            (Client("a NOOP\r\n"), "a NOOP\r\n", ""),
            (Backend(response), "", bye),
        ]);
        assert_eq!(
            ended.error.map(|it| it.side()),
            Some(Side::Backend),
            "{response}"
        );
    }
    for greeting in [
        "+OK hi\r\n",
        "220 hi\r\n",
        "* NO hi\r\n",
        "a OK hi\r\n",
        "* CAPABILITY X\r\n",
    ] {
        let ended = imap(&[(Backend(greeting), "", bye)]);
        assert_eq!(
            ended.error.map(|it| it.side()),
            Some(Side::Backend),
            "{greeting}"
        );
    }
}
