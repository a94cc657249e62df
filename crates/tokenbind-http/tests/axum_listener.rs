//! The listener for axum: handshakes that go wrong, and what handlers see.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod loopback;

use std::{collections::HashSet, net::SocketAddr, time::Duration};

use axum::{Extension, Router, extract::ConnectInfo, routing::get};
use http::{StatusCode, Version};
use loopback::{Pki, soon, text};
use tokenbind_http::{
    Client, ClientOptions, ClientState, MemoryKeyStore, ProvidedTokenBinding, RequestOptions,
    TokenBindingConnection, TokenBindingLayer, TokenBindingListener, TokenBindingPeer,
};
use tokenbind_wire::TokenBindingAlpn;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

const FOR_EVER: Duration = Duration::from_secs(1 << 30);

async fn key(binding: Option<Extension<ProvidedTokenBinding>>) -> String {
    binding.map_or_else(
        || "none".to_owned(),
        |Extension(binding)| hex::encode(binding.id().key_id_sha256()),
    )
}

async fn address(ConnectInfo(peer): ConnectInfo<TokenBindingPeer>) -> String {
    format!("{} {}", peer.address, peer.connection.session().is_some())
}

fn routes() -> Router {
    Router::new()
        .route("/key", get(key))
        .route("/address", get(address))
        .route(
            "/bound",
            get(async |_: Extension<ProvidedTokenBinding>| "bound"),
        )
        .layer(TokenBindingLayer::new())
}

struct Service {
    address: SocketAddr,
    end: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Service {
    async fn start(pki: &Pki, alpn: &[TokenBindingAlpn], handshake: Duration) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let listener = TokenBindingListener::new(listener, pki.acceptor(alpn));
        let listener = listener.handshake_timeout(handshake);
        let (end, told) = oneshot::channel();
        let service = routes().into_make_service_with_connect_info::<TokenBindingPeer>();
        let server = axum::serve(listener, service).with_graceful_shutdown(async {
            let _ = told.await;
        });
        let server = tokio::spawn(server.into_future());
        Self {
            address,
            end,
            server,
        }
    }

