//! Arguments, signals, and the log.

use std::time::Duration;

use http::{Method, StatusCode};
use http_body_util::BodyExt;
use tokenbind_http::client::RequestOptions;
use tokenbind_wire::TokenBindingType;
use tokio::net::TcpStream;

use crate::{
    loopback::{Pki, soon},
    setup::{
        Backend, Frames, H2, HTTP11, Setup, answer, certificate, client_of, data, directory, id,
        proxy, send,
    },
};

#[test]
fn reports_wrong_arguments_and_exits() {
    let no_path = "expected an http URL of a host and port, without a path";
    for (flags, text) in [
        (
            &["--backend", "http://127.0.0.1:1", "--cert", "missing.pem"][..],
            "missing.pem: ",
        ),
        (&["--backend", "https://127.0.0.1:1"], no_path),
        (&["--backend", "http://127.0.0.1:1/path"], no_path),
        (&["--backend", "http://user@127.0.0.1:1"], no_path),
        (
            &["--cert", "x"],
            "tokenbind-proxy: backend is missing: give --backend, or the key backend in the file of --config\n",
        ),
        (
            &["--max-connections", "0"],
            "number would be zero for non-zero type",
        ),
    ] {
        let mut command = proxy();
        command.args(["--listen", "127.0.0.1:0", "--key", "key.pem"]);
        let output = command.args(flags).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.contains(text), "{errors}");
    }
}

#[test]
fn reports_an_address_that_is_in_use() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let [cert, key] = certificate(&directory("in_use"), &Pki::new());
    let mut command = proxy();
    command.args(["--listen", &address, "--backend", "http://127.0.0.1:1"]);
    command.arg("--cert").arg(cert).arg("--key").arg(key);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    let start = format!("tokenbind-proxy: {address}: ");
    assert!(errors.starts_with(&start), "{errors}");
}

