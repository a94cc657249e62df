//! Lookups of a host and its TLSA records, with a resolver that answers from a table.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::{net::IpAddr, time::Duration};

use mail_implicit_tls::{
    dns::{
        Answer, AnswerFuture, Denial, DnsName, Dnssec, LookupFailure, Question, Record, RecordKind,
        Records, Resolve, Tlsa,
        host::{DaneUse, Host, HostFailure, HostLookup, TlsaRecords},
        run,
    },
    name::DomainName,
};

const SECURE: Dnssec = Dnssec::Secure;
const INSECURE: Dnssec = Dnssec::Insecure;

/// A resolver that answers from a table. A question that the table lacks fails, so that a test shows which questions
/// are asked.
#[derive(Default)]
struct Table(Vec<(String, Answer)>);

impl Table {
    fn with(mut self, question: &str, answer: Answer) -> Self {
        self.0.push((question.to_owned(), answer));
        self
    }

    fn records(self, question: &str, owner: &str, dnssec: Dnssec, records: Vec<Record>) -> Self {
        let owner = DnsName::parse(owner).unwrap();
        let ttl = Duration::from_secs(300);
        self.with(
            question,
            Answer::Records(Records {
                records,
                owner,
                dnssec,
                ttl,
            }),
        )
    }

    fn address(self, question: &str, owner: &str, dnssec: Dnssec, address: &str) -> Self {
        self.records(
            question,
            owner,
            dnssec,
            vec![Record::Address(address.parse().unwrap())],
        )
    }

    fn tlsa(self, question: &str, dnssec: Dnssec, octet: u8) -> Self {
        let owner = question.split(' ').next().unwrap();
        self.records(question, owner, dnssec, vec![Record::Tlsa(tlsa(octet))])
    }

    fn denied(self, question: &str, dnssec: Dnssec) -> Self {
        self.with(
            question,
            Answer::Denied {
                denial: Denial::NoData,
                dnssec,
            },
        )
    }

    fn failed(self, question: &str, failure: LookupFailure) -> Self {
        self.with(question, Answer::Failed(failure))
    }
}

impl Resolve for Table {
    fn lookup<'a>(&'a self, question: &'a Question) -> AnswerFuture<'a> {
        let asked = question.to_string();
        let known = self.0.iter().find(|(question, _)| *question == asked);
        let answer = known.map(|(_, answer)| answer.clone());
        Box::pin(async move { answer.unwrap_or(Answer::Failed(LookupFailure::Code)) })
    }
}

fn tlsa(octet: u8) -> Tlsa {
    Tlsa {
        usage: 3,
        selector: 1,
        matching_type: 1,
        association: vec![octet; 32],
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

async fn look_up(table: Table) -> Result<Host, HostFailure> {
    run(
        &table,
        HostLookup::new(name("mail.example"), 993, DaneUse::Lookup),
    )
    .await
}

fn found(address: &str, tlsa: TlsaRecords) -> Result<Host, HostFailure> {
    Ok(Host {
        addresses: vec![ip(address)],
        tlsa,
        failed_family: None,
    })
}

fn records_at(base: &str, octet: u8) -> TlsaRecords {
    TlsaRecords::Records {
        base: name(base),
        records: vec![tlsa(octet)],
    }
}

/// A host with a secure address of IPv4.
fn host(dnssec: Dnssec) -> Table {
    Table::default()
        .address("mail.example. A", "mail.example", dnssec, "192.0.2.1")
        .denied("mail.example. AAAA", dnssec)
}

/// A host that is an alias.
fn alias(dnssec: Dnssec) -> Table {
    Table::default()
        .address("mail.example. A", "target.example", dnssec, "192.0.2.1")
        .denied("mail.example. AAAA", dnssec)
}

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
