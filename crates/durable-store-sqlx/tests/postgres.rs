//! PostgreSQL: nothing is confirmed that can be lost, on whichever connection; and nothing is waited for for ever.

#![cfg(unix)]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use std::time::{Duration, Instant};

use durable_store_sqlx::{Error, ErrorKind, OpenMode, PostgresOptions, Schema, SqlStore};
use sqlx::{
    Connection, Executor, PgConnection, Postgres, postgres::PgConnectOptions, query, query_scalar,
};
use test_databases::postgres::PostgresServer;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

const SCHEMA: Schema = Schema {
    migrations: "note_migrations",
    versions: &[("notes", "CREATE TABLE notes (text TEXT NOT NULL)")],
    application_id: *b"Note",
};

const OPTIONS: PostgresOptions = PostgresOptions {
    max_connections: 2,
    timeout: Duration::from_secs(20),
    allow_unverified_server: false,
};

const HASTY: PostgresOptions = PostgresOptions {
    timeout: Duration::from_millis(700),
    ..OPTIONS
};

type Store = SqlStore<Postgres>;

#[tokio::test]
async fn refuses_to_write_where_a_new_connection_can_lose_what_it_confirms() {
    let server = PostgresServer::shared();
    let database = server.database("replaced").await;
    // One connection: a pool opens a second one while the first is on its way back.
    let one = PostgresOptions {
        max_connections: 1,
        ..OPTIONS
    };
    let store = open(&database, one).await.unwrap();
    add(&store, "one").await.unwrap();
    let mut around = connect(&database).await;
    let role = "ALTER ROLE lax SET synchronous_commit = off";
    execute(
        &mut around,
        "CREATE ROLE lax LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO lax",
    )
    .await;
    for (off, on) in [
        (
            "ALTER DATABASE replaced SET synchronous_commit = off",
            "ALTER DATABASE replaced RESET synchronous_commit",
        ),
        (
            "ALTER ROLE tests IN DATABASE replaced SET synchronous_commit = off",
            "ALTER ROLE tests IN DATABASE replaced RESET synchronous_commit",
        ),
    ] {
        execute(&mut around, off).await;
        // The connections that are there keep what they had.
        add(&store, "kept").await.unwrap();
        end_others(&mut around).await;
        for _ in 0..3 {
            assert_eq!(kind(add(&store, "lost").await), ErrorKind::NotDurable);
        }
        assert_eq!(kind(open(&database, OPTIONS).await), ErrorKind::NotDurable);
        // The stored notes can be read.
        assert!(count(&store).await.unwrap() > 0);
        execute(&mut around, on).await;
        add(&store, "kept").await.unwrap();
    }
    execute(&mut around, role).await;
    let lax = database.clone().username("lax");
    assert_eq!(kind(open(&lax, OPTIONS).await), ErrorKind::NotDurable);
    let lost = query_scalar("SELECT COUNT(*) FROM notes WHERE text = 'lost'");
    let lost: i64 = lost.fetch_one(&mut around).await.unwrap();
    assert_eq!((lost, count(&store).await.unwrap()), (0, 5));
    // Weaker ones that keep what this server confirms are the operator's choice.
    let local = "ALTER DATABASE replaced SET synchronous_commit = local";
    execute(&mut around, local).await;
    end_others(&mut around).await;
    add(&store, "local").await.unwrap();
}

