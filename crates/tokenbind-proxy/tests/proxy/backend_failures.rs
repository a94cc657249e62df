//! A backend that fails.

use std::sync::Arc;

use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::setup::{BOTH, Backend, Frames, H2, Setup, answer, send};

#[tokio::test]
async fn answers_502_if_the_backend_is_gone() {
    let gone = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    let seen = Arc::default();
    let setup = Setup::before("gone", Backend { port, seen }, &[]).await;
    let (client, _) = setup.client(H2);
    let response = send(&client, setup.request("/").body(Frames::of([])).unwrap()).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
}

/// The backend switches protocols though no request reaches it that asks for it.
#[tokio::test]
async fn answers_502_if_the_backend_switches_protocols_unasked() {
    let backend = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = backend.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = backend.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await.unwrap();
            let response = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\
                Upgrade: websocket\r\n\r\nanything";
            stream.write_all(response.as_bytes()).await.unwrap();
        }
    });
    let seen = Arc::default();
    let setup = Setup::before("unasked", Backend { port, seen }, &[]).await;
    for alpn in BOTH {
        let (client, _) = setup.client(alpn);
        let request = setup.request("/").body(Frames::of([])).unwrap();
        let response = send(&client, request).await;
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY, "{alpn:?}");
        assert!(!response.headers().contains_key("upgrade"));
    }
    let asked = answer(
        &setup,
        "GET / HTTP/1.1\r\nHost: a\r\nToken-Binding: HEADER\r\nConnection: upgrade, close\r\n\
         Upgrade: websocket\r\n\r\n",
    );
    let asked = asked.await;
    assert!(asked.starts_with("HTTP/1.1 502 "), "{asked}");
}

#[tokio::test]
async fn answers_504_if_the_backend_does_not_respond_in_time() {
    let backend = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = backend.local_addr().unwrap().port();
    let seen = Arc::default();
    let flags = ["--response-timeout", "1"];
    let setup = Setup::before("late", Backend { port, seen }, &flags).await;
    let (client, _) = setup.client(H2);
    let response = send(&client, setup.request("/").body(Frames::of([])).unwrap()).await;
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    drop(backend);
}
