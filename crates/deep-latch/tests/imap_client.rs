//! The client's side of IMAP, played against scripts.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod play;

use deep_latch::{
    ErrorKind, Facilities, ImapClient, LatchSession, SecurityTag, TlsFacts, client::{ClientError, ClientEvent, ClientOptions, TlsStart},
    facts::{DaneVerdict, Login}, failure::{Action, HandshakeFault, LatchFailure, Stage},
    imap::{MAX_IMAP_LINE_BYTES, MAX_IMAP_LITERAL_BYTES, MAX_IMAP_UNTAGGED}, latch::{Event, Outcome, Reason, Transition}, report::FieldNames,
    status::StatusOptions,
};
use play::{
    ACCEPTED, End, GOOD, NOT_ACCEPTED, Played, Script, UNVERIFIED, WITHDRAWN, accepted_deviation,
    latched, not_latched, play, recorded, session, session_with_status, truncated_at_each_byte,
    unreadable,
};

const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 DEEP ID AUTH=PLAIN AUTH=SCRAM-SHA-1] hello\r\n";

fn demo(tls: TlsStart) -> ClientOptions {
    ClientOptions {
        tls,
        name: Some("Demo Mail".into()),
        version: Some("1.5".into()),
        ..ClientOptions::default()
    }
}

