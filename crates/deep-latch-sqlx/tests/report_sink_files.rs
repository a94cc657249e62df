//! The databases of report sinks: what was forgotten is in no file, and a sink that can lose reports or does not
//! answer says so.

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
    fs,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use deep_latch::{
    ClientReport, Host, MailProtocol, SecurityTag,
    reports::{Clients, ReceivedReport, ReportSink, ReportSinkError, ReportSinkErrorKind},
};
use deep_latch_sqlx::{PostgresReportSink, ReportSinkOptions, SqliteReportSink};
use sqlx::{Connection, Executor, PgConnection};
use test_databases::postgres::PostgresServer;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_416_787_200 + seconds)
}

async fn record(sink: &dyn ReportSink, account: &str, seconds: u64) -> Result<(), ReportSinkError> {
    let host = Host::try_new("imap.example.com").unwrap();
    let report = ClientReport {
        name: Some(format!("Mail of {account}")),
        latch: vec![SecurityTag::TLS12],
        ..ClientReport::default()
    };
    let protocol = MailProtocol::Imap;
    let report = ReceivedReport::try_new(account, &host, protocol, at(seconds), &report);
    sink.record(&report.unwrap()).await
}

async fn clients(sink: &dyn ReportSink) -> Result<u64, ReportSinkError> {
    let counts = sink.clients_by_software(Clients::since(at(0))).await;
    counts.map(|counts| counts.clients)
}

fn files_with(directory: &Path, text: &[u8]) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let with = entries.filter(|entry| {
        let content = fs::read(entry.path()).unwrap();
        content.windows(text.len()).any(|part| part == text)
    });
    let names = with.map(|entry| entry.file_name().into_string().unwrap());
    names.collect()
}

#[tokio::test]
async fn keeps_no_name_of_an_account_that_was_purged_or_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let options = ReportSinkOptions::default();
    let sink = SqliteReportSink::open(directory.path().join("reports.db"), options);
    let sink = sink.await.unwrap();
    for number in 0..200 {
        record(&sink, &format!("purged-{number}@example.com"), number)
            .await
            .unwrap();
        record(&sink, &format!("forgotten-{number}@example.com"), 1000)
            .await
            .unwrap();
    }
    record(&sink, "kept@example.com", 1000).await.unwrap();
    assert_eq!(files_with(directory.path(), b"purged-1"), ["reports.db"]);
    assert_eq!(sink.purge(at(500)).await.unwrap(), 200);
    for number in 0..200 {
        let account = format!("forgotten-{number}@example.com");
        assert_eq!(sink.forget(&account).await.unwrap(), 1);
    }
    let backup = directory.path().join("backup.db");
    sink.back_up(&backup).await.unwrap();
    for gone in ["purged-", "forgotten-"] {
        let found = files_with(directory.path(), gone.as_bytes());
        assert_eq!(found, Vec::<String>::new(), "{gone}");
    }
    assert_eq!(files_with(directory.path(), b"kept@").len(), 2);
    sink.vacuum().await.unwrap();
    assert_eq!(clients(&sink).await.unwrap(), 1);
    let copied = SqliteReportSink::open_to_read(&backup, options).await;
    assert_eq!(clients(&copied.unwrap()).await.unwrap(), 1);
}

#[tokio::test]
async fn records_nothing_that_a_killed_server_loses() {
    let mut server = PostgresServer::start();
    let database = server.database("changed").await;
    let options = ReportSinkOptions::default();
    let sink = PostgresReportSink::connect(database.clone(), options);
    let sink = sink.await.unwrap();
    record(&sink, "kept", 1).await.unwrap();
    let mut around = PgConnection::connect_with(&database).await.unwrap();
    // From now on, what a new connection of the pool would confirm could be lost.
    let off = "ALTER DATABASE changed SET synchronous_commit = off; \
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    around.execute(sqlx::raw_sql(off)).await.unwrap();
    let not_durable = ReportSinkErrorKind::NotDurable;
    for _ in 0..3 {
        assert_eq!(
            record(&sink, "lost", 1).await.unwrap_err().kind(),
            not_durable
        );
        assert_eq!(sink.forget("kept").await.unwrap_err().kind(), not_durable);
        assert_eq!(sink.purge(at(9)).await.unwrap_err().kind(), not_durable);
    }
    let refused = PostgresReportSink::connect(database.clone(), options).await;
    assert_eq!(refused.unwrap_err().kind(), not_durable);
    server.kill();
    server.restart();
    assert_eq!(clients(&sink).await.unwrap(), 1);
    // It can be asked all the same.
    let reader = PostgresReportSink::connect_to_read(database, options).await;
    assert_eq!(clients(&reader.unwrap()).await.unwrap(), 1);
}

#[tokio::test]
async fn does_not_wait_for_ever_while_another_holds_the_tables() {
    let server = PostgresServer::shared();
    let database = server.database("held").await;
    let options = ReportSinkOptions {
        timeout: Duration::from_millis(500),
        ..ReportSinkOptions::default()
    };
    let sink = PostgresReportSink::connect(database.clone(), options)
        .await
        .unwrap();
    record(&sink, "alice", 1).await.unwrap();
    let mut around = PgConnection::connect_with(&database).await.unwrap();
    let mut lock = around.begin().await.unwrap();
    lock.execute("LOCK TABLE deep_clients").await.unwrap();
    let begun = Instant::now();
    for error in [
        record(&sink, "bob", 1).await.unwrap_err(),
        clients(&sink).await.unwrap_err(),
        sink.forget("alice").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ReportSinkErrorKind::Unavailable);
        assert!(error.place().unwrap().ends_with("/held"), "{error}");
    }
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    lock.rollback().await.unwrap();
    record(&sink, "bob", 1).await.unwrap();
    assert_eq!(clients(&sink).await.unwrap(), 2);
}
