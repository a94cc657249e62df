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
    let written = store.within(async {
        let mut transaction = store.begin_write().await?;
        let insert = query("INSERT INTO notes (text) VALUES ($1)").bind(text);
        let inserted = insert.execute(&mut *transaction).await;
        inserted.map_err(|error| store.error(error))?;
        transaction
            .commit()
            .await
            .map_err(|error| store.error(error))
    });
    written.await?
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

#[tokio::test]
async fn returns_from_a_commit_once_it_is_on_the_disk() {
    let (_directory, path) = place();
    // The second time it is there already.
    for mode in [OpenMode::Create, OpenMode::Existing] {
        let store = open(&path, mode).await.unwrap();
        let mut writer = store.write_connection().await.unwrap();
        let mut reader = store.reader().acquire().await.unwrap();
        for connection in [&mut writer, &mut reader] {
            let mode: String = query_scalar("PRAGMA journal_mode")
                .fetch_one(&mut **connection)
                .await
                .unwrap();
            assert_eq!(mode, "truncate");
            for (pragma, expected) in [
                ("PRAGMA synchronous", 3),
                ("PRAGMA fullfsync", 1),
                ("PRAGMA secure_delete", 1),
                ("PRAGMA temp_store", 2),
                ("PRAGMA foreign_keys", 1),
                ("PRAGMA busy_timeout", 20_000),
            ] {
                let value = query_scalar(pragma).fetch_one(&mut **connection);
                let value: i64 = value.await.unwrap();
                assert_eq!(value, expected, "{pragma}");
            }
        }
    }
}

#[tokio::test]
async fn has_all_that_was_committed_in_the_one_file() {
    let (directory, path) = place();
    let store = create(&path).await;
    let copy = directory.path().join("copy.db");
    for number in 1..=60 {
        add(&store, &format!("note {number}")).await.unwrap();
        // An ordinary copy, while the store is open.
        fs::copy(&path, &copy).unwrap();
        let copied = open(&copy, OpenMode::Existing).await.unwrap();
        assert_eq!(count(&copied).await.unwrap(), number);
        copied.close().await;
    }
    // There is no second file with anything in it.
    let journal = fs::metadata(directory.path().join("notes.db-journal"));
    assert_eq!(journal.unwrap().len(), 0);
    assert!(!names(directory.path()).contains("notes.db-wal"));
}

#[tokio::test]
async fn refuses_a_database_with_a_write_ahead_log_with_and_without_the_log() {
    let (directory, path) = place();
    let store = create(&path).await;
    add(&store, "one").await.unwrap();
    let file = SqliteConnectOptions::new().filename(&path);
    let mut other = SqliteConnection::connect_with(&file).await.unwrap();
    let wal = "PRAGMA journal_mode = WAL; INSERT INTO notes (text) VALUES ('two')";
    other.execute(sqlx::raw_sql(wal)).await.unwrap();
    // A connection that is open notices.
    assert_eq!(kind(add(&store, "three").await), ErrorKind::NotDurable);
    store.close().await;
    for mode in [OpenMode::Existing, OpenMode::Create, OpenMode::Read] {
        assert_eq!(kind(open(&path, mode).await), ErrorKind::NotDurable);
    }
    let copy = directory.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    for mode in [OpenMode::Existing, OpenMode::Create] {
        assert_eq!(kind(open(&copy, mode).await), ErrorKind::NotDurable);
    }
    let back = "PRAGMA journal_mode = DELETE";
    other.execute(back).await.unwrap();
    let store = open(&path, OpenMode::Existing).await.unwrap();
    assert_eq!(count(&store).await.unwrap(), 2);
}

#[tokio::test]
async fn refuses_a_file_that_was_cut_off_and_leaves_it() {
    let (directory, path) = place();
    let store = create(&path).await;
    for number in 0..100 {
        add(&store, &format!("note {number}")).await.unwrap();
    }
    store.close().await;
    let whole = fs::read(&path).unwrap();
    let lengths = (0..whole.len()).step_by(97).chain([1, whole.len() - 1]);
    for length in lengths {
        fs::write(&path, &whole[..length]).unwrap();
        for mode in [OpenMode::Existing, OpenMode::Create, OpenMode::Read] {
            assert_eq!(
                kind(open(&path, mode).await),
                ErrorKind::Damaged,
                "{length}"
            );
        }
        assert_eq!(fs::read(&path).unwrap(), whole[..length]);
    }
    fs::write(&path, &whole).unwrap();
    let store = open(&path, OpenMode::Existing).await.unwrap();
    assert_eq!(count(&store).await.unwrap(), 100);
    store.close().await;
    fs::remove_file(&path).unwrap();
    assert_eq!(
        kind(open(&path, OpenMode::Existing).await),
        ErrorKind::Missing
    );
    assert_eq!(kind(open(&path, OpenMode::Read).await), ErrorKind::Missing);
    let no_directory = directory.path().join("no/notes.db");
    assert_eq!(
        kind(open(&no_directory, OpenMode::Create).await),
        ErrorKind::Missing
    );
    // Tables of others are no store.
    around(&path, "CREATE TABLE other (x)").await;
    set_mode(&path, 0o600);
    assert_eq!(
        kind(open(&path, OpenMode::Existing).await),
        ErrorKind::Damaged
    );
    create(&path).await.close().await;
    open(&path, OpenMode::Existing).await.unwrap();
}

