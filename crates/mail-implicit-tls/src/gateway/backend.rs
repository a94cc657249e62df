//! The backends of a service: the order in which they are tried, and those that are left out because they failed.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, timeout_at};

use super::{
    BackendFailure, GatewayError, GatewayErrorKind, Side,
    greeting::{MAX_GREETING_BYTES, NoGreeting, greets, read_greeting, refuses},
};
use crate::{
    account::{Account, AccountError, AccountId, AccountSetup, Host, LowPrivacy, Server},
    client::{Connector, Stream},
    failure::Cause,
    service::Security,
};

/// The time after which a backend that failed is tried again. It doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest time after which a backend that failed is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The share of the connections that each backend receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Balance {
    /// The first backend that is available has all connections; the others have them while it fails.
    #[default]
    First,
    /// The backends that are available have the same number of connections.
    Even,
}

/// A backend of a service.
#[derive(Clone, Debug)]
pub struct Backend {
    server: Server,
    account: Account,
}

impl Backend {
    /// Creates a backend from its server: one in clear text, for a private network, or one with TLS, which is verified.
    /// TLSA records of a secure zone verify the backend too if `dane` is set.
    ///
    /// # Errors
    /// Returns an error for a server that no account can have, such as one with port 0.
    pub fn try_new(server: Server, dane: bool) -> Result<Self, AccountError> {
        let id = AccountId::try_new(format!("backend {server}"))?;
        let mut setup = AccountSetup::new(id).dane(dane).server(server.clone());
        if server.service.security == Security::Clear {
            setup = setup.low(LowPrivacy::default());
        }
        let account = setup.build()?;
        Ok(Self { server, account })
    }

    /// Returns the server.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }
}

impl fmt::Display for Backend {
    /// Writes host and port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server.host {
            Host::Address(address) => SocketAddr::new(*address, self.server.port).fmt(f),
            Host::Name(name) => write!(f, "{name}:{}", self.server.port),
        }
    }
}

/// The failure of a backend before it greeted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenFailure {
    /// The connection failed, or the backend could not be verified.
    Connection(Cause),
    /// The backend closed the connection in place of a greeting.
    Closed,
    /// The backend greeted too late.
    Silent,
    /// The greeting is longer than 8192 octets.
    GreetingTooLong,
    /// The backend refuses service: it greets with `* BYE`, `-ERR`, 421 or 554.
    Refuses,
    /// The session does not permit what the backend sent.
    Session(GatewayError),
}

impl OpenFailure {
    /// Returns `true` if the gateway itself lacked what a connection needs, which says nothing about the backend.
    #[must_use]
    pub const fn is_of_the_gateway(&self) -> bool {
        matches!(self, Self::Connection(cause) if cause.is_lack_of_resources())
    }

    /// Returns the reason for the sessions of clients.
    #[must_use]
    pub const fn reason(&self) -> BackendFailure {
        match self {
            Self::Connection(Cause::Tls(_) | Cause::NotVerified(_) | Cause::SpeaksClearText) => {
                BackendFailure::Tls
            }
            Self::Connection(Cause::Timeout(_)) | Self::Silent => BackendFailure::Timeout,
            Self::Closed => BackendFailure::Closed,
            Self::Connection(_) | Self::GreetingTooLong | Self::Refuses | Self::Session(_) => {
                BackendFailure::Unreachable
            }
        }
    }
}

