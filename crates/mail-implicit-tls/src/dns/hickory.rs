//! A resolver by hickory (feature `hickory`), for applications that have it already.
//!
//! hickory 0.26 reports some secure answers as bogus: those that aliases or DNAME lead to, and those from wildcards
//! in zones with NSEC. The resolver follows aliases itself, one question for each, which mends the first kind; the
//! others stay failures. An answer is never more secure than it is, and a failure is never a denial.
//!
//! hickory remembers that a signature is valid for the TTL of its records, up to a day, and does not look at its
//! expiration again.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hickory_proto::{
    dnssec::{DnssecSummary, TrustAnchors as HickoryAnchors},
    op::ResponseCode,
    rr::{Name, RData, Record as HickoryRecord, RecordType},
};
use hickory_resolver::{
    Resolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig},
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
};

use tokio::time::timeout;

use super::{
    ANSWER_TIMEOUT, Answer, AnswerFuture, Denial, DnsName, Dnssec, LookupFailure, MAX_ALIASES,
    MAX_RECORDS, Mx, Question, Record, RecordKind, Records, Resolve, Srv, Tlsa,
    anchors::TrustAnchors,
};
use crate::failure::is_lack_of_resources;

/// A resolver that validates every answer, by hickory.
pub struct HickoryResolver {
    resolver: Resolver<TokioRuntimeProvider>,
    timeout: Duration,
}

impl std::fmt::Debug for HickoryResolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HickoryResolver").finish_non_exhaustive()
    }
}

impl HickoryResolver {
    /// Returns a resolver that asks this server. It must be called within a tokio runtime.
    ///
    /// Returns `None` if hickory does not accept the trust anchors.
    #[must_use]
    pub fn new(server: SocketAddr, anchors: &TrustAnchors) -> Option<Self> {
        let connections =
            [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = server.port();
                connection
            });
        let server = NameServerConfig::new(server.ip(), true, connections.into());
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_trust_anchor(Arc::new(anchors.zone().parse::<HickoryAnchors>().ok()?));
        let options = builder.options_mut();
        options.validate = true;
        options.use_hosts_file = ResolveHosts::Never;
        // Without the aliases in an answer, an insecure alias of a secure name would count as secure.
        options.preserve_intermediates = true;
        builder.build().ok().map(|resolver| Self {
            resolver,
            timeout: ANSWER_TIMEOUT,
        })
    }

    /// Sets the time that one answer may take, with the aliases before it, in place of 10 seconds. hickory alone waits
    /// 15 seconds for a silent server.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn answer(&self, question: &Question) -> Result<Answer, LookupFailure> {
        if question.kind == RecordKind::Cname {
            return self.ask(&question.name, RecordKind::Cname).await;
        }
        let mut name = question.name.clone();
        let mut aliases = Aliases {
            dnssec: Dnssec::Secure,
            ttl: Duration::MAX,
        };
        for _ in 0..=MAX_ALIASES {
            match self.ask(&name, RecordKind::Cname).await? {
                Answer::Failed(failure) => return Err(failure),
                // A name that exists without an alias, or does not exist: the last question says it, with its proof.
                Answer::Denied { .. } => {
                    return Ok(aliases.count(self.ask(&name, question.kind).await?));
                }
                Answer::Records(records) => {
                    let [Record::Alias(target)] = records.records.as_slice() else {
                        return Err(LookupFailure::Malformed);
                    };
                    aliases.dnssec = aliases.dnssec.max(records.dnssec);
                    aliases.ttl = aliases.ttl.min(records.ttl);
                    name = target.clone();
                }
            }
        }
        Err(LookupFailure::Aliases)
    }

    /// Asks for records of one name, which is not followed.
    async fn ask(&self, name: &DnsName, kind: RecordKind) -> Result<Answer, LookupFailure> {
        let absolute = Name::from_ascii(name.to_string()).map_err(|_| LookupFailure::Malformed)?;
        let lookup = match self.resolver.lookup(absolute, record_type(kind)).await {
            Ok(lookup) => lookup,
            Err(error) => return failure(error),
        };
        let here = |record: &&HickoryRecord| dns_name(&record.name).as_ref() == Some(name);
        let found: Vec<_> = lookup
            .answers()
            .iter()
            .filter(|record| record.record_type() == record_type(kind))
            .filter(here)
            .collect();
        if found.is_empty() {
            return Err(LookupFailure::Malformed);
        }
        if found.len() > MAX_RECORDS {
            return Err(LookupFailure::TooLarge);
        }
        let dnssec = secured(found.iter().copied())?;
        let ttl = found
            .iter()
            .map(|record| record.ttl)
            .min()
            .unwrap_or_default();
        let records: Option<Vec<_>> = found.iter().map(|record| read(&record.data)).collect();
        Ok(Answer::Records(Records {
            records: records.ok_or(LookupFailure::Malformed)?,
            owner: name.clone(),
            dnssec,
            ttl: Duration::from_secs(u64::from(ttl)),
        }))
    }
}