#[tokio::test]
async fn does_not_put_a_new_database_beside_the_journal_of_a_lost_one() {
    for suffix in ["-journal", "-wal"] {
        let (directory, path) = place();
        let journal = directory.path().join(format!("notes.db{suffix}"));
        fs::write(&journal, "pages of a database that is not here").unwrap();
        let error = open(&path, OpenMode::Create).await;
        assert_eq!(kind(error), ErrorKind::Damaged);
        assert!(!path.exists());
        fs::write(&journal, "").unwrap();
        set_mode(&journal, 0o600);
        create(&path).await;
    }
}

#[tokio::test]
async fn checks_its_journal_in_the_transaction_that_writes() {
    let (_directory, path) = place();
    let store = create(&path).await;
    let other = create(&path).await;
    let mut transaction = store.begin_write().await.unwrap();
    query("INSERT INTO notes (text) VALUES ('one')")
        .execute(&mut *transaction)
        .await
        .unwrap();
    // The journal cannot be changed meanwhile.
    let mut around = SqliteConnection::connect_with(
        &SqliteConnectOptions::new()
            .filename(&path)
            .busy_timeout(Duration::ZERO),
    )
    .await
    .unwrap();
    around
        .execute("PRAGMA journal_mode = WAL")
        .await
        .unwrap_err();
    transaction.commit().await.unwrap();
    assert_eq!(count(&other).await.unwrap(), 1);

    let mut dropped = store.begin_write().await.unwrap();
    query("INSERT INTO notes (text) VALUES ('two')")
        .execute(&mut *dropped)
        .await
        .unwrap();
    drop(dropped);
    assert_eq!(count(&store).await.unwrap(), 1);

    store.close().await;
    around.execute("PRAGMA journal_mode = WAL").await.unwrap();
    assert_eq!(kind(other.begin_write().await), ErrorKind::NotDurable);
    assert_eq!(count(&other).await.unwrap(), 1);
}

#[tokio::test]
async fn overwrites_what_is_deleted() {
    const NAMES: usize = 20_000;
    let (directory, path) = place();
    let store = create(&path).await;
    let mut connection = store.write_connection().await.unwrap();
    let fill = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000) \
        INSERT INTO notes (text) SELECT printf('forgotten-%d@example.com', n) FROM n";
    connection.execute(fill).await.unwrap();
    let fill = "INSERT INTO names SELECT text FROM notes ORDER BY random()";
    connection.execute(fill).await.unwrap();
    // One is kept, so that pages stay in use; and some are changed.
    let delete = "UPDATE notes SET text = 'x' WHERE id % 3 = 0; \
        DELETE FROM notes WHERE id % 2 = 0; \
        DELETE FROM names WHERE name <> 'forgotten-7@example.com'; \
        DELETE FROM notes WHERE id <> 7";
    connection.execute(sqlx::raw_sql(delete)).await.unwrap();
    drop(connection);
    let kept = |name: &str| {
        let content = fs::read(directory.path().join(name)).unwrap();
        let found = content.windows(10).filter(|part| *part == b"forgotten-");
        (found.count(), content.len())
    };
    for name in names(directory.path()) {
        let (found, length) = kept(&name);
        // In a table, its index, and another table; not one of the others.
        let expected = if name == "notes.db" { 3 } else { 0 };
        assert_eq!(found, expected, "{name}: of {NAMES}");
        assert!(name != "notes.db" || length > 1_000_000);
    }
    store.vacuum().await.unwrap();
    let (found, length) = kept("notes.db");
    assert!(found == 3 && length < 100_000, "{found} {length}");
    assert_eq!(kept("notes.db-journal").0, 0);
    assert_eq!(count(&store).await.unwrap(), 1);
}

