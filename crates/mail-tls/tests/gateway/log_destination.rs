//! A log whose destination fails, or takes no more lines: mail does not end, and does not wait.

use std::{fs, process::Command};

use crate::world::{Backend, Client, Files, Gateway, get, soon};

#[test]
fn serves_while_the_log_cannot_be_written() {
    let files = Files::new();
    let backend = Backend::start();
    let more = "[metrics]\nlisten = \"127.0.0.1:0\"\n";
    let config = files.configure("127.0.0.1:0", backend.address, more);
    let good = fs::read(&config).unwrap();
    let mut shell = Command::new("sh");
    let run = "exec \"$0\" gateway --config \"$1\" 2>/dev/full";
    shell.args(["-c", run, env!("CARGO_BIN_EXE_mail-tls")]);
    let mut gateway = Gateway::run(shell.arg(&config));
    let (address, metrics) = (gateway.listening("imaps"), gateway.listening("metrics"));
    let works = || {
        let mut client = Client::connect(&files, address);
        assert!(client.line().starts_with("* OK"));
        assert!(client.ask("a LOGIN alice wrong\r\n").starts_with("a NO"));
        assert!(client.ask("b LOGIN alice right\r\n").starts_with("b OK"));
    };
    works();
    // An error is logged.
    fs::write(&config, "wrong").unwrap();
    gateway.signal("HUP");
    let reloads = |result: &str, count: u32| {
        let line = format!("mail_tls_gateway_reloads_total{{result=\"{result}\"}} {count}\n");
        soon(&line, || {
            get(metrics, "/metrics").contains(&line).then_some(())
        });
    };
    reloads("refused", 1);
    works();
    fs::write(&config, good).unwrap();
    gateway.signal("HUP");
    reloads("done", 1);
    works();
    let text = get(metrics, "/metrics");
    let lost = text
        .lines()
        .find_map(|line| line.strip_prefix("mail_tls_gateway_log_lines_lost_total "));
    let lost: u32 = lost.unwrap().parse().unwrap();
    assert!(lost > 5, "{lost}");
    gateway.signal("TERM");
    assert_eq!(gateway.ended(), Some(0));
}

/// A pipe holds 64 kB; its reader may be stopped.
#[test]
fn serves_and_stops_while_no_line_of_the_log_is_read() {
    let files = Files::new();
    let backend = Backend::start();
    let more = "[log]\nlevel = \"debug\"\nformat = \"json\"\n[failed-logins]\nfree = 100000\n[limits]\ndrain = 1\n";
    let config = files.configure("127.0.0.1:0", backend.address, more);
    let (mut gateway, _unread) = Gateway::unread(&config);
    let address = gateway.listening("imaps");
    // Some 200 octets for each login.
    for _ in 0..10 {
        let mut client = Client::connect(&files, address);
        client.line();
        for _ in 0..90 {
            assert!(client.ask("a LOGIN alice wrong\r\n").starts_with("a NO"));
        }
    }
    let mut other = Client::connect(&files, address);
    assert!(other.line().starts_with("* OK"));
    gateway.signal("TERM");
    assert_eq!(gateway.ended(), Some(0));
}
