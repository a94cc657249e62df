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
    BrokenProgram, BrokenVersion, CLIENTS_PER_BATCH, ClientReport, Clients, Host,
    MAX_CLIENTS_PER_ACCOUNT, MAX_PROGRAMS, MAX_REPORT_ACCOUNT_BYTES, MAX_SOFTWARE_BYTES,
    MAX_TAGS_PER_CLIENT, MAX_VERSIONS, MailProtocol, MemoryReportSink, PostgresReportSink,
    ProgramCount, ReceivedReport, ReportRefusal, ReportSink, ReportSinkErrorKind,
    ReportSinkOptions, SecurityTag, SinkNames, SoftwareCounts, SqliteReportSink, TagCount,
    VersionCount, WhatBreaks,
};
use proptest::{prelude::*, test_runner::TestRunner};
use sqlx::{
    Connection, Executor, PgConnection, SqliteConnection,
    postgres::{PgConnectOptions, PgSslMode},
    sqlite::SqliteConnectOptions,
};
use tempfile::TempDir;
use test_support::postgres::PostgresServer;

/// Where a writer writes, and that this process is one: `sqlite:PATH`, or a URL of PostgreSQL.
const WRITE_TO: &str = "DEEP_WRITE_TO";

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

/// What example 1 of section 7.1 reports.
fn example_1() -> ClientReport {
    ClientReport {
        latch: tags("tls10 tls-cert"),
        security_tags: tags("tls12"),
        ..software("Demo Mail", "1.5")
    }
}

/// What example 2 of section 7.1 reports.
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

#[tokio::test]
async fn what_examples_1_and_2_report_is_counted() {
    on_each("examples", async |sink| {
        let sink = &*sink;
        record(sink, "alice", at(10), &example_1()).await;
        record(sink, "alice", at(20), &example_2()).await;
        record(sink, "bob", at(15), &example_1()).await;
        let all = Clients::since(at(0));
        let tls_cert = TagCount {
            failing: 1,
            failures: 1,
            last_failure: Some(at(20)),
            ..count("tls-cert", 2, 0)
        };
        let expected = [tls_cert, count("tls10", 2, 0), count("tls12", 0, 2)];
        assert_eq!(sink.clients_by_tag(all).await.unwrap(), expected);
        let software = SoftwareCounts {
            programs: vec![ProgramCount {
                name: Some("Demo Mail".to_owned()),
                clients: 2,
                last_seen: at(20),
                versions: vec![VersionCount {
                    version: Some("1.5".to_owned()),
                    clients: 2,
                    last_seen: at(20),
                }],
                versions_left_off: 0,
            }],
            clients: 2,
            programs_left_off: 0,
        };
        assert_eq!(sink.clients_by_software(all).await.unwrap(), software);
        let breaks = WhatBreaks {
            tag: tag("tls-cert"),
            programs: vec![broken("Demo Mail", "1.5", 2, at(20), 1, Some(at(20)))],
            clients: 2,
            of: 2,
            failing: 1,
            programs_left_off: 0,
        };
        for spelling in ["tls-cert", "TLS-Cert"] {
            let asked = tag(spelling);
            let answer = sink.what_breaks_if_dropped(&asked, all).await.unwrap();
            assert_eq!(answer, breaks);
        }
        // It is supported, and nobody has latched it.
        let nothing = WhatBreaks {
            tag: tag("tls12"),
            programs: vec![],
            clients: 0,
            of: 2,
            failing: 0,
            programs_left_off: 0,
        };
        let asked = SecurityTag::TLS12;
        let answer = sink.what_breaks_if_dropped(&asked, all).await.unwrap();
        assert_eq!(answer, nothing);
    })
    .await;
}

#[tokio::test]
async fn the_table_says_who_breaks() {
    on_each("tables", async |sink| {
        let sink = &*sink;
        record(sink, "alice", at(1800), &example_1()).await;
        record(sink, "alice", at(3600), &example_2()).await;
        record(sink, "bob", at(0), &example_1()).await;
        let without = software("Demo Mail", "1.4");
        record(sink, "dave", at(86_400), &without).await;
        let unnamed = ClientReport {
            latch: tags("tls-cert"),
            ..ClientReport::default()
        };
        record(sink, "carol", at(7200), &unnamed).await;
        let all = Clients::since(at(0));
        let asked = SecurityTag::TLS_CERT;
        let answer = sink.what_breaks_if_dropped(&asked, all).await.unwrap();
        let expected = "\
3 of 4 clients have tls-cert latched and would refuse to connect.
1 of them could not achieve it by its last report.

| program      | clients | failing | last seen  | last failure |
|--------------|---------|---------|------------|--------------|
| Demo Mail    |  2 of 3 |       1 | 2014-11-24 | 2014-11-24   |
|   1.5        |  2 of 2 |       1 | 2014-11-24 | 2014-11-24   |
| (not said)   |  1 of 1 |       0 | 2014-11-24 |              |
|   (not said) |  1 of 1 |       0 | 2014-11-24 |              |
";
        assert_eq!(answer.to_table(), expected);
        let expected = "\
| program      | clients | last seen  |
|--------------|---------|------------|
| Demo Mail    |       3 | 2014-11-25 |
|   1.5        |       2 | 2014-11-24 |
|   1.4        |       1 | 2014-11-25 |
| (not said)   |       1 | 2014-11-24 |
|   (not said) |       1 | 2014-11-24 |
";
        let answer = sink.clients_by_software(all).await.unwrap();
        assert_eq!(answer.to_table(), expected);
        let expected = "\
| tag      | latched | not latched | failing | failures | last failure |
|----------|---------|-------------|---------|----------|--------------|
| tls-cert |  3 of 4 |           0 |       1 |        1 | 2014-11-24   |
| tls10    |  2 of 4 |           0 |       0 |        0 |              |
| tls12    |  0 of 4 |           2 |       0 |        0 |              |
";
        let answer = sink.clients_by_tag(all).await.unwrap();
        assert_eq!(TagCount::to_table(&answer, 4), expected);
    })
    .await;
}

