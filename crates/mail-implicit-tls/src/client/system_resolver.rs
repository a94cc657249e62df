//! The resolver of the operating system, which gives addresses and does not validate.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, ToSocketAddrs, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::{Instant, timeout},
};

use crate::dns::{
    Answer, AnswerFuture, Denial, DnsName, Dnssec, LookupFailure, Question, Record, RecordKind,
    Records, Resolve, shortages::Shortages,
};

/// The number of descriptors that a lookup needs at a time: a file of the system, and sockets to its name servers.
const DESCRIPTORS: usize = 4;

/// The time for which a lack of descriptors explains failures: the system may have cached what it did not find, and other
/// lookups of the moment lacked some too.
const SHORTAGE: Duration = Duration::from_secs(5);

/// The time after which a lookup is given up that lacked descriptors. The system asks name servers for a host of
/// `/etc/hosts` if it cannot open the file, and waits for them.
const PATIENCE: Duration = Duration::from_secs(1);

/// The system's resolver, which gives addresses and does not validate.
///
/// The system does not tell a failure from a lack of descriptors. So there is a check for some before and after each lookup,
/// on the thread of the lookup, and a failure is one of the name only if none of them, nor of the last seconds, found a lack.
#[derive(Clone, Debug, Default)]
pub(super) struct SystemResolver {
    shortages: Shortages,
    last_shortage: Arc<Mutex<Option<Instant>>>,
}

impl SystemResolver {
    /// Checks that there are descriptors. At most one thread has those of the check at a time.
    fn check(&self) {
        let last = self.last_shortage.lock();
        let mut last = last.unwrap_or_else(PoisonError::into_inner);
        let before = self.shortages.count();
        let opened: Vec<_> = (0..DESCRIPTORS)
            .map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)))
            .inspect(|it| self.shortages.note(it))
            .collect();
        drop(opened);
        if self.shortages.count() != before {
            *last = Some(Instant::now());
        }
    }

    /// Returns `true` if there was a lack since their number was `before`, or within the last seconds.
    fn lacks(&self, before: u64) -> bool {
        let last = self.last_shortage.lock();
        let last = *last.unwrap_or_else(PoisonError::into_inner);
        self.shortages.count() != before || last.is_some_and(|it| it.elapsed() < SHORTAGE)
    }

    /// Looks a name up on a thread that may block.
    fn look_up(&self, name: String) -> JoinHandle<io::Result<Vec<IpAddr>>> {
        let resolver = self.clone();
        spawn_blocking(move || {
            resolver.check();
            let found = (name.as_str(), 0).to_socket_addrs();
            resolver.shortages.note(&found);
            if found.is_err() {
                resolver.check();
            }
            Ok(found?.map(|it| it.ip()).collect())
        })
    }

    async fn addresses(&self, question: &Question) -> Answer {
        let before = self.shortages.count();
        let mut looking = self.look_up(question.name.as_str().to_owned());
        let found = loop {
            match timeout(PATIENCE, &mut looking).await {
                Ok(found) => break found.unwrap_or_else(|error| Err(io::Error::other(error))),
                Err(_) if self.lacks(before) => {
                    return Answer::Failed(LookupFailure::NoResources);
                }
                Err(_) => {}
            }
        };
        // The system does not tell a host without addresses from a failure.
        let Ok(found) = found else {
            return Answer::Failed(match self.lacks(before) {
                true => LookupFailure::NoResources,
                false => LookupFailure::Unreachable,
            });
        };
        let wants_v6 = question.kind == RecordKind::Aaaa;
        let fits = |address: &IpAddr| address.is_ipv6() == wants_v6;
        let records: Vec<_> = found
            .into_iter()
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
