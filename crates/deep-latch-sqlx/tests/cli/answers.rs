//! The command's answers: the same from SQLite and from PostgreSQL.

use std::{fs, os::unix::fs::PermissionsExt};

use deep_latch_sqlx::{PostgresReportSink, ReportSinkOptions};
use sqlx::{Connection, Executor, PgConnection};
use test_databases::postgres::PostgresServer;

use super::{day, deep_latch, expect, expect_failure, fill, filled};

#[tokio::test]
async fn answers_from_a_database_of_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("reports.db");
    let database = filled(&path).await;
    asserts_answers(&database);
    // Also if it is nobody's to write; nothing is made beside it.
    let before = fs::read(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    asserts_answers(&database);
    asserts_answers(&format!("sqlite://{}", path.display()));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn answers_a_role_of_postgresql_that_may_only_select() {
    let server = PostgresServer::shared();
    let owner = server.database("command").await;
    let sink = PostgresReportSink::connect(owner.clone(), ReportSinkOptions::default()).await;
    let sink = sink.unwrap();
    fill(&sink).await;
    let mut connection = PgConnection::connect_with(&owner).await.unwrap();
    let grants = "CREATE ROLE may_ask LOGIN; \
        GRANT SELECT ON deep_clients, deep_client_tags, deep_report_migrations TO may_ask";
    connection.execute(sqlx::raw_sql(grants)).await.unwrap();
    connection.close().await.unwrap();
    let url = server.url("command");
    let (scheme, rest) = url.split_once("://").unwrap();
    let server = rest.split_once('@').map_or(rest, |(_, server)| server);
    let asked = format!("{scheme}://may_ask@{server}");
    asserts_answers(&asked);
    let ran = deep_latch(&asked, &["forget", "alice"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    asserts_answers(&asked);
    sink.close().await;
}

/// Checks the tables of the reports that `fill` makes.
fn asserts_answers(database: &str) {
    let (one, two, four, five) = (day(1), day(2), day(4), day(5));
    expect(
        database,
        &["report", "tls-cert"],
        &format!(
            "\
Reports of the last 90 days.

4 of 5 clients have tls-cert latched and would refuse to connect.
1 of them could not achieve it by its last report.

| program   | clients | failing | last seen  | last failure |
|-----------|---------|---------|------------|--------------|
| Demo Mail |  3 of 4 |       1 | {one} | {two}   |
|   1.5     |  3 of 3 |       1 | {one} | {two}   |
| Phone     |  1 of 1 |       0 | {four} |              |
|   7       |  1 of 1 |       0 | {four} |              |
"
        ),
    );
    expect(
        database,
        &[
            "report",
            "TLS10",
            "--host",
            "IMAP.example.com",
            "--days",
            "4",
        ],
        &format!(
            "\
Reports of the last 4 days to imap.example.com.

2 of 3 clients have tls10 latched and would refuse to connect.

| program   | clients | failing | last seen  | last failure |
|-----------|---------|---------|------------|--------------|
| Demo Mail |  2 of 3 |       0 | {one} |              |
|   1.5     |  2 of 3 |       0 | {one} |              |
"
        ),
    );
    expect(
        database,
        &["report", "tls-dane-tlsa"],
        "\
Reports of the last 90 days.

0 of 5 clients have tls-dane-tlsa latched and would refuse to connect.
",
    );
    expect(
        database,
        &["report"],
        &format!(
            "\
Reports of the last 90 days.

5 clients:

| program   | clients | last seen  |
|-----------|---------|------------|
| Demo Mail |       4 | {one} |
|   1.5     |       3 | {one} |
|   1.3     |       1 | {five} |
| Phone     |       1 | {four} |
|   7       |       1 | {four} |

| tag      | latched | not latched | failing | failures | last failure |
|----------|---------|-------------|---------|----------|--------------|
| tls-cert |  4 of 5 |           0 |       1 |        2 | {two}   |
| tls10    |  4 of 5 |           0 |       0 |        0 |              |
| x-own    |  1 of 5 |           0 |       0 |        0 |              |
"
        ),
    );
    expect(
        database,
        &["report", "tls-cert", "--programs", "1", "--versions", "0"],
        &format!(
            "\
Reports of the last 90 days.

4 of 5 clients have tls-cert latched and would refuse to connect.
1 of them could not achieve it by its last report.

| program    | clients | failing | last seen  | last failure |
|------------|---------|---------|------------|--------------|
| Demo Mail  |  3 of 4 |       1 | {one} | {two}   |
|   (1 more) |         |         |            |              |
1 program of fewer clients is not shown.
"
        ),
    );
    // What is not there is said, and is no answer.
    for (arguments, err) in [
        (
            &["report", "tls-crt"][..],
            "the tag tls-crt is not registered, and no client reported it; did you mean tls-cert?",
        ),
        (
            &["report", "x-oqn"],
            "the tag x-oqn is not registered, and no client reported it; did you mean x-own?",
        ),
        (
            &["report", "starttls-required"],
            "the tag starttls-required is not registered, and no client reported it; there are tls10, tls12, tls-cert, tls-dane-tlsa, x-own",
        ),
        (
            &["report", "tls-cert", "--host", "imap.exmaple.com"],
            "no client reported to imap.exmaple.com; did you mean imap.example.com, smtp.example.com?",
        ),
        (
            &["report", "--host", "pop.other.test"],
            "no client reported to pop.other.test; there are imap.example.com, smtp.example.com",
        ),
    ] {
        expect_failure(database, arguments, 1, &format!("deep-latch: {err}\n"));
    }
    let ran = deep_latch(database, &["report", "--days", "0", "tls-cert"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    let begins = "deep-latch: no client reported in the last 0 days; the last report is of ";
    assert!(ran.err.starts_with(begins), "{}", ran.err);
    expect_failure(
        database,
        &["report", "tls cert"],
        2,
        "deep-latch: the tag: security-tag: unexpected text after the end at byte 3\n",
    );
}
