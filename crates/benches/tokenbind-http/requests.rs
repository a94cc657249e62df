//! The cost of a bound connection for each request after the first: hyper on both sides, TLS 1.2 over
//! loopback, with Token Binding and without.
//!
//! Client and server share one thread: the kernel hands every byte over at once, nothing waits for
//! another core to wake, and the measured time is the time both spend. The application does nothing,
//! so that a cost is more visible than elsewhere.

#![allow(missing_docs, reason = "criterion_group! makes public items")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "a benchmark that cannot begin stops"
)]

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use benches::{Ratio, compare, ratios, times};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header::HOST};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use rustls::{ClientConfig, ServerConfig, crypto::ring::default_provider, version::TLS12};
use test_support::pki::{Certificate, Identity};
use tokenbind_http::{
    ProvidedTokenBinding,
    client::{self, HttpClient, HttpsConnector, RequestOptions},
    header::TOKEN_BINDING,
    keys::MemoryKeyStore,
    server::{self, serve_connection},
    tls::{ServerConfigs, VersionPreference, client_config},
};
use tokenbind_wire::{ApplicationProtocol, TokenBindingAlpn};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const ALPN: [(&str, TokenBindingAlpn); 4] = [
    ("http1-p256", TokenBindingAlpn::Http11P256),
    ("http1-rsa2048", TokenBindingAlpn::Http11Rsa2048),
    ("http2-p256", TokenBindingAlpn::H2P256),
    ("http2-rsa2048", TokenBindingAlpn::H2Rsa2048),
];

/// Makes the server's certificate and key.
fn identity() -> Identity {
    Certificate::server(&["localhost"]).self_signed()
}

/// The application: the least an application can do.
async fn application<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::from("Hello, world!"));
    if request.extensions().get::<ProvidedTokenBinding>().is_none() {
        *response.status_mut() = StatusCode::NON_AUTHORITATIVE_INFORMATION;
    }
    Ok(response)
}

/// Which status the application gives with and without a binding.
const fn status(bound: bool) -> StatusCode {
    if bound {
        StatusCode::OK
    } else {
        StatusCode::NON_AUTHORITATIVE_INFORMATION
    }
}

/// A request as Firefox makes it, with a cookie, as there is one where tokens are bound.
fn request() -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    for (name, value) in [
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        ),
        (
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        ),
        ("accept-language", "en-US,en;q=0.5"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        (
            "cookie",
            "session=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5",
        ),
        ("upgrade-insecure-requests", "1"),
        ("sec-fetch-dest", "document"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-site", "same-origin"),
    ] {
        let (name, value) = (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
        request.headers_mut().insert(name, value);
    }
    request
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

async fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().await.expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    stream
}

/// hyper's server over tokio-rustls, as it is without this crate.
async fn stock_server(identity: &Identity, protocol: ApplicationProtocol) -> SocketAddr {
    let mut config = ServerConfig::builder_with_provider(default_provider().into())
        .with_protocol_versions(&[&TLS12])
        .expect("it has TLS 1.2")
        .with_no_client_auth()
        .with_single_cert(identity.chain(), identity.private_key())
        .expect("its key");
    config.alpn_protocols = vec![protocol.alpn().into()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        loop {
            let stream = accept(&listener).await;
            let stream = acceptor.accept(stream).await.expect("a handshake");
            let io = TokioIo::new(stream);
            let service = TowerToHyperService::new(tower::service_fn(application));
            // Ends when the client goes away.
            if protocol == ApplicationProtocol::Http2 {
                let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                builder.timer(TokioTimer::new());
                tokio::spawn(builder.serve_connection(io, service));
            } else {
                let mut builder = hyper::server::conn::http1::Builder::new();
                builder.timer(TokioTimer::new());
                tokio::spawn(builder.serve_connection(io, service).with_upgrades());
            }
        }
    });
    address
}

