//! Feature `sqlx-sqlite`: how the reports' SQLite database is opened.

use alloc::{format, string::String};
use core::{error::Error, time::Duration};
use std::{
    fs,
    path::{Path, absolute},
    time::Instant,
};

use sqlx::{
    Connection, SqliteConnection, query_scalar,
    sqlite::{
        Sqlite, SqliteConnectOptions, SqlitePoolOptions, SqliteQueryResult, SqliteSynchronous,
    },
};
use tokio::time::sleep;

use super::{ReportSinkBackend, ReportSinkOptions, SqlxReportSink, failed, migrate, pool};
use crate::report_sink::{ReportSinkError, ReportSinkErrorKind};

/// The schema's versions; what was published is not changed.
const VERSIONS: &[(&str, &str)] = &[(
    "reports",
    include_str!("../../migrations/report_sink_sqlite/1_reports.sql"),
)];

/// Before this version, two connections that write and checkpoint at once can corrupt a database
/// (SQLite's "WAL-reset bug").
const OLDEST: (u32, u32, u32) = (3, 51, 3);

/// What clients report, in an SQLite database, which one server, of one or more processes, has on its own
/// disk.
///
/// It does not wait for the disk: if the machine dies, the last reports may be lost, and no more. A client
/// reports the same again on its next connection.
pub type SqliteReportSink = SqlxReportSink<Sqlite>;

impl ReportSinkBackend for Sqlite {
    fn rows_affected(result: &SqliteQueryResult) -> u64 {
        result.rows_affected()
    }
}

impl SqliteReportSink {
    /// Opens the database in this file, whose directory must exist. One that does not exist is made,
    /// for its owner alone to read. It may not be on a network file system.
    ///
    /// # Errors
    /// When the database cannot be used, is of a newer version of this crate, or could be corrupted.
    pub async fn open(
        path: impl AsRef<Path>,
        options: ReportSinkOptions,
    ) -> Result<Self, ReportSinkError> {
        // Absolute, since SQLite gives names such as `:memory:` and `file:` another meaning.
        let path = absolute(path)
            .map_err(|error| ReportSinkError::new(ReportSinkErrorKind::Unavailable, error))?;
        let file = SqliteConnectOptions::new()
            .filename(&path)
            .busy_timeout(options.timeout)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Normal);
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

async fn set_up(path: &Path, file: &SqliteConnectOptions) -> Result<(), ReportSinkError> {
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
            .map_err(|error| ReportSinkError::new(ReportSinkErrorKind::Unavailable, error))?;
    }
    let version: String = query_scalar("SELECT sqlite_version()")
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
    if parse(&version).is_none_or(|version| version < OLDEST) {
        return Err(ReportSinkError::new(
            ReportSinkErrorKind::NotDurable,
            format!("SQLite {version} has the WAL-reset bug"),
        ));
    }
    let mode: String = query_scalar("PRAGMA journal_mode = WAL")
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
    if mode != "wal" {
        return Err(ReportSinkError::new(
            ReportSinkErrorKind::NotDurable,
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

fn is_busy(error: &ReportSinkError) -> bool {
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
}
