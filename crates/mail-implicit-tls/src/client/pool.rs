//! The configurations of TLS of the servers that a connector connected to last. Sessions are resumed within each.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use super::prepared::Prepared;
use crate::{
    account::{Account, AccountId, Host, Server},
    dns::host::TlsaRecords,
    service::Service,
};

/// The greatest number of servers, each of one account, whose sessions a [`Connector`](super::Connector) resumes. The
/// server that was connected to least recently gives its place to a new one, and the next connection to it begins with
/// a full handshake.
///
/// A person has a few accounts with three servers each. The limit is for programs that connect for many accounts, and
/// for account setup, in which the network chooses the hosts.
pub const MAX_RESUMED_SERVERS: usize = 256;

/// An account and a server of it.
type ServerKey = (AccountId, Service, Host, u16);

/// The configurations by server, [`MAX_RESUMED_SERVERS`] at most.
#[derive(Default)]
pub(super) struct Pool(Mutex<Recent<ServerKey, Arc<Prepared>>>);

impl Pool {
    /// Returns the configuration of a server, which is made if the account or the records are others than before.
    pub(super) fn get_or_make<E>(
        &self,
        account: &Account,
        server: &Server,
        tlsa: TlsaRecords,
        make: impl FnOnce(TlsaRecords) -> Result<Prepared, E>,
    ) -> Result<Arc<Prepared>, E> {
        let key = (
            account.id().clone(),
            server.service,
            server.host.clone(),
            server.port,
        );
        let mut recent = self.0.lock().unwrap_or_else(|it| it.into_inner());
        if let Some(known) = recent.get(&key)
            && known.is_for(account, server, &tlsa)
        {
            return Ok(known.clone());
        }
        let new = Arc::new(make(tlsa)?);
        recent.insert(key, new.clone(), MAX_RESUMED_SERVERS);
        Ok(new)
    }
}

/// Values by key, which count their uses.
struct Recent<K, V> {
    values: HashMap<K, (u64, V)>,
    /// The number of uses so far.
    uses: u64,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self {
            values: HashMap::new(),
            uses: 0,
        }
    }
}

impl<K: Clone + Eq + std::hash::Hash, V> Recent<K, V> {
    fn use_number(&mut self) -> u64 {
        self.uses = self.uses.saturating_add(1);
        self.uses
    }

    /// Returns a value, which is the most recently used one then.
    fn get(&mut self, key: &K) -> Option<&V> {
        let number = self.use_number();
        let (last, value) = self.values.get_mut(key)?;
        *last = number;
        Some(value)
    }

    /// Adds or replaces a value. Values that were not used for the longest time make room for a new key.
    fn insert(&mut self, key: K, value: V, limit: usize) {
        while self.values.len() >= limit && !self.values.contains_key(&key) {
            let oldest = self.values.iter().min_by_key(|(_, (last, _))| *last);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            self.values.remove(&oldest);
        }
        let number = self.use_number();
        self.values.insert(key, (number, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the keys, sorted.
    fn keys(recent: &Recent<u8, char>) -> Vec<u8> {
        let mut keys: Vec<_> = recent.values.keys().copied().collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn evicts_the_value_that_was_used_least_recently() {
        let mut recent = Recent::default();
        for (key, value) in [(1, 'a'), (2, 'b'), (3, 'c')] {
            recent.insert(key, value, 3);
        }
        assert_eq!(recent.get(&1), Some(&'a'));
        assert_eq!(recent.get(&9), None);
        recent.insert(4, 'd', 3);
        assert_eq!(keys(&recent), [1, 3, 4]);
        // A new value of a known key takes no place of another, and counts as a use.
        recent.insert(1, 'A', 3);
        assert_eq!(keys(&recent), [1, 3, 4]);
        recent.insert(3, 'C', 3);
        assert_eq!(keys(&recent), [1, 3, 4]);
        recent.insert(5, 'e', 3);
        assert_eq!(keys(&recent), [1, 3, 5]);
        assert_eq!(recent.get(&3), Some(&'C'));
        recent.insert(6, 'f', 2);
        assert_eq!(keys(&recent), [3, 6]);
    }
}
