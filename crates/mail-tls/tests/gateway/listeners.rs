//! Listeners: each service has its own, through reloads.

use std::{collections::BTreeMap, net::SocketAddr};

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
