//! Feature `sqlx-sqlite`: latches of many accounts in an SQLite database, opened so that nothing is lost.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::{fmt, time::Duration};
use std::{
    fs, io,
    path::{Path, absolute},
    time::Instant,
};

use sqlx::{
    Connection, SqliteConnection, SqlitePool, query, query_as, query_scalar,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::time::sleep;

use crate::{
    host::Host,
    latch_store::{
        Account, LatchStore, LatchStoreError, LatchStoreErrorKind, RECORDS_PER_BATCH, StoreFuture,
        from_text, merged, to_text,
    },
    record::LatchRecord,
    schema::{self, NotMigrated, Versions},
    sqlite::{self, Unfit},
};

/// The schema's versions; what was published is not changed.
const VERSIONS: Versions = &[(
    "latches",
    include_str!("../migrations/latches/1_latches.sql"),
)];

const IS_THERE: &str =
    "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'deep_latches'";
const LOAD: &str =
    "SELECT host, latched, status FROM deep_latches WHERE account = $1 AND host = $2";
const STORE: &str = "INSERT INTO deep_latches (account, host, latched, status) \
    VALUES ($1, $2, $3, $4) \
    ON CONFLICT (account, host) DO UPDATE SET latched = excluded.latched, status = excluded.status";
const DELETE: &str = "DELETE FROM deep_latches WHERE account = $1";
const LIST: &str = "SELECT host, latched, status FROM deep_latches \
    WHERE account = $1 AND host > $2 ORDER BY host LIMIT $3";

type Row = (String, String, Option<String>);

/// How a store uses its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// How many connections read at once at most. There is one more, that writes.
    pub max_connections: u32,
    /// How long a call waits for a free connection, and for writers of other processes.
    pub timeout: Duration,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            max_connections: 4,
            timeout: Duration::from_secs(10),
        }
    }
}

/// Latches in an SQLite database, which one or more processes have on their own machine's disk. A latch is
/// there before [`merge`](LatchStore::merge) returns, and stays there if the process, or the machine, dies
/// the next moment.
///
/// ```no_run
/// use deep_latch::{Account, Host, LatchStore, SqliteLatchStore, SqliteOptions};
///
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// // `open_or_create` was called when the service was installed.
/// let path = "/var/lib/mail-gateway/latches.db";
/// let store = SqliteLatchStore::open(path, SqliteOptions::default()).await?;
/// let (account, host) = (Account::try_new("alice@example.com")?, Host::try_new("imap.example.com")?);
/// let record = store.load(&account, &host).await?;
/// # drop(record);
/// # Ok(())
/// # }
/// ```
pub struct SqliteLatchStore {
    reader: SqlitePool,
    writer: SqlitePool,
}

/// What to do where there is no store.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IfMissing {
    Fail,
    Create,
}

impl SqliteLatchStore {
    /// Opens the store in this file. It may not be on a network file system, and nobody may remove or
    /// replace it while it is open: SQLite does not notice that.
    ///
    /// # Errors
    /// When there is none, or it cannot be used, is of a newer version of this crate, or could lose
    /// latches.
    pub async fn open(
        path: impl AsRef<Path>,
        options: SqliteOptions,
    ) -> Result<Self, LatchStoreError> {
        Self::open_with(path.as_ref(), options, IfMissing::Fail).await
    }

    /// The same, but makes a store without latches where there is none: a new file, for its owner alone to
    /// read, or tables in a database that has others. The directory must exist. It is for the moment when
    /// a service is installed: later, it would not notice that the file was lost.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when it cannot be made.
    pub async fn open_or_create(
        path: impl AsRef<Path>,
        options: SqliteOptions,
    ) -> Result<Self, LatchStoreError> {
        Self::open_with(path.as_ref(), options, IfMissing::Create).await
    }

