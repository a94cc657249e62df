//! Feature `sqlite`: creating and opening an SQLite database.
//! Committed data is in the one file, on the disk: the journal is SQLite's rollback journal, which is empty between
//! transactions, and not a write-ahead log, in which the last commits stay for a while. Deleted data is overwritten.

use std::{
    fs::{self, File},
    io,
    path::Path,
    time::{Duration, Instant},
};

use durable_store::{Access, Error, ErrorKind, Lock, Seen, StoreFile};
use sqlx::{
    ConnectOptions, Connection, Executor, SqliteConnection, query, query_scalar,
    sqlite::{
        Sqlite, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteQueryResult,
        SqliteSynchronous,
    },
};
use tokio::time::sleep;

use super::{ConnectionFuture, OpenMode, Place, Schema, SqlDatabase, SqlStore, Tables, classified};

/// The pause before a database that is busy is asked again.
const PAUSE: Duration = Duration::from_millis(5);

/// The files that SQLite keeps beside a database.
const JOURNALS: [&str; 3] = ["-journal", "-wal", "-shm"];

/// Options for the use of an SQLite database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// The maximum number of connections that read at the same time. One more connection writes.
    pub max_connections: u32,
    /// The time limit of an operation, and of a wait for other processes.
    pub timeout: Duration,
    /// References between tables are enforced.
    pub foreign_keys: bool,
}

impl SqlDatabase for Sqlite {
    /// No other process writes between what is read and what is written.
    const BEGIN_WRITE: &'static str = "BEGIN IMMEDIATE";

    const COUNT_TABLES: &'static str =
        "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1";

    fn run<'c>(
        connection: &'c mut SqliteConnection,
        statement: &'static str,
    ) -> ConnectionFuture<'c, Result<(), sqlx::Error>> {
        let statement = sqlx::raw_sql(statement);
        Box::pin(async move { connection.execute(statement).await.map(drop) })
    }

    fn rows_affected(result: &SqliteQueryResult) -> u64 {
        result.rows_affected()
    }

    fn why_not_durable(
        connection: &mut SqliteConnection,
    ) -> ConnectionFuture<'_, Result<Option<String>, sqlx::Error>> {
        Box::pin(async move {
            // All else that matters was set on the connection, and stays. This is the file's, too, whose
            // first page is read for the other pragma.
            let _: i64 = query_scalar("PRAGMA schema_version")
                .fetch_one(&mut *connection)
                .await?;
            let mode: String = query_scalar("PRAGMA journal_mode")
                .fetch_one(connection)
                .await?;
            Ok((mode != "truncate").then(|| format!("SQLite's journal_mode is {mode}")))
        })
    }

    fn kind(error: &sqlx::Error) -> Option<ErrorKind> {
        let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
        match (code, code & 0xff) {
            // SQLITE_READONLY_DBMOVED
            (1032, _) => Some(ErrorKind::Missing),
            // SQLITE_CORRUPT, SQLITE_NOTADB
            (_, 11 | 26) => Some(ErrorKind::Damaged),
            // SQLITE_READONLY
            (_, 8) => Some(ErrorKind::ReadOnly),
            _ => None,
        }
    }
}