#[tokio::test]
async fn refuses_to_write_once_the_server_was_set_to_lose_what_it_confirms() {
    let server = PostgresServer::start();
    let database = server.database("reloaded").await;
    let store = open(&database, OPTIONS).await.unwrap();
    add(&store, "one").await.unwrap();
    let mut around = connect(&database).await;
    for setting in ["fsync", "full_page_writes"] {
        let change = |value: &str| format!("ALTER SYSTEM SET {setting} = {value}");
        let show = format!("SELECT current_setting('{setting}')");
        for value in ["off", "on"] {
            execute(&mut around, &change(value)).await;
            execute(&mut around, "SELECT pg_reload_conf()").await;
            loop {
                let show = sqlx::AssertSqlSafe(show.clone());
                let now: String = query_scalar(show).fetch_one(&mut around).await.unwrap();
                if now == value {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            // The pool's connection is asked a moment later, perhaps.
            tokio::time::sleep(Duration::from_millis(200)).await;
            if value == "off" {
                let error = add(&store, "lost").await.unwrap_err();
                let why = std::error::Error::source(&error).unwrap().to_string();
                assert_eq!(why, format!("the server's setting {setting} is off"));
                assert_eq!(error.kind(), ErrorKind::NotDurable);
                assert_eq!(kind(open(&database, OPTIONS).await), ErrorKind::NotDurable);
            } else {
                add(&store, "kept").await.unwrap();
            }
        }
    }
    assert_eq!(count(&store).await.unwrap(), 3);
}

#[tokio::test]
async fn waits_for_a_lock_no_longer_than_told() {
    let server = PostgresServer::shared();
    let database = server.database("locked").await;
    let store = open(&database, HASTY).await.unwrap();
    add(&store, "one").await.unwrap();
    let mut other = connect(&database).await;
    // The store's own limits count, and not those of the database or the role.
    for unlimited in ["statement_timeout", "lock_timeout"] {
        let of_database = format!("ALTER DATABASE locked SET {unlimited} = 0");
        execute(&mut other, &of_database).await;
        let of_role = format!("ALTER ROLE tests IN DATABASE locked SET {unlimited} = 0");
        execute(&mut other, &of_role).await;
    }
    end_others(&mut other).await;
    count(&store).await.unwrap();
    let mut lock = other.begin().await.unwrap();
    lock.execute("LOCK TABLE notes").await.unwrap();
    let begun = Instant::now();
    for _ in 0..3 {
        assert_eq!(kind(count(&store).await), ErrorKind::Unavailable);
        assert_eq!(kind(add(&store, "two").await), ErrorKind::Unavailable);
    }
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    // No statement is still waiting on the server.
    tokio::time::sleep(HASTY.timeout * 2).await;
    let waiting = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted";
    let waiting: i64 = query_scalar(waiting).fetch_one(&mut *lock).await.unwrap();
    assert_eq!(waiting, 0);
    lock.rollback().await.unwrap();
    assert_eq!(count(&store).await.unwrap(), 1);
    add(&store, "two").await.unwrap();
    assert_eq!(count(&store).await.unwrap(), 2);
}

#[tokio::test]
async fn checks_its_settings_in_the_transaction_that_writes() {
    let server = PostgresServer::shared();
    let database = server.database("one_transaction").await;
    let store = open(&database, OPTIONS).await.unwrap();
    let mut transaction = store.begin_write().await.unwrap();
    // As another connection sees it, before the transaction runs a statement of its own.
    let mut around = connect(&database).await;
    let states: Vec<(String, bool)> = sqlx::query_as(
        "SELECT state, query LIKE '%synchronous_commit%' FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL",
    )
    .fetch_all(&mut around)
    .await
    .unwrap();
    assert_eq!(states, [("idle in transaction".to_owned(), true)]);
    query("INSERT INTO notes (text) VALUES ('one')")
        .execute(&mut *transaction)
        .await
        .unwrap();
    assert_eq!(count(&store).await.unwrap(), 0);
    transaction.commit().await.unwrap();
    assert_eq!(count(&store).await.unwrap(), 1);

    let mut dropped = store.begin_write().await.unwrap();
    query("INSERT INTO notes (text) VALUES ('two')")
        .execute(&mut *dropped)
        .await
        .unwrap();
    drop(dropped);
    assert_eq!(count(&store).await.unwrap(), 1);

    // New connections have the setting, those of the pool are gone.
    let name = database.get_database().unwrap();
    let off = format!("ALTER DATABASE {name} SET synchronous_commit = off");
    execute(&mut around, &off).await;
    end_others(&mut around).await;
    for _ in 0..3 {
        assert_eq!(kind(store.begin_write().await), ErrorKind::NotDurable);
    }
    assert_eq!(count(&store).await.unwrap(), 1);
}

#[tokio::test]
async fn limits_statements_locks_and_idle_transactions_on_each_connection() {
    let server = PostgresServer::shared();
    let database = server.database("limits").await;
    let store = open(&database, HASTY).await.unwrap();
    for _ in 0..2 {
        let mut connection = store.begin_write().await.unwrap();
        for name in [
            "statement_timeout",
            "lock_timeout",
            "idle_in_transaction_session_timeout",
        ] {
            let show = sqlx::AssertSqlSafe(format!("SHOW {name}"));
            let value: String = query_scalar(show)
                .fetch_one(&mut *connection)
                .await
                .unwrap();
            assert_eq!(value, "700ms", "{name}");
        }
        // Closes the connection, so that the next one is new.
        drop(connection);
    }
}

/// Starts a server that stops answering on request, and does not end: its octets are dropped on the way.
async fn silent_when_told(server: &PgConnectOptions) -> (PgConnectOptions, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let real = server.get_port();
    let (silence, silent) = watch::channel(false);
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut silent = silent.clone();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(("127.0.0.1", real)).await.unwrap();
                let forward = tokio::io::copy_bidirectional(&mut client, &mut server);
                tokio::pin!(forward);
                loop {
                    let is_silent = *silent.borrow();
                    tokio::select! {
                        _ = &mut forward, if !is_silent => return,
                        changed = silent.changed() => if changed.is_err() { return },
                    }
                }
            });
        }
    });
    (server.clone().port(port), silence)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gives_up_on_a_server_that_falls_silent_and_uses_it_again_when_it_answers() {
    let server = PostgresServer::shared();
    let database = server.database("silent").await;
    let (database, silence) = silent_when_told(&database).await;
    let store = open(&database, HASTY).await.unwrap();
    add(&store, "one").await.unwrap();
    silence.send(true).unwrap();
    let begun = Instant::now();
    for _ in 0..3 {
        assert_eq!(kind(count(&store).await), ErrorKind::Unavailable);
        assert_eq!(kind(add(&store, "two").await), ErrorKind::Unavailable);
    }
    assert_eq!(kind(open(&database, HASTY).await), ErrorKind::Unavailable);
    // Seven waits, each of which may be a little longer than the limit.
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    silence.send(false).unwrap();
    tokio::time::sleep(HASTY.timeout * 2).await;
    assert!(count(&store).await.unwrap() >= 1);
    add(&store, "two").await.unwrap();
}

