//! The store in SQLite.

use super::*;

// SQLite.

pub(crate) async fn execute(path: &Path, statement: &'static str) {
    let file = SqliteConnectOptions::new().filename(path);
    let mut connection = SqliteConnection::connect_with(&file).await.unwrap();
    connection.execute(statement).await.unwrap();
    connection.close().await.unwrap();
}

pub(crate) async fn open_sqlite(path: &Path) -> Result<SqliteLatchStore, LatchStoreError> {
    SqliteLatchStore::open(path, SqliteOptions::default()).await
}

#[tokio::test]
async fn rejects_lost_and_damaged_sqlite_databases() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("latches.db");
    let missing = LatchStoreErrorKind::Missing;
    assert_eq!(kind(open_sqlite(&path).await), missing);
    assert!(!path.exists());
    let store = sqlite(&path).await;
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let alice = account("alice");
    let record = preset("imap.example.com", &["tls10"]);
    store.merge(&alice, &record).await.unwrap();
    store.close().await;
    let unavailable = LatchStoreErrorKind::Unavailable;
    assert_eq!(kind(store.load(&alice, record.host()).await), unavailable);
    let whole = fs::read(&path).unwrap();
    let cut_off = (0..whole.len())
        .step_by(50)
        .map(|length| whole[..length].to_vec());
    for damaged in cut_off.chain([b"no database".repeat(100)]) {
        fs::write(&path, &damaged).unwrap();
        let unreadable = LatchStoreErrorKind::Unreadable;
        let (length, options) = (damaged.len(), SqliteOptions::default());
        assert_eq!(kind(open_sqlite(&path).await), unreadable, "{length}");
        let created = SqliteLatchStore::open_or_create(&path, options).await;
        assert_eq!(kind(created), unreadable, "{length}");
        assert_eq!(fs::read(&path).unwrap(), damaged);
    }
    fs::write(&path, &whole).unwrap();
    let store = open_sqlite(&path).await.unwrap();
    assert_eq!(store.load(&alice, record.host()).await.unwrap(), record);
    store.close().await;
}

#[tokio::test]
async fn rejects_newer_and_changed_schemas() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("latches.db");
    for statement in [
        "INSERT INTO deep_latches_migrations (version, description, success, checksum, \
         execution_time) VALUES (2, 'later', 1, x'00', 0)",
        "UPDATE deep_latches_migrations SET checksum = x'00' WHERE version = 1",
    ] {
        sqlite(&path).await.close().await;
        execute(&path, statement).await;
        assert_eq!(kind(open_sqlite(&path).await), LatchStoreErrorKind::Version);
        fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn leaves_the_applications_own_tables_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("latches.db");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    execute(&path, "CREATE TABLE own (x); INSERT INTO own VALUES (1)").await;
    // It has no latches, and no place for them.
    assert_eq!(
        kind(open_sqlite(&path).await),
        LatchStoreErrorKind::Unreadable
    );
    sqlite(&path).await.close().await;
    execute(&path, "UPDATE own SET x = 2").await;
    open_sqlite(&path).await.unwrap().close().await;
}

#[tokio::test]
async fn rejects_rows_that_are_not_records() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("latches.db");
    let store = sqlite(&path).await;
    let alice = account("alice");
    let record = preset("imap.example.com", &["tls10"]);
    for statement in [
        "UPDATE deep_latches SET latched = '-'",
        "UPDATE deep_latches SET latched = 'tls12 tls10'",
        "UPDATE deep_latches SET latched = 'tls10 '",
        "UPDATE deep_latches SET status = 'é'",
    ] {
        store.merge(&alice, &record).await.unwrap();
        execute(&path, statement).await;
        let unreadable = LatchStoreErrorKind::Unreadable;
        assert_eq!(kind(store.load(&alice, record.host()).await), unreadable);
        assert_eq!(kind(store.list(&alice, None).await), unreadable);
        assert_eq!(kind(store.merge(&alice, &record).await), unreadable);
        store.delete_account(&alice).await.unwrap();
    }
    execute(
        &path,
        "INSERT INTO deep_latches VALUES ('alice', 'IMAP.example.com', 'tls10', NULL)",
    )
    .await;
    assert_eq!(
        kind(store.list(&alice, None).await),
        LatchStoreErrorKind::Unreadable
    );
    store.close().await;
}

#[tokio::test]
async fn omits_data_of_servers_from_errors() {
    let directory = tempfile::tempdir().unwrap();
    let path = file_in(&directory);
    file::write_file(
        &path,
        r#"{"alice":{"a.example":{"latched":"SECRET SECRET","status":null}}}"#,
    );
    let error = FileLatchStore::open(&path).unwrap_err();
    let database = directory.path().join("latches.db");
    let store = sqlite(&database).await;
    let alice = account("alice");
    let record = preset("imap.example.com", &["tls10"]);
    store.merge(&alice, &record).await.unwrap();
    execute(
        &database,
        "UPDATE deep_latches SET latched = 'SECRET SECRET'",
    )
    .await;
    let other = store.load(&alice, record.host()).await.unwrap_err();
    for error in [error, other] {
        let text = format!("{error} {error:?}");
        assert!(!text.contains("SECRET"), "{text}");
    }
    store.close().await;
}
