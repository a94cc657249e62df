//! The proxy example before a backend: what the backend sees, whatever clients say.

#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod loopback;
mod programs;
mod raw_http2;

use std::{
    convert::Infallible,
    fs,
    path::Path,
    pin::Pin,
    process::Command,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper_util::rt::TokioIo;
use loopback::{Pki, Server, ok, soon};
use programs::{Running, example};
use raw_http2::{HEADERS, frames, preface};
use tokenbind_http::{
    client::{self, HttpClient, HttpsConnector, RequestOptions},
    keys::{KeyStore, MemoryKeyStore},
    origin::{Origin, ScopeRule},
};
use tokenbind_wire::{
    KeyParameters, PointEncoding, TokenBindingAlpn, TokenBindingId, TokenBindingType,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

const HTTP11: &[TokenBindingAlpn] = &[TokenBindingAlpn::Http11P256];
const H2: &[TokenBindingAlpn] = &[TokenBindingAlpn::H2P256];
const BOTH: [&[TokenBindingAlpn]; 2] = [HTTP11, H2];

const PROVIDED: &str = "sec-provided-token-binding-id";
const REFERRED: &str = "sec-referred-token-binding-id";

/// Names a backend may take for the proxy's own word.
const SPOOFED: [&str; 9] = [
    "sec-provided-token-binding-id",
    "sec_provided_token_binding_id",
    "sec-provided_token-binding_id",
    "sec.provided.token.binding.id",
    "sec-referred-token-binding-id",
    "sec_referred_token_binding_id",
    "sec-unsupported-referred-token-binding",
    "sec-token-binding-context",
    "token_binding",
];

/// A body that is sent as frames come in.
struct Frames(mpsc::Receiver<Frame<Bytes>>);

impl Frames {
    /// A body, and where to put its frames.
    fn open() -> (mpsc::Sender<Frame<Bytes>>, Self) {
        let (sender, receiver) = mpsc::channel(16);
        (sender, Self(receiver))
    }

    fn of(frames: impl IntoIterator<Item = Frame<Bytes>>) -> Self {
        let (sender, body) = Self::open();
        for frame in frames {
            sender.try_send(frame).unwrap();
        }
        body
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|frame| frame.map(Ok))
    }
}

fn data(text: impl Into<Bytes>) -> Frame<Bytes> {
    Frame::data(text.into())
}

/// The head of a request that the backend saw, and the trailers once they came.
#[derive(Clone, Debug)]
struct Seen {
    method: Method,
    target: String,
    headers: HeaderMap,
    trailers: HeaderMap,
}

impl Seen {
    fn all(&self, name: &str) -> Vec<&str> {
        let values = self.headers.get_all(name).iter();
        values.map(|value| value.to_str().unwrap()).collect()
    }
}

/// Speaks HTTP/1.1 and sends back what it gets, frame by frame.
struct Backend {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Backend {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let record = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let record = record.clone();
                let service = hyper::service::service_fn(move |request| {
                    let response = echo(request, record.clone());
                    async move { Ok::<_, Infallible>(response) }
                });
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { port, seen }
    }

    fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().cloned().unwrap()
    }
}

fn echo(request: Request<Incoming>, record: Arc<Mutex<Vec<Seen>>>) -> Response<Frames> {
    let (parts, mut body) = request.into_parts();
    let at = {
        let mut seen = record.lock().unwrap();
        seen.push(Seen {
            method: parts.method,
            target: parts.uri.to_string(),
            headers: parts.headers,
            trailers: HeaderMap::new(),
        });
        seen.len() - 1
    };
    let (frames, sent) = Frames::open();
    tokio::spawn(async move {
        while let Some(Ok(frame)) = body.frame().await {
            if let Some(trailers) = frame.trailers_ref() {
                record.lock().unwrap()[at].trailers = trailers.clone();
            }
            // The client may be gone.
            if frames.send(frame).await.is_err() {
                break;
            }
        }
    });
    let mut response = Response::builder()
        .header("trailer", "x-sum, sec_provided_token_binding_id")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("keep-alive", "timeout=5")
        .header("proxy-authenticate", "Basic")
        .header("include-referer-token-binding-id", "true")
        .header("x-mine", "kept");
    for name in SPOOFED {
        response = response.header(name, "echoed");
    }
    response.body(sent).unwrap()
}

/// The proxy, its backend, and who it is to its clients.
struct Setup {
    pki: Pki,
    backend: Backend,
    proxy: Running,
    url: String,
    origin: Origin,
}

