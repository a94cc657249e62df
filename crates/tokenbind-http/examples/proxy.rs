//! A reverse proxy: terminates TLS and Token Binding, and tells a backend the identifiers in headers
//! that nobody else can set: `Sec-Provided-Token-Binding-ID`, `Sec-Referred-Token-Binding-ID`.
//!
//! ```sh
//! cargo run -p tokenbind-http --features hyper --example proxy -- \
//!     --listen 127.0.0.1:8443 --backend http://127.0.0.1:8000 --cert cert.pem --key key.pem
//! ```
//!
//! Clients speak HTTP/1.1 or HTTP/2, the backend HTTP/1.1. Bodies and trailers are streamed both
//! ways. SIGINT and SIGTERM end it once the requests under way are answered.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use axum::{
    Extension, Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use clap::{Parser, ValueEnum};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version,
    header::{
        CONNECTION, COOKIE, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING,
        UPGRADE, VIA,
    },
    uri::{Authority, PathAndQuery, Scheme},
};
use http_body_util::BodyExt;
use hyper::body::Frame;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    crypto::ring::default_provider,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};
use tokenbind_http::{
    ProvidedTokenBinding,
    header::HeaderOptions,
    proxy::{forward_request, strip},
    server::{self, MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS},
    tls::{ServerConfigs, VersionPreference},
};
use tokenbind_wire::{
    DecodeOptions, EncodingProfile, PointEncoding, SignatureEncoding, TokenBindingAlpn,
};
use tokio::net::TcpListener;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Backend = Client<HttpConnector, Body>;

/// What `Via` calls us.
const PSEUDONYM: &str = "tokenbind-proxy";

#[derive(Parser)]
#[command(
    about = "Terminates TLS and Token Binding, and tells a backend the identifiers in headers"
)]
struct Arguments {
    /// Where to listen; port 0 takes a free one, which is printed
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Where requests go, an http URL of a host and port
    #[arg(long, value_name = "URL", value_parser = backend)]
    backend: Authority,
    /// The certificate chain, PEM
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Answer 403 to requests without Token Binding
    #[arg(long)]
    require_token_binding: bool,
    /// What to negotiate with clients that can do both
    #[arg(long, value_enum, default_value_t = Prefer::TokenBinding)]
    prefer: Prefer,
    /// How clients encode the point of a P-256 key
    #[arg(long, value_enum, default_value_t = Point::X962)]
    point: Point,
    /// How clients encode a P-256 signature
    #[arg(long, value_enum, default_value_t = Signature::Der)]
    signature: Signature,
    /// Let requests after the first of a connection come without Token-Binding header
    #[arg(long)]
    allow_later_requests_without_header: bool,
    /// Let the value of the Token-Binding header be padded
    #[arg(long)]
    allow_padding: bool,
    /// How long a TLS handshake may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    handshake_timeout: u64,
    /// How long a connection without a request is kept
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    idle_timeout: u64,
    /// How many connections are kept at a time
    #[arg(long, value_name = "NUMBER", default_value_t = MAX_CONNECTIONS)]
    max_connections: usize,
    /// How many of them come from one address
    #[arg(long, value_name = "NUMBER", default_value_t = MAX_CONNECTIONS_PER_ADDRESS)]
    max_connections_per_address: usize,
    /// How long to wait for requests under way when told to end
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    shutdown_timeout: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Prefer {
    TokenBinding,
    Tls13,
}

#[derive(Clone, Copy, ValueEnum)]
enum Point {
    X962,
    Bare64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Signature {
    Der,
    Raw64,
}

fn backend(url: &str) -> Result<Authority, String> {
    let parts = url
        .parse::<Uri>()
        .map_err(|error| error.to_string())?
        .into_parts();
    let path = parts
        .path_and_query
        .as_ref()
        .map_or("/", PathAndQuery::as_str);
    match (parts.scheme, parts.authority) {
        (Some(scheme), Some(authority)) if scheme == Scheme::HTTP && path == "/" => Ok(authority),
        _ => Err("an http URL without a path is needed".to_owned()),
    }
}

impl Arguments {
    fn acceptor(&self) -> Result<server::Acceptor, Error> {
        let of = |path: &Path, error| format!("{}: {error}", path.display());
        let chain = CertificateDer::pem_file_iter(&self.cert)
            .and_then(Iterator::collect::<Result<Vec<_>, pem::Error>>)
            .map_err(|error| of(&self.cert, error))?;
        let key = PrivateKeyDer::from_pem_file(&self.key);
        let key = key.map_err(|error| of(&self.key, error))?;
        let preference = match self.prefer {
            Prefer::TokenBinding => VersionPreference::TokenBinding,
            Prefer::Tls13 => VersionPreference::Tls13,
        };
        let point = match self.point {
            Point::X962 => PointEncoding::X962,
            Point::Bare64 => PointEncoding::Bare64,
        };
        let signature = match self.signature {
            Signature::Der => SignatureEncoding::Der,
            Signature::Raw64 => SignatureEncoding::Raw64,
        };
        let configs = ServerConfigs::build(
            default_provider(),
            &TokenBindingAlpn::ALL,
            preference,
            |builder| {
                let builder = builder.with_no_client_auth();
                builder.with_single_cert(chain.clone(), key.clone_key())
            },
        )?;
        let options = server::Options {
            decode: DecodeOptions {
                profile: EncodingProfile::new(point, signature),
                ..DecodeOptions::default()
            },
            header: HeaderOptions {
                allow_padding: self.allow_padding,
            },
            allow_later_requests_without_header: self.allow_later_requests_without_header,
        };
        Ok(server::Acceptor::new(configs)
            .with_options(options)
            .on_terminate(|refusal| eprintln!("connection ended: {refusal}")))
    }
}

#[derive(Clone)]
struct Proxy {
    backend: Authority,
    require_token_binding: bool,
    client: Backend,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments = Arguments::parse();
    let acceptor = arguments.acceptor()?;
    let listener = TcpListener::bind(arguments.listen).await?;
    println!("listening on https://{}", listener.local_addr()?);
    let server = server::Server::new(acceptor)
        .max_connections(arguments.max_connections)
        .max_connections_per_address(arguments.max_connections_per_address)
        .handshake_timeout(Duration::from_secs(arguments.handshake_timeout))
        .idle_timeout(Duration::from_secs(arguments.idle_timeout))
        .shutdown_timeout(Duration::from_secs(arguments.shutdown_timeout))
        .on_event(|event| {
            // Clients that go away are everyday business.
            if let server::Event::AcceptFailed(_) | server::Event::AddressFull(_) = event {
                eprintln!("{event}");
            }
        });

    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(Duration::from_secs(5)));
    connector.set_nodelay(true);
    let proxy = Proxy {
        backend: arguments.backend.clone(),
        require_token_binding: arguments.require_token_binding,
        client: Client::builder(TokioExecutor::new())
            .set_host(false)
            .build(connector),
    };
    let service = Router::new().fallback(forward).with_state(proxy);

