//! Dialogues of a server before TLS, octet by octet and at once.

use mail_implicit_tls::{
    server::{Answer, BeforeTls, CloseReason, MAX_COMMAND_BYTES, MAX_COMMANDS},
    service::Protocol,
};

/// The octets that a client got, and the end of the dialogue.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Open,
    Tls,
    Closed(CloseReason),
}

fn play_in(pieces: usize, protocol: Protocol, can_start_tls: bool, sent: &[u8]) -> (String, End) {
    let (mut dialogue, _) = BeforeTls::new(protocol, "mail.example", can_start_tls);
    let mut replies = Vec::new();
    let mut end = End::Open;
    for piece in sent.chunks(pieces) {
        match dialogue.receive(piece) {
            Answer::Send(mut octets) => replies.append(&mut octets),
            Answer::StartTls(mut octets) => {
                replies.append(&mut octets);
                end = End::Tls;
            }
            Answer::Close(mut octets, reason) => {
                replies.append(&mut octets);
                end = End::Closed(reason);
                break;
            }
        }
    }
    (String::from_utf8_lossy(&replies).into_owned(), end)
}

#[track_caller]
fn plays(protocol: Protocol, sent: &str, replies: &str, end: End) {
    for pieces in [1, 2, 7, usize::MAX] {
        let result = play_in(pieces, protocol, true, sent.as_bytes());
        assert_eq!(
            (result.0.as_str(), &result.1),
            (replies, &end),
            "{sent:?} in pieces of {pieces}"
        );
    }
}

#[test]
fn greets_and_advertises_starttls_only_where_it_works() {
    for (protocol, with, without) in [
        (
            Protocol::Imap,
            "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED STARTTLS] mail.example ready\r\n",
            "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] mail.example ready\r\n",
        ),
        (
            Protocol::Pop,
            "+OK mail.example ready\r\n",
            "+OK mail.example ready\r\n",
        ),
        (
            Protocol::Submission,
            "220 mail.example ESMTP\r\n",
            "220 mail.example ESMTP\r\n",
        ),
    ] {
        assert_eq!(
            BeforeTls::new(protocol, "mail.example", true).1,
            with.as_bytes()
        );
        assert_eq!(
            BeforeTls::new(protocol, "mail.example", false).1,
            without.as_bytes()
        );
    }
    let greeting = BeforeTls::new(Protocol::Submission, "evil\r\n220 x", true).1;
    assert_eq!(greeting, b"220 evil220x ESMTP\r\n");
}

#[test]
fn refuses_starttls_without_certificate() {
    for (protocol, sent, replies) in [
        (
            Protocol::Imap,
            "a CAPABILITY\r\nb STARTTLS\r\n",
            "* CAPABILITY IMAP4rev1 LOGINDISABLED\r\na OK done\r\nb BAD TLS is not available\r\n",
        ),
        (
            Protocol::Pop,
            "CAPA\r\nSTLS\r\n",
            "+OK\r\nRESP-CODES\r\n.\r\n-ERR TLS is not available\r\n",
        ),
        (
            Protocol::Submission,
            "EHLO a\r\nSTARTTLS\r\n",
            "250-mail.example\r\n250 ENHANCEDSTATUSCODES\r\n454 4.7.0 TLS is not available\r\n",
        ),
    ] {
        let result = play_in(usize::MAX, protocol, false, sent.as_bytes());
        assert_eq!(result, (replies.to_owned(), End::Open));
    }
}

#[test]
fn begins_tls() {
    plays(
        Protocol::Imap,
        "a capability\r\nb NOOP\r\nc StartTLS\r\n",
        "* CAPABILITY IMAP4rev1 LOGINDISABLED STARTTLS\r\na OK done\r\nb OK done\r\nc OK begin TLS\r\n",
        End::Tls,
    );
    plays(
        Protocol::Pop,
        "CAPA\r\nSTLS\r\n",
        "+OK\r\nSTLS\r\nRESP-CODES\r\n.\r\n+OK begin TLS\r\n",
        End::Tls,
    );
    plays(
        Protocol::Submission,
        "EHLO [192.0.2.1]\r\nSTARTTLS\r\n",
        "250-mail.example\r\n250-ENHANCEDSTATUSCODES\r\n250 STARTTLS\r\n220 2.0.0 begin TLS\r\n",
        End::Tls,
    );
}