impl Setup {
    async fn start(test: &str, flags: &[&str]) -> Self {
        let backend = Backend::start().await;
        Self::before(test, backend, flags).await
    }

    async fn before(test: &str, backend: Backend, flags: &[&str]) -> Self {
        Self::run(test, backend, flags, Command::new(example("proxy"))).await
    }

    async fn run(test: &str, backend: Backend, flags: &[&str], mut command: Command) -> Self {
        let pki = Pki::new();
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("proxy")
            .join(test);
        fs::create_dir_all(&directory).unwrap();
        let (cert, key) = (directory.join("cert.pem"), directory.join("key.pem"));
        let [cert_pem, key_pem] = pki.pem();
        fs::write(&cert, cert_pem).unwrap();
        fs::write(&key, key_pem).unwrap();
        command
            .args(["--listen", "127.0.0.1:0"])
            .arg(format!("--backend=http://127.0.0.1:{}", backend.port))
            .arg("--cert")
            .arg(cert)
            .arg("--key")
            .arg(key)
            .args(flags);
        let mut proxy = Running::start(&mut command);
        let url = proxy.line_after("listening on ");
        Self {
            pki,
            backend,
            proxy,
            origin: url.parse().unwrap(),
            url,
        }
    }

    /// A client, and its keys.
    fn client(&self, alpn: &[TokenBindingAlpn]) -> (HttpClient<Frames>, Arc<MemoryKeyStore>) {
        let keys = Arc::new(MemoryKeyStore::new());
        let state = client::State::new(keys.clone(), client::Options::default());
        let connector = self.pki.connector(alpn, Arc::new(state));
        let client = HttpClient::new(HttpsConnector::new(connector));
        (client, keys)
    }

    fn request(&self, path: &str) -> http::request::Builder {
        Request::builder().uri(format!("{}{path}", self.url))
    }
}

async fn send(client: &HttpClient<Frames>, request: Request<Frames>) -> Response<Incoming> {
    let sent = client.send(request, RequestOptions::default());
    soon(sent).await.unwrap().0
}

/// The identifier of this type that the client's key for an origin has, as the header has it.
fn id(keys: &MemoryKeyStore, origin: &Origin, kind: TokenBindingType) -> String {
    let scope = ScopeRule::Origin.scope(origin);
    let key = keys.key(&scope, KeyParameters::P256).unwrap();
    let id = TokenBindingId::try_new(kind, key.public_key(), PointEncoding::default()).unwrap();
    URL_SAFE_NO_PAD.encode(id.as_bytes())
}

fn spoofed(mut request: http::request::Builder) -> Request<Frames> {
    for name in SPOOFED {
        request = request.header(name, "forged").header(name, "twice");
    }
    request.body(Frames::of([])).unwrap()
}

#[tokio::test]
async fn the_backend_sees_the_verified_identifier_once_and_nothing_forged() {
    let setup = Setup::start("verified", &[]).await;
    for alpn in BOTH {
        let (client, keys) = setup.client(alpn);
        let response = send(&client, spoofed(setup.request("/"))).await;
        assert_eq!(response.status(), StatusCode::OK);
        let seen = setup.backend.last();
        let provided = id(&keys, &setup.origin, TokenBindingType::PROVIDED);
        assert_eq!(seen.all(PROVIDED), [provided]);
        let like = |name: &&HeaderName| {
            name.as_str()
                .replace(['_', '.'], "-")
                .contains("token-binding")
        };
        let names: Vec<_> = seen.headers.keys().filter(like).collect();
        assert_eq!(names, [PROVIDED], "{alpn:?}");
    }
}

#[tokio::test]
async fn the_backend_sees_the_referred_identifier_of_a_script() {
    let setup = Setup::start("referred", &[]).await;
    let (client, keys) = setup.client(&TokenBindingAlpn::ALL);
    let consumer = Server::start(setup.pki.acceptor(HTTP11), |_| ok()).await;
    let page = Request::get(consumer.url("/")).body(Frames::of([]));
    send(&client, page.unwrap()).await;
    let options = RequestOptions {
        with_referer_token_binding_id: Some(consumer.origin.clone()),
        ..RequestOptions::default()
    };
    soon(client.send(spoofed(setup.request("/")), options))
        .await
        .unwrap();
    let seen = setup.backend.last();
    let provided = id(&keys, &setup.origin, TokenBindingType::PROVIDED);
    let referred = id(&keys, &consumer.origin, TokenBindingType::REFERRED);
    assert_eq!(seen.all(PROVIDED), [provided]);
    assert_eq!(seen.all(REFERRED), [referred]);
}

