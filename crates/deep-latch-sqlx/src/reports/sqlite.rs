//! Opening an SQLite database of reports.

use std::path::Path;

use deep_latch::reports::ReportSinkError;
use durable_store_sqlx::{OpenMode, Schema, SqlStore, SqliteOptions};
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
    application_id: *b"DRep",
};

/// A report sink in an SQLite database, which one server, of one or more processes, uses on its own disk. Recorded reports
/// are in that one file and on the disk. Deleted reports are overwritten.
///
/// To back it up, use [`back_up`](Self::back_up), or `sqlite3 FILE '.backup COPY'`. A copy of the file is good
/// only while no process has it open.
pub type SqliteReportSink = SqlxReportSink<Sqlite>;

impl ReportSinkBackend for Sqlite {
    /// Writing transactions of SQLite run one after another.
    const LOCK_ACCOUNT: Option<&'static str> = None;
}

impl SqliteReportSink {
    /// Opens the database in a file, and creates it, for its owner only, if it does not exist. The directory must exist, and
    /// must not be on a network file system.
    ///
    /// # Errors
    /// Returns the kind of the failure if the database cannot be used, is empty or damaged, is another program's
    /// ([`Unreadable`](deep_latch::reports::ReportSinkErrorKind::Unreadable)), has a newer version of this crate, could lose reports, or is open to users other than its owner and, for reading, the owner's group.
    pub async fn open(
        path: impl AsRef<Path>,
        options: ReportSinkOptions,
    ) -> Result<Self, ReportSinkError> {
        Self::open_with(path.as_ref(), options, OpenMode::Create).await
    }

    /// Opens the database for reading only: no file is created, migrated or changed. Read permission for the file is
    /// enough.
    ///
    /// # Errors
    /// [`Missing`](deep_latch::reports::ReportSinkErrorKind::Missing) if there is no such file;
    /// [`Unreadable`](deep_latch::reports::ReportSinkErrorKind::Unreadable) if it is empty, or has no reports' tables;
    /// [`Version`](deep_latch::reports::ReportSinkErrorKind::Version) if it is of another version of this crate; and when it
    /// cannot be used. Methods of the sink that would change the database return [`ReadOnly`](deep_latch::reports::ReportSinkErrorKind::ReadOnly).
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

    /// Rewrites the database without the space of deleted reports. The call has no time limit, and needs as much space
    /// again.
    ///
    /// # Errors
    /// Returns the kind of the failure. The database is unchanged then.
    pub async fn vacuum(&self) -> Result<(), ReportSinkError> {
        let vacuumed = self.store.vacuum().await;
        vacuumed.map_err(ReportSinkError::from)
    }

    /// Copies the database, as it is at one moment, into a new file for its owner only.
    ///
    /// # Errors
    /// Returns the kind of the failure if the file exists or cannot be written.
    pub async fn back_up(&self, to: impl AsRef<Path>) -> Result<(), ReportSinkError> {
        let copied = self.store.back_up(to).await;
        copied.map_err(ReportSinkError::from)
    }
}