#[test]
fn prints_its_manual_page_and_completions() {
    for (arguments, text) in [
        (&["man"][..], "SIGHUP           read the certificate"),
        (&["completions", "bash"], "--require-token-binding"),
        (&["--help"], "Read settings from this TOML file"),
    ] {
        let output = proxy().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(printed.replace("\\-", "-").contains(text), "{printed}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn answers_requests_that_have_arrived_and_accepts_nothing_new_when_it_stops() {
    for (signal, alpn) in [("TERM", HTTP11), ("INT", H2)] {
        let setup = Setup::start(&format!("ends_{signal}"), &[]).await;
        let (client, _) = setup.client(alpn);
        let (frames, body) = Frames::open();
        frames.send(data("before")).await.unwrap();
        let request = setup.request("/").method(Method::POST).body(body).unwrap();
        let mut response = send(&client, request).await.into_body();
        let frame = soon(response.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "before");
        setup.proxy.signal(signal);
        soon(async {
            while TcpStream::connect(("127.0.0.1", setup.origin.port()))
                .await
                .is_ok()
            {
                tokio::task::yield_now().await;
            }
        })
        .await;
        frames.send(data(" and after")).await.unwrap();
        drop(frames);
        let rest = soon(response.collect()).await.unwrap().to_bytes();
        assert_eq!(rest, " and after");
        let proxy = setup.proxy;
        let ended = tokio::task::spawn_blocking(move || proxy.ended_well());
        assert!(soon(ended).await.unwrap());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn cuts_requests_that_are_not_answered_in_time_when_it_stops() {
    let setup = Setup::start("cuts", &["--shutdown-timeout", "1"]).await;
    let (client, _) = setup.client(H2);
    let (frames, body) = Frames::open();
    frames.send(data("before")).await.unwrap();
    let request = setup.request("/").method(Method::POST).body(body).unwrap();
    let mut response = send(&client, request).await.into_body();
    soon(response.frame()).await.unwrap().unwrap();
    setup.proxy.signal("TERM");
    let proxy = setup.proxy;
    let ended = tokio::task::spawn_blocking(move || proxy.ended_well());
    assert!(soon(ended).await.unwrap());
    assert!(soon(response.frame()).await.unwrap().is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn stops_at_once_on_a_second_signal() {
    let setup = Setup::start("twice", &["--shutdown-timeout", "1000"]).await;
    let (client, _) = setup.client(H2);
    let (frames, body) = Frames::open();
    frames.send(data("before")).await.unwrap();
    let request = setup.request("/").method(Method::POST).body(body).unwrap();
    let mut response = send(&client, request).await.into_body();
    soon(response.frame()).await.unwrap().unwrap();
    setup.proxy.signal("INT");
    soon(async {
        let address = ("127.0.0.1", setup.origin.port());
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    setup.proxy.signal("INT");
    let proxy = setup.proxy;
    let ended = tokio::task::spawn_blocking(move || proxy.ended_well());
    assert!(soon(ended).await.unwrap());
}

/// Asks until a client that trusts `pki` alone is answered, or is refused, as `trusted` says.
#[cfg(unix)]
async fn asks_until(setup: &Setup, pki: &Pki, trusted: bool) {
    soon(async {
        loop {
            let request = setup.request("/").body(Frames::of([])).unwrap();
            let client = client_of(pki);
            let answer = client.send(request, RequestOptions::default());
            if answer.await.is_ok() == trusted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[cfg(unix)]
#[tokio::test]
async fn reads_its_certificate_again_on_sighup_and_keeps_it_if_the_new_one_is_wrong() {
    let log = directory("reload").join("log");
    let mut command = proxy();
    command.stderr(std::fs::File::create(&log).unwrap());
    let setup = Setup::run("reload", Backend::start().await, &[], command).await;
    let (client, _) = setup.client(H2);
    let first = setup.request("/").body(Frames::of([])).unwrap();
    assert_eq!(send(&client, first).await.status(), StatusCode::OK);

    let renewed = Pki::new();
    let [_, key] = certificate(&directory("reload"), &renewed);
    setup.proxy.signal("HUP");
    asks_until(&setup, &renewed, true).await;
    asks_until(&setup, &setup.pki, false).await;
    // A connection that was open before goes on.
    let second = setup.request("/").body(Frames::of([])).unwrap();
    assert_eq!(send(&client, second).await.status(), StatusCode::OK);

    std::fs::write(&key, "no key").unwrap();
    setup.proxy.signal("HUP");
    let reported = format!(
        "certificate not reloaded; the former one is kept error=\"{}: ",
        key.display()
    );
    soon(async {
        while !std::fs::read_to_string(&log).unwrap().contains(&reported) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    asks_until(&setup, &renewed, true).await;
    setup.proxy.signal("TERM");
    let proxy = setup.proxy;
    let ended = tokio::task::spawn_blocking(move || proxy.ended_well());
    assert!(soon(ended).await.unwrap());
}

#[cfg(unix)]
#[tokio::test]
async fn logs_requests_without_paths_headers_and_identifiers() {
    let log = directory("logs").join("log.jsonl");
    let mut command = proxy();
    command.stderr(std::fs::File::create(&log).unwrap());
    let flags = ["--log-format", "json", "--log-level", "debug"];
    let setup = Setup::run("logs", Backend::start().await, &flags, command).await;
    let (client, keys) = setup.client(H2);
    let request = setup
        .request("/secret-path?secret-query")
        .header("cookie", "secret-cookie")
        .header("authorization", "Bearer secret-token");
    let response = send(&client, request.body(Frames::of([])).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let bad = "GET /secret HTTP/1.1\r\nHost: a\r\nToken-Binding: c2VjcmV0\r\n\r\n";
    assert_eq!(answer(&setup, bad).await, "");
    setup.proxy.signal("TERM");
    let proxy = setup.proxy;
    let ended = tokio::task::spawn_blocking(move || proxy.ended_well());
    assert!(soon(ended).await.unwrap());

    let text = std::fs::read_to_string(&log).unwrap();
    for secret in [
        "secret",
        "c2VjcmV0",
        &id(&keys, &setup.origin, TokenBindingType::PROVIDED),
    ] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |message: &str| {
        let line = lines.iter().find(|line| line["message"] == message);
        line.unwrap_or_else(|| panic!("no {message:?} in {text}"))
    };
    let request = of("request");
    assert_eq!(
        (
            &request["method"],
            &request["status"],
            &request["token_binding"]
        ),
        (&"GET".into(), &200.into(), &true.into())
    );
    assert_eq!(
        of("connection terminated")["reason"],
        "TokenBindingMessage.tokenbindings: 29541 bytes needed but 4 left at byte 2"
    );
    of("listening");
    of("stopped");
}
