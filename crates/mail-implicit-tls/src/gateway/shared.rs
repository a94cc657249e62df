//! The parts of a running gateway that its services and sessions share.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;

use super::{
    Backends, GatewayOptions, Notice, Observer, PenaltyRules, SessionId, SessionLimits,
    penalty::Penalties, places::Places, proxy_protocol::Networks,
};
use crate::client::Connector;

/// The time limits of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimes {
    /// The time for a connection to a backend up to its greeting, for each backend that is tried.
    pub connect: Duration,
    /// The time from the handshake to the login.
    pub login: Duration,
    /// The time without an octet after login. IMAP's IDLE is silent for 29 minutes (RFC 2177).
    pub idle: Duration,
    /// The time without an octet after which a session ends of which one side has ended: the client sends no more, or the
    /// backend takes no more, or has closed its connection while octets wait for the client.
    pub linger: Duration,
    /// The time for which sessions of clients that are logged in continue once the gateway stops.
    pub drain: Duration,
}

impl Default for SessionTimes {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            login: Duration::from_secs(120),
            idle: Duration::from_secs(35 * 60),
            linger: Duration::from_secs(60),
            drain: Duration::from_secs(30),
        }
    }
}

/// The parts that the services of a gateway share.
pub struct Shared {
    pub(super) connector: Connector,
    pub(super) places: Arc<Places>,
    pub(super) penalties: Arc<Penalties>,
    pub(super) trusted: Arc<ArcSwap<Networks>>,
    observer: Observer,
    /// The upper half of the names of sessions.
    instance: u64,
    sessions: Arc<AtomicU64>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    /// Returns the parts that services share: the connector to the backends, the limits, and the function that is called
    /// with notices.
    ///
    /// `instance` is the upper half of the names of sessions. It should be random, so that the names of two runs differ.
    #[must_use]
    pub fn new(
        connector: Connector,
        limits: SessionLimits,
        penalty: PenaltyRules,
        instance: u64,
        observer: Observer,
    ) -> Arc<Self> {
        Arc::new(Self {
            connector: connector.accept_submission_without_authentication(),
            places: Arc::new(Places::new(limits)),
            penalties: Arc::new(Penalties::new(penalty)),
            trusted: Arc::default(),
            observer,
            instance,
            sessions: Arc::default(),
        })
    }

    /// Returns the parts with another connector, other limits and other rules. Sessions that run are counted as before, and
    /// failed logins are not forgotten.
    #[must_use]
    pub fn replaced(
        &self,
        connector: Connector,
        limits: SessionLimits,
        penalty: PenaltyRules,
    ) -> Arc<Self> {
        self.places.set_limits(limits);
        self.penalties.set_rules(penalty);
        Arc::new(Self {
            connector: connector.accept_submission_without_authentication(),
            places: self.places.clone(),
            penalties: self.penalties.clone(),
            trusted: self.trusted.clone(),
            observer: self.observer.clone(),
            instance: self.instance,
            sessions: self.sessions.clone(),
        })
    }

    /// Sets the networks whose addresses have many users each, such as a webmail: limits of a client and delays after failed
    /// logins do not apply to them from now on.
    pub fn trust(&self, networks: Networks) {
        self.trusted.store(Arc::new(networks));
    }

    pub(super) fn next_session(&self) -> SessionId {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        SessionId((u128::from(self.instance) << 64) | u128::from(number))
    }

    pub(super) fn tell(&self, notice: &Notice<'_>) {
        (self.observer)(notice);
    }
}

/// The parts of a service that its sessions need.
#[derive(Clone, Debug)]
pub(super) struct Served {
    pub(super) backends: Arc<Backends>,
    pub(super) options: Arc<GatewayOptions>,
    pub(super) times: SessionTimes,
    pub(super) shared: Arc<Shared>,
}
