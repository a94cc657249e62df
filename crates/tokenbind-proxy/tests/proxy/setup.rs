//! The proxy as a process, its backend, and its clients.

use std::{
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
    pin::Pin,
    process::Command,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper_util::rt::TokioIo;
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

use crate::{
    loopback::{Pki, soon},
    programs::Running,
};

/// Returns the proxy as a command.
pub fn proxy() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tokenbind-proxy"))
}

/// Returns a directory of a test's own.
pub fn directory(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("tokenbind-proxy")
        .join(test);
    fs::create_dir_all(&directory).unwrap();
    directory
}

pub const HTTP11: &[TokenBindingAlpn] = &[TokenBindingAlpn::Http11P256];
pub const H2: &[TokenBindingAlpn] = &[TokenBindingAlpn::H2P256];
pub const BOTH: [&[TokenBindingAlpn]; 2] = [HTTP11, H2];

pub const PROVIDED: &str = "sec-provided-token-binding-id";
pub const REFERRED: &str = "sec-referred-token-binding-id";

/// Names that a backend may treat as set by the proxy.
pub const SPOOFED: [&str; 9] = [
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

/// Writes a certificate and its key, and returns their paths.
pub fn certificate(directory: &Path, pki: &Pki) -> [PathBuf; 2] {
    let paths = ["cert.pem", "key.pem"].map(|name| directory.join(name));
    for (path, pem) in paths.iter().zip(pki.pem()) {
        fs::write(path, pem).unwrap();
    }
    paths
}

/// Returns a client without keys that trusts one certificate.
pub fn client_of(pki: &Pki) -> HttpClient<Frames> {
    let state = client::State::new(MemoryKeyStore::new(), client::Options::default());
    let connector = pki.connector(&[], Arc::new(state));
    HttpClient::new(HttpsConnector::new(connector))
}

/// A body that is sent as frames come in.
pub struct Frames(mpsc::Receiver<Frame<Bytes>>);

impl Frames {
    /// Returns a body and the sender of its frames.
    pub fn open() -> (mpsc::Sender<Frame<Bytes>>, Self) {
        let (sender, receiver) = mpsc::channel(16);
        (sender, Self(receiver))
    }

    pub fn of(frames: impl IntoIterator<Item = Frame<Bytes>>) -> Self {
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

pub fn data(text: impl Into<Bytes>) -> Frame<Bytes> {
    Frame::data(text.into())
}

/// The head of a request that the backend received, and the trailers once they have arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    pub target: String,
    pub headers: HeaderMap,
    pub trailers: HeaderMap,
}

impl Seen {
    pub fn all(&self, name: &str) -> Vec<&str> {
        let values = self.headers.get_all(name).iter();
        values.map(|value| value.to_str().unwrap()).collect()
    }
}

/// A server of HTTP/1.1 that returns each request's body, frame by frame.
pub struct Backend {
    pub port: u16,
    pub seen: Arc<Mutex<Vec<Seen>>>,
}

impl Backend {
    pub async fn start() -> Self {
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

    pub fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().cloned().unwrap()
    }
}

pub fn echo(request: Request<Incoming>, record: Arc<Mutex<Vec<Seen>>>) -> Response<Frames> {
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

/// A running proxy, its backend, and its certificate.
pub struct Setup {
    pub pki: Pki,
    pub backend: Backend,
    pub proxy: Running,
    pub url: String,
    pub origin: Origin,
}

impl Setup {
    pub async fn start(test: &str, flags: &[&str]) -> Self {
        let backend = Backend::start().await;
        Self::before(test, backend, flags).await
    }

    pub async fn before(test: &str, backend: Backend, flags: &[&str]) -> Self {
        Self::run(test, backend, flags, proxy()).await
    }

    pub async fn run(test: &str, backend: Backend, flags: &[&str], mut command: Command) -> Self {
        let pki = Pki::new();
        let directory = directory(test);
        let [cert, key] = certificate(&directory, &pki);
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

    /// Returns a client and its keys.
    pub fn client(&self, alpn: &[TokenBindingAlpn]) -> (HttpClient<Frames>, Arc<MemoryKeyStore>) {
        let keys = Arc::new(MemoryKeyStore::new());
        let state = client::State::new(keys.clone(), client::Options::default());
        let connector = self.pki.connector(alpn, Arc::new(state));
        let client = HttpClient::new(HttpsConnector::new(connector));
        (client, keys)
    }

    pub fn request(&self, path: &str) -> http::request::Builder {
        Request::builder().uri(format!("{}{path}", self.url))
    }
}

pub async fn send(client: &HttpClient<Frames>, request: Request<Frames>) -> Response<Incoming> {
    let sent = client.send(request, RequestOptions::default());
    soon(sent).await.unwrap().0
}

/// Returns the identifier of the client's key for an origin, as the header contains it.
pub fn id(keys: &MemoryKeyStore, origin: &Origin, kind: TokenBindingType) -> String {
    let scope = ScopeRule::Origin.scope(origin);
    let key = keys.key(&scope, KeyParameters::P256).unwrap();
    let id = TokenBindingId::try_new(kind, key.public_key(), PointEncoding::default()).unwrap();
    URL_SAFE_NO_PAD.encode(id.as_bytes())
}

pub fn spoofed(mut request: http::request::Builder) -> Request<Frames> {
    for name in SPOOFED {
        request = request.header(name, "forged").header(name, "twice");
    }
    request.body(Frames::of([])).unwrap()
}

/// Returns the answer to octets, which are made with the right header's value, on a connection with Token Binding.
pub async fn answer_to(
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

/// Returns the answer over HTTP/1.1; `HEADER` is replaced by the right header's value.
pub async fn answer(setup: &Setup, request: &str) -> String {
    let made = |header: &str| request.replace("HEADER", header).into_bytes();
    String::from_utf8(answer_to(setup, HTTP11, made).await).unwrap()
}
