//! Opens the tokens' PostgreSQL database.

use durable_store_sqlx::{OpenMode, PostgresOptions, Schema, SqlStore};
use sqlx::postgres::{PgConnectOptions, Postgres};

use tokenbind_http::token_store::TokenStoreError;
#[cfg(doc)]
use tokenbind_http::token_store::TokenStoreErrorKind;

use crate::{
    error::of_database,
    store::{MIGRATIONS, SqlxOptions, SqlxTokenStore},
};

const SCHEMA: Schema = Schema {
    migrations: MIGRATIONS,
    versions: &[(
        "tokens",
        include_str!("../migrations/postgres/1_tokens.sql"),
    )],
    application_id: *b"TBnd",
};

/// A store of tokens in a PostgreSQL database that several servers share. All servers must connect to the
/// primary: a standby receives a revocation late.
pub type PostgresTokenStore = SqlxTokenStore<Postgres>;

impl PostgresTokenStore {
    /// Connects to the server, and makes the tables if they do not exist. The user must then have the privilege
    /// to make tables in the first schema of the search path.
    ///
    /// A server on another host must be verified: `sslmode=verify-full`. Before each write `fsync`,
    /// `full_page_writes` and `synchronous_commit` are checked on its connection. Statements and waits for locks
    /// end after the options' timeout, on the server too.
    ///
    /// # Errors
    /// [`UnverifiedServer`](TokenStoreErrorKind::UnverifiedServer) if the connection would not verify a server on
    /// another host; [`Version`](TokenStoreErrorKind::Version) if the database is of a newer version of this
    /// crate; [`NotDurable`](TokenStoreErrorKind::NotDurable) if it could lose tokens; other kinds if it cannot be
    /// used.
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
        let store = store.map_err(of_database)?;
        Ok(Self { store })
    }
}
