//! Addresses and TLSA records of a host.

use mail_implicit_tls::dns::{
    Answer, Denial, DnsName, LookupFailure, Record, RecordKind, Tlsa,
    host::{DaneUse, HostFailure, HostLookup, TlsaRecords},
    run,
};

use crate::table::{INSECURE, SECURE, Table, found, host, ip, look_up, name, records_at, tlsa};

#[tokio::test]
async fn finds_secure_records() {
    let table = host(SECURE).tlsa("_993._tcp.mail.example. TLSA", SECURE, 1);
    assert_eq!(
        look_up(table).await,
        found("192.0.2.1", records_at("mail.example", 1))
    );
}

#[tokio::test]
async fn puts_the_port_into_the_owner() {
    let table = host(SECURE).tlsa("_1993._tcp.mail.example. TLSA", SECURE, 1);
    let lookup = HostLookup::new(name("mail.example"), 1993, DaneUse::Lookup);
    assert_eq!(
        run(&table, lookup).await,
        found("192.0.2.1", records_at("mail.example", 1))
    );
}

#[tokio::test]
async fn ignores_insecure_records() {
    let table = host(SECURE).tlsa("_993._tcp.mail.example. TLSA", INSECURE, 1);
    assert_eq!(
        look_up(table).await,
        found("192.0.2.1", TlsaRecords::Insecure)
    );
}

#[tokio::test]
async fn accepts_a_denial_of_records_whatever_its_security() {
    for dnssec in [SECURE, INSECURE] {
        for denial in [Denial::NoData, Denial::NoName] {
            let table = host(SECURE).with(
                "_993._tcp.mail.example. TLSA",
                Answer::Denied { denial, dnssec },
            );
            assert_eq!(look_up(table).await, found("192.0.2.1", TlsaRecords::None));
        }
    }
}

#[tokio::test]
async fn fails_when_the_records_cannot_be_looked_up() {
    for failure in [
        LookupFailure::Bogus,
        LookupFailure::ServerFailure,
        LookupFailure::Timeout,
        LookupFailure::Refused,
        LookupFailure::Code,
        LookupFailure::Malformed,
        LookupFailure::Unreachable,
        LookupFailure::TooLarge,
        LookupFailure::Aliases,
    ] {
        let table = host(SECURE).failed("_993._tcp.mail.example. TLSA", failure);
        assert_eq!(look_up(table).await, Err(HostFailure::Tlsa(failure)));
    }
}

#[tokio::test]
async fn asks_for_no_records_where_the_address_is_insecure() {
    // The table has no answer to a TLSA question: it would be a failure.
    assert_eq!(
        look_up(host(INSECURE)).await,
        found("192.0.2.1", TlsaRecords::AddressInsecure)
    );
}

#[tokio::test]
async fn asks_for_no_records_where_the_caller_wants_none() {
    let lookup = HostLookup::new(name("mail.example"), 993, DaneUse::Never);
    let result = run(&host(SECURE), lookup).await;
    assert_eq!(result, found("192.0.2.1", TlsaRecords::NotRequested));
}

#[tokio::test]
async fn goes_on_with_one_family_when_the_other_fails() {
    let table = Table::default()
        .address("mail.example. A", "mail.example", SECURE, "192.0.2.1")
        .failed("mail.example. AAAA", LookupFailure::ServerFailure)
        .tlsa("_993._tcp.mail.example. TLSA", SECURE, 1);
    let host = look_up(table).await.unwrap();
    assert_eq!(host.addresses, [ip("192.0.2.1")]);
    assert_eq!(host.tlsa, records_at("mail.example", 1));
    assert_eq!(host.failed_family, Some(LookupFailure::ServerFailure));
}

#[tokio::test]
async fn tells_a_failure_from_a_host_without_address() {
    let failed = Table::default()
        .denied("mail.example. A", SECURE)
        .failed("mail.example. AAAA", LookupFailure::Bogus);
    assert_eq!(
        look_up(failed).await,
        Err(HostFailure::Address(LookupFailure::Bogus))
    );
    let none = Table::default()
        .denied("mail.example. A", SECURE)
        .denied("mail.example. AAAA", SECURE);
    assert_eq!(look_up(none).await, Err(HostFailure::NoAddress));
}

