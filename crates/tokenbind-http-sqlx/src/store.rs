//! The store, generic over the database.
//!
//! Both databases understand all statements, with `$1` as the placeholder, and each operation is one
//! statement. A write is in a transaction of its own, with the check that the database keeps it. sqlx's own `Any` would
//! choose at run time, but connects by URL only, needs its drivers in a global, and hides the settings that make SQLite
//! durable.

use std::{
    fmt,
    future::Future,
    time::{Duration, SystemTime},
};

use durable_store_sqlx::{SqlDatabase, SqlStore};
use sqlx::{ColumnIndex, Decode, Encode, Executor, IntoArguments, Type, query, query_as};

use tokenbind_http::token_store::{
    StoreFuture, StoredBinding, TOKENS_PER_BATCH, TokenCounts, TokenDigest, TokenRecord,
    TokenRecordParts, TokenStore, TokenStoreError, TokenStoreErrorKind, TokensOf,
};

use crate::error::of_database;

/// The table that contains the version of the schema.
pub(crate) const MIGRATIONS: &str = "tokenbind_migrations";

const INSERT: &str = "INSERT INTO tokenbind_tokens \
    (digest, bound, key_id, subject, data, issued_at, expires_at, revoked_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (digest) DO NOTHING";
const LOOK_UP: &str = "SELECT digest, bound, key_id, subject, data, issued_at, expires_at, revoked_at \
    FROM tokenbind_tokens WHERE digest = $1";
const REVOKE: &str =
    "UPDATE tokenbind_tokens SET revoked_at = $2 WHERE digest = $1 AND revoked_at IS NULL";
const REVOKE_KEY: &str =
    "UPDATE tokenbind_tokens SET revoked_at = $2 WHERE key_id = $1 AND revoked_at IS NULL";
const REVOKE_SUBJECT: &str =
    "UPDATE tokenbind_tokens SET revoked_at = $2 WHERE subject = $1 AND revoked_at IS NULL";
const LIST_KEY: &str = "SELECT digest, bound, key_id, subject, data, issued_at, expires_at, revoked_at \
    FROM tokenbind_tokens WHERE key_id = $1 AND digest > $2 ORDER BY digest LIMIT $3";
const LIST_SUBJECT: &str = "SELECT digest, bound, key_id, subject, data, issued_at, expires_at, revoked_at \
    FROM tokenbind_tokens WHERE subject = $1 AND digest > $2 ORDER BY digest LIMIT $3";
const PURGE: &str = "DELETE FROM tokenbind_tokens WHERE digest IN \
    (SELECT digest FROM tokenbind_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
const COUNT: &str = "SELECT COUNT(*), \
    COUNT(CASE WHEN expires_at <= $1 THEN 1 END), \
    COUNT(CASE WHEN expires_at > $1 AND revoked_at IS NOT NULL THEN 1 END) \
    FROM tokenbind_tokens";

/// A row, in the order of the statements' columns.
type Row = (
    Vec<u8>,
    bool,
    Option<Vec<u8>>,
    Vec<u8>,
    Vec<u8>,
    i64,
    i64,
    Option<i64>,
);

/// The options of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqlxOptions {
    /// The largest number of open connections. SQLite writes through one more.
    pub max_connections: u32,
    /// The time that a call may take, with the wait for a free connection, for locks, and for other writers.
    /// A token whose check takes longer is discarded.
    pub timeout: Duration,
    /// Accepts a PostgreSQL server on another host though the connection does not verify its certificate and
    /// name. An attacker on the path can then make any token valid.
    pub allow_unverified_server: bool,
}

impl Default for SqlxOptions {
    fn default() -> Self {
        Self {
            max_connections: 8,
            timeout: Duration::from_secs(10),
            allow_unverified_server: false,
        }
    }
}

/// A store of tokens in an SQL database. A token is durable before [`issue`](TokenStore::issue) returns it: it
/// is kept if the process, or the machine, fails at once.
pub struct SqlxTokenStore<DB: SqlDatabase> {
    pub(crate) store: SqlStore<DB>,
}