#[test]
fn refuses_everything_but_discovery() {
    for command in [
        "LOGIN bob secret",
        "AUTHENTICATE PLAIN AGJvYgBzZWNyZXQ=",
        "SELECT INBOX",
        "ID NIL",
        "X",
    ] {
        plays(
            Protocol::Imap,
            &format!("a {command}\r\n"),
            "a NO [PRIVACYREQUIRED] TLS is required\r\n",
            End::Open,
        );
    }
    for command in [
        "USER bob",
        "PASS secret",
        "APOP bob 0",
        "AUTH PLAIN",
        "STAT",
    ] {
        plays(
            Protocol::Pop,
            &format!("{command}\r\n"),
            "-ERR [SYS/PERM] TLS is required\r\n",
            End::Open,
        );
    }
    for command in [
        "AUTH PLAIN AGJvYgBzZWNyZXQ=",
        "MAIL FROM:<a@b>",
        "VRFY bob",
        "BDAT 5",
        "CLIENT tls=x",
    ] {
        plays(
            Protocol::Submission,
            &format!("{command}\r\n"),
            "530 5.7.0 TLS is required\r\n",
            End::Open,
        );
    }
}

#[test]
fn ends_the_session_when_the_client_does() {
    let imap = "* BYE closing\r\na OK done\r\n";
    plays(
        Protocol::Imap,
        "a LOGOUT\r\nb NOOP\r\n",
        imap,
        End::Closed(CloseReason::Quit),
    );
    plays(
        Protocol::Pop,
        "QUIT\r\n",
        "+OK closing\r\n",
        End::Closed(CloseReason::Quit),
    );
    plays(
        Protocol::Submission,
        "QUIT\r\n",
        "221 2.0.0 closing\r\n",
        End::Closed(CloseReason::Quit),
    );
}

#[test]
fn closes_on_octets_after_the_upgrade_command() {
    for (protocol, command) in [
        (Protocol::Imap, "a STARTTLS\r\n"),
        (Protocol::Pop, "STLS\r\n"),
        (Protocol::Submission, "STARTTLS\r\n"),
    ] {
        for injected in [
            "a LOGIN bob secret\r\n",
            "MAIL FROM:<a@b>\r\n",
            "x",
            "\0",
            "\r\n",
        ] {
            let sent = format!("{command}{injected}");
            let at_once = play_in(usize::MAX, protocol, true, sent.as_bytes());
            assert_eq!(
                at_once,
                (String::new(), End::Closed(CloseReason::Injected)),
                "{sent:?}"
            );
            // Later octets come before the ClientHello, too.
            let (_, end) = play_in(command.len(), protocol, true, sent.as_bytes());
            assert_eq!(end, End::Closed(CloseReason::Injected), "{sent:?}");
        }
    }
}

#[test]
fn closes_on_http_and_on_tls_at_once() {
    for line in [
        "GET / HTTP/1.1\r\n",
        "POST /x HTTP/1.1\r\nHost: a\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        for protocol in [Protocol::Imap, Protocol::Pop, Protocol::Submission] {
            let (_, end) = play_in(1, protocol, true, line.as_bytes());
            assert_eq!(end, End::Closed(CloseReason::Http), "{line:?}");
        }
    }
    let hello = [22, 3, 1, 0, 5, 1, 0, 0, 1, 3];
    assert_eq!(
        play_in(1, Protocol::Imap, true, &hello).1,
        End::Closed(CloseReason::Tls)
    );
}

#[test]
fn closes_on_octets_that_no_line_has() {
    for sent in [
        "a NOOP\n",
        "a NO\rOP\r\n",
        "a NO\0OP\r\n",
        "a NOOP\r\r\n",
        "\0",
    ] {
        let (_, end) = play_in(usize::MAX, Protocol::Imap, true, sent.as_bytes());
        assert_eq!(end, End::Closed(CloseReason::Octet), "{sent:?}");
        let (_, end) = play_in(1, Protocol::Imap, true, sent.as_bytes());
        assert_eq!(end, End::Closed(CloseReason::Octet), "{sent:?}");
    }
}

