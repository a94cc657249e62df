//! The configurations of TLS of the servers that a connector connected to last. Sessions are resumed within each.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex},
};

use lru::LruCache;

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
pub(super) struct Pool(Mutex<LruCache<ServerKey, Arc<Prepared>>>);

impl Default for Pool {
    fn default() -> Self {
        let limit = NonZeroUsize::MIN.saturating_add(MAX_RESUMED_SERVERS - 1);
        Self(Mutex::new(LruCache::new(limit)))
    }
}

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
        recent.put(key, new.clone());
        Ok(new)
    }
}