impl SqlStore<Sqlite> {
    /// Opens the database in a file. A symbolic link is resolved once. The file may not be on a network file
    /// system.
    ///
    /// A new database is made under another name, and gets its own when it is complete; it is private to its owner.
    /// Type, owner and mode of an existing database and of its journal are checked: only the owner may write, and
    /// only the group may also read. It is not migrated before these checks.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`] unless it is to be created; [`ErrorKind::Damaged`] if it is empty, was cut off,
    /// or lacks its tables; [`ErrorKind::Foreign`] if it is another program's; [`ErrorKind::NotDurable`] if it has a write-ahead log, without which the file is
    /// stale; [`ErrorKind::Version`]; [`ErrorKind::Exposed`], [`ErrorKind::Linked`],
    /// [`ErrorKind::NotRegular`]; [`ErrorKind::Unavailable`] if it is busy for too long.
    pub async fn open(
        path: impl AsRef<Path>,
        schema: Schema,
        options: SqliteOptions,
        mode: OpenMode,
    ) -> Result<Self, Error> {
        let file = StoreFile::resolve(path)?;
        let deadline = Instant::now().checked_add(options.timeout);
        let is_over = || deadline.is_none_or(|deadline| deadline < Instant::now());
        if matches!(mode, OpenMode::Create | OpenMode::Join) && !file.exists()? {
            let lock = loop {
                match file.try_lock()? {
                    Some(lock) => break lock,
                    None if is_over() => return Err(Error::new(ErrorKind::Locked).at(file.path())),
                    None => sleep(PAUSE).await,
                }
            };
            if !file.exists()? {
                create(&file, &lock, schema).await?;
            }
        }
        check_files(&file, mode)?;
        let connect = connect_options(&file, options, mode);
        while let Err(error) = set_up(&file, &connect, schema, mode).await {
            // A change of the tables takes all of the database, and SQLite does not always wait for that.
            if !is_busy(&error) || is_over() {
                return Err(error.at(file.path()));
            }
            sleep(PAUSE).await;
        }
        let opened = Seen::at(&file)?;
        let place = Place::File(file, opened);
        let connect = match mode {
            OpenMode::Read => connect,
            _ => connect.journal_mode(SqliteJournalMode::Truncate),
        };
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(options.timeout)
                .test_before_acquire(false)
                .connect_with(connect.clone())
        };
        let failed = |error| place.name(classified::<Sqlite>(error));
        let reader = pool(options.max_connections).await.map_err(failed)?;
        // One writer: it waits in turn for the pool, not by polling for SQLite's lock.
        let writer = match mode {
            OpenMode::Read => reader.clone(),
            _ => pool(1).await.map_err(failed)?,
        };
        Ok(Self {
            reader,
            writer,
            timeout: options.timeout,
            mode,
            place,
        })
    }

    /// Writes the database anew, without the space that deleted rows had. It takes as long as that needs.
    ///
    /// # Errors
    /// When it cannot be done; the database is as it was.
    pub async fn vacuum(&self) -> Result<(), Error> {
        self.place.check()?;
        let mut connection = self.write_connection().await?;
        let vacuumed = connection.execute("VACUUM").await;
        vacuumed.map(drop).map_err(|error| self.error(error))
    }

    /// Copies the database, as it is at one moment, into a new file, its owner's alone. A copy of the file by
    /// other means is right only while no process has the store open.
    ///
    /// # Errors
    /// When the file exists, or cannot be written.
    pub async fn back_up(&self, to: impl AsRef<Path>) -> Result<(), Error> {
        self.place.check()?;
        let copy = StoreFile::resolve(to)?;
        let failed = |error| Error::from_io(error, copy.path());
        let Some(path) = copy.path().to_str() else {
            return Err(failed(io::ErrorKind::InvalidFilename.into()));
        };
        // SQLite accepts a file that is empty.
        drop(copy.create_new()?);
        let copied = query("VACUUM INTO $1").bind(path).execute(&self.reader);
        let copied = copied.await.map_err(|error| self.error(error));
        let synced = copied.and_then(|_| {
            let file = File::options().write(true).open(copy.path());
            file.and_then(|file| file.sync_all()).map_err(failed)?;
            copy.sync_directory()
        });
        if synced.is_err() {
            let _ = fs::remove_file(copy.path());
        }
        synced
    }
}

