//! Sessions of IMAP that are parsed after login: what a backend decides reaches it, and its answers have no longest line.

use mail_implicit_tls::{
    gateway::{AfterLogin, Event, Mechanism, Refusal},
    service::{Protocol, Service},
};

use crate::script::{Backend, Client, Ended, Turn, facts, options, play};

const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 LITERAL-] hello\r\n";
const IN: &str = "a OK [CAPABILITY IMAP4rev1] in\r\n";

/// Plays turns after a login.
fn parsed(turns: &[Turn<'_>]) -> Ended {
    let options = options(Protocol::Imap).with_after_login(AfterLogin::Parsed);
    let begin: [Turn<'_>; 3] = [
        (Backend(GREETING), "", GREETING),
        (Client("a LOGIN x y\r\n"), "a LOGIN x y\r\n", ""),
        (Backend(IN), "", IN),
    ];
    play(&facts(Service::IMAPS), &options, &[&begin, turns].concat())
}

/// Messages with NUL exist, and Dovecot takes them: the literal is counted.
#[test]
fn passes_nul_in_the_literals_of_a_message() {
    let go = "+ go\r\n";
    let ended = parsed(&[
        (
            Client("b APPEND x {5+}\r\na\0\n\0\0\r\n"),
            "b APPEND x {5}\r\n",
            "",
        ),
        (Backend(go), "a\0\n\0\0\r\n", ""),
        (Backend("b OK done\r\n"), "", "b OK done\r\n"),
        (Client("c APPEND x {1}\r\n"), "c APPEND x {1}\r\n", ""),
        (Backend(go), "", go),
        (Client("\0 {2+}\r\n\0b\r\n"), "\0 {2}\r\n", ""),
        (Backend("c NO no NUL\r\n"), "", "c NO no NUL\r\n"),
        (Client("d NOOP\r\n"), "d NOOP\r\n", ""),
    ]);
    assert_eq!(ended.error, None);
    // Not in a line, and not in ID, which the gateway reads.
    let ended = parsed(&[
        (
            Client("b SELECT \"\0\"\r\n"),
            "",
            "b BAD command: character that is not allowed at byte 10\r\n",
        ),
        (
            Client("c ID (\"a\" {1+}\r\n\0)\r\n"),
            "",
            "c BAD literal: character that is not allowed at byte 16\r\n",
        ),
        (Client("d NOOP\r\n"), "d NOOP\r\n", ""),
    ]);
    assert_eq!(ended.error, None);
}

#[test]
fn passes_data_of_any_length_as_it_comes() {
    let numbers = " 123456".repeat(1_000);
    let line = format!("* SEARCH{numbers}");
    let half = format!("* 1 FETCH (X \"{{9}}\\\"{numbers}\" Y {{4}}");
    let ended = parsed(&[
        (Client("b SEARCH ALL\r\n"), "b SEARCH ALL\r\n", ""),
        (Backend(&line), "", &line),
        (Backend(&numbers), "", &numbers),
        (Backend("\r\n"), "", "\r\n"),
        // A literal after such a line, and such a line after a literal.
        (Backend(&half), "", &half),
        (Backend("\r\na OK"), "", "\r\na OK"),
        (Backend(&numbers), "", &numbers),
        (Backend("{3}\r\n"), "", "{3}\r\n"),
        (Backend("b O)\r\n"), "", "b O)\r\n"),
        (Backend("* 2 EXISTS"), "", ""),
        (
            Backend("\r\nb OK done\r\n"),
            "",
            "* 2 EXISTS\r\nb OK done\r\n",
        ),
        (Client("c NOOP\r\n"), "c NOOP\r\n", ""),
    ]);
    assert_eq!(ended.error, None);
}

/// Lines that the gateway reads come whole: lists of capabilities, status responses, ID and completions.
#[test]
fn waits_for_the_whole_of_lines_that_it_edits() {
    let words = " X=123456".repeat(1_000);
    for (begin, whole, end) in [
        ("* CAPABILITY", "* CAPABILITY", ""),
        ("* \t CAPABILITY", "* \t CAPABILITY", ""),
        ("* OK [CAPABILITY", "* OK [CAPABILITY", "] text"),
        ("b OK [CAPABILITY", "b OK [CAPABILITY", "] text"),
    ] {
        let line = format!("{begin} STARTTLS{words}");
        let edited = format!("{whole}{words}{end}\r\n");
        let ended = parsed(&[
            (Client("b CAPABILITY\r\n"), "b CAPABILITY\r\n", ""),
            (Backend(&line), "", ""),
            (Backend(&format!("{end}\r\n")), "", &edited),
        ]);
        assert_eq!(ended.error, None, "{begin}");
    }
    // 1 MiB is more than any of them.
    let name = "X".repeat(1_048_577);
    for begin in ["* CAPABILITY ", "b OK ", "+ ", "* ID "] {
        let options = options(Protocol::Imap).with_after_login(AfterLogin::Parsed);
        let mut session = crate::script::open(&facts(Service::IMAPS), &options);
        session.backend_sent(GREETING.as_bytes()).unwrap();
        session.client_sent(b"a LOGIN x y\r\n").unwrap();
        session.backend_sent(IN.as_bytes()).unwrap();
        session.client_sent(b"b NOOP\r\n").unwrap();
        let _ = session.take_for_client();
        session.backend_sent(begin.as_bytes()).unwrap();
        let error = session.backend_sent(name.as_bytes()).unwrap_err();
        let expected = "backend: response: longer than the limit at byte 1048576";
        assert_eq!(error.to_string(), expected);
        let bye = b"* BYE [UNAVAILABLE] the server cannot be understood\r\n";
        assert_eq!(session.take_for_client(), bye, "{begin}");
    }
}

/// Before login a line is short, and what is too long is not held.
#[test]
fn passes_no_part_of_a_line_before_login() {
    let line = format!("* X{}", " 123456".repeat(1_000));
    let whole = format!("{line}\r\n");
    let ended = play(
        &facts(Service::IMAPS),
        &options(Protocol::Imap),
        &[
            (Backend(GREETING), "", GREETING),
            (Backend(&line), "", ""),
            (Backend("\r\n"), "", &whole),
        ],
    );
    assert_eq!(ended.error, None);
}

#[test]
fn ends_with_bye_between_two_responses_only() {
    let long = "b NOOP ".to_owned() + &"x".repeat(65_530);
    let bye = "* BYE command: more than 65536 at byte 65536\r\n";
    let login = Event::LoggedIn {
        mechanism: Mechanism::PASSWORD,
    };
    let ended = parsed(&[(Client(&long), "", bye)]);
    assert_eq!(
        ended.error.unwrap().to_string(),
        "client: command: longer than the limit at byte 65536"
    );
    assert_eq!(ended.events, [login, Event::Refused(Refusal::Syntax)]);
    let begin = (Client("b APPEND {1+}\r\n"), "b APPEND {1}\r\n", "");
    let bad = (Client("x \0\r\n"), "x", "");
    let (x, bye) = (
        "* X {3}\r\nab",
        "* BYE command: character that is not allowed at byte 1\r\n",
    );
    let ended = parsed(&[begin, (Backend("+ go\r\n"), "", ""), (bad.0, "x", bye)]);
    assert!(ended.error.is_some());
    let within = [
        begin,
        (Backend("+ go\r\n"), "", ""),
        (Backend(x), "", x),
        bad,
    ];
    assert_eq!(parsed(&within).error, ended.error);
    // The backend said it.
    let left = (Backend("* BYE\r\n"), "", "* BYE\r\n");
    assert_eq!(
        parsed(&[begin, (Backend("+ go\r\n"), "", ""), left, bad]).error,
        ended.error
    );
    // A response that is not understood, of which the client has a part.
    let half = "* 1 FETCH (X {1}\r\nx \"";
    let given = "* 1 FETCH (X {1}\r\nx";
    let error = parsed(&[(Backend(&format!("{half}\r\n")), "", given)]).error;
    assert!(error.is_some());
    let long = format!("* X{} \"x", " 123456".repeat(1_000));
    for (end, given) in [("\\x\"", "\\"), ("\0", ""), ("\r\n", ""), ("\n", "")] {
        let said = format!("{long}{end}");
        let error = parsed(&[(Backend(&said), "", &format!("{long}{given}"))]).error;
        assert!(error.is_some(), "{end:?}");
    }
}

/// A refusal of the gateway would be read as octets of the literal.
#[test]
fn answers_no_command_within_a_response() {
    let no = "b NO not available through this proxy\r\n";
    let long = format!("* X{}", " 123456".repeat(1_000));
    for (half, rest) in [("* X {3}\r\nab", "c\r\n"), (&long, "\r\n")] {
        let ended = parsed(&[
            (Backend(half), "", half),
            (Client("b COMPRESS DEFLATE\r\n"), "", ""),
            (Backend(rest), "", &format!("{rest}{no}")),
            (Client("c NOOP\r\n"), "c NOOP\r\n", ""),
        ]);
        assert_eq!(ended.error, None);
    }
}