#[tokio::test]
async fn without_token_binding_the_backend_sees_no_identifier() {
    let setup = Setup::start("unbound", &[]).await;
    let (client, _) = setup.client(&[]);
    let response = send(&client, spoofed(setup.request("/"))).await;
    assert_eq!(response.status(), StatusCode::OK);
    let seen = setup.backend.last();
    for name in SPOOFED {
        assert_eq!(seen.all(name), [""; 0], "{name}");
    }
}

#[tokio::test]
async fn a_clients_connection_header_does_not_take_the_proxys_words_away() {
    let setup = Setup::start("connection", &[]).await;
    let (client, keys) = setup.client(HTTP11);
    let request = setup
        .request("/")
        .header(
            "connection",
            "Sec-Provided-Token-Binding-ID, X-Forwarded-For",
        )
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("keep-alive", "timeout=5")
        .header("proxy-authorization", "Basic x")
        .header("proxy-connection", "keep-alive")
        .header("upgrade", "websocket")
        .header("x-mine", "kept");
    send(&client, request.body(Frames::of([])).unwrap()).await;
    let seen = setup.backend.last();
    let provided = id(&keys, &setup.origin, TokenBindingType::PROVIDED);
    assert_eq!(seen.all(PROVIDED), [provided]);
    assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.all("x-mine"), ["kept"]);
    for name in [
        "connection",
        "x-hop",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "upgrade",
    ] {
        assert_eq!(seen.all(name), [""; 0], "{name}");
    }
}

#[tokio::test]
async fn the_backend_learns_where_a_request_comes_from_from_the_proxy_only() {
    let setup = Setup::start("forwarded", &[]).await;
    for (alpn, via) in [(HTTP11, "1.1 tokenbind-proxy"), (H2, "2 tokenbind-proxy")] {
        let (client, _) = setup.client(alpn);
        let mut request = setup.request("/path?query");
        for name in [
            "forwarded",
            "x-forwarded-for",
            "x_forwarded_for",
            "x.forwarded.for",
            "x-forwarded-proto",
            "x-forwarded-host",
            "x-forwarded-port",
            "x-real-ip",
            "x_real_ip",
        ] {
            request = request.header(name, "forged");
        }
        let request = request
            .header("via", "1.0 before")
            .header("cookie", "a=1")
            .header("cookie", "b=2");
        send(&client, request.body(Frames::of([])).unwrap()).await;
        let seen = setup.backend.last();
        let host = setup.url.strip_prefix("https://").unwrap();
        assert_eq!(
            (seen.method.as_str(), seen.target.as_str()),
            ("GET", "/path?query")
        );
        assert_eq!(seen.all("host"), [host]);
        assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(seen.all("x-forwarded-proto"), ["https"]);
        assert_eq!(seen.all("x-forwarded-host"), [host]);
        assert_eq!(seen.all("via"), [format!("1.0 before, {via}")]);
        assert_eq!(seen.all("cookie"), ["a=1; b=2"]);
        let forged = seen
            .headers
            .values()
            .filter(|value| *value == "forged")
            .count();
        assert_eq!(forged, 0);
    }
}

#[tokio::test]
async fn what_the_backend_says_to_the_proxy_does_not_reach_the_client() {
    let setup = Setup::start("response", &[]).await;
    for alpn in BOTH {
        let (client, _) = setup.client(alpn);
        let request = setup.request("/").body(Frames::of([])).unwrap();
        let response = send(&client, request).await;
        let headers = response.headers();
        for name in ["x-hop", "keep-alive", "proxy-authenticate", "connection"]
            .iter()
            .chain(&SPOOFED)
        {
            assert!(!headers.contains_key(*name), "{name}");
        }
        let permission = headers.get("include-referer-token-binding-id");
        assert_eq!(permission, Some(&HeaderValue::from_static("true")));
        assert_eq!(
            headers.get("x-mine"),
            Some(&HeaderValue::from_static("kept"))
        );
    }
}

#[tokio::test]
async fn bodies_are_streamed_both_ways() {
    let setup = Setup::start("streamed", &[]).await;
    for alpn in BOTH {
        let (client, _) = setup.client(alpn);
        let (frames, body) = Frames::open();
        // HTTP/1.1 sends the head with the first piece.
        frames.send(data("piece 0")).await.unwrap();
        let request = setup.request("/").method(Method::POST).body(body).unwrap();
        let mut response = send(&client, request).await.into_body();
        for n in 0..5 {
            // Each piece comes back before the next one is sent.
            let frame = soon(response.frame()).await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), format!("piece {n}"));
            frames.send(data(format!("piece {}", n + 1))).await.unwrap();
        }
        drop(frames);
        let rest = soon(response.collect()).await.unwrap().to_bytes();
        assert_eq!(rest, "piece 5");
    }
}

