//! The endpoint of metrics and health.

use std::net::SocketAddr;

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
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let down = unused.local_addr().unwrap();
    drop(unused);
    let (_gateway, address, metrics) = start(&files, down);
    assert!(get(metrics, "/health").starts_with("HTTP/1.1 200 OK\r\n"));
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
    let _backend = Backend::at(std::net::TcpListener::bind(down).unwrap());
    soon("health", || {
        get(metrics, "/health")
            .starts_with("HTTP/1.1 200 ")
            .then_some(())
    });
}

/// The container has no other program that could ask.
#[test]
fn is_asked_for_its_health_by_the_command() {
    let files = Files::new();
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
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
    assert_eq!(ask(&config), (Some(0), "ok\n".to_owned(), String::new()));
    assert!(
        Client::connect(&files, address)
            .rest()
            .starts_with("* BYE [UNAVAILABLE]")
    );
    let fault = "imaps: no backend is available\n".to_owned();
    assert_eq!(ask(&config), (Some(1), fault, String::new()));
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