/// Makes the database under another name, then gives it its own. The lock is held.
async fn create(file: &StoreFile, lock: &Lock, schema: Schema) -> Result<(), Error> {
    // SQLite would play an old journal into the new database.
    for journal in ["-journal", "-wal"] {
        let journal = file.beside(journal);
        if fs::symlink_metadata(journal.path()).is_ok_and(|journal| journal.len() > 0) {
            let why = "its journal is there, but the database is not";
            return Err(Error::new(ErrorKind::Damaged)
                .with_source(why)
                .at(journal.path()));
        }
    }
    let (temporary, made) = file.temporary()?;
    drop(made);
    let filled = async {
        let connect = SqliteConnectOptions::new()
            .filename(&temporary)
            // A database that is lost here is made again.
            .journal_mode(SqliteJournalMode::Memory)
            .synchronous(SqliteSynchronous::Off);
        let failed = classified::<Sqlite>;
        let mut connection = SqliteConnection::connect_with(&connect)
            .await
            .map_err(failed)?;
        schema.migrate::<Sqlite, _>(&mut connection).await?;
        mark(&mut connection, schema).await?;
        connection.close().await.map_err(failed)
    };
    let filled = filled.await.map_err(|error| error.at(file.path()));
    let named = filled.and_then(|()| {
        File::options()
            .write(true)
            .open(&temporary)
            .and_then(|made| made.sync_all())
            .and_then(|()| fs::rename(&temporary, file.path()))
            .map_err(|error| Error::from_io(error, file.path()))?;
        file.sync_directory()
    });
    if named.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    named?;
    file.remove_leftovers(lock);
    Ok(())
}

/// Checks the database's files before SQLite opens them. They are not opened for that: to close a file a
/// second time would undo SQLite's locks on it.
fn check_files(file: &StoreFile, mode: OpenMode) -> Result<(), Error> {
    let access = match mode {
        OpenMode::Read => Access::Any,
        _ => Access::GroupReads,
    };
    let database = file.check(access)?;
    if mode != OpenMode::Read {
        file.check_single_name()?;
    }
    for journal in JOURNALS {
        match file.beside(journal).check(access) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Missing => {}
            Err(error) => return Err(error),
        }
    }
    if database.len() == 0 {
        // SQLite would take it for a new one.
        let why = "the file is empty";
        return Err(Error::new(ErrorKind::Damaged)
            .with_source(why)
            .at(file.path()));
    }
    Ok(())
}

fn connect_options(
    file: &StoreFile,
    options: SqliteOptions,
    mode: OpenMode,
) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file.path())
        .read_only(mode == OpenMode::Read)
        .busy_timeout(options.timeout)
        .foreign_keys(options.foreign_keys)
        // Each commit, and the end of its journal, is on the disk before it returns; on macOS that takes a
        // pragma more.
        .synchronous(SqliteSynchronous::Extra)
        .pragma("fullfsync", "on")
        // Deleted data is overwritten, and no data goes into other files.
        .pragma("secure_delete", "on")
        .pragma("temp_store", "memory")
        // The statements are this crate's own: they would only lengthen an application's log.
        .disable_statement_logging()
}

/// Checks the database, and brings its tables up to date.
async fn set_up(
    file: &StoreFile,
    connect: &SqliteConnectOptions,
    schema: Schema,
    mode: OpenMode,
) -> Result<(), Error> {
    let failed = classified::<Sqlite>;
    let mut connection = SqliteConnection::connect_with(connect)
        .await
        .map_err(failed)?;
    let prepared = prepare(file, &mut connection, schema, mode).await;
    // Closed in any case: the last connection removes the files that SQLite made beside the database.
    let closed = connection.close().await.map_err(failed);
    prepared.and(closed)
}

