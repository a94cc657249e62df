//! The server's side: what can be advertised, the answers to ID and CLIENT, and what a proxy forwards.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use deep_latch::{
    Achievement, Advertisement, AdvertisementConfig, Advice, CertificateUsage, ChainVerdict,
    ClientReport, DaneVerdict, DeepStatus, EncodeError, ErrorKind, Facilities, FieldNames,
    ForwardError, Forwarded, Host, IdCommand, IdParameters, IdentityVerdict, InboundTls, Login,
    MailProtocol, NotAdvertisable, ParseError, ProtocolVersion, SecurityTag, SessionFacts,
    TlsCipher, TlsFacts, TlsField, forward_client, forward_id, parse_client, report_of,
};
use proptest::prelude::*;

const STATUS: &str = "tls10 tls-cert <https://www.example.com/support.html>";
const ALL: [MailProtocol; 3] = [MailProtocol::Imap, MailProtocol::Pop, MailProtocol::Smtp];

fn status(text: &str) -> DeepStatus<'static> {
    DeepStatus::parse(text).unwrap().into_owned()
}

fn tls() -> TlsFacts {
    TlsFacts {
        version: ProtocolVersion::TLS1_2,
        strength_bits: Some(128),
        chain: ChainVerdict::Trusted,
        identity: IdentityVerdict::Matches,
        dane: DaneVerdict::NoRecords,
    }
}

fn probe(tls: TlsFacts) -> SessionFacts {
    SessionFacts {
        tls: Some(tls),
        login: None,
    }
}

fn config(text: &str) -> AdvertisementConfig {
    AdvertisementConfig {
        status: status(text),
        name: Some("Demo Server".to_owned()),
        version: Some("1.7".to_owned()),
        field_names: FieldNames::Examples,
        protocols: ALL.to_vec(),
    }
}

fn advertised(text: &str) -> Result<Advertisement, NotAdvertisable> {
    Advertisement::try_new(&config(text), &Facilities::new(), &probe(tls()))
}

fn tags(text: &str) -> Vec<SecurityTag<'static>> {
    let tags = text.split_whitespace();
    tags.map(|tag| SecurityTag::parse(tag).unwrap().into_owned())
        .collect()
}

fn error(error: ParseError) -> (&'static str, &'static str, usize) {
    (error.kind().name(), error.field(), error.offset())
}

#[test]
fn each_protocol_advertises_as_in_the_drafts_examples() {
    let advertisement = advertised(STATUS).unwrap();
    assert_eq!(advertisement.status().as_str(), STATUS);
    assert_eq!(advertisement.imap_capabilities(), Some("DEEP ID"));
    let line = format!("DEEP {STATUS}");
    assert_eq!(advertisement.capa_line(), Some(&*line));
    assert_eq!(advertisement.ehlo_line(), Some(&*line));
    // And nothing where it is not to.
    for protocol in ALL {
        let config = AdvertisementConfig {
            protocols: vec![protocol],
            ..config(STATUS)
        };
        let advertisement =
            Advertisement::try_new(&config, &Facilities::new(), &probe(tls())).unwrap();
        let command = IdCommand::parse(b"a ID NIL\r\n").unwrap().unwrap();
        let imap = protocol == MailProtocol::Imap;
        let smtp = protocol == MailProtocol::Smtp;
        assert_eq!(advertisement.imap_capabilities().is_some(), imap);
        assert_eq!(
            advertisement.answer_id(&command, TlsField::Trust).is_some(),
            imap
        );
        assert_eq!(
            advertisement.capa_line().is_some(),
            protocol == MailProtocol::Pop
        );
        assert_eq!(advertisement.ehlo_line().is_some(), smtp);
        let answer = advertisement.answer_client(b"CLIENT a=b", TlsField::Trust, true);
        assert_eq!(answer.is_some(), smtp);
    }
}

