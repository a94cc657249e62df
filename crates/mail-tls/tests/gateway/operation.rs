//! Reload, drain, socket activation, notifications of the service manager, and reports.

use std::{
    fs,
    os::{fd::AsRawFd, unix::net::UnixDatagram},
    process::Command,
    time::Duration,
};

use test_support::pki::Certificate;

use crate::world::{Backend, Client, Files, Gateway, HOST, command, soon};

#[test]
fn reloads_the_configuration_and_keeps_sessions() {
    let files = Files::new();
    let (first, second) = (Backend::start(), Backend::start());
    let mut gateway = Gateway::start(&files.configure("127.0.0.1:0", first.address, ""));
    let address = gateway.listening("imaps");
    let mut old = Client::connect(&files, address);
    old.line();
    old.ask("a LOGIN alice right\r\n");
    files.configure("127.0.0.1:0", second.address, "");
    gateway.signal("HUP");
    gateway.logged("configuration and certificates reloaded");
    let mut new = Client::connect(&files, address);
    new.line();
    new.ask("a LOGIN bob right\r\n");
    assert!(
        second
            .received
            .lock()
            .unwrap()
            .iter()
            .any(|it| it.contains("bob"))
    );
    assert_eq!(old.ask("b NOOP\r\n"), "b OK NOOP\r\n");
    assert!(
        first
            .received
            .lock()
            .unwrap()
            .iter()
            .any(|it| it == "b NOOP")
    );
}

#[test]
fn keeps_the_configuration_if_the_new_one_is_wrong() {
    let files = Files::new();
    let backend = Backend::start();
    let mut gateway = Gateway::start(&files.configure("127.0.0.1:0", backend.address, ""));
    let address = gateway.listening("imaps");
    files.configure("127.0.0.1:0", backend.address, "unknown = 1\n");
    gateway.signal("HUP");
    let line = gateway.logged("configuration not reloaded; the former one is kept");
    assert!(line.contains("unknown field"), "{line}");
    assert!(Client::connect(&files, address).line().starts_with("* OK"));
}

#[test]
fn says_which_keys_a_reload_does_not_apply() {
    let files = Files::new();
    let backend = Backend::start();
    let mut gateway = Gateway::start(&files.configure("127.0.0.1:0", backend.address, ""));
    gateway.listening("imaps");
    let more = "[limits]\nsessions = 9\ndrain = 9\nidle = 9\n[log]\nlevel = \"debug\"\n[metrics]\nlisten = \"127.0.0.1:1\"\n\
                [reports]\nsqlite = \"reports.db\"\n";
    files.configure("127.0.0.1:0", backend.address, more);
    gateway.signal("HUP");
    let line = gateway.logged("keys changed that need a restart; their former values are kept");
    assert!(
        line.contains("keys=limits.sessions limits.drain log metrics reports"),
        "{line}"
    );
    // What changes back needs no restart.
    files.configure(
        "127.0.0.1:0",
        backend.address,
        "[limits]\ndrain = 30\nidle = 9\n",
    );
    gateway.signal("HUP");
    soon("two reloads", || {
        let log = gateway.log();
        (log.matches("configuration and certificates reloaded")
            .count()
            == 2)
            .then_some(())
    });
    assert_eq!(gateway.log().matches("need a restart").count(), 1);
}

/// As the documentation has it: IPv4 and IPv6 at one port.
#[test]
fn listens_at_one_port_for_both_versions_of_ip() {
    let files = Files::new();
    let backend = Backend::start();
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let listen = format!("0.0.0.0:{port}\", \"[::]:{port}");
    let mut gateway = Gateway::start(&files.configure(&listen, backend.address, ""));
    gateway.listening("imaps");
    gateway.listening("imaps");
    for address in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        let mut client = Client::connect(&files, address.parse().unwrap());
        assert!(client.line().starts_with("* OK"), "{address}");
    }
}

/// Starts a gateway, logs a client in, and asks the gateway to stop: the client is still served. `drain` is in seconds.
fn stopping(files: &Files, backend: &Backend, drain: u32) -> (Gateway, Client) {
    let limits = format!("[limits]\ndrain = {drain}\n");
    let config = files.configure("127.0.0.1:0", backend.address, &limits);
    let mut gateway = Gateway::start(&config);
    let address = gateway.listening("imaps");
    let mut client = Client::connect(files, address);
    client.line();
    client.ask("a LOGIN alice right\r\n");
    gateway.signal("TERM");
    gateway.logged("stopping");
    assert_eq!(client.ask("b NOOP\r\n"), "b OK NOOP\r\n");
    (gateway, client)
}

