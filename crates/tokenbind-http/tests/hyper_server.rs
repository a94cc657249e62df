//! The servers, over hyper and axum: what the application gets, what a bad request ends, shutdown,
//! clients that go away or hang.

#![cfg(all(feature = "client", feature = "hyper"))]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{
    convert::Infallible,
    error::Error,
    io::{self, ErrorKind},
    iter,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, routing};
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use test_support::loopback::{Pki, Server, get, ok, soon, text};
use tokenbind_http::{
    ProvidedTokenBinding, ReferredTokenBinding, TokenBindings,
    client::{self, HttpClient, RequestError, RequestOptions},
    header::TOKEN_BINDING,
    keys::MemoryKeyStore,
    server::{self, ServeError, serve_connection},
};
use tokenbind_wire::{TerminateKind, TokenBindingAlpn};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use tower::service_fn;

const H2: &[TokenBindingAlpn] = &[TokenBindingAlpn::H2P256];
const HTTP11: &[TokenBindingAlpn] = &[TokenBindingAlpn::Http11P256];

type Refusals = Arc<Mutex<Vec<server::TerminateReason>>>;

#[tokio::test]
async fn hands_the_application_the_bindings_alone_and_together() {
    let pki = Pki::new();
    let consumer = Server::start(pki.acceptor(H2), |_| ok()).await;
    let acceptor = pki.acceptor(HTTP11);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = acceptor.accept(stream).await.unwrap();
        let service = service_fn(|request: server::Request| async move {
            let extensions = request.extensions();
            let provided = extensions.get::<ProvidedTokenBinding>().unwrap();
            let referred = extensions.get::<ReferredTokenBinding>();
            let both = extensions.get::<TokenBindings>().unwrap();
            assert_eq!(both.provided(), provided);
            assert_eq!(both.referred(), referred);
            let said = format!("referred: {}", referred.is_some());
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(said)))
        });
        let _ended = serve_connection(stream, service).await;
    });
    let client = pki.client();
    fetch(&client, &consumer.url("/")).await;
    let url = format!("https://127.0.0.1:{port}/");
    for (page, said) in [
        (None, "referred: false"),
        (Some(consumer.origin), "referred: true"),
    ] {
        let options = RequestOptions {
            with_referer_token_binding_id: page,
            ..RequestOptions::default()
        };
        let response = soon(client.request(get(&url), options)).await.unwrap();
        assert_eq!(text(response).await, said);
    }
}

/// A body of which a first part comes, and no more.
struct Unfinished(Option<Bytes>);

impl Body for Unfinished {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(part) => Poll::Ready(Some(Ok(Frame::data(part)))),
            None => Poll::Pending,
        }
    }
}

/// Tells when it is dropped.
struct Dropped(mpsc::UnboundedSender<&'static str>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send("given up");
    }
}

