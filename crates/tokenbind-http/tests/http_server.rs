//! The server: what handlers of axum see, handshakes that go wrong, limits, idle connections, shutdown.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod loopback;

use std::{
    collections::HashSet,
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{Extension, Router, body::Body, routing::get};
use bytes::Bytes;
use http::{StatusCode, Version};
use loopback::{Pki, soon, text};
use tokenbind_http::{
    ProvidedTokenBinding,
    client::{self, HttpClient, RequestOptions},
    keys::MemoryKeyStore,
    server,
};
use tokenbind_wire::TokenBindingAlpn;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_rustls::client::TlsStream;

const FOR_EVER: Duration = Duration::from_secs(1 << 30);

async fn key(binding: Option<Extension<ProvidedTokenBinding>>) -> String {
    binding.map_or_else(
        || "none".to_owned(),
        |Extension(binding)| hex::encode(binding.id().key_id_sha256()),
    )
}

async fn address(Extension(peer): Extension<server::Peer>) -> String {
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
        .route("/slow", get(slow))
        .route(
            "/drip",
            get(async || Body::new(Drip(Box::pin(sleep(SLOW)), 2))),
        )
}

/// The time that a slow request takes.
const SLOW: Duration = Duration::from_millis(600);

async fn slow() -> &'static str {
    sleep(SLOW).await;
    "slow"
}

/// A body that takes its time for each part.
struct Drip(Pin<Box<tokio::time::Sleep>>, u8);

impl hyper::body::Body for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        std::task::ready!(self.0.as_mut().poll(context));
        let Some(left) = self.1.checked_sub(1) else {
            return Poll::Ready(None);
        };
        let next = tokio::time::Instant::now().checked_add(SLOW).unwrap();
        self.0.as_mut().reset(next);
        self.1 = left;
        Poll::Ready(Some(Ok(hyper::body::Frame::data("drip".into()))))
    }
}

struct Service {
    address: SocketAddr,
    end: oneshot::Sender<()>,
    server: JoinHandle<usize>,
    events: mpsc::UnboundedReceiver<String>,
}

impl Service {
    async fn start(pki: &Pki, alpn: &[TokenBindingAlpn], handshake: Duration) -> Self {
        Self::with(pki, alpn, |server| server.handshake_timeout(handshake)).await
    }

