//! The server: what handlers of axum see, handshakes that go wrong, limits, idle connections, shutdown.

#![cfg(all(feature = "client", feature = "hyper"))]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod limits;
mod serving;
mod settings;

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
use test_support::loopback::{self, Pki, soon, text};
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
    time::{error::Elapsed, sleep, timeout},
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

/// Reads until the server ends the connection, which it does before a handshake would time out.
async fn ended(stream: &mut TcpStream) {
    let end = soon(stream.read(&mut [0; 1])).await;
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
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