#[test]
fn drains_sessions_and_ends_well() {
    let files = Files::new();
    let backend = Backend::start();
    let (mut gateway, mut client) = stopping(&files, &backend, 1);
    // The close alert, and nothing else.
    assert_eq!(client.rest(), "");
    assert_eq!(gateway.ended(), Some(0));
}

#[test]
fn ends_at_once_at_a_second_signal() {
    let files = Files::new();
    let backend = Backend::start();
    let (mut gateway, _client) = stopping(&files, &backend, 600);
    gateway.signal("TERM");
    soon("the end", || gateway.child.try_wait().unwrap());
}

/// The socket is that of the service manager, which keeps it open between two runs.
#[test]
fn serves_a_socket_of_the_service_manager() {
    let files = Files::new();
    let backend = Backend::start();
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let config = files.configure(&address.to_string(), backend.address, "");
    let descriptor = socket.as_raw_fd();
    let run = format!(
        "exec 3<&{descriptor} && export LISTEN_FDS=1 LISTEN_PID=$$ && exec \"$0\" gateway --config \"$1\""
    );
    let mut shell = Command::new("bash");
    shell
        .args(["-c", &run, env!("CARGO_BIN_EXE_mail-tls")])
        .arg(&config);
    inherit(&socket);
    let mut gateway = Gateway::run(&mut shell);
    assert_eq!(gateway.listening("imaps"), address);
    assert!(Client::connect(&files, address).line().starts_with("* OK"));
}

/// Lets programs that are started from now on inherit a descriptor.
fn inherit(socket: &std::net::TcpListener) {
    rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::empty()).unwrap();
}

#[test]
fn notifies_the_service_manager() {
    let files = Files::new();
    let backend = Backend::start();
    let path = files.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager
        .set_read_timeout(Some(Duration::from_secs(15)))
        .unwrap();
    let mut octets = [0; 512];
    let mut next = |wanted: &str| {
        loop {
            let count = manager.recv(&mut octets).unwrap();
            let text = String::from_utf8_lossy(&octets[..count]).into_owned();
            if text.contains(wanted) {
                return text;
            }
        }
    };
    let config = files.configure("127.0.0.1:0", backend.address, "[limits]\ndrain = 1\n");
    let mut started = command(&config);
    started
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "200000");
    let mut gateway = Gateway::run(&mut started);
    gateway.listening("imaps");
    next("READY=1");
    next("WATCHDOG=1");
    next("WATCHDOG=1");
    gateway.signal("HUP");
    assert!(next("RELOADING=1").contains("MONOTONIC_USEC="));
    next("READY=1");
    gateway.signal("TERM");
    next("STOPPING=1");
    assert_eq!(gateway.ended(), Some(0));
}

#[test]
fn keeps_reports_of_clients() {
    let files = Files::new();
    let backend = Backend::start();
    let more = "[reports]\nsqlite = \"reports.db\"\n";
    let mut gateway = Gateway::start(&files.configure("127.0.0.1:0", backend.address, more));
    let address = gateway.listening("imaps");
    let mut client = Client::connect(&files, address);
    client.line();
    client.send("a ID (\"name\" \"Mailer\" \"version\" \"1\" \"latch\" \"tls12\")\r\n");
    while !client.line().starts_with("a OK") {}
    // Killed: a report that was kept is there all the same.
    let database = files.path("reports.db");
    soon("the report", || {
        let database = fs::read(&database).ok()?;
        let has = |text: &str| database.windows(text.len()).any(|it| it == text.as_bytes());
        // Its key is the address of the client, and no user.
        (has("Mailer") && has("[127.0.0.1]")).then_some(())
    });
}

#[test]
fn logs_in_a_client_by_its_certificate() {
    let files = Files::new();
    let backend = Backend::with("IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=EXTERNAL");
    fs::write(files.path("clients.pem"), files.authority.pem()).unwrap();
    let more = "[client-certificates]\nauthorities = \"clients.pem\"\ncommon-name = true\nlogin = \"external\"\n";
    let mut gateway = Gateway::start(&files.configure("127.0.0.1:0", backend.address, more));
    let address = gateway.listening("imaps");
    // Without a certificate EXTERNAL is not offered.
    let greeting = Client::connect(&files, address).line();
    assert!(!greeting.contains("EXTERNAL"), "{greeting}");
    let alice = Certificate::client("alice").issue(&files.authority);
    let mut client = Client::with_certificate(&files, address, HOST, &alice);
    let greeting = client.line();
    assert!(greeting.contains("AUTH=EXTERNAL"), "{greeting}");
}