    let told_twice = async {
        told_to_end().await;
        told_to_end().await;
    };
    let cut = tokio::select! {
        cut = server.serve_until(listener, service, told_to_end()) => cut,
        () = told_twice => 1,
    };
    if cut > 0 {
        eprintln!("ends with requests under way");
    }
    Ok(())
}

/// SIGINT or SIGTERM.
async fn told_to_end() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! { _ = interrupt => {}, _ = terminate.recv() => {} }
            return;
        }
    }
    // If there is no such signal to wait for, this ends at once: so does the proxy.
    drop(interrupt.await);
}

async fn forward(
    State(proxy): State<Proxy>,
    Extension(peer): Extension<server::Peer>,
    mut request: Request,
) -> Response {
    if proxy.require_token_binding && request.extensions().get::<ProvidedTokenBinding>().is_none() {
        return (StatusCode::FORBIDDEN, "Token Binding is needed here\n").into_response();
    }
    if let Err(status) = for_backend(&mut request, &proxy.backend, peer.address) {
        return status.into_response();
    }
    match proxy.client.request(request).await {
        Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            // No request asks for it: `Upgrade` is for the next hop only.
            eprintln!("backend: it switches protocols, which it was not asked to");
            StatusCode::BAD_GATEWAY.into_response()
        }
        Ok(response) => for_client(response.map(Body::new)),
        Err(error) => {
            eprintln!("backend: {error}");
            StatusCode::BAD_GATEWAY.into_response()
        }
    }
}

