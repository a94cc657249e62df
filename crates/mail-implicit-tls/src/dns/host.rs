//! Addresses of a host and the TLSA records that apply to one of its ports: RFC 7671 section 7, RFC 7672 section 2.2.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    Answer, DnsName, Dnssec, Lookup, LookupFailure, Next, Question, Record, RecordKind, Tlsa,
};
use crate::name::DomainName;

/// The use of DANE for a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum DaneUse {
    /// TLSA records are asked for where the host's addresses are secured by DNSSEC.
    #[default]
    Lookup,
    /// TLSA records are not asked for.
    Never,
}

/// A lookup of the addresses of a host, and of the TLSA records of one port.
///
/// TLSA records are asked for only if the addresses are secure, since a resolver that fails on TLSA questions alone
/// must not break hosts without DNSSEC (RFC 7672 section 2.2.2).
#[derive(Clone, Debug)]
pub struct HostLookup {
    host: DomainName,
    port: u16,
    dane: DaneUse,
    answers: BTreeMap<Question, Answer>,
}

/// The addresses of a host, and its TLSA records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The addresses: those of IPv6, then those of IPv4.
    pub addresses: Vec<IpAddr>,
    /// The TLSA records.
    pub tlsa: TlsaRecords,
    /// The failure of one of the two families of addresses. The addresses are those of the other.
    pub failed_family: Option<LookupFailure>,
}

/// The TLSA records that apply to a port of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsaRecords {
    /// No records were asked for, because the caller did not want them.
    NotRequested,
    /// No records were asked for, because the addresses are not secured by DNSSEC.
    AddressInsecure,
    /// DNSSEC proves that there are none, or the names are not signed.
    None,
    /// There are records that are not secured by DNSSEC, and must not be used (RFC 6698 section 4.1).
    Insecure,
    /// There are records.
    Records {
        /// The base domain: the host after its aliases, or the host. It is a reference identity too, and the name
        /// for SNI (RFC 7671 sections 7 and 10).
        base: DomainName,
        /// The records.
        records: Vec<Tlsa>,
    },
}

impl TlsaRecords {
    /// Returns the records in an order that does not depend on the one in which a resolver gave them.
    #[cfg(feature = "client")]
    pub(crate) fn in_order(mut self) -> Self {
        if let Self::Records { records, .. } = &mut self {
            records.sort();
        }
        self
    }
}

/// The cause of a lookup that did not find a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HostFailure {
    /// The host has no addresses.
    NoAddress,
    /// The addresses could not be looked up.
    Address(LookupFailure),
    /// The TLSA records could not be looked up. The connection must not be made: an attacker who blocks these
    /// answers would turn DANE off (RFC 7672 section 2.1.1).
    Tlsa(LookupFailure),
}

impl std::fmt::Display for HostFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoAddress => f.write_str("the host has no address"),
            Self::Address(failure) => write!(f, "address lookup failed: {failure}"),
            Self::Tlsa(failure) => write!(f, "TLSA lookup failed: {failure}"),
        }
    }
}

impl std::error::Error for HostFailure {}

impl HostLookup {
    /// Returns the lookup of a host and a port.
    #[must_use]
    pub fn new(host: DomainName, port: u16, dane: DaneUse) -> Self {
        Self {
            host,
            port,
            dane,
            answers: BTreeMap::new(),
        }
    }

    fn ask(name: &DnsName, kind: RecordKind) -> Question {
        Question {
            name: name.clone(),
            kind,
        }
    }

    /// Returns the questions that have no answer yet.
    fn missing(&self, questions: impl IntoIterator<Item = Question>) -> Vec<Question> {
        questions
            .into_iter()
            .filter(|question| !self.answers.contains_key(question))
            .collect()
    }

    /// Returns the TLSA records, or the question that must be answered first.
    fn tlsa(&self, bases: &[DomainName]) -> Result<Result<TlsaRecords, HostFailure>, Question> {
        let mut found = TlsaRecords::None;
        for base in bases {
            let question = Self::ask(&DnsName::of_port(self.port, base), RecordKind::Tlsa);
            match self.answers.get(&question) {
                None => return Err(question),
                Some(Answer::Failed(failure)) => return Ok(Err(HostFailure::Tlsa(*failure))),
                Some(Answer::Denied { .. }) => {}
                Some(Answer::Records(records)) if records.dnssec == Dnssec::Insecure => {
                    found = TlsaRecords::Insecure;
                }
                Some(Answer::Records(records)) => {
                    let tlsa = records.records.iter().filter_map(|record| match record {
                        Record::Tlsa(tlsa) => Some(tlsa.clone()),
                        _ => None,
                    });
                    return Ok(Ok(TlsaRecords::Records {
                        base: base.clone(),
                        records: tlsa.collect(),
                    }));
                }
            }
        }
        Ok(Ok(found))
    }

