//! Other processes, and a store that is opened to read.

use super::*;

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
        application_id: SCHEMA.application_id,
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
