//! Received fields: writing, and adding the clauses. Reading is in the vectors of `mail-implicit-tls/received`.

#![allow(clippy::unwrap_used, reason = "tests")]

use mail_implicit_tls::{
    name::DomainName,
    received::{
        CipherSuite, Client, Group, Received, ReceivedErrorKind, Stamp, Transmission,
        TransmissionProtocol,
    },
};

const SUBMISSION: Transmission = Transmission {
    protocol: TransmissionProtocol::Esmtp,
    tls: true,
    authenticated: true,
};

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn stamp(greeting: &str, address: &str) -> String {
    let client = Client::greeting(greeting, address.parse().unwrap());
    let by = name("mx.example.net");
    Stamp::try_new(client, &by, 0).unwrap().to_string()
}

#[test]
fn writes_a_field_that_reads_as_it_was_meant() {
    let (by, client) = (name("mx.example.net"), name("client.example.org"));
    let (suite, group) = (
        CipherSuite::from_number(0x1302),
        Group::from_number(4588).unwrap(),
    );
    let from = Client::greeting("[192.168.1.2]", [192, 0, 2, 1].into()).named(&client);
    let stamp = Stamp::try_new(from, &by, 1_780_272_000)
        .unwrap()
        .with(SUBMISSION);
    let field = stamp
        .id("4hXk2y")
        .unwrap()
        .tls(&suite, Some(&group))
        .to_string();
    assert_eq!(
        field,
        "Received: from [192.168.1.2] (client.example.org [192.0.2.1])\r\n\tby mx.example.net with ESMTPSA id 4hXk2y\
         \r\n\ttls TLS_AES_256_GCM_SHA384 group X25519MLKEM768;\r\n\tMon, 1 Jun 2026 00:00:00 +0000\r\n"
    );
    assert!(field.lines().all(|line| line.len() <= 78));
    let received = Received::parse(field.strip_prefix("Received:").unwrap()).unwrap();
    assert_eq!(received.tls(), Ok(Some(suite)));
    assert_eq!(received.group(), Ok(Some(group)));
    assert_eq!(received.transmission(), Some(SUBMISSION));
    assert_eq!(received.date(), "Mon, 1 Jun 2026 00:00:00 +0000");
}

#[test]
fn writes_nothing_that_a_client_could_use_as_a_clause() {
    let plain = "Received: from unknown ([192.0.2.1])\r\n\tby mx.example.net with ESMTP;\r\n\tThu, 1 Jan 1970 00:00:00 \
                 +0000\r\n";
    for greeting in [
        "",
        "a tls X",
        "a;",
        "(a",
        "a)",
        "a\r\nX-Evil: 1",
        "[a b]",
        "[]",
        "a\"b",
        "bücher.example",
    ] {
        assert_eq!(stamp(greeting, "192.0.2.1"), plain, "{greeting}");
    }
    for greeting in [
        "client.example.org",
        "localhost",
        "a_b",
        "[IPv6:2001:db8::1]",
        "tls",
    ] {
        let expected = plain.replace("unknown", greeting);
        assert_eq!(stamp(greeting, "192.0.2.1"), expected);
    }
    assert!(stamp("a", "2001:db8::1").contains(" from a ([IPv6:2001:db8::1])\r\n"));
    let long = "a".repeat(256);
    let client = Client::greeting(&long, [192, 0, 2, 1].into());
    let error = Stamp::try_new(client, &name("a"), 0).unwrap_err();
    assert_eq!(
        (error.kind(), error.field(), error.offset()),
        (ReceivedErrorKind::TooLong, "Domain", 255)
    );
}

#[test]
fn rejects_identifiers_that_are_no_atoms() {
    let by = name("mx.example.net");
    let offset = |id: &str| {
        let client = Client::greeting("a", [192, 0, 2, 1].into());
        let stamp = Stamp::try_new(client, &by, 0).unwrap();
        stamp.id(id).map(|_| ()).map_err(|error| error.offset())
    };
    assert_eq!(offset("4hXk2y!#$%&'*+-/=?^_`{|}~"), Ok(()));
    assert_eq!(offset(""), Err(0));
    assert_eq!(offset("a tls"), Err(1));
    assert_eq!(offset("ab;"), Err(2));
    assert_eq!(offset("a\r\n"), Err(1));
    assert_eq!(offset(&"a".repeat(100)), Ok(()));
    assert_eq!(offset(&"a".repeat(101)), Err(100));
}

