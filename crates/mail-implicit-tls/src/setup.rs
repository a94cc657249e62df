//! Account setup from the DNS: draft-newman-email-deep-02 section 8, RFC 6186.
//!
//! [`SetupLookup`] asks for the SRV records of a mail domain; [`Offers`] are the servers that the domain advertises,
//! in the order in which a client should try them, with the warnings that a user must see. A candidate is offered to
//! the user only after it was verified by a connection.

use std::{collections::BTreeMap, fmt};

pub mod address;
#[cfg(feature = "autoconfig")]
#[cfg_attr(docsrs, doc(cfg(feature = "autoconfig")))]
pub mod autoconfig;
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub mod check;
pub mod recheck;

use crate::{
    account::{Host, HostSource, Server},
    dns::{
        Answer, DnsName, Dnssec, Lookup, LookupFailure, Next, Question, Record, RecordKind, Srv,
    },
    name::DomainName,
    privacy::PrivacyLevel,
    service::{Protocol, Security, Service},
    srv,
};

/// A server that a mail domain advertises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    service: Service,
    host: DomainName,
    port: u16,
    domain: DomainName,
    source: Source,
    confirmed: bool,
}

/// The source of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// An SRV record, with its DNSSEC state.
    Srv(Dnssec),
    /// A configuration file that was fetched over https from a host of the mail domain, whose certificate was
    /// verified.
    Autoconfig,
}

/// A warning that a user must see before a candidate is used.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Warning {
    /// "the DNS-advertised mechanism for connecting to the server is not authenticated": the user must verify the
    /// connection details by the provider's documentation.
    NotAuthenticated,
    /// The host is not in the mail domain, and nothing secures the record that names it (RFC 6186 section 6).
    ForeignHost {
        /// The mail domain.
        domain: DomainName,
        /// The host.
        host: DomainName,
    },
    /// "traffic to that server will not be encrypted and ... will therefore likely be intercepted by unauthorized
    /// parties". It must be shown before authentication.
    ClearText,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAuthenticated => f.write_str(
                "the server's name is not authenticated; compare it with the provider's documentation",
            ),
            Self::ForeignHost { domain, host } => write!(
                f,
                "the server {host} is not in the domain {domain}; compare it with the provider's documentation"
            ),
            Self::ClearText => f.write_str(
                "mail and password will not be encrypted and will likely be read by unauthorized parties",
            ),
        }
    }
}

impl Candidate {
    /// Returns a candidate. `domain` is the mail domain that advertises it.
    #[must_use]
    pub fn new(
        service: Service,
        host: DomainName,
        port: u16,
        domain: DomainName,
        source: Source,
    ) -> Self {
        Self {
            service,
            host,
            port,
            domain,
            source,
            confirmed: false,
        }
    }

    /// Returns the service.
    #[must_use]
    pub const fn service(&self) -> Service {
        self.service
    }

    /// Returns the host.
    #[must_use]
    pub const fn host(&self) -> &DomainName {
        &self.host
    }

    /// Returns the port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the mail domain.
    #[must_use]
    pub const fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// Returns the source.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    /// Returns the candidate after the user has verified the connection details by the provider's documentation, so
    /// that the host counts like one that the user typed.
    #[must_use]
    pub fn confirmed_by_user(mut self) -> Self {
        self.confirmed = true;
        self
    }

    /// Returns the server for an account. The names that its certificate must have follow from the candidate's source
    /// ([`Account::references`](crate::account::Account::references)).
    #[must_use]
    pub fn to_server(&self) -> Server {
        let source = match (self.source, self.confirmed) {
            (Source::Srv(Dnssec::Secure), _) => HostSource::SecureSrv,
            (Source::Srv(Dnssec::Insecure), true) => HostSource::ConfirmedSrv,
            (Source::Srv(Dnssec::Insecure), false) => HostSource::InsecureSrv,
            (Source::Autoconfig, _) => HostSource::Autoconfig,
        };
        Server::new(self.service, Host::Name(self.host.clone()))
            .with_port(self.port)
            .with_source(source)
    }

    /// Returns the warnings that the user must see before the candidate is used.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if self.source == Source::Srv(Dnssec::Insecure) && !self.confirmed {
            warnings.push(Warning::NotAuthenticated);
            if !self.host.is_within(&self.domain) {
                warnings.push(Warning::ForeignHost {
                    domain: self.domain.clone(),
                    host: self.host.clone(),
                });
            }
        }
        if self.service.security == Security::Clear {
            warnings.push(Warning::ClearText);
        }
        warnings
    }
}