#[tokio::test]
async fn notices_that_its_file_was_removed_or_replaced() {
    let (directory, path) = place();
    let store = create(&path).await;
    add(&store, "one").await.unwrap();
    let aside = directory.path().join("aside.db");
    fs::rename(&path, &aside).unwrap();
    let missing = ErrorKind::Missing;
    for other in [false, true] {
        if other {
            fs::copy(&aside, &path).unwrap();
        }
        assert_eq!(kind(count(&store).await), missing);
        assert_eq!(kind(add(&store, "two").await), missing);
        assert_eq!(kind(store.vacuum().await), missing);
    }
    fs::rename(&aside, &path).unwrap();
    add(&store, "two").await.unwrap();
    assert_eq!(count(&store).await.unwrap(), 2);
    fs::remove_dir_all(directory.path()).unwrap();
    assert_eq!(kind(count(&store).await), missing);
}

#[tokio::test]
async fn backs_up_into_a_new_file_of_its_owners_while_it_is_used() {
    let (directory, path) = place();
    let store = create(&path).await;
    add(&store, "one").await.unwrap();
    let copy = directory.path().join("it's a copy.db");
    store.back_up(&copy).await.unwrap();
    add(&store, "two").await.unwrap();
    assert_eq!(
        fs::metadata(&copy).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let copied = open(&copy, OpenMode::Existing).await.unwrap();
    assert_eq!(count(&copied).await.unwrap(), 1);
    let before = fs::read(&copy).unwrap();
    for existing in [&copy, &path] {
        assert_eq!(kind(store.back_up(existing).await), ErrorKind::Unavailable);
    }
    assert_eq!(fs::read(&copy).unwrap(), before);
    let nowhere = store.back_up(directory.path().join("no/copy.db")).await;
    assert_eq!(kind(nowhere), ErrorKind::Missing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn makes_its_files_for_their_owner_from_the_first_moment_on() {
    let directory = tempfile::tempdir().unwrap();
    let (made, seen) = (
        AtomicBool::new(false),
        std::sync::Mutex::new(BTreeSet::new()),
    );
    let watch = || {
        while !made.load(Ordering::Relaxed) {
            for entry in fs::read_dir(directory.path()).unwrap().flatten() {
                // The file may be gone.
                if let Ok(metadata) = fs::symlink_metadata(entry.path()) {
                    let mode = metadata.permissions().mode() & 0o777;
                    seen.lock().unwrap().insert(mode);
                }
            }
        }
    };
    std::thread::scope(|threads| {
        threads.spawn(watch);
        let made = &made;
        let directory = directory.path();
        let runtime = tokio::runtime::Handle::current();
        threads.spawn(move || {
            runtime.block_on(async {
                for number in 0..60 {
                    let store = create(&directory.join(format!("{number}.db"))).await;
                    add(&store, "note").await.unwrap();
                    store.close().await;
                }
            });
            made.store(true, Ordering::Relaxed);
        });
    });
    assert_eq!(seen.into_inner().unwrap(), BTreeSet::from([0o600]));
    // The databases, their locks, their journals, and no file that was made on the way.
    assert_eq!(names(directory.path()).len(), 60 * 3);
}

#[tokio::test]
async fn is_one_database_by_all_of_its_names() {
    let (directory, path) = place();
    let at = |name: &str| directory.path().join(name);
    symlink("notes.db", at("link.db")).unwrap();
    symlink(directory.path(), at("here")).unwrap();
    // The first name leads to nothing yet.
    let linked = create(&at("link.db")).await;
    assert_eq!(
        names(directory.path()),
        set(&["here", "link.db", "notes.db", "notes.db.lock"])
    );
    let store = open(&at("here/notes.db"), OpenMode::Existing)
        .await
        .unwrap();
    add(&linked, "one").await.unwrap();
    add(&store, "two").await.unwrap();
    assert_eq!(count(&linked).await.unwrap(), 2);
    assert_eq!(count(&store).await.unwrap(), 2);
    fs::hard_link(&path, at("second.db")).unwrap();
    for name in ["notes.db", "second.db", "link.db"] {
        assert_eq!(
            kind(open(&at(name), OpenMode::Existing).await),
            ErrorKind::Linked
        );
    }
}

#[tokio::test]
async fn refuses_at_once_files_of_another_type_or_of_others() {
    let (directory, path) = place();
    let at = |name: &str| directory.path().join(name);
    let fifo = |path: &Path| {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    fifo(&path);
    let begun = Instant::now();
    for mode in [OpenMode::Existing, OpenMode::Create, OpenMode::Read] {
        assert_eq!(kind(open(&path, mode).await), ErrorKind::NotRegular);
    }
    fs::remove_file(&path).unwrap();
    create(&path).await.close().await;
    for suffix in ["-journal", "-wal", "-shm"] {
        let beside = at(&format!("notes.db{suffix}"));
        let _ = fs::remove_file(&beside);
        fifo(&beside);
        for mode in [OpenMode::Existing, OpenMode::Create, OpenMode::Read] {
            assert_eq!(
                kind(open(&path, mode).await),
                ErrorKind::NotRegular,
                "{suffix}"
            );
        }
        fs::remove_file(&beside).unwrap();
        fs::write(&beside, "").unwrap();
        set_mode(&beside, 0o660);
        assert_eq!(
            kind(open(&path, OpenMode::Existing).await),
            ErrorKind::Exposed
        );
        fs::remove_file(&beside).unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
    for (mode, accepted) in [
        (0o600, true),
        (0o640, true),
        (0o644, false),
        (0o660, false),
        (0o606, false),
    ] {
        set_mode(&path, mode);
        let opened = open(&path, OpenMode::Existing).await;
        let expected = if accepted {
            None
        } else {
            Some(ErrorKind::Exposed)
        };
        assert_eq!(opened.err().map(|error| error.kind()), expected, "{mode:o}");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            mode
        );
        // Others may be let read it, to read.
        open(&path, OpenMode::Read).await.unwrap().close().await;
    }
}

#[tokio::test]
async fn waits_for_other_processes_no_longer_than_told() {
    let (_directory, path) = place();
    let store = create(&path).await;
    add(&store, "one").await.unwrap();
    let options = SqliteOptions {
        timeout: Duration::from_millis(300),
        ..OPTIONS
    };
    let hasty: Store = SqlStore::open(&path, SCHEMA, options, OpenMode::Existing)
        .await
        .unwrap();
    let file = SqliteConnectOptions::new().filename(&path);
    let mut other = SqliteConnection::connect_with(&file).await.unwrap();
    other.execute("BEGIN EXCLUSIVE").await.unwrap();
    let begun = Instant::now();
    assert_eq!(kind(add(&hasty, "two").await), ErrorKind::Unavailable);
    assert_eq!(kind(count(&hasty).await), ErrorKind::Unavailable);
    let opened: Result<Store, Error> =
        SqlStore::open(&path, SCHEMA, options, OpenMode::Existing).await;
    assert_eq!(kind(opened), ErrorKind::Unavailable);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    other.execute("COMMIT").await.unwrap();
    assert_eq!(count(&store).await.unwrap(), 1);
    add(&hasty, "two").await.unwrap();
    assert_eq!(count(&hasty).await.unwrap(), 2);
}

#[tokio::test]
async fn reads_only_what_it_may_not_change() {
    let (directory, path) = place();
    let store = create(&path).await;
    add(&store, "one").await.unwrap();
    store.close().await;
    let before = names(directory.path());
    let reader = open(&path, OpenMode::Read).await.unwrap();
    assert_eq!(count(&reader).await.unwrap(), 1);
    assert_eq!(kind(add(&reader, "two").await), ErrorKind::ReadOnly);
    assert_eq!(kind(reader.vacuum().await), ErrorKind::ReadOnly);
    let around = query("DELETE FROM notes").execute(reader.reader()).await;
    let error = reader.error(around.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::ReadOnly);
    assert_eq!(names(directory.path()), before);
    // An older schema is not brought up to date, and a newer one is not known.
    const MORE: Schema = Schema {
        migrations: SCHEMA.migrations,
        versions: &[
            SCHEMA.versions[0],
            ("more", "CREATE TABLE more (x TEXT) STRICT"),
        ],
    };
    let newer = SqlStore::<Sqlite>::open(&path, MORE, OPTIONS, OpenMode::Read).await;
    assert_eq!(kind(newer), ErrorKind::Version);
    let migrated = SqlStore::<Sqlite>::open(&path, MORE, OPTIONS, OpenMode::Existing).await;
    migrated.unwrap().close().await;
    SqlStore::<Sqlite>::open(&path, MORE, OPTIONS, OpenMode::Read)
        .await
        .unwrap();
    for mode in [OpenMode::Existing, OpenMode::Create, OpenMode::Read] {
        assert_eq!(kind(open(&path, mode).await), ErrorKind::Version);
    }
}
