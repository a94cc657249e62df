//! Several gateways that keep clients' reports in one database of PostgreSQL.

use std::{fs, sync::Arc, thread, time::SystemTime};

use deep_latch::reports::{Clients, ReportSink};
use deep_latch_sqlx::{PostgresReportSink, ReportSinkOptions};
use test_databases::postgres::PostgresServer;

use crate::{
    kills::{REPORTS, kept, report},
    world::{Backend, Client, Files, Gateway, check, soon, text},
};

/// A password that the servers of the tests do not ask for.
const PASSWORD: &str = "not-to-be-shown";

const GATEWAYS: usize = 3;

/// The number of times that all gateways are killed. An account has at most 256 clients.
const KILLS: usize = 4;

const MORE: &str = "[metrics]\nlisten = \"127.0.0.1:0\"\n[log]\nlevel = \"debug\"\n\
                    [reports]\npostgres-url-file = \"url\"\n";

fn on_runtime<T>(run: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(run)
}

/// Writes the URL of a database, with the password.
fn write_url(files: &Files, server: &PostgresServer, database: &str) {
    let url = server.url(database);
    let (begin, end) = url.split_once('@').unwrap();
    fs::write(files.path("url"), format!("{begin}:{PASSWORD}@{end}\n")).unwrap();
}

