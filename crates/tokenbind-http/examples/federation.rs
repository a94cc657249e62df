//! Federation (draft-balfanz-https-token-binding-00 section 3.3): a token provider binds a token to the key that the
//! client uses with a token consumer, and no other client can use it there.
//!
//! ```sh
//! cargo run -p tokenbind-http --all-features --example federation
//! ```
//!
//! The consumer has P-256, the provider RSA-2048: each binding keeps its own algorithm (section 3.5).

mod loopback;

use std::time::{Duration, SystemTime};

use axum::{
    Extension, Router, body::Body, extract::RawQuery, response::IntoResponse, routing::get,
};
use http::{Request, StatusCode};
use loopback::{Result, certificate, client, fetch, serve};
use tokenbind_http::{
    ProvidedTokenBinding, ReferredTokenBinding,
    client::RequestOptions,
    federation::{TokenToIssue, redirect_to_provider},
    sealed_tokens::{BoundTokens, SealedTokenVerdict as Verdict, TokenKeyId, TokenKeys},
};
use tokenbind_wire::TokenBindingAlpn;

type Provided = Option<Extension<ProvidedTokenBinding>>;
type Referred = Option<Extension<ReferredTokenBinding>>;

/// Honors a token at the consumer, on a connection with the key that the token is bound to.
fn check(tokens: &BoundTokens, token: &str, provided: &Provided) -> (StatusCode, &'static str) {
    let connection = provided.as_ref().and_then(|it| it.id().provided());
    match tokens.open(token.as_bytes(), connection, SystemTime::now()) {
        Verdict::HonorBound(_) | Verdict::HonorBearer(_) => (StatusCode::OK, "welcome"),
        Verdict::Discard(why) => (StatusCode::UNAUTHORIZED, why.kind().name()),
    }
}

/// Issues a token at the provider, for the key of the referred binding.
fn issue(tokens: &BoundTokens, referred: &Referred) -> Result<String> {
    let issue = TokenToIssue::from_referred(referred.as_deref());
    let expires = SystemTime::now().checked_add(Duration::from_secs(300));
    Ok(tokens.seal(&issue, b"alice", expires.ok_or("no time")?)?)
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    let keys = TokenKeys::try_new(TokenKeyId(1), &secret)?;
    let tokens = BoundTokens::try_new(keys.into(), "login at the consumer")?;
    let (identity, all, known) = (certificate(), TokenBindingAlpn::ALL, tokens.clone());
    let at = (&identity, None);

    // A provider would ask for a password, and redirect the client to the consumer with the token.
    let provide = async move |referred: Referred| match issue(&known, &referred) {
        Ok(token) => token.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    let provider = Router::new().route("/", get(provide));
    let (provider, _) = serve(provider, &[TokenBindingAlpn::Http11Rsa2048], at).await?;

    // Permits the client, which follows the redirect, to reveal its binding with the consumer.
    let consume = async move |provided: Provided, RawQuery(token): RawQuery| match token {
        Some(token) => check(&tokens, &token, &provided).into_response(),
        None => redirect_to_provider::<Body>(&provider)
            .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response()),
    };
    let consumer = Router::new().route("/", get(consume));
    let (consumer, _) = serve(consumer, &[TokenBindingAlpn::H2P256], at).await?;

    let (alice, thief) = (client(&identity, &all)?, client(&identity, &all)?);
    let (unbound, options) = (client(&identity, &[])?, RequestOptions::default);
    let response = fetch("alice", &alice, Request::get(&consumer), options()).await?;
    let with_token = format!("{consumer}/?{}", response.body());
    for (who, client) in [("alice", alice), ("thief", thief), ("unbound", unbound)] {
        fetch(who, &client, Request::get(&with_token), options()).await?;
    }
    Ok(())
}
