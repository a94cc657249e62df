//! Commits: in the one file, on the disk, and overwritten once they are deleted.

use super::*;

#[tokio::test]
async fn returns_from_a_commit_once_it_is_on_the_disk() {
    let (_directory, path) = place();
    // The second time it is there already.
    for mode in [OpenMode::Create, OpenMode::Existing] {
        let store = open(&path, mode).await.unwrap();
        let mut writer = store.begin_write().await.unwrap();
        let mut reader = store.reader().acquire().await.unwrap();
        for connection in [&mut *writer, &mut *reader] {
            let mode: String = query_scalar("PRAGMA journal_mode")
                .fetch_one(&mut *connection)
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
                let value = query_scalar(pragma).fetch_one(&mut *connection);
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
    let mut filling = store.begin_write().await.unwrap();
    let fill = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000) \
        INSERT INTO notes (text) SELECT printf('forgotten-%d@example.com', n) FROM n";
    filling.execute(fill).await.unwrap();
    let fill = "INSERT INTO names SELECT text FROM notes ORDER BY random()";
    filling.execute(fill).await.unwrap();
    filling.commit().await.unwrap();
    // One is kept, so that pages stay in use; and some are changed.
    let delete = "UPDATE notes SET text = 'x' WHERE id % 3 = 0; \
        DELETE FROM notes WHERE id % 2 = 0; \
        DELETE FROM names WHERE name <> 'forgotten-7@example.com'; \
        DELETE FROM notes WHERE id <> 7";
    let mut deleting = store.begin_write().await.unwrap();
    deleting.execute(sqlx::raw_sql(delete)).await.unwrap();
    deleting.commit().await.unwrap();
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
