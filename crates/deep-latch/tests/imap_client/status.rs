//! Reports, and statuses of servers.

use super::*;

#[test]
fn reports_latches_and_records_the_url_of_example_1() {
    let answer = answered(concat!(
        r#"("name" "Demo Server" "version" "1.7" "deep-status" "#,
        r#""<https://www.example.com/privacy-support.html>")"#
    ));
    let played = implicit(&["tls10", "tls-cert"], &answer);
    let said = concat!(
        r#"deep1 ID ("name" "Demo Mail" "version" "1.5" "latch" "tls-cert tls10" "#,
        r#""security-tags" "tls12")"#,
        "\r\n"
    );
    assert_eq!(played.sent, ["", said, ""]);
    assert_eq!(played.end, End::LogIn);
    assert_eq!(played.latched(), ["tls-cert", "tls10"]);
    let url = "<https://www.example.com/privacy-support.html>";
    assert_eq!(played.status(), Some(url));
    assert_eq!(played.stored, std::slice::from_ref(&played.record));
    assert_eq!(played.events, [ACCEPTED, recorded(url)]);
}

#[test]
fn reports_support_of_dane_if_tlsa_records_are_checked() {
    let script = Script {
        tls: GREETING.as_bytes(),
        facts: Some(TlsFacts {
            dane: DaneVerdict::NoRecords,
            ..GOOD
        }),
        ..Script::default()
    };
    let played = play(&client(&["tls10"], TlsStart::Implicit), &script);
    let tags = r#""latch" "tls10" "security-tags" "tls12 tls-cert tls-dane-tlsa")"#;
    assert!(played.sent[1].contains(tags));
}

#[test]
fn reports_the_failure_of_example_2_and_ignores_the_status() {
    let answer = answered(concat!(
        r#"("name" "Demo Server" "version" "1.7" "deep-status" "#,
        r#""tls10 <https://www.example.com/privacy-support.html>")"#
    ));
    let options = ClientOptions {
        field_names: FieldNames::Examples,
        ..demo(TlsStart::Implicit)
    };
    let script = Script {
        tls: answer.as_bytes(),
        facts: Some(UNVERIFIED),
        login: Some(Login::Done),
        ..Script::default()
    };
    let client = ImapClient::new(session(&["tls-cert"]), options);
    let played = play(&client, &script);
    let said = concat!(
        r#"deep1 ID ("name" "Demo Mail" "version" "1.5" "latch-failure" "tls-cert")"#,
        "\r\ndeep2 LOGOUT\r\n"
    );
    assert_eq!(played.sent, ["", said, ""]);
    assert_eq!(failure(&played).tags(), [SecurityTag::TLS_CERT]);
    assert_eq!(failure(&played).stage(), Stage::Handshake);
    // The URL of this server is not to be trusted.
    let actions = [Action::WorkOffline, Action::TryAgainLater];
    assert_eq!(failure(&played).actions(), actions);
    assert_eq!(played.latched(), ["tls-cert"]);
    assert_eq!(played.status(), None);
    assert!(played.stored.is_empty());
    let events = [
        ClientEvent::Transition(Transition::Refused(
            Stage::Handshake,
            vec![SecurityTag::TLS_CERT],
        )),
        ACCEPTED,
        ClientEvent::Transition(Transition::NotRecorded(Reason::Refused)),
    ];
    assert_eq!(played.events, events);
    truncated_at_each_byte(&client, &script);
}

