//! The endpoint of metrics and health.

use std::net::{SocketAddr, TcpListener};

use crate::world::{Backend, Client, Files, Gateway, command, get, soon, text};

const MORE: &str = "[metrics]\nlisten = \"127.0.0.1:0\"\n";

fn start(files: &Files, backend: SocketAddr) -> (Gateway, SocketAddr, SocketAddr) {
    let mut gateway = Gateway::start(&files.configure("127.0.0.1:0", backend, MORE));
    let address = gateway.listening("imaps");
    let metrics = gateway.listening("metrics");
    (gateway, address, metrics)
}

#[test]
fn counts_sessions_and_logins() {
    let files = Files::new();
    let backend = Backend::start();
    let (_gateway, address, metrics) = start(&files, backend.address);
    let mut client = Client::connect(&files, address);
    client.line();
    assert!(client.ask("a LOGIN alice wrong\r\n").starts_with("a NO"));
    assert!(client.ask("b LOGIN alice right\r\n").starts_with("b OK"));
    let backend = backend.address;
    for line in [
        "mail_tls_gateway_sessions{service=\"imaps\"} 1".to_owned(),
        "mail_tls_gateway_logins_total{service=\"imaps\",result=\"refused\"} 1".to_owned(),
        "mail_tls_gateway_logins_total{service=\"imaps\",result=\"accepted\"} 1".to_owned(),
        "mail_tls_gateway_handshakes_total{service=\"imaps\",version=\"TLSv1.3\",resumed=\"no\"} 1"
            .to_owned(),
        format!("mail_tls_gateway_backend_up{{service=\"imaps\",backend=\"{backend}\"}} 1"),
    ] {
        soon(&line, || {
            let text = get(metrics, "/metrics");
            text.lines().any(|it| it == line).then_some(())
        });
    }
    client.send("c LOGOUT\r\n");
    client.rest();
    soon("the end of the session", || {
        let text = get(metrics, "/metrics");
        let ended = "mail_tls_gateway_sessions_ended_total{service=\"imaps\",reason=\"client\"} 1";
        let none = "mail_tls_gateway_sessions{service=\"imaps\"} 0";
        (text.contains(ended) && text.contains(none)).then_some(())
    });
    let text = get(metrics, "/metrics");
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(
        text.contains("application/openmetrics-text; version=1.0.0"),
        "{text}"
    );
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn reports_a_service_without_a_backend_as_unhealthy() {
    let files = Files::new();
    let down = nowhere();
    let (_gateway, address, metrics) = start(&files, down);
    // No client was needed for it.
    soon("a backend that is down", || {
        get(metrics, "/health")
            .ends_with("imaps: no backend is available\n")
            .then_some(())
    });
    assert_eq!(up(metrics), [format!("imaps {down} 0")]);
    assert!(
        Client::connect(&files, address)
            .rest()
            .starts_with("* BYE [UNAVAILABLE]")
    );
    let health = get(metrics, "/health");
    assert!(health.starts_with("HTTP/1.1 503 "), "{health}");
    assert!(
        health.ends_with("imaps: no backend is available\n"),
        "{health}"
    );
    assert!(get(metrics, "/").starts_with("HTTP/1.1 404 "));
    // A backend that came back is noticed without a client.
    let _backend = Backend::at(TcpListener::bind(down).unwrap());
    soon("health", || {
        get(metrics, "/health")
            .starts_with("HTTP/1.1 200 ")
            .then_some(())
    });
    assert_eq!(up(metrics), [format!("imaps {down} 1")]);
}

/// A gateway is not healthy before it knows, and says so.
#[test]
fn reports_a_backend_that_was_not_reached_yet() {
    let files = Files::new();
    // It accepts, and is silent.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (_gateway, _, metrics) = start(&files, silent.local_addr().unwrap());
    let health = get(metrics, "/health");
    assert!(health.starts_with("HTTP/1.1 503 "), "{health}");
    assert!(
        health.ends_with("imaps: no backend was reached yet\n"),
        "{health}"
    );
    assert_eq!(up(metrics), [""; 0]);
    soon("a backend that is silent", || {
        get(metrics, "/health")
            .ends_with("imaps: no backend is available\n")
            .then_some(())
    });
}

#[test]
fn keeps_the_health_of_backends_at_a_reload() {
    let files = Files::new();
    let down = nowhere();
    let (gateway, _, metrics) = start(&files, down);
    gateway.logged("backend failed");
    gateway.signal("HUP");
    gateway.logged("configuration and certificates reloaded");
    let health = get(metrics, "/health");
    assert!(
        health.ends_with("imaps: no backend is available\n"),
        "{health}"
    );
    assert_eq!(up(metrics), [format!("imaps {down} 0")]);
}

/// An alert on `backend_up` would be there until a restart.
#[test]
fn forgets_services_and_backends_that_are_no_longer_configured() {
    let files = Files::new();
    let (kept, down) = (Backend::start(), nowhere());
    let more = format!(
        "[[service]]\nkind = \"submissions\"\nlisten = [\"127.0.0.2:0\"]\n\
         backend = [{{ host = \"127.0.0.1\", port = {} }}]\n{MORE}",
        down.port()
    );
    let mut gateway = Gateway::start(&files.configure("127.0.0.1:0", kept.address, &more));
    let (address, metrics) = (gateway.listening("imaps"), gateway.listening("metrics"));
    let removed = gateway.listening("submissions");
    assert!(Client::connect(&files, removed).rest().starts_with("421 "));
    let mut client = Client::connect(&files, address);
    client.line();
    let both = [
        format!("imaps {} 1", kept.address),
        format!("submissions {down} 0"),
    ];
    soon("both backends", || (up(metrics) == both).then_some(()));
    soon("no session of the service", || {
        let none = "mail_tls_gateway_sessions{service=\"submissions\"} 0\n";
        get(metrics, "/metrics").contains(none).then_some(())
    });
    files.configure("127.0.0.1:0", kept.address, MORE);
    gateway.signal("HUP");
    gateway.logged("configuration and certificates reloaded");
    assert_eq!(up(metrics), both[..1]);
    let text = get(metrics, "/metrics");
    let of_removed = text.lines().filter(|line| line.contains("submissions"));
    for line in of_removed {
        let counter = line.split('{').next().unwrap();
        assert!(counter.ends_with("_total"), "{line}");
        assert!(!counter.contains("_backend_"), "{line}");
    }
    let one = "mail_tls_gateway_sessions{service=\"imaps\"} 1\n";
    assert!(text.contains(one), "{text}");
}

/// Returns an address on which nothing listens.
fn nowhere() -> SocketAddr {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap();
    unused.local_addr().unwrap()
}

/// Returns service, backend and value of each gauge of a backend, in order.
fn up(metrics: SocketAddr) -> Vec<String> {
    let text = get(metrics, "/metrics");
    let values = text.lines().filter_map(|line| {
        let line = line.strip_prefix("mail_tls_gateway_backend_up{service=\"")?;
        let (service, rest) = line.split_once("\",backend=\"")?;
        let (backend, value) = rest.split_once("\"} ")?;
        Some(format!("{service} {backend} {value}"))
    });
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    values
}

/// The container has no other program that could ask.
#[test]
fn is_asked_for_its_health_by_the_command() {
    let files = Files::new();
    let unused = TcpListener::bind("127.0.0.1:0").unwrap();
    let down = unused.local_addr().unwrap();
    drop(unused);
    let (mut gateway, address, metrics) = start(&files, down);
    let more = format!("[metrics]\nlisten = \"{metrics}\"\n");
    let config = files.configure("127.0.0.1:0", down, &more);
    let ask = |config: &std::path::Path| {
        let output = command(config).arg("--health").output().unwrap();
        let (shown, error) = (text(&output.stdout), text(&output.stderr));
        (output.status.code(), shown, error)
    };
    let fault = "imaps: no backend is available\n".to_owned();
    soon("the health", || {
        (ask(&config) == (Some(1), fault.clone(), String::new())).then_some(())
    });
    let _backend = Backend::at(TcpListener::bind(down).unwrap());
    soon("the health", || {
        (ask(&config) == (Some(0), "ok\n".to_owned(), String::new())).then_some(())
    });
    gateway.signal("TERM");
    assert_eq!(gateway.ended(), Some(0));
    let (code, shown, error) = ask(&config);
    assert_eq!((code, shown.as_str()), (Some(1), ""));
    let expected = format!("mail-tls: the gateway at {metrics}: ");
    assert!(error.starts_with(&expected), "{error}");
    // Without an endpoint there is nothing to ask.
    let config = files.configure("127.0.0.1:0", address, "");
    let (code, _, error) = ask(&config);
    assert_eq!(code, Some(2));
    assert!(
        error.ends_with("metrics.listen is needed for the health\n"),
        "{error}"
    );
}