async fn prepare(
    file: &StoreFile,
    connection: &mut SqliteConnection,
    schema: Schema,
    mode: OpenMode,
) -> Result<(), Error> {
    let failed = classified::<Sqlite>;
    let journal: String = query_scalar("PRAGMA journal_mode")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    // No other process writes while this reads.
    let mut transaction = connection.begin().await.map_err(failed)?;
    let tables = schema.compare::<Sqlite>(&mut transaction).await;
    let owner = match tables {
        Ok(Tables::None) => Some(owner(&mut transaction, schema).await?),
        _ => None,
    };
    // Before any advice about the file: it is not for another program's.
    if mode == OpenMode::Create && owner == Some(Owner::Other) {
        return Err(ErrorKind::Foreign.into());
    }
    if journal == "wal" {
        // The file alone does not show whether a log belongs to it that was lost.
        let why = "it has a write-ahead log, without which the file is stale; \
            PRAGMA journal_mode = DELETE ends that";
        return Err(Error::new(ErrorKind::NotDurable).with_source(why));
    }
    let tables = tables.map_err(failed)?;
    check_length(file, &mut transaction).await?;
    transaction.commit().await.map_err(failed)?;
    match (tables, mode) {
        (Tables::Current, _) => {}
        // A store that had its tables does not begin anew.
        (Tables::None, _) if owner == Some(Owner::Store) => {
            let why = "the tables are not there";
            return Err(Error::new(ErrorKind::Damaged).with_source(why));
        }
        (Tables::Other, _) | (Tables::Older, OpenMode::Read) => {
            return Err(ErrorKind::Version.into());
        }
        (Tables::None, OpenMode::Existing | OpenMode::Read) => {
            let why = "the tables are not there";
            return Err(Error::new(ErrorKind::Damaged).with_source(why));
        }
        (Tables::None, OpenMode::Create | OpenMode::Join) | (Tables::Older, _) => {
            let journal = "PRAGMA journal_mode = TRUNCATE";
            connection.execute(journal).await.map_err(failed)?;
            // Of processes that do this at once, one is first; the others find it done.
            let transaction = connection.begin_with(Sqlite::BEGIN_WRITE).await;
            let mut transaction = transaction.map_err(failed)?;
            schema.migrate::<Sqlite, _>(&mut *transaction).await?;
            if owner == Some(Owner::Nobody) {
                mark(&mut transaction, schema).await?;
            }
            transaction.commit().await.map_err(failed)?;
        }
    }
    Ok(())
}

/// The program that a database without the store's tables belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// The store, by its mark.
    Store,
    /// Another program, by its tables or its mark.
    Other,
    /// The database is empty.
    Nobody,
}

/// Returns the program that a database without the store's tables belongs to.
async fn owner(connection: &mut SqliteConnection, schema: Schema) -> Result<Owner, Error> {
    let failed = classified::<Sqlite>;
    let mark: i32 = query_scalar("PRAGMA application_id")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if mark == i32::from_be_bytes(schema.application_id) {
        return Ok(Owner::Store);
    }
    let others: i64 = query_scalar("SELECT COUNT(*) FROM sqlite_master")
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    Ok(match (mark, others) {
        (0, 0) => Owner::Nobody,
        _ => Owner::Other,
    })
}

/// Marks a file as the store's.
async fn mark(connection: &mut SqliteConnection, schema: Schema) -> Result<(), Error> {
    let mark = i32::from_be_bytes(schema.application_id);
    let statement = sqlx::AssertSqlSafe(format!("PRAGMA application_id = {mark}"));
    let marked = query(statement).execute(connection).await;
    marked.map(drop).map_err(classified::<Sqlite>)
}

/// Checks that the file has all of its last page: SQLite would take the rest for zeros. That whole pages are
/// missing it notices itself.
async fn check_length(file: &StoreFile, connection: &mut SqliteConnection) -> Result<(), Error> {
    let page: i64 = query_scalar("PRAGMA page_size")
        .fetch_one(connection)
        .await
        .map_err(classified::<Sqlite>)?;
    let length = file.check(Access::Any)?.len();
    let rest = u64::try_from(page)
        .ok()
        .and_then(|page| length.checked_rem(page));
    match rest {
        Some(0) => Ok(()),
        _ => Err(Error::new(ErrorKind::Damaged).with_source("the file was cut off")),
    }
}

fn is_busy(error: &Error) -> bool {
    let error = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    let code = error
        .and_then(sqlx::Error::as_database_error)
        .and_then(|error| error.code());
    // SQLITE_BUSY, SQLITE_BUSY_RECOVERY, SQLITE_BUSY_SNAPSHOT.
    code.is_some_and(|code| ["5", "261", "517"].contains(&&*code))
}
