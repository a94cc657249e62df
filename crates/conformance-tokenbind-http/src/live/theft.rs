//! A thief with a stolen cookie, and with a header seen on another connection, gains nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, body::Body, extract::Request, response::Response, routing::get};
use conformance::outcome::{Checked, Failure, different, passed, same};
use http::header::{COOKIE, SET_COOKIE};
use rustls::HandshakeKind;
use tokenbind_http::{ProvidedTokenBinding, server};
use tokenbind_wire::{
    TerminateKind, TokenBindingAlpn,
    token::{BearerPolicy, TokenClaim, TokenVerdict},
};

use super::{
    agent::Agent,
    raw::Raw,
    site::{Setup, Site},
};

/// Protocols and key parameters that the scenarios are run with.
const VARIANTS: [TokenBindingAlpn; 2] = [TokenBindingAlpn::Http11P256, TokenBindingAlpn::H2Rsa2048];

/// Returns the offset of the signature in a message of one provided binding.
const fn signature_offset(alpn: TokenBindingAlpn) -> usize {
    match alpn {
        // Length of the message, type, algorithm, curve, point of 65 bytes and its length, length.
        TokenBindingAlpn::Http11P256 | TokenBindingAlpn::H2P256 => 2 + 1 + 2 + 2 + 1 + 65 + 2,
        // Modulus of 256 bytes, exponent of 3.
        _ => 2 + 1 + 2 + 2 + 256 + 1 + 3 + 2,
    }
}

/// Cookies, and the Token Binding ID each belongs to: the database of section 7 of
/// draft-popov-token-binding-00.
type Sessions = Arc<Mutex<HashMap<String, Option<Vec<u8>>>>>;

/// `/login` sets a cookie that is bound if the connection is; `/account` says whose it is.
fn bank() -> Router {
    let sessions = Sessions::default();
    let logins = sessions.clone();
    let login = move |request: Request| async move {
        let id = request.extensions().get::<ProvidedTokenBinding>();
        let id = id.map(|id| id.id().as_bytes().to_vec());
        let mut sessions = logins.lock().unwrap_or_else(PoisonError::into_inner);
        let cookie = format!("session={}", sessions.len());
        sessions.insert(cookie.clone(), id);
        let response = Response::builder().header(SET_COOKIE, &cookie);
        response.body(Body::from(cookie)).unwrap_or_default()
    };
    let account = move |request: Request| async move {
        let cookie = request.headers().get(COOKIE);
        let cookie = cookie.and_then(|cookie| cookie.to_str().ok());
        let sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let claim = match cookie.and_then(|cookie| sessions.get(cookie)) {
            Some(Some(id)) => TokenClaim::Id(id),
            Some(None) => TokenClaim::Bearer,
            None => TokenClaim::Unreadable,
        };
        let connection = request.extensions().get::<ProvidedTokenBinding>();
        let connection = connection.and_then(|id| id.id().provided());
        match claim.check(connection, BearerPolicy::Discard) {
            TokenVerdict::HonorBound => "account".to_owned(),
            TokenVerdict::HonorBearer => "account of a bearer".to_owned(),
            TokenVerdict::Discard(reason) => format!("discarded: {}", reason.name()),
        }
    };
    Router::new()
        .route("/login", get(login))
        .route("/account", get(account))
}

/// One connection's request for the account, and what the bank says.
async fn account(raw: &mut Raw, cookie: &str, header: Option<&[u8]>) -> Checked<String> {
    ask(raw, cookie, header).await?;
    let response = raw.response().await?;
    same("status", response.status, 200)?;
    Ok(response.body)
}

async fn ask(raw: &mut Raw, cookie: &str, header: Option<&[u8]>) -> Checked<()> {
    let mut fields = vec![("cookie", cookie.as_bytes())];
    fields.extend(header.map(|header| ("token-binding", header)));
    raw.get("/account", &fields).await
}

/// The site terminated one connection, for this.
fn refused(site: &Site, kind: TerminateKind, field: &str, offset: usize) -> Checked<()> {
    let refusals = site.refusals();
    let refusals: Vec<_> = refusals
        .iter()
        .map(|refusal| (refusal.kind(), refusal.field(), refusal.offset()))
        .collect();
    let expected = [(server::TerminateKind::Message(kind), field, offset)];
    same("refusals", refusals.as_slice(), expected.as_slice())
}

fn signature_refused(site: &Site, alpn: TokenBindingAlpn) -> Checked<()> {
    let offset = signature_offset(alpn);
    refused(
        site,
        TerminateKind::SignatureInvalid,
        "TokenBinding.signature",
        offset,
    )
}

