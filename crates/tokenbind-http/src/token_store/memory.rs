//! A store of tokens in memory.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use crate::token_store::{
    StoreFuture, TOKENS_PER_BATCH, TokenCounts, TokenDigest, TokenRecord, TokenStore,
    TokenStoreError, TokenStoreErrorKind, TokensOf, record::whole_seconds,
};

/// A store of tokens in memory, which are lost with the process. For tests, and for servers that may lose
/// tokens. [`list`](TokenStore::list) and [`revoke_all`](TokenStore::revoke_all) read each token.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tokenbind_http::token_store::{
///     MemoryTokenStore, StoredBinding, StoredTokenDiscardReason, StoredTokenVerdict, TokenRecord,
///     TokenStore,
/// };
/// use tokenbind_wire::token::BearerPolicy;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (store, now) = (MemoryTokenStore::new(), SystemTime::now());
/// let hour = Duration::from_secs(3600);
/// let record = TokenRecord::try_new(StoredBinding::Unbound, b"alice", now, hour)?;
/// let token = store.issue(&record).await?;
/// let check = |now| store.check(token.as_str().as_bytes(), None, BearerPolicy::Honor, now);
/// assert_eq!(check(now).await, StoredTokenVerdict::HonorBearer(record));
/// assert_eq!(
///     check(now + hour).await,
///     StoredTokenVerdict::Discard(StoredTokenDiscardReason::Expired)
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct MemoryTokenStore {
    tokens: Mutex<BTreeMap<TokenDigest, TokenRecord>>,
}

impl MemoryTokenStore {
    /// Creates a store without tokens.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `what` when the future is awaited.
    fn with<'a, T>(
        &'a self,
        what: impl FnOnce(&mut BTreeMap<TokenDigest, TokenRecord>) -> T + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(
            async move { what(&mut self.tokens.lock().unwrap_or_else(PoisonError::into_inner)) },
        )
    }
}

impl TokenStore for MemoryTokenStore {
    fn insert<'a>(
        &'a self,
        digest: TokenDigest,
        record: &'a TokenRecord,
    ) -> StoreFuture<'a, Result<(), TokenStoreError>> {
        use std::collections::btree_map::Entry;
        self.with(move |tokens| match tokens.entry(digest) {
            Entry::Occupied(_) => Err(TokenStoreErrorKind::Conflict.into()),
            Entry::Vacant(free) => {
                free.insert(record.clone());
                Ok(())
            }
        })
    }

    fn look_up(
        &self,
        digest: TokenDigest,
    ) -> StoreFuture<'_, Result<Option<TokenRecord>, TokenStoreError>> {
        self.with(move |tokens| Ok(tokens.get(&digest).cloned()))
    }

    fn revoke(
        &self,
        digest: TokenDigest,
        now: SystemTime,
    ) -> StoreFuture<'_, Result<bool, TokenStoreError>> {
        self.with(move |tokens| {
            let now = whole_seconds(now).ok_or(TokenStoreErrorKind::Time)?;
            Ok(tokens
                .get_mut(&digest)
                .is_some_and(|record| revoke(record, now)))
        })
    }

    fn revoke_all<'a>(
        &'a self,
        of: TokensOf<'a>,
        now: SystemTime,
    ) -> StoreFuture<'a, Result<u64, TokenStoreError>> {
        self.with(move |tokens| {
            let now = whole_seconds(now).ok_or(TokenStoreErrorKind::Time)?;
            Ok(count(tokens.values_mut().filter_map(|record| {
                (of.include(record) && revoke(record, now)).then_some(())
            })))
        })
    }

    fn list<'a>(
        &'a self,
        of: TokensOf<'a>,
        after: Option<TokenDigest>,
    ) -> StoreFuture<'a, Result<Vec<(TokenDigest, TokenRecord)>, TokenStoreError>> {
        self.with(move |tokens| {
            Ok(tokens
                .iter()
                .filter(|(digest, _)| after.is_none_or(|after| **digest > after))
                .filter(|(_, record)| of.include(record))
                .take(TOKENS_PER_BATCH)
                .map(|(digest, record)| (*digest, record.clone()))
                .collect())
        })
    }

    fn purge(&self, expired_by: SystemTime) -> StoreFuture<'_, Result<u64, TokenStoreError>> {
        self.with(move |tokens| {
            let expired_by = whole_seconds(expired_by).ok_or(TokenStoreErrorKind::Time)?;
            let expired: Vec<_> = tokens
                .iter()
                .filter(|(_, record)| record.expires_at <= expired_by)
                .map(|(digest, _)| *digest)
                .take(TOKENS_PER_BATCH)
                .collect();
            Ok(count(
                expired.iter().filter_map(|digest| tokens.remove(digest)),
            ))
        })
    }

    fn count(&self, now: SystemTime) -> StoreFuture<'_, Result<TokenCounts, TokenStoreError>> {
        self.with(move |tokens| {
            let now = whole_seconds(now).ok_or(TokenStoreErrorKind::Time)?;
            let expired = |record: &&TokenRecord| record.expires_at <= now;
            let revoked = |record: &&TokenRecord| record.revoked_at.is_some();
            let unexpired = || tokens.values().filter(|record| !expired(record));
            Ok(TokenCounts {
                live: count(unexpired().filter(|record| !revoked(record))),
                revoked: count(unexpired().filter(revoked)),
                expired: count(tokens.values().filter(expired)),
            })
        })
    }
}

impl fmt::Debug for MemoryTokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTokenStore").finish_non_exhaustive()
    }
}

fn revoke(record: &mut TokenRecord, now: SystemTime) -> bool {
    let first = record.revoked_at.is_none();
    record.revoked_at.get_or_insert(now);
    first
}

fn count(items: impl Iterator) -> u64 {
    u64::try_from(items.count()).unwrap_or(u64::MAX)
}
