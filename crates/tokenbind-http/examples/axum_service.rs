//! An axum application that knows its clients' keys: a `server::Server` serves its routes, in the place of
//! `axum::serve`, and handlers take the bindings as extensions.
//!
//! ```sh
//! cargo run -p tokenbind-http --all-features --example axum_service
//! cargo run -p tokenbind-http --all-features --example axum_service -- --serve 127.0.0.1:8443
//! ```
//!
//! A client visits one application and then, as a script of that one would (section 3.4 of
//! draft-balfanz-https-token-binding-00), fetches a token from another. With `--serve` the first stays up.

mod loopback;

use axum::{Extension, Router, routing::get};
use clap::Parser;
use http::{Request, StatusCode};
use loopback::{Arguments, Result, certificate, client, fetch, serve};
use tokenbind_http::{
    ProvidedTokenBinding, ReferredTokenBinding, client::RequestOptions, federation::TokenToIssue,
};
use tokenbind_wire::TokenBindingAlpn;

/// Greets every client: without Token Binding there is no extension.
async fn index(binding: Option<Extension<ProvidedTokenBinding>>) -> String {
    match binding {
        Some(binding) => format!("hello {}", hex::encode(binding.id().key_id_sha256())),
        None => "hello whoever you are".to_owned(),
    }
}

/// Answers 403 to clients without Token Binding. (An `Extension` alone would answer 500.)
async fn key(
    binding: Option<Extension<ProvidedTokenBinding>>,
) -> std::result::Result<String, (StatusCode, &'static str)> {
    let binding = binding.ok_or((StatusCode::FORBIDDEN, "this needs Token Binding"))?;
    Ok(hex::encode(binding.id().key_id_sha256()))
}

/// Provides a token for the key that the client uses with the script's application, if that key is revealed.
async fn token(referred: Option<Extension<ReferredTokenBinding>>) -> String {
    match TokenToIssue::from_referred(referred.as_deref()) {
        TokenToIssue::BoundTo(id) => format!("a token for {}", hex::encode(id.key_id_sha256())),
        TokenToIssue::Unbound(reason) => format!("an unbound token ({reason:?})"),
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let application = Router::new().route("/", get(index));
    let application = application.route("/key", get(key));
    let application = application.route("/token", get(token));
    let (identity, all) = (certificate(), TokenBindingAlpn::ALL);
    let at = (&identity, arguments.serve);
    let (one, server) = serve(application.clone(), &all, at).await?;
    let (other, _) = serve(application, &all[..1], (&identity, None)).await?;

    let (plain, bound) = (client(&identity, &[])?, client(&identity, &all)?);
    for (who, client, url) in [
        ("without Token Binding", &plain, format!("{one}/")),
        ("without Token Binding", &plain, format!("{one}/key")),
        ("to one", &bound, format!("{one}/key")),
        ("to the other", &bound, format!("{other}/key")),
        ("to the other", &bound, format!("{other}/token")),
    ] {
        fetch(who, client, Request::get(url), RequestOptions::default()).await?;
    }
    let script = RequestOptions {
        with_referer_token_binding_id: Some(one.parse()?),
        ..RequestOptions::default()
    };
    let url = format!("{other}/token");
    fetch("a script of one", &bound, Request::get(url), script).await?;
    if arguments.serve.is_some() {
        println!("Stays up until Ctrl-C. Try, for instance:\n  curl -k {one}/key");
        server.await?;
    }
    Ok(())
}
