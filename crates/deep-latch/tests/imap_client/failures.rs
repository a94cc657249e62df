//! Refusals, malformed responses, limits and misuse.

use super::*;

#[test]
fn refuses_a_failed_handshake_without_sending_anything() {
    let script = Script {
        facts: None,
        ..Script::default()
    };
    let session = session_with_status("tls12 tls-cert <https://a.example/>");
    let client = ImapClient::new(session, demo(TlsStart::Implicit));
    let played = play(&client, &script);
    assert_eq!(failure(&played).stage(), Stage::HandshakeFailed);
    let tags = [SecurityTag::TLS_CERT, SecurityTag::TLS12];
    assert_eq!(failure(&played).tags(), tags);
    assert_eq!(played.sent, ["", "", ""]);
    let client = self::client(&[], TlsStart::Implicit);
    let played = play(&client, &script);
    assert_eq!(
        played.end,
        End::Failed(ClientError::HandshakeFailed(HandshakeFault::Negotiation))
    );
}

#[test]
fn keeps_a_failure_regardless_of_the_answer_to_the_report() {
    for server in [
        "",
        "* OK hi",
        "* BYE\r\n",
        "* OK [CAPABILITY IMAP4rev1 DEEP] hi\r\n* BYE\r\n",
        "* OK [CAPABILITY IMAP4rev1 DEEP] hi\r\ndeep1 NO\r\n",
        "* OK [CAPABILITY IMAP4rev1] hi\r\n",
        "* OK [CAPABILITY IMAP4rev1 ID] hi\r\ndeep1 OK\r\nmore",
        "* PREAUTH [CAPABILITY IMAP4rev1 ID] hi\r\ndeep1 OK\r\n",
        "nonsense\r\n",
    ] {
        let script = Script {
            tls: server.as_bytes(),
            facts: Some(UNVERIFIED),
            login: Some(Login::Done),
            ..Script::default()
        };
        let played = play(&client(&["tls-cert"], TlsStart::Implicit), &script);
        assert_eq!(failure(&played).stage(), Stage::Handshake);
        let commands = played.sent[1].lines().filter(|line| {
            ![
                "deep1 ID (",
                "deep1 CAPABILITY",
                "deep1 LOGOUT",
                "deep2 LOGOUT",
            ]
            .iter()
            .any(|it| line.starts_with(it))
        });
        assert_eq!(commands.count(), 0, "{:?}", played.sent);
    }
}

#[test]
fn reports_a_failure_to_a_server_with_id_but_without_deep() {
    let report =
        "deep1 ID (\"name\" \"Demo Mail\" \"version\" \"1.5\" \"latch-fail\" \"tls-cert\")\r\n";
    for (has, sent, event) in [
        ("ID", [report, "deep2 LOGOUT\r\n"].concat(), ACCEPTED),
        (
            "IDLE",
            "deep1 LOGOUT\r\n".to_owned(),
            ClientEvent::NotReported,
        ),
    ] {
        let server = format!("* OK [CAPABILITY IMAP4rev1 {has}] hi\r\ndeep1 OK\r\n");
        let script = Script {
            tls: server.as_bytes(),
            facts: Some(UNVERIFIED),
            ..Script::default()
        };
        let played = play(&client(&["tls-cert"], TlsStart::Implicit), &script);
        assert_eq!(failure(&played).tags(), [SecurityTag::TLS_CERT]);
        assert_eq!(played.sent[1], sent);
        assert_eq!(played.events[1], event);
    }
}

#[test]
fn finds_no_literals_in_text_for_people() {
    let server = "* OK [CAPABILITY IMAP4rev1 DEEP] hi {9}\r\n* NO {9}\r\ndeep1 OK done {9}\r\n";
    assert_eq!(implicit(&[], server).end, End::LogIn);
}

