//! Requests that a client sends at once: they are checked in the order of their arrival, on each adapter,
//! and the protocol is the one that was negotiated (draft-popov-token-binding-00 sections 3 and 5).

#![cfg(all(feature = "client", feature = "hyper"))]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, routing};
use http_body_util::BodyExt;
use test_support::loopback::{Pki, soon};
use test_support::raw_http2::{
    self, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, frames,
    get, head, preface,
};
use tokenbind_http::{
    client,
    keys::MemoryKeyStore,
    server::{self, serve_connection},
};
use tokenbind_wire::{TerminateKind, TokenBindingAlpn};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::client::TlsStream;

const H2: &[TokenBindingAlpn] = &[TokenBindingAlpn::H2P256];
const HTTP11: &[TokenBindingAlpn] = &[TokenBindingAlpn::Http11P256];
const NONE: &[TokenBindingAlpn] = &[];

const ADAPTERS: [Adapter; 2] = [Adapter::Connection, Adapter::Server];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminates_on_the_first_request_of_a_write_before_the_second_is_served() {
    const TRIES: usize = 80;
    let allowing = server::Options {
        allow_later_requests_without_header: true,
        ..server::Options::default()
    };
    for (adapter, options) in [
        (Adapter::Connection, server::Options::default()),
        (Adapter::Server, server::Options::default()),
        (Adapter::Server, allowing),
    ] {
        let site = Site::start(adapter, options).await;
        for first in [None, Some("AAAA"), Some("")] {
            let fields: Vec<_> = first
                .map(|value| ("token-binding", value))
                .into_iter()
                .collect();
            for number in 0..TRIES {
                let (stream, header) = site.connect(H2).await;
                let header = header.unwrap();
                let mut octets = preface();
                octets.extend(get(1, "localhost", &fields));
                if number % 4 == 3 {
                    octets.extend(frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]));
                }
                octets.extend(get(3, "localhost", &[("token-binding", &header)]));
                says_nothing(&exchange(stream, &octets).await);
                let (served, refusals) = site.taken();
                assert_eq!((served, refusals.len()), (0, 1), "{adapter:?} {first:?}");
            }
        }
    }
}

/// The head of a request, in frames of so many octets.
fn continued(stream: u32, fields: &[(&str, &str)], length: usize) -> Vec<u8> {
    let block = raw_http2::block(fields);
    let mut parts = block.chunks(length).peekable();
    let (mut kind, mut flags, mut octets) = (HEADERS, END_STREAM, Vec::new());
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            flags |= raw_http2::END_HEADERS;
        }
        octets.extend(frame(kind, flags, stream, part));
        (kind, flags) = (CONTINUATION, 0);
    }
    octets
}

const CONTINUATION: u8 = 9;

