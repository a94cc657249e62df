//! The files of the latch stores: one store by all names, nothing of others touched, nothing waited for for ever,
//! and no store that is stale, cut off or open to others used as a good one.

#![cfg(unix)]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use deep_latch::{
    Host, LatchRecord, SecurityTag,
    store::{
        Account, FileLatchStore, FileLatchStoreOptions, LatchStore, LatchStoreError,
        LatchStoreErrorKind,
    },
};
use deep_latch_sqlx::{SqliteLatchStore, SqliteOptions};
use tempfile::TempDir;

#[tokio::test]
async fn opens_one_store_by_all_names_of_its_file() {
    let (directory, _) = place();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("real")).unwrap();
    symlink("real", at("linked")).unwrap();
    symlink("linked/latches", at("latches")).unwrap();
    // The link leads to nothing yet.
    let by_link = FileLatchStore::open_or_create(at("latches")).unwrap();
    let by_name = FileLatchStore::open(at("real/latches")).unwrap();
    latch(&by_link, "a.example").await.unwrap();
    latch(&by_name, "b.example").await.unwrap();
    for store in [&by_link, &by_name] {
        assert!(is_latched(store, "a.example").await);
        assert!(is_latched(store, "b.example").await);
    }
    assert_eq!(names(directory.path()), set(&["latches", "linked", "real"]));
    assert_eq!(names(&at("real")), set(&["latches", "latches.lock"]));
    // A hard link would go on as another store.
    fs::hard_link(at("real/latches"), at("second")).unwrap();
    for name in ["second", "latches"] {
        let error = FileLatchStore::open(at(name)).map(drop);
        assert_eq!(kind(error), LatchStoreErrorKind::NotDurable);
    }
}

#[tokio::test]
async fn removes_its_own_leftovers_only_and_only_when_it_was_read() {
    let (directory, path) = place();
    let at = |name: &str| directory.path().join(name);
    let own = ".latches.durable-store-0123456789abcdef";
    let others = [
        ".latches.backup",
        ".latches.241130",
        ".latches.Ab3dE9",
        ".latches.durable-store-0123456789abcdef.Ab3dE9",
    ];
    for name in others.iter().chain(&[own]) {
        fs::write(at(name), "content").unwrap();
    }
    fs::create_dir(at(".latches.durable-store-aaaaaaaaaaaaaaaa")).unwrap();
    let all = names(directory.path());
    // There is no store, or a damaged one: what is left may be all that is left of it.
    assert_eq!(
        kind(FileLatchStore::open(&path)),
        LatchStoreErrorKind::Missing
    );
    assert_eq!(names(directory.path()), all);
    fs::write(&path, "damaged").unwrap();
    for opened in [
        FileLatchStore::open(&path),
        FileLatchStore::open_or_create(&path),
    ] {
        assert_eq!(kind(opened), LatchStoreErrorKind::Unreadable);
    }
    fs::remove_file(&path).unwrap();
    let mut left = all.clone();
    left.remove(own);
    left.extend(set(&["latches", "latches.lock"]));
    FileLatchStore::open_or_create(&path).unwrap();
    assert_eq!(names(directory.path()), left);
}

#[tokio::test]
async fn refuses_at_once_what_is_no_file_and_what_others_can_write_or_lock() {
    let (directory, path) = place();
    let lock = directory.path().join("latches.lock");
    let fifo = |path: &Path| {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    fifo(&path);
    let begun = Instant::now();
    let not_regular = LatchStoreErrorKind::NotRegular;
    assert_eq!(kind(FileLatchStore::open(&path)), not_regular);
    assert_eq!(kind(FileLatchStore::open_or_create(&path)), not_regular);
    assert_eq!(kind(sqlite(&path).await), not_regular);
    let created = SqliteLatchStore::open_or_create(&path, SqliteOptions::default());
    assert_eq!(kind(created.await), not_regular);
    fs::remove_file(&path).unwrap();
    let store = FileLatchStore::open_or_create(&path).unwrap();
    latch(&store, "a.example").await.unwrap();
    // While it is open, too.
    fs::remove_file(&path).unwrap();
    fifo(&path);
    let load = store.load(&account("alice"), &host("a.example")).await;
    assert_eq!(kind(load), not_regular);
    assert_eq!(kind(latch(&store, "a.example").await), not_regular);
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    fs::remove_file(&path).unwrap();
    FileLatchStore::open_or_create(&path).unwrap();
    let exposed = LatchStoreErrorKind::Exposed;
    for mode in [0o620, 0o602] {
        set_mode(&path, mode);
        assert_eq!(kind(FileLatchStore::open(&path)), exposed);
    }
    set_mode(&path, 0o600);
    for mode in [0o644, 0o640, 0o604] {
        set_mode(&lock, mode);
        assert_eq!(kind(FileLatchStore::open(&path)), exposed);
        assert_eq!(kind(latch(&store, "a.example").await), exposed);
    }
    set_mode(&lock, 0o600);
    latch(&store, "a.example").await.unwrap();
}

#[tokio::test]
async fn waits_for_the_lock_no_longer_than_told_and_reads_meanwhile() {
    let (directory, path) = place();
    let options = FileLatchStoreOptions {
        lock_timeout: Duration::from_millis(200),
    };
    let store = FileLatchStore::open_or_create_with(&path, options).unwrap();
    latch(&store, "a.example").await.unwrap();
    let mut other = Command::new("flock")
        .arg(directory.path().join("latches.lock"))
        .args(["sleep", "60"])
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let error = loop {
        match latch(&store, &format!("{}.example", begun.elapsed().as_nanos())).await {
            // The other has not begun yet.
            Ok(_) => assert!(begun.elapsed() < Duration::from_secs(20)),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), LatchStoreErrorKind::Unavailable);
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.starts_with("another process holds the lock"), "{why}");
    // Opening and loading do not wait.
    let begun = Instant::now();
    assert!(is_latched(&store, "a.example").await);
    assert!(is_latched(&FileLatchStore::open(&path).unwrap(), "a.example").await);
    assert!(begun.elapsed() < options.lock_timeout);
    // `flock` and the `sleep` it has started: both have the lock's file.
    let children = format!("/proc/{0}/task/{0}/children", other.id());
    let sleep = fs::read_to_string(children).unwrap();
    for pid in sleep.split_whitespace() {
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
    }
    other.wait().unwrap();
    latch(&store, "b.example").await.unwrap();
}

