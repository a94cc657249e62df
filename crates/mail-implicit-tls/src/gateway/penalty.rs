//! Failed logins of a client, which are answered the later the more there are. A backend that trusts the gateway's
//! network may have no penalty of its own for them.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lru::LruCache;
use tokio::time::Instant;

use super::source::Source;

/// The number of clients whose failed logins are remembered: those with the latest ones.
const MAX_CLIENTS: usize = 65_536;

/// The number of greatest delays by which answers to failed logins are put off at most: the delays of sessions that have
/// ended need not be served.
const MOST_DELAYS: u32 = 4;

/// The rules by which failed logins of a client are slowed down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PenaltyRules {
    /// The number of failed logins that are answered at once.
    pub free: u32,
    /// The delay of the first answer after those. It doubles with each failed login.
    pub first: Duration,
    /// The greatest delay that one failed login adds, and the longest wait of a new session.
    pub most: Duration,
    /// The time without a failed login after which a client has none.
    pub forget: Duration,
}

impl Default for PenaltyRules {
    fn default() -> Self {
        Self {
            free: 3,
            first: Duration::from_secs(1),
            most: Duration::from_secs(15),
            forget: Duration::from_secs(600),
        }
    }
}

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Instant,
    /// The time at which the last failed login is answered.
    until: Instant,
}

/// The failed logins of all clients.
#[derive(Debug)]
pub(super) struct Penalties(Mutex<State>);

#[derive(Debug)]
struct State {
    rules: PenaltyRules,
    clients: LruCache<Source, Failures>,
}

impl Penalties {
    pub(super) fn new(rules: PenaltyRules) -> Self {
        let most = NonZeroUsize::new(MAX_CLIENTS).unwrap_or(NonZeroUsize::MIN);
        Self(Mutex::new(State {
            rules,
            clients: LruCache::new(most),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets other rules, which apply from the next failed login on.
    pub(super) fn set_rules(&self, rules: PenaltyRules) {
        self.lock().rules = rules;
    }

    /// Counts a failed login. Returns the time to wait before it is answered: failed logins of one client in several
    /// sessions are answered one after another.
    pub(super) fn failed(&self, source: Source, now: Instant) -> Duration {
        let mut state = self.lock();
        let State { rules, clients } = &mut *state;
        let failures = clients.get_or_insert_mut(source, || Failures {
            count: 0,
            last: now,
            until: now,
        });
        if now.saturating_duration_since(failures.last) >= rules.forget {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
        let delay = rules.delay(failures.count);
        let from = failures.until.max(now);
        let until = from.checked_add(delay).unwrap_or(from);
        let most = now.checked_add(rules.most.saturating_mul(MOST_DELAYS));
        failures.until = most.map_or(until, |most| until.min(most));
        failures.until.saturating_duration_since(now)
    }

    /// Returns the time that a new session of a client waits before it is served: until the delay of the last failed login
    /// is over, whatever the number of those before. An address may have many users.
    pub(super) fn wait(&self, source: Source, now: Instant) -> Duration {
        let state = self.lock();
        let Some(failures) = state.clients.peek(&source) else {
            return Duration::ZERO;
        };
        let since = now.saturating_duration_since(failures.last);
        state.rules.delay(failures.count).saturating_sub(since)
    }
}

impl PenaltyRules {
    /// Returns the delay that a client's failed login of this number adds.
    fn delay(&self, count: u32) -> Duration {
        let Some(doublings) = count.checked_sub(self.free.saturating_add(1)) else {
            return Duration::ZERO;
        };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn source(last: u8) -> Source {
        Source::of(IpAddr::from([192, 0, 2, last]))
    }

    fn penalties() -> (Penalties, Instant) {
        (Penalties::new(PenaltyRules::default()), Instant::now())
    }

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn delays_each_failed_login_longer_up_to_the_most() {
        let (penalties, mut now) = penalties();
        let mut waits = Vec::new();
        for _ in 0..10 {
            let wait = penalties.failed(source(1), now);
            waits.push(wait.as_secs());
            now += wait;
        }
        assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8, 15, 15, 15]);
        assert_eq!(penalties.failed(source(2), now), Duration::ZERO);
    }

    /// A client that guesses in many sessions at once gains nothing by it.
    #[test]
    fn answers_failed_logins_of_several_sessions_one_after_another() {
        let (penalties, now) = penalties();
        let waits: Vec<_> = (0..100)
            .map(|_| penalties.failed(source(1), now).as_secs())
            .collect();
        assert_eq!(waits[..9], [0, 0, 0, 1, 3, 7, 15, 30, 45]);
        assert_eq!(waits[9..], [60; 91]);
    }

    #[test]
    fn lets_a_new_session_wait_at_most_the_greatest_delay() {
        let (penalties, now) = penalties();
        assert_eq!(penalties.wait(source(1), now), Duration::ZERO);
        for _ in 0..5 {
            let _ = penalties.failed(source(1), now);
        }
        assert_eq!(penalties.wait(source(1), now), secs(2));
        assert_eq!(penalties.wait(source(1), now + secs(1)), secs(1));
        assert_eq!(penalties.wait(source(1), now + secs(2)), Duration::ZERO);
        for _ in 0..50 {
            let _ = penalties.failed(source(1), now);
        }
        assert_eq!(penalties.wait(source(1), now), secs(15));
        assert_eq!(penalties.wait(source(1), now + secs(15)), Duration::ZERO);
        assert_eq!(penalties.wait(source(2), now), Duration::ZERO);
    }

    #[test]
    fn forgets_failed_logins_after_a_time_without_one() {
        let (penalties, now) = penalties();
        for _ in 0..4 {
            let _ = penalties.failed(source(1), now);
        }
        let early = now + secs(599);
        assert_eq!(penalties.failed(source(1), early), secs(2));
        let late = early + secs(600);
        for expected in [0, 0, 0, 1] {
            assert_eq!(penalties.failed(source(1), late), secs(expected));
        }
    }

    #[test]
    fn survives_any_number_of_failed_logins() {
        let (penalties, mut now) = penalties();
        for _ in 0..200 {
            now += penalties.failed(source(1), now);
        }
        assert_eq!(penalties.failed(source(1), now), secs(15));
    }
}
