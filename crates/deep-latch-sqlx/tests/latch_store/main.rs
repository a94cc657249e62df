//! The latch stores, in memory, in a file and in SQLite, answer alike and lose nothing.

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

mod alike;
mod contract;
mod database;
mod file;
mod killed;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use deep_latch::{
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
use deep_latch_sqlx::{SqliteLatchStore, SqliteOptions};
use proptest::{prelude::*, test_runner::TestRunner};
use sqlx::{Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};

fn account(name: &str) -> Account {
    Account::try_new(name).unwrap()
}

fn host(name: &str) -> Host {
    Host::try_new(name).unwrap()
}

fn tag(name: &str) -> SecurityTag<'static> {
    SecurityTag::parse(name).unwrap().into_owned()
}

fn preset(of: &str, tags: &[&str]) -> LatchRecord {
    LatchRecord::preset(host(of), tags.iter().map(|name| tag(name)))
}

/// Returns the record after a session with a server that is authenticated and has TLS 1.3.
fn learnt_from(record: LatchRecord, status: &DeepStatus<'_>) -> LatchRecord {
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

fn learnt(record: LatchRecord, status: &str) -> LatchRecord {
    learnt_from(record, &DeepStatus::parse(status).unwrap())
}

fn latched(record: &LatchRecord) -> Vec<&str> {
    record.latched().map(SecurityTag::as_str).collect()
}

fn status(record: &LatchRecord) -> Option<&str> {
    record.status().map(DeepStatus::as_str)
}

async fn sqlite(path: &Path) -> SqliteLatchStore {
    SqliteLatchStore::open_or_create(path, SqliteOptions::default())
        .await
        .unwrap()
}

fn kind<T>(answer: Result<T, LatchStoreError>) -> LatchStoreErrorKind {
    answer.err().expect("an error").kind()
}

/// An empty store of each kind, one after another; and how it is opened again.
async fn on_each(scenario: impl AsyncFn(Arc<dyn LatchStore>)) {
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

fn file_in(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("latches")
}
