//! The resolver of the operating system, which gives addresses and does not validate.

use std::{net::IpAddr, time::Duration};

use crate::dns::{
    Answer, AnswerFuture, Denial, DnsName, Dnssec, LookupFailure, Question, Record, RecordKind,
    Records, Resolve,
};

/// The system's resolver, which gives addresses and does not validate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SystemResolver;

impl SystemResolver {
    async fn addresses(question: &Question) -> Answer {
        let found = tokio::net::lookup_host((question.name.as_str(), 0)).await;
        // The system does not tell a host without addresses from a failure.
        let Ok(found) = found else {
            return Answer::Failed(LookupFailure::Unreachable);
        };
        let wants_v6 = question.kind == RecordKind::Aaaa;
        let fits = |address: &IpAddr| address.is_ipv6() == wants_v6;
        let records: Vec<_> = found
            .map(|it| it.ip())
            .filter(fits)
            .map(Record::Address)
            .collect();
        match records.is_empty() {
            true => Answer::Denied {
                denial: Denial::NoData,
                dnssec: Dnssec::Insecure,
            },
            false => Answer::Records(Records {
                records,
                owner: DnsName::clone(&question.name),
                dnssec: Dnssec::Insecure,
                ttl: Duration::ZERO,
            }),
        }
    }
}

impl Resolve for SystemResolver {
    fn lookup<'a>(&'a self, question: &'a Question) -> AnswerFuture<'a> {
        Box::pin(async move {
            match question.kind {
                RecordKind::A | RecordKind::Aaaa => Self::addresses(question).await,
                RecordKind::Cname
                | RecordKind::Srv
                | RecordKind::Tlsa
                | RecordKind::Mx
                | RecordKind::Txt => Answer::Failed(LookupFailure::Unreachable),
            }
        })
    }
}
