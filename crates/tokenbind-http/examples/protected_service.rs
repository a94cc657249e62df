//! A service whose login cookie is bound to the client's key: a stolen one is worthless.
//!
//! ```sh
//! cargo run -p tokenbind-http --features client,hmac,hyper --example protected_service
//! cargo run -p tokenbind-http --features client,hmac,hyper --example protected_service -- --serve 127.0.0.1:8443
//! ```
//!
//! Token Binding takes an acceptor in the place of tokio-rustls's, and a `server::Server`, which
//! checks each request before the service gets it. Ends with an error if anything is not as it must
//! be; with `--serve` it then stays up.

mod loopback;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use clap::Parser;
use http::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{COOKIE, HeaderValue, SET_COOKIE},
};
use http_body_util::Full;
use loopback::{Localhost, Result, must, short, text};
use rustls::crypto::ring::default_provider;
use tokenbind_http::{
    ProvidedTokenBinding,
    client::{HttpClient, HttpsConnector, RequestOptions},
    sealed_tokens::{
        BoundCookie, BoundTokens, CookieAttributes, SealedTokenVerdict, TokenKeyId, TokenKeys,
        TokenRefusal,
    },
    server,
    tls::{ServerConfigs, VersionPreference},
};
use tokenbind_wire::{TokenBindingAlpn, token::DiscardReason};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

#[derive(Parser)]
#[command(about = "A service whose login cookie is bound to the client's key")]
struct Arguments {
    /// Listen here, and stay up
    #[arg(long, value_name = "ADDRESS:PORT")]
    serve: Option<SocketAddr>,
}

/// The lifetime of a login.
const LIFETIME: Duration = Duration::from_secs(3600);

/// The session cookie. All it says is sealed in it: the service keeps nothing but the secret, which a
/// fleet would share.
fn session_cookie() -> Result<BoundCookie> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    let keys = TokenKeys::try_new(TokenKeyId(1), &secret)?;
    let tokens = BoundTokens::try_new(Arc::new(keys), "session")?;
    Ok(BoundCookie::try_new(
        &tokens,
        "__Host-session",
        CookieAttributes::default(),
    )?)
}

/// Returns the owner of the cookie, if it is valid on a connection with this binding; `None` without a cookie.
fn check(
    cookie: &BoundCookie,
    headers: &HeaderMap,
    binding: Option<&ProvidedTokenBinding>,
) -> Option<std::result::Result<String, TokenRefusal>> {
    let values = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let connection = binding.and_then(|binding| binding.id().provided());
    Some(match cookie.open(values, connection, SystemTime::now())? {
        SealedTokenVerdict::HonorBound(token) | SealedTokenVerdict::HonorBearer(token) => {
            Ok(String::from_utf8_lossy(token.payload()).into_owned())
        }
        SealedTokenVerdict::Discard(refusal) => Err(refusal),
    })
}

/// The service: `POST /login` gives a cookie, `GET /account` wants it. (It would ask for a password.)
fn handle(cookie: &BoundCookie, request: &server::Request) -> Result<Response<String>> {
    let binding = request.extensions().get::<ProvidedTokenBinding>();
    let key = binding.map_or_else(|| "none".to_owned(), |binding| short(binding.id()));
    let answer = |status, text: &str| {
        println!(
            "   service: {} {}, key {key}: {text}",
            request.method(),
            request.uri().path()
        );
        let mut response = Response::new(format!("{text}\n"));
        *response.status_mut() = status;
        response
    };
    Ok(match (request.method(), request.uri().path()) {
        (&Method::POST, "/login") => match binding {
            Some(binding) => {
                let cookie = cookie.issue(binding, b"alice", LIFETIME, SystemTime::now())?;
                let mut response = answer(StatusCode::OK, "logged in as alice");
                let headers = response.headers_mut();
                headers.insert(SET_COOKIE, HeaderValue::from_str(&cookie)?);
                response
            }
            None => answer(StatusCode::FORBIDDEN, "a login needs Token Binding"),
        },
        (&Method::GET, "/account") => match check(cookie, request.headers(), binding) {
            Some(Ok(user)) => answer(StatusCode::OK, &format!("the account of {user}")),
            Some(Err(refusal)) => answer(
                StatusCode::UNAUTHORIZED,
                &format!("the cookie is discarded: {}", refusal.kind().name()),
            ),
            None => answer(StatusCode::UNAUTHORIZED, "not logged in"),
        },
        _ => answer(StatusCode::NOT_FOUND, "POST /login or GET /account"),
    })
}

