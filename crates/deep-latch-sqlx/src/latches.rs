//! Latches of many accounts in an SQLite database, which is opened so that no latch is lost.

use std::{fmt, path::Path, time::Duration};

use deep_latch::{
    DeepStatus, Host, LatchRecord,
    store::{
        Account, LatchStore, LatchStoreError, LatchStoreErrorKind, RECORDS_PER_BATCH, StoreFuture,
    },
};
use durable_store_sqlx::{self as sql, OpenMode, Schema, SqlStore};
use sqlx::{query, query_as, sqlite::Sqlite};

const SCHEMA: Schema = Schema {
    migrations: "deep_latches_migrations",
    versions: &[(
        "latches",
        include_str!("../migrations/latches/1_latches.sql"),
    )],
    application_id: *b"DLat",
};

const LOAD: &str =
    "SELECT host, latched, status FROM deep_latches WHERE account = $1 AND host = $2";
const STORE: &str = "INSERT INTO deep_latches (account, host, latched, status) \
    VALUES ($1, $2, $3, $4) \
    ON CONFLICT (account, host) DO UPDATE SET latched = excluded.latched, status = excluded.status";
const DELETE: &str = "DELETE FROM deep_latches WHERE account = $1";
const LIST: &str = "SELECT host, latched, status FROM deep_latches \
    WHERE account = $1 AND host > $2 ORDER BY host LIMIT $3";

type Row = (String, String, Option<String>);

/// The options of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// The most connections that read at once. One more connection writes.
    pub max_connections: u32,
    /// The time limit of a call, including the wait for a free connection and for writers of other processes.
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

/// A latch store in an SQLite database, which one or more processes use on the disk of their machine. A latch is in that one
/// file, and on the disk, before [`merge`](LatchStore::merge) returns, and survives the process and the machine. The names
/// of deleted accounts are overwritten.
///
/// To back it up, use [`back_up`](Self::back_up), or `sqlite3 FILE '.backup COPY'`. A copy of the file is good
/// only while no process has it open. A latch that a backup lacks is lost when the backup is restored.
///
/// ```no_run
/// use deep_latch::{Host, store::{Account, LatchStore}};
/// use deep_latch_sqlx::{SqliteLatchStore, SqliteOptions};
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
    store: SqlStore<Sqlite>,
}

impl SqliteLatchStore {
    /// Opens the store in a file, which must not be on a network file system. A symbolic link is resolved once.
    ///
    /// # Errors
    /// [`Missing`](LatchStoreErrorKind::Missing) if there is no such file, or it is removed or replaced while it is open; [`Unreadable`](LatchStoreErrorKind::Unreadable) if it is empty, was cut off or is damaged;
    /// [`NotDurable`](LatchStoreErrorKind::NotDurable) if it has a write-ahead log, without which it would be
    /// stale; [`Exposed`](LatchStoreErrorKind::Exposed) if it is open to other users than its owner and, to
    /// read, the owner's group; [`Version`](LatchStoreErrorKind::Version).
    pub async fn open(
        path: impl AsRef<Path>,
        options: SqliteOptions,
    ) -> Result<Self, LatchStoreError> {
        Self::open_with(path.as_ref(), options, OpenMode::Existing).await
    }

    /// Opens the store, and creates a store without latches if there is none: a new file for its owner only, or tables in a
    /// database that has others. The directory must exist. Use this when a service is installed only: later, it would not
    /// notice that the file was lost. An empty file is an error, not a new store.
    ///
    /// # Errors
    /// Returns the errors of [`open`](Self::open), and [`Unavailable`](LatchStoreErrorKind::Unavailable) if the store
    /// cannot be created.
    pub async fn open_or_create(
        path: impl AsRef<Path>,
        options: SqliteOptions,
    ) -> Result<Self, LatchStoreError> {
        Self::open_with(path.as_ref(), options, OpenMode::Join).await
    }

    async fn open_with(
        path: &Path,
        options: SqliteOptions,
        mode: OpenMode,
    ) -> Result<Self, LatchStoreError> {
        let options = sql::SqliteOptions {
            max_connections: options.max_connections,
            timeout: options.timeout,
            foreign_keys: false,
        };
        let store = SqlStore::open(path, SCHEMA, options, mode).await;
        let store = store.map_err(LatchStoreError::from)?;
        Ok(Self { store })
    }

