//! STARTTLS, and connections in clear.

use super::*;

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
fn rejects_text_in_clear_after_the_answer_to_starttls() {
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
fn reports_nothing_in_clear_and_requires_advertised_tls() {
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
fn refuses_a_login_in_clear_with_logindisabled() {
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