/// Serves until the process is stopped.
async fn serve(listener: TcpListener, acceptor: server::Acceptor) -> Result<()> {
    let cookie = Arc::new(session_cookie()?);
    let service = tower::service_fn(move |request| {
        let response = handle(&cookie, &request).unwrap_or_else(|error| {
            let mut response = Response::new(error.to_string());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        });
        async move { Ok::<_, Infallible>(response) }
    });
    let server = server::Server::new(acceptor);
    let ctrl_c = async { drop(tokio::signal::ctrl_c().await) };
    server.serve_until(listener, service, ctrl_c).await;
    Ok(())
}

fn acceptor(localhost: &Localhost) -> Result<server::Acceptor> {
    let configs = ServerConfigs::build(
        default_provider(),
        &TokenBindingAlpn::ALL,
        VersionPreference::TokenBinding,
        |builder| {
            let certificates = vec![localhost.certificate.clone()];
            let builder = builder.with_no_client_auth();
            builder.with_single_cert(certificates, localhost.private_key())
        },
    )?;
    Ok(server::Acceptor::new(configs)
        .on_terminate(|refusal| println!("   service ends the connection: {refusal}")))
}

/// Status, cookie that was set, body.
type Answer = (StatusCode, Option<String>, String);

async fn send(client: &HttpClient, method: Method, url: &str, cookie: &str) -> Result<Answer> {
    let request = Request::builder().method(method).uri(url);
    let request = request.header(COOKIE, cookie).body(Full::default())?;
    let response = client.request(request, RequestOptions::default()).await?;
    let status = response.status();
    let set = match response.headers().get(SET_COOKIE) {
        Some(value) => value.to_str()?.split(';').next().map(str::to_owned),
        None => None,
    };
    Ok((status, set, text(response).await?))
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let localhost = Localhost::new()?;
    let listener = match arguments.serve {
        Some(address) => TcpListener::bind(address).await?,
        None => TcpListener::bind(("127.0.0.1", 0)).await?,
    };
    let address = listener.local_addr()?;
    let server = tokio::spawn(serve(listener, acceptor(&localhost)?));
    let base = format!("https://localhost:{}", address.port());
    let (login, account) = (format!("{base}/login"), format!("{base}/account"));
    println!("service {base}");

    println!("\n1. alice logs in");
    let alices = localhost.connector(&TokenBindingAlpn::ALL)?;
    let alice = HttpClient::new(HttpsConnector::new(alices.clone()));
    let (status, cookie, _) = send(&alice, Method::POST, &login, "").await?;
    must(status == StatusCode::OK, "the login works")?;
    let cookie = cookie.ok_or("no cookie")?;
    println!("   alice keeps {cookie}");

    println!("\n2. alice comes back on another connection, with her cookie");
    alice.close_idle();
    let (status, _, body) = send(&alice, Method::GET, &account, &cookie).await?;
    must(
        status == StatusCode::OK && body == "the account of alice\n",
        "her cookie is good",
    )?;

    println!("\n3. a thief has her cookie, and a key of his own");
    let thief = localhost.client(&TokenBindingAlpn::ALL)?;
    let (status, _, body) = send(&thief, Method::GET, &account, &cookie).await?;
    must(
        status == StatusCode::UNAUTHORIZED && body.contains("mismatch"),
        "it is discarded",
    )?;

    println!("\n4. the thief pretends not to know Token Binding");
    let thief = localhost.client(&[])?;
    let (status, _, body) = send(&thief, Method::GET, &account, &cookie).await?;
    let reason = DiscardReason::NoTokenBindingEstablished.name();
    must(
        status == StatusCode::UNAUTHORIZED && body.contains(reason),
        "it is discarded",
    )?;

    println!("\n5. the thief has also read one of alice's Token-Binding headers, and sends that");
    let hers = alices
        .connect(base.parse()?, TcpStream::connect(address).await?)
        .await?;
    let header = hers
        .connection
        .header(alices.state(), None)?
        .value
        .ok_or("no header")?;
    let thief = localhost.connector(&[TokenBindingAlpn::Http11P256])?;
    let mut his = thief
        .connect(base.parse()?, TcpStream::connect(address).await?)
        .await?
        .stream;
    let request = format!(
        "GET /account HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nToken-Binding: {header}\r\n\r\n"
    );
    his.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // The service does not say goodbye: an error, and no octet of an answer.
    let end = his.read_to_end(&mut answer).await;
    must(
        end.is_err() && answer.is_empty(),
        "the connection is ended without an answer",
    )?;

    println!("\nAll as it must be.");
    if arguments.serve.is_none() {
        return Ok(());
    }
    println!("\nStays up until Ctrl-C. Try, for instance:");
    println!("  curl -k -X POST {login}");
    println!("  openssl s_client -connect {address} -tls1_2 -alpn http/1.1_tb_p256");
    server.await?
}
