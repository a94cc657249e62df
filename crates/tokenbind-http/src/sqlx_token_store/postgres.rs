//! Feature `sqlx-postgres`: which PostgreSQL servers are good enough.

use std::net::IpAddr;

use sqlx::{
    Pool,
    postgres::{PgConnectOptions, PgQueryResult, PgSslMode, Postgres},
    query_scalar,
};

use super::{SqlxBackend, SqlxOptions, SqlxTokenStore, failed, migrate, pool};
use crate::token_store::{TokenStoreError, TokenStoreErrorKind};

/// The schema's versions; what was published is not changed.
const VERSIONS: &[(&str, &str)] = &[(
    "tokens",
    include_str!("../../migrations/postgres/1_tokens.sql"),
)];

/// With either off, the server confirms what it can lose.
const DURABLE: &str =
    "SELECT current_setting('fsync') <> 'off' AND current_setting('synchronous_commit') <> 'off'";

/// Tokens in a PostgreSQL database, which a fleet of servers shares. All connect to the primary: a
/// standby learns of a revocation late.
pub type PostgresTokenStore = SqlxTokenStore<Postgres>;

impl SqlxBackend for Postgres {
    fn rows_affected(result: &PgQueryResult) -> u64 {
        result.rows_affected()
    }
}

impl PostgresTokenStore {
    /// Connects to the server, and makes the tables if they are not there. The user must then be
    /// allowed to make tables in the first schema of the search path.
    ///
    /// A server on another host must be verified: `sslmode=verify-full`.
    ///
    /// # Errors
    /// When the database cannot be used, is of a newer version of this crate, or could lose tokens.
    pub async fn connect(
        server: PgConnectOptions,
        options: SqlxOptions,
    ) -> Result<Self, TokenStoreError> {
        if !options.allow_unverified_server && !is_verified(&server) {
            return Err(TokenStoreErrorKind::UnverifiedServer.into());
        }
        let pool: Pool<Postgres> = pool(options).connect_with(server).await.map_err(failed)?;
        // If there is an error, the pool goes, and with its connection the migrator's lock.
        let durable: bool = query_scalar(DURABLE)
            .fetch_one(&pool)
            .await
            .map_err(failed)?;
        if !durable {
            return Err(TokenStoreError::new(
                TokenStoreErrorKind::NotDurable,
                "fsync or synchronous_commit is off",
            ));
        }
        let mut connection = pool.acquire().await.map_err(failed)?;
        migrate(&mut *connection, VERSIONS).await?;
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
