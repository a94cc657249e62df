//! Reports of clients, and a database that cannot keep them.

use std::{fs, fs::Permissions, os::unix::fs::PermissionsExt};

use crate::world::{Backend, Client, Files, Gateway, check, get, soon, text};

const MORE: &str = "[reports]\nsqlite = \"reports.db\"\n[metrics]\nlisten = \"127.0.0.1:0\"\n";

/// Mail does not wait for a database that is damaged, or whose disk is full.
#[test]
fn serves_while_the_database_cannot_be_used() {
    let files = Files::new();
    let backend = Backend::start();
    let database = files.path("reports.db");
    fs::write(&database, "this is no database".repeat(100)).unwrap();
    fs::set_permissions(&database, Permissions::from_mode(0o600)).unwrap();
    let config = files.configure("127.0.0.1:0", backend.address, MORE);
    let output = check(&config);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    assert!(shown.contains("reports: failed: "), "{shown}");
    let mut gateway = Gateway::start(&config);
    let address = gateway.listening("imaps");
    let metrics = gateway.listening("metrics");
    gateway.logged("the database of reports is not available; reports wait");
    report(&files, address, "Waiting");
    // The operator puts it aside.
    fs::remove_file(&database).unwrap();
    gateway.logged("the database of reports is available");
    soon("the report", || (count(metrics, "kept") == 1).then_some(()));
}

/// One client cannot fill the database or the log.
#[test]
fn refuses_reports_of_an_address_with_too_many_names() {
    let files = Files::new();
    let backend = Backend::start();
    let mut gateway = Gateway::start(&files.configure("127.0.0.1:0", backend.address, MORE));
    let address = gateway.listening("imaps");
    let metrics = gateway.listening("metrics");
    // A client has 256 names.
    for session in 1..=260 {
        report(&files, address, &session.to_string());
        soon("the report", || {
            let done = count(metrics, "kept") + count(metrics, "refused");
            (done == session).then_some(())
        });
    }
    assert_eq!(
        (count(metrics, "kept"), count(metrics, "refused")),
        (256, 4)
    );
    assert_eq!(count(metrics, "failed") + count(metrics, "dropped"), 0);
    assert!(!gateway.log().contains("ERROR"), "{}", gateway.log());
}

/// Sends a report in a session of its own.
fn report(files: &Files, address: std::net::SocketAddr, name: &str) {
    let mut client = Client::connect(files, address);
    client.line();
    client.send(&format!(
        "a ID (\"name\" \"{name}\" \"latch\" \"tls12\")\r\n"
    ));
    while !client.line().starts_with("a OK") {}
}

fn count(metrics: std::net::SocketAddr, result: &str) -> u32 {
    let text = get(metrics, "/metrics");
    let name = format!("mail_tls_gateway_reports_total{{result=\"{result}\"}} ");
    let value = text.lines().find_map(|line| line.strip_prefix(&name));
    value.map_or(0, |value| value.parse().unwrap())
}
