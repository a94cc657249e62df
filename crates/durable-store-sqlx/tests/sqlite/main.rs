//! SQLite: what was committed is in the one file, what was deleted is in none, and what is damaged is an error.

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

mod access;
mod durability;
mod files;
mod owner;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use durable_store_sqlx::{Error, ErrorKind, OpenMode, Schema, SqlStore, SqliteOptions};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, Executor, Sqlite, SqliteConnection, query, query_scalar};
use tempfile::TempDir;

const SCHEMA: Schema = Schema {
    migrations: "note_migrations",
    versions: &[(
        "notes",
        "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL) STRICT; \
         CREATE INDEX notes_text ON notes (text); \
         CREATE TABLE names (name TEXT PRIMARY KEY NOT NULL) STRICT, WITHOUT ROWID",
    )],
    application_id: *b"Note",
};

const OPTIONS: SqliteOptions = SqliteOptions {
    max_connections: 2,
    timeout: Duration::from_secs(20),
    foreign_keys: true,
};

type Store = SqlStore<Sqlite>;

async fn open(path: &Path, mode: OpenMode) -> Result<Store, Error> {
    SqlStore::open(path, SCHEMA, OPTIONS, mode).await
}

async fn create(path: &Path) -> Store {
    open(path, OpenMode::Create).await.unwrap()
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

/// The kind of an error, which must say which file it is about.
fn kind<T>(answer: Result<T, Error>) -> ErrorKind {
    let error = answer.err().expect("an error");
    let path = error.path().expect("a path");
    assert!(error.to_string().ends_with(&format!("{path:?}")), "{error}");
    error.kind()
}

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.db");
    (directory, path)
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

async fn around(path: &Path, sql: &'static str) {
    let file = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&file).await.unwrap();
    connection.execute(sqlx::raw_sql(sql)).await.unwrap();
    connection.close().await.unwrap();
}
