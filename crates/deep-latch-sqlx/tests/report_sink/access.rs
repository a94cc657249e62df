//! Files, roles, servers and time limits.

use test_support::pki::Certificate;

use super::*;

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

/// Checks that a sink answers about example 1, and changes nothing.
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
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    // Nor does the sink put its tables there.
    let bytes = fs::read(&path).unwrap();
    let error = SqliteReportSink::open(&path, options).await.unwrap_err();
    assert_eq!(error.kind(), ReportSinkErrorKind::Unreadable);
    let cause = Error::source(&error).unwrap().to_string();
    assert!(
        cause.starts_with("the database is another program's"),
        "{cause}"
    );
    assert_eq!(fs::read(&path).unwrap(), bytes);
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

#[tokio::test]
async fn requires_verification_of_a_remote_postgresql_server() {
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
    let other = Certificate::server(&["127.0.0.1"]).self_signed();
    let by_another = database.ssl_root_cert_from_pem(other.pem().as_bytes().to_vec());
    assert_eq!(
        refusal(by_another, options).await,
        ReportSinkErrorKind::Unavailable
    );
}

#[tokio::test]
async fn returns_unavailable_until_the_database_answers_again() {
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