/// One stream waits for its request's body, one for its response; a third one is bad.
#[tokio::test]
async fn ends_all_streams_of_a_connection_after_a_bad_one() {
    let pki = Pki::new();
    let (acceptor, refusals) = noting(pki.acceptor(H2));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = acceptor.accept(stream).await.unwrap();
        let service = service_fn(move |request: server::Request| {
            let tell = tell.clone();
            async move {
                let path = request.uri().path().to_owned();
                match path.as_str() {
                    "/upload" => {
                        let mut body = request.into_body();
                        let first = body.frame().await.unwrap().unwrap();
                        assert_eq!(first.into_data().unwrap(), "part");
                        tell.send("upload begun").unwrap();
                        // It must not look like the end of the body.
                        assert!(matches!(body.frame().await, Some(Err(_))));
                        tell.send("upload failed").unwrap();
                    }
                    "/pending" => {
                        let _dropped = Dropped(tell.clone());
                        tell.send("pending").unwrap();
                        std::future::pending::<()>().await;
                    }
                    path => panic!("{path} was served"),
                }
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("too late")))
            }
        });
        serve_connection(stream, service).await
    });

    let url = format!("https://127.0.0.1:{port}/");
    let (connected, header) = connect(&pki, H2, &url).await;
    let io = TokioIo::new(connected.stream);
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
    let (mut sender, connection) = handshake.await.unwrap();
    let connection = tokio::spawn(connection);
    let mut send = |path: &str, header: Option<&HeaderValue>, body| {
        let mut request = Request::post(format!("{url}{path}"));
        if let Some(header) = header {
            request = request.header(TOKEN_BINDING, header);
        }
        tokio::spawn(sender.send_request(request.body(Unfinished(body)).unwrap()))
    };
    let upload = send("upload", Some(&header), Some(Bytes::from("part")));
    assert_eq!(soon(told.recv()).await, Some("upload begun"));
    let pending = send("pending", Some(&header), None);
    assert_eq!(soon(told.recv()).await, Some("pending"));
    let bad = send("bad", None, None);

    for stream in [upload, pending, bad] {
        let error = soon(stream).await.unwrap().unwrap_err();
        assert_eq!(io_kind(&error), Some(ErrorKind::UnexpectedEof));
    }
    let Err(ServeError::Terminated(reason)) = soon(server).await.unwrap() else {
        panic!("the connection was not terminated");
    };
    assert_eq!(reason.kind(), server::TerminateKind::MissingInLaterRequest);
    let _ended = soon(connection).await.unwrap();
    let mut ends = [
        soon(told.recv()).await.unwrap(),
        soon(told.recv()).await.unwrap(),
    ];
    ends.sort_unstable();
    assert_eq!(ends, ["given up", "upload failed"]);
    assert_eq!(
        kinds(&refusals),
        [server::TerminateKind::MissingInLaterRequest]
    );
}

/// A thief read a header of the victim, and sends it over a connection of its own.
#[tokio::test]
async fn answers_nothing_to_a_header_of_another_connection() {
    let pki = Pki::new();
    let (acceptor, refusals) = noting(pki.acceptor(HTTP11));
    let server = Server::start(acceptor, |_| ok()).await;
    let (_victim, stolen) = connect(&pki, HTTP11, &server.base).await;
    let (mut thief, _own) = connect(&pki, HTTP11, &server.base).await;
    let stolen = stolen.to_str().unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\nToken-Binding: {stolen}\r\n\r\n");
    thief.stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let end = soon(thief.stream.read_to_end(&mut answer)).await;
    // There is no close alert either.
    assert_eq!(end.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(answer, b"");
    let signature = server::TerminateKind::Message(TerminateKind::SignatureInvalid);
    assert_eq!(kinds(&refusals), [signature]);
    assert!(server.seen().is_empty());
}

/// hyper serves each stream in a task of its own, and nothing says which task is first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checks_requests_of_http_2_in_the_order_of_their_arrival() {
    const CONNECTIONS: usize = 30;
    const REQUESTS: usize = 20;
    let pki = Pki::new();
    let options = server::Options {
        allow_later_requests_without_header: true,
        ..server::Options::default()
    };
    let (acceptor, refusals) = noting(pki.acceptor(H2).with_options(options));
    let server = Server::start(acceptor, |_| ok()).await;
    for _ in 0..CONNECTIONS {
        let (connected, header) = connect(&pki, H2, &server.url("/")).await;
        let io = TokioIo::new(connected.stream);
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
        let (mut sender, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        // All are sent in one go, only the first one with the header.
        let mut responses = Vec::new();
        for n in 0..REQUESTS {
            let mut request = get(&server.url("/"));
            if n == 0 {
                request.headers_mut().insert(TOKEN_BINDING, header.clone());
            }
            responses.push(tokio::spawn(sender.send_request(request)));
        }
        for response in responses {
            assert_eq!(soon(response).await.unwrap().unwrap().status(), 200);
        }
    }
    assert_eq!(kinds(&refusals), []);
    let seen = server.seen();
    assert!(seen.iter().all(|seen| seen.provided.is_some()));
    assert_eq!(seen.len(), CONNECTIONS * REQUESTS);
}

/// An axum application on a port of loopback, until it is stopped.
struct App {
    port: u16,
    stop: Arc<Notify>,
    stopped: JoinHandle<usize>,
}

async fn serve(acceptor: server::Acceptor, app: Router, handshake: Duration) -> App {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = server::Server::new(acceptor).handshake_timeout(handshake);
    let stop = Arc::new(Notify::new());
    let told = stop.clone();
    let stopped = tokio::spawn(async move {
        let told = async move { told.notified().await };
        server.serve_until(listener, app, told).await
    });
    App {
        port,
        stop,
        stopped,
    }
}

impl App {
    fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port)
    }
}