impl fmt::Display for OpenFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(cause) => cause.fmt(f),
            Self::Closed => f.write_str("the backend closed the connection in place of a greeting"),
            Self::Silent => f.write_str("the backend did not greet in time"),
            Self::GreetingTooLong => {
                write!(f, "the greeting is longer than {MAX_GREETING_BYTES} bytes")
            }
            Self::Refuses => f.write_str("the backend refuses service"),
            Self::Session(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenFailure {}

/// The health of a backend.
#[derive(Clone, Copy, Debug, Default)]
struct Health {
    failures: u32,
    /// The time before which the backend is tried only if no other is left.
    retry_at: Option<Instant>,
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
}

/// The backends of a service.
#[derive(Debug)]
pub struct Backends {
    backends: Vec<Backend>,
    balance: Balance,
    next: AtomicUsize,
    health: Mutex<Vec<Health>>,
}

/// A connection to a backend that greeted.
pub(super) struct Opened {
    /// The stream after the greeting.
    pub(super) stream: Stream,
    /// The greeting, and octets that followed it.
    pub(super) greeting: Vec<u8>,
    /// The number of the backend.
    pub(super) index: usize,
}

/// A change of a backend's health, for logs and counters.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum BackendNotice<'a> {
    /// A connection failed; the next backend is tried.
    Failed(&'a OpenFailure),
    /// The gateway lacked what a connection needs. The backend stays as available as it was.
    NotTried(&'a OpenFailure),
    /// A connection succeeded after one that failed.
    Recovered,
}

impl Backends {
    /// Returns the backends of a service, in the order of preference.
    #[must_use]
    pub fn new(backends: Vec<Backend>, balance: Balance) -> Arc<Self> {
        let health = vec![Health::default(); backends.len()];
        Arc::new(Self {
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

    /// Returns for each backend `true` unless the last connection to it failed.
    #[must_use]
    pub fn are_healthy(&self) -> Vec<bool> {
        let health = self.lock();
        health.iter().map(|health| health.failures == 0).collect()
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

    /// Notes that a connection succeeded. Returns `true` if the one before failed.
    fn succeeded(&self, index: usize) -> bool {
        let mut health = self.lock();
        let Some(health) = health.get_mut(index) else {
            return false;
        };
        std::mem::take(health).failures > 0
    }

    /// Connects to the backends to which the last connection failed, and closes the connections that succeed.
    pub(super) async fn recheck(
        &self,
        connector: &Connector,
        first: &[u8],
        time: Duration,
        tell: impl Fn(&Backend, BackendNotice<'_>),
    ) {
        for (index, is_healthy) in self.are_healthy().into_iter().enumerate() {
            let Some(backend) = self.backends.get(index).filter(|_| !is_healthy) else {
                continue;
            };
            match backend.open(connector, first, time).await {
                Ok(_) => {
                    if self.succeeded(index) {
                        tell(backend, BackendNotice::Recovered);
                    }
                }
                Err(failure) if failure.is_of_the_gateway() => {
                    tell(backend, BackendNotice::NotTried(&failure));
                }
                // The failure is known already.
                Err(_) => self.failed(index, Instant::now()),
            }
        }
    }

    /// Opens a connection to the first backend that is available and greets. Each backend has the same time.
    ///
    /// # Errors
    /// Returns the failure of the last backend that was tried.
    pub(super) async fn open(
        &self,
        connector: &Connector,
        first: &[u8],
        time: Duration,
        tell: impl Fn(&Backend, BackendNotice<'_>),
    ) -> Result<Opened, BackendFailure> {
        let mut last = BackendFailure::Unreachable;
        for index in self.order(Instant::now()) {
            let Some(backend) = self.backends.get(index) else {
                continue;
            };
            match backend.open(connector, first, time).await {
                Ok((stream, greeting)) => {
                    if self.succeeded(index) {
                        tell(backend, BackendNotice::Recovered);
                    }
                    return Ok(Opened {
                        stream,
                        greeting,
                        index,
                    });
                }
                Err(failure) if failure.is_of_the_gateway() => {
                    tell(backend, BackendNotice::NotTried(&failure));
                    last = failure.reason();
                }
                Err(failure) => {
                    self.failed(index, Instant::now());
                    tell(backend, BackendNotice::Failed(&failure));
                    last = failure.reason();
                }
            }
        }
        Err(last)
    }
}

impl Backend {
    /// Opens a connection and reads the greeting.
    pub(super) async fn open(
        &self,
        connector: &Connector,
        first: &[u8],
        time: Duration,
    ) -> Result<(Stream, Vec<u8>), OpenFailure> {
        let now = Instant::now();
        let deadline = now.checked_add(time).unwrap_or(now);
        let mut stream = connector
            .reach(&self.account, &self.server, first, deadline)
            .await
            .map_err(OpenFailure::Connection)?;
        let greeting = timeout_at(deadline, read_greeting(&mut stream))
            .await
            .map_err(|_| OpenFailure::Silent)?
            .map_err(|failure| match failure {
                NoGreeting::Closed => OpenFailure::Closed,
                NoGreeting::Broken(kind) => OpenFailure::Connection(Cause::Connect(kind)),
                NoGreeting::TooLong => OpenFailure::GreetingTooLong,
            })?;
        let protocol = self.server.service.protocol;
        if refuses(protocol, &greeting) {
            return Err(OpenFailure::Refuses);
        }
        match greets(protocol, &greeting) {
            true => Ok((stream, greeting)),
            false => Err(OpenFailure::Session(GatewayError::new(
                Side::Backend,
                GatewayErrorKind::Unexpected,
                "greeting",
                0,
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dns::{LookupFailure, host::HostFailure},
        failure::{Stage, TlsFailure},
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
        let backends = backends(3, Balance::First);
        let now = Instant::now();
        assert_eq!(backends.order(now), [0, 1, 2]);
        backends.failed(0, now);
        assert_eq!(backends.order(now), [1, 2, 0]);
        assert_eq!(backends.are_healthy(), [false, true, true]);
        let later = now + FIRST_PAUSE;
        assert_eq!(backends.order(later), [0, 1, 2]);
        assert_eq!(backends.are_healthy(), [false, true, true]);
        backends.failed(0, later);
        assert_eq!(backends.order(later + FIRST_PAUSE), [1, 2, 0]);
        assert_eq!(backends.order(later + 2 * FIRST_PAUSE), [0, 1, 2]);
        assert!(backends.succeeded(0));
        assert!(!backends.succeeded(0));
        assert_eq!(backends.are_healthy(), [true, true, true]);
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
    fn blames_no_backend_for_what_the_gateway_lacks() {
        for (cause, expected) in [
            (Cause::NoResources, true),
            (
                Cause::Lookup(HostFailure::Address(LookupFailure::NoResources)),
                true,
            ),
            (
                Cause::Lookup(HostFailure::Tlsa(LookupFailure::NoResources)),
                true,
            ),
            (
                Cause::Lookup(HostFailure::Address(LookupFailure::Unreachable)),
                false,
            ),
            (Cause::Lookup(HostFailure::NoAddress), false),
        ] {
            let failure = OpenFailure::Connection(cause);
            assert_eq!(failure.is_of_the_gateway(), expected, "{failure}");
        }
    }

    #[test]
    fn tells_a_failure_of_tls_from_one_of_the_network() {
        for (failure, reason) in [
            (
                OpenFailure::Connection(Cause::Tls(TlsFailure::NotTls)),
                BackendFailure::Tls,
            ),
            (
                OpenFailure::Connection(Cause::NotVerified(Box::default())),
                BackendFailure::Tls,
            ),
            (
                OpenFailure::Connection(Cause::SpeaksClearText),
                BackendFailure::Tls,
            ),
            (
                OpenFailure::Connection(Cause::Timeout(Stage::Connect)),
                BackendFailure::Timeout,
            ),
            (OpenFailure::Silent, BackendFailure::Timeout),
            (OpenFailure::Closed, BackendFailure::Closed),
            (OpenFailure::Refuses, BackendFailure::Unreachable),
            (
                OpenFailure::Connection(Cause::Connect(std::io::ErrorKind::ConnectionRefused)),
                BackendFailure::Unreachable,
            ),
        ] {
            assert_eq!(failure.reason(), reason, "{failure}");
        }
    }
}
