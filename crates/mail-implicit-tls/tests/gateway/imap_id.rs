//! ID of IMAP (section 7.1): the client's, with `tls` of the gateway, and the answer with the status of the gateway.

use deep_latch::{ClientReport, SecurityTag, TlsCipher, imap::IdCommand, server::TlsField};
use mail_implicit_tls::{
    gateway::{AfterLogin, ClientAddress, Event, GatewayOptions, Mechanism, Refusal, Side},
    service::{Protocol, Service},
};

use crate::script::{
    Backend, Client, advertisement, deep_options, facts, imap, open, options, play,
};

const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 DEEP ID] hello\r\n";
const TLS: &str = "\"tls\" \"TLS_AES_128_GCM_SHA256\"";
const STATUS: &str = "\"deep\" \"tls10 tls-cert <https://www.example.com/support.html>\"";

const ADDRESS: &str = "\"x-originating-ip\" \"192.0.2.7\" \"x-originating-port\" \"51234\" \
    \"x-connected-ip\" \"192.0.2.1\" \"x-connected-port\" \"993\" \
    \"x-session-ext-id\" \"000000000000000000000000000000ab\"";

/// Example 3 of section 7.1.
#[test]
fn adds_tls_and_merges_the_answer() {
    let id = r#"a001 ID ("name" "Demo Mail" "version" "1.5" "latch" "tls10 tls-cert" "security-tags" "tls12")"#;
    let forwarded = id.replace(r#""tls12")"#, &format!("\"tls12\" {TLS})\r\n"));
    let ended = play(
        &facts(Service::IMAPS),
        &deep_options(Protocol::Imap),
        &[
            (Backend(GREETING), "", GREETING),
            (Client(&format!("{id}\r\n")), &forwarded, ""),
            (
                Backend(
                    "* ID (\"name\" \"Demo Server\" \"version\" \"1.7\" \"deep-status\" \"<https://x.example/>\")\r\n",
                ),
                "",
                &format!("* ID (\"name\" \"Demo Server\" \"version\" \"1.7\" {STATUS})\r\n"),
            ),
            (
                Backend("a001 OK ID completed\r\n"),
                "",
                "a001 OK ID completed\r\n",
            ),
            (Client("b LOGIN x y\r\n"), "b LOGIN x y\r\n", ""),
        ],
    );
    let report = ClientReport {
        name: Some("Demo Mail".to_owned()),
        version: Some("1.5".to_owned()),
        latch: vec![SecurityTag::TLS10, SecurityTag::TLS_CERT],
        security_tags: vec![SecurityTag::TLS12],
        tls: Some(TlsCipher::of_suite(0x1301)),
        ..ClientReport::default()
    };
    assert_eq!(ended.events, [Event::Report(Box::new(report))]);
}

#[test]
fn answers_id_whatever_the_backend_makes_of_it() {
    let sent = format!("a ID ({TLS})\r\n");
    let own = format!("* ID ({STATUS})\r\n");
    let done = "a OK ID completed\r\n";
    for (answer, given) in [
        (
            "* ID NIL\r\na OK x\r\n".to_owned(),
            format!("{own}a OK x\r\n"),
        ),
        ("a OK x\r\n".to_owned(), format!("{own}a OK x\r\n")),
        ("a BAD x\r\n".to_owned(), format!("{own}{done}")),
        ("* ID NIL\r\na NO x\r\n".to_owned(), format!("{own}{done}")),
        (
            "* ID (broken\r\na OK x\r\n".to_owned(),
            format!("{own}a OK x\r\n"),
        ),
        (
            "* id ({4}\r\nname {3}\r\na\r\n)\r\na OK x\r\n".to_owned(),
            format!("* ID (\"name\" {{3}}\r\na\r\n {STATUS})\r\na OK x\r\n"),
        ),
        (
            "* 1 EXISTS\r\na OK x\r\n".to_owned(),
            format!("* 1 EXISTS\r\n{own}a OK x\r\n"),
        ),
    ] {
        play(
            &facts(Service::IMAPS),
            &deep_options(Protocol::Imap),
            &[
                (Backend("* OK hi\r\n"), "", "* OK hi\r\n"),
                (Client("a ID NIL\r\n"), &sent, ""),
                (Backend(&answer), "", &given),
            ],
        );
    }
}

#[test]
fn answers_id_itself_if_the_backend_lacks_it() {
    let greeting = "* OK [CAPABILITY IMAP4rev1] hi\r\n";
    let edited = "* OK [CAPABILITY IMAP4rev1 DEEP ID] hi\r\n";
    let ended = play(
        &facts(Service::IMAPS),
        &deep_options(Protocol::Imap),
        &[
            (Backend(greeting), "", edited),
            (
                Client("a ID (\"latch-fail\" \"tls-cert\")\r\nb LOGIN x y\r\n"),
                "b LOGIN x y\r\n",
                &format!("* ID ({STATUS})\r\na OK ID completed\r\n"),
            ),
        ],
    );
    let report = ClientReport {
        latch_fail: vec![SecurityTag::TLS_CERT],
        tls: Some(TlsCipher::of_suite(0x1301)),
        ..ClientReport::default()
    };
    assert_eq!(ended.events, [Event::Report(Box::new(report))]);
}

#[test]
fn passes_the_backends_answer_without_an_own_status() {
    let answer = "* ID (\"name\" \"x\" \"deep\" \"tls12\")\r\na OK x\r\n";
    imap(&[
        (Backend(GREETING), "", GREETING),
        (Client("a ID NIL\r\n"), &format!("a ID ({TLS})\r\n"), ""),
        (Backend(answer), "", answer),
        (Client("b ID NIL\r\n"), &format!("b ID ({TLS})\r\n"), ""),
        (Backend("b BAD x\r\n"), "", "b BAD x\r\n"),
    ]);
}

/// dovecot/documentation#313: fields by which proxies report, in any case, as literal, among other words.
#[test]
fn removes_the_fields_of_proxies() {
    for field in [
        "tls",
        "TLS",
        " tls",
        "x-originating-ip",
        "X-Originating-IP",
        "x-originating-port",
        "x-connected-ip",
        "x-connected-port",
        "x-connected-name",
        "x-proxy-ttl",
        "x-forward-user",
        "X-FORWARD-x",
        "x-session-id",
        "x-session-ext-id",
        "x, x-proxy-ttl",
        "\tx-session-id",
    ] {
        let literal = format!("{{{}+}}\r\n{field}", field.len());
        for written in [format!("\"{field}\""), literal] {
            let ended = imap(&[
                (Backend(GREETING), "", GREETING),
                (
                    Client(&format!(
                        "a ID ({written} \"192.0.2.9\" \"name\" \"x\")\r\n"
                    )),
                    &format!("a ID (\"name\" \"x\" {TLS})\r\n"),
                    "",
                ),
            ]);
            assert_eq!(
                ended.events.first(),
                Some(&Event::Refused(Refusal::Forged)),
                "{field}"
            );
        }
    }
    for field in [
        "x-originator",
        "tls-version",
        "x-proxies",
        "my-x-forward-user",
    ] {
        imap(&[
            (Backend(GREETING), "", GREETING),
            (
                Client(&format!("a ID (\"{field}\" \"x\")\r\n")),
                &format!("a ID (\"{field}\" \"x\" {TLS})\r\n"),
                "",
            ),
        ]);
    }
}

#[test]
fn refuses_a_field_that_is_given_twice() {
    let ended = imap(&[
        (Backend(GREETING), "", GREETING),
        (
            Client("a ID (\"tls\" \"A\" \"TLS\" \"B\")\r\n"),
            "",
            "a BAD ID: id_params_list: duplicate at byte 16\r\n",
        ),
    ]);
    assert_eq!(ended.events, [Event::Refused(Refusal::Syntax)]);
}

/// Section 7.1: "SHOULD use this field to report the tls-cipher".
#[test]
fn reports_tls_before_the_login_of_a_client_without_id() {
    let ended = imap(&[
        (Backend(GREETING), "", GREETING),
        (
            Client("a LOGIN {1+}\r\nx y\r\nb NOOP\r\n"),
            &format!("proxy ID ({TLS})\r\n"),
            "",
        ),
        (
            Backend("* ID (\"name\" \"x\")\r\n* OK [ALERT] hi\r\n"),
            "",
            "* OK [ALERT] hi\r\n",
        ),
        (Backend("proxy OK ID completed\r\n"), "a LOGIN {1}\r\n", ""),
        (Backend("+ go\r\n"), "x y\r\n", ""),
        (Backend("a NO wrong\r\n"), "b NOOP\r\n", "a NO wrong\r\n"),
        (Backend("b OK\r\n"), "", "b OK\r\n"),
        (
            Client("c AUTHENTICATE PLAIN\r\n"),
            "c AUTHENTICATE PLAIN\r\n",
            "",
        ),
    ]);
    assert_eq!(
        ended.events,
        [Event::LoginFailed {
            mechanism: Mechanism::PASSWORD
        }]
    );
    // A refusal of ID does not keep the client from logging in.
    imap(&[
        (Backend(GREETING), "", GREETING),
        (
            Client("a AUTHENTICATE PLAIN\r\n"),
            &format!("proxy ID ({TLS})\r\n"),
            "",
        ),
        (
            Backend("proxy BAD what\r\n"),
            "a AUTHENTICATE PLAIN\r\n",
            "",
        ),
    ]);
    // A backend that has no ID, or has not shown its capabilities.
    for greeting in ["* OK [CAPABILITY IMAP4rev1] x\r\n", "* OK x\r\n"] {
        imap(&[
            (Backend(greeting), "", greeting),
            (Client("a LOGIN x y\r\n"), "a LOGIN x y\r\n", ""),
        ]);
    }
}

#[test]
fn passes_on_the_clients_address() {
    let options = GatewayOptions::try_new(Protocol::Imap, ClientAddress::ImapId).unwrap();
    let fields = format!("{ADDRESS} {TLS}");
    play(
        &facts(Service::IMAPS),
        &options,
        &[
            (Backend("* OK x\r\n"), "", "* OK x\r\n"),
            (
                Client("a LOGIN x y\r\n"),
                &format!("proxy ID ({fields})\r\n"),
                "",
            ),
            (Backend("* ID NIL\r\nproxy OK\r\n"), "a LOGIN x y\r\n", ""),
        ],
    );
    play(
        &facts(Service::IMAPS),
        &options,
        &[
            (Backend("* OK x\r\n"), "", "* OK x\r\n"),
            (
                Client("a ID (\"name\" \"x\" \"x-originating-ip\" \"192.0.2.9\")\r\n"),
                &format!("a ID (\"name\" \"x\" {fields})\r\n"),
                "",
            ),
            (Backend("* ID NIL\r\na OK\r\n"), "", "* ID NIL\r\na OK\r\n"),
            (Client("b LOGIN x y\r\n"), "b LOGIN x y\r\n", ""),
        ],
    );
}

/// After login the client's octets pass: a backend must trust `tls` before login only.
#[test]
fn passes_no_trusted_tls_after_login() {
    let mut session = open(&facts(Service::IMAPS), &options(Protocol::Imap));
    let backend = advertisement();
    let heard = |octets: &[u8], trust: TlsField| {
        let command = IdCommand::parse(octets).unwrap().unwrap();
        let answer = backend.answer_id(&command, trust).unwrap();
        answer.report.unwrap().tls
    };
    session.backend_sent(GREETING.as_bytes()).unwrap();
    session
        .client_sent(b"a ID (\"tls\" \"A_LIE\")\r\n")
        .unwrap();
    let before = heard(&session.take_for_backend(), TlsField::Trust);
    assert_eq!(before, Some(TlsCipher::of_suite(0x1301)));
    session.backend_sent(b"* ID NIL\r\na OK\r\n").unwrap();
    session.client_sent(b"b LOGIN x y\r\n").unwrap();
    assert_eq!(session.take_for_backend(), b"b LOGIN x y\r\n");
    session
        .backend_sent(b"b OK [CAPABILITY IMAP4rev1 ID] in\r\n")
        .unwrap();
    session
        .client_sent(b"c ID (\"tls\" \"A_LIE\")\r\n")
        .unwrap();
    let after = session.take_for_backend();
    assert_eq!(
        heard(&after, TlsField::Trust),
        Some(TlsCipher::parse("A_LIE").unwrap())
    );
    assert_eq!(heard(&after, TlsField::Ignore), None);
}

/// The backend would take the gateway for the client.
#[test]
fn forwards_no_login_to_a_backend_that_refuses_the_clients_address() {
    let options = GatewayOptions::try_new(Protocol::Imap, ClientAddress::ImapId).unwrap();
    let fields = format!("{ADDRESS} {TLS}");
    let greeting = "* OK [CAPABILITY IMAP4rev1] x\r\n";
    let ended = play(
        &facts(Service::IMAPS),
        &options,
        &[
            (Backend(greeting), "", greeting),
            (Client("a ID NIL\r\n"), &format!("a ID ({fields})\r\n"), ""),
            (Backend("a BAD what\r\n"), "", "a BAD what\r\n"),
            (
                Client("b LOGIN x y\r\n"),
                &format!("proxy ID ({fields})\r\n"),
                "",
            ),
            (
                Backend("proxy BAD what\r\n"),
                "",
                "* BYE [UNAVAILABLE] the server cannot be understood\r\n",
            ),
        ],
    );
    let error = ended.error.unwrap();
    assert_eq!(
        (error.side(), error.field()),
        (Side::Backend, "response-tagged")
    );
}

#[test]
fn answers_with_the_status_after_login_in_a_parsed_session() {
    let options = deep_options(Protocol::Imap)
        .with_advertisement(advertisement())
        .with_after_login(AfterLogin::Parsed);
    play(
        &facts(Service::IMAPS),
        &options,
        &[
            (Backend("* OK x\r\n"), "", "* OK x\r\n"),
            (Client("a LOGIN x y\r\n"), "a LOGIN x y\r\n", ""),
            (
                Backend("a OK [CAPABILITY IMAP4rev1 ID] x\r\n"),
                "",
                "a OK [CAPABILITY IMAP4rev1 DEEP ID] x\r\n",
            ),
            (Client("b ID NIL\r\n"), &format!("b ID ({TLS})\r\n"), ""),
            (
                Backend("* ID NIL\r\nb OK\r\n"),
                "",
                &format!("* ID ({STATUS})\r\nb OK\r\n"),
            ),
        ],
    );
}

/// The backend must learn the address: an ID is not answered in place of a backend that does not offer it.
#[test]
fn forwards_an_id_with_the_address_to_a_backend_that_does_not_offer_it() {
    let options = GatewayOptions::try_new(Protocol::Imap, ClientAddress::ImapId).unwrap();
    let options = options.with_advertisement(advertisement());
    let mut session = open(&facts(Service::IMAPS), &options);
    session
        .backend_sent(b"* OK [CAPABILITY IMAP4rev1] hello\r\n")
        .unwrap();
    session.client_sent(b"a ID NIL\r\n").unwrap();
    let sent = String::from_utf8(session.take_for_backend()).unwrap();
    assert!(
        sent.starts_with("a ID (\"x-originating-ip\" \"192.0.2.7\""),
        "{sent}"
    );
}