const POSTFIX: &str = " from client.example.org (client.example.org [192.0.2.1])\r\n\t(using TLSv1.3)\r\n\tby \
                       mx.example.net (Postfix) with ESMTPSA id 4hXk2y\r\n\tfor <bob@example.net> ;\r\n\tTue,  1 Jul \
                       2014 10:00:00 +0000 (UTC)\r\n";

#[test]
fn adds_the_clauses_to_a_field_of_postfix() {
    let received = Received::parse(POSTFIX).unwrap();
    let suite = CipherSuite::from_number(0xfefe);
    let field = received.with_tls(&suite, None).unwrap();
    assert_eq!(field, POSTFIX.replace(" ;", "\r\n\ttls 0xFEFE;"));
    let group = Group::parse("x25519").unwrap();
    let field = received.with_tls(&suite, Some(&group)).unwrap();
    assert_eq!(
        field,
        POSTFIX.replace(" ;", "\r\n\ttls 0xFEFE group x25519;")
    );
    let error = Received::parse(&field)
        .unwrap()
        .with_tls(&suite, None)
        .unwrap_err();
    let at = field.find("tls 0x").unwrap();
    assert_eq!(
        (error.kind(), error.field(), error.offset()),
        (ReceivedErrorKind::Duplicate, "tls", at)
    );
    let grouped = Received::parse("from a group x; d").unwrap();
    let error = grouped.with_tls(&suite, Some(&group)).unwrap_err();
    assert_eq!(
        (error.kind(), error.field(), error.offset()),
        (ReceivedErrorKind::Duplicate, "group", 7)
    );
    assert_eq!(
        grouped.with_tls(&suite, None).unwrap(),
        "from a group x\r\n\ttls 0xFEFE; d"
    );
}

#[test]
fn points_at_the_octet_of_a_wrong_clause() {
    let error = |body: &str| {
        let received = Received::parse(body).unwrap();
        let error = received.tls().err().or(received.group().err()).unwrap();
        (error.kind(), error.field(), error.offset())
    };
    let expected = ReceivedErrorKind::Expected;
    let duplicate = ReceivedErrorKind::Duplicate;
    assert_eq!(error(" (c) tls a-b; d"), (expected, "tls-cipher", 10));
    assert_eq!(error("tls 0x13; d"), (expected, "tls-cipher", 8));
    assert_eq!(error("tls 0x13zz; d"), (expected, "tls-cipher", 8));
    assert_eq!(error("tls 0x13011; d"), (expected, "tls-cipher", 10));
    assert_eq!(error("tls A tls B; d"), (duplicate, "tls", 6));
    assert_eq!(error("tls A group a.; d"), (expected, "dh-group", 13));
    assert_eq!(error("group a group b; d"), (duplicate, "group", 8));
}

#[test]
fn names_suites_as_registered() {
    for number in [
        0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9,
    ] {
        let suite = CipherSuite::from_number(number);
        assert!(suite.as_str().starts_with("TLS_"), "{suite}");
        assert_eq!(suite.number(), Some(number));
        assert_eq!(CipherSuite::parse(suite.as_str()), Ok(suite.clone()));
    }
    assert_eq!(CipherSuite::from_number(0xfeff).as_str(), "0xFEFF");
    assert_eq!(CipherSuite::parse("0xabCD").unwrap().number(), Some(0xabcd));
    assert_eq!(CipherSuite::parse("TLS_UNKNOWN").unwrap().number(), None);
    let all = cfg!(feature = "cipher-names");
    let old = if all {
        "TLS_RSA_WITH_RC4_128_MD5"
    } else {
        "0x0004"
    };
    assert_eq!(CipherSuite::from_number(4).as_str(), old);
    assert_eq!(
        CipherSuite::parse("TLS_RSA_WITH_RC4_128_MD5")
            .unwrap()
            .number(),
        all.then_some(4)
    );
}

/// The short table agrees with the registry.
#[cfg(feature = "cipher-names")]
#[test]
fn names_suites_as_the_registry_does() {
    for suite in tls_parser::CIPHERS.values() {
        assert_eq!(CipherSuite::from_number(suite.id.0).as_str(), suite.name);
    }
}

