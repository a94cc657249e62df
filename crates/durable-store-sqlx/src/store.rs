//! Databases that keep what they confirmed, and answer in time or not at all.
//!
//! A [`SqlStore`] has a schema, whose versions are applied in order, and whose tables can be in the application's own
//! database. Every write happens in a transaction that checks the settings first ([`SqlStore::write`] for one statement,
//! [`SqlStore::begin_write`] for several), every operation has a time limit ([`SqlStore::within`]).

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::{
    fmt,
    future::Future,
    ops::{Deref, DerefMut},
    pin::Pin,
    time::Duration,
};

use durable_store::{Error, ErrorKind};
#[cfg(feature = "sqlite")]
use durable_store::{Seen, StoreFile};
use sqlx::{
    Acquire, ColumnIndex, Database, Decode, Encode, Executor, IntoArguments, Pool, Type,
    migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator},
    pool::PoolConnection,
    query::Query,
    query_as, query_scalar,
};

#[cfg(feature = "postgres")]
pub use postgres::PostgresOptions;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteOptions;

/// The tables of a store, and the migrations that create them.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// The table that says which versions were applied. The application may have one of its own.
    pub migrations: &'static str,
    /// The versions from the first: description and SQL. One that was published is not changed.
    pub versions: &'static [(&'static str, &'static str)],
    /// The mark of a file that the store makes: SQLite's `application_id`, four octets of the store's choice, not all of
    /// them zero. PostgreSQL has none.
    pub application_id: [u8; 4],
}

/// The mode of opening a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Open a store that exists. One that was lost is an error.
    Existing,
    /// Open the store, and create it if there is none. A file of SQLite that has tables of others, or another mark, and
    /// none of the store's tables is another program's, and an error. On a server the tables are created in the database
    /// that the caller names.
    Create,
    /// Open the store, and create it if there is none, or its tables in a database that the application has already.
    Join,
    /// Open a store that exists to read it: nothing is created, changed or migrated.
    Read,
}

/// A future that a connection is lent to.
pub type ConnectionFuture<'c, T> = Pin<Box<dyn Future<Output = T> + Send + 'c>>;

/// A database of sqlx that a store can be in: `sqlx::Sqlite`, `sqlx::Postgres`.
pub trait SqlDatabase: Database {
    /// Begins a transaction that writes.
    const BEGIN_WRITE: &'static str;

    /// Counts the tables named `$1`: one or none.
    const COUNT_TABLES: &'static str;

    /// Runs a statement without parameters.
    ///
    /// # Errors
    /// The error of the statement.
    fn run<'c>(
        connection: &'c mut Self::Connection,
        statement: &'static str,
    ) -> ConnectionFuture<'c, Result<(), sqlx::Error>>;

    /// Returns how many rows a statement changed.
    fn rows_affected(result: &Self::QueryResult) -> u64;

    /// Returns why the database can lose what it confirms on this connection; `None` if it cannot.
    fn why_not_durable(
        connection: &mut Self::Connection,
    ) -> ConnectionFuture<'_, Result<Option<String>, sqlx::Error>>;

    /// Returns the kind of an error that only this database has.
    fn kind(error: &sqlx::Error) -> Option<ErrorKind>;
}

/// A database that is open.
pub struct SqlStore<DB: SqlDatabase> {
    reader: Pool<DB>,
    /// The pool for writes: the same pool if the database allows concurrent writers.
    writer: Pool<DB>,
    timeout: Duration,
    mode: OpenMode,
    place: Place,
}

/// The location of a database.
#[derive(Clone)]
enum Place {
    #[cfg(feature = "sqlite")]
    File(StoreFile, Seen),
    #[cfg(feature = "postgres")]
    Server(Box<str>),
}

impl Place {
    fn name(&self, error: Error) -> Error {
        match self {
            #[cfg(feature = "sqlite")]
            Self::File(file, _) => error.at(file.path()),
            #[cfg(feature = "postgres")]
            Self::Server(name) => error.at_server(name.clone()),
        }
    }

    /// Checks that the file that was opened still has its name: SQLite reads on from one that is lost.
    fn check(&self) -> Result<(), Error> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::File(file, opened) => {
                if !Seen::at(file)?.is_same_file(opened) {
                    let why = "another file has its name now";
                    return Err(self.name(Error::new(ErrorKind::Missing).with_source(why)));
                }
                Ok(())
            }
            #[cfg(feature = "postgres")]
            Self::Server(_) => Ok(()),
        }
    }
}

