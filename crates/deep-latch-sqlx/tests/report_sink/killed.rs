//! Writers that are killed.

use super::*;

/// The variable that makes this process a writer, with its database: `sqlite:PATH`, or a URL of PostgreSQL.
const WRITE_TO: &str = "DEEP_WRITE_TO";

/// Returns the report that a writer records as number `number`.
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
    /// This test binary, which runs the test [`prints_each_recorded_report`].
    fn start(database: &str, account: String) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args([
                "--exact",
                "killed::prints_each_recorded_report",
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
        let line = format!("\nreport {number}\n");
        std::io::stdout().lock().write_all(line.as_bytes())?;
    }
    Ok(())
}

#[tokio::test]
async fn prints_each_recorded_report() {
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
