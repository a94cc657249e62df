//! A gateway that is killed while it writes reports of clients.

use std::{
    io::{BufRead, Write},
    net::SocketAddr,
    thread,
    time::SystemTime,
};

use deep_latch::reports::{Clients, ReportSink};
use deep_latch_sqlx::{ReportSinkOptions, SqliteReportSink};

use crate::world::{Backend, Client, Files, Gateway, HOST, get, soon};

/// The number of kills, unless `MAIL_TLS_KILLS` has another one.
const KILLS: usize = 50;

/// The number of kills of each database: its account has at most 256 clients.
const KILLS_OF_DATABASE: usize = 10;

/// The number of reports that the clients of one gateway try to send.
pub(crate) const REPORTS: usize = 20;

/// Reports of which the gateway said that it keeps them are there after the kill; each is there as a whole, in the
/// order in which they came, and the next gateway adds to them.
#[test]
fn keeps_reports_through_kills() {
    let kills = std::env::var("MAIL_TLS_KILLS").map_or(KILLS, |it| it.parse().unwrap());
    let backend = Backend::start();
    let (mut files, mut before) = (Files::new(), 0);
    let mut beyond = 0;
    for kill in 0..kills {
        if kill % KILLS_OF_DATABASE == 0 {
            (files, before) = (Files::new(), 0);
        }
        let more = "[metrics]\nlisten = \"127.0.0.1:0\"\n[reports]\nsqlite = \"reports.db\"\n";
        let config = files.configure("127.0.0.1:0", backend.address, more);
        let mut gateway = Gateway::start(&config);
        let address = gateway.listening("imaps");
        let metrics = gateway.listening("metrics");
        let said = thread::scope(|scope| {
            scope.spawn(|| report(&files, address, &format!("k{kill:03}")));
            let wanted = kill % 7;
            let said = soon("reports", || Some(kept(metrics)).filter(|it| *it >= wanted));
            gateway.child.kill().unwrap();
            said
        });
        drop(gateway);
        let mut names = names(&files);
        names.sort();
        let of_kill = names.split_off(before);
        let expected: Vec<_> = (0..of_kill.len())
            .map(|number| format!("k{kill:03}-{number:02}"))
            .collect();
        assert_eq!(of_kill, expected);
        assert!(of_kill.len() >= said, "{} of {said}", of_kill.len());
        beyond += usize::from(of_kill.len() < REPORTS);
        before += of_kill.len();
    }
    // Most kills came while reports were written.
    assert!(beyond * 2 >= kills, "{beyond} of {kills}");
}

/// The number of reports that the gateway keeps of one session.
const REPORTS_OF_SESSION: usize = 3;

/// Sends reports, each of another program, until the gateway is gone. The programs' names are numbered.
pub(crate) fn report(files: &Files, address: SocketAddr, program: &str) -> Option<()> {
    let connect = || {
        let mut client = Client::with_name(files, address, HOST).ok()?;
        client.0.read_line(&mut String::new()).ok()?;
        Some(client)
    };
    let mut client = connect()?;
    for number in 0..REPORTS {
        if number > 0 && number % REPORTS_OF_SESSION == 0 {
            client = connect()?;
        }
        let command = format!(
            "a ID (\"name\" \"{program}-{number:02}\" \"version\" \"1\" \"latch\" \"tls12\")\r\n"
        );
        client.0.get_mut().write_all(command.as_bytes()).ok()?;
        client.0.get_mut().flush().ok()?;
        let mut line = String::new();
        while !line.starts_with("a OK") {
            line.clear();
            if client.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
        }
    }
    Some(())
}

/// Returns the number of reports that the gateway says are kept.
pub(crate) fn kept(metrics: SocketAddr) -> usize {
    let text = get(metrics, "/metrics");
    let name = "mail_tls_gateway_reports_total{result=\"kept\"} ";
    let count = text.lines().find_map(|line| line.strip_prefix(name));
    count.map_or(0, |count| count.parse().unwrap())
}

/// Returns the names of the programs in a database.
fn names(files: &Files) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let options = ReportSinkOptions::default();
        let sink = SqliteReportSink::open(files.path("reports.db"), options);
        let sink = sink.await.unwrap();
        let of = Clients::since(SystemTime::UNIX_EPOCH);
        let counts = sink.clients_by_software(of).await.unwrap();
        sink.close().await;
        let names = counts.programs.into_iter().map(|it| it.name.unwrap());
        names.collect()
    })
}
