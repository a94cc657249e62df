//! Advertisements and advice.

use super::*;

#[test]
fn advertises_as_in_the_examples_of_the_draft() {
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
        let answer =
            advertisement.answer_client(b"CLIENT a=b", TlsField::Trust, ReplyCodes::Enhanced);
        assert_eq!(answer.is_some(), smtp);
    }
}

#[test]
fn rejects_tags_that_the_server_does_not_achieve() {
    let of = |text, facts: &SessionFacts| {
        Advertisement::try_new(&config(text), &Facilities::new(), facts).map(drop)
    };
    let refused = |text| Err(AdvertiseError::NotKept(tags(text)));
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
        refused("tls12 x-new").map_err(|error: AdvertiseError| error.to_string()),
        Err::<(), _>("the server does not achieve: tls12 x-new".to_owned())
    );
}

#[test]
fn rejects_a_status_that_a_protocol_cannot_carry() {
    // POP: "DEEP " and 505 octets are 510, and 512 with CRLF. SMTP: with "250-" too.
    let of_length = |length: usize| format!("+{}", "x".repeat(length - 1));
    let made = |length, protocol| {
        let config = AdvertisementConfig {
            protocols: vec![protocol],
            ..config(&of_length(length))
        };
        let made = Advertisement::try_new(&config, &Facilities::new(), &SessionFacts::default());
        made.map(drop).map_err(|error| match error {
            AdvertiseError::Protocol(protocol, error) => (protocol, error.kind()),
            error => panic!("{error}"),
        })
    };
    let limit = |limit| EncodeErrorKind::Limit { limit };
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
            AdvertiseError::Protocol(protocol, error) => (protocol, error.field(), error.kind()),
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
        Err((imap, "name", EncodeErrorKind::Character))
    );
    assert_eq!(
        named("a", "1\u{e9}"),
        Err((imap, "version", EncodeErrorKind::Character))
    );
    let text = AdvertiseError::Protocol(imap, named_error()).to_string();
    assert_eq!(text, "imap: name: character that the protocol cannot carry");
}

fn named_error() -> EncodeError {
    let config = AdvertisementConfig {
        name: Some("\n".to_owned()),
        ..config("")
    };
    match Advertisement::try_new(&config, &Facilities::new(), &SessionFacts::default()) {
        Err(AdvertiseError::Protocol(MailProtocol::Imap, error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn advises_what_section_10_6_recommends() {
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
            "the URL should be at another host than the service",
            "tls10 appears twice",
            "the status has more than one URL",
        ]
    );
}
