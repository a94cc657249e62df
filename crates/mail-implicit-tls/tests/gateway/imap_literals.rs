//! Literals of IMAP (RFC 3501 section 4.3, RFC 7888): no octet gets out of step.

use mail_implicit_tls::{
    gateway::{AfterLogin, Event, GatewayErrorKind, Mechanism, Refusal},
    service::{Protocol, Service},
};

use crate::script::{Backend, Client, Turn, facts, imap, open, options, play};

const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 LITERAL-] hello\r\n";

#[test]
fn forwards_each_literal_after_the_backend_asked_for_it() {
    imap(&[
        (Backend(GREETING), "", GREETING),
        (Client("a LOGIN {5}\r\n"), "a LOGIN {5}\r\n", ""),
        (Backend("+ go\r\n"), "", "+ go\r\n"),
        (Client("alice {0}\r\n"), "alice {0}\r\n", ""),
        (Backend("+ go\r\n"), "", "+ go\r\n"),
        (Client("\r\n"), "\r\n", ""),
    ]);
    // Literals that do not wait, with leading zeros, and octets that look like commands.
    imap(&[
        (Backend(GREETING), "", GREETING),
        (
            Client("a LOGIN {006+}\r\nb\nNOOP {2+}\r\n\u{e9}\r\nc NOOP\r\n"),
            "a LOGIN {6}\r\n",
            "",
        ),
        (Backend("+ go\r\n"), "b\nNOOP {2}\r\n", ""),
        (Backend("+ go\r\n"), "\u{e9}\r\n", ""),
        (Backend("a NO wrong\r\n"), "c NOOP\r\n", "a NO wrong\r\n"),
    ]);
}

/// RFC 3501 section 4.3: the client that was refused does not send the literal; one that does not wait sent it.
#[test]
fn takes_the_octets_after_a_refused_literal_for_what_they_are() {
    let ended = imap(&[
        (Backend(GREETING), "", GREETING),
        (Client("a LOGIN {5}\r\n"), "a LOGIN {5}\r\n", ""),
        (Backend("a NO too bad\r\n"), "", "a NO too bad\r\n"),
        (Client("b NOOP\r\n"), "b NOOP\r\n", ""),
        (Backend("b OK\r\n"), "", "b OK\r\n"),
        (
            Client("c LOGIN {9+}\r\nd NOOP\r\n! x\r\ne NOOP\r\n"),
            "c LOGIN {9}\r\n",
            "",
        ),
        (
            Backend("c BAD no literals\r\n"),
            "e NOOP\r\n",
            "c BAD no literals\r\n",
        ),
    ]);
    // The second literal waits, and the client receives the refusal in place of a request.
    imap(&[
        (Backend(GREETING), "", GREETING),
        (
            Client("a LOGIN {2+}\r\nxy {5}\r\nb NOOP\r\n"),
            "a LOGIN {2}\r\n",
            "",
        ),
        (Backend("a NO no\r\n"), "b NOOP\r\n", "a NO no\r\n"),
    ]);
    let failed = Event::LoginFailed {
        mechanism: Mechanism::PASSWORD,
    };
    assert_eq!(ended.events, [failed.clone(), failed]);
}

#[test]
fn refuses_literals_that_are_too_long() {
    let answer = "a BAD literal: more than 4096 at byte 0\r\n";
    for length in [
        "4097",
        "9223372036854775808",
        "18446744073709551616",
        "99999999999999999999999",
    ] {
        let ended = imap(&[
            (Backend(GREETING), "", GREETING),
            (Client(&format!("a LOGIN {{{length}}}\r\n")), "", answer),
            (Client("b NOOP\r\n"), "b NOOP\r\n", ""),
        ]);
        assert_eq!(ended.events, [Event::Refused(Refusal::Syntax)]);
        let ended = imap(&[
            (Backend(GREETING), "", GREETING),
            (
                Client(&format!("a LOGIN {{{length}+}}\r\n")),
                "",
                "* BYE literal: more than 4096 at byte 0\r\n",
            ),
        ]);
        assert_eq!(
            ended.error.map(|it| it.kind()),
            Some(GatewayErrorKind::TooLong)
        );
    }
    let literal = "x".repeat(4_096);
    imap(&[
        (Backend(GREETING), "", GREETING),
        (
            Client(&format!("a LOGIN {{4096+}}\r\n{literal} {{4097}}\r\n")),
            "a LOGIN {4096}\r\n",
            "",
        ),
        (
            Backend("+ go\r\n"),
            &literal,
            "* BYE literal: more than 4096 at byte 0\r\n",
        ),
    ]);
}

