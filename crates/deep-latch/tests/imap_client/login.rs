//! The login, and responses for the caller.

use super::*;

#[test]
fn records_the_known_status_after_scram_plus_without_asking_again() {
    let answer = answered(r#"("deep" "tls10 tls-cert <https://a.example/>")"#);
    let script = Script {
        tls: answer.as_bytes(),
        facts: Some(UNVERIFIED),
        login: Some(Login::ScramPlus),
        ..Script::default()
    };
    let client = client(&[], TlsStart::Implicit);
    let played = play(&client, &script);
    assert_eq!(played.end, End::Ready);
    // tls-cert is not achieved.
    assert_eq!(played.latched(), ["tls10"]);
    let status = "tls10 tls-cert <https://a.example/>";
    assert_eq!(played.status(), Some(status));
    assert_eq!(played.sent[2], "");
    assert_eq!(played.stored.len(), 2);
    let script = Script {
        login: Some(Login::Done),
        ..script
    };
    let played = play(&client, &script);
    assert_eq!(played.end, End::Ready);
    assert_eq!((played.status(), &*played.sent[2]), (None, ""));
}

#[test]
fn finds_deep_that_is_advertised_after_login_only() {
    let after = concat!(
        "* 1 EXISTS\r\n",
        "* CAPABILITY IMAP4rev1 DEEP ID\r\n",
        "deep1 OK done\r\n",
        "* LIST () \"/\" {3}\r\na\r\n\r\n",
        "* ID (\"deep\" \"tls12 tls-cert\")\r\n",
        "* OK [ALERT] quota\r\n",
        "deep2 OK done\r\n",
        "* OK [ALERT] hi "
    );
    let script = Script {
        tls: b"* OK [CAPABILITY IMAP4rev1 ID] hi\r\n",
        after_login: after.as_bytes(),
        login: Some(Login::Done),
        ..Script::default()
    };
    let client = client(&[], TlsStart::Implicit);
    let played = play(&client, &script);
    assert_eq!(played.end, End::Ready);
    assert_eq!(played.latched(), ["tls-cert", "tls12"]);
    let asked = "deep1 CAPABILITY\r\ndeep2 ID (\"name\" \"Demo Mail\"";
    assert!(played.sent[2].starts_with(asked), "{:?}", played.sent);
    // The caller reads on where it was: no line is swallowed, and no half of one.
    let left = concat!(
        "* 1 EXISTS\r\n* LIST () \"/\" {3}\r\na\r\n\r\n",
        "* OK [ALERT] quota\r\n* OK [ALERT] hi "
    );
    assert_eq!(str::from_utf8(&played.left), Ok(left));
}

#[test]
fn asks_only_for_capabilities_after_login_without_deep() {
    for after in [
        "* CAPABILITY IMAP4rev1 ID\r\ndeep1 OK done\r\n",
        "deep1 OK done\r\n",
        "deep1 NO what\r\n",
        "deep1 BAD what\r\n",
    ] {
        let script = Script {
            tls: b"* OK [CAPABILITY IMAP4rev1 ID] hi\r\n",
            after_login: after.as_bytes(),
            login: Some(Login::Done),
            ..Script::default()
        };
        let played = play(&client(&["tls12"], TlsStart::Implicit), &script);
        assert_eq!(played.end, End::Ready, "{after}");
        assert_eq!(played.sent[2], "deep1 CAPABILITY\r\n");
        assert_eq!(played.left, b"");
        assert!(played.events.is_empty(), "{:?}", played.events);
    }
}

#[test]
fn capabilities_that_the_caller_knows_after_login_are_not_asked_for() {
    let answer = "* ID (\"deep\" \"tls12\")\r\ndeep1 OK done\r\n";
    for (capabilities, sent) in [
        (&["IMAP4rev1", "deep", "ID"][..], "deep1 ID ("),
        (&["IMAP4rev1", "ID"], ""),
    ] {
        let mut client = client(&[], TlsStart::Implicit);
        client.capabilities_after_login(capabilities.iter().copied());
        let script = Script {
            tls: b"* OK [CAPABILITY IMAP4rev1 ID] hi\r\n",
            after_login: if sent.is_empty() {
                b""
            } else {
                answer.as_bytes()
            },
            login: Some(Login::Done),
            ..Script::default()
        };
        let played = play(&client, &script);
        assert_eq!(played.end, End::Ready);
        assert!(played.sent[2].starts_with(sent) && played.sent[2].is_empty() == sent.is_empty());
        assert_eq!(played.latched().is_empty(), sent.is_empty());
    }
}

#[test]
fn responses_that_nobody_asked_for_are_given_back_but_for_those_in_clear() {
    let clear = "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n* 9 EXISTS\r\ndeep1 OK go\r\n";
    let tls = concat!(
        "* 1 EXISTS\r\n* CAPABILITY IMAP4rev1 DEEP\r\n* 2 EXISTS\r\ndeep2 OK\r\n",
        "* NO [ALERT] full\r\n* ID NIL\r\ndeep3 OK\r\n* 3 EXI"
    );
    let script = Script {
        clear: clear.as_bytes(),
        tls: tls.as_bytes(),
        ..Script::default()
    };
    let played = play(&client(&[], TlsStart::StartTls), &script);
    assert_eq!(played.end, End::LogIn);
    let left = "* 1 EXISTS\r\n* 2 EXISTS\r\n* NO [ALERT] full\r\n* 3 EXI";
    assert_eq!(str::from_utf8(&played.left), Ok(left));
}

#[test]
fn alerts_that_the_caller_does_not_read_are_events() {
    for (server, alerts) in [
        (
            "* OK [ALERT] down\x1b[2J at noon\r\n",
            &["down[2J at noon"][..],
        ),
        ("* OK hi\r\ndeep1 NO [alert] no\r\n", &["no"]),
        ("* OK hi\r\n* BYE [ALERT] gone\r\n", &["gone"]),
        ("* PREAUTH [ALERT]\r\n", &[""]),
        ("* OK hi [ALERT] what\r\n", &[]),
        ("* OK [ALERTED] what\r\n", &[]),
    ] {
        let played = implicit(&[], server);
        let expected: Vec<_> = alerts
            .iter()
            .map(|it| ClientEvent::Alert {
                text: (*it).to_owned(),
                over_tls: true,
            })
            .collect();
        assert_eq!(played.events, expected, "{server}");
    }
    let mut clear = client(&[], TlsStart::StartTls);
    clear.receive(b"* OK [ALERT] x\r\n");
    assert!(clear.demand().is_ok());
    let alert = ClientEvent::Alert {
        text: "x".into(),
        over_tls: false,
    };
    assert_eq!(clear.take_events(), [alert]);
}

#[test]
fn returns_the_greeting_and_the_capabilities() {
    let mut client = client(&[], TlsStart::StartTls);
    assert_eq!(client.greeting(), b"");
    client.receive(b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] a hi\r\ndeep1 OK\r\n");
    assert!(client.demand().is_ok());
    client.sent();
    assert_eq!(client.capabilities().last(), Some("LOGINDISABLED"));
    assert_eq!(client.demand(), Ok(deep_latch::client::Demand::StartTls));
    client.handshake(GOOD);
    // What was listed in clear is forgotten.
    assert_eq!(client.capabilities().count(), 0);
    client.receive(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\ndeep2 OK\r\n");
    assert!(client.demand().is_ok());
    client.sent();
    assert_eq!(client.demand(), Ok(deep_latch::client::Demand::LogIn));
    assert!(client.capabilities().eq(["IMAP4rev1", "AUTH=PLAIN"]));
    let greeting = b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] a hi\r\n";
    assert_eq!(client.greeting(), greeting);
}

#[test]
fn accepts_preauth_over_tls_without_login() {
    let server = concat!(
        "* PREAUTH [CAPABILITY IMAP4rev1 DEEP] hi\r\n",
        "* ID (\"deep\" \"tls12\")\r\n",
        "deep1 OK done\r\n",
        "* 1 EXISTS\r\n"
    );
    let played = implicit(&[], server);
    assert_eq!(played.end, End::Ready);
    assert_eq!(played.latched(), ["tls12"]);
    assert_eq!(played.left, b"* 1 EXISTS\r\n");
}
