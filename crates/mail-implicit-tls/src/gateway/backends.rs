//! The backends of a service: the order in which they are tried, and their health.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use tokio::time::Instant;

use super::{Backend, BackendFailure, ClientAddress, OpenFailure, proxy_protocol::Header};
use crate::client::{Connector, Stream};

/// The time after which a backend that failed is tried again. It doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest time after which a backend that failed is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The time for which a connection of the gateway's own shows that a backend refuses a client, and not all of them. Clients
/// that are refused cause one connection of the gateway in this time, however many they are.
const CONFIRMED: Duration = Duration::from_secs(1);

/// The time without a connection after which the health of a backend is checked, though the last connection succeeded.
const QUIET: Duration = Duration::from_secs(60);

/// The share of the connections that each backend receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Balance {
    /// The first backend that is available has all connections; the others have them while it fails.
    #[default]
    First,
    /// The backends that are available have the same number of connections.
    Even,
}

/// The health of a backend, by the last connection to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BackendHealth {
    /// No connection was tried yet.
    NotKnown,
    /// The last connection succeeded.
    Up,
    /// The last connection failed.
    Down,
}

#[derive(Clone, Copy, Debug, Default)]
struct Health {
    failures: u32,
    /// The time before which the backend is tried only if no other is left.
    retry_at: Option<Instant>,
    /// The time of the last connection that succeeded.
    succeeded_at: Option<Instant>,
}

impl Health {
    fn failed(&mut self, now: Instant) {
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let pause = FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = now.checked_add(pause);
    }

    fn is_left_out(&self, now: Instant) -> bool {
        self.retry_at.is_some_and(|retry_at| now < retry_at)
    }

    const fn state(&self) -> BackendHealth {
        match (self.failures, self.succeeded_at) {
            (0, None) => BackendHealth::NotKnown,
            (0, Some(_)) => BackendHealth::Up,
            _ => BackendHealth::Down,
        }
    }

    /// Returns `true` if the health should be checked without a client.
    fn is_due(&self, now: Instant) -> bool {
        let is_quiet = |at: Instant| now.saturating_duration_since(at) >= QUIET;
        self.failures > 0 || self.succeeded_at.is_none_or(is_quiet)
    }
}

/// The backends of a service.
#[derive(Debug)]
pub struct Backends {
    backends: Vec<Backend>,
    balance: Balance,
    next: AtomicUsize,
    health: Mutex<Vec<Health>>,
    /// For each backend the time at which it last greeted a connection of the gateway's own, after it had failed for a
    /// client. One connection at a time asks that.
    confirmed: Vec<tokio::sync::Mutex<Option<Instant>>>,
}

/// A connection to a backend that greeted.
pub(super) struct Opened {
    /// The stream after the greeting.
    pub(super) stream: Stream,
    /// The greeting, and octets that followed it.
    pub(super) greeting: Vec<u8>,
    /// The number of the backend.
    pub(super) index: usize,
    /// `true` if the greeting refuses this client, and not all of them.
    pub(super) is_refused: bool,
}

/// The parts of connections to backends that are the same for all of a service.
pub(super) struct Opening<'a> {
    connector: &'a Connector,
    time: Duration,
    /// The octets before those of the protocol in a connection of the gateway's own.
    local: Vec<u8>,
    /// `true` if connections for clients begin with the client's address.
    carries_client: bool,
}

impl<'a> Opening<'a> {
    /// Returns the parts for backends that receive the client's address in this way.
    pub(super) fn new(connector: &'a Connector, address: ClientAddress, time: Duration) -> Self {
        let carries_client = address == ClientAddress::ProxyV2;
        let local = match carries_client {
            // A header without addresses is short.
            true => Header::local().to_vec().unwrap_or_default(),
            false => Vec::new(),
        };
        Self {
            connector,
            time,
            local,
            carries_client,
        }
    }

