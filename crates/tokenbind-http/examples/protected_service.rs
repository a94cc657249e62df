//! A service whose login cookie is bound to the client's key: a stolen one is worthless.
//!
//! ```sh
//! cargo run -p tokenbind-http --features client,hyper --example protected_service
//! cargo run -p tokenbind-http --features client,hyper --example protected_service -- --serve 127.0.0.1:8443
//! ```
//!
//! Token Binding takes an acceptor in the place of tokio-rustls's, and `serve_connection`, which puts
//! a `TokenBindingLayer` around the service. Ends with an error if anything is not as it must be;
//! with `--serve` it then stays up.

mod loopback;

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use clap::Parser;
use http::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{COOKIE, HeaderValue, SET_COOKIE},
};
use http_body_util::Full;
use hyper::body::Incoming;
use loopback::{Error, Localhost, Result, must, short, text};
use rustls::crypto::ring::default_provider;
use tokenbind_http::{
    Client, HttpsTokenBindingConnector, ProvidedTokenBinding, RequestOptions, ServerConfigs,
    TokenBindingAcceptor, VersionPreference, serve_connection,
};
use tokenbind_wire::{
    BearerPolicy, DiscardReason, TokenBindingAlpn, TokenClaim, TokenVerdict, check_token,
};
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

/// From a cookie to whose it is, and the identifier it is bound to.
#[derive(Default)]
struct Sessions(Mutex<HashMap<String, (String, Vec<u8>)>>);

impl Sessions {
    /// A cookie for this user, bound to the client's key.
    fn issue(&self, user: &str, binding: &ProvidedTokenBinding) -> Result<String> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        let cookie = hex::encode(random);
        let session = (user.to_owned(), binding.id().as_bytes().to_vec());
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.insert(cookie.clone(), session);
        Ok(cookie)
    }

    /// Whose cookie it is, if it is good on a connection with this binding.
    fn check(
        &self,
        cookie: &str,
        binding: Option<&ProvidedTokenBinding>,
    ) -> std::result::Result<String, DiscardReason> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((user, id)) = sessions.get(cookie) else {
            return Err(DiscardReason::Unreadable);
        };
        let connection = binding.map(|binding| binding.id().view());
        match check_token(TokenClaim::Id(id), connection, BearerPolicy::Discard) {
            TokenVerdict::HonorBound | TokenVerdict::HonorBearer => Ok(user.clone()),
            TokenVerdict::Discard(reason) => Err(reason),
        }
    }
}

/// The service: `POST /login` gives a cookie, `GET /account` wants it. (It would ask for a password.)
fn handle(sessions: &Sessions, request: &Request<Incoming>) -> Result<Response<String>> {
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
                let cookie = sessions.issue("alice", binding)?;
                let cookie = format!("session={cookie}; Path=/; Secure; HttpOnly; SameSite=Lax");
                let mut response = answer(StatusCode::OK, "logged in as alice");
                let headers = response.headers_mut();
                headers.insert(SET_COOKIE, HeaderValue::from_str(&cookie)?);
                response
            }
            None => answer(StatusCode::FORBIDDEN, "a login needs Token Binding"),
        },
        (&Method::GET, "/account") => match session_cookie(request.headers()) {
            Some(cookie) => match sessions.check(cookie, binding) {
                Ok(user) => answer(StatusCode::OK, &format!("the account of {user}")),
                Err(reason) => answer(
                    StatusCode::UNAUTHORIZED,
                    &format!("the cookie is discarded: {}", reason.name()),
                ),
            },
            None => answer(StatusCode::UNAUTHORIZED, "not logged in"),
        },
        _ => answer(StatusCode::NOT_FOUND, "POST /login or GET /account"),
    })
}

fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    let mut cookies = cookies.split(';').map(str::trim);
    cookies.find_map(|cookie| cookie.strip_prefix("session="))
}

/// What it takes to make a hyper service token-binding aware.
async fn serve(listener: TcpListener, acceptor: TokenBindingAcceptor) -> Result<()> {
    let sessions = Arc::new(Sessions::default());
    loop {
        let (stream, _) = listener.accept().await?;
        let (acceptor, sessions) = (acceptor.clone(), sessions.clone());
        tokio::spawn(async move {
            let stream = acceptor.accept(stream).await?;
            let service = tower::service_fn(move |request| {
                let response = handle(&sessions, &request).unwrap_or_else(|error| {
                    let mut response = Response::new(error.to_string());
                    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                    response
                });
                async move { Ok::<_, Infallible>(response) }
            });
            serve_connection(stream, service).await?;
            Ok::<_, Error>(())
        });
    }
}

fn acceptor(localhost: &Localhost) -> Result<TokenBindingAcceptor> {
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
    Ok(TokenBindingAcceptor::new(configs)
        .on_terminate(|refusal| println!("   service ends the connection: {refusal}")))
}

/// Status, cookie that was set, body.
type Answer = (StatusCode, Option<String>, String);

async fn send(client: &Client, method: Method, url: &str, cookie: &str) -> Result<Answer> {
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
    let alice = Client::new(HttpsTokenBindingConnector::new(alices.clone()));
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
        .binding
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
