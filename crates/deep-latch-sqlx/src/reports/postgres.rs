//! Opening a PostgreSQL database of reports.

use deep_latch::reports::ReportSinkError;
use durable_store_sqlx::{OpenMode, PostgresOptions, Schema, SqlStore};
use sqlx::postgres::{PgConnectOptions, Postgres};

use super::{MIGRATIONS, ReportSinkBackend, ReportSinkOptions, SqlxReportSink};

const SCHEMA: Schema = Schema {
    migrations: MIGRATIONS,
    versions: &[
        (
            "reports",
            include_str!("../../migrations/report_sink_postgres/1_reports.sql"),
        ),
        (
            "last report",
            include_str!("../../migrations/report_sink_postgres/2_last_report.sql"),
        ),
    ],
    application_id: *b"DRep",
};

/// A report sink in a PostgreSQL database, which several servers share. The encoding of the database must be UTF-8.
pub type PostgresReportSink = SqlxReportSink<Postgres>;

impl ReportSinkBackend for Postgres {
    /// One transaction at a time counts and inserts the clients of an account on a host. The key is one of the database:
    /// another use of the same key only makes this wait.
    const LOCK_ACCOUNT: Option<&'static str> = Some(
        "SELECT pg_advisory_xact_lock(hashtextextended($2, hashtextextended($1, 5231867310912)))",
    );
}

impl PostgresReportSink {
    /// Connects to the server, and creates the tables if they do not exist. The user must then be allowed to create tables
    /// in the first schema of the search path.
    ///
    /// A server on another host must be verified: `sslmode=verify-full`. Each write goes through a connection
    /// on which `fsync`, `full_page_writes` and `synchronous_commit` were checked just before. Statements and waits for
    /// locks end after the options' timeout, on the server too.
    ///
    /// # Errors
    /// Returns the kind of the failure if the database cannot be used, has a newer version of this crate, or could lose
    /// reports.
    pub async fn connect(
        server: PgConnectOptions,
        options: ReportSinkOptions,
    ) -> Result<Self, ReportSinkError> {
        Self::connect_with(server, options, OpenMode::Create).await
    }

    /// Connects for reading only: no table is created, migrated or changed. A role needs only `SELECT` on
    /// `deep_clients`, `deep_client_tags` and `deep_report_migrations`.
    ///
    /// # Errors
    /// [`Missing`](deep_latch::reports::ReportSinkErrorKind::Missing) if the tables do not exist;
    /// [`Version`](deep_latch::reports::ReportSinkErrorKind::Version) if they are of another version of this crate; and when
    /// the database cannot be used. Methods of the sink that would change the database return [`ReadOnly`](deep_latch::reports::ReportSinkErrorKind::ReadOnly).
    pub async fn connect_to_read(
        server: PgConnectOptions,
        options: ReportSinkOptions,
    ) -> Result<Self, ReportSinkError> {
        Self::connect_with(server, options, OpenMode::Read).await
    }

    async fn connect_with(
        server: PgConnectOptions,
        options: ReportSinkOptions,
        mode: OpenMode,
    ) -> Result<Self, ReportSinkError> {
        let options = PostgresOptions {
            max_connections: options.max_connections,
            timeout: options.timeout,
            allow_unverified_server: options.allow_unverified_server,
        };
        let store = SqlStore::connect(server, SCHEMA, options, mode).await;
        let store = store.map_err(ReportSinkError::from)?;
        Ok(Self { store })
    }
}
