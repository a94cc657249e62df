//! Writers that are killed.

use test_support::killed_writer::{self, Writer};

use super::*;

#[tokio::test]
async fn prints_each_recorded_report() {
    if let Some(arguments) = killed_writer::argument() {
        let ended = write(&arguments).await;
        eprintln!("the writer ended: {:?}", ended.unwrap_err());
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("reports.db");
    let mut writer = start(&format!("sqlite:{}", path.display()), "w");
    for _ in 0..20 {
        assert!(writer.confirmed());
    }
    let reports = reports(&writer.kill());
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
    let writers = [0, 1].map(|number| start(database, &format!("writer-{round}-{number}")));
    let killed = Writer::kill_all(writers, round, Duration::from_millis(19));
    killed.iter().map(|printed| reports(printed)).sum()
}

#[tokio::test]
async fn keeps_reports_when_writers_to_sqlite_are_killed() {
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
async fn keeps_reports_when_writers_to_postgresql_or_the_server_are_killed() {
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
        let mut writers = [0, 1].map(|number| start(&url, &format!("server-{round}-{number}")));
        for writer in &mut writers {
            assert!(writer.confirmed());
        }
        std::thread::sleep(Duration::from_millis(20 + round * 7));
        server.kill();
        printed += writers
            .map(|writer| reports(&writer.kill()))
            .iter()
            .sum::<u64>();
        killed += 2;
        server.restart();
        assert_recorded(&sink, printed, printed + killed).await;
    }
}

/// Returns the report that a writer records as number `number`.
fn written(number: u64) -> ClientReport {
    ClientReport {
        latch_fail: tags("tls-cert tls10"),
        security_tags: tags("tls12"),
        ..software("Writer", &format!("{}", number % 100))
    }
}

/// Starts a writer to a database: `sqlite:PATH`, or a URL of PostgreSQL. It prints the number of each recorded report.
fn start(database: &str, account: &str) -> Writer {
    Writer::start(
        "killed::prints_each_recorded_report",
        &format!("{account} {database}"),
    )
}

/// Returns the number of reports that a killed writer printed, in their order.
fn reports(printed: &[String]) -> u64 {
    let mut reports = 0;
    for number in printed {
        assert_eq!(number.parse(), Ok(reports));
        reports += 1;
    }
    reports
}

/// Runs a writer.
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
        killed_writer::confirm(&number.to_string());
    }
    Ok(())
}
