//! Benchmarks of the latch machine, and of the stores with one million hosts. Each update is on the disk
//! before it counts.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "benchmarks"
)]

use std::{fmt::Write, fs, hint::black_box, path::Path, time::Duration};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use deep_latch::{
    DeepStatus, Facilities, Host, LatchRecord, LatchSession, SecurityTag, TlsFacts,
    facts::{ChainVerdict, DaneVerdict, IdentityVerdict, Login, ProtocolVersion},
    latch::Event,
    store::{Account, FileLatchStore, LatchStore},
};
use deep_latch_sqlx::{SqliteLatchStore, SqliteOptions};
use sha2::{Digest, Sha256};
use sqlx::{Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::runtime::Runtime;

const HOSTS: u32 = 1_000_000;
const STATUS: &str = "tls10 tls-cert <https://www.example.com/status.html>";

fn host(number: u32) -> String {
    format!("imap{number:07}.example.com")
}

fn facts() -> TlsFacts {
    TlsFacts {
        version: ProtocolVersion::TLS1_3,
        strength_bits: Some(256),
        chain: ChainVerdict::Trusted,
        identity: IdentityVerdict::Matches,
        dane: DaneVerdict::NotChecked,
    }
}

fn machine(criterion: &mut Criterion) {
    let new = LatchRecord::new(Host::try_new("imap.example.com").unwrap());
    let status = DeepStatus::parse(STATUS).unwrap();
    let mut known = LatchSession::try_new(new.clone(), Facilities::new()).unwrap();
    let _ = known.step(Event::Handshake(facts()));
    let _ = known.step(Event::Status(&status));
    let known = known.record().clone();

    let connection = |record: LatchRecord, status: &DeepStatus<'_>| {
        let mut session = LatchSession::try_new(record, Facilities::new()).unwrap();
        let _ = session.step(Event::Handshake(facts()));
        let _ = session.step(Event::Status(status));
        let _ = session.step(Event::LoggedIn(Login::Done));
        session
    };
    let mut group = criterion.benchmark_group("latch machine");
    group.bench_function("a handshake with two tags latched", |bencher| {
        let session = LatchSession::try_new(known.clone(), Facilities::new()).unwrap();
        bencher.iter_batched_ref(
            || session.clone(),
            |session| session.step(Event::Handshake(facts())),
            BatchSize::SmallInput,
        );
    });
    for (name, record) in [("first", &new), ("later", &known)] {
        group.bench_function(format!("a whole connection, {name}"), |bencher| {
            bencher.iter_batched(
                || record.clone(),
                |record| connection(record, &status),
                BatchSize::SmallInput,
            );
        });
    }
    // As much as fits in a status: tags that nobody knows, each another, and one tag over and over.
    let other: Vec<_> = (0..341).map(two_letters).collect();
    for (name, text) in [
        ("341 unknown tags", other.join(" ")),
        ("512 times the same tag", ["a"; 512].join(" ")),
    ] {
        assert!((1022..=1024).contains(&text.len()));
        let most = DeepStatus::parse(&text).unwrap();
        group.bench_function(format!("a whole connection, {name}"), |bencher| {
            bencher.iter_batched(
                || known.clone(),
                |record| connection(record, &most),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn two_letters(number: u32) -> String {
    let letter = |number: u32| char::from_digit(number + 10, 36).unwrap();
    format!("{}{}", letter(number / 26), letter(number % 26))
}

/// A file with so many hosts, as it is documented.
fn write_file(path: &Path, hosts: u32) {
    let mut body = String::from("{\"alice\":{");
    for number in 0..hosts {
        let comma = if number == 0 { "" } else { "," };
        let name = host(number);
        let record = format!(r#"{{"latched":"tls-cert tls10","status":"{STATUS}"}}"#);
        write!(body, "{comma}\"{name}\":{record}").unwrap();
    }
    body.push_str("}}");
    let mut digest = String::new();
    for octet in Sha256::digest(&body) {
        write!(digest, "{octet:02x}").unwrap();
    }
    let header = format!(
        r#"{{"format":"deep-latch latches","version":1,"bytes":{},"sha256":"{digest}"}}"#,
        body.len()
    );
    fs::write(path, format!("{header}\n{body}\n")).unwrap();
}

/// Rows for so many hosts, in one transaction.
async fn write_database(path: &Path, hosts: u32) {
    let store = SqliteLatchStore::open_or_create(path, SqliteOptions::default()).await;
    store.unwrap().close().await;
    let file = SqliteConnectOptions::new().filename(path);
    let mut connection = SqliteConnection::connect_with(&file).await.unwrap();
    connection.execute("BEGIN").await.unwrap();
    let insert = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < $1 - 1) \
        INSERT INTO deep_latches SELECT 'alice', printf('imap%07d.example.com', i), \
        'tls-cert tls10', $2 FROM n";
    let insert = sqlx::query(insert).bind(hosts).bind(STATUS);
    insert.execute(&mut connection).await.unwrap();
    connection.execute("COMMIT").await.unwrap();
    connection.close().await.unwrap();
}

fn lookup(
    name: &str,
    criterion: &mut Criterion,
    runtime: &Runtime,
    store: &dyn LatchStore,
    hosts: u32,
) {
    let alice = Account::try_new("alice").unwrap();
    let expected = [SecurityTag::TLS_CERT, SecurityTag::TLS10];
    let mut number = 0;
    let mut next = || {
        // All over the place.
        number = (number + 7_368_787) % hosts;
        Host::try_new(&host(number)).unwrap()
    };
    criterion.bench_function(name, |bencher| {
        bencher.iter_batched(
            &mut next,
            |host| {
                let record = runtime.block_on(store.load(&alice, &host)).unwrap();
                assert!(expected.iter().all(|tag| record.is_latched(tag)));
                record
            },
            BatchSize::SmallInput,
        );
    });
}

/// Each adds a tag that the host has not yet.
fn update(
    name: &str,
    criterion: &mut Criterion,
    runtime: &Runtime,
    store: &dyn LatchStore,
    hosts: u32,
) {
    let alice = Account::try_new("alice").unwrap();
    let mut number = 0_u32;
    let mut next = || {
        number += 1;
        let host = host((number * 7919) % hosts);
        let tag = format!("t{}", (number / hosts) % 60);
        let tag = SecurityTag::parse(&tag).unwrap().into_owned();
        LatchRecord::preset(Host::try_new(&host).unwrap(), [tag])
    };
    criterion.bench_function(name, |bencher| {
        bencher.iter_batched(
            &mut next,
            |record| runtime.block_on(store.merge(&alice, &record)).unwrap(),
            BatchSize::PerIteration,
        );
    });
}

fn file(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    for hosts in [100, 10_000, HOSTS] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("latches");
        write_file(&path, hosts);
        println!(
            "{hosts} hosts: {} bytes",
            fs::metadata(&path).unwrap().len()
        );
        criterion.bench_function(&format!("file, {hosts} hosts: open"), |bencher| {
            bencher.iter_with_large_drop(|| FileLatchStore::open(black_box(&path)).unwrap());
        });
        let store = FileLatchStore::open(&path).unwrap();
        let name = format!("file, {hosts} hosts: look up");
        lookup(&name, criterion, &runtime, &store, hosts);
        let name = format!("file, {hosts} hosts: update");
        update(&name, criterion, &runtime, &store, hosts);
    }
}

fn sqlite(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("latches.db");
    runtime.block_on(write_database(&path, HOSTS));
    println!(
        "{HOSTS} hosts: {} bytes",
        fs::metadata(&path).unwrap().len()
    );
    let open = || SqliteLatchStore::open(&path, SqliteOptions::default());
    criterion.bench_function("SQLite, 1000000 hosts: open", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async { open().await.unwrap().close().await });
        });
    });
    let store = runtime.block_on(open()).unwrap();
    let name = "SQLite, 1000000 hosts: look up";
    lookup(name, criterion, &runtime, &store, HOSTS);
    let name = "SQLite, 1000000 hosts: update";
    update(name, criterion, &runtime, &store, HOSTS);
    runtime.block_on(store.close());
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = machine, sqlite, file
}
criterion_main!(benches);
