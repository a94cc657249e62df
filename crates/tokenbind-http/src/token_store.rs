//! Feature `token-store`: a database that maps security tokens to Token Binding IDs
//! (draft-popov-token-binding-00 section 7). The records, the decision, the trait of stores, and a store in
//! memory. The crate `tokenbind-http-sqlx` has stores in SQLite and PostgreSQL.

mod error;
mod memory;
mod record;
mod token;

use std::{fmt, future::Future, pin::Pin, time::SystemTime};

#[cfg(doc)]
use tokenbind_wire::TokenBindingIdRef;
use tokenbind_wire::{
    ProvidedIdRef,
    token::{BearerPolicy, DiscardReason},
};

pub use self::{
    error::{TokenStoreError, TokenStoreErrorKind},
    memory::MemoryTokenStore,
    record::{
        MAX_KEY_ID_BYTES, MAX_TOKEN_DATA_BYTES, MAX_TOKEN_SUBJECT_BYTES, StoredBinding,
        StoredTokenDiscardReason, StoredTokenVerdict, TokenRecord, TokenRecordError,
        TokenRecordParts,
    },
    token::{SecurityToken, TokenDigest},
};

/// The largest number of tokens that one call lists or purges.
pub const TOKENS_PER_BATCH: usize = 1000;

/// The tokens of one key or of one subject.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TokensOf<'a> {
    /// The tokens bound to this key, which is a [`TokenBindingIdRef::key_id`], e.g. after the user reset it.
    KeyId(&'a [u8]),
    /// The tokens of this subject, e.g. after the account was closed.
    Subject(&'a [u8]),
}

impl TokensOf<'_> {
    pub(super) fn include(self, record: &TokenRecord) -> bool {
        match (self, &record.binding) {
            (Self::Subject(subject), _) => *record.subject == *subject,
            (Self::KeyId(key_id), StoredBinding::KeyId(of)) => **of == *key_id,
            (Self::KeyId(_), StoredBinding::Unbound) => false,
        }
    }
}

impl fmt::Debug for TokensOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyId(_) => "KeyId(..)",
            Self::Subject(_) => "Subject(..)",
        })
    }
}

/// The number of tokens in a store. Each token is counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenCounts {
    /// Tokens that are neither expired nor revoked.
    pub live: u64,
    /// Tokens that are revoked and not yet expired.
    pub revoked: u64,
    /// Tokens that are expired and not yet purged.
    pub expired: u64,
}

/// The answer of a store. If the future is dropped early, the change is either made or not, never in part.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A database that maps security tokens to Token Binding IDs (draft-popov-token-binding-00
/// section 7).
///
/// A confirmed change is visible to all later calls, of all processes that share the database. The caller passes
/// the time. Futures are boxed so that the trait is dyn-compatible. The allocation is negligible next to a
/// database round trip.
pub trait TokenStore: Send + Sync {
    /// Adds a token that the application made itself, e.g. an OAuth token.
    ///
    /// `digest` is that of the token, see [`TokenDigest`]; `record` is kept with it. The future must not
    /// complete before the token is durable.
    ///
    /// # Errors
    /// [`Conflict`](TokenStoreErrorKind::Conflict) if the store contains the token, which is then not changed;
    /// other kinds if the token may not have been kept.
    fn insert<'a>(
        &'a self,
        digest: TokenDigest,
        record: &'a TokenRecord,
    ) -> StoreFuture<'a, Result<(), TokenStoreError>>;

    /// Returns the record of a token, also of one that is expired or revoked; `None` if the store does not
    /// contain it. To decide if a token is honored, use [`check`](Self::check).
    ///
    /// # Errors
    /// A [`TokenStoreError`] if the store cannot answer.
    fn look_up(
        &self,
        digest: TokenDigest,
    ) -> StoreFuture<'_, Result<Option<TokenRecord>, TokenStoreError>>;

    /// Revokes one token at the time `now`. Returns `false` if the store does not contain the token, or it was
    /// revoked before; the earlier time is then kept.
    ///
    /// # Errors
    /// A [`TokenStoreError`] if the token may not have been revoked.
    fn revoke(
        &self,
        digest: TokenDigest,
        now: SystemTime,
    ) -> StoreFuture<'_, Result<bool, TokenStoreError>>;

    /// Revokes all tokens of a key or of a subject at the time `now`, all or none. Returns the number of tokens
    /// that were not revoked before.
    ///
    /// # Errors
    /// A [`TokenStoreError`] if the tokens may not have been revoked.
    fn revoke_all<'a>(
        &'a self,
        of: TokensOf<'a>,
        now: SystemTime,
    ) -> StoreFuture<'a, Result<u64, TokenStoreError>>;

    /// Returns tokens of a key or of a subject in the order of their digests: the first [`TOKENS_PER_BATCH`]
    /// whose digest is greater than `after`, or the first of all. Fewer tokens are the last.
    ///
    /// # Errors
    /// A [`TokenStoreError`] if the store cannot answer.
    fn list<'a>(
        &'a self,
        of: TokensOf<'a>,
        after: Option<TokenDigest>,
    ) -> StoreFuture<'a, Result<Vec<(TokenDigest, TokenRecord)>, TokenStoreError>>;

    /// Deletes tokens that had expired at `expired_by`, at most [`TOKENS_PER_BATCH`], and returns their number:
    /// call again if it is the maximum. An `expired_by` before the present keeps expired tokens for an audit.
    ///
    /// # Errors
    /// A [`TokenStoreError`] if some tokens may be left.
    fn purge(&self, expired_by: SystemTime) -> StoreFuture<'_, Result<u64, TokenStoreError>>;

    /// Counts the tokens, expired and revoked at the time `now`. A database reads each of them.
    ///
    /// # Errors
    /// A [`TokenStoreError`] if the store cannot answer.
    fn count(&self, now: SystemTime) -> StoreFuture<'_, Result<TokenCounts, TokenStoreError>>;

    /// Makes a token and adds it with `record`. The token is durable when this method returns it.
    ///
    /// # Errors
    /// A [`TokenStoreError`] if the token may not have been kept. The token is then not returned.
    fn issue<'a>(
        &'a self,
        record: &'a TokenRecord,
    ) -> StoreFuture<'a, Result<SecurityToken, TokenStoreError>> {
        Box::pin(async move {
            let token = SecurityToken::generate()?;
            self.insert(token.digest(), record).await?;
            Ok(token)
        })
    }

    /// Checks a token that a client presents, as [`TokenRecord::check`] does.
    ///
    /// `presented` are the bytes of the token. If the store cannot answer, the token is discarded.
    fn check<'a>(
        &'a self,
        presented: &'a [u8],
        connection: Option<ProvidedIdRef<'a>>,
        bearer_policy: BearerPolicy,
        now: SystemTime,
    ) -> StoreFuture<'a, StoredTokenVerdict> {
        let digest = TokenDigest::of(presented);
        Box::pin(async move {
            StoredTokenVerdict::Discard(match self.look_up(digest).await {
                Ok(Some(record)) => return record.check(connection, bearer_policy, now),
                Ok(None) => StoredTokenDiscardReason::Unknown,
                Err(error) if error.kind() == TokenStoreErrorKind::Unreadable => {
                    StoredTokenDiscardReason::Binding(DiscardReason::Unreadable)
                }
                Err(error) => StoredTokenDiscardReason::Store(error.kind()),
            })
        })
    }
}
