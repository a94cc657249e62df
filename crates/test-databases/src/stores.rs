//! Stores that exist in memory, in SQLite and in PostgreSQL.

use std::{
    fmt,
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::Arc,
};

use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection,
    postgres::PgConnectOptions, raw_sql, sqlite::SqliteConnectOptions,
};
use tempfile::TempDir;

use crate::postgres::PostgresServer;

/// The three kinds of one store.
pub trait Stores {
    /// The interface of all kinds, a trait object.
    type Store: ?Sized;

    /// The error of an opening.
    type Error: fmt::Debug;

    /// Makes an empty store in memory.
    fn in_memory() -> Arc<Self::Store>;

    /// Opens the store in a file of SQLite, and creates it if there is none.
    fn sqlite(path: &Path) -> impl Future<Output = Result<Arc<Self::Store>, Self::Error>>;

    /// Opens the store in a database of PostgreSQL, and creates its tables if there are none.
    fn postgres(
        database: PgConnectOptions,
    ) -> impl Future<Output = Result<Arc<Self::Store>, Self::Error>>;
}

/// Runs a scenario with an empty store of each kind, one after another. `database` is the name of the database of
/// PostgreSQL, which no other test of the binary uses.
pub async fn on_each<S: Stores>(database: &str, scenario: impl AsyncFn(Arc<S::Store>)) {
    println!("in memory");
    scenario(S::in_memory()).await;
    let around = Around::<S>::new(database).await;
    let [sqlite, postgres] = around.open_both().await.unwrap();
    println!("in SQLite");
    scenario(sqlite).await;
    println!("in PostgreSQL");
    scenario(postgres).await;
}

/// A database of SQLite and one of PostgreSQL, both with an empty store, and access to them around the store.
pub struct Around<S> {
    directory: TempDir,
    _server: Arc<PostgresServer>,
    database: PgConnectOptions,
    stores: PhantomData<S>,
}

impl<S: Stores> Around<S> {
    /// Makes the databases. `database` is the name of the one of PostgreSQL.
    pub async fn new(database: &str) -> Self {
        let server = PostgresServer::shared();
        let around = Self {
            directory: tempfile::tempdir().unwrap(),
            database: server.database(database).await,
            _server: server,
            stores: PhantomData,
        };
        around.open_both().await.map(drop).unwrap();
        around
    }

    /// Returns the path of the database of SQLite.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.directory.path().join("store.db")
    }

    /// Opens the store in both databases.
    ///
    /// # Errors
    /// Returns both errors if both fail.
    ///
    /// # Panics
    /// Panics if only one of them fails.
    pub async fn open_both(&self) -> Result<[Arc<S::Store>; 2], [S::Error; 2]> {
        let sqlite = S::sqlite(&self.file()).await;
        match (sqlite, S::postgres(self.database.clone()).await) {
            (Ok(sqlite), Ok(postgres)) => Ok([sqlite, postgres]),
            (Err(sqlite), Err(postgres)) => Err([sqlite, postgres]),
            (sqlite, postgres) => panic!("{:?} but {:?}", sqlite.err(), postgres.err()),
        }
    }

    /// Connects to the database of SQLite.
    pub async fn connect_sqlite(&self) -> SqliteConnection {
        let file = SqliteConnectOptions::new().filename(self.file());
        SqliteConnection::connect_with(&file).await.unwrap()
    }

    /// Connects to the database of PostgreSQL.
    pub async fn connect_postgres(&self) -> PgConnection {
        PgConnection::connect_with(&self.database).await.unwrap()
    }

    /// Runs statements in SQLite and in PostgreSQL, each over a connection of its own.
    pub async fn try_execute(&self, sqlite: &str, postgres: &str) -> [Result<(), sqlx::Error>; 2] {
        let sql = |text: &str| raw_sql(AssertSqlSafe(text.to_owned()));
        let mut connection = self.connect_sqlite().await;
        let in_sqlite = connection.execute(sql(sqlite)).await.map(drop);
        connection.close().await.unwrap();
        let mut connection = self.connect_postgres().await;
        let in_postgres = connection.execute(sql(postgres)).await.map(drop);
        connection.close().await.unwrap();
        [in_sqlite, in_postgres]
    }

    /// Runs statements that succeed as [`try_execute`](Self::try_execute) does.
    pub async fn execute(&self, sqlite: &str, postgres: &str) {
        for done in self.try_execute(sqlite, postgres).await {
            done.unwrap();
        }
    }

    /// Runs statements that are the same for both databases, and succeed.
    pub async fn both(&self, sql: &str) {
        self.execute(sql, sql).await;
    }
}

impl<S> fmt::Debug for Around<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Around")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}
