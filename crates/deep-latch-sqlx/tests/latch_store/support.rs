//! Records, and an empty store of each kind, for the tests of the latch stores.

#![allow(dead_code, unused_imports, reason = "each executable uses a part")]

pub(crate) use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

pub(crate) use deep_latch::{
    DeepStatus, Facilities, Host, LatchRecord, LatchSession, SecurityTag, TlsFacts,
    facts::{ChainVerdict, DaneVerdict, IdentityVerdict, ProtocolVersion},
    latch::Event,
    status::StatusOptions,
    store::{
        Account, AccountError, FileLatchStore, LatchStore, LatchStoreError, LatchStoreErrorKind,
        MAX_ACCOUNT_BYTES, MemoryLatchStore, RECORDS_PER_BATCH,
    },
    tag::MAX_TAGS,
};
pub(crate) use deep_latch_sqlx::{SqliteLatchStore, SqliteOptions};
pub(crate) use proptest::{prelude::*, test_runner::TestRunner};
pub(crate) use sqlx::{Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};

pub(crate) fn account(name: &str) -> Account {
    Account::try_new(name).unwrap()
}

pub(crate) fn host(name: &str) -> Host {
    Host::try_new(name).unwrap()
}

pub(crate) fn tag(name: &str) -> SecurityTag<'static> {
    SecurityTag::parse(name).unwrap().into_owned()
}

pub(crate) fn preset(of: &str, tags: &[&str]) -> LatchRecord {
    LatchRecord::preset(host(of), tags.iter().map(|name| tag(name)))
}

/// Returns the record after a session with a server that is authenticated and has TLS 1.3.
pub(crate) fn learnt_from(record: LatchRecord, status: &DeepStatus<'_>) -> LatchRecord {
    let mut session = LatchSession::try_new(record, Facilities::new()).unwrap();
    let facts = TlsFacts {
        version: ProtocolVersion::TLS1_3,
        strength_bits: Some(128),
        chain: ChainVerdict::Trusted,
        identity: IdentityVerdict::Matches,
        dane: DaneVerdict::NotChecked,
    };
    let _ = session.step(Event::Handshake(facts));
    let _ = session.step(Event::Status(status));
    session.record().clone()
}

pub(crate) fn learnt(record: LatchRecord, status: &str) -> LatchRecord {
    learnt_from(record, &DeepStatus::parse(status).unwrap())
}

pub(crate) fn latched(record: &LatchRecord) -> Vec<&str> {
    record.latched().map(SecurityTag::as_str).collect()
}

pub(crate) fn status(record: &LatchRecord) -> Option<&str> {
    record.status().map(DeepStatus::as_str)
}

pub(crate) async fn sqlite(path: &Path) -> SqliteLatchStore {
    SqliteLatchStore::open_or_create(path, SqliteOptions::default())
        .await
        .unwrap()
}

pub(crate) fn kind<T>(answer: Result<T, LatchStoreError>) -> LatchStoreErrorKind {
    answer.err().expect("an error").kind()
}

/// An empty store of each kind, one after another; and how it is opened again.
pub(crate) async fn on_each(scenario: impl AsyncFn(Arc<dyn LatchStore>)) {
    println!("in memory");
    scenario(Arc::new(MemoryLatchStore::new())).await;

    println!("in a file");
    let directory = tempfile::tempdir().unwrap();
    let file = FileLatchStore::open_or_create(directory.path().join("latches")).unwrap();
    scenario(Arc::new(file)).await;

    println!("in SQLite");
    let store = Arc::new(sqlite(&directory.path().join("latches.db")).await);
    scenario(store.clone()).await;
    store.close().await;
}

// The file.

pub(crate) fn file_in(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("latches")
}
