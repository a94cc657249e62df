//! Feature `sqlx-sqlite`: how the reports' SQLite database is opened.

use core::time::Duration;
use std::{
    fs,
    path::{Path, absolute},
    time::Instant,
};

use sqlx::{
    Connection, SqliteConnection,
    sqlite::{
        Sqlite, SqliteConnectOptions, SqlitePoolOptions, SqliteQueryResult, SqliteSynchronous,
    },
};
use tokio::time::sleep;

use super::{
    MIGRATIONS, ReportSinkBackend, ReportSinkOptions, SqlxReportSink, failed, not_migrated, pool,
};
use crate::{
    report_sink::{ReportSinkError, ReportSinkErrorKind},
    schema::{self, Versions},
    sqlite::{self, Unfit},
};

/// The schema's versions; what was published is not changed.
const VERSIONS: Versions = &[(
    "reports",
    include_str!("../../migrations/report_sink_sqlite/1_reports.sql"),
)];

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
            if !sqlite::is_busy(&error) || deadline.is_none_or(|deadline| deadline < Instant::now())
            {
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
    if new {
        sqlite::for_its_owner_alone(path)
            .map_err(|error| ReportSinkError::new(ReportSinkErrorKind::Unavailable, error))?;
    }
    sqlite::write_ahead(&mut connection)
        .await
        .map_err(|unfit| match unfit {
            Unfit::NotDurable(why) => ReportSinkError::new(ReportSinkErrorKind::NotDurable, why),
            Unfit::Failed(error) => failed(error),
        })?;
    // Of processes that open a new database at once, one makes the schema.
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(failed)?;
    schema::migrate(&mut *transaction, MIGRATIONS, VERSIONS)
        .await
        .map_err(not_migrated)?;
    transaction.commit().await.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    Ok(())
}