#[tokio::test]
async fn has_every_latch_in_the_one_file_of_its_database() {
    let (directory, path) = place();
    let store = new_sqlite(&path).await;
    let copy = directory.path().join("copy");
    for number in 0..60 {
        latch(&store, &format!("{number}.example")).await.unwrap();
        fs::copy(&path, &copy).unwrap();
        let copied = sqlite(&copy).await.unwrap();
        for number in 0..=number {
            assert!(is_latched(&copied, &format!("{number}.example")).await);
        }
        copied.close().await;
    }
    // A backup of its own is as good, and is made once.
    let backup = directory.path().join("backup");
    store.back_up(&backup).await.unwrap();
    assert_eq!(
        kind(store.back_up(&backup).await),
        LatchStoreErrorKind::Unavailable
    );
    let copied = sqlite(&backup).await.unwrap();
    assert!(is_latched(&copied, "59.example").await);
    copied.close().await;
    // The file that is open is lost.
    fs::remove_file(&path).unwrap();
    let missing = LatchStoreErrorKind::Missing;
    let load = store.load(&account("alice"), &host("a.example")).await;
    assert_eq!(kind(load), missing);
    assert_eq!(kind(latch(&store, "a.example").await), missing);
    fs::copy(&backup, &path).unwrap();
    assert_eq!(kind(latch(&store, "a.example").await), missing);
}

#[tokio::test]
async fn keeps_no_name_of_an_account_that_was_deleted() {
    let (directory, path) = place();
    let store = new_sqlite(&path).await;
    let file = FileLatchStore::open_or_create(directory.path().join("file")).unwrap();
    let stores: [&dyn LatchStore; 2] = [&store, &file];
    for store in stores {
        for number in 0..300 {
            let account = account(&format!("forgotten-{number}@example.com"));
            let record = LatchRecord::preset(host("a.example"), [SecurityTag::TLS12]);
            store.merge(&account, &record).await.unwrap();
        }
        latch(store, "kept.example").await.unwrap();
        for number in 0..300 {
            let account = account(&format!("forgotten-{number}@example.com"));
            assert_eq!(store.delete_account(&account).await.unwrap(), 1);
        }
    }
    for name in names(directory.path()) {
        let content = fs::read(directory.path().join(&name)).unwrap();
        let found = content.windows(9).filter(|part| part == b"forgotten");
        assert_eq!(found.count(), 0, "{name}");
    }
    store.vacuum().await.unwrap();
    assert!(is_latched(&store, "kept.example").await);
}

fn account(name: &str) -> Account {
    Account::try_new(name).unwrap()
}

fn host(name: &str) -> Host {
    Host::try_new(name).unwrap()
}

/// Latches a tag of a host for alice.
async fn latch(store: &dyn LatchStore, of: &str) -> Result<LatchRecord, LatchStoreError> {
    let record = LatchRecord::preset(host(of), [SecurityTag::TLS12]);
    store.merge(&account("alice"), &record).await
}

async fn is_latched(store: &dyn LatchStore, of: &str) -> bool {
    let kept = store.load(&account("alice"), &host(of)).await.unwrap();
    kept.is_latched(&SecurityTag::TLS12)
}

/// The kind of an error, which must say which file it is about.
fn kind<T>(answer: Result<T, LatchStoreError>) -> LatchStoreErrorKind {
    let error = answer.err().expect("an error");
    let place = error.place().expect("a path");
    assert!(error.to_string().ends_with(place), "{error}");
    error.kind()
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("latches");
    (directory, path)
}

async fn sqlite(path: &Path) -> Result<SqliteLatchStore, LatchStoreError> {
    SqliteLatchStore::open(path, SqliteOptions::default()).await
}

async fn new_sqlite(path: &Path) -> SqliteLatchStore {
    let store = SqliteLatchStore::open_or_create(path, SqliteOptions::default());
    store.await.unwrap()
}