impl<DB: SqlDatabase> SqlStore<DB> {
    /// Returns the connections for reading.
    #[must_use]
    pub const fn reader(&self) -> &Pool<DB> {
        &self.reader
    }

    /// Begins a transaction that writes, and checks in it that the database keeps what it confirms: settings may have
    /// changed since the last time, a pool replaces connections, and a proxy between may give each transaction another
    /// connection to the server. It cannot give one to the check and another one to the write.
    ///
    /// # Errors
    /// [`ErrorKind::NotDurable`] if the database can lose what it confirms; [`ErrorKind::ReadOnly`] if the store was
    /// opened for reading; [`ErrorKind::Unavailable`] if no connection is free in time.
    pub async fn begin_write(&self) -> Result<WriteTransaction<'_, DB>, Error> {
        let failed = |error| self.error(error);
        let connection = self.acquire_writer().await?;
        let mut transaction = WriteTransaction {
            store: self,
            connection,
            is_open: true,
        };
        DB::run(&mut transaction, DB::BEGIN_WRITE)
            .await
            .map_err(failed)?;
        let why = DB::why_not_durable(&mut transaction)
            .await
            .map_err(failed)?;
        match why {
            None => Ok(transaction),
            Some(why) => Err(self.not_durable(&mut transaction.connection, why)),
        }
    }

    /// Runs one statement in a transaction of its own, as one of [`begin_write`](Self::begin_write), and commits it.
    /// Returns the number of rows that the statement changed, which are on the disk.
    ///
    /// # Errors
    /// Returns the errors of [`begin_write`](Self::begin_write), and the error of the statement or of the commit. After
    /// an error of the commit the transaction may have been committed nevertheless.
    pub async fn write(&self, statement: Query<'_, DB, DB::Arguments>) -> Result<u64, Error>
    where
        DB::Arguments: IntoArguments<DB>,
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    {
        let mut transaction = self.begin_write().await?;
        let written = statement.execute(&mut *transaction).await;
        let written = written.map_err(|error| self.error(error))?;
        transaction.commit().await?;
        Ok(DB::rows_affected(&written))
    }

    /// Takes a connection for a change of the schema or the file, which is not in a transaction, and checks on it that
    /// the database keeps what it confirms. A proxy that gives each transaction another connection to the server makes
    /// the check worthless: [`begin_write`](Self::begin_write) is safe from that.
    async fn write_connection(&self) -> Result<PoolConnection<DB>, Error> {
        let mut connection = self.acquire_writer().await?;
        let why = DB::why_not_durable(&mut connection)
            .await
            .map_err(|error| self.error(error))?;
        match why {
            None => Ok(connection),
            Some(why) => Err(self.not_durable(&mut connection, why)),
        }
    }

    async fn acquire_writer(&self) -> Result<PoolConnection<DB>, Error> {
        if self.mode == OpenMode::Read {
            return Err(self.place.name(Error::new(ErrorKind::ReadOnly)));
        }
        let connection = self.writer.acquire().await;
        connection.map_err(|error| self.error(error))
    }

    fn not_durable(&self, connection: &mut PoolConnection<DB>, why: String) -> Error {
        // A new connection may be better.
        connection.close_on_drop();
        let error = Error::new(ErrorKind::NotDurable).with_source(why);
        self.place.name(error)
    }

    /// Waits for an operation no longer than the store's time limit.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] after that; the operation may have been done. [`ErrorKind::Missing`] if the
    /// file of the database was lost or replaced.
    pub async fn within<T>(&self, operation: impl Future<Output = T>) -> Result<T, Error> {
        self.place.check()?;
        tokio::time::timeout(self.timeout, operation)
            .await
            .map_err(|elapsed| {
                let error = Error::new(ErrorKind::Unavailable).with_source(elapsed);
                self.place.name(error)
            })
    }

    /// Classifies an error of sqlx, and names the database.
    #[must_use]
    pub fn error(&self, error: sqlx::Error) -> Error {
        self.place.name(classified::<DB>(error))
    }

    /// Closes all connections, and waits until they are.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

impl<DB: SqlDatabase> fmt::Debug for SqlStore<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore").finish_non_exhaustive()
    }
}

/// A transaction that writes, of [`SqlStore::begin_write`]. If it is dropped without [`commit`](Self::commit) it is
/// rolled back, and its connection is closed.
#[must_use = "a transaction that is dropped is rolled back"]
pub struct WriteTransaction<'s, DB: SqlDatabase> {
    store: &'s SqlStore<DB>,
    connection: PoolConnection<DB>,
    is_open: bool,
}