    /// Opens a connection of the gateway's own, and closes it.
    async fn check(&self, backend: &Backend) -> Result<(), OpenFailure> {
        let opened = backend.open(self.connector, &self.local, self.time).await;
        opened.map(|_| ())
    }
}

/// A change of a backend's health, for logs and counters.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum BackendNotice<'a> {
    /// A connection failed; the next backend is tried.
    Failed(&'a OpenFailure),
    /// The gateway lacked what a connection needs. The backend stays as available as it was.
    NotTried(&'a OpenFailure),
    /// The backend refused one client, whose address it knew. It stays available, and no other is tried.
    ClientRefused(&'a OpenFailure),
    /// The first connection succeeded.
    Reached,
    /// A connection succeeded after one that failed.
    Recovered,
}

impl Backends {
    /// Returns the backends of a service, in the order of preference.
    #[must_use]
    pub fn new(backends: Vec<Backend>, balance: Balance) -> Arc<Self> {
        let health = vec![Health::default(); backends.len()];
        Arc::new(Self {
            confirmed: backends.iter().map(|_| Default::default()).collect(),
            backends,
            balance,
            next: AtomicUsize::new(0),
            health: Mutex::new(health),
        })
    }

    /// Returns the backends.
    #[must_use]
    pub fn all(&self) -> &[Backend] {
        &self.backends
    }

    /// Returns the health of each backend.
    #[must_use]
    pub fn health(&self) -> Vec<BackendHealth> {
        self.lock().iter().map(Health::state).collect()
    }

    /// Takes over the health of backends of another list that have the same server: a configuration that is read again
    /// does not forget it.
    pub fn take_over(&self, former: &Self) {
        let known = former.lock().clone();
        let known = former.backends.iter().zip(known);
        let known: Vec<_> = known
            .filter(|(_, health)| health.state() != BackendHealth::NotKnown)
            .collect();
        for (backend, own) in self.backends.iter().zip(self.lock().iter_mut()) {
            let same = known.iter().find(|(it, _)| it.server() == backend.server());
            if let Some((_, health)) = same {
                *own = *health;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Health>> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the numbers of the backends in the order in which they are tried.
    fn order(&self, now: Instant) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.backends.len()).collect();
        if self.balance == Balance::Even && !order.is_empty() {
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            let turn = turn.checked_rem(order.len()).unwrap_or_default();
            order.rotate_left(turn);
        }
        let health = self.lock();
        // The sort is stable: those that are left out follow the others, and keep their order.
        order.sort_by_key(|&index| {
            health
                .get(index)
                .is_some_and(|health| health.is_left_out(now))
        });
        order
    }

    /// Notes that a connection failed. Meanwhile other sessions try other backends.
    fn failed(&self, index: usize, now: Instant) {
        if let Some(health) = self.lock().get_mut(index) {
            health.failed(now);
        }
    }

    /// Notes that a connection succeeded. Returns the change of the health.
    fn succeeded(&self, index: usize, now: Instant) -> Option<BackendNotice<'static>> {
        let mut health = self.lock();
        let health = health.get_mut(index)?;
        let former = std::mem::take(health).state();
        health.succeeded_at = Some(now);
        match former {
            BackendHealth::NotKnown => Some(BackendNotice::Reached),
            BackendHealth::Up => None,
            BackendHealth::Down => Some(BackendNotice::Recovered),
        }
    }

    fn state(&self, index: usize) -> BackendHealth {
        let health = self.lock();
        health
            .get(index)
            .map_or(BackendHealth::NotKnown, Health::state)
    }

    /// Connects to all backends, or to those whose health is bad or was not seen for a time, and closes the connections that
    /// succeed.
    pub(super) async fn check(
        &self,
        opening: &Opening<'_>,
        all: bool,
        tell: impl Fn(&Backend, BackendNotice<'_>),
    ) {
        let now = Instant::now();
        let due: Vec<_> = self
            .lock()
            .iter()
            .map(|health| all || health.is_due(now))
            .collect();
        let backends = self.backends.iter().enumerate().zip(due);
        let checks = backends.filter(|(_, is_due)| *is_due);
        let checks =
            checks.map(|((index, backend), _)| self.check_one(index, backend, opening, &tell));
        join_all(checks).await;
    }

    async fn check_one(
        &self,
        index: usize,
        backend: &Backend,
        opening: &Opening<'_>,
        tell: &impl Fn(&Backend, BackendNotice<'_>),
    ) {
        match opening.check(backend).await {
            Ok(()) => {
                if let Some(notice) = self.succeeded(index, Instant::now()) {
                    tell(backend, notice);
                }
            }
            Err(failure) if failure.is_of_the_gateway() => {
                tell(backend, BackendNotice::NotTried(&failure));
            }
            Err(failure) => {
                let is_known = self.state(index) == BackendHealth::Down;
                self.failed(index, Instant::now());
                if !is_known {
                    tell(backend, BackendNotice::Failed(&failure));
                }
            }
        }
    }

    /// Opens a connection to the first backend that is available and greets. Each backend has the same time. `first` are the
    /// octets before those of the protocol.
    ///
    /// A backend that knows the client's address may refuse this client alone. If it greets a connection of the gateway's own
    /// all the same, its answer is the client's, and no other backend is tried: it may have the same rule.
    ///
    /// # Errors
    /// Returns the failure of the last backend that was tried.
    pub(super) async fn open(
        &self,
        opening: &Opening<'_>,
        first: &[u8],
        tell: impl Fn(&Backend, BackendNotice<'_>),
    ) -> Result<Opened, BackendFailure> {
        let mut last = BackendFailure::Unreachable;
        for index in self.order(Instant::now()) {
            let Some(backend) = self.backends.get(index) else {
                continue;
            };
            let greeted = backend.greeted(opening.connector, first, opening.time);
            let (failure, greeted) = match greeted.await {
                Ok(greeted) if greeted.refuses => (OpenFailure::Refuses, Some(greeted)),
                Ok(greeted) => {
                    if let Some(notice) = self.succeeded(index, Instant::now()) {
                        tell(backend, notice);
                    }
                    return Ok(Opened {
                        stream: greeted.stream,
                        greeting: greeted.greeting,
                        index,
                        is_refused: false,
                    });
                }
                Err(failure) => (failure, None),
            };
            last = failure.reason();
            if failure.is_of_the_gateway() {
                tell(backend, BackendNotice::NotTried(&failure));
                continue;
            }
            if opening.carries_client
                && failure.may_concern_the_client()
                && self.serves_others(index, backend, opening, &tell).await
            {
                tell(backend, BackendNotice::ClientRefused(&failure));
                let greeted = greeted.ok_or(BackendFailure::Refused)?;
                return Ok(Opened {
                    stream: greeted.stream,
                    greeting: greeted.greeting,
                    index,
                    is_refused: true,
                });
            }
            self.failed(index, Instant::now());
            tell(backend, BackendNotice::Failed(&failure));
        }
        Err(last)
    }

    /// Returns `true` if a backend that failed for a client greets a connection of the gateway's own.
    async fn serves_others(
        &self,
        index: usize,
        backend: &Backend,
        opening: &Opening<'_>,
        tell: &impl Fn(&Backend, BackendNotice<'_>),
    ) -> bool {
        let Some(confirmed) = self.confirmed.get(index) else {
            return false;
        };
        let mut confirmed = confirmed.lock().await;
        // A backend that is down for all stays so until a check or a client is greeted.
        if self.state(index) == BackendHealth::Down {
            return false;
        }
        if confirmed.is_some_and(|at| at.elapsed() < CONFIRMED) {
            return true;
        }
        match opening.check(backend).await {
            Ok(()) => {
                let now = Instant::now();
                *confirmed = Some(now);
                if let Some(notice) = self.succeeded(index, now) {
                    tell(backend, notice);
                }
                true
            }
            // The gateway cannot ask, which is no reason to blame the backend.
            Err(failure) if failure.is_of_the_gateway() => {
                tell(backend, BackendNotice::NotTried(&failure));
                true
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        account::{Host, Server},
        service::Service,
    };

    fn backends(count: u16, balance: Balance) -> Arc<Backends> {
        let backend = |number: u16| {
            let host = Host::parse("192.0.2.1").unwrap();
            let server = Server::new(Service::IMAP_CLEAR, host).with_port(number);
            Backend::try_new(server, false).unwrap()
        };
        Backends::new((1..=count).map(backend).collect(), balance)
    }

    #[test]
    fn tries_a_backend_that_failed_after_the_others_until_its_pause_is_over() {
        use BackendHealth::{Down, NotKnown, Up};

        let backends = backends(3, Balance::First);
        let now = Instant::now();
        assert_eq!(backends.order(now), [0, 1, 2]);
        backends.failed(0, now);
        assert_eq!(backends.order(now), [1, 2, 0]);
        assert_eq!(backends.health(), [Down, NotKnown, NotKnown]);
        let later = now + FIRST_PAUSE;
        assert_eq!(backends.order(later), [0, 1, 2]);
        assert_eq!(backends.health(), [Down, NotKnown, NotKnown]);
        backends.failed(0, later);
        assert_eq!(backends.order(later + FIRST_PAUSE), [1, 2, 0]);
        assert_eq!(backends.order(later + 2 * FIRST_PAUSE), [0, 1, 2]);
        let told = |backends: &Backends, index| {
            let notice = backends.succeeded(index, later);
            notice.map(|notice| format!("{notice:?}"))
        };
        assert_eq!(told(&backends, 0).as_deref(), Some("Recovered"));
        assert_eq!(told(&backends, 0), None);
        assert_eq!(told(&backends, 1).as_deref(), Some("Reached"));
        assert_eq!(backends.health(), [Up, Up, NotKnown]);
    }

    #[test]
    fn tries_again_after_half_a_minute_at_the_latest() {
        let backends = backends(2, Balance::First);
        let now = Instant::now();
        for _ in 0..100 {
            backends.failed(0, now);
        }
        assert_eq!(backends.order(now), [1, 0]);
        assert_eq!(backends.order(now + LONGEST_PAUSE), [0, 1]);
    }

    #[test]
    fn gives_each_backend_its_turn() {
        let backends = backends(3, Balance::Even);
        let firsts: Vec<_> = (0..6).map(|_| backends.order(Instant::now())).collect();
        assert_eq!(firsts[..3], [[0, 1, 2], [1, 2, 0], [2, 0, 1]]);
        assert_eq!(firsts[..3], firsts[3..]);
    }

    #[test]
    fn has_an_order_without_backends() {
        let order = backends(0, Balance::Even).order(Instant::now());
        assert_eq!(order, Vec::<usize>::new());
    }

    #[test]
    fn checks_backends_that_failed_and_those_that_are_quiet() {
        let now = Instant::now();
        let mut health = Health::default();
        assert!(health.is_due(now));
        health.succeeded_at = Some(now);
        assert!(!health.is_due(now));
        assert!(!health.is_due(now + QUIET - Duration::from_millis(1)));
        assert!(health.is_due(now + QUIET));
        health.failed(now);
        assert!(health.is_due(now));
    }

    #[test]
    fn takes_over_the_health_of_the_same_servers() {
        let former = backends(3, Balance::First);
        let now = Instant::now();
        former.failed(1, now);
        let _ = former.succeeded(2, now);
        let renewed = backends(2, Balance::Even);
        let _ = renewed.succeeded(0, now);
        renewed.take_over(&former);
        assert_eq!(renewed.health(), [BackendHealth::Up, BackendHealth::Down]);
        // The pause too.
        assert_eq!(renewed.order(now), [0, 1]);
        assert_eq!(renewed.order(now), [0, 1]);
        assert_eq!(renewed.order(now + FIRST_PAUSE), [0, 1]);
        assert_eq!(renewed.order(now + FIRST_PAUSE), [1, 0]);
    }
}