    /// Returns the base domains to try, or the question that must be answered first.
    fn bases(
        &self,
        addresses: &Addresses,
    ) -> Result<Result<Vec<DomainName>, HostFailure>, Question> {
        let original = DnsName::from(&self.host);
        if addresses.dnssec == Dnssec::Secure {
            let target = addresses
                .owner
                .to_host()
                .filter(|target| *target != self.host);
            return Ok(Ok(target.into_iter().chain([self.host.clone()]).collect()));
        }
        if addresses.owner == original {
            return Ok(Ok(Vec::new()));
        }
        // The alias may be signed where its target is not. Then the original name is the base domain.
        let question = Self::ask(&original, RecordKind::Cname);
        match self.answers.get(&question) {
            None => Err(question),
            Some(Answer::Failed(failure)) => Ok(Err(HostFailure::Tlsa(*failure))),
            Some(Answer::Records(records)) if records.dnssec == Dnssec::Secure => {
                Ok(Ok(vec![self.host.clone()]))
            }
            Some(_) => Ok(Ok(Vec::new())),
        }
    }

    fn done(&self, addresses: Addresses) -> Next<Result<Host, HostFailure>> {
        let tlsa = if self.dane == DaneUse::Never {
            Ok(TlsaRecords::NotRequested)
        } else {
            let bases = match self.bases(&addresses) {
                Err(question) => return Next::Ask(vec![question]),
                Ok(bases) => bases,
            };
            match bases {
                Err(failure) => Err(failure),
                Ok(bases) if bases.is_empty() => Ok(TlsaRecords::AddressInsecure),
                Ok(bases) => match self.tlsa(&bases) {
                    Err(question) => return Next::Ask(vec![question]),
                    Ok(tlsa) => tlsa,
                },
            }
        };
        Next::Done(tlsa.map(|tlsa| Host {
            addresses: addresses.addresses,
            tlsa,
            failed_family: addresses.failed_family,
        }))
    }
}

/// The addresses of both families.
struct Addresses {
    addresses: Vec<IpAddr>,
    owner: DnsName,
    dnssec: Dnssec,
    failed_family: Option<LookupFailure>,
}

/// Joins the answers of the two families.
fn addresses(answers: [&Answer; 2]) -> Result<Addresses, HostFailure> {
    let mut joined: Option<Addresses> = None;
    let mut failed = None;
    for answer in answers {
        match answer {
            // What this machine lacks says nothing about the host, and may be the cause of the other failure too.
            Answer::Failed(LookupFailure::NoResources) => failed = Some(LookupFailure::NoResources),
            Answer::Failed(failure) => failed = failed.or(Some(*failure)),
            Answer::Denied { .. } => {}
            Answer::Records(records) => {
                let found = records.records.iter().filter_map(|record| match record {
                    Record::Address(address) => Some(*address),
                    _ => None,
                });
                match &mut joined {
                    None => {
                        joined = Some(Addresses {
                            addresses: found.collect(),
                            owner: records.owner.clone(),
                            dnssec: records.dnssec,
                            failed_family: None,
                        });
                    }
                    // Two families of one name that end at different names were changed between the two answers.
                    // DANE's base domain would be a guess, so only the first family counts.
                    Some(joined) if joined.owner != records.owner => {}
                    Some(joined) => {
                        joined.addresses.extend(found);
                        joined.dnssec = joined.dnssec.max(records.dnssec);
                    }
                }
            }
        }
    }
    match (joined, failed) {
        (Some(addresses), failed_family) => Ok(Addresses {
            failed_family,
            ..addresses
        }),
        (None, Some(failure)) => Err(HostFailure::Address(failure)),
        (None, None) => Err(HostFailure::NoAddress),
    }
}

impl Lookup for HostLookup {
    type Output = Result<Host, HostFailure>;

    fn next(&self) -> Next<Self::Output> {
        let name = DnsName::from(&self.host);
        let both = [RecordKind::Aaaa, RecordKind::A].map(|kind| Self::ask(&name, kind));
        let missing = self.missing(both.clone());
        if !missing.is_empty() {
            return Next::Ask(missing);
        }
        let [Some(v6), Some(v4)] = both.each_ref().map(|question| self.answers.get(question))
        else {
            return Next::Ask(both.into());
        };
        match addresses([v6, v4]) {
            Err(failure) => Next::Done(Err(failure)),
            Ok(addresses) => self.done(addresses),
        }
    }

    fn answer(&mut self, question: &Question, answer: Answer) {
        self.answers.entry(question.clone()).or_insert(answer);
    }
}