#[test]
fn a_tag_that_the_server_does_not_keep_is_not_advertised() {
    let of = |text, facts: &SessionFacts| {
        Advertisement::try_new(&config(text), &Facilities::new(), facts).map(drop)
    };
    let refused = |text| Err(NotAdvertisable::NotKept(tags(text)));
    let every = "tls10 tls12 tls-cert tls-dane-tlsa";
    let dane = TlsFacts {
        dane: DaneVerdict::Matches(CertificateUsage::DaneTa),
        ..tls()
    };
    assert_eq!(of(every, &probe(dane)), Ok(()));
    assert_eq!(of(every, &probe(tls())), refused("tls-dane-tlsa"));
    let expired = TlsFacts {
        chain: ChainVerdict::Refused,
        ..tls()
    };
    assert_eq!(
        of(every, &probe(expired)),
        refused("tls-cert tls-dane-tlsa")
    );
    let old = TlsFacts {
        version: ProtocolVersion::TLS1_1,
        ..tls()
    };
    assert_eq!(of(every, &probe(old)), refused("tls12 tls-dane-tlsa"));
    let weak = TlsFacts {
        strength_bits: Some(112),
        ..tls()
    };
    assert_eq!(
        of(every, &probe(weak)),
        refused("tls10 tls12 tls-dane-tlsa")
    );
    assert_eq!(of(every, &SessionFacts::default()), refused(every));
    assert_eq!(of("", &SessionFacts::default()), Ok(()));
    // Nobody knows what it means.
    assert_eq!(of("tls10 x-new", &probe(tls())), refused("x-new"));
    // What is known after login only needs a login to be known.
    let mut facilities = Facilities::new();
    let scram = |facts: &SessionFacts| match facts.login {
        None => Achievement::AfterLogin,
        Some(Login::ScramPlus) => Achievement::Achieved,
        Some(Login::Done) => Achievement::NotAchieved,
    };
    facilities.add(tags("x-scram").remove(0), scram).unwrap();
    for (login, kept) in [
        (None, false),
        (Some(Login::Done), false),
        (Some(Login::ScramPlus), true),
    ] {
        let facts = SessionFacts {
            login,
            ..probe(tls())
        };
        let config = config("x-scram");
        let made = Advertisement::try_new(&config, &facilities, &facts).map(drop);
        assert_eq!(made, if kept { Ok(()) } else { refused("x-scram") });
    }
    assert_eq!(
        refused("tls12 x-new").map_err(|error: NotAdvertisable| error.to_string()),
        Err::<(), _>("the server does not keep: tls12 x-new".to_owned())
    );
}

#[test]
fn a_status_that_a_protocol_cannot_carry_is_not_advertised_by_it() {
    // POP: "DEEP " and 505 octets are 510, and 512 with CRLF. SMTP: with "250-" too.
    let of_length = |length: usize| format!("+{}", "x".repeat(length - 1));
    let made = |length, protocol| {
        let config = AdvertisementConfig {
            protocols: vec![protocol],
            ..config(&of_length(length))
        };
        let made = Advertisement::try_new(&config, &Facilities::new(), &SessionFacts::default());
        made.map(drop).map_err(|error| match error {
            NotAdvertisable::Protocol(protocol, error) => (protocol, error.kind()),
            error => panic!("{error}"),
        })
    };
    let limit = |limit| ErrorKind::Limit { limit };
    assert_eq!(made(505, MailProtocol::Pop), Ok(()));
    assert_eq!(
        made(506, MailProtocol::Pop),
        Err((MailProtocol::Pop, limit(510)))
    );
    assert_eq!(made(501, MailProtocol::Smtp), Ok(()));
    assert_eq!(
        made(502, MailProtocol::Smtp),
        Err((MailProtocol::Smtp, limit(506)))
    );
    assert_eq!(made(1024, MailProtocol::Imap), Ok(()));
    let named = |name: &str, version: &str| {
        let config = AdvertisementConfig {
            name: Some(name.to_owned()),
            version: Some(version.to_owned()),
            ..config("")
        };
        let made = Advertisement::try_new(&config, &Facilities::new(), &SessionFacts::default());
        made.map(drop).map_err(|error| match error {
            NotAdvertisable::Protocol(protocol, error) => (protocol, error.field(), error.kind()),
            error => panic!("{error}"),
        })
    };
    let imap = MailProtocol::Imap;
    assert_eq!(named("a\"b\\c", &"1".repeat(1024)), Ok(()));
    assert_eq!(
        named("a", &"1".repeat(1025)),
        Err((imap, "id_params_list", limit(1024)))
    );
    assert_eq!(
        named("a\r\n* BYE", "1"),
        Err((imap, "name", ErrorKind::Character))
    );
    assert_eq!(
        named("a", "1\u{e9}"),
        Err((imap, "version", ErrorKind::Character))
    );
    let text = NotAdvertisable::Protocol(imap, named_error()).to_string();
    assert_eq!(text, "imap: name: character outside the allowed ones");
}

