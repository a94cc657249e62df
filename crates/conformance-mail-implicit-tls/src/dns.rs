//! The suites `mail-implicit-tls/srv-order` and `mail-implicit-tls/host-lookup`.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    pin::pin,
    sync::Mutex,
    task::{Context, Poll, Waker},
    time::Duration,
};

use conformance::{Input, MalformedCase, Outcome, Ran, malformed, octets::from_hex, violated};
use mail_implicit_tls::{
    dns::{
        Answer, AnswerFuture, Denial, DnsName, Dnssec, LookupFailure, Question, Record, Records,
        Resolve, Srv, Tlsa,
        host::{DaneUse, HostFailure, HostLookup, TlsaRecords},
        run,
    },
    name::DomainName,
    srv::order,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::oracle;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderCase {
    records: Vec<(u16, u16, u16, String)>,
    random: Vec<u64>,
}

pub(super) fn srv_order(input: Input) -> Ran {
    let case: OrderCase = input.parse()?;
    let records: Result<Vec<_>, _> = case
        .records
        .into_iter()
        .map(|(priority, weight, port, target)| {
            Ok(Srv {
                priority,
                weight,
                port,
                target: dns_name(&target)?,
            })
        })
        .collect::<Result<_, MalformedCase>>();
    let records = records?;
    oracle::srv_order(&records, &case.random).map_err(violated)?;
    let mut numbers = case.random.iter();
    let mut short = false;
    let ordered = order(&records, &mut || {
        numbers.next().copied().unwrap_or_else(|| {
            short = true;
            0
        })
    });
    if short || numbers.next().is_some() {
        return Err(violated("the numbers are too few or too many"));
    }
    let ordered = ordered.iter();
    let ordered: Vec<_> = ordered
        .map(|it| json!([it.priority, it.weight, it.port, it.target.to_string()]))
        .collect();
    Ok(Outcome::Accept(json!(ordered)))
}

fn dns_name(text: &str) -> Result<DnsName, MalformedCase> {
    DnsName::parse(text).ok_or_else(|| malformed(format!("no name: {text}")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HostCase {
    host: DomainName,
    port: u16,
    dane: DaneUse,
    answers: BTreeMap<String, Given>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub(super) enum Given {
    Records {
        owner: String,
        dnssec: Dnssec,
        data: Vec<Data>,
    },
    Denied(Denied, Dnssec),
    Failed(Failed),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub(super) enum Data {
    Address(IpAddr),
    Alias(String),
    Srv(u16, u16, u16, String),
    Tlsa(u8, u8, u8, String),
    /// Octets of a record's association.
    Long(usize),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Denied {
    NoData,
    NoName,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Failed {
    Bogus,
    ServerFailure,
    Refused,
    Code,
    Timeout,
    Unreachable,
    Malformed,
    Aliases,
    TooLarge,
}

/// The answers of a case, and the questions that were asked.
struct Table {
    answers: BTreeMap<String, Answer>,
    asked: Mutex<Vec<String>>,
}

impl Resolve for Table {
    fn lookup<'a>(&'a self, question: &'a Question) -> AnswerFuture<'a> {
        let key = question.to_string();
        // A question without an answer in the case is one that must not be asked: it shows in the result.
        let answer = self.answers.get(&key).cloned();
        let mut asked = self.asked.lock().unwrap_or_else(|it| it.into_inner());
        asked.push(key);
        Box::pin(async move { answer.unwrap_or(Answer::Failed(LookupFailure::Unreachable)) })
    }
}

pub(super) fn host_lookup(input: Input) -> Ran {
    let case: HostCase = input.parse()?;
    let mut answers = BTreeMap::new();
    for (question, given) in case.answers {
        answers.insert(question, answer(given)?);
    }
    let table = Table {
        answers,
        asked: Mutex::default(),
    };
    let lookup = HostLookup::new(case.host, case.port, case.dane);
    let mut running = pin!(run(&table, lookup));
    let Poll::Ready(result) = running
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    else {
        return Err(violated("the lookup waits though every answer is there"));
    };
    let result = match result {
        Ok(host) => json!({
            "addresses": host.addresses,
            "tlsa": tlsa(&host.tlsa),
            "failed_family": host.failed_family.map(failure),
        }),
        Err(HostFailure::NoAddress) => json!({"failed": "no-address"}),
        Err(HostFailure::Address(cause)) => json!({"failed": ["address", failure(cause)]}),
        Err(HostFailure::Tlsa(cause)) => json!({"failed": ["tlsa", failure(cause)]}),
        Err(_) => json!({"failed": "unknown"}),
    };
    let asked = table.asked.lock().unwrap_or_else(|it| it.into_inner());
    Ok(Outcome::Accept(json!({"result": result, "asked": *asked})))
}

pub(super) fn answer(given: Given) -> Result<Answer, MalformedCase> {
    Ok(match given {
        Given::Records {
            owner,
            dnssec,
            data,
        } => {
            let records: Result<Vec<_>, _> = data.into_iter().map(record).collect();
            Answer::Records(Records {
                records: records?,
                owner: dns_name(&owner)?,
                dnssec,
                ttl: Duration::from_secs(60),
            })
        }
        Given::Denied(denied, dnssec) => Answer::Denied {
            denial: match denied {
                Denied::NoData => Denial::NoData,
                Denied::NoName => Denial::NoName,
            },
            dnssec,
        },
        Given::Failed(failed) => Answer::Failed(match failed {
            Failed::Bogus => LookupFailure::Bogus,
            Failed::ServerFailure => LookupFailure::ServerFailure,
            Failed::Refused => LookupFailure::Refused,
            Failed::Code => LookupFailure::Code,
            Failed::Timeout => LookupFailure::Timeout,
            Failed::Unreachable => LookupFailure::Unreachable,
            Failed::Malformed => LookupFailure::Malformed,
            Failed::Aliases => LookupFailure::Aliases,
            Failed::TooLarge => LookupFailure::TooLarge,
        }),
    })
}

fn record(data: Data) -> Result<Record, MalformedCase> {
    Ok(match data {
        Data::Address(address) => Record::Address(address),
        Data::Alias(name) => Record::Alias(dns_name(&name)?),
        Data::Srv(priority, weight, port, target) => Record::Srv(Srv {
            priority,
            weight,
            port,
            target: dns_name(&target)?,
        }),
        Data::Tlsa(usage, selector, matching_type, association) => Record::Tlsa(Tlsa {
            usage,
            selector,
            matching_type,
            association: from_hex(association)?,
        }),
        Data::Long(octets) => Record::Tlsa(Tlsa {
            usage: 3,
            selector: 0,
            matching_type: 0,
            association: vec![0; octets],
        }),
    })
}

fn tlsa(records: &TlsaRecords) -> Value {
    match records {
        TlsaRecords::NotRequested => json!("not-requested"),
        TlsaRecords::AddressInsecure => json!("address-insecure"),
        TlsaRecords::None => json!("none"),
        TlsaRecords::Insecure => json!("insecure"),
        TlsaRecords::Records { base, records } => {
            let records = records.iter();
            let records = records.map(|it| {
                json!([
                    it.usage,
                    it.selector,
                    it.matching_type,
                    hex::encode(&it.association)
                ])
            });
            json!({"base": base.to_string(), "records": records.collect::<Vec<_>>()})
        }
    }
}

pub(super) fn failure(failure: LookupFailure) -> &'static str {
    match failure {
        LookupFailure::Bogus => "bogus",
        LookupFailure::ServerFailure => "server-failure",
        LookupFailure::Refused => "refused",
        LookupFailure::Code => "code",
        LookupFailure::Timeout => "timeout",
        LookupFailure::Unreachable => "unreachable",
        LookupFailure::Malformed => "malformed",
        LookupFailure::Aliases => "aliases",
        LookupFailure::TooLarge => "too-large",
        _ => "unknown",
    }
}
