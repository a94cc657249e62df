//! Messages: DATA and BDAT.

use mail_implicit_tls::gateway::{BareLineFeeds, Event, Refusal};

use super::{Session, options, pair};

fn in_data() -> Session {
    let mut session = Session::in_transaction(&options());
    session.client("DATA\r\n").backend("354 go\r\n").forget();
    session
}

#[test]
fn ends_a_message_by_a_line_of_a_dot_alone() {
    let mut session = in_data();
    let message = "Subject: x\r\n\r\n..\r\n.a\r\n a.\r\n\r\n.\r\n";
    for piece in message.as_bytes().chunks(1) {
        session.client(piece);
    }
    session.client("XCLIENT ADDR=192.0.2.1\r\nNOOP\r\n");
    assert_eq!(session.sent(), pair("", message));
    session.backend("250 queued\r\n");
    let expected = pair("250 queued\r\n502 Command not available\r\n", "NOOP\r\n");
    assert_eq!(session.sent(), expected);
}

#[test]
fn passes_no_line_end_on_that_a_server_may_read_as_the_end_of_a_message() {
    for (message, passed) in [
        ("a\r\n\n.\r\nMAIL", "a\r\n"),
        ("a\n.\r\nMAIL", "a"),
        ("a\r\n.\nMAIL", "a\r\n."),
        ("a\r.\rMAIL", "a"),
        ("a\r\n.\rMAIL", "a\r\n."),
        ("a\r\n.\r\r\nMAIL", "a\r\n."),
        ("a\r\r\n.\r\n", "a"),
        ("a\r\n.\0\r\n", "a\r\n."),
        ("a\0b", "a"),
        ("a\n\n.\r\n", "a"),
        ("a\r\n.\n\n", "a\r\n."),
    ] {
        for pieces in [1, message.len()] {
            let mut session = in_data();
            for piece in message.as_bytes().chunks(pieces) {
                session.client(piece);
            }
            let reply = "550 CR LF expected, without NUL\r\n";
            assert_eq!(session.sent(), pair(reply, passed), "{message:?}");
            let events = [Event::Refused(Refusal::Syntax), Event::Closed];
            assert_eq!(session.events(), events);
        }
    }
    // A CR waits for the octet that decides about it.
    let mut session = in_data();
    assert_eq!(session.client("\r\n.\r").sent(), pair("", "\r\n."));
    assert_eq!(session.client("\n").sent(), pair("", "\r\n"));
}

fn in_normalized_data() -> Session {
    let options = options().with_bare_line_feeds(BareLineFeeds::Normalize);
    let mut session = Session::in_transaction(&options);
    session.client("DATA\r\n").backend("354 go\r\n").forget();
    session
}

#[test]
fn normalizes_bare_line_feeds_by_option_and_decides_about_no_dot_next_to_one() {
    let message = "Subject: scan\n\nfrom a copier\n.x\n\r\n.\r\n";
    for pieces in [1, 2, 3, message.len()] {
        let mut session = in_normalized_data();
        for piece in message.as_bytes().chunks(pieces) {
            session.client(piece);
        }
        let normalized = "Subject: scan\r\n\r\nfrom a copier\r\n.x\r\n\r\n.\r\n";
        assert_eq!(session.sent(), pair("", normalized));
        session.backend("250 queued\r\n").client("NOOP\r\n");
        assert_eq!(session.sent(), pair("250 queued\r\n", "NOOP\r\n"));
        // One for the message, however many there were.
        assert_eq!(session.events(), [Event::Normalized]);
        for (text, passed) in [
            ("a\n.\r\nMAIL", "a\r\n."),
            ("a\n.\nMAIL", "a\r\n."),
            ("a\r\n.\nMAIL", "a\r\n."),
            (".\nMAIL", "."),
            ("a\r\nb\r.\r\n", "a\r\nb"),
            ("a\n\r.\r\n", "a\r\n"),
            ("a\r\r\n", "a"),
            ("a\n\0", "a\r\n"),
        ] {
            let mut session = in_normalized_data();
            for piece in text.as_bytes().chunks(pieces) {
                session.client(piece);
            }
            let reply = "550 CR LF expected, without NUL\r\n";
            assert_eq!(session.sent(), pair(reply, passed), "{text:?}");
        }
    }
    // The octets of BDAT are counted.
    let options = options().with_bare_line_feeds(BareLineFeeds::Normalize);
    let mut session = Session::in_transaction(&options);
    session.client("BDAT 5 LAST\r\na\n.\n\0");
    assert_eq!(session.sent(), pair("", "BDAT 5 LAST\r\na\n.\n\0"));
}

#[test]
fn reads_what_follows_a_refused_data_as_commands() {
    let mut session = Session::logged_in(&options());
    session
        .client("DATA\r\nSubject: x\r\nNOOP\r\n")
        .backend("503 no\r\n");
    let expected = pair(
        "503 no\r\n500 Command not recognized\r\n",
        "DATA\r\nNOOP\r\n",
    );
    assert_eq!(session.sent(), expected);
}

