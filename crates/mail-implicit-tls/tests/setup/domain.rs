//! SRV records of a mail domain, and the offers from them.

use std::time::Duration;

use mail_implicit_tls::{
    dns::{Answer, Denial, DnsName, Dnssec, Lookup, Next, Record, Records, Srv},
    name::DomainName,
    privacy::PrivacyLevel,
    service::Service,
    setup::{Candidate, Offer, Offers, SetupLookup, Source},
};

pub(crate) const SECURE: Dnssec = Dnssec::Secure;
pub(crate) const INSECURE: Dnssec = Dnssec::Insecure;

pub(crate) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

pub(crate) fn srv(priority: u16, port: u16, target: &str) -> Srv {
    Srv {
        priority,
        weight: 1,
        port,
        target: DnsName::parse(target).unwrap(),
    }
}

pub(crate) fn records(dnssec: Dnssec, records: impl IntoIterator<Item = Srv>) -> Answer {
    Answer::Records(Records {
        records: records.into_iter().map(Record::Srv).collect(),
        owner: DnsName::parse("owner.example").unwrap(),
        dnssec,
        ttl: Duration::from_secs(60),
    })
}

pub(crate) const NONE: Answer = Answer::Denied {
    denial: Denial::NoName,
    dnssec: SECURE,
};

/// Runs a lookup of `example.org` with these answers by SRV label; other labels are denied.
pub(crate) fn offers(level: PrivacyLevel, answers: &[(&str, Answer)]) -> Offers {
    let mut lookup = SetupLookup::new(name("example.org"), level, 7);
    let Next::Ask(questions) = lookup.next() else {
        panic!("questions expected")
    };
    for question in &questions {
        let label = question
            .name
            .as_str()
            .strip_suffix("._tcp.example.org")
            .unwrap();
        let known = answers.iter().find(|(known, _)| *known == label);
        lookup.answer(question, known.map_or(NONE, |(_, answer)| answer.clone()));
    }
    match lookup.next() {
        Next::Done(offers) => offers,
        Next::Ask(more) => panic!("no more questions expected: {more:?}"),
    }
}

pub(crate) fn imap(level: PrivacyLevel, answers: &[(&str, Answer)]) -> Offer {
    offers(level, answers).imap
}

pub(crate) fn candidate(service: Service, host: &str, port: u16, dnssec: Dnssec) -> Candidate {
    Candidate::new(
        service,
        name(host),
        port,
        name("example.org"),
        Source::Srv(dnssec),
    )
}