impl Resolve for HickoryResolver {
    fn lookup<'a>(&'a self, question: &'a Question) -> AnswerFuture<'a> {
        Box::pin(async {
            match timeout(self.timeout, self.answer(question)).await {
                Ok(answer) => answer.unwrap_or_else(Answer::Failed),
                Err(_) => Answer::Failed(LookupFailure::Timeout),
            }
        })
    }
}

/// The aliases that were followed.
struct Aliases {
    dnssec: Dnssec,
    ttl: Duration,
}

impl Aliases {
    /// Counts the aliases for the answer at their end.
    fn count(&self, answer: Answer) -> Answer {
        match answer {
            Answer::Records(records) => Answer::Records(Records {
                dnssec: self.dnssec.max(records.dnssec),
                ttl: self.ttl.min(records.ttl),
                ..records
            }),
            Answer::Denied { denial, dnssec } => Answer::Denied {
                denial,
                dnssec: self.dnssec.max(dnssec),
            },
            Answer::Failed(failure) => Answer::Failed(failure),
        }
    }
}

fn secured<'a>(records: impl Iterator<Item = &'a HickoryRecord>) -> Result<Dnssec, LookupFailure> {
    match DnssecSummary::from_records(records) {
        DnssecSummary::Secure => Ok(Dnssec::Secure),
        DnssecSummary::Insecure => Ok(Dnssec::Insecure),
        DnssecSummary::Bogus => Err(LookupFailure::Bogus),
    }
}

/// Reads an error: only `NoRecordsFound` with NOERROR or NXDOMAIN is a denial.
fn failure(error: NetError) -> Result<Answer, LookupFailure> {
    Err(match error {
        NetError::Timeout => LookupFailure::Timeout,
        NetError::Io(error) if is_lack_of_resources(&error) => LookupFailure::NoResources,
        NetError::Io(_) | NetError::NoConnections | NetError::Busy => LookupFailure::Unreachable,
        NetError::Proto(_) => LookupFailure::Malformed,
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            let denial = match none.response_code {
                ResponseCode::NoError => Denial::NoData,
                ResponseCode::NXDomain => Denial::NoName,
                code => return Err(code_of(code)),
            };
            let authorities = none.authorities.as_deref().unwrap_or_default();
            return Ok(Answer::Denied {
                denial,
                dnssec: secured(authorities.iter())?,
            });
        }
        NetError::Dns(DnsError::DnssecBogus | DnsError::Nsec { .. }) => LookupFailure::Bogus,
        NetError::Dns(DnsError::ResponseCode(code)) => code_of(code),
        _ => LookupFailure::Malformed,
    })
}

fn code_of(code: ResponseCode) -> LookupFailure {
    match code {
        ResponseCode::ServFail => LookupFailure::ServerFailure,
        ResponseCode::Refused => LookupFailure::Refused,
        _ => LookupFailure::Code,
    }
}

const fn record_type(kind: RecordKind) -> RecordType {
    match kind {
        RecordKind::A => RecordType::A,
        RecordKind::Aaaa => RecordType::AAAA,
        RecordKind::Cname => RecordType::CNAME,
        RecordKind::Srv => RecordType::SRV,
        RecordKind::Tlsa => RecordType::TLSA,
        RecordKind::Mx => RecordType::MX,
        RecordKind::Txt => RecordType::TXT,
    }
}

fn read(data: &RData) -> Option<Record> {
    Some(match data {
        RData::A(address) => Record::Address(address.0.into()),
        RData::AAAA(address) => Record::Address(address.0.into()),
        RData::CNAME(target) => Record::Alias(dns_name(&target.0)?),
        RData::SRV(srv) => Record::Srv(Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: host_name(&srv.target),
        }),
        RData::TLSA(tlsa) => Record::Tlsa(Tlsa {
            usage: tlsa.cert_usage.into(),
            selector: tlsa.selector.into(),
            matching_type: tlsa.matching.into(),
            association: tlsa.cert_data.clone(),
        }),
        RData::MX(mx) => Record::Mx(Mx {
            preference: mx.preference,
            exchange: host_name(&mx.exchange),
        }),
        RData::TXT(text) => Record::Txt(text.txt_data.concat()),
        _ => return None,
    })
}

/// Converts the name that a record gives to a host. One that no host has stays, so that the other records count.
fn host_name(name: &Name) -> DnsName {
    DnsName::of_any(&name.to_ascii())
}

fn dns_name(name: &Name) -> Option<DnsName> {
    DnsName::parse(&name.to_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(any(unix, windows))]
    #[test]
    fn tells_a_lack_of_descriptors_from_a_resolver_that_is_down() {
        const NO_DESCRIPTOR: i32 = if cfg!(windows) { 10_024 } else { 24 };
        for (error, expected) in [
            (
                std::io::Error::from_raw_os_error(NO_DESCRIPTOR),
                LookupFailure::NoResources,
            ),
            (
                std::io::ErrorKind::ConnectionRefused.into(),
                LookupFailure::Unreachable,
            ),
        ] {
            let shown = error.to_string();
            assert_eq!(failure(NetError::from(error)), Err(expected), "{shown}");
        }
    }
}
