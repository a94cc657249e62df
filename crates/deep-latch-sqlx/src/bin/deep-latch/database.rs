//! Opening the database that the servers keep reports in.

use std::path::PathBuf;

use deep_latch::reports::{ReportSink, ReportSinkError, ReportSinkErrorKind};
use deep_latch_sqlx::{PostgresReportSink, ReportSinkOptions, SqliteReportSink};

use crate::failure::Failure;

/// An open database.
pub(crate) enum Database {
    Sqlite(SqliteReportSink),
    Postgres(PostgresReportSink),
}

/// The place of a database.
enum Place {
    Sqlite(PathBuf),
    Postgres(String),
}

fn place(url: &str) -> Result<Place, Failure> {
    if let Some(path) = url.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
        // Both forms are common; an absolute path follows either.
        let path = path.strip_prefix("//").unwrap_or(path);
        return Ok(Place::Sqlite(path.into()));
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Place::Postgres(url.to_owned()));
    }
    // The value can have a password.
    Err(Failure::error(
        "--database: sqlite:PATH or postgres://... is expected",
    ))
}

impl Database {
    /// Opens the database for reading only. No file or table is created.
    pub(crate) async fn open_to_read(
        url: &str,
        options: ReportSinkOptions,
    ) -> Result<Self, Failure> {
        let opened = match place(url)? {
            Place::Sqlite(path) => SqliteReportSink::open_to_read(path, options)
                .await
                .map(Self::Sqlite),
            Place::Postgres(url) => {
                let server = url.parse().map_err(|_| not_a_url())?;
                PostgresReportSink::connect_to_read(server, options)
                    .await
                    .map(Self::Postgres)
            }
        };
        opened.map_err(Failure::from)
    }

    /// Opens the database for changes. A database that does not exist is not created; one of an earlier version is
    /// migrated.
    pub(crate) async fn open(url: &str, options: ReportSinkOptions) -> Result<Self, Failure> {
        match Self::open_to_read(url, options).await {
            Ok(read) => read.close().await,
            Err(Failure::Database(error)) if error.kind() == ReportSinkErrorKind::Version => {}
            Err(error) => return Err(error),
        }
        let opened = match place(url)? {
            Place::Sqlite(path) => SqliteReportSink::open(path, options)
                .await
                .map(Self::Sqlite),
            Place::Postgres(url) => {
                let server = url.parse().map_err(|_| not_a_url())?;
                PostgresReportSink::connect(server, options)
                    .await
                    .map(Self::Postgres)
            }
        };
        opened.map_err(Failure::from)
    }

    pub(crate) fn sink(&self) -> &dyn ReportSink {
        match self {
            Self::Sqlite(sink) => sink,
            Self::Postgres(sink) => sink,
        }
    }

    /// Rewrites an SQLite file. A PostgreSQL server does that itself.
    pub(crate) async fn vacuum(&self) -> Result<(), ReportSinkError> {
        match self {
            Self::Sqlite(sink) => sink.vacuum().await,
            Self::Postgres(_) => Ok(()),
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(sink) => sink.close().await,
            Self::Postgres(sink) => sink.close().await,
        }
    }
}

fn not_a_url() -> Failure {
    Failure::error("--database: not a URL of PostgreSQL")
}