impl<DB: SqlDatabase> WriteTransaction<'_, DB> {
    /// Commits the transaction. What it wrote is on the disk when this returns.
    ///
    /// # Errors
    /// Returns the error of the database; the transaction may have been committed nevertheless.
    pub async fn commit(self) -> Result<(), Error> {
        self.end("COMMIT").await
    }

    /// Rolls the transaction back, and keeps its connection for others.
    ///
    /// # Errors
    /// Returns the error of the database; the transaction is rolled back nevertheless.
    pub async fn rollback(self) -> Result<(), Error> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, statement: &'static str) -> Result<(), Error> {
        let ended = DB::run(&mut self.connection, statement).await;
        ended.map_err(|error| self.store.error(error))?;
        self.is_open = false;
        Ok(())
    }
}

impl<DB: SqlDatabase> Deref for WriteTransaction<'_, DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        &self.connection
    }
}

impl<DB: SqlDatabase> DerefMut for WriteTransaction<'_, DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        &mut self.connection
    }
}

impl<DB: SqlDatabase> Drop for WriteTransaction<'_, DB> {
    /// Closes the connection, which rolls back, whatever statement was interrupted.
    fn drop(&mut self) {
        if self.is_open {
            self.connection.close_on_drop();
        }
    }
}

impl<DB: SqlDatabase> fmt::Debug for WriteTransaction<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteTransaction").finish_non_exhaustive()
    }
}

fn classified<DB: SqlDatabase>(error: sqlx::Error) -> Error {
    let kind = match &error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => ErrorKind::Unreadable,
        _ => DB::kind(&error).unwrap_or(ErrorKind::Unavailable),
    };
    Error::new(kind).with_source(error)
}

/// The result of comparing a database's tables with a [`Schema`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tables {
    /// There are none.
    None,
    /// Versions are missing.
    Older,
    /// They are as they should be.
    Current,
    /// There is a version that the schema lacks, or one that differs.
    Other,
}

impl Schema {
    fn migrations(&self) -> Vec<Migration> {
        let versions = (1..).zip(self.versions);
        let versions = versions.map(|(version, (description, sql))| {
            let sql = sqlx::SqlSafeStr::into_sql_str(*sql);
            let kind = MigrationType::Simple;
            Migration::new(version, (*description).into(), kind, sql, false)
        });
        versions.collect()
    }

    /// Compares by reading only.
    async fn compare<DB>(&self, connection: &mut DB::Connection) -> Result<Tables, sqlx::Error>
    where
        DB: SqlDatabase,
        DB::Arguments: IntoArguments<DB>,
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
        for<'q> i64: Decode<'q, DB> + Type<DB>,
        for<'q> bool: Decode<'q, DB> + Type<DB>,
        for<'q> Vec<u8>: Decode<'q, DB> + Type<DB>,
        for<'q> &'q str: Encode<'q, DB> + Type<DB>,
        usize: ColumnIndex<DB::Row>,
    {
        let tables: i64 = query_scalar(DB::COUNT_TABLES)
            .bind(self.migrations)
            .fetch_one(&mut *connection)
            .await?;
        if tables == 0 {
            return Ok(Tables::None);
        }
        // The table's name is the crate's own.
        let applied = sqlx::AssertSqlSafe(format!(
            "SELECT version, checksum, success FROM {} ORDER BY version",
            self.migrations
        ));
        let applied: Vec<(i64, Vec<u8>, bool)> = query_as(applied).fetch_all(connection).await?;
        let known = self.migrations();
        let is_known =
            |((version, checksum, success), known): (&(i64, Vec<u8>, bool), &Migration)| {
                *version == known.version && **checksum == *known.checksum && *success
            };
        Ok(
            if applied.len() > known.len() || !applied.iter().zip(&known).all(is_known) {
                Tables::Other
            } else if applied.len() < known.len() {
                Tables::Older
            } else {
                Tables::Current
            },
        )
    }

    /// Applies the versions that are missing.
    ///
    /// Boxed, since the compiler cannot see otherwise that the future is `Send`.
    fn migrate<'a, DB, A>(&self, connection: A) -> ConnectionFuture<'a, Result<(), Error>>
    where
        DB: SqlDatabase,
        A: Acquire<'a> + Send + 'a,
        <A::Connection as Deref>::Target: Migrate + Send,
    {
        let mut migrator = Migrator::with_migrations(self.migrations());
        migrator.dangerous_set_table_name(self.migrations);
        Box::pin(async move {
            migrator.run(connection).await.map_err(|error| match error {
                MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                    classified::<DB>(error)
                }
                error => Error::new(ErrorKind::Version).with_source(error),
            })
        })
    }
}