    /// Rewrites the database without the space of deleted accounts. The call has no time limit, and needs as much space
    /// again.
    ///
    /// # Errors
    /// Returns the kind of the failure. The database is unchanged then.
    pub async fn vacuum(&self) -> Result<(), LatchStoreError> {
        self.store.vacuum().await.map_err(LatchStoreError::from)
    }

    /// Copies the database, as it is at one moment, into a new file for its owner only.
    ///
    /// # Errors
    /// Returns the kind of the failure if the file exists or cannot be written.
    pub async fn back_up(&self, to: impl AsRef<Path>) -> Result<(), LatchStoreError> {
        let copied = self.store.back_up(to).await;
        copied.map_err(LatchStoreError::from)
    }

    /// Closes all connections, and waits until they are closed.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Awaits an operation with the store's time limit.
    async fn within<T>(
        &self,
        operation: impl Future<Output = Result<T, LatchStoreError>>,
    ) -> Result<T, LatchStoreError> {
        let done = self.store.within(operation).await;
        done.map_err(LatchStoreError::from)?
    }

    /// Converts an error of sqlx.
    fn failed(&self, error: sqlx::Error) -> LatchStoreError {
        LatchStoreError::from(self.store.error(error))
    }
}

impl LatchStore for SqliteLatchStore {
    fn load<'a>(
        &'a self,
        account: &'a Account,
        host: &'a Host,
    ) -> StoreFuture<'a, Result<LatchRecord, LatchStoreError>> {
        Box::pin(self.within(async move {
            let row: Option<Row> = query_as(LOAD)
                .bind(account.as_str())
                .bind(host.as_str())
                .fetch_optional(self.store.reader())
                .await
                .map_err(|error| self.failed(error))?;
            kept(host, row)
        }))
    }

    fn merge<'a>(
        &'a self,
        account: &'a Account,
        record: &'a LatchRecord,
    ) -> StoreFuture<'a, Result<LatchRecord, LatchStoreError>> {
        let failed = |error| self.failed(error);
        Box::pin(self.within(async move {
            let host = record.host();
            // No other process writes between what is read and what is written.
            let mut transaction = self.store.begin_write().await?;
            let row: Option<Row> = query_as(LOAD)
                .bind(account.as_str())
                .bind(host.as_str())
                .fetch_optional(&mut *transaction)
                .await
                .map_err(failed)?;
            let is_there = row.is_some();
            let before = kept(host, row)?;
            let merged = before.clone().merged_with(record)?;
            if !is_there || merged != before {
                query(STORE)
                    .bind(account.as_str())
                    .bind(host.as_str())
                    .bind(merged.latched_text())
                    .bind(merged.status().map(DeepStatus::as_str))
                    .execute(&mut *transaction)
                    .await
                    .map_err(failed)?;
            }
            transaction.commit().await?;
            Ok(merged)
        }))
    }

    fn delete_account<'a>(
        &'a self,
        account: &'a Account,
    ) -> StoreFuture<'a, Result<u64, LatchStoreError>> {
        Box::pin(self.within(async move {
            let delete = query(DELETE).bind(account.as_str());
            Ok(self.store.write(delete).await?)
        }))
    }

    fn list<'a>(
        &'a self,
        account: &'a Account,
        after: Option<&'a Host>,
    ) -> StoreFuture<'a, Result<Vec<LatchRecord>, LatchStoreError>> {
        Box::pin(self.within(async move {
            let rows: Vec<Row> = query_as(LIST)
                .bind(account.as_str())
                // All hosts come after no name.
                .bind(after.map_or("", Host::as_str))
                .bind(i64::try_from(RECORDS_PER_BATCH).unwrap_or(i64::MAX))
                .fetch_all(self.store.reader())
                .await
                .map_err(|error| self.failed(error))?;
            rows.into_iter().map(record).collect()
        }))
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

/// Returns the record of a row, which this crate may not have written.
fn record((name, latched, status): Row) -> Result<LatchRecord, LatchStoreError> {
    let host = Host::try_new(&name).ok();
    let host = host.filter(|host| host.as_str() == name);
    let host = host.ok_or(LatchStoreErrorKind::Unreadable)?;
    LatchRecord::restore(host, &latched, status.as_deref())
}
