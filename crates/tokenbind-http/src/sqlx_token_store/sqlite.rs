//! Feature `sqlx-sqlite`: how an SQLite database is opened so that nothing is lost.

use std::{
    error::Error,
    fs,
    path::{Path, absolute},
    time::{Duration, Instant},
};

use sqlx::{
    Connection, SqliteConnection, query_scalar,
    sqlite::{
        Sqlite, SqliteConnectOptions, SqlitePoolOptions, SqliteQueryResult, SqliteSynchronous,
    },
};
use tokio::time::sleep;

use super::{SqlxBackend, SqlxOptions, SqlxTokenStore, failed, migrate, pool};
use crate::token_store::{TokenStoreError, TokenStoreErrorKind};

/// The schema's versions; what was published is not changed.
const VERSIONS: &[(&str, &str)] = &[(
    "tokens",
    include_str!("../../migrations/sqlite/1_tokens.sql"),
)];

/// Before this version, two connections that write and checkpoint at once can corrupt a database
/// (SQLite's "WAL-reset bug").
const OLDEST: (u32, u32, u32) = (3, 51, 3);

/// Tokens in an SQLite database, which one server, of one or more processes, has on its own disk.
pub type SqliteTokenStore = SqlxTokenStore<Sqlite>;

impl SqlxBackend for Sqlite {
    fn rows_affected(result: &SqliteQueryResult) -> u64 {
        result.rows_affected()
    }
}

impl SqliteTokenStore {
    /// Opens the database in this file, whose directory must exist. One that does not exist is made,
    /// for its owner alone to read. It may not be on a network file system.
    ///
    /// # Errors
    /// When the database cannot be used, is of a newer version of this crate, or could lose tokens.
    pub async fn open(
        path: impl AsRef<Path>,
        options: SqlxOptions,
    ) -> Result<Self, TokenStoreError> {
        // Absolute, since SQLite gives names such as `:memory:` and `file:` another meaning.
        let path = absolute(path)
            .map_err(|error| TokenStoreError::new(TokenStoreErrorKind::Unavailable, error))?;
        let file = SqliteConnectOptions::new()
            .filename(&path)
            .busy_timeout(options.timeout)
            // Each commit is on the disk before it returns; on macOS that takes a pragma more.
            .synchronous(SqliteSynchronous::Full)
            .pragma("fullfsync", "on")
            .pragma("checkpoint_fullfsync", "on");
        let deadline = Instant::now().checked_add(options.timeout);
        while let Err(error) = set_up(&path, &file).await {
            // To make a database a WAL one takes all of it, and SQLite does not wait for that.
            if !is_busy(&error) || deadline.is_none_or(|deadline| deadline < Instant::now()) {
                return Err(error);
            }
            sleep(Duration::from_millis(5)).await;
        }
        // One writer: it waits in turn for the pool, not by polling for SQLite's lock.
        let pool = || -> SqlitePoolOptions { pool(options).test_before_acquire(false) };
        Ok(Self {
            reader: pool().connect_with(file.clone()).await.map_err(failed)?,
            writer: pool()
                .max_connections(1)
                .connect_with(file)
                .await
                .map_err(failed)?,
        })
    }
}

async fn set_up(path: &Path, file: &SqliteConnectOptions) -> Result<(), TokenStoreError> {
    let new = fs::metadata(path).map_or(true, |file| file.len() == 0);
    let file = file.clone().create_if_missing(new);
    let mut connection = SqliteConnection::connect_with(&file)
        .await
        .map_err(failed)?;
    #[cfg(unix)]
    if new {
        use std::os::unix::fs::PermissionsExt;
        // By name: to close the file a second time would undo SQLite's locks on it. It is empty yet,
        // and SQLite's other files get the permissions of this one.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
            .map_err(|error| TokenStoreError::new(TokenStoreErrorKind::Unavailable, error))?;
    }
    let version: String = query_scalar("SELECT sqlite_version()")
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
    if parse(&version).is_none_or(|version| version < OLDEST) {
        return Err(TokenStoreError::new(
            TokenStoreErrorKind::NotDurable,
            format!("SQLite {version} has the WAL-reset bug"),
        ));
    }
    let mode: String = query_scalar("PRAGMA journal_mode = WAL")
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
    if mode != "wal" {
        return Err(TokenStoreError::new(
            TokenStoreErrorKind::NotDurable,
            format!("SQLite's journal_mode stays {mode}"),
        ));
    }
    // Of processes that open a new database at once, one makes the schema.
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(failed)?;
    migrate(&mut *transaction, VERSIONS).await?;
    transaction.commit().await.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    Ok(())
}

fn is_busy(error: &TokenStoreError) -> bool {
    let error = error.source().and_then(|source| source.downcast_ref());
    let code = error
        .and_then(sqlx::Error::as_database_error)
        .and_then(|error| error.code());
    // The primary code, or an extended one: SQLITE_BUSY_RECOVERY, SQLITE_BUSY_SNAPSHOT.
    code.is_some_and(|code| ["5", "261", "517"].contains(&&*code))
}

fn parse(version: &str) -> Option<(u32, u32, u32)> {
    let mut numbers = version.split('.').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some((next()?, next()?, next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert_eq!(parse("3.51.3"), Some(OLDEST));
        assert_eq!(parse("3.9.0").map(|version| version < OLDEST), Some(true));
        assert_eq!(
            parse("3.51.10").map(|version| version < OLDEST),
            Some(false)
        );
        assert_eq!(parse("3.52"), None);
        assert_eq!(parse("3.52.x"), None);
    }

    #[tokio::test]
    async fn every_commit_is_on_the_disk_before_it_returns() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.db");
        // The second time it is there already.
        for _ in 0..2 {
            let store = SqliteTokenStore::open(&path, SqlxOptions::default());
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
