//! Feature `postgres`: which PostgreSQL servers are good enough, and how long they may take.

use std::{net::IpAddr, time::Duration};

use durable_store::{Error, ErrorKind};
use sqlx::{
    Executor, PgConnection, Pool,
    postgres::{PgConnectOptions, PgPoolOptions, PgQueryResult, PgSslMode, Postgres},
    query_as,
};

use super::{ConnectionFuture, OpenMode, Place, Schema, SqlDatabase, SqlStore, Tables, classified};

/// If one of these settings is off, the server can lose confirmed writes when it, or its machine, is killed.
const SETTINGS: &str = "SELECT current_setting('fsync'), current_setting('full_page_writes'), \
    current_setting('synchronous_commit')";

/// Options for the use of a PostgreSQL database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostgresOptions {
    /// The maximum number of open connections.
    pub max_connections: u32,
    /// The time limit of an operation, of a statement, and of a wait for a lock or a connection.
    pub timeout: Duration,
    /// A server on another host is used though the connection does not verify its certificate and name.
    pub allow_unverified_server: bool,
}

impl SqlDatabase for Postgres {
    const BEGIN_WRITE: &'static str = "BEGIN";

    const COUNT_TABLES: &'static str = "SELECT COUNT(to_regclass($1))";

    fn run<'c>(
        connection: &'c mut PgConnection,
        statement: &'static str,
    ) -> ConnectionFuture<'c, Result<(), sqlx::Error>> {
        let statement = sqlx::raw_sql(statement);
        Box::pin(async move { connection.execute(statement).await.map(drop) })
    }

    fn rows_affected(result: &PgQueryResult) -> u64 {
        result.rows_affected()
    }

    fn why_not_durable(
        connection: &mut PgConnection,
    ) -> ConnectionFuture<'_, Result<Option<String>, sqlx::Error>> {
        Box::pin(async move {
            let settings: (String, String, String) =
                query_as(SETTINGS).fetch_one(connection).await?;
            let named = [
                ("fsync", settings.0),
                ("full_page_writes", settings.1),
                ("synchronous_commit", settings.2),
            ];
            let off = named.into_iter().find(|(_, value)| value == "off");
            Ok(off.map(|(name, _)| format!("the server's setting {name} is off")))
        })
    }

    fn kind(error: &sqlx::Error) -> Option<ErrorKind> {
        match &*error.as_database_error()?.code()? {
            // invalid_catalog_name: there is no such database.
            "3D000" => Some(ErrorKind::Missing),
            // read_only_sql_transaction
            "25006" => Some(ErrorKind::ReadOnly),
            _ => None,
        }
    }
}

impl SqlStore<Postgres> {
    /// Connects to a server, and makes or migrates the tables unless they are only to be read. The user must
    /// then be allowed to make tables in the first schema of the search path. To read, `SELECT` on the
    /// tables, the schema's table of versions among them, is enough.
    ///
    /// A server on another host must be verified: `sslmode=verify-full`.
    ///
    /// # Errors
    /// [`ErrorKind::UnverifiedServer`]; [`ErrorKind::NotDurable`] if `fsync`, `full_page_writes` or
    /// `synchronous_commit` is off; [`ErrorKind::Missing`] if the tables are not there and not to be made;
    /// [`ErrorKind::Version`]; [`ErrorKind::Unavailable`].
    pub async fn connect(
        server: PgConnectOptions,
        schema: Schema,
        options: PostgresOptions,
        mode: OpenMode,
    ) -> Result<Self, Error> {
        let place = Place::Server(name(&server).into());
        if !options.allow_unverified_server && !is_verified(&server) {
            return Err(place.name(ErrorKind::UnverifiedServer.into()));
        }
        let settings = session_settings(options.timeout, mode);
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections)
            .acquire_timeout(options.timeout)
            // On each connection: those of the database, or of the role, can be changed meanwhile.
            .after_connect(move |connection, _| {
                let settings = sqlx::raw_sql(sqlx::AssertSqlSafe(settings.clone()));
                Box::pin(async move { connection.execute(settings).await.map(drop) })
            });
        let pool = match mode {
            OpenMode::Read => pool,
            // One that was made while the settings were others is replaced. It also shows that the connection
            // lives, as the pool's own test does.
            OpenMode::Existing | OpenMode::Create | OpenMode::Join => pool
                .test_before_acquire(false)
                .before_acquire(|connection, _| {
                    let why = Postgres::why_not_durable(connection);
                    Box::pin(async move { Ok(why.await?.is_none()) })
                }),
        };
        let pool = pool.connect_with(server).await;
        let pool: Pool<Postgres> =
            pool.map_err(|error| place.name(classified::<Postgres>(error)))?;
        let store = Self {
            reader: pool.clone(),
            writer: pool,
            timeout: options.timeout,
            mode,
            place,
        };
        store.within(store.prepare(schema)).await??;
        Ok(store)
    }

    /// Checks the tables, and makes or migrates them.
    async fn prepare(&self, schema: Schema) -> Result<(), Error> {
        let failed = |error| self.error(error);
        let mut connection = match self.mode {
            OpenMode::Read => self.reader.acquire().await.map_err(failed)?,
            OpenMode::Existing | OpenMode::Create | OpenMode::Join => {
                self.write_connection().await?
            }
        };
        let tables = schema.compare::<Postgres>(&mut connection).await;
        match (tables.map_err(failed)?, self.mode) {
            (Tables::Current, _) => Ok(()),
            (Tables::None, OpenMode::Existing | OpenMode::Read) => {
                let why = "the tables are not there";
                let error = Error::new(ErrorKind::Missing).with_source(why);
                Err(self.place.name(error))
            }
            (Tables::Other, _) | (Tables::Older, OpenMode::Read) => {
                Err(self.place.name(ErrorKind::Version.into()))
            }
            (Tables::None, OpenMode::Create | OpenMode::Join) | (Tables::Older, _) => {
                // Of processes that do this at once, one is first; the others find it done. If there is an
                // error, the pool goes, and with its connection the migrator's lock.
                let migrated = schema.migrate::<Postgres, _>(&mut *connection).await;
                migrated.map_err(|error| self.place.name(error))
            }
        }
    }
}

/// Returns the settings of a session: no statement, no wait for a lock and no idle transaction takes longer than
/// `timeout`. PostgreSQL would read 0 as no limit.
fn session_settings(timeout: Duration, mode: OpenMode) -> String {
    let limit = i32::try_from(timeout.as_millis())
        .unwrap_or(i32::MAX)
        .max(1);
    let mut settings = String::new();
    for name in [
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
    ] {
        settings.push_str(&format!("SET {name} = {limit}; "));
    }
    if mode == OpenMode::Read {
        settings.push_str("SET default_transaction_read_only = on; ");
    }
    settings
}

fn name(server: &PgConnectOptions) -> String {
    let host = match server.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => server.get_host().to_owned(),
    };
    let database = server.get_database().unwrap_or_default();
    format!("{host}:{}/{database}", server.get_port())
}

/// Returns `true` if the connection stays on this host, or verifies the server's certificate and name.
fn is_verified(server: &PgConnectOptions) -> bool {
    let host = server.get_host();
    let local = || host.starts_with('/') || host == "localhost";
    let loopback = || host.parse().is_ok_and(|host: IpAddr| host.is_loopback());
    matches!(server.get_ssl_mode(), PgSslMode::VerifyFull)
        || server.get_socket().is_some()
        || local()
        || loopback()
}
