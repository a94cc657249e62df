//! Reports, and a sink of each of the three kinds, for the tests of the report sinks.

#![allow(dead_code, unused_imports, reason = "each executable uses a part")]

pub(crate) use std::{
    error::Error,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

pub(crate) use deep_latch::{
    ClientReport, Host, MailProtocol, SecurityTag,
    reports::{
        BrokenProgram, BrokenVersion, CLIENTS_PER_BATCH, Clients, MAX_CLIENTS_PER_ACCOUNT,
        MAX_PROGRAMS, MAX_REPORT_ACCOUNT_BYTES, MAX_SOFTWARE_BYTES, MAX_TAGS_PER_CLIENT,
        MAX_VERSIONS, MemoryReportSink, ProgramCount, ReceivedReport, ReportError, ReportSink,
        ReportSinkErrorKind, SinkNames, SoftwareCounts, TagCount, VersionCount, WhatBreaks,
    },
};
pub(crate) use deep_latch_sqlx::{PostgresReportSink, ReportSinkOptions, SqliteReportSink};
pub(crate) use proptest::{prelude::*, test_runner::TestRunner};
pub(crate) use sqlx::{
    Connection, Executor, PgConnection, SqliteConnection,
    postgres::{PgConnectOptions, PgSslMode},
    sqlite::SqliteConnectOptions,
};
pub(crate) use test_databases::{
    postgres::PostgresServer,
    stores::{self, Stores},
};

/// 2014-11-24T00:00:00Z, and so many seconds.
pub(crate) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_416_787_200 + seconds)
}

pub(crate) fn host(name: &str) -> Host {
    Host::try_new(name).unwrap()
}

pub(crate) fn tags(text: &str) -> Vec<SecurityTag<'static>> {
    let tags = text.split_whitespace();
    tags.map(|tag| SecurityTag::parse(tag).unwrap().into_owned())
        .collect()
}

pub(crate) fn tag(text: &str) -> SecurityTag<'static> {
    SecurityTag::parse(text).unwrap().into_owned()
}

pub(crate) fn software(name: &str, version: &str) -> ClientReport {
    ClientReport {
        name: Some(name.to_owned()),
        version: Some(version.to_owned()),
        ..ClientReport::default()
    }
}

/// The report of example 1 of section 7.1.
pub(crate) fn example_1() -> ClientReport {
    ClientReport {
        latch: tags("tls10 tls-cert"),
        security_tags: tags("tls12"),
        ..software("Demo Mail", "1.5")
    }
}

/// The report of example 2 of section 7.1.
pub(crate) fn example_2() -> ClientReport {
    ClientReport {
        latch_fail: tags("tls-cert"),
        ..software("Demo Mail", "1.5")
    }
}

/// Programs and versions, and how many clients each version has.
pub(crate) fn rows(counts: &SoftwareCounts) -> Vec<(String, String, u64)> {
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

pub(crate) async fn record(
    sink: &dyn ReportSink,
    account: &str,
    at: SystemTime,
    report: &ClientReport,
) {
    record_at(sink, account, "imap.example.com", at, report).await;
}

pub(crate) async fn record_at(
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

/// Returns options with a limit that a busy machine does not reach: the tests here are not about time.
fn patient() -> ReportSinkOptions {
    ReportSinkOptions {
        timeout: Duration::from_secs(60),
        ..ReportSinkOptions::default()
    }
}

/// The three kinds of sink.
pub(crate) struct Sinks;

impl Stores for Sinks {
    type Store = dyn ReportSink;
    type Error = ReportSinkErrorKind;

    fn in_memory() -> Arc<dyn ReportSink> {
        Arc::new(MemoryReportSink::new())
    }

    async fn sqlite(path: &Path) -> Result<Arc<dyn ReportSink>, ReportSinkErrorKind> {
        match SqliteReportSink::open(path, patient()).await {
            Ok(sink) => Ok(Arc::new(sink)),
            Err(error) => Err(error.kind()),
        }
    }

    async fn postgres(
        database: PgConnectOptions,
    ) -> Result<Arc<dyn ReportSink>, ReportSinkErrorKind> {
        match PostgresReportSink::connect(database, patient()).await {
            Ok(sink) => Ok(Arc::new(sink)),
            Err(error) => Err(error.kind()),
        }
    }
}

pub(crate) type Around = stores::Around<Sinks>;

pub(crate) async fn on_each(database: &str, scenario: impl AsyncFn(Arc<dyn ReportSink>)) {
    stores::on_each::<Sinks>(database, scenario).await;
}

pub(crate) async fn open(path: &Path) -> SqliteReportSink {
    SqliteReportSink::open(path, patient()).await.unwrap()
}

pub(crate) async fn connect(server: PgConnectOptions) -> PostgresReportSink {
    PostgresReportSink::connect(server, patient())
        .await
        .unwrap()
}

pub(crate) fn count(tag_name: &str, latched: u64, not_latched: u64) -> TagCount {
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
pub(crate) fn broken(
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