#[test]
fn closes_on_too_much() {
    let long = vec![b'a'; MAX_COMMAND_BYTES + 1];
    assert_eq!(
        play_in(usize::MAX, Protocol::Imap, true, &long).1,
        End::Closed(CloseReason::TooLong)
    );
    assert_eq!(
        play_in(1, Protocol::Imap, true, &long).1,
        End::Closed(CloseReason::TooLong)
    );
    let line = [long.as_slice(), b"\r\n"].concat();
    assert_eq!(
        play_in(usize::MAX, Protocol::Imap, true, &line).1,
        End::Closed(CloseReason::TooLong)
    );
    let many = "NOOP\r\n".repeat(MAX_COMMANDS);
    assert_eq!(
        play_in(usize::MAX, Protocol::Submission, true, many.as_bytes()).1,
        End::Open
    );
    let more = "NOOP\r\n".repeat(MAX_COMMANDS + 1);
    assert_eq!(
        play_in(usize::MAX, Protocol::Submission, true, more.as_bytes()).1,
        End::Closed(CloseReason::TooLong)
    );
}

#[test]
fn refuses_a_tag_that_is_none() {
    for line in [
        "* NOOP\r\n",
        " NOOP\r\n",
        "a{5} NOOP\r\n",
        "\"a\" NOOP\r\n",
        "+ NOOP\r\n",
    ] {
        plays(Protocol::Imap, line, "* BAD tag expected\r\n", End::Open);
    }
}

#[test]
fn accepts_commands_up_to_the_limit() {
    let fill = |length: usize| {
        let tag = "a NOOP ";
        let spaces = " ".repeat(length.saturating_sub(tag.len()).saturating_sub(2));
        format!("{tag}{spaces}\r\n").into_bytes()
    };
    let longest = fill(MAX_COMMAND_BYTES);
    let done = ("a OK done\r\n".to_owned(), End::Open);
    assert_eq!(play_in(usize::MAX, Protocol::Imap, true, &longest), done);
    let too_long = (String::new(), End::Closed(CloseReason::TooLong));
    let longer = fill(MAX_COMMAND_BYTES.saturating_add(1));
    assert_eq!(play_in(usize::MAX, Protocol::Imap, true, &longer), too_long);
    let incomplete = vec![b'a'; MAX_COMMAND_BYTES];
    let open = (String::new(), End::Open);
    assert_eq!(play_in(usize::MAX, Protocol::Imap, true, &incomplete), open);
    for (length, reply) in [(64, "OK done"), (65, "* BAD tag expected")] {
        let tag = "t".repeat(length);
        let (replies, _) = play_in(
            1,
            Protocol::Imap,
            true,
            format!("{tag} NOOP\r\n").as_bytes(),
        );
        assert!(replies.ends_with(&format!("{reply}\r\n")), "{replies}");
    }
    let (_, greeting) = BeforeTls::new(Protocol::Pop, &"n".repeat(300), true);
    let expected = format!("+OK {} ready\r\n", "n".repeat(255));
    assert_eq!(greeting, expected.into_bytes());
}

/// A ClientHello is recognised in place of the first command only.
#[test]
fn takes_no_later_octets_for_a_client_hello() {
    plays(
        Protocol::Imap,
        "a NOOP\r\n\x16\x03",
        "a OK done\r\n",
        End::Open,
    );
}

#[test]
fn recognises_every_method_of_http() {
    for method in [
        "GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "CONNECT", "TRACE",
    ] {
        let line = format!("{method} / HTTP/1.1\r\n");
        let result = play_in(usize::MAX, Protocol::Pop, true, line.as_bytes());
        assert_eq!(
            result,
            (String::new(), End::Closed(CloseReason::Http)),
            "{method}"
        );
    }
}

#[test]
fn keeps_nothing_of_a_client_after_the_close() {
    let closed = |sent: &[u8]| {
        let (mut dialogue, _) = BeforeTls::new(Protocol::Imap, "mail.example", true);
        let answer = dialogue.receive(sent);
        assert_eq!(answer, Answer::Close(Vec::new(), CloseReason::Octet));
        let answer = dialogue.receive(b"a NOOP\r\n");
        assert_eq!(answer, Answer::Close(Vec::new(), CloseReason::Quit));
        format!("{dialogue:?}")
    };
    assert_eq!(closed(b"a LOGIN bob secret\0"), closed(b"\0"));
}
