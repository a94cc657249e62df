//! The resolver of the operating system, which gives addresses and does not validate.

use std::{
    net::{IpAddr, Ipv4Addr, UdpSocket},
    time::Duration,
};

use crate::dns::{
    Answer, AnswerFuture, Denial, DnsName, Dnssec, LookupFailure, Question, Record, RecordKind,
    Records, Resolve, shortages::Shortages,
};

/// The system's resolver, which gives addresses and does not validate.
#[derive(Clone, Debug, Default)]
pub(super) struct SystemResolver {
    shortages: Shortages,
}

impl SystemResolver {
    /// Notes a lack of descriptors. The system seldom says that it had none for a lookup.
    fn probe(&self) {
        self.shortages
            .note(&UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)));
    }

    async fn addresses(&self, question: &Question) -> Answer {
        let before = self.shortages.count();
        self.probe();
        let found = tokio::net::lookup_host((question.name.as_str(), 0)).await;
        self.shortages.note(&found);
        // The system does not tell a host without addresses from a failure.
        let Ok(found) = found else {
            self.probe();
            return Answer::Failed(self.shortages.cause(before, LookupFailure::Unreachable));
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
                RecordKind::A | RecordKind::Aaaa => self.addresses(question).await,
                RecordKind::Cname
                | RecordKind::Srv
                | RecordKind::Tlsa
                | RecordKind::Mx
                | RecordKind::Txt => Answer::Failed(LookupFailure::Unreachable),
            }
        })
    }
}