#[tokio::test]
async fn large_bodies_come_back_whole() {
    let setup = Setup::start("large", &[]).await;
    let piece: Bytes = (0..=u8::MAX).cycle().take(1 << 19).collect();
    for alpn in BOTH {
        let (client, _) = setup.client(alpn);
        let body = Frames::of((0..16).map(|_| data(piece.clone())));
        let request = setup.request("/").method(Method::PUT).body(body).unwrap();
        let response = send(&client, request).await;
        let body = soon(response.into_body().collect())
            .await
            .unwrap()
            .to_bytes();
        assert!(body == piece.repeat(16), "{} bytes", body.len());
    }
}

#[tokio::test]
async fn trailers_pass_both_ways_without_reserved_names() {
    let setup = Setup::start("trailers", &[]).await;
    for alpn in BOTH {
        let (client, _) = setup.client(alpn);
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("42"));
        for name in SPOOFED
            .iter()
            .chain(&["x-forwarded-for", "x_forwarded_for"])
        {
            let name = HeaderName::from_static(name);
            trailers.insert(name, HeaderValue::from_static("forged"));
        }
        let named: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
        let request = setup
            .request("/")
            .method(Method::POST)
            .header("te", "trailers")
            .header("trailer", named.join(", "));
        let body = Frames::of([data("body"), Frame::trailers(trailers.clone())]);
        let response = send(&client, request.body(body).unwrap()).await;
        let body = soon(response.into_body().collect()).await.unwrap();
        let mut expected = HeaderMap::new();
        expected.insert("x-sum", HeaderValue::from_static("42"));
        assert_eq!(body.trailers(), Some(&expected), "{alpn:?}");
        assert_eq!(body.to_bytes(), "body");
        assert_eq!(setup.backend.last().trailers, expected, "{alpn:?}");
    }
}

#[tokio::test]
async fn trailers_that_the_backend_makes_up_lose_reserved_names() {
    let backend = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = backend.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = backend.accept().await.unwrap();
        // The request fits in one read; its head is all of it.
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        let response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\
            X-Sum: 1\r\nSec_Provided_Token_Binding_ID: x\r\nToken-Binding: x\r\n\r\n";
        stream.write_all(response.as_bytes()).await.unwrap();
    });
    let seen = Arc::default();
    let setup = Setup::before("backend_trailers", Backend { port, seen }, &[]).await;
    let (client, _) = setup.client(H2);
    let request = setup.request("/").header("te", "trailers");
    let response = send(&client, request.body(Frames::of([])).unwrap()).await;
    let body = soon(response.into_body().collect()).await.unwrap();
    let mut expected = HeaderMap::new();
    expected.insert("x-sum", HeaderValue::from_static("1"));
    assert_eq!(body.trailers(), Some(&expected));
}