impl<DB: SqlDatabase> SqlxTokenStore<DB> {
    /// Closes all connections, and waits until they are closed.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Waits for an operation no longer than the store's time limit.
    async fn within<T>(
        &self,
        operation: impl Future<Output = Result<T, TokenStoreError>>,
    ) -> Result<T, TokenStoreError> {
        let done = self.store.within(operation).await;
        done.map_err(of_database)?
    }

    /// Returns the error for one of sqlx.
    fn failed(&self, error: sqlx::Error) -> TokenStoreError {
        of_database(self.store.error(error))
    }
}

impl<DB> TokenStore for SqlxTokenStore<DB>
where
    DB: SqlDatabase,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'q> i64: Encode<'q, DB> + Decode<'q, DB> + Type<DB>,
    for<'q> bool: Encode<'q, DB> + Decode<'q, DB> + Type<DB>,
    for<'q> Vec<u8>: Decode<'q, DB> + Type<DB>,
    for<'q> &'q [u8]: Encode<'q, DB> + Type<DB>,
    for<'q> Option<i64>: Encode<'q, DB> + Decode<'q, DB> + Type<DB>,
    for<'q> Option<&'q [u8]>: Encode<'q, DB> + Type<DB>,
    for<'q> Option<Vec<u8>>: Decode<'q, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    fn insert<'a>(
        &'a self,
        digest: TokenDigest,
        record: &'a TokenRecord,
    ) -> StoreFuture<'a, Result<(), TokenStoreError>> {
        Box::pin(self.within(async move {
            let key_id = match record.binding() {
                StoredBinding::KeyId(key_id) => Some(&**key_id),
                StoredBinding::Unbound => None,
            };
            let revoked_at = record.revoked_at().map(seconds).transpose()?;
            let insert = query(INSERT)
                .bind(digest.as_bytes().as_slice())
                .bind(key_id.is_some())
                .bind(key_id)
                .bind(record.subject())
                .bind(record.data())
                .bind(seconds(record.issued_at())?)
                .bind(seconds(record.expires_at())?)
                .bind(revoked_at);
            match self.store.write(insert).await.map_err(of_database)? {
                0 => Err(TokenStoreErrorKind::Conflict.into()),
                _ => Ok(()),
            }
        }))
    }

    fn look_up(
        &self,
        digest: TokenDigest,
    ) -> StoreFuture<'_, Result<Option<TokenRecord>, TokenStoreError>> {
        Box::pin(self.within(async move {
            let row: Option<Row> = query_as(LOOK_UP)
                .bind(digest.as_bytes().as_slice())
                .fetch_optional(self.store.reader())
                .await
                .map_err(|error| self.failed(error))?;
            Ok(row.map(record).transpose()?.map(|(_, record)| record))
        }))
    }

    fn revoke(
        &self,
        digest: TokenDigest,
        now: SystemTime,
    ) -> StoreFuture<'_, Result<bool, TokenStoreError>> {
        Box::pin(self.within(async move {
            let revoke = query(REVOKE)
                .bind(digest.as_bytes().as_slice())
                .bind(seconds(now)?);
            let revoked = self.store.write(revoke).await.map_err(of_database)?;
            Ok(revoked != 0)
        }))
    }

    fn revoke_all<'a>(
        &'a self,
        of: TokensOf<'a>,
        now: SystemTime,
    ) -> StoreFuture<'a, Result<u64, TokenStoreError>> {
        let (sql, value) = match of {
            TokensOf::KeyId(key_id) => (REVOKE_KEY, key_id),
            TokensOf::Subject(subject) => (REVOKE_SUBJECT, subject),
        };
        Box::pin(self.within(async move {
            let revoke = query(sql).bind(value).bind(seconds(now)?);
            self.store.write(revoke).await.map_err(of_database)
        }))
    }

    fn list<'a>(
        &'a self,
        of: TokensOf<'a>,
        after: Option<TokenDigest>,
    ) -> StoreFuture<'a, Result<Vec<(TokenDigest, TokenRecord)>, TokenStoreError>> {
        let (sql, value) = match of {
            TokensOf::KeyId(key_id) => (LIST_KEY, key_id),
            TokensOf::Subject(subject) => (LIST_SUBJECT, subject),
        };
        Box::pin(self.within(async move {
            // Every digest is greater than the empty one.
            let after = after
                .as_ref()
                .map(|after| after.as_bytes().as_slice())
                .unwrap_or_default();
            let rows: Vec<Row> = query_as(sql)
                .bind(value)
                .bind(after)
                .bind(limit())
                .fetch_all(self.store.reader())
                .await
                .map_err(|error| self.failed(error))?;
            rows.into_iter().map(record).collect()
        }))
    }

    fn purge(&self, expired_by: SystemTime) -> StoreFuture<'_, Result<u64, TokenStoreError>> {
        Box::pin(self.within(async move {
            let purge = query(PURGE).bind(seconds(expired_by)?).bind(limit());
            self.store.write(purge).await.map_err(of_database)
        }))
    }

    fn count(&self, now: SystemTime) -> StoreFuture<'_, Result<TokenCounts, TokenStoreError>> {
        Box::pin(self.within(async move {
            let (all, expired, revoked): (i64, i64, i64) = query_as(COUNT)
                .bind(seconds(now)?)
                .fetch_one(self.store.reader())
                .await
                .map_err(|error| self.failed(error))?;
            let number = |count| u64::try_from(count).map_err(|_| TokenStoreErrorKind::Unreadable);
            Ok(TokenCounts {
                live: number(all.saturating_sub(expired).saturating_sub(revoked))?,
                revoked: number(revoked)?,
                expired: number(expired)?,
            })
        }))
    }
}

