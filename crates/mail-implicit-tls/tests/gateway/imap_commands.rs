//! Commands of IMAP before login: those that are known pass, one at a time.

use mail_implicit_tls::gateway::{Event, Refusal};

use crate::script::{Backend, Client, imap};

const GREETING: &str = "* OK [CAPABILITY IMAP4rev1] hello\r\n";

#[test]
fn passes_commands_one_at_a_time() {
    let ended = imap(&[
        (Client("a NOOP\r\nb capability\r\n"), "", ""),
        (Backend(GREETING), "a NOOP\r\n", GREETING),
        (Client("c LANGUAGE de\r\nd LOGOUT\r\n"), "", ""),
        (Backend("a OK\r\n"), "b capability\r\n", "a OK\r\n"),
        (Backend("b BAD\r\n"), "c LANGUAGE de\r\n", "b BAD\r\n"),
        (Backend("c NO\r\n"), "d LOGOUT\r\n", "c NO\r\n"),
        (Backend("* BYE x\r\nd OK\r\n"), "", "* BYE x\r\nd OK\r\n"),
    ]);
    assert!(ended.is_over && ended.error.is_none());
    assert_eq!(ended.events, [Event::Closed]);
}

#[test]
fn refuses_commands_that_are_not_for_this_state() {
    for command in [
        "SELECT INBOX",
        "ENABLE X",
        "UNAUTHENTICATE",
        "STARTTLS",
        "XCLIENT ADDR=1",
        "COMPRESS DEFLATE",
        "X",
    ] {
        let ended = imap(&[
            (Backend(GREETING), "", GREETING),
            (
                Client(&format!("a {command}\r\nb NOOP\r\n")),
                "b NOOP\r\n",
                "a BAD not available before login\r\n",
            ),
        ]);
        assert_eq!(
            ended.events,
            [Event::Refused(Refusal::Command)],
            "{command}"
        );
    }
}

/// CVE-2011-0411: STARTTLS within TLS is refused, and the commands after it are commands of this connection.
#[test]
fn refuses_starttls_and_reads_on() {
    imap(&[
        (Backend(GREETING), "", GREETING),
        (
            Client("a STARTTLS\r\nb LOGIN x y\r\n"),
            "b LOGIN x y\r\n",
            "a BAD not available before login\r\n",
        ),
    ]);
}

#[test]
fn answers_malformed_commands_itself() {
    for (line, answer) in [
        ("\r\n", "* BAD not a command\r\n"),
        ("*\r\n", "* BAD not a command\r\n"),
        ("QUJD\r\n", "* BAD not a command\r\n"),
        ("a  NOOP\r\n", "a BAD command: value expected at byte 2\r\n"),
        (
            "a NOOP x\r\n",
            "a BAD command: text after the end at byte 6\r\n",
        ),
        (
            "a LOGIN x  y\r\n",
            "a BAD command: one space expected, but more found at byte 10\r\n",
        ),
        ("a\tLOGIN x y\r\n", "* BAD"),
        (" a NOOP\r\n", "* BAD"),
        ("+ NOOP\r\n", "* BAD"),
        ("a LOGIN \"x y\r\n", "a BAD"),
        ("a LOGIN (x y\r\n", "a BAD"),
    ] {
        let mut session = crate::script::open(
            &crate::script::facts(mail_implicit_tls::service::Service::IMAPS),
            &crate::script::options(mail_implicit_tls::service::Protocol::Imap),
        );
        session.backend_sent(GREETING.as_bytes()).unwrap();
        let _ = session.take_for_client();
        session.client_sent(line.as_bytes()).unwrap();
        let said = String::from_utf8(session.take_for_client()).unwrap();
        let answer = answer.split(':').next().unwrap().trim_end();
        assert!(
            said.starts_with(answer) && said.ends_with("\r\n"),
            "{line:?}: {said}"
        );
        assert!(session.take_for_backend().is_empty(), "{line:?}");
    }
}

#[test]
fn holds_commands_back_until_the_greeting() {
    let mut session = crate::script::open(
        &crate::script::facts(mail_implicit_tls::service::Service::IMAPS),
        &crate::script::options(mail_implicit_tls::service::Protocol::Imap),
    );
    session.client_sent(b"a LOGIN x y\r\n").unwrap();
    assert!(session.take_for_backend().is_empty() && session.may_receive());
    session.client_sent(&vec![b'x'; 65_536]).unwrap();
    assert!(!session.may_receive());
}