#[test]
fn reports_nothing_if_the_options_forbid_it() {
    let options = ClientOptions {
        report: false,
        name: None,
        version: None,
        ..demo(TlsStart::Implicit)
    };
    let answer = answered(r#"("deep" "tls12")"#);
    let script = Script {
        tls: answer.as_bytes(),
        ..Script::default()
    };
    let client = ImapClient::new(session(&["tls12"]), options.clone());
    let played = play(&client, &script);
    assert_eq!(played.end, End::LogIn);
    assert_eq!(played.sent[1], "deep1 ID NIL\r\n");
    let script = Script {
        facts: Some(UNVERIFIED),
        ..script
    };
    let client = ImapClient::new(session(&["tls-cert"]), options);
    let played = play(&client, &script);
    assert_eq!(failure(&played).tags(), [SecurityTag::TLS_CERT]);
    assert_eq!(played.sent, ["", "", ""]);
}

#[test]
fn omits_a_name_that_id_cannot_carry() {
    let options = ClientOptions {
        name: Some("Démo".into()),
        ..demo(TlsStart::Implicit)
    };
    let answer = answered(r#"("deep" "tls12")"#);
    let script = Script {
        tls: answer.as_bytes(),
        ..Script::default()
    };
    let played = play(&ImapClient::new(session(&[]), options), &script);
    assert_eq!(played.sent[1], "deep1 ID NIL\r\n");
    assert_eq!(played.events[0], ClientEvent::NotReported);
    assert_eq!(played.latched(), ["tls12"]);
}

#[test]
fn refuses_unknown_latched_tags_before_connecting() {
    let refused = LatchSession::try_new(play::record(&["x-new"]), Facilities::new());
    let failure = refused.unwrap_err();
    assert_eq!(failure.stage(), Stage::Connecting);
    assert_eq!(failure.tags(), [SecurityTag::parse("x-new").unwrap()]);
    assert!(!failure.may_report());
    // A client of a session that is refused before its connection stays refused.
    let mut session = session(&["tls10"]);
    let outcome = session
        .step(Event::HandshakeFailed(HandshakeFault::Negotiation))
        .outcome;
    assert!(matches!(outcome, Outcome::Refuse(_)));
    let mut client = ImapClient::new(session, demo(TlsStart::StartTls));
    client.receive(b"* OK hi\r\n");
    client.handshake(GOOD);
    client.logged_in(Login::Done);
    let Ok(deep_latch::client::Demand::Refused(failure)) = client.demand() else {
        panic!("not refused");
    };
    assert_eq!(failure.stage(), Stage::HandshakeFailed);
}

#[test]
fn ends_the_connection_after_unexpected_responses() {
    for (server, error) in [
        ("deep1 OK done\r\n", ClientError::Unexpected),
        ("+ go on\r\n", ClientError::Unexpected),
        ("* BYE busy\r\n", ClientError::Closing),
        (
            "* OK [CAPABILITY IMAP4rev1 DEEP] a\r\n+ go on\r\n",
            ClientError::Unexpected,
        ),
        (
            "* OK [CAPABILITY IMAP4rev1 DEEP] a\r\ndeep2 OK\r\n",
            ClientError::Unexpected,
        ),
        (
            "* OK [CAPABILITY IMAP4rev1 DEEP] a\r\ndeep0 OK\r\n",
            ClientError::Unexpected,
        ),
        (
            "* OK [CAPABILITY IMAP4rev1 DEEP] a\r\nDEEP1 OK\r\n",
            ClientError::Unexpected,
        ),
        (
            "* OK [CAPABILITY IMAP4rev1 DEEP] a\r\n* bye\r\n",
            ClientError::Closing,
        ),
        ("* OK hi\r\ndeep1 NO\r\n", ClientError::Rejected),
        ("", ClientError::EndOfInput),
    ] {
        let played = implicit(&[], server);
        assert_eq!(played.end, End::Failed(error), "{server}");
    }
}

#[test]
fn bytes_that_are_no_responses_end_the_connection() {
    for (server, expected) in [
        ("* HELLO\r\n", (ErrorKind::Expected, "greeting", 2)),
        ("* OK a\n", (ErrorKind::Character, "response", 6)),
        ("* OK a\rb\r\n", (ErrorKind::Character, "response", 6)),
        ("* OK \0\r\n", (ErrorKind::Character, "response", 5)),
        (
            "* OK hi\r\n* CAPABILITY IMAP4rev1  DEEP\r\n",
            (ErrorKind::ExtraSpace, "capability-data", 23),
        ),
        (
            "* OK hi\r\ndeep1 OK done\r\n",
            (ErrorKind::Empty, "capability-data", 0),
        ),
        (
            "* OK hi\r\ndeep1 FINE\r\n",
            (ErrorKind::Expected, "resp-cond-state", 6),
        ),
    ] {
        assert_eq!(malformed(&implicit(&[], server)), expected, "{server}");
    }
}

#[test]
fn limits_are_errors() {
    let line = |length: usize| format!("* OK {}\r\n", "x".repeat(length - "* OK \r\n".len()));
    let played = implicit(&[], &line(MAX_IMAP_LINE_BYTES));
    assert_eq!(played.sent[1], "deep1 CAPABILITY\r\n");
    let limit = MAX_IMAP_LINE_BYTES;
    assert_eq!(
        malformed(&implicit(&[], &line(limit + 1))),
        (ErrorKind::Limit { limit }, "response", limit)
    );

    let many = |count: usize| {
        let untagged = "* 1 EXISTS\r\n".repeat(count);
        format!("{GREETING}{untagged}deep1 OK\r\n")
    };
    let limit = MAX_IMAP_UNTAGGED;
    assert_eq!(implicit(&[], &many(limit)).end, End::LogIn);
    assert_eq!(
        malformed(&implicit(&[], &many(limit + 1))),
        (ErrorKind::Limit { limit }, "response-data", 0)
    );

    // For each command anew.
    let twice = format!(
        "* OK hi\r\n{untagged}* CAPABILITY DEEP\r\ndeep1 OK\r\n{untagged}deep2 OK\r\n",
        untagged = "* 1 EXISTS\r\n".repeat(limit - 1)
    );
    assert_eq!(implicit(&[], &twice).end, End::LogIn);

    let literal = |length: usize| {
        let octets = "x".repeat(length);
        format!("{GREETING}* X {{{length}}}\r\n{octets}\r\ndeep1 OK\r\n")
    };
    let limit = MAX_IMAP_LITERAL_BYTES;
    assert_eq!(implicit(&[], &literal(limit)).end, End::LogIn);
    let line = format!("* X {{{}}}", limit + 1);
    assert_eq!(
        malformed(&implicit(&[], &literal(limit + 1))),
        (ErrorKind::Limit { limit }, "literal", line.len())
    );
    let huge = format!("{GREETING}* X {{99999999999999999999999}}\r\n");
    assert_eq!(
        malformed(&implicit(&[], &huge)).0,
        ErrorKind::Limit { limit }
    );

    // Many literals in one response.
    let limit = deep_latch::imap::MAX_IMAP_RESPONSE_BYTES;
    let octets = "x".repeat(MAX_IMAP_LITERAL_BYTES);
    let each = format!("{{{MAX_IMAP_LITERAL_BYTES}}}\r\n{octets} ");
    let count = limit / each.len();
    let server = |count: usize| format!("{GREETING}* X {}\r\ndeep1 OK\r\n", each.repeat(count));
    assert_eq!(implicit(&[], &server(count)).end, End::LogIn);
    let (kind, field, _) = malformed(&implicit(&[], &server(count + 1)));
    assert_eq!((kind, field), (ErrorKind::Limit { limit }, "response"));
}

#[test]
fn returns_misuse_for_calls_out_of_turn() {
    let start = || client(&[], TlsStart::Implicit);
    let mut client = start();
    client.logged_in(Login::Done);
    assert_eq!(client.demand(), Err(ClientError::Misuse));

    let mut client = start();
    client.receive(b"");
    client.receive(b"* OK hi\r\n");
    assert_eq!(client.demand(), Err(ClientError::Injected));

    let mut client = start();
    client.handshake(GOOD);
    client.handshake(GOOD);
    assert_eq!(client.demand(), Err(ClientError::Misuse));

    // And nothing is sent any more.
    let mut client = self::client(&[], TlsStart::StartTls);
    client.receive(b"* OK [CAPABILITY STARTTLS] hi\r\ndeep1 OK\r\n");
    assert!(matches!(
        client.demand(),
        Ok(deep_latch::client::Demand::Send(_))
    ));
    client.sent();
    assert_eq!(client.demand(), Ok(deep_latch::client::Demand::StartTls));
    client.handshake(GOOD);
    client.handshake(GOOD);
    assert_eq!(client.demand(), Err(ClientError::Misuse));

    let mut client = start();
    client.handshake(GOOD);
    client.handshake_failed(HandshakeFault::Negotiation);
    assert_eq!(client.demand(), Err(ClientError::Misuse));

    // Only a demand that was made can be met.
    for meet in [ImapClient::sent, ImapClient::stored] {
        let mut client = start();
        meet(&mut client);
        assert_eq!(client.demand(), Err(ClientError::Misuse));
    }
    let mut client = self::client(&[], TlsStart::StartTls);
    client.receive(b"* OK [CAPABILITY STARTTLS] hi\r\n");
    assert!(matches!(
        client.demand(),
        Ok(deep_latch::client::Demand::Send(_))
    ));
    client.stored();
    assert_eq!(client.demand(), Err(ClientError::Misuse));

    // What was read in clear is not given away before TLS.
    let mut client = self::client(&[], TlsStart::StartTls);
    client.receive(b"* OK [CAPABILITY STARTTLS] hi\r\ndeep1 OK\r\nmore");
    assert!(matches!(
        client.demand(),
        Ok(deep_latch::client::Demand::Send(_))
    ));
    client.sent();
    assert!(client.take_leftover().is_empty());
    assert_eq!(client.demand(), Err(ClientError::Injected));

    // What was read and belongs to the caller must be taken before login.
    let mut client = start();
    client.handshake(GOOD);
    client.receive(b"* OK [CAPABILITY IMAP4rev1] hi\r\n* 1 EXISTS\r\n");
    client.receive(b"* 2 EXISTS\r\n");
    assert_eq!(client.demand(), Ok(deep_latch::client::Demand::LogIn));
    client.logged_in(Login::Done);
    assert_eq!(client.demand(), Err(ClientError::Misuse));

    let mut client = start();
    client.handshake(GOOD);
    client.receive(b"* OK [CAPABILITY IMAP4rev1] hi\r\n");
    assert_eq!(client.demand(), Ok(deep_latch::client::Demand::LogIn));
    client.end_of_input();
    assert_eq!(client.demand(), Err(ClientError::EndOfInput));
}