#[test]
fn refuses_literals_where_the_grammar_has_none() {
    for command in [
        "a LOGIN {-1}",
        "a LOGIN {+}",
        "a LOGIN {}",
        "a LOGIN {1",
        "a LOGIN {1}x y",
        "a LOGIN x{1}",
        "a {4}",
        "a{1} NOOP",
        "{1}",
        "a NOOP {1}",
        "a CAPABILITY {1}",
        "a AUTHENTICATE {5}",
        "a LOGOUT {1+}",
        "a LOGIN {1++}",
    ] {
        let mut session = open(&facts(Service::IMAPS), &options(Protocol::Imap));
        session.backend_sent(GREETING.as_bytes()).unwrap();
        let _ = session.take_for_client();
        session
            .client_sent(format!("{command}\r\nb NOOP\r\n").as_bytes())
            .unwrap();
        let said = String::from_utf8(session.take_for_client()).unwrap();
        assert!(
            said.contains(" BAD ") && said.ends_with("\r\n"),
            "{command}: {said}"
        );
        assert_eq!(session.take_for_backend(), b"b NOOP\r\n", "{command}");
    }
    // Text in a quoted string is no announcement.
    imap(&[
        (Backend(GREETING), "", GREETING),
        (Client("a LOGIN x \"{5}\"\r\n"), "a LOGIN x \"{5}\"\r\n", ""),
        (Backend("a NO x {3}\r\n"), "", "a NO x {3}\r\n"),
        (Client("b NOOP\r\n"), "b NOOP\r\n", ""),
    ]);
}

#[test]
fn refuses_a_command_with_a_literal_and_skips_the_literal() {
    let answer = "a BAD not available before login\r\n";
    imap(&[
        (Backend(GREETING), "", GREETING),
        (Client("a SELECT {5}\r\n"), "", answer),
        (Client("b NOOP\r\n"), "b NOOP\r\n", ""),
        (Backend("b OK\r\n"), "", "b OK\r\n"),
        (
            Client("a SELECT {8+}\r\nc NOOP\r\n\r\nd NOOP\r\n"),
            "d NOOP\r\n",
            answer,
        ),
    ]);
}

#[test]
fn ends_if_the_backend_answers_within_a_literal() {
    let ended = imap(&[
        (Backend(GREETING), "", GREETING),
        (Client("a LOGIN {5}\r\n"), "a LOGIN {5}\r\n", ""),
        (Backend("+ go\r\n"), "", "+ go\r\n"),
        (Client("ab"), "ab", ""),
        (
            Backend("a NO early\r\n"),
            "",
            "* BYE [UNAVAILABLE] the server cannot be understood\r\n",
        ),
    ]);
    assert_eq!(
        ended.error.map(|it| it.kind()),
        Some(GatewayErrorKind::Unexpected)
    );
}

/// A backend that counts in 32 bits would read 5 octets, and the rest as commands.
#[test]
fn refuses_a_literal_whose_length_backends_read_differently() {
    let in_reply = "a OK [CAPABILITY IMAP4rev1] in\r\n";
    let options = options(Protocol::Imap).with_after_login(AfterLogin::Parsed);
    let played = |turns: &[Turn<'_>]| {
        let begin: [Turn<'_>; 3] = [
            (Backend(GREETING), "", GREETING),
            (Client("a LOGIN x y\r\n"), "a LOGIN x y\r\n", ""),
            (Backend(in_reply), "", in_reply),
        ];
        play(&facts(Service::IMAPS), &options, &[&begin, turns].concat())
    };
    let ended = played(&[
        (
            Client("d APPEND x {2147483647}\r\n"),
            "d APPEND x {2147483647}\r\n",
            "",
        ),
        (Backend("d NO too big\r\n"), "", "d NO too big\r\n"),
        (Client("e NOOP\r\n"), "e NOOP\r\n", ""),
    ]);
    assert_eq!(ended.error, None);
    let announced = "b APPEND {1+}\r\n";
    let bye = "* BYE literal: more than 2147483647 at byte 0\r\n";
    for turns in [
        &[(Client("b APPEND x {2147483648}\r\n"), "", bye)][..],
        &[(Client("b APPEND x {4294967301}\r\n"), "", bye)],
        &[(Client("b APPEND x {4294967301+}\r\n12345"), "", bye)],
        &[
            (Client(announced), "b APPEND {1}\r\n", ""),
            (Backend("+ go\r\n"), "", ""),
            (Client("x"), "x", ""),
            (Client(" {4294967301}\r\n"), "", bye),
        ],
    ] {
        let error = played(turns).error.unwrap();
        let expected = "client: literal: longer than the limit at byte 0";
        assert_eq!(error.to_string(), expected);
    }
}
