//! Domain names.

use mail_implicit_tls::name::{DomainName, NameErrorKind};

#[track_caller]
fn rejects(text: &str, kind: NameErrorKind, offset: usize) {
    let error = DomainName::parse(text).map_err(|error| (error.kind(), error.offset()));
    assert_eq!(error, Err((kind, offset)), "{text:?}");
}

#[test]
fn converts_to_lower_case_a_labels_without_the_final_dot() {
    let names = [
        ("IMAP.Example.COM", "imap.example.com"),
        ("imap.example.com.", "imap.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("bu\u{308}cher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("imap。example。com", "imap.example.com"),
        ("localhost", "localhost"),
        (
            "r3---sn-apo3qvuoxuxbt-j5pe.example",
            "r3---sn-apo3qvuoxuxbt-j5pe.example",
        ),
        ("1.example", "1.example"),
        ("faß.example", "xn--fa-hia.example"),
    ];
    for (text, name) in names {
        assert_eq!(DomainName::parse(text).expect(text).as_str(), name);
    }
}

#[test]
fn rejects_addresses_and_names_that_end_in_a_number() {
    for text in [
        "192.0.2.1",
        "192.0.2.1.",
        "::1",
        "2001:db8::1",
        "example.1",
        "0x7f",
        "a.0x1F",
        "127.1",
    ] {
        rejects(text, NameErrorKind::IpAddress, 0);
    }
}

#[test]
fn rejects_names_of_wrong_length() {
    rejects("", NameErrorKind::Empty, 0);
    rejects(".", NameErrorKind::Empty, 0);
    rejects("a..b", NameErrorKind::EmptyLabel, 2);
    rejects(".a", NameErrorKind::EmptyLabel, 0);
    rejects("a.b..", NameErrorKind::EmptyLabel, 4);
    let label = "a".repeat(63);
    assert!(DomainName::parse(&label).is_ok());
    rejects(&format!("b.{label}a"), NameErrorKind::LabelTooLong, 2);
    let longest = format!("{label}.{label}.{label}.{}", "b".repeat(61));
    assert_eq!(
        DomainName::parse(&longest)
            .expect("253 octets")
            .as_str()
            .len(),
        253
    );
    rejects(&format!("{longest}b"), NameErrorKind::TooLong, 0);
    rejects(&"ü".repeat(513), NameErrorKind::TooLong, 0);
}

#[test]
fn rejects_labels_that_host_names_exclude() {
    // A zero-width space is removed by the mapping of UTS #46.
    let name = DomainName::parse("imap.exa\u{200b}mple").expect("a name");
    assert_eq!(name.as_str(), "imap.example");
    let labels = [
        ("imap.-a.example", 5),
        ("a-.example", 0),
        ("a_b.example", 0),
        ("_imaps._tcp.example", 0),
        ("imap.example.com\0.evil.example", 13),
        ("a b.example", 0),
        ("*.example", 0),
        ("[::1]", 0),
        ("fe80::1%eth0", 0),
        ("user@example.org", 0),
        ("example.org:993", 8),
    ];
    for (text, offset) in labels {
        rejects(text, NameErrorKind::Label, offset);
    }
}

/// RUSTSEC-2024-0421: an A-label that decodes to plain ASCII must not pass for the name it decodes to.
#[test]
fn rejects_a_labels_that_disguise_ascii() {
    rejects("xn--example-.org", NameErrorKind::Label, 0);
    rejects("imap.xn--example-.org", NameErrorKind::Label, 5);
    rejects("xn--.org", NameErrorKind::Label, 0);
}

#[test]
fn finds_ancestors_by_labels() {
    let name = |text| DomainName::parse(text).expect("a name");
    assert!(name("imap.example.org").is_within(&name("example.org")));
    assert!(name("example.org").is_within(&name("Example.ORG.")));
    assert!(!name("notexample.org").is_within(&name("example.org")));
    assert!(!name("org").is_within(&name("example.org")));
    assert_eq!(
        name("a.b.c").labels().rev().collect::<Vec<_>>(),
        ["c", "b", "a"]
    );
}
