//! Listeners: each service has its own, of both families of addresses, through reloads.

use std::{collections::BTreeMap, net::SocketAddr, net::TcpListener};

use crate::world::{Backend, Client, Files, Gateway};

/// Returns the configuration of a service for each backend, all with the same address to listen on.
fn services(listen: &str, backends: &[&Backend]) -> String {
    let services = backends.iter().map(|backend| {
        let port = backend.address.port();
        format!(
            "[[service]]\nkind = \"imaps\"\nlisten = [{listen}]\n\
             backend = [{{ host = \"127.0.0.1\", port = {port} }}]\n"
        )
    });
    let head = "name = \"imap.example.org\"\n\
                certificate = [{ chain = \"chain.pem\", key = \"key.pem\" }]\n";
    format!("{head}{}", services.collect::<String>())
}

/// Returns the number of the backend that each listener leads to.
fn led(
    files: &Files,
    listeners: &[SocketAddr],
    backends: &[&Backend],
) -> BTreeMap<SocketAddr, Vec<usize>> {
    let of = |listener: &SocketAddr| {
        for backend in backends {
            backend.received.lock().unwrap().clear();
        }
        let mut client = Client::connect(files, *listener);
        client.line();
        assert_eq!(client.ask("a LOGIN alice right\r\n"), "a OK in\r\n");
        let received = |backend: &Backend| !backend.received.lock().unwrap().is_empty();
        let numbers = backends.iter().enumerate();
        let numbers = numbers.filter(|(_, backend)| received(backend));
        (*listener, numbers.map(|(number, _)| number).collect())
    };
    listeners.iter().map(of).collect()
}

/// Port 0 lets the operating system choose, one port for each service. A reload keeps each.
#[test]
fn gives_each_service_with_port_0_its_own_listener() {
    let files = Files::new();
    let (first, second) = (Backend::start(), Backend::start());
    let backends = [&first, &second];
    let config = files.write(&services("\"127.0.0.1:0\"", &backends));
    let mut gateway = Gateway::start(&config);
    let listeners = gateway.listening_on("imaps", 2);
    let before = led(&files, &listeners, &backends);
    let mut numbers: Vec<_> = before.values().flatten().copied().collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1]);
    gateway.signal("HUP");
    gateway.logged("configuration and certificates reloaded");
    assert_eq!(led(&files, &listeners, &backends), before);
}

/// `0.0.0.0` and `[::]` are the addresses of the manual.
#[test]
fn listens_on_all_addresses_of_both_families() {
    if let Err(error) = TcpListener::bind("[::1]:0") {
        println!("skipped: this machine has no IPv6: {error}");
        return;
    }
    let files = Files::new();
    let backend = Backend::start();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let listen = format!("\"0.0.0.0:{port}\", \"[::]:{port}\"");
    let mut gateway = Gateway::start(&files.write(&services(&listen, &[&backend])));
    gateway.listening_on("imaps", 2);
    for address in ["127.0.0.1", "[::1]"] {
        let address: SocketAddr = format!("{address}:{port}").parse().unwrap();
        assert!(Client::connect(&files, address).line().starts_with("* OK"));
    }
}

/// The parts that last until the gateway ends are named.
#[test]
fn warns_of_changes_that_a_reload_does_not_make() {
    let files = Files::new();
    let backend = Backend::start();
    let configure = |more: &str| files.configure("127.0.0.1:0", backend.address, more);
    let mut gateway = Gateway::start(&configure(""));
    gateway.listening("imaps");
    configure("[limits]\nsessions = 7\nidle = 60\n[log]\nlevel = \"debug\"\n");
    gateway.signal("HUP");
    gateway.logged("configuration and certificates reloaded");
    let log = gateway.log();
    let warnings: Vec<_> = log
        .lines()
        .filter_map(|line| line.split_once(" WARN changed, but used from the next start on "))
        .map(|(_, part)| part)
        .collect();
    assert_eq!(warnings, ["part=\"log\"", "part=\"limits.sessions\""]);
}