#[test]
fn ends_the_session_at_a_reply_within_a_message() {
    let mut session = in_data();
    session.client("a\r\n").forget();
    session
        .backend("552 too big\r\n")
        .client("XCLIENT x\r\n.\r\n");
    // Logged in: the gateway adds no line.
    assert_eq!(session.sent(), pair("", ""));
    let error = "backend: Reply-code: not permitted at this point at byte 0";
    assert_eq!(session.error.as_deref(), Some(error));
    let mut session = in_data();
    session.backend("421 bye\r\n");
    assert_eq!(session.sent(), pair("421 bye\r\n", ""));
    assert_eq!(session.error, None);
}

#[test]
fn counts_the_octets_of_a_chunk() {
    let octets = "\r\n.\r\nMAIL FROM:<x@example.org>\r\nXCLIENT ADDR=192.0.2.1\r\n\0\n\r";
    let command = format!("BDAT {}\r\n", octets.len());
    let session_octets = format!("{command}{octets}BDAT 0 LAST\r\nNOOP\r\n");
    for split in 0..session_octets.len() {
        let mut session = Session::in_transaction(&options());
        let (first, second) = session_octets.split_at(split);
        session.client(first).client(second);
        assert_eq!(
            session.sent(),
            pair("", &format!("{command}{octets}")),
            "{split}"
        );
        session.backend("250 ok\r\n");
        assert_eq!(session.sent(), pair("250 ok\r\n", "BDAT 0 LAST\r\n"));
        session.backend("250 queued\r\n");
        assert_eq!(session.sent(), pair("250 queued\r\n", "NOOP\r\n"));
    }
}

#[test]
fn skips_the_octets_of_a_chunk_that_the_backend_may_read_as_commands() {
    let bdat = "BDAT 25\r\nXCLIENT ADDR=192.0.2.1\r\n\nBDAT 0 LAST\r\nNOOP\r\n";
    let missing = "503 MAIL and RCPT expected first\r\n";
    // No transaction; no login; a chunk failed; the message is complete.
    for begin in [Session::greeted, Session::logged_in] {
        let mut session = begin(&options());
        let expected = pair(&missing.repeat(2), "NOOP\r\n");
        assert_eq!(session.client(bdat).sent(), expected);
    }
    for (first, reply) in [
        ("BDAT 1\r\nx", "451 no\r\n"),
        ("BDAT 1 LAST\r\nx", "250 ok\r\n"),
        ("BDAT 1 LAST\r\nx", "552 no\r\n"),
        ("RSET\r\n", "250 ok\r\n"),
        ("EHLO x\r\n", "250-mx\r\n250 CHUNKING\r\n"),
    ] {
        let mut session = Session::in_transaction(&options());
        session.client(first).backend(reply).forget();
        let expected = pair(&missing.repeat(2), "NOOP\r\n");
        assert_eq!(session.client(bdat).sent(), expected, "{first:?}");
    }
    let mut session = Session::logged_in(&options());
    session.client("MAIL FROM:<>\r\n").backend("250 ok\r\n");
    session
        .client("RCPT TO:<x>\r\n")
        .backend("550 no\r\n")
        .forget();
    assert_eq!(
        session.client(bdat).sent(),
        pair(&missing.repeat(2), "NOOP\r\n")
    );
    // No CHUNKING.
    let mut session = Session::logged_in(&options());
    session.client("EHLO c\r\n").backend("250 mx\r\n").forget();
    let expected = pair(&"502 Command not available\r\n".repeat(2), "NOOP\r\n");
    assert_eq!(session.client(bdat).sent(), expected);
}

#[test]
fn ends_the_session_at_a_chunk_without_a_size() {
    for arguments in [
        "",
        " ",
        " x",
        " -1",
        " 18446744073709551616",
        " 1 LAST x",
        " 1 2",
        "  1",
    ] {
        let mut session = Session::in_transaction(&options());
        session.client(format!("BDAT{arguments}\r\nNOOP\r\n"));
        let reply = pair("501 Syntax error in parameters\r\n", "");
        assert_eq!(session.sent(), reply, "{arguments:?}");
        assert!(session.error.is_some());
    }
}

#[test]
fn forwards_a_reply_that_comes_within_a_chunk() {
    let mut session = Session::in_transaction(&options());
    session.client("BDAT 4\r\nab").backend("552 too big\r\n");
    assert_eq!(session.sent(), pair("552 too big\r\n", "BDAT 4\r\nab"));
    session.client("cdNOOP\r\nBDAT 1\r\nx");
    assert_eq!(session.sent(), pair("", "cdNOOP\r\n"));
    session.backend("250 ok\r\n");
    let expected = pair("250 ok\r\n503 MAIL and RCPT expected first\r\n", "");
    assert_eq!(session.sent(), expected);
    let mut session = Session::in_transaction(&options());
    session.client("BDAT 4\r\nab").backend("250 x\r\n250 y\r\n");
    assert!(session.error.is_some());
}

#[test]
fn passes_burl_on_where_the_backend_has_it() {
    let line = "BURL imap://x LAST\r\n";
    let mut session = Session::in_transaction(&options());
    assert_eq!(session.client(line).sent(), pair("", line));
    session
        .backend("250 ok\r\n")
        .client("EHLO c\r\n")
        .backend("250 mx\r\n")
        .forget();
    let refused = pair("500 Command not recognized\r\n", "");
    assert_eq!(session.client(line).sent(), refused);
}