/// A lack of descriptors is reported before another failure, which may have the same cause.
#[tokio::test]
async fn tells_a_lack_of_resources_before_the_failure_of_the_other_family() {
    let (lack, other) = (LookupFailure::NoResources, LookupFailure::Unreachable);
    for [v6, v4] in [[lack, other], [other, lack], [lack, lack]] {
        let table = Table::default()
            .failed("mail.example. AAAA", v6)
            .failed("mail.example. A", v4);
        assert_eq!(look_up(table).await, Err(HostFailure::Address(lack)));
    }
    let table = Table::default()
        .failed("mail.example. AAAA", lack)
        .address("mail.example. A", "mail.example", SECURE, "192.0.2.1")
        .tlsa("_993._tcp.mail.example. TLSA", SECURE, 1);
    let host = look_up(table).await.unwrap();
    assert_eq!(host.failed_family, Some(lack));
}

#[tokio::test]
async fn joins_both_families_and_counts_the_less_secure() {
    let table = Table::default()
        .address("mail.example. A", "mail.example", SECURE, "192.0.2.1")
        .address(
            "mail.example. AAAA",
            "mail.example",
            INSECURE,
            "2001:db8::1",
        );
    let host = look_up(table).await.unwrap();
    assert_eq!(host.addresses, [ip("2001:db8::1"), ip("192.0.2.1")]);
    assert_eq!(host.tlsa, TlsaRecords::AddressInsecure);
}

/// The failure of the first family is reported: IPv6.
#[tokio::test]
async fn reports_the_first_of_two_failures() {
    let table = Table::default()
        .failed("mail.example. AAAA", LookupFailure::Timeout)
        .failed("mail.example. A", LookupFailure::Bogus);
    let right = Err(HostFailure::Address(LookupFailure::Timeout));
    assert_eq!(look_up(table).await, right);
}

#[tokio::test]
async fn refuses_records_of_another_type_and_answers_over_the_limit() {
    let none = Table::default()
        .records(
            "mail.example. A",
            "mail.example",
            SECURE,
            vec![Record::Tlsa(tlsa(1))],
        )
        .denied("mail.example. AAAA", SECURE);
    assert_eq!(
        look_up(none).await,
        Err(HostFailure::Address(LookupFailure::Malformed))
    );
    let empty = Table::default()
        .records("mail.example. A", "mail.example", SECURE, Vec::new())
        .denied("mail.example. AAAA", SECURE);
    assert_eq!(
        look_up(empty).await,
        Err(HostFailure::Address(LookupFailure::Malformed))
    );
    let many = host(SECURE).records(
        "_993._tcp.mail.example. TLSA",
        "_993._tcp.mail.example",
        SECURE,
        vec![Record::Tlsa(tlsa(1)); 129],
    );
    assert_eq!(
        look_up(many).await,
        Err(HostFailure::Tlsa(LookupFailure::TooLarge))
    );
    let long = Tlsa {
        association: vec![0; 65_533],
        ..tlsa(1)
    };
    let long = host(SECURE).records(
        "_993._tcp.mail.example. TLSA",
        "_993._tcp.mail.example",
        SECURE,
        vec![Record::Tlsa(long)],
    );
    assert_eq!(
        look_up(long).await,
        Err(HostFailure::Tlsa(LookupFailure::TooLarge))
    );
}

#[test]
fn parses_names_of_services_and_ports() {
    let owner = DnsName::of_port(993, &name("Mail.Example."));
    assert_eq!(owner.to_string(), "_993._tcp.mail.example.");
    assert_eq!(DnsName::parse("_993._tcp.MAIL.example."), Some(owner));
    assert_eq!(DnsName::parse("."), Some(DnsName::ROOT));
    for refused in [
        "",
        "a..b",
        "a b",
        "a\0b",
        "*a.example",
        &"a".repeat(64),
        &"a.".repeat(128),
    ] {
        assert_eq!(DnsName::parse(refused), None, "{refused:?}");
    }
    assert_eq!(RecordKind::Aaaa.to_string(), "AAAA");
}