#[tokio::test]
async fn opens_what_exists_and_creates_nothing_if_it_is_not_to() {
    let server = PostgresServer::shared();
    let database = server.database("existing").await;
    let missing = |mode| SqlStore::<Postgres>::connect(database.clone(), SCHEMA, OPTIONS, mode);
    for mode in [OpenMode::Existing, OpenMode::Read] {
        assert_eq!(kind(missing(mode).await), ErrorKind::Missing);
    }
    let mut around = connect(&database).await;
    let tables = "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'";
    let tables: i64 = query_scalar(tables).fetch_one(&mut around).await.unwrap();
    assert_eq!(tables, 0);
    open(&database, OPTIONS).await.unwrap();
    missing(OpenMode::Existing).await.map(drop).unwrap();
    let reader = missing(OpenMode::Read).await.unwrap();
    assert_eq!(count(&reader).await.unwrap(), 0);
    assert_eq!(kind(add(&reader, "one").await), ErrorKind::ReadOnly);
    let around = query("INSERT INTO notes VALUES ('x')")
        .execute(reader.reader())
        .await;
    assert_eq!(
        reader.error(around.unwrap_err()).kind(),
        ErrorKind::ReadOnly
    );
    assert_eq!(count(&reader).await.unwrap(), 0);
    let nowhere = database.clone().database("no such database");
    assert_eq!(kind(open(&nowhere, OPTIONS).await), ErrorKind::Missing);
}

async fn open(server: &PgConnectOptions, options: PostgresOptions) -> Result<Store, Error> {
    SqlStore::connect(server.clone(), SCHEMA, options, OpenMode::Create).await
}

async fn add(store: &Store, text: &str) -> Result<(), Error> {
    let insert = query("INSERT INTO notes (text) VALUES ($1)").bind(text);
    let inserted = store.within(store.write(insert)).await??;
    assert_eq!(inserted, 1);
    Ok(())
}

async fn count(store: &Store) -> Result<i64, Error> {
    let read = store.within(async {
        let count = query_scalar("SELECT COUNT(*) FROM notes").fetch_one(store.reader());
        count.await.map_err(|error| store.error(error))
    });
    read.await?
}

/// The kind of an error, which must say which server it is about.
fn kind<T>(answer: Result<T, Error>) -> ErrorKind {
    let error = answer.err().expect("an error");
    let server = error.server().expect("a server");
    assert!(error.to_string().ends_with(server), "{error}");
    error.kind()
}

async fn connect(server: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(server).await.unwrap()
}

async fn execute(connection: &mut PgConnection, sql: &str) {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    connection.execute(sqlx::raw_sql(sql)).await.unwrap();
}

/// Ends all other connections to a database, so that a pool makes new ones.
async fn end_others(connection: &mut PgConnection) {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    execute(connection, sql).await;
}