    async fn open_with(
        path: &Path,
        options: SqliteOptions,
        if_missing: IfMissing,
    ) -> Result<Self, LatchStoreError> {
        // Absolute, since SQLite gives names such as `:memory:` and `file:` another meaning.
        let path = absolute(path).map_err(unavailable)?;
        let file = SqliteConnectOptions::new()
            .filename(&path)
            .busy_timeout(options.timeout)
            // Each commit is on the disk before it returns; on macOS that takes a pragma more.
            .synchronous(SqliteSynchronous::Full)
            .pragma("fullfsync", "on")
            .pragma("checkpoint_fullfsync", "on");
        let deadline = Instant::now().checked_add(options.timeout);
        while let Err(error) = set_up(&path, &file, if_missing).await {
            // To make a database a WAL one takes all of it, and SQLite does not wait for that.
            if !sqlite::is_busy(&error) || deadline.is_none_or(|deadline| deadline < Instant::now())
            {
                return Err(error);
            }
            sleep(Duration::from_millis(5)).await;
        }
        // One writer: it waits in turn for the pool, not by polling for SQLite's lock.
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(options.timeout)
                .test_before_acquire(false)
        };
        let reader = pool(options.max_connections).connect_with(file.clone());
        let writer = pool(1).connect_with(file);
        Ok(Self {
            reader: reader.await.map_err(failed)?,
            writer: writer.await.map_err(failed)?,
        })
    }

    /// Closes all connections, and waits until they are.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

impl LatchStore for SqliteLatchStore {
    fn load<'a>(
        &'a self,
        account: &'a Account,
        host: &'a Host,
    ) -> StoreFuture<'a, Result<LatchRecord, LatchStoreError>> {
        Box::pin(async move {
            let row: Option<Row> = query_as(LOAD)
                .bind(account.as_str())
                .bind(host.as_str())
                .fetch_optional(&self.reader)
                .await
                .map_err(failed)?;
            kept(host, row)
        })
    }

    fn merge<'a>(
        &'a self,
        account: &'a Account,
        record: &'a LatchRecord,
    ) -> StoreFuture<'a, Result<LatchRecord, LatchStoreError>> {
        Box::pin(async move {
            let host = record.host();
            // No other process writes between what is read and what is written.
            let mut transaction = self
                .writer
                .begin_with("BEGIN IMMEDIATE")
                .await
                .map_err(failed)?;
            let row: Option<Row> = query_as(LOAD)
                .bind(account.as_str())
                .bind(host.as_str())
                .fetch_optional(&mut *transaction)
                .await
                .map_err(failed)?;
            let is_there = row.is_some();
            let before = kept(host, row)?;
            let merged = merged(before.clone(), record)?;
            if !is_there || merged != before {
                let (latched, status) = to_text(&merged);
                query(STORE)
                    .bind(account.as_str())
                    .bind(host.as_str())
                    .bind(latched)
                    .bind(status)
                    .execute(&mut *transaction)
                    .await
                    .map_err(failed)?;
            }
            transaction.commit().await.map_err(failed)?;
            Ok(merged)
        })
    }

    fn delete_account<'a>(
        &'a self,
        account: &'a Account,
    ) -> StoreFuture<'a, Result<u64, LatchStoreError>> {
        Box::pin(async move {
            let deleted = query(DELETE)
                .bind(account.as_str())
                .execute(&self.writer)
                .await
                .map_err(failed)?;
            Ok(deleted.rows_affected())
        })
    }

    fn list<'a>(
        &'a self,
        account: &'a Account,
        after: Option<&'a Host>,
    ) -> StoreFuture<'a, Result<Vec<LatchRecord>, LatchStoreError>> {
        Box::pin(async move {
            let rows: Vec<Row> = query_as(LIST)
                .bind(account.as_str())
                // All hosts come after no name.
                .bind(after.map_or("", Host::as_str))
                .bind(i64::try_from(RECORDS_PER_BATCH).unwrap_or(i64::MAX))
                .fetch_all(&self.reader)
                .await
                .map_err(failed)?;
            rows.into_iter().map(record).collect()
        })
    }
}

impl fmt::Debug for SqliteLatchStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteLatchStore").finish_non_exhaustive()
    }
}

