//! An axum application that knows its clients' keys: a [`server::Server`] serves its routes, in the
//! place of `axum::serve`, and handlers take the bindings as extensions.
//!
//! ```sh
//! cargo run -p tokenbind-http --features client,hyper --example axum_service
//! cargo run -p tokenbind-http --features client,hyper --example axum_service -- --serve 127.0.0.1:8443
//! ```
//!
//! A client of ours visits one application and then, as a script of that one would (section 3.4 of
//! draft-balfanz-https-token-binding-00), fetches a token from another. Ends with an error if
//! anything is not as it must be; with `--serve` the first application then stays up.

mod loopback;

use std::net::SocketAddr;

use axum::{Extension, Router, routing::get};
use clap::Parser;
use http::StatusCode;
use loopback::{Localhost, Result, must, short, text};
use tokenbind_http::{
    ProvidedTokenBinding, ReferredTokenBinding,
    client::{Disclosed, RequestOptions},
    federation::TokenToIssue,
    server,
};
use tokenbind_wire::TokenBindingAlpn;
use tokio::net::TcpListener;

#[derive(Parser)]
#[command(about = "An axum application that knows its clients' keys")]
struct Arguments {
    /// Listen here, and stay up
    #[arg(long, value_name = "ADDRESS:PORT")]
    serve: Option<SocketAddr>,
}

/// For everybody: without Token Binding there is no extension.
async fn index(binding: Option<Extension<ProvidedTokenBinding>>) -> String {
    match binding {
        Some(Extension(binding)) => format!("hello {}\n", short(binding.id())),
        None => "hello whoever you are\n".to_owned(),
    }
}

/// For bound clients. axum answers 500 where the extension is missing: see `bound_only`.
async fn key(Extension(binding): Extension<ProvidedTokenBinding>) -> String {
    format!("{}\n", short(binding.id()))
}

/// A token provider: bound to the key of the client with the origin that the request comes from, if
/// it is revealed.
async fn token(
    Extension(provided): Extension<ProvidedTokenBinding>,
    referred: Option<Extension<ReferredTokenBinding>>,
) -> String {
    let key = short(provided.id());
    let referred = referred.map(|Extension(referred)| referred);
    match TokenToIssue::from_referred(referred.as_ref()) {
        TokenToIssue::BoundTo(id) => format!("you are {key}: a token for {}\n", short(&id)),
        TokenToIssue::Unbound(reason) => {
            format!("you are {key}: an unbound token ({reason:?})\n")
        }
    }
}

/// Answers 403 to clients without Token Binding.
async fn bound_only(
    binding: Option<Extension<ProvidedTokenBinding>>,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> std::result::Result<axum::response::Response, (StatusCode, &'static str)> {
    match binding {
        Some(_) => Ok(next.run(request).await),
        None => Err((StatusCode::FORBIDDEN, "this needs Token Binding\n")),
    }
}

fn application() -> Router {
    Router::new()
        .route("/key", get(key))
        .route("/token", get(token))
        .layer(axum::middleware::from_fn(bound_only))
        .route("/", get(index))
}

/// Serves the application in the background; the URL it is at.
async fn start(
    localhost: &Localhost,
    alpn: &[TokenBindingAlpn],
    address: SocketAddr,
) -> Result<(String, tokio::task::JoinHandle<usize>)> {
    let listener = TcpListener::bind(address).await?;
    let url = format!("https://localhost:{}", listener.local_addr()?.port());
    let server = server::Server::new(localhost.acceptor(alpn)?);
    let ctrl_c = async { drop(tokio::signal::ctrl_c().await) };
    let server = async move { server.serve_until(listener, application(), ctrl_c).await };
    let server = tokio::spawn(server);
    Ok((url, server))
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let localhost = Localhost::new()?;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let address = arguments.serve.unwrap_or(any);
    let (one, server) = start(&localhost, &TokenBindingAlpn::ALL, address).await?;
    let (other, _) = start(&localhost, &[TokenBindingAlpn::Http11P256], any).await?;
    println!("one application {one}, another {other}");

    let client = localhost.client(&TokenBindingAlpn::ALL)?;
    let plain = localhost.client(&[])?;
    let fetch = async |client: &tokenbind_http::client::HttpClient, url: String, options| {
        let request = loopback::get(&url)?;
        let response = client.request(request, options).await?;
        let (status, version) = (response.status(), response.version());
        let disclosed = response.extensions().get::<Disclosed>().cloned();
        let body = text(response).await?;
        print!("   {url} {version:?} {status}: {body}");
        Ok::<_, loopback::Error>((status, body, disclosed))
    };
    let options = RequestOptions::default;

    println!("\n1. a client without Token Binding");
    let (_, body, _) = fetch(&plain, format!("{one}/"), options()).await?;
    must(body == "hello whoever you are\n", "it is not known")?;
    let (status, ..) = fetch(&plain, format!("{one}/key"), options()).await?;
    must(status == StatusCode::FORBIDDEN, "it does not get in")?;

    println!("\n2. a client with Token Binding has another key with each application");
    let (_, key_with_one, _) = fetch(&client, format!("{one}/key"), options()).await?;
    let (_, key_with_other, _) = fetch(&client, format!("{other}/key"), options()).await?;
    must(key_with_one != key_with_other, "the keys are two")?;

    println!("\n3. a request of its own reveals nothing of the other key");
    let (_, body, _) = fetch(&client, format!("{other}/token"), options()).await?;
    must(body.contains("NotReferred"), "the token is unbound")?;

    println!("\n4. a script of {one} sets with_referer_token_binding_id");
    let script = RequestOptions {
        with_referer_token_binding_id: Some(one.parse()?),
        ..options()
    };
    let (_, body, disclosed) = fetch(&client, format!("{other}/token"), script).await?;
    println!("   {disclosed:?}");
    let expected = format!(
        "you are {}: a token for {key_with_one}",
        key_with_other.trim()
    );
    must(
        body == expected,
        "the token is for the key with the script's origin",
    )?;

    println!("\nAll as it must be.");
    if arguments.serve.is_none() {
        return Ok(());
    }
    println!("\nStays up until Ctrl-C. Try, for instance:");
    println!("  curl -k {one}/");
    println!("  curl -k {one}/key");
    server.await?;
    Ok(())
}