    async fn with(
        pki: &Pki,
        alpn: &[TokenBindingAlpn],
        set: impl FnOnce(server::Server) -> server::Server,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, events) = mpsc::unbounded_channel();
        let server = set(server::Server::new(pki.acceptor(alpn))).on_event(move |event| {
            let _ = tell.send(event.to_string());
        });
        let (end, told) = oneshot::channel();
        let told = async {
            let _ = told.await;
        };
        let server = async move { server.serve_until(listener, routes(), told).await };
        let server = tokio::spawn(server);
        Self {
            address,
            end,
            server,
            events,
        }
    }

    async fn get(&self, client: &HttpClient, path: &str) -> (StatusCode, Version, String) {
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
async fn shows_handlers_the_clients_key_over_both_versions_of_http() {
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
async fn shows_handlers_clients_without_token_binding_and_addresses() {
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
async fn serves_others_while_a_handshake_does_not_finish() {
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
async fn ends_a_server_handshake_that_takes_too_long() {
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
async fn keeps_a_silent_connection_longer_than_a_handshake() {
    let pki = Pki::new();
    let limit = Duration::from_millis(500);
    let service = Service::start(&pki, &[TokenBindingAlpn::H2P256], limit).await;
    let client = pki.client();
    let (_, _, first) = service.get(&client, "/address").await;
    sleep(limit * 2).await;
    // The same port: the same connection.
    assert_eq!(service.get(&client, "/address").await.2, first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serves_many_connections_at_once_with_their_own_keys() {
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
async fn closes_the_connection_without_an_answer_to_a_refused_request() {
    let pki = Pki::new();
    let alpn = &[TokenBindingAlpn::Http11P256];
    let service = Service::start(&pki, alpn, FOR_EVER).await;
    let state = client::State::new(MemoryKeyStore::new(), client::Options::default());
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
async fn stops_without_waiting_for_handshakes() {
    let pki = Pki::new();
    let service = Service::start(&pki, &TokenBindingAlpn::ALL, FOR_EVER).await;
    let mut silent = service.connect().await;
    assert_eq!(service.get(&pki.client(), "/bound").await.2, "bound");
    service.end.send(()).unwrap();
    assert_eq!(soon(service.server).await.unwrap(), 0);
    assert_eq!(soon(silent.read(&mut [0; 1])).await.unwrap(), 0);
}

/// Reads until the server ends the connection, which it does before a handshake would time out.
async fn ended(stream: &mut TcpStream) {
    let end = soon(stream.read(&mut [0; 1])).await;
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}

#[tokio::test]
async fn replaces_silent_connections_so_that_others_are_served() {
    let pki = Pki::new();
    let mut service = Service::with(&pki, &TokenBindingAlpn::ALL, |server| {
        server.handshake_timeout(FOR_EVER).max_connections(4)
    })
    .await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(service.connect().await);
    }
    let began = Instant::now();
    assert_eq!(service.get(&pki.client(), "/bound").await.2, "bound");
    assert!(began.elapsed() < Duration::from_secs(20));
    for stream in silent.iter_mut().take(36) {
        ended(stream).await;
    }
    let event = soon(service.events.recv()).await.unwrap();
    assert!(
        event.ends_with(": gave way to a later connection"),
        "{event}"
    );
}

#[tokio::test]
async fn replaces_silent_connections_before_handshakes() {
    let pki = Pki::new();
    let service = Service::with(&pki, &TokenBindingAlpn::ALL, |server| {
        server.handshake_timeout(FOR_EVER).max_connections(2)
    })
    .await;
    let mut halfway = service.connect().await;
    halfway.write_all(&[22, 3, 1, 0, 200]).await.unwrap();
    sleep(Duration::from_millis(200)).await;
    let mut silent = service.connect().await;
    let client = pki.client();
    assert_eq!(service.get(&client, "/bound").await.2, "bound");
    ended(&mut silent).await;
    assert!(timeout(SLOW, halfway.read(&mut [0; 1])).await.is_err());
    // The client's connection is kept, so the handshake has to go.
    let other = pki.client();
    assert_eq!(service.get(&other, "/bound").await.2, "bound");
    ended(&mut halfway).await;
}

#[tokio::test]
async fn replaces_a_connection_without_a_request() {
    let pki = Pki::new();
    for alpn in [TokenBindingAlpn::Http11P256, TokenBindingAlpn::H2P256] {
        let service = Service::with(&pki, &[alpn], |server| {
            server.idle_timeout(FOR_EVER).max_connections(2)
        })
        .await;
        let mut streams = Vec::new();
        for _ in 0..2 {
            let stream = service.connect().await;
            streams.push(handshake(&pki, &[alpn], &service, stream).await.0);
        }
        assert_eq!(service.get(&pki.client(), "/bound").await.2, "bound");
        let mut rest = Vec::new();
        let first = streams.first_mut().unwrap();
        let _ended = soon(first.read_to_end(&mut rest)).await;
    }
}

#[tokio::test]
async fn keeps_served_connections_at_the_limit() {
    let pki = Pki::new();
    let service = Service::with(&pki, &[TokenBindingAlpn::Http11P256], |server| {
        server.handshake_timeout(FOR_EVER).max_connections(1)
    })
    .await;
    let first = pki.client();
    let (_, _, address) = service.get(&first, "/address").await;
    let url = format!("https://{}/bound", service.address);
    let second = tokio::spawn(async move {
        let client = pki.client();
        let response = client.request(loopback::get(&url), RequestOptions::default());
        text(soon(response).await.unwrap()).await
    });
    sleep(SLOW).await;
    assert_eq!(service.get(&first, "/address").await.2, address);
    assert!(!second.is_finished());
    first.close_idle();
    drop(first);
    assert_eq!(soon(second).await.unwrap(), "bound");
}

#[tokio::test]
async fn limits_connections_of_an_address_and_serves_another() {
    let pki = Pki::new();
    let alpn = &[TokenBindingAlpn::Http11P256];
    let mut service = Service::with(&pki, alpn, |server| {
        server
            .handshake_timeout(FOR_EVER)
            .max_connections_per_address(2)
    })
    .await;
    let clients = [pki.client(), pki.client()];
    for client in &clients {
        service.get(client, "/bound").await;
    }
    ended(&mut service.connect().await).await;
    let event = soon(service.events.recv()).await.unwrap();
    assert!(
        event.ends_with(": too many connections of this address"),
        "{event}"
    );

    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
    let stream = socket.connect(service.address).await.unwrap();
    let (mut stream, header) = handshake(&pki, alpn, &service, stream).await;
    let answer = ask(&mut stream, "/address", &header).await;
    assert!(answer.contains("127.0.0.2:"), "{answer}");
}

/// A connection with Token Binding, and its header.
async fn handshake(
    pki: &Pki,
    alpn: &[TokenBindingAlpn],
    service: &Service,
    stream: TcpStream,
) -> (TlsStream<TcpStream>, String) {
    let state = client::State::new(MemoryKeyStore::new(), client::Options::default());
    let state = std::sync::Arc::new(state);
    let connector = pki.connector(alpn, state.clone());
    let origin = format!("https://{}", service.address).parse().unwrap();
    let connected = connector.connect(origin, stream).await.unwrap();
    let header = connected.connection.header(&state, None).unwrap().value;
    (connected.stream, header.unwrap().to_string())
}

/// Asks over HTTP/1.1, and reads what comes first.
async fn ask(stream: &mut TlsStream<TcpStream>, path: &str, header: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nToken-Binding: {header}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let length = soon(stream.read(&mut answer)).await.unwrap();
    String::from_utf8_lossy(answer.get(..length).unwrap()).into_owned()
}

#[tokio::test]
async fn closes_an_idle_connection_with_or_without_a_request() {
    let pki = Pki::new();
    let idle = Duration::from_millis(300);
    for alpn in [TokenBindingAlpn::Http11P256, TokenBindingAlpn::H2P256] {
        let service = Service::with(&pki, &[alpn], |server| server.idle_timeout(idle)).await;
        let client = pki.client();
        let (_, _, address) = service.get(&client, "/address").await;
        let stream = service.connect().await;
        // Of HTTP/2 not even the preface comes: it is cut some seconds later.
        let (mut silent, _) = handshake(&pki, &[alpn], &service, stream).await;
        let mut rest = Vec::new();
        let _ended = soon(silent.read_to_end(&mut rest)).await;
        // The client notices, and takes another one.
        assert_ne!(
            service.get(&client, "/address").await.2,
            address,
            "{alpn:?}"
        );
    }
}

#[tokio::test]
async fn keeps_a_connection_with_a_request_under_way() {
    let pki = Pki::new();
    let idle = Duration::from_millis(500);
    for alpn in [TokenBindingAlpn::Http11P256, TokenBindingAlpn::H2P256] {
        let service = Service::with(&pki, &[alpn], |server| server.idle_timeout(idle)).await;
        let client = pki.client();
        for (path, answer) in [("/slow", "slow"), ("/drip", "dripdrip")] {
            let (_, _, before) = service.get(&client, "/address").await;
            assert_eq!(service.get(&client, path).await.2, answer);
            // It was not told to close meanwhile.
            assert_eq!(service.get(&client, "/address").await.2, before, "{alpn:?}");
        }
    }
}

#[tokio::test]
async fn applies_hypers_settings_to_each_version() {
    let pki = Pki::new();
    let alpn = &[TokenBindingAlpn::Http11P256];
    let service = Service::with(&pki, alpn, |server| {
        server.http1(|http1| {
            http1.title_case_headers(true);
        })
    })
    .await;
    let stream = service.connect().await;
    let (mut stream, header) = handshake(&pki, alpn, &service, stream).await;
    let answer = ask(&mut stream, "/bound", &header).await;
    assert!(answer.contains("\r\nContent-Length: 5\r\n"), "{answer}");

    let service = Service::with(&pki, &[TokenBindingAlpn::H2P256], |server| {
        server.http2(|http2| {
            http2.max_header_list_size(1000);
        })
    })
    .await;
    let client = pki.client();
    let request = http::Request::get(format!("https://{}/key", service.address));
    let request = request.header("x-long", "x".repeat(1000));
    let request = request.body(http_body_util::Full::default()).unwrap();
    let response = soon(client.request(request, RequestOptions::default())).await;
    // A client may know the limit and not even send it.
    let status = response.map(|response| response.status());
    assert!(!matches!(status, Ok(StatusCode::OK)), "{status:?}");
    assert_eq!(service.get(&client, "/bound").await.2, "bound");
}

#[tokio::test]
async fn cuts_a_request_that_is_not_answered_in_time_at_shutdown() {
    let pki = Pki::new();
    let alpn = &[TokenBindingAlpn::Http11P256];
    let limit = Duration::from_millis(100);
    let service = Service::with(&pki, alpn, |server| server.shutdown_timeout(limit)).await;
    let stream = service.connect().await;
    let (mut stream, header) = handshake(&pki, alpn, &service, stream).await;
    let asked = tokio::spawn(async move { ask(&mut stream, "/slow", &header).await });
    sleep(limit).await;
    service.end.send(()).unwrap();
    assert_eq!(soon(service.server).await.unwrap(), 1);
    // Nothing was answered.
    assert_eq!(soon(asked).await.unwrap_or_default(), "");
}

#[tokio::test]
async fn reports_failures() {
    let pki = Pki::new();
    let alpn = &[TokenBindingAlpn::Http11P256];
    let limit = Duration::from_millis(200);
    let mut service = Service::with(&pki, alpn, |server| server.handshake_timeout(limit)).await;
    let silent = service.connect().await;
    let event = soon(service.events.recv()).await.unwrap();
    assert!(event.ends_with(": handshake timed out"), "{event}");
    drop(silent);
    let mut plain = service.connect().await;
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let event = soon(service.events.recv()).await.unwrap();
    assert!(event.contains(": handshake failed: "), "{event}");
    let stream = service.connect().await;
    let (mut stream, _) = handshake(&pki, alpn, &service, stream).await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let event = soon(service.events.recv()).await.unwrap();
    assert!(event.contains(": terminated: "), "{event}");
}