fn kept(host: &Host, row: Option<Row>) -> Result<LatchRecord, LatchStoreError> {
    row.map_or_else(|| Ok(LatchRecord::new(host.clone())), record)
}

/// The record of a row. The file can hold what this crate did not write.
fn record((name, latched, status): Row) -> Result<LatchRecord, LatchStoreError> {
    let host = Host::try_new(&name).ok();
    let host = host.filter(|host| host.as_str() == name);
    let record = host.and_then(|host| from_text(host, &latched, status.as_deref()));
    record.ok_or_else(|| LatchStoreErrorKind::Unreadable.into())
}

async fn set_up(
    path: &Path,
    file: &SqliteConnectOptions,
    if_missing: IfMissing,
) -> Result<(), LatchStoreError> {
    let length = match fs::metadata(path) {
        Ok(metadata) => Some(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unavailable(error)),
    };
    if length.is_none() && if_missing == IfMissing::Fail {
        return Err(LatchStoreErrorKind::Missing.into());
    }
    let file = file
        .clone()
        .create_if_missing(if_missing == IfMissing::Create);
    let mut connection = SqliteConnection::connect_with(&file)
        .await
        .map_err(failed)?;
    if if_missing == IfMissing::Create && length.is_none_or(|length| length == 0) {
        sqlite::for_its_owner_alone(path).map_err(unavailable)?;
    }
    sqlite::write_ahead(&mut connection)
        .await
        .map_err(|unfit| match unfit {
            Unfit::NotDurable(why) => LatchStoreError::new(LatchStoreErrorKind::NotDurable, why),
            Unfit::Failed(error) => failed(error),
        })?;
    // Of processes that open a new database at once, one makes the schema.
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(failed)?;
    let tables: i64 = query_scalar(IS_THERE)
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed)?;
    if tables == 0 && if_missing == IfMissing::Fail {
        // Also what SQLite makes of a file that was cut off to nothing.
        return Err(LatchStoreErrorKind::Unreadable.into());
    }
    schema::migrate(&mut *transaction, "deep_latches_migrations", VERSIONS)
        .await
        .map_err(|error| match error {
            NotMigrated::Version(error) => {
                LatchStoreError::new(LatchStoreErrorKind::Version, error)
            }
            NotMigrated::Failed(error) => failed(error),
        })?;
    transaction.commit().await.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    Ok(())
}

fn unavailable(error: io::Error) -> LatchStoreError {
    LatchStoreError::new(LatchStoreErrorKind::Unavailable, error)
}

/// What became of a statement or a connection.
fn failed(error: sqlx::Error) -> LatchStoreError {
    let kind = match &error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            LatchStoreErrorKind::Unreadable
        }
        // SQLITE_CORRUPT and SQLITE_NOTADB, by their primary code, the last eight bits.
        _ if matches!(sqlite::code(&error).map(|code| code & 0xff), Some(11 | 26)) => {
            LatchStoreErrorKind::Unreadable
        }
        _ => LatchStoreErrorKind::Unavailable,
    };
    LatchStoreError::new(kind, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_commit_is_on_the_disk_before_it_returns() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("latches.db");
        // The second time it is there already.
        for _ in 0..2 {
            let store = SqliteLatchStore::open_or_create(&path, SqliteOptions::default());
            let store = store.await.unwrap();
            for pool in [&store.reader, &store.writer] {
                let mode: String = query_scalar("PRAGMA journal_mode")
                    .fetch_one(pool)
                    .await
                    .unwrap();
                assert_eq!(mode, "wal");
                let full = [
                    ("PRAGMA synchronous", 2),
                    ("PRAGMA fullfsync", 1),
                    ("PRAGMA checkpoint_fullfsync", 1),
                ];
                for (pragma, expected) in full {
                    let value: i64 = query_scalar(pragma).fetch_one(pool).await.unwrap();
                    assert_eq!(value, expected, "{pragma}");
                }
            }
            store.close().await;
        }
    }
}