#[test]
fn stores_latches_before_login() {
    let answer = answered(r#"("deep" "tls10 tls-cert tls-dane-tlsa x-new <https://a.example/>")"#);
    let played = implicit(&[], &answer);
    assert_eq!(played.end, End::LogIn);
    assert_eq!(played.latched(), ["tls-cert", "tls10"]);
    assert_eq!(played.stored, std::slice::from_ref(&played.record));
    let events = [
        ACCEPTED,
        latched("tls10"),
        latched("tls-cert"),
        not_latched("tls-dane-tlsa", Reason::NotAchieved),
        not_latched("x-new", Reason::Unknown),
        recorded("tls10 tls-cert tls-dane-tlsa x-new <https://a.example/>"),
    ];
    assert_eq!(played.events, events);
}

#[test]
fn capabilities_that_the_greeting_has_not_are_asked_for() {
    let server = concat!(
        "* OK ready\r\n",
        "* CAPABILITY IMAP4rev1 deep\r\n",
        "deep1 OK done\r\n",
        "* ID (\"deep\" \"tls12\")\r\n",
        "deep2 ok\r\n"
    );
    let played = implicit(&[], server);
    assert_eq!(played.end, End::LogIn);
    assert_eq!(played.latched(), ["tls12"]);
    assert!(played.sent[1].starts_with("deep1 CAPABILITY\r\ndeep2 ID (\"name\""));
    let script = Script {
        tls: server.as_bytes(),
        ..Script::default()
    };
    truncated_at_each_byte(&client(&[], TlsStart::Implicit), &script);
}

#[test]
fn asks_for_capabilities_after_a_malformed_greeting_code() {
    for code in ["[CAPABILITY]", "[CAPABILITY  IMAP4rev1 DEEP]", "[ALERT]"] {
        let played = implicit(&[], &format!("* OK {code} hi\r\n"));
        assert_eq!(played.sent[1], "deep1 CAPABILITY\r\n", "{code}");
    }
}

#[test]
fn accepts_a_status_in_literals_and_after_other_responses() {
    for literal in ["{5}", "{5+}"] {
        let server = format!(
            "{GREETING}* 3 EXISTS\r\n* NO [ALERT] careful {{7}}\r\n* LIST () \"/\" {literal}\r\na\r\nbc\r\n\
             * ID ({{4}}\r\nDEEP {literal}\r\ntls12 \"name\" NIL)\r\n* 4 EXISTS\r\ndeep1 OK done\r\n"
        );
        let played = implicit(&[], &server);
        assert_eq!(played.end, End::LogIn);
        assert_eq!(played.latched(), ["tls12"]);
    }
}

#[test]
fn asks_a_server_without_deep_nothing_and_keeps_latches() {
    let script = Script {
        tls: b"* OK [CAPABILITY IMAP4rev1 ID] hi\r\n",
        ..Script::default()
    };
    let session = session_with_status("tls12 <https://a.example/>");
    let client = ImapClient::new(session, demo(TlsStart::Implicit));
    let played = play(&client, &script);
    assert_eq!(played.end, End::LogIn);
    assert_eq!(played.sent, ["", "", ""]);
    assert_eq!(played.events, [WITHDRAWN]);
    assert_eq!(played.latched(), ["tls12"]);
    assert_eq!(played.status(), Some("tls12 <https://a.example/>"));
}

#[test]
fn treats_a_refused_id_as_no_status() {
    for refusal in ["NO", "BAD"] {
        let server =
            format!("{GREETING}* ID (\"deep\" \"tls12\")\r\ndeep1 {refusal} what is that?\r\n");
        let played = implicit(&[], &server);
        assert_eq!(played.end, End::LogIn);
        assert!(played.latched().is_empty());
        assert_eq!(played.events, [NOT_ACCEPTED]);
    }
}

#[test]
fn treats_id_without_a_status_as_no_status() {
    for id in ["NIL", "()", r#"("name" "x")"#, r#"("deep" NIL)"#] {
        let played = implicit(&[], &answered(id));
        assert_eq!(played.end, End::LogIn, "{id}");
        assert_eq!(played.events, [ACCEPTED], "{id}");
    }
}

#[test]
fn ignores_malformed_statuses() {
    for (id, why) in [
        (
            r#"("deep" "tls12  tls-cert")"#,
            (ErrorKind::ExtraSpace, "deep-status", 20),
        ),
        (
            r#"("deep" "tls12" "deep-status" "tls10")"#,
            (ErrorKind::Conflict, "deep-status", 21),
        ),
        (
            r#"("deep" "tls12" "deep" "tls12")"#,
            (ErrorKind::Duplicate, "id_params_list", 21),
        ),
        (
            r#"("deep" "tls12""#,
            (ErrorKind::Empty, "id_params_list", 20),
        ),
    ] {
        let played = implicit(&[], &answered(id));
        assert_eq!(played.end, End::LogIn, "{id}");
        let [ACCEPTED, event] = &played.events[..] else {
            panic!("{:?}", played.events);
        };
        assert_eq!(unreadable(event), why);
        assert!(played.latched().is_empty());
    }
}

#[test]
fn rejects_two_answers_to_id() {
    let id = "(\"deep\" \"tls12\")\r\n* ID (\"deep\" \"tls12\")";
    let played = implicit(&[], &answered(id));
    let [ACCEPTED, event] = &played.events[..] else {
        panic!("{:?}", played.events);
    };
    let duplicate = (ErrorKind::Duplicate, "id_response", 0);
    assert_eq!(unreadable(event), duplicate);
    assert!(played.latched().is_empty());
}

#[test]
fn reports_accepted_deviations() {
    let options = ClientOptions {
        status: StatusOptions {
            allow_extra_spaces: true,
            ..StatusOptions::default()
        },
        ..demo(TlsStart::Implicit)
    };
    let answer = answered(r#"("deep" "tls12  tls-cert")"#);
    let script = Script {
        tls: answer.as_bytes(),
        ..Script::default()
    };
    let played = play(&ImapClient::new(session(&[]), options), &script);
    assert_eq!(played.latched(), ["tls-cert", "tls12"]);
    let deviation = (ErrorKind::ExtraSpace, "deep-status", 20);
    assert_eq!(accepted_deviation(&played.events[0]), deviation);
}

/// Responses of real servers.
#[test]
fn parses_responses_of_dovecot_and_nginx() {
    let dovecot = concat!(
        "* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE DEEP LITERAL+ AUTH=PLAIN ",
        "AUTH=LOGIN AUTH=SCRAM-SHA-256 AUTH=EXTERNAL] Dovecot (Debian) ready.\r\n",
        "* ID (\"name\" \"Demo Server\" \"version\" \"1.7\" \"deep-status\" \"tls10 tls-cert ",
        "<https://www.example.com/privacy-support.html>\")\r\ndeep1 OK ID completed.\r\n"
    );
    let played = implicit(&[], dovecot);
    assert_eq!(played.end, End::LogIn);
    assert_eq!(played.latched(), ["tls-cert", "tls10"]);
    let nginx = concat!(
        "* OK IMAP4 ready\r\n",
        "* CAPABILITY IMAP4rev1 ID DEEP UIDPLUS AUTH=PLAIN AUTH=LOGIN\r\ndeep1 OK completed\r\n",
        "deep2 BAD invalid command\r\n"
    );
    let played = implicit(&[], nginx);
    assert_eq!(played.end, End::LogIn);
    assert_eq!(played.events, [NOT_ACCEPTED]);
}