    async fn get(&self, client: &Client, path: &str) -> (StatusCode, Version, String) {
        let url = format!("https://{}{path}", self.address);
        let response = client.request(loopback::get(&url), RequestOptions::default());
        let response = soon(response).await.unwrap();
        (response.status(), response.version(), text(response).await)
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

#[tokio::test]
async fn handlers_see_the_clients_key_over_both_versions_of_http() {
    let pki = Pki::new();
    for (alpn, version) in [
        (TokenBindingAlpn::Http11P256, Version::HTTP_11),
        (TokenBindingAlpn::H2P256, Version::HTTP_2),
    ] {
        let service = Service::start(&pki, &[alpn], FOR_EVER).await;
        let client = pki.client();
        let (status, over, key) = service.get(&client, "/key").await;
        assert_eq!((status, over, key.len()), (StatusCode::OK, version, 64));
        assert_eq!(service.get(&client, "/key").await.2, key);
        assert_ne!(service.get(&pki.client(), "/key").await.2, key);
        assert_eq!(service.get(&client, "/bound").await.2, "bound");
    }
}

#[tokio::test]
async fn handlers_see_clients_without_token_binding_and_where_everybody_comes_from() {
    let pki = Pki::new();
    let service = Service::start(&pki, &TokenBindingAlpn::ALL, FOR_EVER).await;
    let (plain, _) = pki.client_with(&[], MemoryKeyStore::new());
    assert_eq!(service.get(&plain, "/key").await.2, "none");
    let (status, ..) = service.get(&plain, "/bound").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    for (client, bound) in [(plain, "false"), (pki.client(), "true")] {
        let (_, _, answer) = service.get(&client, "/address").await;
        let (address, negotiated) = answer.split_once(' ').unwrap();
        let address: SocketAddr = address.parse().unwrap();
        assert!(address.ip().is_loopback() && address.port() != service.address.port());
        assert_eq!(negotiated, bound);
    }
}

#[tokio::test]
async fn the_connection_alone_will_do_as_connect_info() {
    let pki = Pki::new();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://{}/key", listener.local_addr().unwrap());
    let listener = TokenBindingListener::new(listener, pki.acceptor(&TokenBindingAlpn::ALL));
    let service = routes().into_make_service_with_connect_info::<TokenBindingConnection>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    let client = pki.client();
    let response = client.request(loopback::get(&url), RequestOptions::default());
    assert_eq!(text(soon(response).await.unwrap()).await.len(), 64);
}

#[tokio::test]
async fn without_connect_info_nothing_is_served() {
    let pki = Pki::new();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://{}/key", listener.local_addr().unwrap());
    let listener = TokenBindingListener::new(listener, pki.acceptor(&TokenBindingAlpn::ALL));
    tokio::spawn(async move { axum::serve(listener, routes()).await });
    let client = pki.client();
    let response = client.request(loopback::get(&url), RequestOptions::default());
    let response = soon(response).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn who_does_not_finish_a_handshake_does_not_keep_others_waiting() {
    let pki = Pki::new();
    let service = Service::start(&pki, &TokenBindingAlpn::ALL, FOR_EVER).await;
    let silent = [service.connect().await, service.connect().await];
    let mut halfway = service.connect().await;
    halfway.write_all(&[22, 3, 1, 0, 200]).await.unwrap();
    let mut plain = service.connect().await;
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    drop(service.connect().await);
    let client = pki.client();
    assert_eq!(service.get(&client, "/bound").await.2, "bound");
    drop((silent, halfway, plain));
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_ended() {
    let pki = Pki::new();
    let limit = Duration::from_millis(50);
    let service = Service::start(&pki, &TokenBindingAlpn::ALL, limit).await;
    let mut silent = service.connect().await;
    let mut halfway = service.connect().await;
    halfway.write_all(&[22, 3, 1, 0, 200]).await.unwrap();
    for stream in [&mut silent, &mut halfway] {
        // Closed, with whatever was not read yet thrown away.
        let end = soon(stream.read(&mut [0; 1])).await;
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    }
}

#[tokio::test]
async fn a_finished_connection_may_be_silent_longer_than_a_handshake() {
    let pki = Pki::new();
    let limit = Duration::from_millis(500);
    let service = Service::start(&pki, &[TokenBindingAlpn::H2P256], limit).await;
    let client = pki.client();
    let (_, _, first) = service.get(&client, "/address").await;
    tokio::time::sleep(limit * 2).await;
    // The same port: the same connection.
    assert_eq!(service.get(&client, "/address").await.2, first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_at_once_are_all_served_with_their_own_keys() {
    const MANY: usize = 200;
    let pki = Pki::new();
    let service = Service::start(&pki, &TokenBindingAlpn::ALL, FOR_EVER).await;
    let url = format!("https://{}/key", service.address);
    let clients: Vec<_> = (0..MANY)
        .map(|_| {
            let (client, request) = (pki.client(), loopback::get(&url));
            tokio::spawn(async move {
                let response = client.request(request, RequestOptions::default());
                text(soon(response).await.unwrap()).await
            })
        })
        .collect();
    let mut keys = HashSet::new();
    for client in clients {
        keys.insert(client.await.unwrap());
    }
    assert_eq!(keys.len(), MANY);
}

#[tokio::test]
async fn a_refused_request_ends_the_connection_without_an_answer() {
    let pki = Pki::new();
    let alpn = &[TokenBindingAlpn::Http11P256];
    let service = Service::start(&pki, alpn, FOR_EVER).await;
    let state = ClientState::new(MemoryKeyStore::new(), ClientOptions::default());
    let connector = pki.connector(alpn, state.into());
    for header in ["", "Token-Binding: AAAA\r\n", "Token-Binding: \r\n"] {
        let origin = format!("https://{}", service.address).parse().unwrap();
        let connected = connector.connect(origin, service.connect().await).await;
        let mut stream = connected.unwrap().stream;
        let request = format!("GET /key HTTP/1.1\r\nHost: a\r\n{header}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let end = soon(stream.read_to_end(&mut answer)).await;
        assert!(end.is_err(), "no close_notify after {header:?}");
        assert_eq!(answer, b"");
    }
}

#[tokio::test]
async fn told_to_end_it_does_not_wait_for_handshakes() {
    let pki = Pki::new();
    let service = Service::start(&pki, &TokenBindingAlpn::ALL, FOR_EVER).await;
    let mut silent = service.connect().await;
    assert_eq!(service.get(&pki.client(), "/bound").await.2, "bound");
    service.end.send(()).unwrap();
    soon(service.server).await.unwrap().unwrap();
    assert_eq!(soon(silent.read(&mut [0; 1])).await.unwrap(), 0);
}