fn named_error() -> EncodeError {
    let config = AdvertisementConfig {
        name: Some("\n".to_owned()),
        ..config("")
    };
    match Advertisement::try_new(&config, &Facilities::new(), &SessionFacts::default()) {
        Err(NotAdvertisable::Protocol(MailProtocol::Imap, error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_provider_is_told_what_section_10_6_recommends() {
    let host = Host::try_new("imap.example.com").unwrap();
    let advice = |text| advertised(text).unwrap().advice(&host);
    assert_eq!(advice(STATUS), []);
    assert_eq!(
        advice(""),
        [Advice::NoTls10, Advice::NoTlsCert, Advice::NoUrl]
    );
    assert_eq!(advice("tls10"), [Advice::NoTlsCert, Advice::NoUrl]);
    assert_eq!(
        advice("tls12 tls-cert <https://www.example.com/>"),
        [Advice::NoTls10]
    );
    assert_eq!(
        advice("tls10 TLS10 tls-cert <https://IMAP.example.com:8443/a> <https://b.example/>"),
        [
            Advice::Repeated(SecurityTag::TLS10),
            Advice::UrlAtThisHost,
            Advice::MoreUrls
        ]
    );
    let all = [
        Advice::NoTls10,
        Advice::NoTlsCert,
        Advice::NoUrl,
        Advice::UrlAtThisHost,
        Advice::Repeated(SecurityTag::TLS10),
        Advice::MoreUrls,
    ];
    assert_eq!(
        all.map(|advice| advice.to_string()),
        [
            "tls10 should be advertised",
            "tls-cert should be advertised",
            "an https URL should be advertised",
            "the URL is at the host itself",
            "tls10 stands twice",
            "there is more than one URL",
        ]
    );
}

fn answered(command: &[u8], tls: TlsField) -> (String, Result<ClientReport, ParseError>) {
    let command = IdCommand::parse(command).unwrap().unwrap();
    let answer = advertised(STATUS)
        .unwrap()
        .answer_id(&command, tls)
        .unwrap();
    (answer.response, answer.report)
}

const ID: &str = "* ID (\"name\" \"Demo Server\" \"version\" \"1.7\" \"deep-status\" \
    \"tls10 tls-cert <https://www.example.com/support.html>\")\r\n";

#[test]
fn id_is_answered_with_the_status_and_the_clients_report_is_read() {
    let demo = ClientReport {
        name: Some("Demo Mail".to_owned()),
        version: Some("1.5".to_owned()),
        latch: tags("tls10 tls-cert"),
        security_tags: tags("tls12"),
        ..ClientReport::default()
    };
    let ok = format!("{ID}a001 OK ID completed\r\n");
    for list in [
        r#"("name" "Demo Mail" "version" "1.5" "latch" "tls10 tls-cert" "security-tags" "tls12")"#,
        "({4}\r\nname {9+}\r\nDemo Mail \"version\" \"1.5\" \"latch\" {14}\r\ntls10 tls-cert \
         \"x\" NIL {13+}\r\nsecurity-tags \"tls12\")",
    ] {
        let command = format!("a001 ID {list}\r\n");
        assert_eq!(
            answered(command.as_bytes(), TlsField::Ignore),
            (ok.clone(), Ok(demo.clone()))
        );
    }
    for list in ["NIL", "()", "(\"x\" \"y\")"] {
        let command = format!("a001 iD {list}\r\n");
        assert_eq!(
            answered(command.as_bytes(), TlsField::Ignore),
            (ok.clone(), Ok(ClientReport::default()))
        );
    }
}

#[test]
fn an_id_command_that_is_malformed_is_bad_and_a_malformed_value_loses_the_report_only() {
    let (response, report) = answered(b"a001 ID (\"name\")\r\n", TlsField::Ignore);
    assert_eq!(
        report.map_err(error),
        Err(("expected", "id_params_list", 15))
    );
    let bad = "a001 BAD ID: id_params_list: something else stands there at byte 15\r\n";
    assert_eq!(response, bad);
    for (command, expected) in [
        (&b"a ID\r\n"[..], ("empty", "id_params_list", 4)),
        (b"a ID \r\n", ("empty", "id_params_list", 5)),
        (
            b"a ID (\"a\" \"b\" \"A\" \"c\")\r\n",
            ("duplicate", "id_params_list", 14),
        ),
        (
            b"a ID ({3}\r\n\xff\xff\xff \"b\")\r\n",
            ("character", "id_params_list", 11),
        ),
        (b"a ID NIL x\r\n", ("trailing", "id_params_list", 8)),
    ] {
        let (response, report) = answered(command, TlsField::Ignore);
        assert_eq!(report.map_err(error), Err(expected));
        assert!(response.starts_with("a BAD "), "{response}");
        assert_eq!(response.lines().count(), 1);
    }
    let ok = format!("{ID}a OK ID completed\r\n");
    for (command, expected) in [
        (
            &b"a ID (\"latch\" \"tls10,tls12\")\r\n"[..],
            ("trailing", "security-tag", 20),
        ),
        (b"a ID (\"tls\" \"\")\r\n", ("empty", "tls-cipher", 13)),
        (
            b"a ID (\"latch-fail\" \"tls10\" \"latch-failure\" \"tls12\")\r\n",
            ("conflict", "latch-failure", 27),
        ),
        (
            b"a ID (\"name\" {3}\r\na\x1bb)\r\n",
            ("character", "name", 19),
        ),
    ] {
        let (response, report) = answered(command, TlsField::Ignore);
        assert_eq!(
            (report.map_err(error), response),
            (Err(expected), ok.clone())
        );
    }
}

#[test]
fn tls_of_a_report_is_believed_from_a_proxy_only() {
    let cipher = TlsCipher::parse("TLS_RSA_WITH_AES_128_CBC_SHA").unwrap();
    let advertisement = advertised(STATUS).unwrap();
    for (field, expected) in [(TlsField::Ignore, None), (TlsField::Trust, Some(cipher))] {
        let command = b"a ID (\"tls\" \"TLS_RSA_WITH_AES_128_CBC_SHA\")\r\n";
        assert_eq!(answered(command, field).1.unwrap().tls, expected);
        let line = b"CLIENT tls=TLS_RSA_WITH_AES_128_CBC_SHA";
        let answer = advertisement.answer_client(line, field, false).unwrap();
        assert_eq!(answer.report.unwrap().tls, expected);
    }
    assert_eq!(TlsField::default(), TlsField::Ignore);
}

#[test]
fn client_is_answered_with_250_and_501() {
    let advertisement = advertised(STATUS).unwrap();
    let answer = |line: &[u8], enhanced| {
        let answer = advertisement
            .answer_client(line, TlsField::Ignore, enhanced)
            .unwrap();
        (answer.response, answer.report.map_err(error))
    };
    let report = ClientReport {
        name: Some("demo_submit".to_owned()),
        version: Some("1.5".to_owned()),
        latch: tags("tls10 tls-cert"),
        security_tags: tags("tls12"),
        ..ClientReport::default()
    };
    let line = b"CLIENT name=demo_submit version=1.5 latch=tls10,tls-cert security-tags=tls12";
    let ok = |text: &str| (text.to_owned(), Ok(report.clone()));
    assert_eq!(answer(line, false), ok("250 OK\r\n"));
    assert_eq!(answer(line, true), ok("250 2.0.0 OK\r\n"));
    assert_eq!(
        answer(&[line, &b" \t "[..]].concat(), false),
        ok("250 OK\r\n")
    );
    for (line, expected) in [
        (&b"CLIENT"[..], ("empty", "deep-cmd", 6)),
        (b"CLIENT ", ("empty", "deep-cmd", 6)),
        (b"", ("expected", "deep-cmd", 0)),
        (b"CLIENT latch=tls10,", ("empty", "security-tag", 19)),
        (b"CLIENT name=\xff", ("character", "deep-cmd", 12)),
        (b"CLIENT name=a\r\nQUIT", ("trailing", "esmtp-value", 13)),
    ] {
        let refused = |text: &str| (text.to_owned(), Err(expected));
        assert_eq!(
            answer(line, false),
            refused("501 Syntax error in parameters\r\n")
        );
        assert_eq!(
            answer(line, true),
            refused("501 5.5.4 Syntax error in parameters\r\n")
        );
    }
}

#[test]
fn parse_tells_id_from_other_commands_and_refuses_what_is_nearly_one() {
    let parsed = |octets: &'static [u8]| {
        let command = IdCommand::parse(octets);
        command
            .map(|it| it.map(|it| it.tag().to_owned()))
            .map_err(error)
    };
    assert_eq!(
        parsed(b"A1.b-]/ ID NIL\r\n"),
        Ok(Some("A1.b-]/".to_owned()))
    );
    assert_eq!(parsed(b"a id\r\n"), Ok(Some("a".to_owned())));
    for other in [
        &b"a IDLE\r\n"[..],
        b"a I\r\n",
        b"a NOOP\r\n",
        b"a LOGIN {2}\r\nID NIL\r\n",
        b"a XID (\"tls\" \"A_LIE\")\r\n",
    ] {
        assert_eq!(parsed(other), Ok(None));
    }
    assert_eq!(parsed(b"a ID NIL"), Err(("expected", "CRLF", 8)));
    assert_eq!(parsed(b"a ID NIL\n"), Err(("character", "command", 8)));
    for (octets, at) in [
        (&b"\r\n"[..], 0),
        (b" ID NIL\r\n", 0),
        (b"a\r\n", 1),
        (b"a+ ID NIL\r\n", 1),
        (b"* ID NIL\r\n", 0),
        (b"a\r\nb ID NIL\r\n", 1),
        (b"a\tID NIL\r\n", 1),
    ] {
        assert_eq!(parsed(octets), Err(("expected", "tag", at)));
    }
    for (octets, error) in [
        (&b"a \r\n"[..], ("empty", "command", 2)),
        (b"a  ID NIL\r\n", ("expected", "command", 2)),
        (b"a \tID NIL\r\n", ("expected", "command", 2)),
        (b"a ID(\"tls\" \"A_LIE\")\r\n", ("character", "command", 4)),
        (
            b"a ID\t(\"tls\" \"A_LIE\")\r\n",
            ("character", "command", 4),
        ),
        (
            b"a ID\x0b(\"tls\" \"A_LIE\")\r\n",
            ("character", "command", 4),
        ),
        (
            b"a ID\0(\"tls\" \"A_LIE\")\r\n",
            ("character", "command", 4),
        ),
        (
            b"a\0ID (\"tls\" \"A_LIE\")\r\n",
            ("character", "command", 1),
        ),
        (b"a ID\xc2\xa0NIL\r\n", ("character", "command", 4)),
        (
            b"a ID  (\"tls\" \"A_LIE\")\r\n",
            ("extra-space", "command", 5),
        ),
        (
            b"a \"ID\" (\"tls\" \"A_LIE\")\r\n",
            ("expected", "command", 2),
        ),
        (
            b"a {2+}\r\nID (\"tls\" \"A_LIE\")\r\n",
            ("expected", "command", 2),
        ),
        (b"\xff ID NIL\r\n", ("character", "command", 0)),
        (b"a NOOP\nb ID NIL\r\n", ("character", "command", 6)),
        (b"a NOOP\rb ID NIL\r\n", ("character", "command", 6)),
        (b"a NOOP\r\nb ID NIL\r\n", ("trailing", "command", 8)),
        (b"a NOOP x{7+}\r\nb ID NIL\r\n", ("trailing", "command", 6)),
        (
            b"a LOGIN x{7+}\r\nb ID NIL\r\n",
            ("character", "command", 9),
        ),
        (b"a LOGIN \"{7+}\r\nb ID NIL\r\n", ("empty", "string", 13)),
        (b"a LOGIN {11}\r\nb ID NIL\r\n", ("expected", "literal", 24)),
        (b"a LOGIN {1}\r\n\0\r\n", ("character", "literal", 13)),
    ] {
        assert_eq!(parsed(octets), Err(error), "{}", octets.escape_ascii());
    }
    // The list of ID is for its own reader.
    let list = IdCommand::parse(b"a ID (\"a\" \"b\r\n").unwrap_err();
    assert_eq!(error(list), ("empty", "string", 12));
    let list = IdCommand::parse(b"a ID (\"a\" b\r\n").unwrap().unwrap();
    assert_eq!(
        error(list.parameters().unwrap_err()),
        ("expected", "string", 10)
    );
}

fn forwarded(
    command: &str,
    tls: Option<&str>,
    inbound: InboundTls,
) -> Result<(String, bool), ForwardError> {
    let command = IdCommand::parse(command.as_bytes()).unwrap().unwrap();
    let tls = tls.map(|tls| TlsCipher::parse(tls).unwrap());
    let forwarded = forward_id(&command, tls.as_ref(), inbound)?;
    let parts = forwarded.parts().collect::<Vec<_>>();
    assert_eq!(parts.concat(), forwarded.command);
    let (last, waiting) = parts.split_last().unwrap();
    assert!(last.ends_with(b"\r\n"));
    assert!(waiting.iter().all(|part| part.ends_with(b"}\r\n")));
    let Forwarded {
        command, removed, ..
    } = forwarded;
    Ok((String::from_utf8(command).unwrap(), removed))
}

#[test]
fn the_proxy_of_example_3_adds_tls_and_changes_nothing_else() {
    let client = "a001 ID (\"name\" \"Demo Mail\" \"version\" \"1.5\" \"latch\" \
        \"tls10 tls-cert\" \"security-tags\" \"tls12\")\r\n";
    let server = "a001 ID (\"name\" \"Demo Mail\" \"version\" \"1.5\" \"latch\" \
        \"tls10 tls-cert\" \"security-tags\" \"tls12\" \
        \"tls\" \"TLS_RSA_WITH_AES_128_CBC_SHA\")\r\n";
    let cipher = Some("TLS_RSA_WITH_AES_128_CBC_SHA");
    for inbound in [InboundTls::Remove, InboundTls::Refuse, InboundTls::Trust] {
        assert_eq!(
            forwarded(client, cipher, inbound),
            Ok((server.to_owned(), false))
        );
        // In clear there is nothing to add.
        assert_eq!(
            forwarded(client, None, inbound),
            Ok((client.to_owned(), false))
        );
    }
    for (list, with) in [
        ("NIL", "(\"tls\" \"0x002F\")"),
        ("()", "(\"tls\" \"0x002F\")"),
        (
            "(\"a)\\\" \\\\\" nil)",
            "(\"a)\\\" \\\\\" nil \"tls\" \"0x002F\")",
        ),
        // Literals are written anew, since the server may not have LITERAL+.
        (
            "({3}\r\n)\r\n {2+}\r\n\") \"stls\" {1}\r\nx {003+}\r\nb\\c {2+}\r\né)",
            "({3}\r\n)\r\n \"\\\")\" \"stls\" \"x\" \"b\\\\c\" {2}\r\né \"tls\" \"0x002F\")",
        ),
    ] {
        let (list, with) = (format!("A iD {list}\r\n"), format!("A iD {with}\r\n"));
        let seen = forwarded(&list, Some("0x002F"), InboundTls::Remove);
        assert_eq!(seen, Ok((with, false)));
    }
}

#[test]
fn a_client_cannot_spoof_tls_through_the_proxy() {
    let spoofs = [
        ("(\"tls\" \"A_LIE\")", "NIL", "(\"tls\" \"OURS\")"),
        ("(\"TLS\" NIL)", "NIL", "(\"tls\" \"OURS\")"),
        ("({3}\r\ntLs {5}\r\nA_LIE)", "NIL", "(\"tls\" \"OURS\")"),
        (
            "(\"a\" \"b\" \"tls\" \"A_LIE\")",
            "(\"a\" \"b\")",
            "(\"a\" \"b\" \"tls\" \"OURS\")",
        ),
        (
            "(\"tls\" \"A_LIE\" \"a\" NIL)",
            "(\"a\" NIL)",
            "(\"a\" NIL \"tls\" \"OURS\")",
        ),
        (
            "(\"a\" \"tls\" \"tls\" \"\\\\\\\"\" \"tls2\" \"tls\")",
            "(\"a\" \"tls\" \"tls2\" \"tls\")",
            "(\"a\" \"tls\" \"tls2\" \"tls\" \"tls\" \"OURS\")",
        ),
    ];
    for (list, without, with) in spoofs {
        let [list, without, with] = [list, without, with].map(|list| format!("a ID {list}\r\n"));
        let ours = Some("OURS");
        assert_eq!(forwarded(&list, ours, InboundTls::Remove), Ok((with, true)));
        assert_eq!(
            forwarded(&list, None, InboundTls::Remove),
            Ok((without, true))
        );
        for tls in [ours, None] {
            assert_eq!(
                forwarded(&list, tls, InboundTls::Refuse),
                Err(ForwardError::Inbound)
            );
            let trusted = list.replace("{3}\r\ntLs {5}\r\nA_LIE", "\"tLs\" \"A_LIE\"");
            assert_eq!(
                forwarded(&list, tls, InboundTls::Trust),
                Ok((trusted, false))
            );
        }
    }
    // A proxy of ours has removed what passes for `tls`; it is not `tls` itself.
    let nearly = "a ID (\" tls\" \"A_LIE\")\r\n";
    let refused = Err(ForwardError::Inbound);
    assert_eq!(forwarded(nearly, Some("OURS"), InboundTls::Refuse), refused);
    let both = "a ID (\" tls\" \"A_LIE\" \"tls\" \"OURS\")\r\n".to_owned();
    let trusted = forwarded(nearly, Some("OURS"), InboundTls::Trust);
    assert_eq!(trusted, Ok((both, false)));
    assert_eq!(InboundTls::default(), InboundTls::Remove);
    // What the proxy and the server could read otherwise does not get through at all.
    let twice = forwarded(
        "a ID (\"tls\" \"A\" \"tls\" \"B\")\r\n",
        None,
        InboundTls::Remove,
    );
    let Err(ForwardError::Unreadable(unreadable)) = twice else {
        panic!("{twice:?}");
    };
    assert_eq!(error(unreadable), ("duplicate", "id_params_list", 16));
    assert_eq!(
        ForwardError::Unreadable(unreadable).to_string(),
        "id_params_list: twice at byte 16"
    );
}

#[test]
fn a_full_list_has_no_room_for_tls_unless_one_goes() {
    let pairs: Vec<_> = (0..29).map(|number| format!("\"f{number}\" NIL")).collect();
    let pairs = pairs.join(" ");
    let full = format!("a ID ({pairs} \"x\" NIL)\r\n");
    let ours = Some("OURS");
    assert_eq!(
        forwarded(&full, ours, InboundTls::Remove),
        Err(ForwardError::Full)
    );
    assert_eq!(
        forwarded(&full, None, InboundTls::Remove),
        Ok((full.clone(), false))
    );
    let spoofed = format!("a ID ({pairs} \"tls\" \"A_LIE\")\r\n");
    let expected = format!("a ID ({pairs} \"tls\" \"OURS\")\r\n");
    assert_eq!(
        forwarded(&spoofed, ours, InboundTls::Remove),
        Ok((expected, true))
    );
}

#[test]
fn the_proxy_does_the_same_with_client() {
    let forwarded = |line: &str, tls: Option<&str>, inbound| {
        let tls = tls.map(|tls| TlsCipher::parse(tls).unwrap());
        let Forwarded {
            command, removed, ..
        } = forward_client(line.as_bytes(), tls.as_ref(), inbound)?;
        Ok::<_, ForwardError>((String::from_utf8(command).unwrap(), removed))
    };
    let ours = Some("OURS");
    let line = "Client NAME=a future latch=tls10";
    let with = "Client NAME=a future latch=tls10 tls=OURS".to_owned();
    assert_eq!(
        forwarded(line, ours, InboundTls::Remove),
        Ok((with.clone(), false))
    );
    assert_eq!(
        forwarded(&format!("{line} \t"), ours, InboundTls::Trust),
        Ok((with.clone(), false))
    );
    assert_eq!(
        forwarded(line, None, InboundTls::Refuse),
        Ok((line.to_owned(), false))
    );
    let spoofed = "Client TLS=A_LIE NAME=a future latch=tls10";
    assert_eq!(
        forwarded(spoofed, ours, InboundTls::Remove),
        Ok((with, true))
    );
    assert_eq!(
        forwarded(spoofed, None, InboundTls::Remove),
        Ok((line.to_owned(), true))
    );
    assert_eq!(
        forwarded(spoofed, ours, InboundTls::Refuse),
        Err(ForwardError::Inbound)
    );
    assert_eq!(
        forwarded(spoofed, ours, InboundTls::Trust),
        Ok((spoofed.to_owned(), false))
    );
    let alone = "CLIENT tls=A_LIE";
    assert_eq!(
        forwarded(alone, None, InboundTls::Remove),
        Err(ForwardError::NothingLeft)
    );
    assert_eq!(
        forwarded(alone, ours, InboundTls::Remove),
        Ok(("CLIENT tls=OURS".to_owned(), true))
    );
    let long = |length: usize| format!("CLIENT name={}", "x".repeat(length - 12));
    assert_eq!(
        forwarded(&long(501), ours, InboundTls::Remove).map(|(line, _)| line.len()),
        Ok(510)
    );
    assert_eq!(
        forwarded(&long(502), ours, InboundTls::Remove),
        Err(ForwardError::Full)
    );
    assert_eq!(
        forwarded(&long(510), None, InboundTls::Remove).map(|(line, _)| line.len()),
        Ok(510)
    );
    for line in [
        "CLIENT",
        "CLIENT tls=",
        "CLIENT tls=A tls=B",
        "CLIENT a\r\nQUIT",
        "NOOP",
    ] {
        let refused = forwarded(line, ours, InboundTls::Remove);
        assert!(
            matches!(refused, Err(ForwardError::Unreadable(_))),
            "{line}"
        );
    }
    let errors = [
        ForwardError::Inbound,
        ForwardError::Full,
        ForwardError::NothingLeft,
    ];
    assert_eq!(
        errors.map(|error| error.to_string()),
        [
            "tls: from a client",
            "tls: no room for it",
            "deep-cmd: nothing is left without tls"
        ]
    );
}

/// A string of IMAP, as a client may write it.
fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z \\\\\"()\\r\\n]{0,8}".prop_map(|text| format!("{{{}+}}\r\n{text}", text.len())),
        "[a-z \\\\\"()]{0,8}".prop_map(|text| {
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
        }),
        Just("\"TLS\"".to_owned()),
        Just("{3}\r\ntls".to_owned()),
        Just("\" tls\"".to_owned()),
        Just("{5+}\r\ntls\r\n".to_owned()),
        Just("\"x, Tls=y\"".to_owned()),
    ]
}

proptest! {
    /// What is forwarded means the same but for `tls`, and what is not forwarded cannot be read.
    #[test]
    fn what_the_proxy_forwards_differs_in_tls_alone(
        pairs in prop::collection::vec((string(), prop::option::of(string())), 0..6),
        has_tls: bool,
        trusted: bool,
    ) {
        let pairs: Vec<_> = pairs
            .into_iter()
            .map(|(field, value)| format!("{field} {}", value.unwrap_or_else(|| "NIL".to_owned())))
            .collect();
        let command = format!("a ID ({})\r\n", pairs.join(" "));
        let command = IdCommand::parse(command.as_bytes()).unwrap().unwrap();
        let cipher = has_tls.then(|| TlsCipher::parse("OURS").unwrap());
        let inbound = if trusted { InboundTls::Trust } else { InboundTls::Remove };
        let before = command.parameters();
        match forward_id(&command, cipher.as_ref(), inbound) {
            Ok(forwarded) => {
                let after = IdCommand::parse(&forwarded.command).unwrap().unwrap();
                let (before, after) = (before.unwrap(), after.parameters().unwrap());
                let passes = |field: &str| {
                    let mut words = field.split([' ', '\\', '"', '(', ')', '\r', '\n', ',', '=']);
                    words.any(|word| word.eq_ignore_ascii_case("tls"))
                };
                let others = |parameters: &IdParameters<'_>| {
                    let others = parameters.pairs().filter(|(field, _)| !passes(field));
                    let owned = others.map(|(field, value)| (field.to_owned(), value.map(str::to_owned)));
                    owned.collect::<Vec<_>>()
                };
                prop_assert_eq!(others(&before), others(&after));
                let tls = |parameters: &IdParameters<'_>| {
                    let mut pairs = parameters.pairs();
                    let tls = pairs.find(|(field, _)| field.eq_ignore_ascii_case("tls"));
                    tls.map(|(_, value)| value.map(str::to_owned))
                };
                let came = tls(&before);
                let ours = has_tls.then(|| Some("OURS".to_owned()));
                let passed = before.pairs().any(|(field, _)| passes(field));
                prop_assert_eq!(forwarded.removed, passed && !trusted);
                let expected = if trusted { came.or(ours) } else { ours };
                prop_assert_eq!(tls(&after), expected);
                let left = after.pairs().filter(|(field, _)| passes(field)).count();
                prop_assert!(trusted || left == usize::from(has_tls));
                if !forwarded.removed && cipher.is_none() {
                    prop_assert_eq!(after.to_string(), before.to_string());
                }
            }
            Err(error) => {
                prop_assert_eq!(before.map(drop).map_err(ForwardError::Unreadable), Err(error));
            }
        }
    }

    /// A report that a client's own side writes is read the same, whatever is in it.
    #[test]
    fn what_a_client_writes_is_what_the_server_reads(
        name in prop::option::of("[!-<>-~]{1,20}"),
        version in prop::option::of("[!-<>-~]{1,20}"),
        latch in prop::collection::vec("[a-z][a-z0-9_-]{0,10}", 0..4),
        latch_fail in prop::collection::vec("[a-z][a-z0-9_-]{0,10}", 0..4),
        names in prop_oneof![
            Just(FieldNames::Text), Just(FieldNames::Examples), Just(FieldNames::Both)
        ],
    ) {
        let report = ClientReport {
            name,
            version,
            latch: tags(&latch.join(" ")),
            latch_fail: tags(&latch_fail.join(" ")),
            ..ClientReport::default()
        };
        let command = format!("a ID {}\r\n", report.to_id_parameters(names).unwrap());
        prop_assert_eq!(answered(command.as_bytes(), TlsField::Ignore).1, Ok(report.clone()));
        let parameters = IdCommand::parse(command.as_bytes()).unwrap().unwrap();
        prop_assert_eq!(report_of(&parameters.parameters().unwrap()), Ok(report.clone()));
        if let Ok(line) = report.to_client_command(names) {
            let answer = advertised(STATUS).unwrap();
            let answer = answer.answer_client(line.as_bytes(), TlsField::Ignore, false).unwrap();
            prop_assert_eq!(answer.report, Ok(report.clone()));
            prop_assert_eq!(parse_client(&line), Ok(report));
        } else {
            prop_assert_eq!(report, ClientReport::default());
        }
    }
}
