//! The log has no octets of a client, and its lines are those that the filter of fail2ban reads.

use crate::world::{Backend, Client, Files, Gateway};

#[test]
fn logs_no_text_of_a_client() {
    let files = Files::new();
    let backend = Backend::start();
    let more = "[failed-logins]\nfree = 20\n[log]\nlevel = \"debug\"\n";
    let config = files.configure("127.0.0.1:0", backend.address, more);
    let mut gateway = Gateway::start(&config);
    let address = gateway.listening("imaps");
    for name in [
        "\"evil name\"",
        "\"a\x1b[31mred\"",
        "{34+}\r\nx\r\n2026 login failed client=192.0.2.9",
        "secret-user",
    ] {
        let mut client = Client::connect(&files, address);
        client.line();
        client.send(&format!("a LOGIN {name} secret-password\r\n"));
        let _ = client.line();
    }
    let mut client = Client::connect(&files, address);
    client.line();
    let _ = client.ask("a LOGIN secret-user secret-password\r\n");
    gateway.logged("login failed");
    let log = gateway.log();
    for hidden in ["secret", "evil", "\x1b", "192.0.2.9", "red"] {
        assert!(!log.contains(hidden), "{hidden:?} in {log}");
    }
    for line in log.lines() {
        assert!(line.chars().all(|sign| !sign.is_control()), "{line:?}");
        assert!(line.starts_with("20"), "{line}");
    }
}

#[test]
fn logs_json_with_one_object_on_each_line() {
    let files = Files::new();
    let backend = Backend::start();
    let more = "[log]\nformat = \"json\"\n";
    let mut gateway = Gateway::start(&files.configure("127.0.0.1:0", backend.address, more));
    let address = gateway.listening("imaps");
    let mut client = Client::connect(&files, address);
    client.line();
    client.ask("a LOGIN alice right\r\n");
    let line = gateway.logged("logged in");
    let event: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["message"], "logged in");
    assert_eq!(event["service"], "imaps");
    assert_eq!(event["client"], "127.0.0.1");
    assert_eq!(event["mechanism"], "password");
    assert_eq!(event["tls"], "TLSv1.3");
    assert_eq!(event["session"].as_str().unwrap().len(), 32);
    // The end of a session that never logged in has them as well.
    let mut other = Client::connect(&files, address);
    other.line();
    other.ask("a LOGOUT\r\n");
    let line = gateway.logged("session ended");
    let event: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["tls"], "TLSv1.3");
    assert_eq!(event["cipher"], "TLS_AES_256_GCM_SHA384");
}

/// The journal takes the priority off (sd-daemon(3)), so that `journalctl --priority warning` shows failed logins.
#[test]
fn begins_lines_for_the_journal_with_their_priority() {
    let files = Files::new();
    let backend = Backend::start();
    let more = "[log]\nformat = \"journal\"\nlevel = \"debug\"\n";
    let mut gateway = Gateway::start(&files.configure("127.0.0.1:0", backend.address, more));
    let mut client = Client::connect(&files, gateway.listening("imaps"));
    client.line();
    client.ask("a LOGIN alice wrong\r\n");
    client.ask("b LOGIN alice right\r\n");
    for line in [
        "<7>DEBUG connected session=",
        "<4>WARN login failed session=",
        "<6>INFO logged in session=",
    ] {
        let (_, message) = line.split_once(' ').unwrap();
        let logged = gateway.logged(message);
        assert!(logged.starts_with(line), "{logged}");
    }
}