const A_MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn answers_requests_and_closes_idle_connections_at_shutdown() {
    for alpn in [HTTP11, H2] {
        let pki = Pki::new();
        let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tell, wait) = (asked.clone(), answer.clone());
        let slow = move || async move {
            tell.notify_one();
            wait.notified().await;
            "slow"
        };
        let app = Router::new()
            .route("/slow", routing::get(slow))
            .route("/", routing::get(|| async { "ok" }));
        let app = serve(pki.acceptor(alpn), app, A_MINUTE).await;
        let (idle, busy) = (pki.client(), pki.client());
        assert_eq!(fetch(&idle, &app.url("/")).await, "ok");
        let url = app.url("/slow");
        let slow = tokio::spawn(async move { fetch(&busy, &url).await });
        soon(asked.notified()).await;
        app.stop.notify_one();
        answer.notify_one();
        assert_eq!(soon(slow).await.unwrap(), "slow");
        let url = app.url("/");
        assert_eq!(soon(app.stopped).await.unwrap(), 0);
        let late = idle.request(get(&url), RequestOptions::default());
        let error = soon(late).await.unwrap_err();
        assert!(matches!(error, RequestError::Connect(_)), "{error:?}");
        let refused = Some(ErrorKind::ConnectionRefused);
        assert_eq!(io_kind(&error), refused, "{alpn:?}");
    }
}

#[tokio::test]
async fn checks_requests_that_axum_does_not_route() {
    for (request, good) in [
        ("GET / HTTP/1.1", false),
        ("GET /nowhere HTTP/1.1", false),
        ("DELETE / HTTP/1.1", false),
        ("GET /nowhere HTTP/1.1", true),
    ] {
        let pki = Pki::new();
        let (acceptor, refusals) = noting(pki.acceptor(HTTP11));
        let app = Router::new().route("/", routing::get(|| async { "ok" }));
        let app = serve(acceptor, app, A_MINUTE).await;
        let (connected, header) = connect(&pki, HTTP11, &app.url("/")).await;
        let mut stream = connected.stream;
        let mut head = format!("{request}\r\nHost: localhost\r\nConnection: close\r\n");
        if good {
            head += &format!("Token-Binding: {}\r\n", header.to_str().unwrap());
        }
        stream
            .write_all(format!("{head}\r\n").as_bytes())
            .await
            .unwrap();
        stream.flush().await.unwrap();
        let mut answer = Vec::new();
        // A terminated connection ends without close_notify.
        let _ended = soon(stream.read_to_end(&mut answer)).await;
        let missing = server::TerminateKind::Message(TerminateKind::MissingMessage);
        if good {
            assert!(
                answer.starts_with(b"HTTP/1.1 404 "),
                "{}",
                answer.escape_ascii()
            );
            assert_eq!(kinds(&refusals), []);
        } else {
            assert_eq!(answer.escape_ascii().to_string(), "", "{request}");
            assert_eq!(kinds(&refusals), [missing]);
        }
    }
}

