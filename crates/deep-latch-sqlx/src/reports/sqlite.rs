//! Opening an SQLite database of reports.

use std::path::Path;

use deep_latch::reports::ReportSinkError;
use durable_store::sql::{OpenMode, Schema, SqlStore, SqliteOptions};
use sqlx::sqlite::Sqlite;

use super::{MIGRATIONS, ReportSinkBackend, ReportSinkOptions, SqlxReportSink};

const SCHEMA: Schema = Schema {
    migrations: MIGRATIONS,
    versions: &[
        (
            "reports",
            include_str!("../../migrations/report_sink_sqlite/1_reports.sql"),
        ),
        (
            "last report",
            include_str!("../../migrations/report_sink_sqlite/2_last_report.sql"),
        ),
    ],
};

/// What clients report, in an SQLite database, which one server, of one or more processes, has on its own
/// disk. What was recorded is in that one file and on the disk; what was forgotten is overwritten.
///
/// To back it up, use [`back_up`](Self::back_up), or `sqlite3 FILE '.backup COPY'`. A copy of the file is good
/// only while no process has it open.
pub type SqliteReportSink = SqlxReportSink<Sqlite>;

impl ReportSinkBackend for Sqlite {
    /// Its transactions that write are one after another.
    const LOCK_ACCOUNT: Option<&'static str> = None;
}

impl SqliteReportSink {
    /// Opens the database in this file, whose directory must exist. One that does not exist is made,
    /// for its owner alone to read. It may not be on a network file system.
    ///
    /// # Errors
    /// When the database cannot be used, is empty or damaged, is of a newer version of this crate, could lose
    /// reports, or is open to other users than its owner and, to read, the owner's group.
    pub async fn open(
        path: impl AsRef<Path>,
        options: ReportSinkOptions,
    ) -> Result<Self, ReportSinkError> {
        Self::open_with(path.as_ref(), options, OpenMode::Create).await
    }

    /// Opens the database to ask only: nothing is created, migrated or changed. Any user may do it who can
    /// read the file.
    ///
    /// # Errors
    /// [`Missing`](deep_latch::reports::ReportSinkErrorKind::Missing) if there is no such file;
    /// [`Unreadable`](deep_latch::reports::ReportSinkErrorKind::Unreadable) if it is empty, or has no reports' tables;
    /// [`Version`](deep_latch::reports::ReportSinkErrorKind::Version) if it is of another version of this crate; and when it
    /// cannot be used. Of the sink: [`ReadOnly`](deep_latch::reports::ReportSinkErrorKind::ReadOnly) from each method that
    /// would change something.
    pub async fn open_to_read(
        path: impl AsRef<Path>,
        options: ReportSinkOptions,
    ) -> Result<Self, ReportSinkError> {
        Self::open_with(path.as_ref(), options, OpenMode::Read).await
    }

    async fn open_with(
        path: &Path,
        options: ReportSinkOptions,
        mode: OpenMode,
    ) -> Result<Self, ReportSinkError> {
        let options = SqliteOptions {
            max_connections: options.max_connections,
            timeout: options.timeout,
            foreign_keys: true,
        };
        let store = SqlStore::open(path, SCHEMA, options, mode).await;
        let store = store.map_err(ReportSinkError::from)?;
        Ok(Self { store })
    }

    /// Writes the database anew, without the space of what was purged and forgotten. It takes as long as that
    /// needs, and as much space again.
    ///
    /// # Errors
    /// When it cannot be done; the database is as it was.
    pub async fn vacuum(&self) -> Result<(), ReportSinkError> {
        let vacuumed = self.store.vacuum().await;
        vacuumed.map_err(ReportSinkError::from)
    }

    /// Copies the database, as it is at one moment, into a new file, for its owner alone to read.
    ///
    /// # Errors
    /// When the file exists, or cannot be written.
    pub async fn back_up(&self, to: impl AsRef<Path>) -> Result<(), ReportSinkError> {
        let copied = self.store.back_up(to).await;
        copied.map_err(ReportSinkError::from)
    }
}
