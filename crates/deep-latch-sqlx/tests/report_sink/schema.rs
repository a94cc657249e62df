//! The schema of a database, and its versions.

use super::*;

#[tokio::test]
async fn rejects_newer_and_changed_schemas() {
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
    let sql = include_str!("../../migrations/report_sink_sqlite/1_reports.sql");
    make_first_version(&mut connection, sql, ROWS).await;
    connection.close().await.unwrap();
    let server = PostgresServer::shared();
    let database = server.database("first_version").await;
    let mut connection = PgConnection::connect_with(&database).await.unwrap();
    let sql = include_str!("../../migrations/report_sink_postgres/1_reports.sql");
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
async fn rejects_rows_that_are_not_reports() {
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
        around.execute(&sqlite, &postgres).await;
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
async fn rejects_by_the_schema_rows_that_are_not_reports() {
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
        for done in around.try_execute(&update, &update).await {
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
async fn keeps_times_and_protocols_for_queries_of_an_operator() {
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
    let mut sqlite = around.connect_sqlite().await;
    let mut postgres = around.connect_postgres().await;
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
