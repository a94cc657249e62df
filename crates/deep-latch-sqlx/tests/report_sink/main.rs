//! The three report sinks, in memory, SQLite and PostgreSQL, answer alike, and lose nothing when a writer is
//! killed.

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
mod alike;
mod answers;
mod killed;
mod limits;
mod schema;
mod writers;

use std::{
    env,
    error::Error,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    time::{Duration, SystemTime},
};

use deep_latch::{
    ClientReport, Host, MailProtocol, SecurityTag,
    reports::{
        BrokenProgram, BrokenVersion, CLIENTS_PER_BATCH, Clients, MAX_CLIENTS_PER_ACCOUNT,
        MAX_PROGRAMS, MAX_REPORT_ACCOUNT_BYTES, MAX_SOFTWARE_BYTES, MAX_TAGS_PER_CLIENT,
        MAX_VERSIONS, MemoryReportSink, ProgramCount, ReceivedReport, ReportError, ReportSink,
        ReportSinkErrorKind, SinkNames, SoftwareCounts, TagCount, VersionCount, WhatBreaks,
    },
};
use deep_latch_sqlx::{PostgresReportSink, ReportSinkOptions, SqliteReportSink};
use proptest::{prelude::*, test_runner::TestRunner};
use sqlx::{
    Connection, Executor, PgConnection, SqliteConnection,
    postgres::{PgConnectOptions, PgSslMode},
    sqlite::SqliteConnectOptions,
};
use tempfile::TempDir;
use test_postgres::PostgresServer;

/// 2014-11-24T00:00:00Z, and so many seconds.
fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_416_787_200 + seconds)
}

fn host(name: &str) -> Host {
    Host::try_new(name).unwrap()
}

fn tags(text: &str) -> Vec<SecurityTag<'static>> {
    let tags = text.split_whitespace();
    tags.map(|tag| SecurityTag::parse(tag).unwrap().into_owned())
        .collect()
}

fn tag(text: &str) -> SecurityTag<'static> {
    SecurityTag::parse(text).unwrap().into_owned()
}

fn software(name: &str, version: &str) -> ClientReport {
    ClientReport {
        name: Some(name.to_owned()),
        version: Some(version.to_owned()),
        ..ClientReport::default()
    }
}

/// The report of example 1 of section 7.1.
fn example_1() -> ClientReport {
    ClientReport {
        latch: tags("tls10 tls-cert"),
        security_tags: tags("tls12"),
        ..software("Demo Mail", "1.5")
    }
}

/// The report of example 2 of section 7.1.
fn example_2() -> ClientReport {
    ClientReport {
        latch_fail: tags("tls-cert"),
        ..software("Demo Mail", "1.5")
    }
}

/// Programs and versions, and how many clients each version has.
fn rows(counts: &SoftwareCounts) -> Vec<(String, String, u64)> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let programs = counts.programs.iter();
    let versions = programs.flat_map(|program| {
        let versions = program.versions.iter();
        let sum: u64 = versions.clone().map(|version| version.clients).sum();
        assert!(program.versions_left_off > 0 || sum == program.clients);
        versions.map(|version| (text(&program.name), text(&version.version), version.clients))
    });
    versions.collect()
}

async fn record(sink: &dyn ReportSink, account: &str, at: SystemTime, report: &ClientReport) {
    record_at(sink, account, "imap.example.com", at, report).await;
}

async fn record_at(
    sink: &dyn ReportSink,
    account: &str,
    on: &str,
    at: SystemTime,
    report: &ClientReport,
) {
    let host = host(on);
    let report = ReceivedReport::try_new(account, &host, MailProtocol::Imap, at, report).unwrap();
    sink.record(&report).await.unwrap();
}

/// An empty sink of each kind, one after another.
async fn on_each(database: &str, scenario: impl AsyncFn(Arc<dyn ReportSink>)) {
    println!("in memory");
    scenario(Arc::new(MemoryReportSink::new())).await;

    println!("in SQLite");
    let directory = tempfile::tempdir().unwrap();
    let sqlite = Arc::new(open(&directory.path().join("reports.db")).await);
    scenario(sqlite.clone()).await;
    sqlite.close().await;

    println!("in PostgreSQL");
    let server = PostgresServer::shared();
    let postgres = Arc::new(connect(server.database(database).await).await);
    scenario(postgres.clone()).await;
    postgres.close().await;
}

async fn open(path: &Path) -> SqliteReportSink {
    SqliteReportSink::open(path, ReportSinkOptions::default())
        .await
        .unwrap()
}

async fn connect(server: PgConnectOptions) -> PostgresReportSink {
    PostgresReportSink::connect(server, ReportSinkOptions::default())
        .await
        .unwrap()
}

fn count(tag_name: &str, latched: u64, not_latched: u64) -> TagCount {
    TagCount {
        tag: tag(tag_name),
        latched,
        not_latched,
        failing: 0,
        failures: 0,
        last_failure: None,
    }
}

/// A program of one version, all of whose clients have the tag latched.
fn broken(
    name: &str,
    version: &str,
    clients: u64,
    last_seen: SystemTime,
    failing: u64,
    last_failure: Option<SystemTime>,
) -> BrokenProgram {
    BrokenProgram {
        name: Some(name.to_owned()),
        clients,
        of: clients,
        last_seen,
        failing,
        last_failure,
        versions: vec![BrokenVersion {
            version: Some(version.to_owned()),
            clients,
            of: clients,
            last_seen,
            failing,
            last_failure,
        }],
        versions_left_off: 0,
    }
}

/// A database of each kind and, for each, a connection that goes around the sink.
struct Around {
    directory: TempDir,
    database: PgConnectOptions,
    _server: Arc<PostgresServer>,
}

impl Around {
    async fn new(database: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = PostgresServer::shared();
        let database = server.database(database).await;
        let around = Self {
            directory,
            database,
            _server: server,
        };
        around.open_both().await.map(drop).unwrap();
        around
    }

    async fn open_both(&self) -> Result<[Arc<dyn ReportSink>; 2], [ReportSinkErrorKind; 2]> {
        let options = ReportSinkOptions::default();
        let path = self.directory.path().join("reports.db");
        let sqlite = SqliteReportSink::open(path, options).await;
        let postgres = PostgresReportSink::connect(self.database.clone(), options).await;
        match (sqlite, postgres) {
            (Ok(sqlite), Ok(postgres)) => Ok([Arc::new(sqlite), Arc::new(postgres)]),
            (Err(sqlite), Err(postgres)) => Err([sqlite.kind(), postgres.kind()]),
            (sqlite, postgres) => panic!("{sqlite:?} but {postgres:?}"),
        }
    }

    async fn execute(&self, sqlite: &str, postgres: &str) -> [Result<(), sqlx::Error>; 2] {
        let file = SqliteConnectOptions::new().filename(self.directory.path().join("reports.db"));
        let mut connection = SqliteConnection::connect_with(&file).await.unwrap();
        let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sqlite.to_owned()));
        let in_sqlite = connection.execute(sql).await.map(drop);
        connection.close().await.unwrap();
        let mut connection = PgConnection::connect_with(&self.database).await.unwrap();
        let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(postgres.to_owned()));
        let in_postgres = connection.execute(sql).await.map(drop);
        connection.close().await.unwrap();
        [in_sqlite, in_postgres]
    }

    async fn both(&self, sql: &str) {
        for done in self.execute(sql, sql).await {
            done.unwrap();
        }
    }
}