/// Does the same with this crate.
async fn bound_server(identity: &Identity, alpn: TokenBindingAlpn) -> SocketAddr {
    let configs = ServerConfigs::build(
        default_provider(),
        &[alpn],
        VersionPreference::TokenBinding,
        |builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(identity.chain(), identity.private_key())
        },
    );
    let acceptor = server::Acceptor::new(configs.expect("configurations"));
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        loop {
            let stream = accept(&listener).await;
            let stream = acceptor.accept(stream).await.expect("a handshake");
            tokio::spawn(serve_connection(stream, tower::service_fn(application)));
        }
    });
    address
}

/// hyper's client connection, the value of the header, and whether the server takes it as bound.
struct Connection {
    sender: Sender,
    header: Option<HeaderValue>,
    bound: bool,
}

enum Sender {
    Http1(http1::SendRequest<Empty<Bytes>>),
    Http2(http2::SendRequest<Empty<Bytes>>),
}

impl Connection {
    async fn new(
        stream: tokio_rustls::client::TlsStream<TcpStream>,
        protocol: ApplicationProtocol,
        header: Option<HeaderValue>,
        bound: bool,
    ) -> Self {
        let tls = stream.get_ref().1;
        let suite = tls.negotiated_cipher_suite().map(|suite| suite.suite());
        assert_eq!(
            suite,
            Some(rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
            "with and without are encrypted alike"
        );
        let io = TokioIo::new(stream);
        let sender = if protocol == ApplicationProtocol::Http2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io)
                .await
                .expect("HTTP/2");
            tokio::spawn(connection);
            Sender::Http2(sender)
        } else {
            let (sender, connection) = http1::handshake(io).await.expect("HTTP/1.1");
            tokio::spawn(connection);
            Sender::Http1(sender)
        };
        let mut connection = Self {
            sender,
            header,
            bound,
        };
        connection.exchange().await;
        connection
    }

    /// Requests without this crate: a `header` is sent, but not read.
    async fn stock(
        identity: &Identity,
        protocol: ApplicationProtocol,
        header: Option<HeaderValue>,
    ) -> Self {
        let address = stock_server(identity, protocol).await;
        let mut config = ClientConfig::builder_with_provider(default_provider().into())
            .with_protocol_versions(&[&TLS12])
            .expect("it has TLS 1.2")
            .with_root_certificates(identity.roots())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.alpn().into()];
        let connector = TlsConnector::from(Arc::new(config));
        let name = "localhost".try_into().expect("a name");
        let stream = connector.connect(name, connect(address).await);
        Self::new(stream.await.expect("a handshake"), protocol, header, false).await
    }

    async fn bound(identity: &Identity, alpn: TokenBindingAlpn) -> Self {
        let address = bound_server(identity, alpn).await;
        let connector = token_binding_connector(identity, &[alpn]);
        let origin = "https://localhost".parse().expect("an origin");
        let stream = connector.connect(origin, connect(address).await);
        let connected = stream.await.expect("a handshake");
        let header = connected.connection.header(connector.state(), None);
        let value = header.expect("a header").value.expect("negotiated");
        let value = HeaderValue::from_str(&value).expect("base64url");
        let protocol = alpn.application_protocol();
        Self::new(connected.stream, protocol, Some(value), true).await
    }

    /// One request and its response.
    async fn exchange(&mut self) {
        let mut request = request();
        if let Some(value) = &self.header {
            let name = HeaderName::from_static(TOKEN_BINDING);
            request.headers_mut().insert(name, value.clone());
        }
        let response = match &mut self.sender {
            Sender::Http1(sender) => {
                let host = HeaderValue::from_static("localhost");
                request.headers_mut().insert(HOST, host);
                sender.ready().await.expect("kept alive");
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                *request.uri_mut() = http::Uri::from_static("https://localhost/");
                sender.ready().await.expect("kept alive");
                sender.send_request(request).await
            }
        };
        read(response.expect("a response"), self.bound).await;
    }
}