#[test]
fn names_groups_as_registered() {
    assert_eq!(Group::from_number(29).unwrap().as_str(), "x25519");
    assert_eq!(
        Group::from_number(0x11ec).unwrap().as_str(),
        "X25519MLKEM768"
    );
    assert_eq!(Group::from_number(1), None);
    for number in 0..=u16::MAX {
        if let Some(group) = Group::from_number(number) {
            assert_eq!(Group::parse(group.as_str()), Ok(group.clone()));
        }
    }
}

#[test]
fn writes_each_transmission_type_as_it_reads_it() {
    let protocols = [
        TransmissionProtocol::Esmtp,
        TransmissionProtocol::Lmtp,
        TransmissionProtocol::Utf8Smtp,
        TransmissionProtocol::Utf8Lmtp,
    ];
    for protocol in protocols {
        for (tls, authenticated) in [(false, false), (false, true), (true, false), (true, true)] {
            let transmission = Transmission {
                protocol,
                tls,
                authenticated,
            };
            assert_eq!(
                Transmission::parse(&transmission.to_string()),
                Some(transmission)
            );
        }
    }
    assert_eq!(Transmission::parse("SMTP"), None);
}

/// Dates, by the calendar of Python's `email.utils.format_datetime`.
#[test]
fn writes_dates_of_every_kind_of_year() {
    let by = name("a");
    for (seconds, date) in [
        (0, "Thu, 1 Jan 1970 00:00:00 +0000"),
        (68_169_599, "Mon, 28 Feb 1972 23:59:59 +0000"),
        (68_169_600, "Tue, 29 Feb 1972 00:00:00 +0000"),
        (68_256_000, "Wed, 1 Mar 1972 00:00:00 +0000"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
        (951_868_799, "Tue, 29 Feb 2000 23:59:59 +0000"),
        (978_220_800, "Sun, 31 Dec 2000 00:00:00 +0000"),
        (1_404_208_800, "Tue, 1 Jul 2014 10:00:00 +0000"),
        (1_796_083_199, "Mon, 30 Nov 2026 23:59:59 +0000"),
        (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 +0000"),
        (4_107_542_400, "Mon, 1 Mar 2100 00:00:00 +0000"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 +0000"),
        (u64::MAX, "Fri, 31 Dec 9999 23:59:59 +0000"),
    ] {
        let client = Client::greeting("a", [192, 0, 2, 1].into());
        let field = Stamp::try_new(client, &by, seconds).unwrap().to_string();
        assert!(field.ends_with(&format!(";\r\n\t{date}\r\n")), "{field}");
    }
}

/// RFC 8314 section 4.3 and the draft's section 6: the characters of names, and four digits of numbers.
#[test]
fn reads_the_names_of_groups_and_suites_that_the_grammar_has() {
    for (name, offset) in [
        ("a_b-1", None),
        ("X25519MLKEM768", None),
        ("", Some(0)),
        ("_a", Some(0)),
        ("1a", Some(0)),
        ("a.b", Some(1)),
    ] {
        let group = Group::parse(name);
        assert_eq!(
            group.as_ref().ok().map(Group::as_str),
            offset.is_none().then_some(name)
        );
        assert_eq!(group.err().map(|error| error.offset()), offset, "{name:?}");
    }
    for (name, offset) in [
        ("TLS_A_1", None),
        ("0x00fF", None),
        ("0X1301", None),
        ("", Some(0)),
        ("1", Some(0)),
        ("TLS-A", Some(3)),
        ("0x130", Some(5)),
        ("0x13011", Some(6)),
    ] {
        let suite = CipherSuite::parse(name);
        assert_eq!(
            suite.as_ref().ok().map(CipherSuite::as_str),
            offset.is_none().then_some(name)
        );
        assert_eq!(suite.err().map(|error| error.offset()), offset, "{name:?}");
    }
    // Numbers without a registered name: four digits for a suite, and no form at all for a group.
    assert_eq!(CipherSuite::from_number(0x00c8).as_str(), "0x00C8");
    assert_eq!(CipherSuite::from_number(0x00c8).number(), Some(0x00c8));
    assert_eq!(Group::from_number(0x0a0a), None);
}
