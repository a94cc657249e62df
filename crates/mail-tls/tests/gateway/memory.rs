//! The memory of sessions that are logged in and idle.

use std::fs;

use crate::world::{Backend, Client, Files, Gateway};

const SESSIONS: usize = 300;

/// A session has no buffers while it is idle. Connections are the greater part of it: rustls keeps 4 kB of its own.
#[test]
#[cfg(target_os = "linux")]
fn needs_less_than_24_kilobytes_for_an_idle_session() {
    let files = Files::new();
    let backend = Backend::with("IMAP4rev1");
    let more = "[limits]\nsessions-per-client = 1000\nlogins-per-client = 1000\n[log]\nlevel = \"error\"\n";
    let mut gateway = Gateway::start(&files.configure("127.0.0.1:0", backend.address, more));
    let address = gateway.listening("imaps");
    let start = || {
        let mut client = Client::connect(&files, address);
        client.line();
        let answer = client.ask("a LOGIN alice right\r\n");
        assert!(answer.starts_with("a OK"), "{answer}");
        client.ask("b CAPABILITY\r\n");
        client.line();
        assert_eq!(client.ask("c NOOP\r\n"), "c OK NOOP\r\n");
        client
    };
    let memory = || {
        let status = fs::read_to_string(format!("/proc/{}/status", gateway.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|it| it.strip_prefix("RssAnon:"))
            .unwrap();
        let kilobytes = line.trim().strip_suffix(" kB").unwrap();
        kilobytes.parse::<usize>().unwrap() * 1024
    };
    let mut clients: Vec<_> = (0..20).map(|_| start()).collect();
    let before = memory();
    clients.extend((0..SESSIONS).map(|_| start()));
    let each = memory().saturating_sub(before) / SESSIONS;
    assert!(each < 24_000, "{each} bytes");
}