/// The records a TLS client of these tests begins with.
fn client_hello(pki: &Pki) -> Vec<u8> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(pki.certificate.clone()).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let config = tokenbind_http::tls::client_config(provider, HTTP11, |builder| {
        builder.with_root_certificates(roots).with_no_client_auth()
    });
    let name = "localhost".try_into().unwrap();
    let mut connection = rustls::ClientConnection::new(config.unwrap().into(), name).unwrap();
    let mut records = Vec::new();
    connection.write_tls(&mut records).unwrap();
    records
}

#[tokio::test]
async fn serves_others_after_clients_that_leave_in_the_handshake() {
    let pki = Pki::new();
    let app = Router::new().route("/", routing::get(|| async { "ok" }));
    let app = serve(pki.acceptor(HTTP11), app, A_MINUTE).await;
    let hello = client_hello(&pki);
    let mut hanging = Vec::new();
    for octets in [
        &b""[..],
        &hello[..3],
        &hello[..hello.len() / 2],
        &hello,
        b"GET / HTTP/1.1\r\n\r\n",
        &[0x16, 3, 1, 0, 0],
        &[0x16, 3, 1, 0xff, 0xff],
    ] {
        for hangs in [false, true] {
            let mut stream = TcpStream::connect(("127.0.0.1", app.port)).await.unwrap();
            stream.write_all(octets).await.unwrap();
            if hangs {
                hanging.push(stream);
            }
        }
    }
    assert_eq!(fetch(&pki.client(), &app.url("/")).await, "ok");
    drop(hanging);
    assert_eq!(fetch(&pki.client(), &app.url("/")).await, "ok");
}

#[tokio::test]
async fn ends_a_handshake_that_takes_too_long() {
    let pki = Pki::new();
    let app = Router::new().route("/", routing::get(|| async { "ok" }));
    let app = serve(pki.acceptor(HTTP11), app, Duration::from_millis(300)).await;
    let mut stream = TcpStream::connect(("127.0.0.1", app.port)).await.unwrap();
    stream.write_all(&[0x16, 3, 1]).await.unwrap();
    // Its end, or a reset: the server did not read all.
    let mut octet = [0];
    assert!(!matches!(soon(stream.read(&mut octet)).await, Ok(1)));
}

/// Remembers why connections are terminated.
fn noting(acceptor: server::Acceptor) -> (server::Acceptor, Refusals) {
    let refusals = Refusals::default();
    let noted = refusals.clone();
    let acceptor = acceptor.on_terminate(move |refusal| noted.lock().unwrap().push(refusal));
    (acceptor, refusals)
}

fn kinds(refusals: &Refusals) -> Vec<server::TerminateKind> {
    let refusals = refusals.lock().unwrap();
    refusals.iter().map(|refusal| refusal.kind()).collect()
}

/// A client's connection and the header of its requests.
async fn connect(
    pki: &Pki,
    alpn: &[TokenBindingAlpn],
    url: &str,
) -> (client::Stream<TcpStream>, HeaderValue) {
    let state = client::State::new(MemoryKeyStore::new(), client::Options::default());
    let state = Arc::new(state);
    let connector = pki.connector(alpn, state.clone());
    let uri: http::Uri = url.parse().unwrap();
    let port = uri.port_u16().unwrap();
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let connected = connector.connect(url.parse().unwrap(), stream).await;
    let connected = connected.unwrap();
    let header = connected.connection.header(&state, None).unwrap().value;
    (connected, header.unwrap().parse().unwrap())
}

/// Returns the kind of the innermost I/O error among the sources of an error.
fn io_kind(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    let sources = iter::successors(Some(error), |&error| error.source());
    let found = sources.filter_map(|error| error.downcast_ref::<io::Error>());
    found.last().map(io::Error::kind)
}

async fn fetch(client: &HttpClient, url: &str) -> String {
    let response = client.request(get(url), RequestOptions::default());
    text(soon(response).await.unwrap()).await
}
