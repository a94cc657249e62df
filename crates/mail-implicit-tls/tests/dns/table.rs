//! A resolver that answers from a table, and hosts that it knows.

use std::{net::IpAddr, time::Duration};

use mail_implicit_tls::{
    dns::{
        Answer, AnswerFuture, Denial, DnsName, Dnssec, LookupFailure, Question, Record, Records,
        Resolve, Tlsa,
        host::{DaneUse, Host, HostFailure, HostLookup, TlsaRecords},
        run,
    },
    name::DomainName,
};

pub(crate) const SECURE: Dnssec = Dnssec::Secure;
pub(crate) const INSECURE: Dnssec = Dnssec::Insecure;

/// A resolver that answers from a table. A question that the table lacks fails, so that a test shows which questions
/// are asked.
#[derive(Default)]
pub(crate) struct Table(pub(crate) Vec<(String, Answer)>);

impl Table {
    pub(crate) fn with(mut self, question: &str, answer: Answer) -> Self {
        self.0.push((question.to_owned(), answer));
        self
    }

    pub(crate) fn records(
        self,
        question: &str,
        owner: &str,
        dnssec: Dnssec,
        records: Vec<Record>,
    ) -> Self {
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

    pub(crate) fn address(
        self,
        question: &str,
        owner: &str,
        dnssec: Dnssec,
        address: &str,
    ) -> Self {
        self.records(
            question,
            owner,
            dnssec,
            vec![Record::Address(address.parse().unwrap())],
        )
    }

    pub(crate) fn tlsa(self, question: &str, dnssec: Dnssec, octet: u8) -> Self {
        let owner = question.split(' ').next().unwrap();
        self.records(question, owner, dnssec, vec![Record::Tlsa(tlsa(octet))])
    }

    pub(crate) fn denied(self, question: &str, dnssec: Dnssec) -> Self {
        self.with(
            question,
            Answer::Denied {
                denial: Denial::NoData,
                dnssec,
            },
        )
    }

    pub(crate) fn failed(self, question: &str, failure: LookupFailure) -> Self {
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

pub(crate) fn tlsa(octet: u8) -> Tlsa {
    Tlsa {
        usage: 3,
        selector: 1,
        matching_type: 1,
        association: vec![octet; 32],
    }
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

pub(crate) async fn look_up(table: Table) -> Result<Host, HostFailure> {
    run(
        &table,
        HostLookup::new(name("mail.example"), 993, DaneUse::Lookup),
    )
    .await
}

pub(crate) fn found(address: &str, tlsa: TlsaRecords) -> Result<Host, HostFailure> {
    Ok(Host {
        addresses: vec![ip(address)],
        tlsa,
        failed_family: None,
    })
}

pub(crate) fn records_at(base: &str, octet: u8) -> TlsaRecords {
    TlsaRecords::Records {
        base: name(base),
        records: vec![tlsa(octet)],
    }
}

/// A host with a secure address of IPv4.
pub(crate) fn host(dnssec: Dnssec) -> Table {
    Table::default()
        .address("mail.example. A", "mail.example", dnssec, "192.0.2.1")
        .denied("mail.example. AAAA", dnssec)
}

/// A host that is an alias.
pub(crate) fn alias(dnssec: Dnssec) -> Table {
    Table::default()
        .address("mail.example. A", "target.example", dnssec, "192.0.2.1")
        .denied("mail.example. AAAA", dnssec)
}