#[tokio::test]
async fn a_request_that_is_not_bound_is_refused_if_told_to() {
    let setup = Setup::start("required", &["--require-token-binding"]).await;
    let (unbound, _) = setup.client(&[]);
    let response = send(&unbound, setup.request("/").body(Frames::of([])).unwrap()).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(setup.backend.seen.lock().unwrap().len(), 0);
    let (bound, _) = setup.client(H2);
    let response = send(&bound, setup.request("/").body(Frames::of([])).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_operator_may_prefer_tls_1_3_to_token_binding() {
    let setup = Setup::start("tls13", &["--prefer", "tls13"]).await;
    let (client, _) = setup.client(&TokenBindingAlpn::ALL);
    send(&client, spoofed(setup.request("/"))).await;
    assert_eq!(setup.backend.last().all(PROVIDED), [""; 0]);
}

#[tokio::test]
async fn a_backend_that_is_not_there_is_a_bad_gateway() {
    let gone = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    let seen = Arc::default();
    let setup = Setup::before("gone", Backend { port, seen }, &[]).await;
    let (client, _) = setup.client(H2);
    let response = send(&client, setup.request("/").body(Frames::of([])).unwrap()).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
}

#[test]
fn what_the_operator_got_wrong_is_said_and_ends_the_proxy() {
    for (flags, status, said) in [
        (
            &["--backend", "http://127.0.0.1:1", "--cert", "missing.pem"][..],
            1,
            "missing.pem: ",
        ),
        (
            &["--backend", "https://127.0.0.1:1", "--cert", "x"],
            2,
            "an http URL without a path is needed",
        ),
        (
            &["--backend", "http://127.0.0.1:1/path", "--cert", "x"],
            2,
            "an http URL without a path is needed",
        ),
        (&["--cert", "x"], 2, "--backend <URL>"),
    ] {
        let mut command = Command::new(example("proxy"));
        command.args(["--listen", "127.0.0.1:0", "--key", "key.pem"]);
        let output = command.args(flags).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{flags:?}");
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.contains(said), "{errors}");
    }
}

/// What the proxy answers to these octets, which are made of the right header's value, on a connection
/// with Token Binding.
async fn answer_to(
    setup: &Setup,
    alpn: &[TokenBindingAlpn],
    request: impl FnOnce(&str) -> Vec<u8>,
) -> Vec<u8> {
    let state = client::State::new(MemoryKeyStore::new(), client::Options::default());
    let state = Arc::new(state);
    let connector = setup.pki.connector(alpn, state.clone());
    let stream = TcpStream::connect(("127.0.0.1", setup.origin.port())).await;
    let connected = connector
        .connect(setup.origin.clone(), stream.unwrap())
        .await;
    let mut connected = connected.unwrap();
    let header = connected.connection.header(&state, None).unwrap().value;
    let request = request(&header.unwrap_or_default());
    connected.stream.write_all(&request).await.unwrap();
    connected.stream.flush().await.unwrap();
    let mut answer = Vec::new();
    // How it ends does not matter.
    let _ = soon(connected.stream.read_to_end(&mut answer)).await;
    answer
}

/// The same over HTTP/1.1; `HEADER` stands for the right header's value.
async fn answer(setup: &Setup, request: &str) -> String {
    let made = |header: &str| request.replace("HEADER", header).into_bytes();
    String::from_utf8(answer_to(setup, HTTP11, made).await).unwrap()
}

/// A request without or with a bad header and a good one, in one record of TLS.
#[tokio::test]
async fn requests_of_one_write_are_checked_in_the_order_of_their_arrival() {
    const TRIES: usize = 80;
    let allowing = &["--allow-later-requests-without-header"][..];
    for flags in [&[], allowing] {
        let setup = Setup::start(&format!("order_{}", flags.len()), flags).await;
        for number in 0..TRIES {
            let bad: &[_] = if number % 2 == 0 {
                &[]
            } else {
                &[("token-binding", "AAAA")]
            };
            let answer = answer_to(&setup, H2, |header| {
                let mut octets = preface();
                octets.extend(raw_http2::get(1, "localhost", bad));
                let good = [("token-binding", header)];
                octets.extend(raw_http2::get(3, "localhost", &good));
                octets
            });
            let frames = frames(&answer.await);
            assert!(frames.iter().all(|(_, stream)| *stream == 0), "{frames:?}");
        }
        assert_eq!(setup.backend.seen.lock().unwrap().len(), 0);
    }
}

#[tokio::test]
async fn a_protocol_that_was_not_negotiated_is_not_answered() {
    let setup = Setup::start("protocol", &[]).await;
    let answer = answer_to(&setup, HTTP11, |header| {
        let mut octets = preface();
        let good = [("token-binding", header)];
        octets.extend(raw_http2::get(1, "localhost", &good));
        octets
    });
    assert_eq!(answer.await, b"");
    let answer = answer_to(&setup, H2, |header| {
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nToken-Binding: {header}\r\n\r\n").into_bytes()
    });
    let frames = frames(&answer.await);
    assert!(frames.iter().all(|(_, stream)| *stream == 0), "{frames:?}");
    assert_eq!(setup.backend.seen.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_name_or_password_before_the_host_or_two_hosts_are_refused_over_http_2() {
    let setup = Setup::start("authority", &[]).await;
    for (authority, host, sent) in [
        ("localhost", None, true),
        ("localhost:443", Some("LOCALHOST:443"), true),
        ("user@localhost", None, false),
        ("user:pass@localhost", None, false),
        ("@localhost", None, false),
        ("localhost", Some("other"), false),
        ("localhost", Some("user@localhost"), false),
    ] {
        let answer = answer_to(&setup, H2, |header| {
            let mut fields = vec![("token-binding", header)];
            fields.extend(host.map(|host| ("host", host)));
            let mut octets = preface();
            octets.extend(raw_http2::get(1, authority, &fields));
            octets.extend(raw_http2::frame(raw_http2::GOAWAY, 0, 0, &[0; 8]));
            octets
        });
        let frames = frames(&answer.await);
        // Some of them are refused by the stream's reset, by HTTP/2 itself.
        let seen = setup.backend.seen.lock().unwrap().pop();
        assert_eq!(seen.is_some(), sent, "{authority} {host:?}");
        if let Some(seen) = seen {
            assert!(frames.contains(&(HEADERS, 1)));
            assert_eq!(seen.all("host"), [authority]);
            assert_eq!(seen.all("x-forwarded-host"), [authority]);
        }
    }
}

#[tokio::test]
async fn a_token_binding_field_in_a_trailer_ends_the_connection() {
    let setup = Setup::start("bad_trailer", &[]).await;
    for alpn in [H2, &[]] {
        let answer = answer_to(&setup, alpn, |header| {
            let fields = [("token-binding", header)];
            let fields = if header.is_empty() { &[][..] } else { &fields };
            let mut octets = preface();
            octets.extend(raw_http2::head(1, "POST", "localhost", fields, 0));
            octets.extend(raw_http2::frame(raw_http2::DATA, 0, 1, b"body"));
            let block = raw_http2::block(&[("token-binding", "AAAA")]);
            let flags = raw_http2::END_STREAM | raw_http2::END_HEADERS;
            octets.extend(raw_http2::frame(HEADERS, flags, 1, &block));
            octets
        });
        answer.await;
        for seen in setup.backend.seen.lock().unwrap().iter() {
            assert!(seen.trailers.is_empty(), "{seen:?}");
        }
    }
}

/// The backend switches protocols though no request reaches it that asks for it.
#[tokio::test]
async fn a_backend_that_switches_protocols_unasked_is_a_bad_gateway() {
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

/// With 64 descriptors, more connections than that which say nothing, or not all of a handshake.
#[cfg(unix)]
#[tokio::test]
async fn it_survives_without_descriptors_and_serves_those_who_ask() {
    for (octets, test) in [(&b""[..], "silent"), (&[22, 3, 1, 0, 200], "halfway")] {
        let mut command = Command::new("sh");
        command
            .args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""])
            .arg(example("proxy"));
        let flags = ["--handshake-timeout", "1000"];
        let backend = Backend::start().await;
        let setup = Setup::run(test, backend, &flags, command).await;
        let mut hanging = Vec::new();
        for _ in 0..150 {
            let stream = TcpStream::connect(("127.0.0.1", setup.origin.port())).await;
            let mut stream = stream.unwrap();
            stream.write_all(octets).await.unwrap();
            hanging.push(stream);
        }
        for alpn in BOTH {
            let (client, _) = setup.client(alpn);
            let request = setup.request("/").body(Frames::of([])).unwrap();
            let response = send(&client, request).await;
            assert_eq!(response.status(), StatusCode::OK, "{test} {alpn:?}");
        }
        drop(hanging);
        setup.proxy.signal("TERM");
        let proxy = setup.proxy;
        let ended = tokio::task::spawn_blocking(move || proxy.ended_well());
        assert!(soon(ended).await.unwrap());
    }
}

#[tokio::test]
async fn a_request_for_no_host_or_two_or_for_a_tunnel_is_refused() {
    let setup = Setup::start("raw", &[]).await;
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n", "200"),
        ("GET / HTTP/1.1\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost:\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: user@a\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a b\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: :80\r\n", "400"),
        ("GET https://user@a/ HTTP/1.1\r\nHost: a\r\n", "400"),
        ("GET https://a:443/ HTTP/1.1\r\nHost: b\r\n", "200"),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n", "405"),
    ] {
        let rest = "Token-Binding: HEADER\r\nConnection: close\r\n\r\n";
        let answer = answer(&setup, &format!("{request}{rest}")).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request:?}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_connection_with_a_bad_header_is_ended_without_an_answer() {
    let setup = Setup::start("bad", &[]).await;
    for header in [
        "",
        "Token-Binding: AAAA\r\n",
        "Token-Binding: HEADER\r\nToken-Binding: HEADER\r\n",
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{header}\r\n");
        assert_eq!(answer(&setup, &request).await, "", "{header:?}");
    }
    assert_eq!(setup.backend.seen.lock().unwrap().len(), 0);
}

#[cfg(unix)]
#[tokio::test]
async fn told_to_end_it_answers_what_is_under_way_and_takes_nothing_new() {
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
