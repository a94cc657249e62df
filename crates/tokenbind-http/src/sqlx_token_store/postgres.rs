//! Feature `sqlx-postgres`: how the tokens' PostgreSQL database is opened.

use durable_store::sql::{OpenMode, PostgresOptions, Schema, SqlStore};
use sqlx::postgres::{PgConnectOptions, Postgres};

use super::{SqlxOptions, SqlxTokenStore};
use crate::token_store::TokenStoreError;

const SCHEMA: Schema = Schema {
    migrations: super::MIGRATIONS,
    versions: &[(
        "tokens",
        include_str!("../../migrations/postgres/1_tokens.sql"),
    )],
};

/// Tokens in a PostgreSQL database, which a fleet of servers shares. All connect to the primary: a
/// standby learns of a revocation late.
pub type PostgresTokenStore = SqlxTokenStore<Postgres>;

impl PostgresTokenStore {
    /// Connects to the server, and makes the tables if they are not there. The user must then be
    /// allowed to make tables in the first schema of the search path.
    ///
    /// A server on another host must be verified: `sslmode=verify-full`. Each write goes through a
    /// connection on which `fsync`, `full_page_writes` and `synchronous_commit` were just seen not to be
    /// off. Statements and waits for locks end after the options' timeout, on the server too.
    ///
    /// # Errors
    /// When the database cannot be used, is of a newer version of this crate, or could lose tokens.
    pub async fn connect(
        server: PgConnectOptions,
        options: SqlxOptions,
    ) -> Result<Self, TokenStoreError> {
        let options = PostgresOptions {
            max_connections: options.max_connections,
            timeout: options.timeout,
            allow_unverified_server: options.allow_unverified_server,
        };
        let store = SqlStore::connect(server, SCHEMA, options, OpenMode::Create).await;
        let store = store.map_err(TokenStoreError::of_database)?;
        Ok(Self { store })
    }
}