/// Returns the names of the programs in a database, in order.
fn names(server: &PostgresServer, database: &str) -> Vec<String> {
    on_runtime(async {
        let server = server.url(database).parse().unwrap();
        let sink = PostgresReportSink::connect_to_read(server, ReportSinkOptions::default());
        let sink = sink.await.unwrap();
        let of = Clients::since(SystemTime::UNIX_EPOCH);
        let counts = sink.clients_by_software(of).await.unwrap();
        sink.close().await;
        let names = counts.programs.into_iter().map(|it| it.name.unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    })
}

/// Reports of which a gateway said that it keeps them are there after all gateways were killed; each is there as a
/// whole, in the order in which they came. The gateways make the tables of an empty database at the same time.
#[test]
fn keeps_reports_of_several_gateways_through_kills() {
    let server = PostgresServer::shared();
    on_runtime(server.database("fleet"));
    let files = Files::new();
    let backend = Backend::start();
    write_url(&files, &server, "fleet");
    let config = files.configure("127.0.0.1:0", backend.address, MORE);
    let mut all = Vec::new();
    for kill in 0..KILLS {
        let mut gateways: Vec<_> = (0..GATEWAYS).map(|_| Gateway::start(&config)).collect();
        let addresses: Vec<_> = gateways
            .iter_mut()
            .map(|gateway| (gateway.listening("imaps"), gateway.listening("metrics")))
            .collect();
        let programs: Vec<_> = (0..GATEWAYS)
            .map(|gateway| format!("k{kill}g{gateway}"))
            .collect();
        let said: Vec<usize> = thread::scope(|scope| {
            for ((address, _), program) in addresses.iter().zip(&programs) {
                scope.spawn(|| report(&files, *address, program));
            }
            let kept = |metrics| soon("reports", || Some(kept(metrics)).filter(|it| *it > kill));
            let said = addresses.iter().map(|(_, metrics)| kept(*metrics));
            let said = said.collect();
            for gateway in &mut gateways {
                gateway.child.kill().unwrap();
            }
            said
        });
        for gateway in gateways.drain(..) {
            assert!(!gateway.log().contains(PASSWORD));
        }
        // A transaction that was sent before the kill may be committed after it.
        let now = names(&server, "fleet");
        for (program, said) in programs.iter().zip(said) {
            let of_gateway: Vec<_> = now.iter().filter(|it| it.starts_with(program)).collect();
            let expected: Vec<_> = (0..of_gateway.len())
                .map(|number| format!("{program}-{number:02}"))
                .collect();
            assert_eq!(of_gateway, expected.iter().collect::<Vec<_>>());
            assert!(of_gateway.len() >= said && of_gateway.len() <= REPORTS);
        }
        assert!(all.iter().all(|name| now.contains(name)));
        all = now;
    }
}

/// Mail does not wait for the database, and reports do.
#[test]
fn keeps_reports_once_the_database_is_available() {
    let mut server = PostgresServer::start();
    on_runtime(server.database("later"));
    let files = Files::new();
    let backend = Backend::start();
    write_url(&files, &server, "later");
    server.kill();
    let config = files.configure("127.0.0.1:0", backend.address, MORE);
    let mut gateway = Gateway::start(&config);
    let (address, metrics) = (gateway.listening("imaps"), gateway.listening("metrics"));
    gateway.logged("the database of reports is not available");
    let mut client = Client::connect(&files, address);
    client.line();
    client.send("a ID (\"name\" \"Early\" \"version\" \"1\" \"latch\" \"tls12\")\r\n");
    while !client.line().starts_with("a OK") {}
    assert_eq!(client.ask("b LOGIN alice right\r\n"), "b OK in\r\n");
    assert_eq!(kept(metrics), 0);
    server.restart();
    soon("the report", || (kept(metrics) == 1).then_some(()));
    assert_eq!(names(&server, "later"), ["Early"]);
    drop(client);
    gateway.signal("TERM");
    assert_eq!(gateway.ended(), Some(0));
    assert!(!gateway.log().contains(PASSWORD), "{}", gateway.log());
}

/// A gateway that stops does not wait for a database that does not answer, and says how many reports it had.
#[test]
fn stops_without_its_database() {
    let files = Files::new();
    let backend = Backend::start();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let url = format!("postgres://tests:{PASSWORD}@127.0.0.1:{port}/none?sslmode=disable");
    fs::write(files.path("url"), url).unwrap();
    let config = files.configure("127.0.0.1:0", backend.address, MORE);
    let mut gateway = Gateway::start(&config);
    let mut client = Client::connect(&files, gateway.listening("imaps"));
    client.line();
    client.send("a ID (\"name\" \"Early\" \"version\" \"1\" \"latch\" \"tls12\")\r\n");
    while !client.line().starts_with("a OK") {}
    drop(client);
    gateway.signal("TERM");
    assert_eq!(gateway.ended(), Some(0));
    let line = gateway.logged("report not kept");
    assert!(
        line.contains("the report database did not answer"),
        "{line}"
    );
    assert!(!gateway.log().contains(PASSWORD), "{}", gateway.log());
    let output = check(&config);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(
        shown.contains("\nreports: failed: the report database did not answer"),
        "{shown}"
    );
    assert!(!format!("{shown}{}", text(&output.stderr)).contains(PASSWORD));
}

/// A mistake that time does not mend is one of the configuration.
#[test]
fn refuses_a_server_that_would_not_be_verified() {
    let files = Files::new();
    let backend = Backend::start();
    let url = format!("postgres://tests:{PASSWORD}@192.0.2.1/fleet");
    fs::write(files.path("url"), url).unwrap();
    let config = files.configure("127.0.0.1:0", backend.address, MORE);
    let output = crate::world::command(&config).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    let expected = "mail-tls: reports: the report database is on another host whose identity would not be verified";
    assert!(message.contains(expected), "{message}");
    assert!(!message.contains(PASSWORD), "{message}");
}

/// `--check` connects to the database, and makes no table.
#[test]
fn checks_the_database_without_a_change() {
    let server: Arc<PostgresServer> = PostgresServer::shared();
    on_runtime(server.database("checked"));
    let files = Files::new();
    let backend = Backend::start();
    write_url(&files, &server, "checked");
    let output = check(&files.configure("127.0.0.1:0", backend.address, MORE));
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(
        shown.ends_with("\nreports: the database can be used\n"),
        "{shown}"
    );
    let made = on_runtime(async {
        let database = server.url("checked").parse().unwrap();
        let sink = PostgresReportSink::connect_to_read(database, ReportSinkOptions::default());
        sink.await.map(drop).map_err(|error| error.kind())
    });
    assert_eq!(made, Err(deep_latch::reports::ReportSinkErrorKind::Missing));
}