/// What the backend is to see of a request.
fn for_backend(
    request: &mut Request,
    backend: &Authority,
    peer: SocketAddr,
) -> Result<(), StatusCode> {
    if request.method() == Method::CONNECT {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let host = host(request)?;
    let via = via(request.headers(), request.version())?;
    let path = request.uri().path_and_query().cloned();
    let uri = Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(backend.clone());
    let uri = uri.path_and_query(path.unwrap_or(PathAndQuery::from_static("/")));
    *request.uri_mut() = uri.build().map_err(|_| StatusCode::BAD_REQUEST)?;
    *request.version_mut() = Version::HTTP_11;

    let headers = request.headers_mut();
    let wants_trailers = wants_trailers(headers);
    // First what the client's `Connection` names, which may be what is added below.
    strip_hop_by_hop(headers);
    strip_forwarded(headers);
    join_cookies(headers)?;
    let address = peer.ip().to_canonical().to_string();
    let address = HeaderValue::from_str(&address).map_err(|_| StatusCode::BAD_REQUEST)?;
    headers.insert("x-forwarded-for", address);
    headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
    headers.insert("x-forwarded-host", host.clone());
    headers.insert(HOST, host);
    headers.insert(VIA, via);
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    forward_request(request);

    let body = std::mem::take(request.body_mut());
    *request.body_mut() = strip_trailers(body);
    Ok(())
}

/// What the client is to see of a response.
fn for_client(response: Response) -> Response {
    let mut response = response.map(strip_trailers);
    strip_hop_by_hop(response.headers_mut());
    strip(response.headers_mut());
    response
}

/// The one host that the request is for, and its port. A name and password before it, which
/// `:authority` and `Host` must not have (RFC 9113 section 8.3.1), are refused; so is a `Host` that
/// contradicts `:authority`.
fn host(request: &Request) -> Result<HeaderValue, StatusCode> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (header, more) = (hosts.next(), hosts.next());
    let target = request.uri().authority().map(Authority::as_str);
    if more.is_some() {
        return Err(StatusCode::BAD_REQUEST);
    }
    let host = match (target, header) {
        (Some(target), Some(header))
            if request.version() == Version::HTTP_2
                && !header.as_bytes().eq_ignore_ascii_case(target.as_bytes()) =>
        {
            return Err(StatusCode::BAD_REQUEST);
        }
        (Some(target), _) => target.as_bytes(),
        (None, Some(header)) => header.as_bytes(),
        (None, None) => return Err(StatusCode::BAD_REQUEST),
    };
    let authority = Authority::try_from(host).map_err(|_| StatusCode::BAD_REQUEST)?;
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return Err(StatusCode::BAD_REQUEST);
    }
    HeaderValue::from_str(authority.as_str()).map_err(|_| StatusCode::BAD_REQUEST)
}

/// `Via` with us at its end (RFC 9110 section 7.6.3).
fn via(headers: &HeaderMap, version: Version) -> Result<HeaderValue, StatusCode> {
    let protocol = match version {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    };
    let before = headers.get_all(VIA).iter();
    let mut all = before
        .map(|via| [via.as_bytes(), b", "].concat())
        .collect::<Vec<_>>()
        .concat();
    all.extend_from_slice(format!("{protocol} {PSEUDONYM}").as_bytes());
    HeaderValue::from_bytes(&all).map_err(|_| StatusCode::BAD_REQUEST)
}

/// Whether the client takes trailers; then so do we.
fn wants_trailers(headers: &HeaderMap) -> bool {
    let values = headers.get_all(TE).iter();
    let mut codings = values.flat_map(|value| value.as_bytes().split(|octet| *octet == b','));
    codings.any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// Removes what is meant for the next hop only (RFC 9110 section 7.6.1).
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|octet| *octet == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [
        CONNECTION,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRANSFER_ENCODING,
        UPGRADE,
    ] {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection"] {
        headers.remove(name);
    }
}

/// Removes what only a proxy may say of the client, in any spelling a backend may take for it.
fn strip_forwarded(headers: &mut HeaderMap) {
    let said_by_proxies = |name: &HeaderName| {
        let name = name
            .as_str()
            .replace(|sign: char| !sign.is_ascii_alphanumeric(), "-");
        name == "forwarded" || name == "x-real-ip" || name.starts_with("x-forwarded-")
    };
    let names: Vec<_> = headers
        .keys()
        .filter(|name| said_by_proxies(name))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
}

/// HTTP/2 may split cookies, HTTP/1.1 has one header (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) -> Result<(), StatusCode> {
    let cookies: Vec<_> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if cookies.len() > 1 {
        let joined = HeaderValue::from_bytes(&cookies.join(&b"; "[..]));
        headers.insert(COOKIE, joined.map_err(|_| StatusCode::BAD_REQUEST)?);
    }
    Ok(())
}

/// Trailers are headers to many a backend: the same names are reserved.
fn strip_trailers(body: Body) -> Body {
    Body::new(body.map_frame(|frame| match frame.into_trailers() {
        Ok(mut trailers) => {
            strip(&mut trailers);
            strip_forwarded(&mut trailers);
            Frame::trailers(trailers)
        }
        Err(frame) => frame,
    }))
}
