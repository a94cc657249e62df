//! Hosts that are aliases, and the base domain of their TLSA records (RFC 7671 section 7).

use mail_implicit_tls::dns::{
    DnsName, LookupFailure, Record,
    host::{HostFailure, TlsaRecords},
};

use crate::table::{INSECURE, SECURE, Table, alias, found, ip, look_up, records_at};

/// The TLSA base domain follows from the alias, so that the addresses of another alias do not count.
#[tokio::test]
async fn uses_the_addresses_of_one_alias_when_the_families_differ() {
    let table = |v6: &str| {
        Table::default()
            .address("mail.example. A", "four.example", SECURE, "192.0.2.1")
            .address("mail.example. AAAA", v6, SECURE, "2001:db8::1")
            .tlsa("_993._tcp.four.example. TLSA", SECURE, 4)
            .tlsa("_993._tcp.six.example. TLSA", SECURE, 6)
    };
    let host = look_up(table("six.example")).await.unwrap();
    assert_eq!(host.addresses, [ip("2001:db8::1")]);
    assert_eq!(host.tlsa, records_at("six.example", 6));
    let host = look_up(table("four.example")).await.unwrap();
    assert_eq!(host.addresses, [ip("2001:db8::1"), ip("192.0.2.1")]);
    assert_eq!(host.tlsa, records_at("four.example", 4));
}

#[tokio::test]
async fn takes_the_target_of_secure_aliases_as_base() {
    let table = alias(SECURE).tlsa("_993._tcp.target.example. TLSA", SECURE, 2);
    assert_eq!(
        look_up(table).await,
        found("192.0.2.1", records_at("target.example", 2))
    );
}

#[tokio::test]
async fn tries_the_alias_after_its_target() {
    for denial in [SECURE, INSECURE] {
        let table = alias(SECURE)
            .denied("_993._tcp.target.example. TLSA", denial)
            .tlsa("_993._tcp.mail.example. TLSA", SECURE, 1);
        assert_eq!(
            look_up(table).await,
            found("192.0.2.1", records_at("mail.example", 1))
        );
    }
}

/// Insecure records at the target do not hide secure ones at the alias.
#[tokio::test]
async fn tries_the_alias_after_insecure_records_of_its_target() {
    let insecure = || alias(SECURE).tlsa("_993._tcp.target.example. TLSA", INSECURE, 2);
    let table = insecure().tlsa("_993._tcp.mail.example. TLSA", SECURE, 1);
    let right = found("192.0.2.1", records_at("mail.example", 1));
    assert_eq!(look_up(table).await, right);
    let table = insecure().denied("_993._tcp.mail.example. TLSA", SECURE);
    let right = found("192.0.2.1", TlsaRecords::Insecure);
    assert_eq!(look_up(table).await, right);
}

#[tokio::test]
async fn fails_when_the_targets_records_cannot_be_looked_up() {
    let table = alias(SECURE)
        .failed("_993._tcp.target.example. TLSA", LookupFailure::Timeout)
        .tlsa("_993._tcp.mail.example. TLSA", SECURE, 1);
    assert_eq!(
        look_up(table).await,
        Err(HostFailure::Tlsa(LookupFailure::Timeout))
    );
}

#[tokio::test]
async fn takes_a_secure_alias_of_an_insecure_target_as_base() {
    let target = Record::Alias(DnsName::parse("target.example").unwrap());
    let table = alias(INSECURE)
        .records("mail.example. CNAME", "mail.example", SECURE, vec![target])
        .tlsa("_993._tcp.mail.example. TLSA", SECURE, 1);
    assert_eq!(
        look_up(table).await,
        found("192.0.2.1", records_at("mail.example", 1))
    );
}

#[tokio::test]
async fn uses_no_dane_behind_an_insecure_alias() {
    let target = Record::Alias(DnsName::parse("target.example").unwrap());
    let table = alias(INSECURE).records(
        "mail.example. CNAME",
        "mail.example",
        INSECURE,
        vec![target],
    );
    assert_eq!(
        look_up(table).await,
        found("192.0.2.1", TlsaRecords::AddressInsecure)
    );
}

#[tokio::test]
async fn fails_when_an_alias_cannot_be_looked_up() {
    let table = alias(INSECURE).failed("mail.example. CNAME", LookupFailure::Bogus);
    assert_eq!(
        look_up(table).await,
        Err(HostFailure::Tlsa(LookupFailure::Bogus))
    );
}

#[tokio::test]
async fn fails_on_a_circle_of_aliases() {
    let table = Table::default()
        .failed("mail.example. A", LookupFailure::Aliases)
        .failed("mail.example. AAAA", LookupFailure::Aliases);
    assert_eq!(
        look_up(table).await,
        Err(HostFailure::Address(LookupFailure::Aliases))
    );
}
