//! Feature `sqlx-postgres`: which PostgreSQL servers are good enough.

use core::net::IpAddr;

use sqlx::{
    Pool,
    postgres::{PgConnectOptions, PgQueryResult, PgSslMode, Postgres},
};

use super::{
    MIGRATIONS, ReportSinkBackend, ReportSinkOptions, SqlxReportSink, failed, not_migrated, pool,
};
use crate::{
    report_sink::{ReportSinkError, ReportSinkErrorKind},
    schema::{self, Versions},
};

/// The schema's versions; what was published is not changed.
const VERSIONS: Versions = &[(
    "reports",
    include_str!("../../migrations/report_sink_postgres/1_reports.sql"),
)];

/// What clients report, in a PostgreSQL database, which a fleet of servers shares. Its encoding must be
/// UTF-8.
pub type PostgresReportSink = SqlxReportSink<Postgres>;

impl ReportSinkBackend for Postgres {
    fn rows_affected(result: &PgQueryResult) -> u64 {
        result.rows_affected()
    }
}

impl PostgresReportSink {
    /// Connects to the server, and makes the tables if they are not there. The user must then be
    /// allowed to make tables in the first schema of the search path.
    ///
    /// A server on another host must be verified: `sslmode=verify-full`.
    ///
    /// # Errors
    /// When the database cannot be used, or is of a newer version of this crate.
    pub async fn connect(
        server: PgConnectOptions,
        options: ReportSinkOptions,
    ) -> Result<Self, ReportSinkError> {
        if !options.allow_unverified_server && !is_verified(&server) {
            return Err(ReportSinkErrorKind::UnverifiedServer.into());
        }
        let pool: Pool<Postgres> = pool(options).connect_with(server).await.map_err(failed)?;
        // If there is an error, the pool goes, and with its connection the migrator's lock.
        let mut connection = pool.acquire().await.map_err(failed)?;
        schema::migrate(&mut *connection, MIGRATIONS, VERSIONS)
            .await
            .map_err(not_migrated)?;
        drop(connection);
        Ok(Self {
            reader: pool.clone(),
            writer: pool,
        })
    }
}

/// Whether nobody can come between.
fn is_verified(server: &PgConnectOptions) -> bool {
    let host = server.get_host();
    let local = || host.starts_with('/') || host == "localhost";
    let loopback = || host.parse().is_ok_and(|host: IpAddr| host.is_loopback());
    matches!(server.get_ssl_mode(), PgSslMode::VerifyFull)
        || server.get_socket().is_some()
        || local()
        || loopback()
}