impl<DB: SqlDatabase> fmt::Debug for SqlxTokenStore<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlxTokenStore").finish_non_exhaustive()
    }
}

fn seconds(time: SystemTime) -> Result<i64, TokenStoreErrorKind> {
    to_seconds(time).ok_or(TokenStoreErrorKind::Time)
}

fn limit() -> i64 {
    i64::try_from(TOKENS_PER_BATCH).unwrap_or(i64::MAX)
}

/// Returns the token of a row, after the same checks as those of the schema.
fn record(row: Row) -> Result<(TokenDigest, TokenRecord), TokenStoreError> {
    let (digest, bound, key_id, subject, data, issued_at, expires_at, revoked_at) = row;
    let binding = match (bound, key_id) {
        (true, Some(key_id)) => StoredBinding::KeyId(key_id.into()),
        (false, None) => StoredBinding::Unbound,
        _ => return Err(TokenStoreErrorKind::Unreadable.into()),
    };
    let time = |seconds| from_seconds(seconds).ok_or(TokenStoreErrorKind::Unreadable);
    let digest = digest
        .try_into()
        .map_err(|_| TokenStoreErrorKind::Unreadable)?;
    let record = TokenRecord::try_from_parts(TokenRecordParts {
        binding,
        subject: subject.into(),
        data: data.into(),
        issued_at: time(issued_at)?,
        expires_at: time(expires_at)?,
        revoked_at: revoked_at.map(time).transpose()?,
    });
    let record =
        record.map_err(|error| TokenStoreError::new(TokenStoreErrorKind::Unreadable, error))?;
    Ok((TokenDigest::from_bytes(digest), record))
}

/// Returns seconds since 1970, as a database keeps them.
fn to_seconds(time: SystemTime) -> Option<i64> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// Returns the time that a database has kept.
fn from_seconds(seconds: i64) -> Option<SystemTime> {
    let since = Duration::from_secs(u64::try_from(seconds).ok()?);
    SystemTime::UNIX_EPOCH.checked_add(since)
}