/// The servers that a mail domain advertises for one protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Offer {
    /// The domain advertises nothing for the protocol. DNSSEC may secure this.
    NotAdvertised(Dnssec),
    /// The domain states that the protocol is not available, by the target "." (RFC 2782). No host may be guessed.
    Unavailable(Dnssec),
    /// The domain advertises servers.
    Candidates {
        /// The servers to try, in this order: implicit TLS, then STARTTLS.
        candidates: Vec<Candidate>,
        /// The servers to try in clear text if no candidate can be used and no certificate is the reason, as the function
        /// `check` of the feature `client` decides. The list is empty unless the account's level is Low and the domain
        /// advertises nothing with implicit TLS (in a configuration file: with TLS). RFC 6186 has one label for STARTTLS
        /// and clear text, so each server is also a candidate with STARTTLS there.
        clear: Vec<Candidate>,
        /// The records that were not used, and the reasons.
        refused: Vec<(Srv, RefusedRecord)>,
    },
    /// A lookup failed, so it is not known what the domain advertises. No host may be guessed (RFC 7673 section
    /// 3.1): an attacker who blocks an answer would choose the server.
    Failed {
        /// The service whose records could not be looked up.
        service: Service,
        /// The cause.
        failure: LookupFailure,
    },
}

/// The reason why an SRV record was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusedRecord {
    /// The target "." occurs beside other records, which RFC 2782 excludes. None of them is used.
    RootBesideOthers,
    /// The target is not the name of a host, or looks like an IP address.
    Target,
    /// The port is 0.
    Port,
}

impl fmt::Display for RefusedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RootBesideOthers => "the target \".\" must be the only record",
            Self::Target => "the target is not the name of a host",
            Self::Port => "the port is 0",
        })
    }
}

/// The servers that a mail domain advertises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offers {
    /// The servers for IMAP.
    pub imap: Offer,
    /// The servers for POP.
    pub pop: Offer,
    /// The servers for submission.
    pub submission: Offer,
}

impl Offers {
    /// Returns the offer for a protocol.
    pub const fn of(&self, protocol: Protocol) -> &Offer {
        match protocol {
            Protocol::Imap => &self.imap,
            Protocol::Pop => &self.pop,
            Protocol::Submission => &self.submission,
        }
    }
}

/// A lookup of the servers that a mail domain advertises.
///
/// All questions are asked at once; the caller sets one deadline over them.
#[derive(Clone, Debug)]
pub struct SetupLookup {
    domain: DomainName,
    level: PrivacyLevel,
    seed: u64,
    answers: BTreeMap<Question, Answer>,
}

impl SetupLookup {
    /// Returns the lookup of a mail domain, for an account of this level. `seed` chooses the order among records
    /// of one priority; it should be random.
    #[must_use]
    pub fn new(domain: DomainName, level: PrivacyLevel, seed: u64) -> Self {
        Self {
            domain,
            level,
            seed,
            answers: BTreeMap::new(),
        }
    }

    /// Returns the question for a service. The records of a clear-text service are those of STARTTLS.
    fn question(&self, protocol: Protocol, security: Security) -> Question {
        let service = Service::new(protocol, security);
        Question {
            name: DnsName::of_service(service, &self.domain),
            kind: RecordKind::Srv,
        }
    }

    fn questions(&self) -> impl Iterator<Item = Question> {
        let protocols = [Protocol::Imap, Protocol::Pop, Protocol::Submission];
        protocols.into_iter().flat_map(|protocol| {
            [Security::Implicit, Security::StartTls]
                .map(|security| self.question(protocol, security))
        })
    }

    fn offer(&self, protocol: Protocol) -> Offer {
        let mut found = Found::default();
        for security in [Security::Implicit, Security::StartTls] {
            let service = Service::new(protocol, security);
            match self.answers.get(&self.question(protocol, security)) {
                None => {
                    return Offer::Failed {
                        service,
                        failure: LookupFailure::Timeout,
                    };
                }
                Some(Answer::Failed(failure)) => {
                    return Offer::Failed {
                        service,
                        failure: *failure,
                    };
                }
                Some(Answer::Denied { dnssec, .. }) => found.denied(*dnssec),
                Some(Answer::Records(records)) => {
                    let records_of = records.records.iter().filter_map(|record| match record {
                        Record::Srv(srv) => Some(srv.clone()),
                        _ => None,
                    });
                    self.records(service, records_of.collect(), records.dnssec, &mut found);
                }
            }
        }
        found.offer(self.level)
    }

