//! The client's side of POP, played against scripts.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod play;

use deep_latch::{
    ErrorKind, Facilities, LatchSession, PopClient, SecurityTag,
    client::{ClientError, ClientEvent, ClientOptions, TlsStart},
    facts::Login,
    failure::{Action, Stage},
    pop::{MAX_CAPA_LINES, MAX_POP_LINE_BYTES},
    status::{StatusOptions, StatusUrl},
};
use play::{
    End, Played, Script, UNVERIFIED, accepted_deviation, play, recorded, session,
    session_with_status, truncated_at_each_byte, unreadable,
};

fn client(tags: &[&'static str], tls: TlsStart) -> PopClient {
    let options = ClientOptions {
        tls,
        ..ClientOptions::default()
    };
    PopClient::new(session(tags), options)
}

fn implicit(tags: &[&'static str], tls: &str) -> Played {
    let script = Script {
        tls: tls.as_bytes(),
        ..Script::default()
    };
    play(&client(tags, TlsStart::Implicit), &script)
}

/// The example of section 7.2.
const EXAMPLE: &str = concat!(
    "+OK POP server ready\r\n",
    "+OK Capability list follows\r\n",
    "TOP\r\n",
    "SASL PLAIN SCRAM-SHA-1\r\n",
    "RESP-CODES\r\n",
    "PIPELINING\r\n",
    "UIDL\r\n",
    "DEEP tls10 tls12 <https://www.example.com/privacy-support.html>\r\n",
    ".\r\n"
);

#[test]
fn latches_and_records_the_example() {
    let script = Script {
        tls: EXAMPLE.as_bytes(),
        after_login: b"+OK 0 messages\r\n",
        login: Some(Login::Done),
        ..Script::default()
    };
    let client = client(&[], TlsStart::Implicit);
    let played = play(&client, &script);
    assert_eq!(played.end, End::Ready);
    assert_eq!(played.sent, ["", "CAPA\r\n", ""]);
    assert_eq!(played.latched(), ["tls10", "tls12"]);
    let status = "tls10 tls12 <https://www.example.com/privacy-support.html>";
    assert_eq!(played.status(), Some(status));
    assert_eq!(played.stored, std::slice::from_ref(&played.record));
    // After login nothing more is asked.
    assert_eq!(played.left, b"+OK 0 messages\r\n");
    truncated_at_each_byte(
        &client,
        &Script {
            after_login: b"",
            ..script
        },
    );
}

#[test]
fn records_the_known_status_after_scram_plus() {
    let script = Script {
        tls: EXAMPLE.as_bytes(),
        facts: Some(UNVERIFIED),
        login: Some(Login::ScramPlus),
        ..Script::default()
    };
    let played = play(&client(&[], TlsStart::Implicit), &script);
    assert_eq!(played.end, End::Ready);
    // Latched before login, and recorded after it.
    assert_eq!(played.stored.len(), 2);
    assert_eq!(played.stored[0].status(), None);
    assert_eq!(played.stored[1], played.record);
}

const BEFORE_TLS: &str = "+OK hi\r\n+OK list\r\nstls\r\nDEEP tls-cert\r\n.\r\n+OK begin\r\n";

#[test]
fn stls_forgets_what_was_said_before_it_and_asks_again() {
    let script = Script {
        clear: BEFORE_TLS.as_bytes(),
        tls: b"+OK\r\nUSER\r\nDEEP tls12\r\n.\r\n",
        ..Script::default()
    };
    let client = client(&[], TlsStart::StartTls);
    let played = play(&client, &script);
    assert_eq!(played.end, End::LogIn);
    assert_eq!(played.sent, ["CAPA\r\nSTLS\r\n", "CAPA\r\n", ""]);
    assert_eq!(played.latched(), ["tls12"]);
    assert_eq!(played.status(), Some("tls12"));
    truncated_at_each_byte(&client, &script);
    let script = Script {
        tls: b"+OK\r\n.\r\n",
        ..script
    };
    let played = play(&client, &script);
    assert_eq!(
        (played.end.clone(), played.latched().len()),
        (End::LogIn, 0)
    );
}

#[test]
fn rejects_text_in_clear_after_the_answer_to_stls() {
    for injected in ["+OK\r\nDEEP tls12\r\n.\r\n", "\r\n", "x"] {
        let clear = format!("{BEFORE_TLS}{injected}");
        let script = Script {
            clear: clear.as_bytes(),
            tls: b"+OK\r\n.\r\n",
            ..Script::default()
        };
        let played = play(&client(&[], TlsStart::StartTls), &script);
        assert_eq!(played.end, End::Failed(ClientError::Injected));
        assert_eq!(played.sent, ["CAPA\r\nSTLS\r\n", "", ""]);
    }
}

#[test]
fn stls_that_is_stripped_or_refused_ends_the_connection() {
    for clear in [
        "+OK hi\r\n+OK list\r\nUSER\r\n.\r\n",
        "+OK hi\r\n-ERR what?\r\n",
        "+OK hi\r\n+OK list\r\nSTLS\r\n.\r\n-ERR no\r\n",
    ] {
        let script = Script {
            clear: clear.as_bytes(),
            login: Some(Login::Done),
            ..Script::default()
        };
        for tls in [TlsStart::StartTls, TlsStart::StartTlsIfOffered] {
            let options = ClientOptions {
                tls,
                ..ClientOptions::default()
            };
            let latched =
                PopClient::new(session_with_status("tls12 <https://a.example/>"), options);
            let played = play(&latched, &script);
            let End::Refused(failure) = &played.end else {
                panic!("{:?}", played.end);
            };
            assert_eq!(failure.stage(), Stage::NoTls);
            let url = StatusUrl::parse("https://a.example/").unwrap();
            assert_eq!(failure.actions().last(), Some(&Action::OpenStatusPage(url)));
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
fn requires_tls10_that_is_advertised_in_clear() {
    let script = Script {
        clear: b"+OK hi\r\n+OK list\r\nDEEP tls10\r\n.\r\n",
        ..Script::default()
    };
    let played = play(&client(&[], TlsStart::StartTlsIfOffered), &script);
    assert_eq!(played.end, End::Failed(ClientError::NoTls));
    assert!(played.stored.is_empty());
}

#[test]
fn sends_nothing_after_a_latch_failure() {
    let script = Script {
        tls: EXAMPLE.as_bytes(),
        facts: Some(UNVERIFIED),
        login: Some(Login::Done),
        ..Script::default()
    };
    let played = play(&client(&["tls-cert"], TlsStart::Implicit), &script);
    let End::Refused(failure) = &played.end else {
        panic!("{:?}", played.end);
    };
    assert_eq!(failure.tags(), [SecurityTag::TLS_CERT]);
    assert_eq!(played.sent, ["", "", ""]);
    assert_eq!(played.events.last(), Some(&ClientEvent::NotReported));
    let clear = Script {
        clear: BEFORE_TLS.as_bytes(),
        ..script
    };
    let played = play(&client(&["tls-cert"], TlsStart::StartTls), &clear);
    assert!(matches!(played.end, End::Refused(_)));
    assert_eq!(played.sent, ["CAPA\r\nSTLS\r\n", "", ""]);
}

#[test]
fn refuses_after_a_login_that_breaks_a_rule() {
    let tag = SecurityTag::parse("x-scram").unwrap();
    let mut facilities = Facilities::new();
    facilities
        .add(tag.clone(), |facts| match facts.login {
            None => deep_latch::facility::Achievement::AfterLogin,
            Some(Login::ScramPlus) => deep_latch::facility::Achievement::Achieved,
            Some(Login::Done) => deep_latch::facility::Achievement::NotAchieved,
        })
        .unwrap();
    let record = play::record(&["x-scram"]);
    let session = LatchSession::try_new(record, facilities).unwrap();
    let client = PopClient::new(session, ClientOptions::default());
    for (login, refused) in [(Login::Done, true), (Login::ScramPlus, false)] {
        let script = Script {
            tls: EXAMPLE.as_bytes(),
            login: Some(login),
            ..Script::default()
        };
        let played = play(&client, &script);
        match played.end {
            End::Refused(failure) if refused => {
                assert_eq!(
                    (failure.stage(), failure.tags()),
                    (Stage::Login, &[tag.clone()][..])
                );
            }
            end => assert_eq!((end, refused), (End::Ready, false)),
        }
        assert_eq!(played.sent[2], "");
    }
}

#[test]
fn reads_the_status_from_the_list_only() {
    for (list, latched, error) in [
        ("..\r\nDEEP tls12\r\n", 1, None),
        (".DEEP tls12\r\n", 1, None),
        ("deep tls12\r\n", 1, None),
        ("DEEP\r\n", 0, None),
        ("XDEEP tls12\r\n", 0, None),
        (" DEEP tls12\r\n", 0, None),
        (
            "DEEP tls12\r\nDEEP tls12\r\n",
            0,
            Some((ErrorKind::Duplicate, "DEEP", 0)),
        ),
        (
            "DEEP tls12 \r\nDEEP tls12\r\n",
            0,
            Some((ErrorKind::Duplicate, "DEEP", 0)),
        ),
        (
            "DEEP tls12  x\r\n",
            0,
            Some((ErrorKind::ExtraSpace, "deep-status", 11)),
        ),
    ] {
        let server = format!("+OK hi\r\n+OK list\r\n{list}.\r\n");
        let played = implicit(&[], &server);
        assert_eq!(played.end, End::LogIn, "{list}");
        assert_eq!(played.latched().len(), latched, "{list}");
        if let Some(error) = error {
            let events: Vec<_> = played.events.iter().map(unreadable).collect();
            assert_eq!(events, [error], "{list}");
        }
        if list == "DEEP\r\n" {
            assert_eq!(played.events, [recorded("")]);
        }
    }
}

#[test]
fn rejects_octets_outside_ascii_in_deep_only() {
    for (line, events) in [
        (&b"IMPLEMENTATION Caf\xe9"[..], vec![]),
        (
            &b"DEEP tls12 \xe9"[..],
            vec![(ErrorKind::Character, "deep-status", 11)],
        ),
    ] {
        let server = [b"+OK hi\r\n+OK list\r\n", line, b"\r\n.\r\n"].concat();
        let script = Script {
            tls: &server,
            ..Script::default()
        };
        let played = play(&client(&[], TlsStart::Implicit), &script);
        assert_eq!(played.end, End::LogIn);
        let seen: Vec<_> = played.events.iter().map(unreadable).collect();
        assert_eq!(seen, events);
    }
}

#[test]
fn reports_accepted_deviations() {
    let options = ClientOptions {
        status: StatusOptions {
            allow_extra_spaces: true,
            ..StatusOptions::default()
        },
        ..ClientOptions::default()
    };
    let script = Script {
        tls: b"+OK hi\r\n+OK list\r\nDEEP tls12  x\r\n.\r\n",
        ..Script::default()
    };
    let played = play(&PopClient::new(session(&[]), options), &script);
    assert_eq!(played.latched(), ["tls12"]);
    let deviation = (ErrorKind::ExtraSpace, "deep-status", 11);
    assert_eq!(accepted_deviation(&played.events[0]), deviation);
}

#[test]
fn ends_the_connection_after_unexpected_responses() {
    for (server, error) in [
        ("-ERR busy\r\n", ClientError::Rejected),
        ("", ClientError::EndOfInput),
        ("+OK hi\r\n+OK list\r\nUSER\r\n", ClientError::EndOfInput),
    ] {
        let played = implicit(&[], server);
        assert_eq!(played.end, End::Failed(error), "{server}");
    }
    for (server, kind, offset) in [
        ("* OK hi\r\n", ErrorKind::Expected, 0),
        ("+OKAY\r\n", ErrorKind::Expected, 0),
        ("+OK hi\n", ErrorKind::Character, 6),
        ("+OK hi\rx", ErrorKind::Character, 6),
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
    let list = |list: &str| format!("+OK hi\r\n+OK list\r\n{list}.\r\n");
    let line = |length: usize| format!("{}\r\n", "X".repeat(length - 2));
    for (longest, limit, field, longer) in [
        (
            list(&line(MAX_POP_LINE_BYTES)),
            MAX_POP_LINE_BYTES,
            "response",
            list(&line(MAX_POP_LINE_BYTES + 1)),
        ),
        (
            list(&"X\r\n".repeat(MAX_CAPA_LINES)),
            MAX_CAPA_LINES,
            "capa-resp",
            list(&"X\r\n".repeat(MAX_CAPA_LINES + 1)),
        ),
    ] {
        assert_eq!(implicit(&[], &longest).end, End::LogIn);
        let End::Failed(ClientError::Malformed(error)) = implicit(&[], &longer).end else {
            panic!("{field}");
        };
        let expected = (ErrorKind::Limit { limit }, field);
        assert_eq!((error.kind(), error.field()), expected);
    }
}

#[test]
fn limits_both_lists_of_tags_alike() {
    let lines = "X\r\n".repeat(MAX_CAPA_LINES - 1);
    let clear = format!("+OK hi\r\n+OK\r\n{lines}STLS\r\n.\r\n+OK\r\n");
    let tls = format!("+OK\r\n{lines}X\r\n.\r\n");
    let script = Script {
        clear: clear.as_bytes(),
        tls: tls.as_bytes(),
        ..Script::default()
    };
    let played = play(&client(&[], TlsStart::StartTls), &script);
    assert_eq!(played.end, End::LogIn);
}

/// The responses of a real server: nginx's mail proxy.
#[test]
fn parses_responses_of_nginx() {
    let server = concat!(
        "+OK POP3 ready\r\n+OK Capability list follows\r\nTOP\r\nUSER\r\nUIDL\r\nRESP-CODES\r\n",
        "PIPELINING\r\nDEEP tls10 tls12 <https://www.example.com/privacy-support.html>\r\n",
        "SASL PLAIN LOGIN\r\n.\r\n"
    );
    let played = implicit(&[], server);
    assert_eq!(played.end, End::LogIn);
    assert_eq!(played.latched(), ["tls10", "tls12"]);
}

#[test]
fn finds_deep_that_is_advertised_after_login_only() {
    let greeting = "+OK hi <1896.697170952@dbc.mtview.ca.us>\r\n";
    let before = [greeting, "+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n"].concat();
    for (after, latched) in [
        ("+OK\r\nDEEP tls12\r\n.\r\n", &["tls12"][..]),
        ("+OK\r\nUSER\r\n.\r\n", &[]),
        ("-ERR no\r\n", &[]),
    ] {
        let script = Script {
            tls: before.as_bytes(),
            after_login: after.as_bytes(),
            login: Some(Login::Done),
            ..Script::default()
        };
        let client = client(&[], TlsStart::Implicit);
        let played = play(&client, &script);
        assert_eq!(played.end, End::Ready);
        assert_eq!(played.sent[2], "CAPA\r\n");
        assert_eq!(played.latched(), latched);
        truncated_at_each_byte(&client, &script);
    }
    // Where it was advertised before, or there is no CAPA, nothing is asked.
    for before in [
        "+OK hi\r\n+OK\r\nDEEP tls12\r\n.\r\n",
        "+OK hi\r\n-ERR what\r\n",
    ] {
        let script = Script {
            tls: before.as_bytes(),
            login: Some(Login::Done),
            ..Script::default()
        };
        let played = play(&client(&[], TlsStart::Implicit), &script);
        assert_eq!((played.end, &*played.sent[2]), (End::Ready, ""));
    }
}

#[test]
fn returns_the_banner_and_the_capabilities() {
    let mut client = client(&[], TlsStart::Implicit);
    client.handshake(play::GOOD);
    let banner = b"+OK hi <1896.697170952@dbc.mtview.ca.us>\r\n";
    client.receive(banner);
    client.receive(b"+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n");
    assert!(client.demand().is_ok());
    client.sent();
    assert_eq!(client.demand(), Ok(deep_latch::client::Demand::LogIn));
    assert_eq!(client.greeting(), banner);
    assert!(client.capabilities().eq(["USER", "SASL PLAIN"]));
}