/// The fields of a GET request, and these.
fn fields<'f>(more: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    let mut all = vec![
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/"),
        (":authority", "localhost"),
    ];
    all.extend(more);
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminates_on_a_first_request_that_http_2_itself_refuses() {
    let long = "x".repeat(20_000);
    for adapter in ADAPTERS {
        let site = Site::start(adapter, server::Options::default()).await;
        let without_path = fields(&[]).into_iter().filter(|(name, _)| *name != ":path");
        for first in [
            fields(&[("x-long", &long)]),
            fields(&[("token-binding", &long)]),
            fields(&[("connection", "close")]),
            fields(&[("te", "gzip")]),
            fields(&[("content-length", "5")]),
            fields(&[(":protocol", "websocket")]),
            without_path.collect(),
        ] {
            for number in 0..8 {
                let (mut stream, header) = site.connect(H2).await;
                let mut octets = preface();
                octets.extend(continued(1, &first, 5000));
                if number % 2 == 1 {
                    // The second comes later.
                    stream.write_all(&octets).await.unwrap();
                    octets = Vec::new();
                }
                octets.extend(get(3, "localhost", &[("token-binding", &header.unwrap())]));
                says_nothing(&exchange(stream, &octets).await);
                let unreadable = vec![server::TerminateKind::UnreadableFirstRequest];
                assert_eq!(site.taken(), (0, unreadable), "{adapter:?} {first:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serves_requests_in_any_pieces() {
    for (part, write, adapter) in [
        (90, 1, Adapter::Server),
        (120, 7, Adapter::Connection),
        (300, 9, Adapter::Server),
        (90, 40, Adapter::Connection),
        (5000, 5000, Adapter::Server),
    ] {
        let site = Site::start(adapter, server::Options::default()).await;
        let (mut stream, header) = site.connect(H2).await;
        let header = header.unwrap();
        let mut octets = preface();
        let good = [("token-binding", header.as_str())];
        octets.extend(frame(PING, 0, 0, &[0; 8]));
        octets.extend(continued(1, &fields(&good), part));
        octets.extend(continued(3, &fields(&good), part));
        octets.extend(frame(GOAWAY, 0, 0, &[0; 8]));
        for piece in octets.chunks(write) {
            stream.write_all(piece).await.unwrap();
        }
        let answer = frames(&exchange(stream, b"").await);
        let answered = [(HEADERS, 1), (HEADERS, 3)].map(|frame| answer.contains(&frame));
        assert_eq!(
            (answered, site.taken()),
            ([true; 2], (2, vec![])),
            "{part} {write}"
        );
    }
}

#[tokio::test]
async fn answers_a_later_request_as_http_2_does_where_it_is_malformed_or_too_long() {
    let long = "x".repeat(20_000);
    let site = Site::start(Adapter::Server, server::Options::default()).await;
    let (stream, header) = site.connect(H2).await;
    let header = header.unwrap();
    let good = [("token-binding", header.as_str())];
    let mut octets = preface();
    octets.extend(get(1, "localhost", &good));
    octets.extend(continued(3, &fields(&[("x-long", &long)]), 5000));
    octets.extend(get(5, "localhost", &good));
    octets.extend(frame(GOAWAY, 0, 0, &[0; 8]));
    let answer = frames(&exchange(stream, &octets).await);
    let answered = [1, 3, 5].map(|stream| answer.contains(&(HEADERS, stream)));
    assert_eq!((answered, site.taken()), ([true; 3], (2, vec![])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminates_on_a_header_that_was_not_negotiated_before_the_second_is_served() {
    for adapter in ADAPTERS {
        let site = Site::start(adapter, server::Options::default()).await;
        for _ in 0..20 {
            let (stream, _) = site.connect(NONE).await;
            let mut octets = preface();
            octets.extend(get(1, "localhost", &[("token-binding", "AAAA")]));
            octets.extend(get(3, "localhost", &[]));
            says_nothing(&exchange(stream, &octets).await);
            let not_negotiated = server::TerminateKind::Message(TerminateKind::NotNegotiated);
            assert_eq!(site.taken(), (0, vec![not_negotiated]), "{adapter:?}");
        }
    }
}

#[tokio::test]
async fn ends_a_connection_that_speaks_another_protocol_than_negotiated() {
    for adapter in ADAPTERS {
        let site = Site::start(adapter, server::Options::default()).await;
        let (stream, header) = site.connect(HTTP11).await;
        let mut octets = preface();
        octets.extend(get(1, "localhost", &[("token-binding", &header.unwrap())]));
        assert_eq!(exchange(stream, &octets).await, b"", "{adapter:?}");

        // The client without Token Binding offers h2 before http/1.1.
        for alpn in [H2, NONE] {
            let (stream, header) = site.connect(alpn).await;
            let header = header.map(|header| format!("Token-Binding: {header}\r\n"));
            let header = header.unwrap_or_default();
            let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{header}\r\n");
            says_nothing(&exchange(stream, request.as_bytes()).await);
        }
        assert_eq!(site.taken(), (0, vec![]), "{adapter:?}");
    }
}

#[tokio::test]
async fn terminates_on_the_field_in_a_trailer_that_is_read() {
    for adapter in ADAPTERS {
        let site = Site::start(adapter, server::Options::default()).await;
        for (alpn, name, good) in [
            (HTTP11, "Token-Binding", false),
            (HTTP11, "X-Sum", true),
            (H2, "token-binding", false),
            (H2, "x-sum", true),
            (NONE, "token-binding", false),
            (NONE, "x-sum", true),
        ] {
            let (stream, header) = site.connect(alpn).await;
            let octets = if alpn == HTTP11 {
                let header = header.unwrap();
                format!(
                    "POST / HTTP/1.1\r\nHost: localhost\r\nToken-Binding: {header}\r\n\
                     Connection: close\r\nTransfer-Encoding: chunked\r\nTrailer: {name}\r\n\r\n\
                     2\r\nab\r\n0\r\n{name}: {header}\r\n\r\n"
                )
                .into_bytes()
            } else {
                let fields: Vec<_> = header
                    .iter()
                    .map(|it| ("token-binding", it.as_str()))
                    .collect();
                let mut octets = preface();
                octets.extend(head(1, "POST", "localhost", &fields, 0));
                octets.extend(frame(raw_http2::DATA, 0, 1, b"ab"));
                let block = raw_http2::block(&[(name, "AAAA")]);
                let flags = END_STREAM | raw_http2::END_HEADERS;
                octets.extend(frame(HEADERS, flags, 1, &block));
                if good {
                    octets.extend(frame(GOAWAY, 0, 0, &[0; 8]));
                }
                octets
            };
            let answer = exchange(stream, &octets).await;
            let shown = answer.escape_ascii();
            if good {
                let answered = answer.starts_with(b"HTTP/1.1 200 OK")
                    || frames(&answer).contains(&(HEADERS, 1));
                assert!(answered, "{adapter:?} {alpn:?} {name}: {shown}");
                assert_eq!(site.taken(), (1, vec![]));
            } else {
                if alpn == HTTP11 {
                    assert_eq!(answer, b"", "{adapter:?}: {shown}");
                } else {
                    says_nothing(&answer);
                }
                assert_eq!(site.taken(), (1, vec![server::TerminateKind::Trailer]));
            }
        }
    }
}

/// The application of one stream reads a trailer, that of another waits: the connection ends at once.
#[tokio::test]
async fn ends_other_streams_when_a_trailer_terminates() {
    let pki = Pki::new();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let app = Router::new().fallback(routing::any(async |body: Body| {
        let waits = body.collect().await.is_ok();
        if waits {
            std::future::pending::<()>().await;
        }
        // The refused stream's application takes its time, too.
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }));
    let server = server::Server::new(pki.acceptor(H2));
    tokio::spawn(async move { server.serve(listener, app).await });
    let state = client::State::new(MemoryKeyStore::new(), client::Options::default());
    let state = Arc::new(state);
    let connector = pki.connector(H2, state.clone());
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let origin = format!("https://127.0.0.1:{port}").parse().unwrap();
    let connected = connector.connect(origin, stream).await.unwrap();
    let header = connected.connection.header(&state, None).unwrap().value;
    let header = header.unwrap().to_string();
    let fields = [("token-binding", header.as_str())];
    let mut octets = preface();
    octets.extend(get(1, "localhost", &fields));
    octets.extend(head(3, "POST", "localhost", &fields, 0));
    let block = raw_http2::block(&[("token-binding", "AAAA")]);
    let flags = END_STREAM | raw_http2::END_HEADERS;
    octets.extend(frame(HEADERS, flags, 3, &block));
    says_nothing(&exchange(connected.stream, &octets).await);
}

/// The adapter that serves an application.
#[derive(Clone, Copy, Debug)]
enum Adapter {
    Connection,
    Server,
}

/// A service on loopback that counts its requests and answers with the length of their bodies.
struct Site {
    pki: Pki,
    port: u16,
    served: Arc<AtomicUsize>,
    refusals: Arc<Mutex<Vec<server::TerminateKind>>>,
}

impl Site {
    async fn start(adapter: Adapter, options: server::Options) -> Self {
        let pki = Pki::new();
        let refusals: Arc<Mutex<Vec<_>>> = Arc::default();
        let noted = refusals.clone();
        let acceptor = pki.acceptor(&TokenBindingAlpn::ALL);
        let acceptor =
            acceptor
                .with_options(options)
                .on_terminate(move |refusal: server::TerminateReason| {
                    noted.lock().unwrap().push(refusal.kind())
                });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let served: Arc<AtomicUsize> = Arc::default();
        let count = served.clone();
        let app = Router::new().fallback(routing::any(async move |body: Body| {
            count.fetch_add(1, Ordering::SeqCst);
            body.collect().await.map_or_else(
                |_| "error".to_owned(),
                |body| body.to_bytes().len().to_string(),
            )
        }));
        match adapter {
            Adapter::Connection => tokio::spawn(by_hand(listener, acceptor, app)),
            Adapter::Server => {
                let server = server::Server::new(acceptor);
                tokio::spawn(async move { server.serve(listener, app).await })
            }
        };
        Self {
            pki,
            port,
            served,
            refusals,
        }
    }

    /// A connection under the first of these identifiers, or a plain one of HTTP/2 or HTTP/1.1,
    /// and the right header's value.
    async fn connect(&self, alpn: &[TokenBindingAlpn]) -> (TlsStream<TcpStream>, Option<String>) {
        let state = client::State::new(MemoryKeyStore::new(), client::Options::default());
        let state = Arc::new(state);
        let connector = self.pki.connector(alpn, state.clone());
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let origin = format!("https://127.0.0.1:{}", self.port).parse().unwrap();
        let connected = connector.connect(origin, stream).await.unwrap();
        let header = connected.connection.header(&state, None).unwrap().value;
        (connected.stream, header.map(|header| header.to_string()))
    }

    fn taken(&self) -> (usize, Vec<server::TerminateKind>) {
        let served = self.served.swap(0, Ordering::SeqCst);
        (served, std::mem::take(&mut self.refusals.lock().unwrap()))
    }
}

async fn by_hand(listener: TcpListener, acceptor: server::Acceptor, app: Router) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (acceptor, app) = (acceptor.clone(), app.clone());
        tokio::spawn(async move {
            let stream = acceptor.accept(stream).await.unwrap();
            let _ended = serve_connection(stream, app).await;
        });
    }
}

/// Writes octets in one record of TLS, and reads to the connection's end.
async fn exchange(mut stream: TlsStream<TcpStream>, octets: &[u8]) -> Vec<u8> {
    stream.write_all(octets).await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = Vec::new();
    // A terminated connection ends without close_notify.
    let _ended = soon(stream.read_to_end(&mut answer)).await;
    answer
}

/// Checks that the answer has only frames that manage the connection.
fn says_nothing(answer: &[u8]) {
    for (kind, stream) in frames(answer) {
        let of_connection = [SETTINGS, PING, WINDOW_UPDATE, GOAWAY];
        assert!(
            stream == 0 && of_connection.contains(&kind),
            "{kind} {stream}"
        );
    }
}