fn client(tags: &[&'static str], tls: TlsStart) -> ImapClient {
    ImapClient::new(session(tags), demo(tls))
}

/// Over TLS from the beginning, with a certificate that is verified.
fn implicit(tags: &[&'static str], tls: &str) -> Played {
    let script = Script {
        tls: tls.as_bytes(),
        ..Script::default()
    };
    play(&client(tags, TlsStart::Implicit), &script)
}

fn answered(id: &str) -> String {
    format!("{GREETING}* ID {id}\r\ndeep1 OK ID completed\r\n")
}

fn failure(played: &Played) -> &LatchFailure {
    match &played.end {
        End::Refused(failure) => failure,
        end => panic!("{end:?}"),
    }
}

fn malformed(played: &Played) -> (ErrorKind, &'static str, usize) {
    match played.end {
        End::Failed(ClientError::Malformed(error)) => (error.kind(), error.field(), error.offset()),
        ref end => panic!("{end:?}"),
    }
}

#[test]
fn example_1_reports_what_is_latched_and_records_the_url() {
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
fn a_client_that_looks_for_tlsa_records_says_so() {
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
fn example_2_reports_the_failure_ignores_the_status_and_leaves() {
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
fn what_is_latched_of_a_status_is_stored_before_login() {
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
fn a_code_of_the_greeting_that_is_not_read_is_asked_for() {
    for code in ["[CAPABILITY]", "[CAPABILITY  IMAP4rev1 DEEP]", "[ALERT]"] {
        let played = implicit(&[], &format!("* OK {code} hi\r\n"));
        assert_eq!(played.sent[1], "deep1 CAPABILITY\r\n", "{code}");
    }
}

#[test]
fn a_status_may_come_as_literals_and_after_responses_of_other_kinds() {
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
fn a_server_without_deep_is_asked_nothing_and_latches_stay() {
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
fn a_server_that_refuses_id_has_no_status() {
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
fn id_without_a_status_has_none() {
    for id in ["NIL", "()", r#"("name" "x")"#, r#"("deep" NIL)"#] {
        let played = implicit(&[], &answered(id));
        assert_eq!(played.end, End::LogIn, "{id}");
        assert_eq!(played.events, [ACCEPTED], "{id}");
    }
}

#[test]
fn a_status_that_cannot_be_read_counts_as_none() {
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
fn two_answers_to_id_are_none_that_can_be_read() {
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

/// What real servers say.
#[test]
fn dovecot_and_nginx_are_understood() {
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

const BEFORE_TLS: &str = concat!(
    "* OK [CAPABILITY IMAP4rev1 STARTTLS DEEP LOGINDISABLED] hi\r\n",
    "deep1 OK begin\r\n"
);

const OVER_TLS: &str = concat!(
    "* CAPABILITY IMAP4rev1 DEEP ID\r\n",
    "deep2 OK done\r\n",
    "* ID (\"deep\" \"tls12 tls-cert\")\r\n",
    "deep3 OK done\r\n"
);

#[test]
fn starttls_forgets_what_was_said_before_it_and_asks_again() {
    let script = Script {
        clear: BEFORE_TLS.as_bytes(),
        tls: OVER_TLS.as_bytes(),
        ..Script::default()
    };
    let client = client(&[], TlsStart::StartTls);
    let played = play(&client, &script);
    assert_eq!(played.end, End::LogIn);
    let [clear, tls, _] = &played.sent;
    assert_eq!(clear, "deep1 STARTTLS\r\n");
    assert!(tls.starts_with("deep2 CAPABILITY\r\ndeep3 ID (\"name\" \"Demo Mail\""));
    assert_eq!(played.latched(), ["tls-cert", "tls12"]);
    truncated_at_each_byte(&client, &script);
    // Capabilities of before TLS are not used, also where none follow.
    let tls = "deep2 OK done\r\n";
    let without = Script {
        tls: tls.as_bytes(),
        ..script.clone()
    };
    let expected = (ErrorKind::Empty, "capability-data", 0);
    assert_eq!(malformed(&play(&client, &without)), expected);
    // This server has DEEP in clear only.
    let tls = "* CAPABILITY IMAP4rev1\r\ndeep2 OK done\r\n";
    let script = Script {
        tls: tls.as_bytes(),
        ..script
    };
    let played = play(&client, &script);
    assert_eq!(
        (played.end, &*played.sent[1]),
        (End::LogIn, "deep2 CAPABILITY\r\n")
    );
}

#[test]
fn what_follows_the_answer_to_starttls_in_clear_ends_the_connection() {
    for injected in [
        "* CAPABILITY IMAP4rev1\r\n",
        "\r\n",
        "x",
        "* OK hi\r\ndeep2 OK done\r\n",
    ] {
        let clear = format!("{BEFORE_TLS}{injected}");
        let script = Script {
            clear: clear.as_bytes(),
            tls: OVER_TLS.as_bytes(),
            ..Script::default()
        };
        let played = play(&client(&[], TlsStart::StartTls), &script);
        assert_eq!(played.end, End::Failed(ClientError::Injected));
        assert_eq!(played.sent, ["deep1 STARTTLS\r\n", "", ""]);
        assert!(played.stored.is_empty());
    }
}

#[test]
fn starttls_that_is_stripped_or_refused_ends_the_connection() {
    let stripped = "* OK [CAPABILITY IMAP4rev1] hi\r\n";
    let refused = "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\ndeep1 BAD no\r\n";
    let preauth = "* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n";
    for clear in [stripped, refused, preauth] {
        for tls in [TlsStart::StartTls, TlsStart::StartTlsIfOffered] {
            let script = Script {
                clear: clear.as_bytes(),
                ..Script::default()
            };
            // Latched: refused, with the recorded URL, and nothing is sent.
            let session = session_with_status("tls12 <https://a.example/>");
            let played = play(&ImapClient::new(session, demo(tls)), &script);
            assert_eq!(failure(&played).stage(), Stage::NoTls);
            assert!(!failure(&played).may_report());
            assert_eq!(failure(&played).actions().len(), 3);
            assert!(matches!(&*played.sent[0], "" | "deep1 STARTTLS\r\n"));
            // Not latched: no session unless the caller allowed that.
            let played = play(&client(&[], tls), &script);
            let expected = match (tls, clear == preauth) {
                (TlsStart::StartTls, _) => End::Failed(ClientError::NoTls),
                (_, false) => End::LogIn,
                (_, true) => End::Ready,
            };
            assert_eq!(played.end, expected, "{clear}");
        }
    }
}

#[test]
fn in_clear_nothing_is_told_and_a_status_with_tls_is_believed() {
    let clear = concat!(
        "* OK [CAPABILITY IMAP4rev1 DEEP] hi\r\n",
        "* ID (\"deep\" \"tls10\")\r\n",
        "deep1 OK done\r\n"
    );
    let client = client(&[], TlsStart::StartTlsIfOffered);
    let script = Script {
        clear: clear.as_bytes(),
        ..Script::default()
    };
    let played = play(&client, &script);
    assert_eq!(played.sent[0], "deep1 ID NIL\r\n");
    assert_eq!(played.end, End::Failed(ClientError::NoTls));
    let clear = clear.replace("tls10", "x-other");
    let script = Script {
        clear: clear.as_bytes(),
        login: Some(Login::Done),
        ..Script::default()
    };
    let played = play(&client, &script);
    assert_eq!(played.end, End::Ready);
    assert_eq!(played.sent, ["deep1 ID NIL\r\n", "", ""]);
    assert!(played.stored.is_empty());
}

#[test]
fn a_handshake_that_fails_is_refused_without_a_word() {
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
fn a_failure_stays_one_whatever_the_server_makes_of_the_report() {
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
fn a_failure_is_told_a_server_that_has_id_and_not_deep() {
    let report =
        "deep1 ID (\"name\" \"Demo Mail\" \"version\" \"1.5\" \"latch-fail\" \"tls-cert\")\r\n";
    for (has, sent, event) in [
        ("ID", [report, "deep2 LOGOUT\r\n"].concat(), ACCEPTED),
        ("IDLE", "deep1 LOGOUT\r\n".to_owned(), ClientEvent::NotReported),
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
fn text_for_people_has_no_literals() {
    let server = "* OK [CAPABILITY IMAP4rev1 DEEP] hi {9}\r\n* NO {9}\r\ndeep1 OK done {9}\r\n";
    assert_eq!(implicit(&[], server).end, End::LogIn);
}

#[test]
fn nothing_is_told_when_the_caller_says_so() {
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
fn a_name_that_id_cannot_have_is_not_sent() {
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
fn after_scram_plus_the_status_counts_for_more_and_is_not_asked_for_again() {
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
fn deep_that_is_advertised_after_login_alone_is_seen() {
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
fn a_server_without_deep_after_login_is_asked_for_its_capabilities_alone() {
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
fn the_greeting_and_the_capabilities_are_the_callers_to_see() {
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
fn a_login_in_clear_is_not_handed_over_where_the_server_takes_none() {
    for clear in [
        "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi\r\n",
        "* OK [CAPABILITY IMAP4rev1 DEEP ID logindisabled] hi\r\n",
        "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi\r\ndeep1 NO not now\r\n",
        "* OK hi\r\n* CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=PLAIN\r\ndeep1 OK\r\n",
    ] {
        let script = Script {
            clear: clear.as_bytes(),
            ..Script::default()
        };
        let played = play(&client(&[], TlsStart::StartTlsIfOffered), &script);
        assert_eq!(
            played.end,
            End::Failed(ClientError::LoginDisabled),
            "{clear}"
        );
        let played = play(&client(&["tls12"], TlsStart::StartTlsIfOffered), &script);
        assert_eq!(failure(&played).stage(), Stage::NoTls, "{clear}");
    }
    // Over TLS another mechanism than LOGIN may be meant, and of a session that needs no login none is.
    let tls = "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=EXTERNAL] hi\r\n";
    assert_eq!(implicit(&[], tls).end, End::LogIn);
    let script = Script {
        clear: b"* PREAUTH [CAPABILITY IMAP4rev1 LOGINDISABLED] hi\r\n",
        ..Script::default()
    };
    let played = play(&client(&[], TlsStart::StartTlsIfOffered), &script);
    assert_eq!(played.end, End::Ready);
}

#[test]
fn preauth_over_tls_needs_no_login() {
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

#[test]
fn a_tag_that_means_nothing_here_is_refused_before_connecting() {
    let refused = LatchSession::try_new(play::record(&["x-new"]), Facilities::new());
    let failure = refused.unwrap_err();
    assert_eq!(failure.stage(), Stage::Connecting);
    assert_eq!(failure.tags(), [SecurityTag::parse("x-new").unwrap()]);
    assert!(!failure.may_report());
    // A client of a session that is refused before its connection stays refused.
    let mut session = session(&["tls10"]);
    let outcome = session.step(Event::HandshakeFailed(HandshakeFault::Negotiation)).outcome;
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
fn what_is_not_due_ends_the_connection() {
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
fn what_is_called_out_of_turn_is_an_error() {
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
    assert!(matches!(client.demand(), Ok(deep_latch::client::Demand::Send(_))));
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
    assert!(matches!(client.demand(), Ok(deep_latch::client::Demand::Send(_))));
    client.stored();
    assert_eq!(client.demand(), Err(ClientError::Misuse));

    // What was read in clear is not given away before TLS.
    let mut client = self::client(&[], TlsStart::StartTls);
    client.receive(b"* OK [CAPABILITY STARTTLS] hi\r\ndeep1 OK\r\nmore");
    assert!(matches!(client.demand(), Ok(deep_latch::client::Demand::Send(_))));
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
