//! Files of other programs, and the mark of files that a store made.

use super::*;

async fn mark(path: &Path) -> i32 {
    let file = SqliteConnectOptions::new().filename(path);
    let mut connection = SqliteConnection::connect_with(&file).await.unwrap();
    let mark = query_scalar("PRAGMA application_id").fetch_one(&mut connection);
    let mark = mark.await.unwrap();
    connection.close().await.unwrap();
    mark
}

const MARK: i32 = i32::from_be_bytes(SCHEMA.application_id);

#[tokio::test]
async fn refuses_the_file_of_another_program_and_leaves_it() {
    for made in [
        "CREATE TABLE contacts (name TEXT); INSERT INTO contacts VALUES ('a')",
        "CREATE TABLE contacts (name TEXT); CREATE VIEW all_names AS SELECT name FROM contacts; DROP TABLE contacts",
        "PRAGMA application_id = 252006674; CREATE TABLE x (y); DROP TABLE x",
        // The advice about the log is not for another program's file.
        "PRAGMA journal_mode = WAL; CREATE TABLE contacts (name TEXT)",
    ] {
        let (directory, path) = place();
        around(&path, made).await;
        set_mode(&path, 0o600);
        let before = (names(directory.path()), fs::read(&path).unwrap());
        let error = open(&path, OpenMode::Create).await.unwrap_err();
        let shown = format!("the database is another program's: {path:?}");
        assert_eq!(error.to_string(), shown, "{made}");
        assert_eq!(error.kind(), ErrorKind::Foreign);
        let after = (names(directory.path()), fs::read(&path).unwrap());
        assert!(after == before, "{made}: {:?}", after.0);
    }
}

#[tokio::test]
async fn refuses_the_file_of_another_store() {
    const OTHER: Schema = Schema {
        migrations: "other_migrations",
        versions: &[("other", "CREATE TABLE others (x TEXT) STRICT")],
        application_id: *b"Othe",
    };
    let (_directory, path) = place();
    let other = SqlStore::<Sqlite>::open(&path, OTHER, OPTIONS, OpenMode::Create).await;
    other.unwrap().close().await;
    assert_eq!(
        kind(open(&path, OpenMode::Create).await),
        ErrorKind::Foreign
    );
    // An application that has both in one file says so.
    open(&path, OpenMode::Join).await.unwrap().close().await;
    let other = SqlStore::<Sqlite>::open(&path, OTHER, OPTIONS, OpenMode::Create).await;
    other.unwrap().close().await;
    create(&path).await.close().await;
    assert_eq!(mark(&path).await, i32::from_be_bytes(*b"Othe"));
}

#[tokio::test]
async fn marks_files_that_it_makes_and_opens_those_of_earlier_versions_without_the_mark() {
    let (_directory, path) = place();
    let store = create(&path).await;
    add(&store, "one").await.unwrap();
    store.close().await;
    assert_eq!(mark(&path).await, MARK);
    around(&path, "PRAGMA application_id = 0").await;
    for mode in [
        OpenMode::Create,
        OpenMode::Existing,
        OpenMode::Read,
        OpenMode::Join,
    ] {
        let store = open(&path, mode).await.unwrap();
        assert_eq!(count(&store).await.unwrap(), 1);
        store.close().await;
        assert_eq!(mark(&path).await, 0);
    }
}

#[tokio::test]
async fn fills_and_marks_a_database_without_tables() {
    let (_directory, path) = place();
    around(&path, "CREATE TABLE x (y); DROP TABLE x").await;
    set_mode(&path, 0o600);
    create(&path).await.close().await;
    assert_eq!(mark(&path).await, MARK);
}

#[tokio::test]
async fn does_not_begin_anew_in_a_file_of_its_own_that_lost_its_tables() {
    let (_directory, path) = place();
    create(&path).await.close().await;
    around(&path, "DROP TABLE note_migrations").await;
    for mode in [
        OpenMode::Create,
        OpenMode::Existing,
        OpenMode::Read,
        OpenMode::Join,
    ] {
        assert_eq!(kind(open(&path, mode).await), ErrorKind::Damaged);
    }
}
