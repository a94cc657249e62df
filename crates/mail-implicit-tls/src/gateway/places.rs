//! The number of sessions at a time, in total and of one client, and of those that are not logged in.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::source::Source;

/// The number of sessions at a time, over all services of a gateway.
///
/// A client is an IPv4 address, or the network /64 of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// All sessions.
    pub total: usize,
    /// The sessions of one client.
    pub per_client: usize,
    /// The sessions of one client that are not logged in.
    pub logins_per_client: usize,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            total: 20_000,
            per_client: 200,
            logins_per_client: 20,
        }
    }
}

/// The limit that a session would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitReached {
    /// [`SessionLimits::total`].
    Total,
    /// [`SessionLimits::per_client`].
    Client,
    /// [`SessionLimits::logins_per_client`].
    Logins,
}

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Total => "as many sessions as permitted",
            Self::Client => "as many sessions as one client may have",
            Self::Logins => "as many sessions without login as one client may have",
        })
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct OfClient {
    sessions: usize,
    logins: usize,
}

#[derive(Debug)]
struct Counts {
    limits: SessionLimits,
    total: usize,
    clients: HashMap<Source, OfClient>,
}

/// The places of sessions.
#[derive(Debug)]
pub(super) struct Places(Mutex<Counts>);

/// The place of a session, which is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    source: Source,
    is_login: bool,
}

impl Places {
    pub(super) fn new(limits: SessionLimits) -> Self {
        Self(Mutex::new(Counts {
            limits,
            total: 0,
            clients: HashMap::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets other limits. Sessions that run keep their places.
    pub(super) fn set_limits(&self, limits: SessionLimits) {
        self.lock().limits = limits;
    }

    /// Takes a place for a session that is not logged in. Limits of a client do not apply to one that is trusted.
    ///
    /// # Errors
    /// Returns the limit that is reached.
    pub(super) fn take(
        self: &Arc<Self>,
        address: IpAddr,
        is_trusted: bool,
    ) -> Result<Place, LimitReached> {
        let source = Source::of(address);
        let mut counts = self.lock();
        let of_client = counts.clients.get(&source).copied().unwrap_or_default();
        if counts.total >= counts.limits.total {
            return Err(LimitReached::Total);
        }
        if !is_trusted && of_client.sessions >= counts.limits.per_client {
            return Err(LimitReached::Client);
        }
        if !is_trusted && of_client.logins >= counts.limits.logins_per_client {
            return Err(LimitReached::Logins);
        }
        counts.total = counts.total.saturating_add(1);
        let of_client = counts.clients.entry(source).or_default();
        of_client.sessions = of_client.sessions.saturating_add(1);
        of_client.logins = of_client.logins.saturating_add(1);
        drop(counts);
        Ok(Place {
            places: self.clone(),
            source,
            is_login: true,
        })
    }
}

impl Place {
    /// Notes that the session is logged in.
    pub(super) fn logged_in(&mut self) {
        if std::mem::take(&mut self.is_login)
            && let Some(of_client) = self.places.lock().clients.get_mut(&self.source)
        {
            of_client.logins = of_client.logins.saturating_sub(1);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.logged_in();
        let mut counts = self.places.lock();
        counts.total = counts.total.saturating_sub(1);
        if let Entry::Occupied(mut of_client) = counts.clients.entry(self.source) {
            let left = of_client.get().sessions.saturating_sub(1);
            of_client.get_mut().sessions = left;
            if left == 0 {
                of_client.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(total: usize, per_client: usize, logins_per_client: usize) -> Arc<Places> {
        Arc::new(Places::new(SessionLimits {
            total,
            per_client,
            logins_per_client,
        }))
    }

    fn ip(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn limits_sessions_in_total() {
        let places = places(2, 2, 2);
        let first = places.take(ip(1), false).unwrap();
        let _second = places.take(ip(2), false).unwrap();
        assert_eq!(places.take(ip(3), true).err(), Some(LimitReached::Total));
        drop(first);
        assert!(places.take(ip(3), false).is_ok());
    }

    #[test]
    fn limits_sessions_of_a_client() {
        let places = places(9, 2, 2);
        let mut held: Vec<_> = (0..2).map(|_| places.take(ip(1), false).unwrap()).collect();
        held.iter_mut().for_each(Place::logged_in);
        assert_eq!(places.take(ip(1), false).err(), Some(LimitReached::Client));
        assert!(places.take(ip(2), false).is_ok());
        assert!(places.take(ip(1), true).is_ok());
        held.pop();
        assert!(places.take(ip(1), false).is_ok());
    }

    #[test]
    fn limits_sessions_that_are_not_logged_in() {
        let places = places(9, 9, 1);
        let mut first = places.take(ip(1), false).unwrap();
        assert_eq!(places.take(ip(1), false).err(), Some(LimitReached::Logins));
        assert!(places.take(ip(1), true).is_ok());
        first.logged_in();
        let second = places.take(ip(1), false).unwrap();
        // A second login in the same session gives no second place back.
        first.logged_in();
        assert_eq!(places.take(ip(1), false).err(), Some(LimitReached::Logins));
        drop(second);
        assert!(places.take(ip(1), false).is_ok());
    }

    #[test]
    fn keeps_sessions_when_limits_are_replaced() {
        let places = places(1, 1, 1);
        let first = places.take(ip(1), false).unwrap();
        places.set_limits(SessionLimits {
            total: 2,
            per_client: 2,
            logins_per_client: 2,
        });
        let _second = places.take(ip(1), false).unwrap();
        assert_eq!(places.take(ip(2), false).err(), Some(LimitReached::Total));
        drop(first);
        assert!(places.take(ip(2), false).is_ok());
    }

    #[test]
    fn forgets_clients_without_sessions() {
        let places = places(9, 9, 9);
        drop([
            places.take(ip(1), false),
            places.take(ip(1), false),
            places.take(ip(2), false),
        ]);
        assert_eq!(places.lock().total, 0);
        assert!(places.lock().clients.is_empty());
    }
}
