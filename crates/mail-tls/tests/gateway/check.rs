//! `--check` connects to the backends, and shows what clients would be offered.

use std::fs;

use tokio::runtime::Runtime;

use crate::{
    name_server,
    world::{Backend, Client, Files, Gateway, check, command, text},
};

#[test]
fn shows_what_clients_would_be_offered() {
    let files = Files::new();
    let backend = Backend::with("IMAP4rev1 STARTTLS LOGINDISABLED AUTH=PLAIN AUTH=SCRAM-SHA-256");
    let more = "[deep]\nstatus = \"tls12 tls-cert\"\n";
    let output = check(&files.configure("127.0.0.1:0", backend.address, more));
    let shown = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{shown}{}",
        text(&output.stderr)
    );
    assert!(shown.starts_with("the configuration is valid\n"), "{shown}");
    let offer = shown
        .lines()
        .find(|line| line.contains("* CAPABILITY"))
        .unwrap();
    for word in [
        "IMAP4rev1",
        "AUTH=PLAIN",
        "AUTH=SCRAM-SHA-256",
        "DEEP",
        "ID",
    ] {
        assert!(offer.split(' ').any(|it| it == word), "{word} in {offer}");
    }
    for word in ["STARTTLS", "LOGINDISABLED"] {
        assert!(!offer.contains(word), "{word} in {offer}");
    }
    assert!(!shown.contains("warning"), "{shown}");
    // The dialogue ends in order.
    let received = backend.received.lock().unwrap().clone();
    assert!(received.last().unwrap().ends_with("LOGOUT"), "{received:?}");
}

/// Channel binding cannot match through a gateway (RFC 5802 section 6).
#[test]
fn warns_of_mechanisms_with_channel_binding() {
    let files = Files::new();
    let backend = Backend::with("IMAP4rev1 AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-256-PLUS");
    let output = check(&files.configure("127.0.0.1:0", backend.address, ""));
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    let warning = shown
        .lines()
        .find(|line| line.starts_with("warning"))
        .unwrap();
    assert!(warning.contains("SCRAM-SHA-256-PLUS removed"), "{warning}");
    assert!(!shown.contains("AUTH=SCRAM-SHA-256-PLUS"), "{shown}");
}

#[test]
fn warns_of_a_backend_without_login() {
    let files = Files::new();
    let backend = Backend::with("IMAP4rev1 LOGINDISABLED");
    let output = check(&files.configure("127.0.0.1:0", backend.address, ""));
    let shown = text(&output.stdout);
    assert!(shown.contains("no way to log in is offered"), "{shown}");
}

#[test]
fn fails_if_a_backend_is_down() {
    let files = Files::new();
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = unused.local_addr().unwrap();
    drop(unused);
    let output = check(&files.configure("127.0.0.1:0", address, ""));
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    let failed = format!("imaps: 127.0.0.1:{}: failed: ", address.port());
    assert!(shown.contains(&failed), "{shown}");
}

/// The resolver of the configuration finds a backend, which has a name in a domain of its own.
#[test]
fn finds_a_backend_by_the_resolver_of_the_configuration() {
    let files = Files::new();
    let backend = Backend::start();
    let runtime = Runtime::new().unwrap();
    let resolver = name_server::serve(&runtime, vec![("imap.example.org", 0)]);
    fs::write(files.path("anchors"), name_server::ANCHORS).unwrap();
    let more = format!("[backend-tls]\nresolver = \"{resolver}\"\nanchors = \"anchors\"\n");
    let config = files.configure("127.0.0.1:0", backend.address, &more);
    let config = fs::read_to_string(config).unwrap();
    let config =
        files.write(&config.replace("host = \"127.0.0.1\"", "host = \"imap.example.org\""));
    let output = check(&config);
    let shown = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    let port = backend.address.port();
    let line = format!("imaps: imap.example.org:{port}: clients would be offered");
    assert!(shown.contains(&line), "{shown}");
    let mut gateway = Gateway::start(&config);
    let mut client = Client::connect(&files, gateway.listening("imaps"));
    assert!(client.line().starts_with("* OK"));
}

/// For a reload, which must not depend on backends.
#[test]
fn connects_nowhere_if_it_is_offline() {
    let files = Files::new();
    let backend = Backend::start();
    let config = files.configure("127.0.0.1:0", backend.address, "");
    let offline = |config: &std::path::Path| {
        let output = command(config)
            .args(["--check", "--offline"])
            .output()
            .unwrap();
        (output.status.code(), text(&output.stdout), output.stderr)
    };
    let valid = "the configuration is valid\n".to_owned();
    assert_eq!(offline(&config), (Some(0), valid, Vec::new()));
    assert_eq!(*backend.received.lock().unwrap(), Vec::<String>::new());
    fs::remove_file(files.path("key.pem")).unwrap();
    let (code, shown, error) = offline(&config);
    assert_eq!((code, shown.as_str()), (Some(2), ""));
    assert!(text(&error).contains("key.pem"), "{}", text(&error));
    // Alone the option has no meaning.
    let output = command(&config).arg("--offline").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// A typing error here lets every client name the address that limits and logs have.
#[test]
fn warns_of_proxies_that_are_every_address() {
    let files = Files::new();
    let backend = Backend::start();
    for (proxies, is_warned) in [("0.0.0.0/0", true), ("::/0", true), ("192.0.2.0/24", false)] {
        let more = format!("proxies = [\"{proxies}\"]\n");
        let config = files.configure("127.0.0.1:0", backend.address, &more);
        let output = command(&config).args(["--check", "--offline"]).output();
        let shown = text(&output.unwrap().stdout);
        let warning = "warning: imaps: proxies has every address: every client can name another \
                       address than its own";
        assert_eq!(
            shown.lines().any(|line| line == warning),
            is_warned,
            "{shown}"
        );
    }
}
