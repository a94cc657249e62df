//! The client's side of SMTP Submission, played against scripts.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod play;

use deep_latch::{
    ErrorKind, LatchSession, SecurityTag, SmtpClient,
    client::{ClientError, ClientEvent, ClientOptions, TlsStart},
    facts::Login,
    failure::Stage,
    smtp::{DomainError, MAX_SMTP_LINE_BYTES, MAX_SMTP_LINES},
};
use play::{
    ACCEPTED, End, NOT_ACCEPTED, Played, Script, UNVERIFIED, WITHDRAWN, play, session,
    session_with_status, truncated_at_each_byte, unreadable,
};

fn of(session: LatchSession, tls: TlsStart) -> SmtpClient {
    let options = ClientOptions {
        tls,
        name: Some("demo_submit".into()),
        version: Some("1.5".into()),
        ..ClientOptions::default()
    };
    SmtpClient::try_new(session, options, "client.example.com").unwrap()
}

fn client(tags: &[&'static str], tls: TlsStart) -> SmtpClient {
    of(session(tags), tls)
}

fn implicit(tags: &[&'static str], tls: &str) -> Played {
    let script = Script {
        tls: tls.as_bytes(),
        ..Script::default()
    };
    play(&client(tags, TlsStart::Implicit), &script)
}

/// The example of section 7.3, until the answer to CLIENT.
const EXAMPLE: &str = concat!(
    "220 example.com Demo SMTP Submission Server\r\n",
    "250-example.com\r\n",
    "250-8BITMIME\r\n",
    "250-PIPELINING\r\n",
    "250-DSN\r\n",
    "250-AUTH PLAIN LOGIN\r\n",
    "250-DEEP tls10 tls-cert <https://www.example.com/status.html>\r\n",
    "250-BURL imap\r\n",
    "250 SIZE 0\r\n"
);

const EHLO: &str = "EHLO client.example.com\r\n";

#[test]
fn latches_records_and_reports_the_example() {
    let server = format!("{EXAMPLE}250 OK\r\n");
    let script = Script {
        tls: server.as_bytes(),
        login: Some(Login::Done),
        ..Script::default()
    };
    let client = client(&[], TlsStart::Implicit);
    let played = play(&client, &script);
    assert_eq!(played.end, End::Ready);
    let command = "CLIENT name=demo_submit version=1.5 latch=tls-cert,tls10 security-tags=tls12";
    let expected = format!("{EHLO}{command}\r\n");
    assert_eq!(played.sent, ["", &expected, ""]);
    assert_eq!(played.latched(), ["tls-cert", "tls10"]);
    let status = "tls10 tls-cert <https://www.example.com/status.html>";
    assert_eq!(played.status(), Some(status));
    assert_eq!(played.stored, std::slice::from_ref(&played.record));
    assert_eq!(played.events.last(), Some(&ACCEPTED));
    truncated_at_each_byte(&client, &script);
}

#[test]
fn continues_after_a_refused_report() {
    for code in [
        "501 5.5.4 no",
        "500 5.5.1 Invalid command",
        "502-a\r\n502 b",
        "451 later",
    ] {
        let played = implicit(&[], &format!("{EXAMPLE}{code}\r\n"));
        assert_eq!(played.end, End::LogIn, "{code}");
        assert_eq!(played.events.last(), Some(&NOT_ACCEPTED));
        assert_eq!(played.latched(), ["tls-cert", "tls10"]);
    }
}

#[test]
fn keeps_latches_and_reports_nothing_without_deep() {
    for ehlo in [
        "250-example.com\r\n250 SIZE 0",
        "250 DEEP tls10",
        "250",
        "502 what?",
        "502-what?\r\n502 DEEP tls10",
        "250-example.com\r\n250 XDEEP",
    ] {
        let server = format!("220 hi\r\n{ehlo}\r\n");
        let script = Script {
            tls: server.as_bytes(),
            ..Script::default()
        };
        let session = session_with_status("tls12 <https://a.example/>");
        let played = play(&of(session, TlsStart::Implicit), &script);
        assert_eq!(played.end, End::LogIn, "{ehlo}");
        assert_eq!(played.sent[1], EHLO);
        assert_eq!(played.latched(), ["tls12"]);
        assert_eq!(played.status(), Some("tls12 <https://a.example/>"));
        assert_eq!(played.events, [WITHDRAWN]);
    }
}

const BEFORE_TLS: &str = concat!(
    "220-hi\r\n220 there\r\n",
    "250-example.com\r\n250-DEEP tls-cert\r\n250 starttls\r\n",
    "220 2.0.0 begin\r\n"
);

#[test]
fn starttls_forgets_what_was_said_before_it_and_asks_again() {
    let script = Script {
        clear: BEFORE_TLS.as_bytes(),
        tls: b"250-example.com\r\n250 DEEP tls12\r\n250 OK\r\n",
        ..Script::default()
    };
    let client = client(&[], TlsStart::StartTls);
    let played = play(&client, &script);
    assert_eq!(played.end, End::LogIn);
    let [clear, tls, _] = &played.sent;
    assert_eq!(*clear, format!("{EHLO}STARTTLS\r\n"));
    assert!(tls.starts_with(&format!("{EHLO}CLIENT name=demo_submit")));
    assert_eq!(played.latched(), ["tls12"]);
    truncated_at_each_byte(&client, &script);
    let script = Script {
        tls: b"250 example.com\r\n",
        ..script
    };
    let played = play(&client, &script);
    assert_eq!((played.end.clone(), &*played.sent[1]), (End::LogIn, EHLO));
    assert!(played.latched().is_empty());
}

#[test]
fn rejects_text_in_clear_after_the_answer_to_starttls() {
    for injected in ["250 DEEP tls12\r\n", "\r\n", "2"] {
        let clear = format!("{BEFORE_TLS}{injected}");
        let script = Script {
            clear: clear.as_bytes(),
            tls: b"250 x\r\n",
            ..Script::default()
        };
        let played = play(&client(&[], TlsStart::StartTls), &script);
        assert_eq!(played.end, End::Failed(ClientError::Injected));
        assert_eq!(played.sent[1], "");
    }
}

#[test]
fn starttls_that_is_stripped_or_refused_ends_the_connection() {
    for clear in [
        "220 hi\r\n250 example.com\r\n",
        "220 hi\r\n502 what?\r\n",
        "220 hi\r\n250-example.com\r\n250 STARTTLS\r\n454 not now\r\n",
    ] {
        let script = Script {
            clear: clear.as_bytes(),
            login: Some(Login::Done),
            ..Script::default()
        };
        for tls in [TlsStart::StartTls, TlsStart::StartTlsIfOffered] {
            let played = play(&client(&["tls10"], tls), &script);
            let End::Refused(failure) = &played.end else {
                panic!("{:?}", played.end);
            };
            assert_eq!(
                (failure.stage(), failure.may_report()),
                (Stage::NoTls, false)
            );
            // No CLIENT in clear, nor a login.
            assert!(!played.sent[0].contains("CLIENT "), "{:?}", played.sent);
            let played = play(&client(&[], tls), &script);
            let expected = match tls {
                TlsStart::StartTls => End::Failed(ClientError::NoTls),
                _ => End::Ready,
            };
            assert_eq!(played.end, expected, "{clear}");
        }
    }
}

#[test]
fn reports_nothing_in_clear_and_requires_advertised_tls() {
    for (tag, end) in [
        ("tls12", End::Failed(ClientError::NoTls)),
        ("x", End::LogIn),
    ] {
        let clear = format!("220 hi\r\n250-example.com\r\n250 DEEP {tag}\r\n");
        let script = Script {
            clear: clear.as_bytes(),
            ..Script::default()
        };
        let played = play(&client(&[], TlsStart::StartTlsIfOffered), &script);
        assert_eq!(played.end, end);
        assert_eq!(played.sent, [EHLO, "", ""]);
        assert!(played.stored.is_empty());
    }
}

#[test]
fn reports_a_latch_failure_and_sends_no_other_data() {
    let report = "CLIENT name=demo_submit version=1.5 latch-fail=tls-cert\r\n";
    for (server, said) in [
        (
            format!("{EXAMPLE}250 OK\r\n"),
            format!("{EHLO}{report}QUIT\r\n"),
        ),
        (
            format!("{EXAMPLE}501 no\r\n"),
            format!("{EHLO}{report}QUIT\r\n"),
        ),
        (format!("{EXAMPLE}421 bye\r\n"), format!("{EHLO}{report}")),
        (EXAMPLE.to_owned(), format!("{EHLO}{report}")),
        (
            "220 hi\r\n250 example.com\r\n".to_owned(),
            format!("{EHLO}QUIT\r\n"),
        ),
        ("220 hi\r\nnonsense\r\n".to_owned(), EHLO.to_owned()),
        ("554 no\r\n".to_owned(), String::new()),
        (String::new(), String::new()),
    ] {
        let script = Script {
            tls: server.as_bytes(),
            facts: Some(UNVERIFIED),
            login: Some(Login::Done),
            ..Script::default()
        };
        let client = client(&["tls-cert"], TlsStart::Implicit);
        let played = play(&client, &script);
        let End::Refused(failure) = &played.end else {
            panic!("{:?}", played.end);
        };
        assert_eq!(failure.tags(), [SecurityTag::TLS_CERT]);
        assert_eq!(played.sent, ["", &said, ""], "{server}");
        assert_eq!(played.latched(), ["tls-cert"]);
        assert_eq!(played.status(), None);
        truncated_at_each_byte(&client, &script);
    }
}

#[test]
fn reports_a_failure_after_login() {
    let tag = SecurityTag::parse("x-scram").unwrap();
    let mut facilities = deep_latch::Facilities::new();
    facilities
        .add(tag, |facts| match facts.login {
            None => deep_latch::facility::Achievement::AfterLogin,
            Some(_) => deep_latch::facility::Achievement::NotAchieved,
        })
        .unwrap();
    let session = LatchSession::try_new(play::record(&["x-scram"]), facilities).unwrap();
    let server = format!("{EXAMPLE}250 OK\r\n");
    let script = Script {
        tls: server.as_bytes(),
        after_login: b"250 OK\r\n",
        login: Some(Login::Done),
        ..Script::default()
    };
    let played = play(&of(session, TlsStart::Implicit), &script);
    assert!(matches!(played.end, End::Refused(_)));
    let said = "CLIENT name=demo_submit version=1.5 latch-fail=x-scram\r\nQUIT\r\n";
    assert_eq!(played.sent[2], said);
}

#[test]
fn reports_nothing_if_the_options_forbid_it() {
    let options = ClientOptions {
        report: false,
        ..ClientOptions::default()
    };
    let client = SmtpClient::try_new(session(&["tls10"]), options, "[127.0.0.1]").unwrap();
    let script = Script {
        tls: EXAMPLE.as_bytes(),
        ..Script::default()
    };
    let played = play(&client, &script);
    assert_eq!(played.end, End::LogIn);
    assert_eq!(played.sent[1], "EHLO [127.0.0.1]\r\n");
}

#[test]
fn omits_a_name_that_client_cannot_carry() {
    let options = ClientOptions {
        name: Some("Demo Mail".into()),
        ..ClientOptions::default()
    };
    let client = SmtpClient::try_new(session(&[]), options, "a.example").unwrap();
    let script = Script {
        tls: EXAMPLE.as_bytes(),
        ..Script::default()
    };
    let played = play(&client, &script);
    assert_eq!(played.end, End::LogIn);
    assert_eq!(played.events.last(), Some(&ClientEvent::NotReported));
    assert_eq!(played.latched(), ["tls-cert", "tls10"]);
}

#[test]
fn rejects_names_that_ehlo_cannot_carry() {
    for domain in ["", "a b", "a\r\nMAIL FROM:<>", &"a".repeat(256), "é"] {
        let client = SmtpClient::try_new(session(&[]), ClientOptions::default(), domain);
        assert_eq!(client.err(), Some(DomainError), "{domain}");
    }
    for domain in ["a", "[IPv6:::1]", &"a".repeat(255)] {
        let client = SmtpClient::try_new(session(&[]), ClientOptions::default(), domain);
        assert!(client.is_ok(), "{domain}");
    }
}

#[test]
fn ignores_malformed_statuses() {
    for (lines, why) in [
        (
            "250 DEEP tls10  x",
            (ErrorKind::ExtraSpace, "deep-status", 11),
        ),
        (
            "250-DEEP tls10\r\n250 DEEP tls10",
            (ErrorKind::Duplicate, "DEEP", 0),
        ),
    ] {
        let server = format!("220 hi\r\n250-a\r\n{lines}\r\n250 OK\r\n");
        let played = implicit(&[], &server);
        assert_eq!(played.end, End::LogIn);
        // It has DEEP, and is told.
        let [event, ACCEPTED] = &played.events[..] else {
            panic!("{:?}", played.events);
        };
        assert_eq!(unreadable(event), why);
        assert!(played.latched().is_empty());
    }
}

#[test]
fn ends_the_connection_after_unexpected_responses() {
    for (server, error) in [
        ("554 no\r\n", ClientError::Rejected),
        ("421 busy\r\n", ClientError::Closing),
        ("250 hi\r\n", ClientError::Rejected),
        ("354 hi\r\n", ClientError::Unexpected),
        ("220 hi\r\n220 hi\r\n", ClientError::Unexpected),
        ("220 hi\r\n354 go on\r\n", ClientError::Unexpected),
        ("220 hi\r\n421 bye\r\n", ClientError::Closing),
        ("220 hi\r\n250-a\r\n", ClientError::EndOfInput),
        ("", ClientError::EndOfInput),
    ] {
        let played = implicit(&[], server);
        assert_eq!(played.end, End::Failed(error), "{server}");
    }
    let played = implicit(&[], &format!("{EXAMPLE}334 go on\r\n"));
    assert_eq!(played.end, End::Failed(ClientError::Unexpected));
    for answer in ["250 OK", "354 go on"] {
        let clear = format!("220 hi\r\n250-a\r\n250 STARTTLS\r\n{answer}\r\n");
        let script = Script {
            clear: clear.as_bytes(),
            ..Script::default()
        };
        let played = play(&client(&[], TlsStart::StartTlsIfOffered), &script);
        assert_eq!(played.end, End::Failed(ClientError::Unexpected));
    }
}

#[test]
fn bytes_that_are_no_replies_end_the_connection() {
    for (server, kind, offset) in [
        ("* OK hi\r\n", ErrorKind::Expected, 0),
        ("22\r\n", ErrorKind::Expected, 0),
        ("120 hi\r\n", ErrorKind::Expected, 0),
        ("260 hi\r\n", ErrorKind::Expected, 0),
        ("600 hi\r\n", ErrorKind::Expected, 0),
        ("25x hi\r\n", ErrorKind::Expected, 0),
        ("220+hi\r\n", ErrorKind::Expected, 3),
        ("2200 hi\r\n", ErrorKind::Expected, 3),
        ("220-hi\r\n250 hi\r\n", ErrorKind::Conflict, 0),
        ("220 hi\n", ErrorKind::Character, 6),
        ("220 \0\r\n", ErrorKind::Character, 4),
        ("\r\n", ErrorKind::Expected, 0),
    ] {
        let played = implicit(&[], server);
        let End::Failed(ClientError::Malformed(error)) = played.end else {
            panic!("{:?}", played.end);
        };
        assert_eq!((error.kind(), error.offset()), (kind, offset), "{server}");
    }
}

#[test]
fn limits_are_errors() {
    let line = |length: usize| format!("220 {}\r\n250 a\r\n", "x".repeat(length - 6));
    let lines = |count: usize| format!("{}220 x\r\n250 a\r\n", "220-x\r\n".repeat(count - 1));
    for (longest, longer, limit) in [
        (
            line(MAX_SMTP_LINE_BYTES),
            line(MAX_SMTP_LINE_BYTES + 1),
            MAX_SMTP_LINE_BYTES,
        ),
        (
            lines(MAX_SMTP_LINES),
            lines(MAX_SMTP_LINES + 1),
            MAX_SMTP_LINES,
        ),
    ] {
        assert_eq!(implicit(&[], &longest).end, End::LogIn);
        let End::Failed(ClientError::Malformed(error)) = implicit(&[], &longer).end else {
            panic!("{limit}");
        };
        assert_eq!(error.kind(), ErrorKind::Limit { limit });
        assert_eq!(error.field(), "Reply-line");
    }
}

/// Replies of real servers.
#[test]
fn parses_replies_of_aiosmtpd_nginx_exim_and_postfix() {
    let aiosmtpd = concat!(
        "220 localhost Demo SMTP Submission Server\r\n250-localhost\r\n",
        "250-DEEP tls10 tls-cert <https://www.example.com/status.html>\r\n250-SIZE 33554432\r\n",
        "250-8BITMIME\r\n250-SMTPUTF8\r\n250-AUTH LOGIN PLAIN\r\n250 HELP\r\n250 OK\r\n"
    );
    let nginx = concat!(
        "220 mail.example.test ESMTP ready\r\n250-mail.example.test\r\n250-8BITMIME\r\n",
        "250-PIPELINING\r\n250-DSN\r\n250-DEEP tls10 tls-cert <https://www.example.com/status.html>\r\n",
        "250-BURL imap\r\n250-SIZE 0\r\n250 AUTH PLAIN LOGIN\r\n500 5.5.1 Invalid command\r\n"
    );
    for (server, accepted) in [(aiosmtpd, ACCEPTED), (nginx, NOT_ACCEPTED)] {
        let played = implicit(&[], server);
        assert_eq!(played.end, End::LogIn);
        assert_eq!(played.latched(), ["tls-cert", "tls10"]);
        assert_eq!(played.events.last(), Some(&accepted));
    }
    let exim = concat!(
        "220 mail.example.test ESMTP Exim 4.96 Tue, 24 Nov 2026 05:21:35 +0000\r\n",
        "250-mail.example.test Hello client.example.com [127.0.0.1]\r\n250-SIZE 52428800\r\n",
        "250-8BITMIME\r\n250-PIPELINING\r\n250-PIPECONNECT\r\n250-AUTH PLAIN\r\n250-CHUNKING\r\n",
        "250-SMTPUTF8\r\n250 HELP\r\n"
    );
    let postfix = concat!(
        "220 mail.example.test ESMTP Postfix\r\n250-mail.example.test\r\n250-PIPELINING\r\n",
        "250-SIZE 10240000\r\n250-VRFY\r\n250-ETRN\r\n250-AUTH PLAIN LOGIN SCRAM-SHA-256\r\n",
        "250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n"
    );
    for server in [exim, postfix] {
        let played = implicit(&[], server);
        assert_eq!((&played.end, &*played.sent[1]), (&End::LogIn, EHLO));
    }
}

#[test]
fn returns_the_greeting_and_the_extensions() {
    let mut client = client(&[], TlsStart::StartTls);
    let greeting = b"220-mail.example.com ESMTP\r\n220 ready\r\n";
    client.receive(greeting);
    client.receive(b"250-mail.example.com\r\n250-SIZE 0\r\n250 STARTTLS\r\n220 go\r\n");
    assert!(client.demand().is_ok());
    client.sent();
    assert!(client.demand().is_ok());
    client.sent();
    assert_eq!(client.demand(), Ok(deep_latch::client::Demand::StartTls));
    client.handshake(play::GOOD);
    client.receive(b"250-mail.example.com\r\n250 AUTH PLAIN\r\n");
    assert!(client.demand().is_ok());
    client.sent();
    assert_eq!(client.demand(), Ok(deep_latch::client::Demand::LogIn));
    assert_eq!(client.greeting(), greeting);
    assert!(client.capabilities().eq(["AUTH PLAIN"]));
    assert_eq!(client.domain(), "client.example.com");
}
