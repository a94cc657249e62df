//! A service whose login cookie is bound to the client's key: a stolen one is discarded.
//!
//! ```sh
//! cargo run -p tokenbind-http --all-features --example protected_service
//! cargo run -p tokenbind-http --all-features --example protected_service -- --serve 127.0.0.1:8443
//! ```

mod loopback;

use std::time::{Duration, SystemTime};

use axum::routing::{get, post};
use axum::{Extension, Router, extract::State, response::IntoResponse};
use clap::Parser;
use http::header::{COOKIE, HeaderMap, SET_COOKIE};
use http::{Request, StatusCode};
use loopback::{Arguments, Result, certificate, client, fetch, serve};
use tokenbind_http::sealed_tokens::{BoundCookie, BoundTokens, CookieAttributes};
use tokenbind_http::sealed_tokens::{SealedTokenVerdict as Verdict, TokenKeyId, TokenKeys};
use tokenbind_http::{ProvidedTokenBinding, client::RequestOptions};
use tokenbind_wire::TokenBindingAlpn;

type Binding = Option<Extension<ProvidedTokenBinding>>;
type Answer<T> = std::result::Result<T, (StatusCode, &'static str)>;

/// Gives a cookie that is bound to the client's key. (It would ask for a password first.)
async fn login(State(cookie): State<BoundCookie>, binding: Binding) -> Answer<impl IntoResponse> {
    let binding = binding.ok_or((StatusCode::FORBIDDEN, "a login needs Token Binding"))?;
    let lifetime = Duration::from_secs(3600);
    let issued = cookie.issue(&*binding, b"alice", lifetime, SystemTime::now());
    let issued = issued.map_err(|_| (StatusCode::INTERNAL_SERVER_ERROR, "no cookie"))?;
    Ok(([(SET_COOKIE, issued)], "logged in"))
}

/// Requires the cookie, from a client with the key that the cookie is bound to.
async fn account(
    State(cookie): State<BoundCookie>,
    binding: Binding,
    headers: HeaderMap,
) -> Answer<Vec<u8>> {
    let values = headers.get_all(COOKIE).iter().map(AsRef::as_ref);
    let connection = binding.as_ref().and_then(|it| it.id().provided());
    let reason = match cookie.open(values, connection, SystemTime::now()) {
        None => "not logged in",
        Some(Verdict::Discard(refusal)) => refusal.kind().name(),
        Some(Verdict::HonorBound(it) | Verdict::HonorBearer(it)) => return Ok(it.into_payload()),
    };
    Err((StatusCode::UNAUTHORIZED, reason))
}

#[tokio::main]
async fn main() -> Result<()> {
    let at = Arguments::parse().serve;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    let keys = TokenKeys::try_new(TokenKeyId(1), &secret)?;
    let tokens = BoundTokens::try_new(keys.into(), "session")?;
    let cookie = BoundCookie::try_new(&tokens, "__Host-session", CookieAttributes::default())?;
    let application = Router::new().route("/login", post(login));
    let application = application.route("/account", get(account));
    let (identity, all) = (certificate(), TokenBindingAlpn::ALL);
    let (url, server) = serve(application.with_state(cookie), &all, (&identity, at)).await?;

    let (alice, thief) = (client(&identity, &all)?, client(&identity, &all)?);
    let (unbound, options) = (client(&identity, &[])?, RequestOptions::default);
    let login = Request::post(format!("{url}/login"));
    let response = fetch("alice", &alice, login, options()).await?;
    let cookie = response.headers().get(SET_COOKIE).ok_or("no cookie")?;
    let (cookie, _) = cookie.to_str()?.split_once(';').ok_or("no attribute")?;
    for (who, client) in [("alice", alice), ("thief", thief), ("unbound", unbound)] {
        let request = Request::get(format!("{url}/account")).header(COOKIE, cookie);
        fetch(who, &client, request, options()).await?;
    }
    if at.is_some() {
        println!("Stays up until Ctrl-C. Try, for instance:\n  curl -k {url}/account");
        server.await?;
    }
    Ok(())
}