    /// Adds the candidates of one set of records.
    fn records(&self, service: Service, records: Vec<Srv>, dnssec: Dnssec, found: &mut Found) {
        let is_root = |record: &Srv| record.target.is_root();
        if records.iter().all(is_root) {
            found.unavailable = Some(found.unavailable.map_or(dnssec, |known| known.max(dnssec)));
            return;
        }
        found.advertises_tls |= service.security == Security::Implicit;
        if records.iter().any(is_root) {
            let refused = records
                .into_iter()
                .map(|record| (record, RefusedRecord::RootBesideOthers));
            found.refused.extend(refused);
            return;
        }
        let mut random = SplitMix(self.seed);
        for record in srv::order(&records, &mut || random.next()) {
            let host = match (record.target.to_host(), record.port) {
                (None, _) => Err(RefusedRecord::Target),
                (_, 0) => Err(RefusedRecord::Port),
                (Some(host), _) => Ok(host),
            };
            match host {
                Err(reason) => found.refused.push((record, reason)),
                Ok(host) => found.candidates.push(Candidate::new(
                    service,
                    host,
                    record.port,
                    self.domain.clone(),
                    Source::Srv(dnssec),
                )),
            }
        }
    }
}

impl Lookup for SetupLookup {
    type Output = Offers;

    fn next(&self) -> Next<Offers> {
        let missing: Vec<_> = self
            .questions()
            .filter(|question| !self.answers.contains_key(question))
            .collect();
        if missing.is_empty() {
            Next::Done(self.offers())
        } else {
            Next::Ask(missing)
        }
    }

    fn answer(&mut self, question: &Question, answer: Answer) {
        self.answers.entry(question.clone()).or_insert(answer);
    }
}

impl SetupLookup {
    /// Returns the offers by the answers that are there. A protocol with a question that has no answer yet is
    /// [`Offer::Failed`] with [`LookupFailure::Timeout`]: this is the result after the caller's deadline.
    #[must_use]
    pub fn offers(&self) -> Offers {
        Offers {
            imap: self.offer(Protocol::Imap),
            pop: self.offer(Protocol::Pop),
            submission: self.offer(Protocol::Submission),
        }
    }
}

/// The findings about one protocol.
#[derive(Default)]
struct Found {
    candidates: Vec<Candidate>,
    refused: Vec<(Srv, RefusedRecord)>,
    denied: Option<Dnssec>,
    unavailable: Option<Dnssec>,
    /// `true` if there are records for implicit TLS, also if none of them can be used.
    advertises_tls: bool,
}

impl Found {
    fn denied(&mut self, dnssec: Dnssec) {
        self.denied = Some(self.denied.map_or(dnssec, |known| known.max(dnssec)));
    }

    fn offer(self, level: PrivacyLevel) -> Offer {
        if self.candidates.is_empty() && self.refused.is_empty() {
            return match (self.unavailable, self.denied) {
                (Some(dnssec), _) => Offer::Unavailable(dnssec),
                (None, dnssec) => Offer::NotAdvertised(dnssec.unwrap_or(Dnssec::Insecure)),
            };
        }
        // newman-8-3: clear text "unless there are no advertised configurations using TLS". A server that is advertised
        // for STARTTLS may have none: RFC 6186 section 3.1 has one label for both.
        let clear = match level {
            PrivacyLevel::Low if !self.advertises_tls => {
                let starttls = |it: &&Candidate| it.service.security == Security::StartTls;
                let in_clear = |it: &Candidate| Candidate {
                    service: Service::new(it.service.protocol, Security::Clear),
                    ..it.clone()
                };
                self.candidates
                    .iter()
                    .filter(starttls)
                    .map(in_clear)
                    .collect()
            }
            _ => Vec::new(),
        };
        Offer::Candidates {
            candidates: self.candidates,
            clear,
            refused: self.refused,
        }
    }
}

/// A generator for the order of servers, not for secrets: `SplitMix64`.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