/// A cookie bound to the victim's key, in a thief's hands.
pub(super) async fn stolen_cookie() -> Checked {
    for alpn in VARIANTS {
        steal(alpn)
            .await
            .map_err(|failure| failure.of(alpn.as_str()))?;
    }
    passed(
        "honored on the victim's connections; with the thief's key or without Token Binding \
         discarded; with the victim's header or without one terminated; HTTP/1.1 with P-256, HTTP/2 \
         with RSA",
    )
}

async fn steal(alpn: TokenBindingAlpn) -> Checked<()> {
    let site = Setup::default().start(bank()).await?;
    let victim = Agent::new(&[alpn])?;
    let login = victim.get(&site.url("/login")).await?;
    let cookie = login.headers.get(SET_COOKIE);
    let cookie = cookie.ok_or_else(|| Failure::new("no cookie"))?.to_str()?;

    let mut raw = victim.connect(&site).await?;
    let captured = raw.header(&victim.state)?;
    let honored = account(&mut raw, cookie, Some(&captured)).await?;
    same("the victim", honored.as_str(), "account")?;

    let thief = Agent::new(&[alpn])?;
    let mut own_key = thief.connect(&site).await?;
    let header = own_key.header(&thief.state)?;
    let said = account(&mut own_key, cookie, Some(&header)).await?;
    same("the thief's own key", said.as_str(), "discarded: mismatch")?;
    ask(&mut own_key, cookie, Some(&captured)).await?;
    own_key.terminated().await?;
    signature_refused(&site, alpn)?;

    let mut with_captured = thief.connect(&site).await?;
    ask(&mut with_captured, cookie, Some(&captured)).await?;
    with_captured.terminated().await?;
    signature_refused(&site, alpn)?;

    let mut without = thief.connect(&site).await?;
    ask(&mut without, cookie, None).await?;
    without.terminated().await?;
    let message = "TokenBindingMessage";
    refused(&site, TerminateKind::MissingMessage, message, 0)?;

    // One that offers no Token Binding.
    let plain = Agent::new(&[])?;
    let mut bearer = plain.connect(&site).await?;
    let said = account(&mut bearer, cookie, None).await?;
    let discarded = "discarded: no-token-binding-established";
    same("without Token Binding", said.as_str(), discarded)?;
    ask(&mut bearer, cookie, Some(&captured)).await?;
    bearer.terminated().await?;
    refused(&site, TerminateKind::NotNegotiated, message, 0)?;

    let honored = account(&mut raw, cookie, Some(&captured)).await?;
    same("the victim, still", honored.as_str(), "account")
}

/// A header that was captured on one connection, on others of the same client.
pub(super) async fn replay() -> Checked {
    for alpn in VARIANTS {
        replay_with(alpn)
            .await
            .map_err(|failure| failure.of(alpn.as_str()))?;
    }
    passed(
        "good on its own connection, again and again; refused on a connection that resumes the session, \
         on the first connection with the header of the second, and on a new session; HTTP/1.1 with P-256, HTTP/2 with RSA",
    )
}

async fn replay_with(alpn: TokenBindingAlpn) -> Checked<()> {
    let site = Setup::default().start(bank()).await?;
    let client = Agent::new(&[alpn])?;
    let cookie = "session=none";
    let said = "discarded: unreadable";

    let mut first = client.connect(&site).await?;
    same("handshake", first.handshake(), Some(HandshakeKind::Full))?;
    let captured = first.header(&client.state)?;
    for _ in 0..2 {
        let answer = account(&mut first, cookie, Some(&captured)).await?;
        same("its own connection", answer.as_str(), said)?;
    }

    let mut resumed = client.connect(&site).await?;
    let kind = resumed.handshake();
    same("handshake", kind, Some(HandshakeKind::Resumed))?;
    let of_resumed = resumed.header(&client.state)?;
    different("header", &captured, &of_resumed)?;
    ask(&mut resumed, cookie, Some(&captured)).await?;
    resumed.terminated().await?;
    signature_refused(&site, alpn)?;

    ask(&mut first, cookie, Some(&of_resumed)).await?;
    first.terminated().await?;
    signature_refused(&site, alpn)?;

    let mut anew = client.without_sessions().connect(&site).await?;
    same("handshake", anew.handshake(), Some(HandshakeKind::Full))?;
    ask(&mut anew, cookie, Some(&captured)).await?;
    anew.terminated().await?;
    signature_refused(&site, alpn)?;

    let paths: Vec<_> = site.seen().into_iter().map(|seen| seen.path).collect();
    same("requests seen", paths, ["/account", "/account"])
}