#[tokio::test]
async fn a_table_cannot_be_forged_by_the_clients_words() {
    let sink = MemoryReportSink::new();
    let report = ClientReport {
        latch: tags("tls-cert"),
        ..software(
            "a\r\n| none | 1 |\u{1b}[2J\u{202e}\u{9b}",
            "\t\"1\"\\x\u{200b}é",
        )
    };
    record(&sink, "mallory", SystemTime::UNIX_EPOCH, &report).await;
    let far = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
    record(&sink, "eve", far, &software("b", "2")).await;
    let all = Clients::since(SystemTime::UNIX_EPOCH);
    let asked = SecurityTag::TLS_CERT;
    let answer = sink.what_breaks_if_dropped(&asked, all).await.unwrap();
    let table = answer.to_table();
    let expected = "\
1 of 2 clients has tls-cert latched and would refuse to connect.

| program                   | clients | failing | last seen  | last failure |
|---------------------------|---------|---------|------------|--------------|
| a\\r\\n\\| none \\| 1         |  1 of 1 |       0 | 1970-01-01 |              |
| \\|\\u{1b}[2J\\u{202e}\\u{9b} |         |         |            |              |
|   \\t\"1\"\\\\x\\u{200b}é       |  1 of 1 |       0 | 1970-01-01 |              |
";
    assert_eq!(table, expected);
    let table = sink.clients_by_software(all).await.unwrap().to_table();
    assert!(table.contains("| after 9999 "), "{table}");
}

#[tokio::test]
async fn a_client_is_an_account_a_host_and_a_program() {
    on_each("clients", async |sink| {
        let sink = &*sink;
        let latch = |name: &str, version: &str| ClientReport {
            latch: tags("tls10"),
            ..software(name, version)
        };
        for (account, on, name, version) in [
            ("alice", "imap.example.com", "Mail", "1"),
            ("alice", "imap.example.com", "Mail", "1"),
            ("alice", "imap.example.com", "Mail", "2"),
            ("alice", "imap.example.com", "mail", "1"),
            ("alice", "IMAP.example.com.", "Mail", "1"),
            ("alice", "smtp.example.com", "Mail", "1"),
            ("Alice", "imap.example.com", "Mail", "1"),
            ("alice", "imap.example.com", "", ""),
        ] {
            record_at(sink, account, on, at(5), &latch(name, version)).await;
        }
        // A name that is empty is none.
        let unnamed = ClientReport {
            latch: tags("tls10"),
            ..ClientReport::default()
        };
        record(sink, "alice", at(5), &unnamed).await;
        let imap = host("imap.example.com");
        let of_imap = Clients {
            host: Some(&imap),
            ..Clients::since(at(0))
        };
        let row =
            |name: &str, version: &str, clients| (name.to_owned(), version.to_owned(), clients);
        for (of, total, expected) in [
            (
                Clients::since(at(0)),
                5,
                vec![
                    row("Mail", "1", 2),
                    row("Mail", "2", 1),
                    row("", "", 1),
                    row("mail", "1", 1),
                ],
            ),
            (
                of_imap,
                4,
                vec![
                    row("Mail", "1", 1),
                    row("Mail", "2", 1),
                    row("", "", 1),
                    row("mail", "1", 1),
                ],
            ),
        ] {
            let counts = sink.clients_by_software(of).await.unwrap();
            assert_eq!(rows(&counts), expected);
            assert_eq!(counts.clients, total);
            let asked = SecurityTag::TLS10;
            let breaks = sink.what_breaks_if_dropped(&asked, of).await.unwrap();
            assert_eq!(breaks.clients, total);
            assert_eq!(
                sink.clients_by_tag(of).await.unwrap(),
                [count("tls10", total, 0)]
            );
        }
        let other = host("pop.example.com");
        let of_other = Clients {
            host: Some(&other),
            ..Clients::since(at(0))
        };
        assert_eq!(sink.clients_by_tag(of_other).await.unwrap(), []);
        let none = sink.clients_by_software(of_other).await.unwrap();
        assert_eq!(none, SoftwareCounts::default());
    })
    .await;
}

#[tokio::test]
async fn a_latch_counts_until_nobody_has_confirmed_it_since() {
    on_each("since", async |sink| {
        let sink = &*sink;
        let latched = ClientReport {
            latch: tags("tls-cert"),
            ..software("Mail", "1")
        };
        let unlatched = ClientReport {
            security_tags: tags("tls-cert"),
            ..software("Mail", "1")
        };
        record(sink, "alice", at(100), &latched).await;
        // Another device of the same account, or the account was made anew.
        record(sink, "alice", at(200), &unlatched).await;
        // Old news that come late.
        record(sink, "alice", at(50), &example_2()).await;
        record(sink, "alice", at(50), &latched).await;
        let asked = SecurityTag::TLS_CERT;
        for (since, clients) in [(0, 1), (100, 1), (101, 0), (200, 0), (201, 0)] {
            let of = Clients::since(at(since));
            let breaks = sink.what_breaks_if_dropped(&asked, of).await.unwrap();
            let mail = breaks
                .programs
                .iter()
                .find(|row| row.name.as_deref() == Some("Mail"));
            assert_eq!(mail.map_or(0, |row| row.clients), clients, "since {since}");
            if let Some(mail) = mail {
                // Seen last, not latched last.
                assert_eq!(mail.last_seen, at(200));
            }
        }
        let by_tag = async |since| {
            sink.clients_by_tag(Clients::since(at(since)))
                .await
                .unwrap()
        };
        assert_eq!(by_tag(100).await, [count("tls-cert", 1, 0)]);
        assert_eq!(by_tag(101).await, [count("tls-cert", 0, 1)]);
        assert_eq!(by_tag(200).await, [count("tls-cert", 0, 1)]);
        assert_eq!(by_tag(201).await, []);
        let by_software = async |since| {
            sink.clients_by_software(Clients::since(at(since)))
                .await
                .unwrap()
                .clients
        };
        assert_eq!((by_software(50).await, by_software(51).await), (2, 1));
        assert_eq!((by_software(200).await, by_software(201).await), (1, 0));
    })
    .await;
}

#[tokio::test]
async fn failures_are_counted_and_the_last_one_is_dated() {
    on_each("failures", async |sink| {
        let sink = &*sink;
        for seconds in [30, 10, 20] {
            record(sink, "alice", at(seconds), &example_2()).await;
        }
        record(sink, "alice", at(40), &example_1()).await;
        let counts = sink.clients_by_tag(Clients::since(at(0))).await.unwrap();
        let failed = TagCount {
            failures: 3,
            last_failure: Some(at(30)),
            ..count("tls-cert", 1, 0)
        };
        assert_eq!(counts[0], failed);
        let asked = SecurityTag::TLS_CERT;
        for (since, last_failure) in [(30, Some(at(30))), (31, None)] {
            let of = Clients::since(at(since));
            let breaks = sink.what_breaks_if_dropped(&asked, of).await.unwrap();
            let expected = broken("Demo Mail", "1.5", 1, at(40), 0, last_failure);
            assert_eq!((breaks.failing, breaks.programs), (0, vec![expected]));
        }
    })
    .await;
}

#[tokio::test]
async fn says_by_the_last_report_of_a_client_that_it_fails() {
    on_each("last_report", async |sink| {
        let sink = &*sink;
        let asked = SecurityTag::TLS_CERT;
        let of = Clients::since(at(0));
        let failing = async || {
            let breaks = sink.what_breaks_if_dropped(&asked, of).await.unwrap();
            let counts = sink.clients_by_tag(of).await.unwrap();
            let tag = counts.iter().find(|count| count.tag == asked).unwrap();
            assert_eq!(breaks.failing, tag.failing);
            assert_eq!(breaks.clients, 1);
            breaks.failing
        };
        let of_another = ClientReport {
            latch_fail: tags("tls10"),
            ..example_2()
        };
        let updated = |report: ClientReport, version: &str| ClientReport {
            version: Some(version.to_owned()),
            ..report
        };
        for (step, seconds, report, expected) in [
            ("fails", 100, example_2(), 1),
            // Not the last one, though it comes last.
            ("an earlier success comes late", 50, example_1(), 1),
            ("succeeds in the same second", 100, example_1(), 0),
            ("fails in the same second again", 100, example_2(), 1),
            ("fails again", 110, example_2(), 1),
            ("succeeds", 120, example_1(), 0),
            ("an earlier failure comes late", 115, example_2(), 0),
            ("fails", 130, example_2(), 1),
            ("fails for another tag", 140, of_another, 0),
            ("fails", 150, example_2(), 1),
            // The update is the same client, and its report the last one.
            ("succeeds, updated", 160, updated(example_1(), "1.6"), 0),
            ("a late failure of the old version", 155, example_2(), 0),
            ("fails, updated", 170, updated(example_2(), "1.6"), 1),
            ("succeeds, as it was before", 180, example_1(), 0),
        ] {
            record(sink, "alice", at(seconds), &report).await;
            assert_eq!(failing().await, expected, "{step} at {seconds}");
        }
    })
    .await;
}

#[tokio::test]
async fn takes_an_update_for_the_same_client() {
    on_each("updates", async |sink| {
        let sink = &*sink;
        let latched = |version: &str| ClientReport {
            latch: tags("tls-cert"),
            ..software("Mail", version)
        };
        for account in ["alice", "bob"] {
            record(sink, account, at(10), &latched("1")).await;
            record(sink, account, at(20), &latched("2")).await;
        }
        // Bob's goes back.
        record(sink, "bob", at(30), &latched("1")).await;
        // Carol's latched before the update, and reports nothing of latches any more.
        record(sink, "carol", at(10), &latched("1")).await;
        record(sink, "carol", at(40), &software("Mail", "3")).await;
        record(sink, "dave", at(40), &software("Mail", "3")).await;
        let asked = SecurityTag::TLS_CERT;
        let version = |version: &str, clients, of, last_seen| BrokenVersion {
            version: Some(version.to_owned()),
            clients,
            of,
            last_seen: at(last_seen),
            failing: 0,
            last_failure: None,
        };
        let program = |clients, last_seen, versions| BrokenProgram {
            name: Some("Mail".to_owned()),
            clients,
            of: 4,
            last_seen: at(last_seen),
            failing: 0,
            last_failure: None,
            versions,
            versions_left_off: 0,
        };
        let both = vec![version("1", 1, 1, 30), version("2", 1, 1, 20)];
        let all = [both.clone(), vec![version("3", 1, 2, 40)]].concat();
        for (since, of, expected) in [
            (0, 4, vec![program(3, 40, all)]),
            // Carol's latch is older; she is a client all the same.
            (11, 4, vec![program(2, 30, both)]),
            (31, 2, vec![]),
        ] {
            let period = Clients::since(at(since));
            let breaks = sink.what_breaks_if_dropped(&asked, period).await.unwrap();
            assert_eq!(
                (breaks.of, &breaks.programs),
                (of, &expected),
                "since {since}"
            );
            let clients = expected.first().map_or(0, |program| program.clients);
            assert_eq!(breaks.clients, clients);
            let counts = sink.clients_by_software(period).await.unwrap();
            assert_eq!(counts.clients, of);
            let tags = sink.clients_by_tag(period).await.unwrap();
            let latched = tags.first().map_or(0, |count| count.latched);
            assert_eq!(latched, clients, "since {since}");
        }
    })
    .await;
}

#[tokio::test]
async fn names_the_tags_and_hosts_that_were_reported() {
    on_each("names", async |sink| {
        let sink = &*sink;
        assert_eq!(sink.names().await.unwrap(), SinkNames::default());
        record(sink, "alice", at(50), &example_1()).await;
        record(
            sink,
            "alice",
            at(20),
            &ClientReport {
                latch: tags("X-Own tls10"),
                ..software("Demo Mail", "1.6")
            },
        )
        .await;
        record_at(sink, "alice", "smtp.example.com", at(30), &example_2()).await;
        record(sink, "bob", at(40), &software("Demo Mail", "1.5")).await;
        let expected = SinkNames {
            clients: 3,
            last_report: Some(at(50)),
            tags: tags("tls-cert tls10 tls12 x-own"),
            hosts: vec![host("imap.example.com"), host("smtp.example.com")],
        };
        assert_eq!(sink.names().await.unwrap(), expected);
    })
    .await;
}

#[tokio::test]
async fn what_is_over_a_limit_is_refused_and_nothing_is_cut_off() {
    let here = host("imap.example.com");
    let refused = |account: &str, at, report: &ClientReport| {
        ReceivedReport::try_new(account, &here, MailProtocol::Smtp, at, report).map(drop)
    };
    let long = |length: usize| "é".repeat(length / 2) + &"x".repeat(length % 2);
    let plain = software("Mail", "1");
    assert_eq!(
        refused(&long(MAX_REPORT_ACCOUNT_BYTES), at(0), &plain),
        Ok(())
    );
    assert_eq!(
        refused(&long(MAX_REPORT_ACCOUNT_BYTES + 1), at(0), &plain),
        Err(ReportRefusal::AccountLength)
    );
    assert_eq!(
        refused("", at(0), &plain),
        Err(ReportRefusal::AccountLength)
    );
    let name = software(&long(MAX_SOFTWARE_BYTES + 1), "1");
    assert_eq!(refused("a", at(0), &name), Err(ReportRefusal::NameTooLong));
    let version = software("Mail", &long(MAX_SOFTWARE_BYTES + 1));
    assert_eq!(
        refused("a", at(0), &version),
        Err(ReportRefusal::VersionTooLong)
    );
    assert_eq!(refused("a\0", at(0), &plain), Err(ReportRefusal::Nul));
    assert_eq!(
        refused("a", at(0), &software("\0", "1")),
        Err(ReportRefusal::Nul)
    );
    assert_eq!(
        refused("a", at(0), &software("Mail", "1\0")),
        Err(ReportRefusal::Nul)
    );
    let before = SystemTime::UNIX_EPOCH - Duration::from_nanos(1);
    assert_eq!(refused("a", before, &plain), Err(ReportRefusal::Time));
    let many = |from: usize, count: usize| {
        let names: Vec<_> = (from..from + count)
            .map(|number| format!("t{number}"))
            .collect();
        tags(&names.join(" "))
    };
    let too_many = ClientReport {
        latch: many(0, 40),
        latch_fail: many(30, 20),
        security_tags: many(45, 20),
        ..plain.clone()
    };
    assert_eq!(
        refused("a", at(0), &too_many),
        Err(ReportRefusal::TooManyTags)
    );
    let most = ClientReport {
        security_tags: many(45, MAX_TAGS_PER_CLIENT - 45),
        ..too_many
    };
    assert_eq!(refused("a", at(0), &most), Ok(()));

    on_each("limits", async |sink| {
        let sink = &*sink;
        let account = long(MAX_REPORT_ACCOUNT_BYTES);
        let longest = ClientReport {
            name: Some(long(MAX_SOFTWARE_BYTES)),
            version: Some("z".repeat(MAX_SOFTWARE_BYTES)),
            ..most.clone()
        };
        record(sink, &account, at(0), &longest).await;
        record(sink, &account, at(0), &longest).await;
        let counts = sink
            .clients_by_software(Clients::since(at(0)))
            .await
            .unwrap();
        assert_eq!(counts.programs[0].name, longest.name);
        assert_eq!(counts.programs[0].versions[0].version, longest.version);
        let tags_before = sink.clients_by_tag(Clients::since(at(0))).await.unwrap();
        assert_eq!(tags_before.len(), MAX_TAGS_PER_CLIENT);
        // One tag more, of many that would be news: none of it is kept.
        let more = ClientReport {
            latch: many(0, 3),
            security_tags: many(500, 1),
            ..longest.clone()
        };
        let report =
            ReceivedReport::try_new(&account, &here, MailProtocol::Imap, at(9), &more).unwrap();
        let error = sink.record(&report).await.unwrap_err();
        assert_eq!(error.kind(), ReportSinkErrorKind::TooManyTags);
        let tags_after = sink.clients_by_tag(Clients::since(at(0))).await.unwrap();
        assert_eq!(tags_after, tags_before);
        let counts = sink
            .clients_by_software(Clients::since(at(1)))
            .await
            .unwrap();
        assert_eq!(counts, SoftwareCounts::default());

        let before = SystemTime::UNIX_EPOCH - Duration::from_nanos(1);
        let asked = SecurityTag::TLS10;
        let errors = [
            sink.purge(before).await.unwrap_err(),
            sink.clients_by_tag(Clients::since(before))
                .await
                .unwrap_err(),
            sink.clients_by_software(Clients::since(before))
                .await
                .unwrap_err(),
            sink.what_breaks_if_dropped(&asked, Clients::since(before))
                .await
                .unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ReportSinkErrorKind::Time);
        }
    })
    .await;
}

