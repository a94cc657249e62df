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

#[tokio::test]
async fn says_that_a_database_is_missing_or_empty_and_creates_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none.db");
    let database = format!("sqlite:{}", path.display());
    for arguments in [
        &["report", "tls-cert"][..],
        &["report"],
        &["purge", "--days", "1"],
        &["forget", "alice"],
    ] {
        let err = format!("deep-latch: the report database does not exist: {path:?}");
        let ran = deep_latch(&database, arguments);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(ran.err.starts_with(&err), "{}", ran.err);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
    let sink = SqliteReportSink::open(&path, ReportSinkOptions::default()).await;
    sink.unwrap().close().await;
    let err = "deep-latch: the database has no reports\n";
    expect_failure(&database, &["report", "tls-cert"], 1, err);
    expect_failure(&database, &["report", "--json"], 1, err);
    for wrong in ["", "sqlite:", "mysql://x:secret@y", "reports.db"] {
        let err = "deep-latch: --database: sqlite:PATH or postgres://... is expected\n";
        expect_failure(wrong, &["report"], 2, err);
    }
    let err = "deep-latch: --database: not a URL of PostgreSQL\n";
    expect_failure("postgres://user:secret@[/x", &["report"], 2, err);
}

#[tokio::test]
async fn prints_json() {
    let directory = tempfile::tempdir().unwrap();
    let database = filled(&directory.path().join("reports.db")).await;
    let parsed = |arguments: &[&str]| -> Value {
        let ran = deep_latch(&database, arguments);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        serde_json::from_str(&ran.out).unwrap()
    };
    let mut answer = parsed(&["report", "tls-cert", "--json", "--host", "smtp.example.com"]);
    for path in [
        "/asked/since",
        "/what_breaks/programs/0/last_seen",
        "/what_breaks/programs/0/versions/0/last_seen",
    ] {
        let time = answer.pointer_mut(path).unwrap();
        assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
        *time = Value::Null;
    }
    let expected = json!({
        "asked": {"days": 90, "since": null, "host": "smtp.example.com"},
        "what_breaks": {
            "tag": "tls-cert",
            "clients": 1,
            "of": 1,
            "failing": 0,
            "programs": [{
                "name": "Phone", "clients": 1, "of": 1, "failing": 0, "last_seen": null, "last_failure": null,
                "versions": [{
                    "version": "7", "clients": 1, "of": 1, "failing": 0, "last_seen": null, "last_failure": null,
                }],
                "versions_left_off": 0,
            }],
            "programs_left_off": 0,
        },
    });
    assert_eq!(answer, expected);
    let answer = parsed(&["report", "--json", "--days", "365"]);
    assert_eq!(answer.pointer("/overview/clients"), Some(&json!(6)));
    assert_eq!(
        answer.pointer("/overview/tags/0/tag"),
        Some(&json!("tls-cert"))
    );
    assert_eq!(answer.pointer("/overview/tags/0/latched"), Some(&json!(5)));
    assert_eq!(
        answer.pointer("/overview/programs/1/versions/1/version"),
        Some(&json!("7"))
    );
}

#[tokio::test]
async fn forgets_what_is_old_and_whom_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("reports.db");
    let database = filled(&path).await;
    expect(
        &database,
        &["purge", "--days", "100"],
        "1 record deleted.\n",
    );
    expect(
        &database,
        &["purge", "--days", "100", "--vacuum"],
        "0 records deleted.\n",
    );
    // Of two versions.
    expect(
        &database,
        &["forget", "alice", "--vacuum"],
        "2 records deleted.\n",
    );
    let err = "deep-latch: there are no clients of the account \"alice\"\n";
    expect_failure(&database, &["forget", "alice"], 1, err);
    assert!(!String::from_utf8_lossy(&fs::read(&path).unwrap()).contains("alice"));
    let ran = deep_latch(&database, &["report", "tls-cert", "--days", "365"]);
    assert!(
        ran.out.contains("3 of 4 clients have tls-cert latched"),
        "{}",
        ran.out
    );
    let ran = deep_latch(&database, &["purge"]);
    assert_eq!(ran.code, Some(2));
    let err = "deep-latch: --days: before 1970\n";
    expect_failure(&database, &["purge", "--days", "4294967295"], 2, err);
}

#[tokio::test]
async fn fits_its_tables_into_80_columns_whatever_clients_say() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("reports.db");
    let sink = SqliteReportSink::open(&path, ReportSinkOptions::default())
        .await
        .unwrap();
    let long = "Mail\u{1b}[2J ".repeat(20);
    for (account, software) in [
        (
            "mallory",
            (long.trim(), "very.long.version.".repeat(10).as_str()),
        ),
        // As if it were a version of another program.
        ("trudy", ("  1.5", "| 99 of 99 |")),
        ("eve", ("", "")),
    ] {
        let tag = format!("x-{}", "t".repeat(62));
        let latch = format!("tls-cert {tag}");
        record(
            &sink,
            &Report {
                account,
                software,
                latch: &latch,
                latch_fail: "tls-cert",
                ..REPORT
            },
        )
        .await;
    }
    sink.close().await;
    let database = format!("sqlite:{}", path.display());
    for arguments in [&["report"][..], &["report", "tls-cert"]] {
        let ran = deep_latch(&database, arguments);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        for line in ran.out.lines() {
            assert!(line.chars().count() <= 80, "{line}");
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
        assert!(ran.out.contains("| \\u{20}"), "{}", ran.out);
        assert!(ran.out.contains("(not said)"), "{}", ran.out);
    }
}