async fn read(response: Response<Incoming>, bound: bool) {
    assert_eq!(response.status(), status(bound));
    let body = response.into_body().collect().await.expect("a body");
    assert_eq!(body.to_bytes(), "Hello, world!");
}

async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    stream
}

fn token_binding_connector(identity: &Identity, alpn: &[TokenBindingAlpn]) -> client::Connector {
    let config = client_config(default_provider(), alpn, |builder| {
        builder
            .with_root_certificates(identity.roots())
            .with_no_client_auth()
    });
    let state = client::State::new(MemoryKeyStore::new(), client::Options::default());
    client::Connector::new(Arc::new(config.expect("it has TLS 1.2")), Arc::new(state))
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}

/// hyper's connection with this crate's server and a header, against the same without both, and
/// against the same without this crate's server: what checking the header costs, and not its bytes.
fn connections(c: &mut Criterion<Ratio>) {
    let (runtime, identity) = (runtime(), identity());
    let exchanges = |connection: &mut Connection, times| {
        runtime.block_on(async {
            for _ in 0..times {
                connection.exchange().await;
            }
        });
    };
    for (name, alpn) in ALPN {
        let protocol = alpn.application_protocol();
        let mut bound = runtime.block_on(Connection::bound(&identity, alpn));
        let header = bound.header.clone();
        for (what, header) in [("stock", None), ("unchecked", header)] {
            let stock = Connection::stock(&identity, protocol, header);
            let mut stock = runtime.block_on(stock);
            compare(
                c,
                &format!("{name}/to-{what}"),
                6,
                |times| exchanges(&mut bound, times),
                |times| exchanges(&mut stock, times),
            );
        }
    }
}

/// This crate's client with a server that negotiates, against the same with one that does not.
fn clients(c: &mut Criterion<Ratio>) {
    let (runtime, identity) = (runtime(), identity());
    for (name, alpn) in [ALPN[0], ALPN[2]] {
        let client = || {
            let connector = token_binding_connector(&identity, &[alpn]);
            HttpClient::new(HttpsConnector::new(connector))
        };
        let (with, without) = (client(), client());
        let bound = runtime.block_on(bound_server(&identity, alpn));
        let stock = runtime.block_on(stock_server(&identity, alpn.application_protocol()));
        let exchange = async |client: &HttpClient<Empty<Bytes>>, address: SocketAddr, bound| {
            let mut request = request();
            let uri = format!("https://localhost:{}/", address.port());
            *request.uri_mut() = uri.parse().expect("a URI");
            let response = client.send(request, RequestOptions::default());
            read(response.await.expect("a response").0, bound).await;
        };
        compare(
            c,
            &format!("{name}-client/to-not-negotiated"),
            6,
            |times| {
                runtime.block_on(async {
                    for _ in 0..times {
                        exchange(&with, bound, true).await;
                    }
                });
            },
            |times| {
                runtime.block_on(async {
                    for _ in 0..times {
                        exchange(&without, stock, false).await;
                    }
                });
            },
        );
    }
}

/// The times themselves: of a request and its response, on both sides together.
fn requests(c: &mut Criterion) {
    let (runtime, identity) = (runtime(), identity());
    let mut measure = |name: &str, connection: &mut Connection| {
        c.bench_function(&format!("request/{name}"), |b| {
            b.iter(|| runtime.block_on(connection.exchange()));
        });
    };
    for (name, protocol) in [
        ("http1-stock", ApplicationProtocol::Http11),
        ("http2-stock", ApplicationProtocol::Http2),
    ] {
        let mut connection = runtime.block_on(Connection::stock(&identity, protocol, None));
        measure(name, &mut connection);
    }
    for (name, alpn) in ALPN {
        let mut connection = runtime.block_on(Connection::bound(&identity, alpn));
        measure(name, &mut connection);
    }
}

criterion_group! {
    name = timed;
    config = times();
    targets = requests
}
criterion_group! {
    name = compared;
    config = ratios();
    targets = connections, clients
}
criterion_main!(timed, compared);
