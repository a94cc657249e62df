//! The command `deep-latch` as it is built: full outputs and exit codes, over SQLite and PostgreSQL.

#![cfg(unix)]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod answers;
mod command;

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

use deep_latch::{
    ClientReport, Host, MailProtocol, SecurityTag,
    reports::{ReceivedReport, ReportSink},
};
use deep_latch_sqlx::{ReportSinkOptions, SqliteReportSink};
use serde_json::{Value, json};

/// Exit code, standard output, standard error.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

fn deep_latch(database: &str, arguments: &[&str]) -> Ran {
    let ran = Command::new(env!("CARGO_BIN_EXE_deep-latch"))
        .args(arguments)
        .env("DEEP_LATCH_DATABASE", database)
        .output()
        .unwrap();
    Ran {
        code: ran.status.code(),
        out: String::from_utf8(ran.stdout).unwrap(),
        err: String::from_utf8(ran.stderr).unwrap(),
    }
}

/// Expects a run that succeeds.
#[track_caller]
fn expect(database: &str, arguments: &[&str], out: &str) {
    let ran = deep_latch(database, arguments);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), (out, ""));
    assert_eq!(ran.code, Some(0));
}

/// Expects a run that fails.
#[track_caller]
fn expect_failure(database: &str, arguments: &[&str], code: i32, err: &str) {
    let ran = deep_latch(database, arguments);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", err));
    assert_eq!(ran.code, Some(code));
}

fn days_ago(days: u64) -> SystemTime {
    SystemTime::now() - Duration::from_secs(days * 86_400)
}

/// The day as the tables show it.
fn day(days: u64) -> String {
    let time = humantime::format_rfc3339_seconds(days_ago(days)).to_string();
    time.split('T').next().unwrap().to_owned()
}

struct Report<'a> {
    account: &'a str,
    host: &'a str,
    software: (&'a str, &'a str),
    days_ago: u64,
    latch: &'a str,
    latch_fail: &'a str,
}

const REPORT: Report<'static> = Report {
    account: "alice",
    host: "imap.example.com",
    software: ("Demo Mail", "1.5"),
    days_ago: 0,
    latch: "",
    latch_fail: "",
};

async fn record(sink: &dyn ReportSink, report: &Report<'_>) {
    let tags = |text: &str| {
        let tags = text.split_whitespace();
        tags.map(|tag| SecurityTag::parse(tag).unwrap().into_owned())
            .collect()
    };
    let said = ClientReport {
        name: Some(report.software.0.to_owned()),
        version: Some(report.software.1.to_owned()),
        latch: tags(report.latch),
        latch_fail: tags(report.latch_fail),
        ..ClientReport::default()
    };
    let host = Host::try_new(report.host).unwrap();
    let at = days_ago(report.days_ago);
    let received = ReceivedReport::try_new(report.account, &host, MailProtocol::Imap, at, &said);
    sink.record(&received.unwrap()).await.unwrap();
}

/// The clients of a small provider.
async fn fill(sink: &dyn ReportSink) {
    for report in [
        // An update: the earlier version is no second client.
        Report {
            software: ("Demo Mail", "1.4"),
            days_ago: 20,
            latch: "tls10 tls-cert",
            ..REPORT
        },
        Report {
            days_ago: 1,
            latch: "tls10 tls-cert",
            ..REPORT
        },
        // Failed once, and not any more.
        Report {
            account: "bob",
            days_ago: 80,
            latch_fail: "tls-cert",
            ..REPORT
        },
        Report {
            account: "bob",
            days_ago: 3,
            latch: "tls10 tls-cert",
            ..REPORT
        },
        // Fails now.
        Report {
            account: "carol",
            days_ago: 9,
            latch: "tls10 tls-cert",
            ..REPORT
        },
        Report {
            account: "carol",
            days_ago: 2,
            latch_fail: "tls-cert",
            ..REPORT
        },
        Report {
            account: "dave",
            software: ("Demo Mail", "1.3"),
            days_ago: 5,
            latch: "tls10",
            ..REPORT
        },
        Report {
            account: "erin",
            software: ("Phone", "7"),
            host: "smtp.example.com",
            days_ago: 4,
            latch: "tls-cert x-own",
            ..REPORT
        },
        // Not seen for long.
        Report {
            account: "frank",
            software: ("Phone", "6"),
            days_ago: 200,
            latch: "tls-cert",
            ..REPORT
        },
    ] {
        record(sink, &report).await;
    }
}

async fn filled(path: &Path) -> String {
    let sink = SqliteReportSink::open(path, ReportSinkOptions::default())
        .await
        .unwrap();
    fill(&sink).await;
    sink.close().await;
    format!("sqlite:{}", path.display())
}