#[tokio::test]
async fn one_account_cannot_fill_the_sink() {
    on_each("flood", async |sink| {
        let here = host("imap.example.com");
        let received = async |account, report: &ClientReport| {
            let report = ReceivedReport::try_new(account, &here, MailProtocol::Imap, at(0), report);
            sink.record(&report.unwrap()).await
        };
        for number in 0..MAX_CLIENTS_PER_ACCOUNT {
            let report = software(&format!("Flood {number}"), "1");
            received("mallory", &report).await.unwrap();
        }
        let report = software("Flood one more", "1");
        let error = received("mallory", &report).await.unwrap_err();
        assert_eq!(error.kind(), ReportSinkErrorKind::TooManyClients);
        // Its known clients, other accounts and other hosts go on.
        let known = software("Flood 0", "1");
        received("mallory", &known).await.unwrap();
        received("alice", &report).await.unwrap();
        record_at(&*sink, "mallory", "smtp.example.com", at(0), &report).await;
        let counts = sink
            .clients_by_software(Clients::since(at(0)))
            .await
            .unwrap();
        assert_eq!(
            counts.clients,
            u64::try_from(MAX_CLIENTS_PER_ACCOUNT).unwrap() + 2
        );
    })
    .await;
}

/// Reports of as many programs as there are connections, again and again, all at once; returns how
/// many were kept.
async fn fill_at_once(sinks: &[Arc<dyn ReportSink>]) -> usize {
    let begin = Arc::new(tokio::sync::Barrier::new(sinks.len()));
    let tasks = (0..).zip(sinks).map(|(number, sink)| {
        let (begin, sink) = (begin.clone(), sink.clone());
        tokio::spawn(async move {
            let here = host("imap.example.com");
            let mut kept = 0;
            for round in 0..5 {
                let report = ClientReport {
                    latch: tags("tls10"),
                    ..software(&format!("Mail {round}.{number}"), "1")
                };
                let protocol = MailProtocol::Imap;
                let report =
                    ReceivedReport::try_new("mallory", &here, protocol, at(0), &report).unwrap();
                begin.wait().await;
                match sink.record(&report).await {
                    Ok(()) => kept += 1,
                    Err(error) => assert_eq!(error.kind(), ReportSinkErrorKind::TooManyClients),
                }
            }
            kept
        })
    });
    let mut kept = 0;
    for task in tasks.collect::<Vec<_>>() {
        kept += task.await.unwrap();
    }
    kept
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_limit_of_clients_of_an_account_under_64_connections_at_once() {
    const CONNECTIONS: usize = 64;
    let options = ReportSinkOptions {
        max_connections: 64,
        timeout: Duration::from_secs(60),
        ..ReportSinkOptions::default()
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("reports.db");
    let server = PostgresServer::shared();
    let database = server.database("at_once").await;
    let memory: Arc<dyn ReportSink> = Arc::new(MemoryReportSink::new());
    let postgres = PostgresReportSink::connect(database, options).await;
    let postgres: Arc<dyn ReportSink> = Arc::new(postgres.unwrap());
    // Each opens the file by itself, as processes do.
    let mut sqlite: Vec<Arc<dyn ReportSink>> = Vec::new();
    for _ in 0..CONNECTIONS {
        let options = ReportSinkOptions {
            max_connections: 1,
            ..options
        };
        let sink = SqliteReportSink::open(&path, options).await;
        sqlite.push(Arc::new(sink.unwrap()));
    }
    let sinks = [
        ("memory", vec![memory; CONNECTIONS]),
        ("SQLite", sqlite),
        ("PostgreSQL", vec![postgres; CONNECTIONS]),
    ];
    for (name, sinks) in sinks {
        assert_eq!(
            fill_at_once(&sinks).await,
            MAX_CLIENTS_PER_ACCOUNT,
            "{name}"
        );
        let counts = sinks[0].clients_by_software(Clients::since(at(0))).await;
        let clients = u64::try_from(MAX_CLIENTS_PER_ACCOUNT).unwrap();
        assert_eq!(counts.unwrap().clients, clients, "{name}");
        // Those that are known still report.
        let known = ClientReport {
            latch: tags("tls12"),
            ..software("Mail 0.0", "1")
        };
        record(&*sinks[0], "mallory", at(1), &known).await;
        record(&*sinks[0], "bob", at(1), &known).await;
    }
}

#[tokio::test]
async fn of_very_many_programs_and_versions_those_of_most_clients_are_shown_and_all_are_counted() {
    on_each("rows", async |sink| {
        let sink = &*sink;
        let latched = |name: &str, version: usize| ClientReport {
            latch: tags("tls12"),
            ..software(name, &format!("{version:04}"))
        };
        for version in 0..MAX_VERSIONS + 3 {
            let account = format!("account {version}");
            record(sink, &account, at(0), &latched("Mail", version)).await;
        }
        record(sink, "alice", at(0), &latched("Mail", MAX_VERSIONS + 2)).await;
        for program in 0..MAX_PROGRAMS + 1 {
            let account = format!("account {}", program / 100);
            record(
                sink,
                &account,
                at(0),
                &latched(&format!("P{program:04}"), 0),
            )
            .await;
        }
        let all = Clients::since(at(0));
        let mail = u64::try_from(MAX_VERSIONS).unwrap() + 4;
        let total = u64::try_from(MAX_PROGRAMS).unwrap() + 1 + mail;
        let mut counts = sink.clients_by_software(all).await.unwrap();
        assert_eq!((counts.clients, counts.programs_left_off), (total, 2));
        assert_eq!(counts.programs.len(), MAX_PROGRAMS);
        assert_eq!(counts.programs[0].clients, mail);
        assert_eq!(counts.programs[0].versions_left_off, 3);
        let expected = |index: usize| match index {
            0 => format!("{:04}", MAX_VERSIONS + 2),
            index => format!("{:04}", index - 1),
        };
        let versions: Vec<_> = rows(&counts)
            .into_iter()
            .filter(|(name, ..)| name == "Mail")
            .map(|(_, version, _)| version)
            .collect();
        assert_eq!(
            versions,
            (0..MAX_VERSIONS).map(expected).collect::<Vec<_>>()
        );
        assert_eq!(
            counts.programs[MAX_PROGRAMS - 1].name.as_deref(),
            Some("P0198")
        );
        let asked = SecurityTag::TLS12;
        let mut breaks = sink.what_breaks_if_dropped(&asked, all).await.unwrap();
        assert_eq!(
            (breaks.clients, breaks.of, breaks.failing),
            (total, total, 0)
        );
        assert_eq!(breaks.programs_left_off, 2);
        assert_eq!(breaks.programs.len(), MAX_PROGRAMS);
        assert_eq!(
            (
                breaks.programs[0].clients,
                breaks.programs[0].versions_left_off
            ),
            (mail, 3)
        );
        let of_breaks = breaks.programs.iter().map(|program| program.name.clone());
        let of_counts = counts.programs.iter().map(|program| program.name.clone());
        assert!(of_breaks.eq(of_counts));
        breaks.truncate(2, 1);
        counts.truncate(2, 1);
        let left_off = u64::try_from(MAX_PROGRAMS).unwrap();
        let end = format!("\n{left_off} programs of fewer clients are left off.\n");
        let versions = u64::try_from(MAX_VERSIONS).unwrap() + 2;
        for table in [breaks.to_table(), counts.to_table()] {
            assert!(table.ends_with(&end), "{table}");
            assert!(
                table.contains(&format!("|   ({versions} more) ")),
                "{table}"
            );
        }
        assert_eq!((breaks.clients, counts.clients), (total, total));
    })
    .await;
}

#[tokio::test]
async fn clients_that_reported_nothing_lately_are_purged_in_batches() {
    on_each("purge", async |sink| {
        let sink = &*sink;
        let more = 3;
        for number in 0..CLIENTS_PER_BATCH + more {
            record(sink, &format!("account {number}"), at(100), &example_1()).await;
        }
        record(sink, "alice", at(99), &example_1()).await;
        record(sink, "bob", at(101), &example_1()).await;
        let batch = u64::try_from(CLIENTS_PER_BATCH).unwrap();
        assert_eq!(sink.purge(at(99)).await.unwrap(), 0);
        assert_eq!(sink.purge(at(100)).await.unwrap(), 1);
        assert_eq!(sink.purge(at(101)).await.unwrap(), batch);
        assert_eq!(sink.purge(at(101)).await.unwrap(), 3);
        assert_eq!(sink.purge(at(101)).await.unwrap(), 0);
        let expected = [
            count("tls-cert", 1, 0),
            count("tls10", 1, 0),
            count("tls12", 0, 1),
        ];
        assert_eq!(
            sink.clients_by_tag(Clients::since(at(0))).await.unwrap(),
            expected
        );
        record_at(sink, "bob", "smtp.example.com", at(101), &example_1()).await;
        record(sink, "bo", at(101), &example_1()).await;
        assert_eq!(sink.forget("b%").await.unwrap(), 0);
        assert_eq!(sink.forget("bob").await.unwrap(), 2);
        assert_eq!(sink.forget("bob").await.unwrap(), 0);
        assert_eq!(
            sink.clients_by_tag(Clients::since(at(0))).await.unwrap(),
            expected
        );
    })
    .await;
}

#[tokio::test]
async fn the_clients_words_are_no_sql() {
    let words = [
        "'; DROP TABLE deep_clients; --",
        "' OR '1'='1",
        "\"; DELETE FROM deep_client_tags; --",
        "$1",
        "$8",
        "?1",
        ":name",
        "%",
        "_",
        "\\",
        "\\'",
        "'||(SELECT account FROM deep_clients LIMIT 1)||'",
        "x') ON CONFLICT DO NOTHING; UPDATE deep_clients SET account = ('y",
        "$$; DROP TABLE deep_clients; $$",
        "E'\\x27'",
        "/*",
        "\r\n\u{1b}\u{7f}",
        "😀\u{fffd}\u{10ffff}",
    ];
    on_each("injection", async |sink| {
        let sink = &*sink;
        for (number, word) in (0..).zip(words) {
            for _ in 0..2 {
                let report = ClientReport {
                    latch: tags("tls10"),
                    ..software(word, word)
                };
                record(sink, word, at(number), &report).await;
            }
        }
        let counts = sink
            .clients_by_software(Clients::since(at(0)))
            .await
            .unwrap();
        let rows = rows(&counts);
        let mut seen: Vec<_> = rows
            .iter()
            .map(|(name, version, clients)| {
                assert_eq!((*clients, name), (1, version));
                name.as_str()
            })
            .collect();
        seen.sort_unstable();
        let mut expected = words;
        expected.sort_unstable();
        assert_eq!(seen, expected);
        for word in words {
            assert_eq!(sink.forget(word).await.unwrap(), 1, "{word}");
        }
        assert_eq!(
            sink.clients_by_tag(Clients::since(at(0))).await.unwrap(),
            []
        );
    })
    .await;
}

/// Each writes all the while the others do: half of them news of the same client.
async fn write_at_once(sinks: [Arc<dyn ReportSink>; 8]) {
    const REPORTS: u64 = 50;
    let writers = (0..).zip(&sinks).map(|(writer, sink)| {
        let sink = sink.clone();
        tokio::spawn(async move {
            let own = format!("writer {writer}");
            for number in 0..REPORTS {
                record(&*sink, &own, at(number), &example_1()).await;
                // In another order of tags, so that rows are touched in any order.
                let mut shared = example_1();
                if writer % 2 == 0 {
                    shared.latch.reverse();
                }
                shared.latch_fail = tags("tls-cert tls10");
                record(&*sink, "shared", at(number), &shared).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let failing = |tag| TagCount {
        failing: 1,
        failures: 8 * REPORTS,
        last_failure: Some(at(REPORTS - 1)),
        ..count(tag, 9, 0)
    };
    let expected = [failing("tls-cert"), failing("tls10"), count("tls12", 0, 9)];
    for sink in &sinks {
        assert_eq!(
            sink.clients_by_tag(Clients::since(at(0))).await.unwrap(),
            expected
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_eight_writers_at_once_nothing_is_lost() {
    on_each("writers", async |sink| {
        write_at_once(std::array::from_fn(|_| sink.clone())).await;
    })
    .await;

    println!("eight servers' SQLite");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("reports.db");
    let mut sinks: Vec<Arc<dyn ReportSink>> = Vec::new();
    for _ in 0..8 {
        sinks.push(Arc::new(open(&path).await));
    }
    write_at_once(sinks.try_into().ok().unwrap()).await;

    println!("a fleet's PostgreSQL");
    let server = PostgresServer::shared();
    let database = server.database("fleet").await;
    let mut sinks: Vec<Arc<dyn ReportSink>> = Vec::new();
    for _ in 0..8 {
        sinks.push(Arc::new(connect(database.clone()).await));
    }
    write_at_once(sinks.try_into().ok().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_can_come_while_old_ones_are_purged_and_forgotten() {
    on_each("purging", async |sink| {
        let writers = (0..4).map(|writer| {
            let sink = sink.clone();
            tokio::spawn(async move {
                for number in 0..100 {
                    let account = format!("account {}", (number + writer * 25) % 40);
                    record(&*sink, &account, at(number), &example_1()).await;
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        for number in 0..50 {
            sink.purge(at(number * 2)).await.unwrap();
            sink.forget(&format!("account {}", number % 40))
                .await
                .unwrap();
        }
        for writer in writers {
            writer.await.unwrap();
        }
        // No tag is left of a client that is gone.
        let counts = sink.clients_by_tag(Clients::since(at(0))).await.unwrap();
        let software = sink
            .clients_by_software(Clients::since(at(0)))
            .await
            .unwrap();
        for count in counts {
            assert_eq!(count.latched + count.not_latched, software.clients);
        }
    })
    .await;
}

#[tokio::test]
async fn keeps_an_sqlite_database_for_its_owner_and_the_group_that_may_read_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("reports.db");
    let mode = |name: &str| {
        let file = fs::metadata(directory.path().join(name)).unwrap();
        file.permissions().mode() & 0o777
    };
    let sink = open(&path).await;
    record(&sink, "alice", at(0), &example_1()).await;
    for name in ["reports.db", "reports.db-journal", "reports.db.lock"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    sink.close().await;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    open(&path).await.close().await;
    assert_eq!(mode("reports.db"), 0o640);
    for exposed in [0o604, 0o660, 0o620, 0o602, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(exposed)).unwrap();
        let error = SqliteReportSink::open(&path, ReportSinkOptions::default()).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ReportSinkErrorKind::Exposed, "{exposed:o}");
        assert_eq!(error.place(), Some(&*format!("{path:?}")));
        // It is said, and not changed.
        assert_eq!(mode("reports.db"), exposed);
    }
}

/// A user of PostgreSQL who may only do what is granted here.
async fn role(database: &PgConnectOptions, name: &str, grants: &str) -> PgConnectOptions {
    let mut connection = PgConnection::connect_with(database).await.unwrap();
    let sql = format!("CREATE ROLE {name} LOGIN; {grants}");
    let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
    connection.execute(sql).await.unwrap();
    connection.close().await.unwrap();
    database.clone().username(name)
}

/// Checks that a sink answers what it was told of example 1, and changes nothing.
async fn assert_asks_only(sink: &dyn ReportSink) {
    let all = Clients::since(at(0));
    let counts = sink.clients_by_software(all).await.unwrap();
    assert_eq!(counts.clients, 1);
    let tags = sink.clients_by_tag(all).await.unwrap();
    let expected = [
        count("tls-cert", 1, 0),
        count("tls10", 1, 0),
        count("tls12", 0, 1),
    ];
    assert_eq!(tags, expected);
    let asked = SecurityTag::TLS_CERT;
    let breaks = sink.what_breaks_if_dropped(&asked, all).await.unwrap();
    assert_eq!(breaks.clients, 1);
    let (here, report) = (host("imap.example.com"), example_2());
    let report =
        ReceivedReport::try_new("alice", &here, MailProtocol::Imap, at(9), &report).unwrap();
    let read_only = ReportSinkErrorKind::ReadOnly;
    assert_eq!(sink.record(&report).await.unwrap_err().kind(), read_only);
    assert_eq!(sink.purge(at(99)).await.unwrap_err().kind(), read_only);
    assert_eq!(sink.forget("alice").await.unwrap_err().kind(), read_only);
    assert_eq!(sink.clients_by_tag(all).await.unwrap(), expected);
}

#[tokio::test]
async fn asks_an_sqlite_database_without_creating_or_changing_anything() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("reports.db");
    let options = ReportSinkOptions::default();
    let names = || {
        let entries = fs::read_dir(directory.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let refusal = async |path: &Path| {
        let opened = SqliteReportSink::open_to_read(path, options).await;
        let error = opened.unwrap_err();
        assert_eq!(error.place(), Some(&*format!("{path:?}")));
        error.kind()
    };
    assert_eq!(refusal(&path).await, ReportSinkErrorKind::Missing);
    let no_directory = directory.path().join("none/reports.db");
    assert_eq!(refusal(&no_directory).await, ReportSinkErrorKind::Missing);
    assert!(names().is_empty());
    fs::write(&path, "").unwrap();
    assert_eq!(refusal(&path).await, ReportSinkErrorKind::Unreadable);
    assert_eq!(fs::read(&path).unwrap(), b"");
    fs::remove_file(&path).unwrap();
    let file = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let mut other = SqliteConnection::connect_with(&file).await.unwrap();
    other.execute("CREATE TABLE other (x)").await.unwrap();
    other.close().await.unwrap();
    assert_eq!(refusal(&path).await, ReportSinkErrorKind::Unreadable);
    fs::remove_file(&path).unwrap();

    let sink = open(&path).await;
    record(&sink, "alice", at(5), &example_1()).await;
    let (before, bytes) = (names(), fs::read(&path).unwrap());
    let reader = SqliteReportSink::open_to_read(&path, options).await;
    assert_asks_only(&reader.unwrap()).await;
    sink.close().await;
    // Also if it is not to be written at all, and others may read it.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let reader = SqliteReportSink::open_to_read(&path, options).await;
    assert_asks_only(&reader.unwrap()).await;
    assert_eq!((names(), fs::read(&path).unwrap()), (before, bytes));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let mut around = SqliteConnection::connect_with(&file).await.unwrap();
    let later = "INSERT INTO deep_report_migrations (version, description, success, checksum, \
        execution_time) VALUES (3, 'later', 1, x'00', 0)";
    around.execute(later).await.unwrap();
    assert_eq!(refusal(&path).await, ReportSinkErrorKind::Version);
}

#[tokio::test]
async fn asks_postgresql_as_a_user_who_may_only_select() {
    let server = PostgresServer::shared();
    let database = server.database("asked").await;
    let options = ReportSinkOptions::default();
    let refusal = async |database: &PgConnectOptions| {
        let opened = PostgresReportSink::connect_to_read(database.clone(), options).await;
        let error = opened.unwrap_err();
        let place = error.place().unwrap();
        assert!(place.ends_with("/asked"), "{place}");
        error.kind()
    };
    // Not there, and not made.
    assert_eq!(refusal(&database).await, ReportSinkErrorKind::Missing);
    assert_eq!(refusal(&database).await, ReportSinkErrorKind::Missing);
    let sink = connect(database.clone()).await;
    record(&sink, "alice", at(5), &example_1()).await;
    let nothing = role(&database, "may_nothing", "").await;
    assert_eq!(refusal(&nothing).await, ReportSinkErrorKind::Unavailable);
    let select = "GRANT SELECT ON deep_clients, deep_client_tags, deep_report_migrations \
        TO may_select; ALTER ROLE may_select SET statement_timeout = 0";
    let select = role(&database, "may_select", select).await;
    let reader = PostgresReportSink::connect_to_read(select, options).await;
    assert_asks_only(&reader.unwrap()).await;
    // One who may do all does not do it by mistake.
    let reader = PostgresReportSink::connect_to_read(database.clone(), options).await;
    assert_asks_only(&reader.unwrap()).await;
    let mut around = PgConnection::connect_with(&database).await.unwrap();
    let later = "INSERT INTO deep_report_migrations (version, description, success, checksum, \
        execution_time) VALUES (3, 'later', true, '', 0)";
    around.execute(later).await.unwrap();
    assert_eq!(refusal(&database).await, ReportSinkErrorKind::Version);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn servers_that_open_a_new_database_at_once_all_can_use_it() {
    let server = PostgresServer::shared();
    for round in 0..5 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("reports.db");
        let database = server.database(&format!("new{round}")).await;
        let opened = (0..8).map(|number| {
            let (path, database) = (path.clone(), database.clone());
            tokio::spawn(async move {
                let options = ReportSinkOptions {
                    max_connections: 1,
                    ..Default::default()
                };
                let sqlite = SqliteReportSink::open(path, options).await.unwrap();
                let postgres = PostgresReportSink::connect(database, options)
                    .await
                    .unwrap();
                let account = format!("account {number}");
                record(&sqlite, &account, at(0), &example_1()).await;
                record(&postgres, &account, at(0), &example_1()).await;
                (sqlite, postgres)
            })
        });
        let mut sinks = Vec::new();
        for opened in opened.collect::<Vec<_>>() {
            sinks.push(opened.await.unwrap());
        }
        for (sqlite, postgres) in sinks {
            let of = Clients::since(at(0));
            assert_eq!(sqlite.clients_by_software(of).await.unwrap().clients, 8);
            assert_eq!(postgres.clients_by_software(of).await.unwrap().clients, 8);
            sqlite.close().await;
            postgres.close().await;
        }
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

#[tokio::test]
async fn a_schema_that_is_newer_or_was_changed_is_refused() {
    let refused = Err([ReportSinkErrorKind::Version; 2]);
    let around = Around::new("versions").await;
    around
        .both(
            "INSERT INTO deep_report_migrations \
             (version, description, success, checksum, execution_time) \
             VALUES (3, 'newer', TRUE, '', 0)",
        )
        .await;
    assert_eq!(around.open_both().await.map(drop), refused);
    around
        .both("DELETE FROM deep_report_migrations WHERE version = 3")
        .await;
    assert_eq!(around.open_both().await.map(drop), Ok(()));
    around
        .both("UPDATE deep_report_migrations SET checksum = 'other'")
        .await;
    assert_eq!(around.open_both().await.map(drop), refused);
    // A refusal leaves no lock behind that others would wait for.
    assert_eq!(around.open_both().await.map(drop), refused);
}

/// The first version of the schema, as that version of the crate made it.
async fn make_first_version<C>(connection: &mut C, sql: &'static str, rows: &'static str)
where
    C: Connection,
    for<'c> &'c mut C: Executor<'c, Database = C::Database>,
    C: sqlx::migrate::Migrate,
    for<'c> &'c mut C: sqlx::Acquire<'c, Database = C::Database, Connection = &'c mut C>,
{
    let kind = sqlx::migrate::MigrationType::Simple;
    let sql = sqlx::SqlSafeStr::into_sql_str(sql);
    let first = sqlx::migrate::Migration::new(1, "reports".into(), kind, sql, false);
    let mut migrator = sqlx::migrate::Migrator::with_migrations(vec![first]);
    migrator.dangerous_set_table_name("deep_report_migrations");
    migrator.run(&mut *connection).await.unwrap();
    connection.execute(rows).await.unwrap();
}

#[tokio::test]
async fn brings_a_database_of_the_first_version_up_and_knows_who_fails_in_it() {
    const ROWS: &str = "\
        INSERT INTO deep_clients (account, host, name, version, protocol, first_seen, last_seen) VALUES \
        ('alice', 'imap.example.com', 'Mail', '1', 'imap', 1416787200, 1416787210), \
        ('bob', 'imap.example.com', 'Mail', '1', 'imap', 1416787200, 1416787210); \
        INSERT INTO deep_client_tags (client, tag, latched_at, failed_at, failures) SELECT id, 'tls-cert', \
        1416787210, CASE account WHEN 'alice' THEN 1416787210 ELSE 1416787205 END, 1 FROM deep_clients";
    let options = ReportSinkOptions::default();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("reports.db");
    fs::File::create_new(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let file = SqliteConnectOptions::new().filename(&path);
    let mut connection = SqliteConnection::connect_with(&file).await.unwrap();
    let sql = include_str!("../migrations/report_sink_sqlite/1_reports.sql");
    make_first_version(&mut connection, sql, ROWS).await;
    connection.close().await.unwrap();
    let server = PostgresServer::shared();
    let database = server.database("first_version").await;
    let mut connection = PgConnection::connect_with(&database).await.unwrap();
    let sql = include_str!("../migrations/report_sink_postgres/1_reports.sql");
    make_first_version(&mut connection, sql, ROWS).await;
    connection.close().await.unwrap();

    // Who only asks changes nothing.
    let version = ReportSinkErrorKind::Version;
    let read = SqliteReportSink::open_to_read(&path, options).await;
    assert_eq!(read.unwrap_err().kind(), version);
    let read = PostgresReportSink::connect_to_read(database.clone(), options).await;
    assert_eq!(read.unwrap_err().kind(), version);
    let sinks: [Box<dyn ReportSink>; 2] = [
        Box::new(open(&path).await),
        Box::new(connect(database).await),
    ];
    for sink in sinks {
        let asked = SecurityTag::TLS_CERT;
        let of = Clients::since(at(0));
        let breaks = sink.what_breaks_if_dropped(&asked, of).await.unwrap();
        assert_eq!((breaks.clients, breaks.failing), (2, 1));
        let latched = ClientReport {
            latch: tags("tls-cert"),
            ..software("Mail", "1")
        };
        record(&*sink, "alice", at(10), &latched).await;
        let breaks = sink.what_breaks_if_dropped(&asked, of).await.unwrap();
        assert_eq!((breaks.clients, breaks.failing), (2, 0));
    }
}

#[tokio::test]
async fn a_row_that_is_no_report_is_unreadable() {
    let around = Around::new("unreadable").await;
    let sinks = around.open_both().await.unwrap();
    for sink in &sinks {
        record(&**sink, "alice", at(0), &example_2()).await;
    }
    let broken = [
        ("tag = 'not a tag'", "tag = 'tls-cert'"),
        (
            "failed_at = -5, failures = -1",
            "failed_at = 1416787200, failures = 1",
        ),
    ];
    for (broken, sound) in broken {
        let update = |set| format!("UPDATE deep_client_tags SET {set}");
        let sqlite = format!("PRAGMA ignore_check_constraints = TRUE; {}", update(broken));
        let postgres = format!(
            "ALTER TABLE deep_client_tags DROP CONSTRAINT IF EXISTS deep_client_tags_failures_check, \
             DROP CONSTRAINT IF EXISTS deep_client_tags_failed_at_check; {}",
            update(broken)
        );
        for done in around.execute(&sqlite, &postgres).await {
            done.unwrap();
        }
        for sink in &sinks {
            let error = sink
                .clients_by_tag(Clients::since(at(0)))
                .await
                .unwrap_err();
            assert_eq!(error.kind(), ReportSinkErrorKind::Unreadable, "{broken}");
        }
        around.both(&update(sound)).await;
    }
}

#[tokio::test]
async fn the_schema_itself_refuses_what_is_no_report() {
    let around = Around::new("constraints").await;
    for sink in around.open_both().await.unwrap() {
        record(&*sink, "alice", at(0), &example_2()).await;
    }
    let long = |length: usize| format!("'{}'", "x".repeat(length));
    let clients = [
        ("account", "''".to_owned()),
        ("account", long(MAX_REPORT_ACCOUNT_BYTES + 1)),
        ("host", long(254)),
        ("host", "NULL".to_owned()),
        ("name", long(MAX_SOFTWARE_BYTES + 1)),
        ("version", format!("'{}'", "é".repeat(128))),
        ("protocol", "'http'".to_owned()),
        ("first_seen", "-1".to_owned()),
        ("last_seen", "first_seen - 1".to_owned()),
        ("reports", "-1".to_owned()),
        ("reports", "NULL".to_owned()),
    ];
    let tags = [
        ("tag", "''".to_owned()),
        ("tag", long(65)),
        ("tag", "'TLS10'".to_owned()),
        ("client", "0".to_owned()),
        ("latched_at", "-1".to_owned()),
        ("supported_at", "-1".to_owned()),
        ("failed_at", "-1".to_owned()),
        ("failed_in", "-1".to_owned()),
        ("failed_at", "NULL".to_owned()),
        ("failures", "0".to_owned()),
        ("failures", "-1".to_owned()),
        ("failures", "NULL".to_owned()),
    ];
    let clients = clients.iter().map(|change| ("deep_clients", change));
    let tags = tags.iter().map(|change| ("deep_client_tags", change));
    for (table, (column, value)) in clients.chain(tags) {
        let update = format!("UPDATE {table} SET {column} = {value}");
        for done in around.execute(&update, &update).await {
            let error = done.unwrap_err();
            let kind = error.as_database_error().unwrap().kind();
            let expected = [
                sqlx::error::ErrorKind::CheckViolation,
                sqlx::error::ErrorKind::ForeignKeyViolation,
                sqlx::error::ErrorKind::NotNullViolation,
            ];
            assert!(expected.contains(&kind), "{update}: {error}");
        }
    }
}

#[tokio::test]
async fn the_tables_have_for_an_operators_own_queries_when_a_client_was_seen_and_how_last() {
    let around = Around::new("own").await;
    let here = host("imap.example.com");
    let report = example_1();
    for sink in around.open_both().await.unwrap() {
        for (seconds, protocol) in [
            (20, MailProtocol::Imap),
            (30, MailProtocol::Smtp),
            (10, MailProtocol::Pop),
        ] {
            let report = ReceivedReport::try_new("alice", &here, protocol, at(seconds), &report);
            sink.record(&report.unwrap()).await.unwrap();
        }
    }
    const SEEN: &str =
        "SELECT account, host, name, version, protocol, first_seen, last_seen FROM deep_clients";
    type Row = (String, String, String, String, String, i64, i64);
    let file = SqliteConnectOptions::new().filename(around.directory.path().join("reports.db"));
    let mut sqlite = SqliteConnection::connect_with(&file).await.unwrap();
    let mut postgres = PgConnection::connect_with(&around.database).await.unwrap();
    let rows: [Vec<Row>; 2] = [
        sqlx::query_as(SEEN).fetch_all(&mut sqlite).await.unwrap(),
        sqlx::query_as(SEEN).fetch_all(&mut postgres).await.unwrap(),
    ];
    let text = str::to_owned;
    let expected = (
        text("alice"),
        text("imap.example.com"),
        text("Demo Mail"),
        text("1.5"),
        text("smtp"),
        1_416_787_210,
        1_416_787_230,
    );
    assert_eq!(rows, [vec![expected.clone()], vec![expected]]);
}

#[tokio::test]
async fn a_postgresql_server_elsewhere_must_be_verified() {
    let refusal = async |server: PgConnectOptions, options| {
        PostgresReportSink::connect(server, options)
            .await
            .unwrap_err()
            .kind()
    };
    let options = ReportSinkOptions::default();
    // Refused before it is looked for: there is no such host.
    let server = PgConnectOptions::new_without_pgpass().host("db.invalid");
    for mode in [
        PgSslMode::Disable,
        PgSslMode::Allow,
        PgSslMode::Prefer,
        PgSslMode::Require,
        PgSslMode::VerifyCa,
    ] {
        for host in [
            "db.invalid",
            "192.0.2.1",
            "2001:db8::1",
            "localhost.invalid",
        ] {
            let server = server.clone().host(host).ssl_mode(mode);
            assert_eq!(
                refusal(server, options).await,
                ReportSinkErrorKind::UnverifiedServer
            );
        }
    }
    let verified = server.clone().ssl_mode(PgSslMode::VerifyFull);
    assert_eq!(
        refusal(verified, options).await,
        ReportSinkErrorKind::Unavailable
    );
    let allowed = ReportSinkOptions {
        allow_unverified_server: true,
        ..options
    };
    assert_eq!(
        refusal(server, allowed).await,
        ReportSinkErrorKind::Unavailable
    );

    let server = PostgresServer::shared();
    server.database("verified").await;
    let database = server.verified("verified");
    connect(database.clone()).await.close().await;
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let by_another = database.ssl_root_cert_from_pem(other.cert.pem().into_bytes());
    assert_eq!(
        refusal(by_another, options).await,
        ReportSinkErrorKind::Unavailable
    );
}

#[tokio::test]
async fn a_sink_that_does_not_answer_says_so_and_is_used_again_when_it_does() {
    let here = host("imap.example.com");
    let report = example_1();
    let report =
        ReceivedReport::try_new("alice", &here, MailProtocol::Imap, at(0), &report).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let sqlite = open(&directory.path().join("reports.db")).await;
    sqlite.close().await;
    let error = sqlite.record(&report).await.unwrap_err();
    assert_eq!(error.kind(), ReportSinkErrorKind::Unavailable);
    assert!(error.source().is_some());
    let options = ReportSinkOptions::default();
    let nowhere = SqliteReportSink::open(directory.path().join("none/reports.db"), options).await;
    assert_eq!(nowhere.unwrap_err().kind(), ReportSinkErrorKind::Missing);
    let no_database = directory.path().join("text");
    for content in [String::new(), "this is not a database".repeat(100)] {
        fs::write(&no_database, &content).unwrap();
        fs::set_permissions(&no_database, fs::Permissions::from_mode(0o600)).unwrap();
        let error = SqliteReportSink::open(&no_database, options).await;
        assert_eq!(error.unwrap_err().kind(), ReportSinkErrorKind::Unreadable);
        assert_eq!(fs::read_to_string(&no_database).unwrap(), content);
    }

    let mut server = PostgresServer::start();
    let options = ReportSinkOptions {
        timeout: Duration::from_secs(1),
        ..options
    };
    let database = server.database("silent").await;
    let postgres = PostgresReportSink::connect(database, options)
        .await
        .unwrap();
    postgres.record(&report).await.unwrap();
    server.kill();
    let error = postgres.record(&report).await.unwrap_err();
    assert_eq!(error.kind(), ReportSinkErrorKind::Unavailable);
    server.restart();
    postgres.record(&report).await.unwrap();
    let counts = postgres
        .clients_by_software(Clients::since(at(0)))
        .await
        .unwrap();
    assert_eq!(counts.clients, 1);
}

/// What a writer records as its number `number`.
fn written(number: u64) -> ClientReport {
    ClientReport {
        latch_fail: tags("tls-cert tls10"),
        security_tags: tags("tls12"),
        ..software("Writer", &format!("{}", number % 100))
    }
}

/// A process that records reports until it is killed, and prints the number of each that it has recorded.
struct Writer {
    process: Child,
    output: BufReader<ChildStdout>,
    account: String,
    reports: u64,
}

impl Writer {
    /// This test binary, told to run the test [`a_writer_prints_each_report_it_has_recorded`].
    fn start(database: &str, account: String) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args([
                "--exact",
                "a_writer_prints_each_report_it_has_recorded",
                "--nocapture",
            ])
            .env(WRITE_TO, format!("{account} {database}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self {
            process,
            output,
            account,
            reports: 0,
        }
    }

    /// Waits for a report more. False: the writer has ended.
    fn report(&mut self) -> bool {
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).unwrap();
            // The last line may be cut off.
            let Some(whole) = line.strip_suffix('\n') else {
                return false;
            };
            if let Some(number) = whole.strip_prefix("report ") {
                assert_eq!(number.parse(), Ok(self.reports));
                self.reports += 1;
                return true;
            }
        }
    }

    /// `kill -9`. Its account, and how many reports it has printed until then.
    fn kill(mut self) -> (String, u64) {
        self.process.kill().unwrap();
        while self.report() {}
        self.process.wait().unwrap();
        (self.account, self.reports)
    }
}

/// What the process does.
async fn write(arguments: &str) -> Result<(), Box<dyn Error>> {
    let (account, database) = arguments.split_once(' ').ok_or("no account")?;
    let options = ReportSinkOptions::default();
    let sink: Box<dyn ReportSink> = match database.split_once(':') {
        Some(("sqlite", path)) => Box::new(SqliteReportSink::open(path, options).await?),
        _ => Box::new(PostgresReportSink::connect(database.parse()?, options).await?),
    };
    let host = Host::try_new("imap.example.com")?;
    for number in 0.. {
        let report = written(number);
        let received =
            ReceivedReport::try_new(account, &host, MailProtocol::Imap, at(number), &report)?;
        sink.record(&received).await?;
        let line = format!("\nreport {number}\n");
        std::io::stdout().lock().write_all(line.as_bytes())?;
    }
    Ok(())
}

#[tokio::test]
async fn a_writer_prints_each_report_it_has_recorded() {
    if let Ok(arguments) = env::var(WRITE_TO) {
        let ended = write(&arguments).await;
        eprintln!("the writer ended: {:?}", ended.unwrap_err());
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("reports.db");
    let mut writer = Writer::start(&format!("sqlite:{}", path.display()), "w".to_owned());
    for _ in 0..20 {
        assert!(writer.report());
    }
    let (_, reports) = writer.kill();
    assert!(reports >= 20);
    assert_recorded(&open(&path).await, reports, reports + 1).await;
}

/// Each report is there with all of its tags, none twice, and none that was begun is there in part.
async fn assert_recorded(sink: &dyn ReportSink, least: u64, most: u64) {
    let counts = sink.clients_by_tag(Clients::since(at(0))).await.unwrap();
    let [tls_cert, tls10, tls12] = counts.try_into().unwrap();
    assert_eq!(
        (tls_cert.failures, tls_cert.latched),
        (tls10.failures, tls10.latched)
    );
    assert_eq!((tls12.not_latched, tls12.failures), (tls_cert.latched, 0));
    let failures = tls_cert.failures;
    assert!(
        (least..=most).contains(&failures),
        "{failures} of {least} to {most}"
    );
}

/// Kills two writers, one after the other, at a moment that depends on the round. Some are killed
/// before they have opened the database.
fn kill_two(database: &str, round: u64) -> u64 {
    let start = |number| Writer::start(database, format!("writer-{round}-{number}"));
    let mut writers = [start(0), start(1)];
    if !round.is_multiple_of(4) {
        for writer in &mut writers {
            assert!(writer.report());
        }
    }
    let killed = writers.map(|writer| {
        std::thread::sleep(Duration::from_micros(round * 7919 % 19_000));
        writer.kill().1
    });
    killed.iter().sum()
}

#[tokio::test]
async fn nothing_is_lost_when_writers_to_sqlite_are_killed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("reports.db");
    let database = format!("sqlite:{}", path.display());
    let (mut printed, mut killed) = (0, 0);
    for round in 0..60 {
        printed += kill_two(&database, round);
        killed += 2;
        // A writer that was killed had recorded at most one report more than it printed.
        if printed > 0 {
            let sink = open(&path).await;
            assert_recorded(&sink, printed, printed + killed).await;
            sink.close().await;
        }
    }
    assert!(printed >= 90, "{printed}");
    let file = SqliteConnectOptions::new().filename(&path);
    let mut connection = SqliteConnection::connect_with(&file).await.unwrap();
    let check = sqlx::query_scalar("PRAGMA integrity_check");
    let sound: String = check.fetch_one(&mut connection).await.unwrap();
    assert_eq!(sound, "ok");
}

#[tokio::test]
async fn nothing_is_lost_when_writers_to_postgresql_or_the_server_are_killed() {
    let mut server = PostgresServer::start();
    let sink = connect(server.database("killed").await).await;
    let url = server.url("killed");
    let (mut printed, mut killed) = (0, 0);
    for round in 0..60 {
        printed += kill_two(&url, round);
        killed += 2;
        if printed > 0 {
            assert_recorded(&sink, printed, printed + killed).await;
        }
    }
    assert!(printed >= 90, "{printed}");
    for round in 0..4 {
        let start = |number| Writer::start(&url, format!("server-{round}-{number}"));
        let mut writers = [start(0), start(1)];
        for writer in &mut writers {
            assert!(writer.report());
        }
        std::thread::sleep(Duration::from_millis(20 + round * 7));
        server.kill();
        printed += writers.map(|writer| writer.kill().1).iter().sum::<u64>();
        killed += 2;
        server.restart();
        assert_recorded(&sink, printed, printed + killed).await;
    }
}

/// A report, or a question, in small numbers.
#[derive(Clone, Debug)]
enum Step {
    Record {
        account: u8,
        host: u8,
        version: u8,
        at: u64,
        latch: u8,
        latch_fail: u8,
        security_tags: u8,
    },
    Purge(u64),
    Forget(u8),
    Ask {
        since: u64,
        host: Option<u8>,
    },
}

const TAGS: [&str; 4] = ["tls10", "tls12", "tls-cert", "X-own"];

fn step() -> impl Strategy<Value = Step> {
    let set = || 0..16_u8;
    prop_oneof![
        8 => (0..3_u8, 0..2_u8, 0..3_u8, 0..12_u64, set(), set(), set()).prop_map(
            |(account, host, version, at, latch, latch_fail, security_tags)| Step::Record {
                account, host, version, at, latch, latch_fail, security_tags,
            }
        ),
        1 => (0..12_u64).prop_map(Step::Purge),
        1 => (0..3_u8).prop_map(Step::Forget),
        3 => (0..12_u64, prop::option::of(0..2_u8)).prop_map(|(since, host)| Step::Ask { since, host }),
    ]
}

async fn answer(sink: &dyn ReportSink, step: &Step) -> String {
    let hosts = [host("imap.example.com"), host("smtp.example.com")];
    let set = |bits: u8| {
        let chosen = (0..).zip(TAGS).filter(|(bit, _)| bits & (1 << bit) != 0);
        chosen.map(|(_, name)| tag(name)).collect::<Vec<_>>()
    };
    match *step {
        Step::Record {
            account,
            host,
            version,
            at: seconds,
            latch,
            latch_fail,
            security_tags,
        } => {
            let report = ClientReport {
                name: (version > 0).then(|| "Mail".to_owned()),
                version: (version > 1).then(|| version.to_string()),
                latch: set(latch),
                latch_fail: set(latch_fail),
                security_tags: set(security_tags),
                tls: None,
            };
            let account = account.to_string();
            let host = &hosts[usize::from(host)];
            let received =
                ReceivedReport::try_new(&account, host, MailProtocol::Smtp, at(seconds), &report);
            format!("{:?}", sink.record(&received.unwrap()).await)
        }
        Step::Purge(before) => format!("{:?}", sink.purge(at(before)).await),
        Step::Forget(account) => format!("{:?}", sink.forget(&account.to_string()).await),
        Step::Ask { since, host } => {
            let host = host.map(|host| &hosts[usize::from(host)]);
            let of = Clients {
                since: at(since),
                host,
            };
            let mut text = format!(
                "{:?} {:?} {:?}",
                sink.clients_by_tag(of).await,
                sink.clients_by_software(of).await,
                sink.names().await
            );
            for asked in TAGS {
                let asked = tag(asked);
                text += &format!("{:?}", sink.what_breaks_if_dropped(&asked, of).await);
            }
            text
        }
    }
}

#[test]
fn all_sinks_answer_alike() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let around = runtime.block_on(Around::new("model"));
    let [sqlite, postgres] = runtime.block_on(around.open_both()).unwrap();
    let config = ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let steps = prop::collection::vec(step(), 1..40);
    let result = TestRunner::new(config).run(&steps, |steps| {
        runtime.block_on(async {
            around.both("DELETE FROM deep_clients").await;
            let memory = MemoryReportSink::new();
            for step in &steps {
                let expected = answer(&memory, step).await;
                prop_assert!(!expected.contains("Err"), "{}", expected);
                for (name, sink) in [("SQLite", &sqlite), ("PostgreSQL", &postgres)] {
                    prop_assert_eq!(
                        &answer(&**sink, step).await,
                        &expected,
                        "{} {:?}",
                        name,
                        step
                    );
                }
            }
            Ok(())
        })
    });
    result.unwrap();
}
