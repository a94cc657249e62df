//! Federation (draft-balfanz-https-token-binding-00 section 3): a token consumer, a token provider,
//! and a client that reveals to the one its binding with the other, or not.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Request},
    response::{IntoResponse, Response},
    routing::get,
};
use conformance::outcome::{Checked, Failure, passed, same};
use http::{StatusCode, header::AUTHORIZATION, header::LOCATION};
use http_body_util::{BodyExt, Full};
use test_support::keys::VerifyWith;
use tokenbind_http::{
    ProvidedTokenBinding, ReferredTokenBinding,
    client::Disclosed,
    federation::{Disclosure, TokenToIssue, UnboundReason, WithheldReason},
    header::INCLUDE_REFERER_TOKEN_BINDING_ID,
};
use tokenbind_wire::{
    KeyParameters, P256Key, RustCrypto, TokenBindingAlpn,
    token::{BearerPolicy, TokenClaim, TokenVerdict},
};

use super::{
    agent::{Agent, permitting},
    forge::{self, ECDSA_SHA256, Forge, PROVIDED, REFERRED},
    site::{Seen, Setup, Site},
};

/// Identifiers negotiated with the consumer and with the provider.
const MIXED: [(TokenBindingAlpn, TokenBindingAlpn); 2] = [
    (TokenBindingAlpn::Http11Rsa2048, TokenBindingAlpn::H2P256),
    (TokenBindingAlpn::H2P256, TokenBindingAlpn::Http11Rsa2048),
];

/// `/login/STATUS` redirects with the header that permits, `/silent/STATUS` without; `/session` is
/// where a token is brought to.
fn consumer(to: String) -> Router {
    let silently = to.clone();
    Router::new()
        .route("/page", get(|| async { "a page" }))
        .route(
            "/login/{status}",
            get(move |status: Path<u16>| async move { redirect(*status, &to, true) }),
        )
        .route(
            "/silent/{status}",
            get(move |status: Path<u16>| async move { redirect(*status, &silently, false) }),
        )
        .route("/session", get(session))
}

fn redirect(status: u16, to: &str, permits: bool) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = (status, [(LOCATION, to)]).into_response();
    if permits {
        let value = http::HeaderValue::from_static("true");
        response
            .headers_mut()
            .insert(INCLUDE_REFERER_TOKEN_BINDING_ID, value);
    }
    response
}

/// Checks the token of a request: `bound:` and the key's identifier in hex, or `unbound:` and the reason. Its protection
/// against forgery is not a subject here.
async fn session(request: Request) -> String {
    let token = request.headers().get(AUTHORIZATION);
    let token = token.and_then(|token| token.to_str().ok()).unwrap_or("");
    let key_id = token.strip_prefix("bound:").map(hex::decode);
    let claim = match &key_id {
        Some(Ok(key_id)) => TokenClaim::KeyId(key_id),
        Some(Err(_)) => TokenClaim::Unreadable,
        None => TokenClaim::Bearer,
    };
    let connection = request.extensions().get::<ProvidedTokenBinding>();
    let connection = connection.and_then(|id| id.id().provided());
    match claim.check(connection, BearerPolicy::Discard) {
        TokenVerdict::HonorBound => "honored".to_owned(),
        TokenVerdict::HonorBearer => "honored though not bound".to_owned(),
        TokenVerdict::Discard(reason) => format!("discarded: {}", reason.name()),
    }
}

/// `/issue` issues a token; `/hop` and `/permitting-hop` redirect to another provider.
fn provider(to: String) -> Router {
    let permitting = to.clone();
    let issue = |request: Request| async move {
        match TokenToIssue::from_referred(request.extensions().get::<ReferredTokenBinding>()) {
            TokenToIssue::BoundTo(id) => format!("bound:{}", hex::encode(id.view().key_id())),
            TokenToIssue::Unbound(UnboundReason::NotReferred) => "unbound:not-referred".to_owned(),
            TokenToIssue::Unbound(UnboundReason::UnsupportedAlgorithm(algorithm)) => format!(
                "unbound:algorithm {}.{}",
                algorithm.hash.0, algorithm.signature.0
            ),
            TokenToIssue::Unbound(_) => "unbound".to_owned(),
        }
    };
    Router::new()
        .route("/issue", get(issue))
        .route(
            "/hop",
            get(move || async move { redirect(302, &to, false) }),
        )
        .route(
            "/permitting-hop",
            get(move || async move { redirect(302, &permitting, true) }),
        )
}

/// Follows redirects, and returns the last response's body and the disclosure of the last request.
async fn follow(agent: &Agent, url: &str) -> Checked<(String, Option<Disclosure>)> {
    let request = http::Request::get(url).body(Full::default())?;
    let response = agent.client.request(request, permitting(None)).await?;
    same("status", response.status().as_u16(), 200)?;
    let disclosure = response.extensions().get();
    let disclosure = disclosure.map(|Disclosed(disclosure)| disclosure.clone());
    let body = response.into_body().collect().await?.to_bytes();
    Ok((String::from_utf8(body.to_vec())?, disclosure))
}

/// The request to `/issue` that a provider saw: both identifiers, in hex.
fn issued(site: &Site) -> Checked<(Option<String>, Option<String>)> {
    match site.seen().as_slice() {
        [seen] => {
            same("path", seen.path.as_str(), "/issue")?;
            Ok((seen.provided.clone(), seen.referred.clone()))
        }
        seen => Err(Failure::new(format!("requests: {seen:?}"))),
    }
}

/// Returns the body of a provider that issued a token for the key with this Token Binding ID.
fn bound_to(id: &str) -> String {
    format!("bound:{}", &id[2..])
}

/// Redirects with 301 and 302 reveal, other statuses and further hops do not.
pub(super) async fn redirects() -> Checked {
    for (consumer, provider) in MIXED {
        redirect_between(consumer, provider)
            .await
            .map_err(|failure| failure.of(&format!("{consumer:?} to {provider:?}")))?;
    }
    passed(
        "RSA over HTTP/1.1 to P-256 over HTTP/2 and back: 301 and 302 reveal, the token is honored \
         from the client only; 303, 307, 308, no header, a second hop do not reveal; a second \
         permission reveals the second key only",
    )
}

async fn redirect_between(
    of_consumer: TokenBindingAlpn,
    of_provider: TokenBindingAlpn,
) -> Checked<()> {
    let further = Setup::new(of_consumer)
        .start(provider(String::new()))
        .await?;
    let issuer = Setup::new(of_provider)
        .start(provider(further.url("/issue")))
        .await?;
    let direct = Setup::new(of_consumer)
        .start(consumer(issuer.url("/issue")))
        .await?;
    let client = Agent::new(&TokenBindingAlpn::ALL)?;
    let thief = Agent::new(&TokenBindingAlpn::ALL)?;
    let parameters = of_consumer.key_parameters();
    let referred = client.referred(direct.origin(), parameters)?;
    let provided = Some(client.provided(issuer.origin(), of_provider.key_parameters())?);

    for status in [301, 302] {
        let (token, disclosure) = follow(&client, &direct.url(&format!("/login/{status}"))).await?;
        same("token", token.as_str(), bound_to(&referred))?;
        let ids = (provided.clone(), Some(referred.clone()));
        same("identifiers", issued(&issuer)?, ids)?;
        match disclosure {
            Some(Disclosure::Reveal(referral)) => {
                let revealed = (referral.consumer().clone(), referral.parameters());
                same("revealed", revealed, (direct.origin().clone(), parameters))?;
            }
            other => return Err(Failure::new(format!("disclosure: {other:?}"))),
        }
        same(
            "brought by the client",
            bring(&client, &direct, &token).await?,
            "honored",
        )?;
        let discarded = "discarded: mismatch";
        same(
            "brought by a thief",
            bring(&thief, &direct, &token).await?,
            discarded,
        )?;
    }
    for path in [
        "/login/303",
        "/login/307",
        "/login/308",
        "/silent/301",
        "/silent/302",
    ] {
        let (token, disclosure) = follow(&client, &direct.url(path)).await?;
        same(path, token.as_str(), "unbound:not-referred")?;
        same(path, issued(&issuer)?, (provided.clone(), None))?;
        same(path, disclosure, None)?;
    }

    for (hop, second) in [
        ("/hop", None),
        (
            "/permitting-hop",
            Some(client.referred(issuer.origin(), of_provider.key_parameters())?),
        ),
    ] {
        let site = Setup::new(of_consumer)
            .start(consumer(issuer.url(hop)))
            .await?;
        let (token, _) = follow(&client, &site.url("/login/302")).await?;
        let unbound = "unbound:not-referred".to_owned();
        same(hop, token, second.as_deref().map_or(unbound, bound_to))?;
        let first = Some(client.referred(site.origin(), parameters)?);
        let seen: Vec<Option<String>> = issuer
            .seen()
            .into_iter()
            .map(|seen| seen.referred)
            .collect();
        same(hop, seen, [first])?;
        let last = Some(client.provided(further.origin(), parameters)?);
        same(hop, issued(&further)?, (last, second))?;
    }
    for site in [&direct, &issuer, &further] {
        same("refusals", site.refusals(), [])?;
    }
    Ok(())
}

/// Brings a token to the consumer.
async fn bring(agent: &Agent, site: &Site, token: &str) -> Checked<String> {
    let request = http::Request::get(site.url("/session")).header(AUTHORIZATION, token);
    let answer = agent.send(request.body(Full::default())?, None).await?;
    Ok(String::from_utf8(answer.body.to_vec())?)
}

/// The option `withRefererTokenBindingID` of a request across origins (section 3.4).
pub(super) async fn script() -> Checked {
    for (consumer, provider) in MIXED {
        script_between(consumer, provider)
            .await
            .map_err(|failure| failure.of(&format!("{consumer:?} to {provider:?}")))?;
    }
    passed(
        "RSA over HTTP/1.1 to P-256 over HTTP/2 and back: the option reveals for one request; without \
         it, or where one of both did not negotiate, nothing is revealed",
    )
}

async fn script_between(
    of_consumer: TokenBindingAlpn,
    of_provider: TokenBindingAlpn,
) -> Checked<()> {
    let issuer = Setup::new(of_provider)
        .start(provider(String::new()))
        .await?;
    let page = Setup::new(of_consumer)
        .start(consumer(String::new()))
        .await?;
    let without = Setup {
        alpn: Vec::new(),
        ..Setup::default()
    };
    let plain = without
        .start(provider(String::new()).merge(consumer(String::new())))
        .await?;
    let client = Agent::new(&TokenBindingAlpn::ALL)?;
    let provided = Some(client.provided(issuer.origin(), of_provider.key_parameters())?);
    let referred = client.referred(page.origin(), of_consumer.key_parameters())?;
    let request = |site: &Site| http::Request::get(site.url("/issue")).body(Full::default());

    // No page of the origin was loaded yet.
    let permission = client.state.script_permission(true, page.origin());
    same(
        "permission",
        permission,
        Err(WithheldReason::ConsumerNotNegotiated),
    )?;
    client.get(&page.url("/page")).await?;
    let permission = client.state.script_permission(false, page.origin());
    same("permission", permission, Err(WithheldReason::NotAsked))?;

    let permission = client.state.script_permission(true, page.origin())?;
    let answer = client.send(request(&issuer)?, Some(permission)).await?;
    same("token", answer.body, bound_to(&referred))?;
    same(
        "identifiers",
        issued(&issuer)?,
        (provided.clone(), Some(referred)),
    )?;
    let answer = client.send(request(&issuer)?, None).await?;
    same("the next request", answer.body, "unbound:not-referred")?;
    same("the next request", issued(&issuer)?, (provided, None))?;

    let permission = client.state.script_permission(true, page.origin())?;
    let answer = client.send(request(&plain)?, Some(permission)).await?;
    let withheld = Disclosure::Withhold(WithheldReason::ProviderNotNegotiated);
    same("disclosure", answer.disclosure, Some(withheld))?;
    same("a provider without", answer.body, "unbound:not-referred")?;
    same("a provider without", issued(&plain)?, (None, None))?;

    client.get(&plain.url("/page")).await?;
    let permission = client.state.script_permission(true, plain.origin());
    same(
        "permission",
        permission,
        Err(WithheldReason::ConsumerNotNegotiated),
    )?;
    for site in [&page, &issuer, &plain] {
        same("refusals", site.refusals(), [])?;
    }
    Ok(())
}

/// A referred binding that the provider cannot verify: it issues an unbound token (section 3.5).
pub(super) async fn unsupported_algorithm() -> Checked {
    for alpn in [TokenBindingAlpn::Http11P256, TokenBindingAlpn::H2P256] {
        unsupported(alpn)
            .await
            .map_err(|failure| failure.of(alpn.as_str()))?;
    }
    passed(
        "RSA at a provider that verifies P-256 only; a signature algorithm, a hash and a curve that \
         are not known: 200 with an unbound token, the provided binding is kept; HTTP/1.1, HTTP/2",
    )
}

async fn unsupported(of_provider: TokenBindingAlpn) -> Checked<()> {
    let setup = Setup {
        verifier: Some(Arc::new(VerifyWith::new(
            &[KeyParameters::P256],
            |signed| signed.verify(&RustCrypto),
        ))),
        ..Setup::new(of_provider)
    };
    let issuer = setup.start(provider(String::new())).await?;
    let rsa = Setup::new(TokenBindingAlpn::Http11Rsa2048);
    let direct = rsa.start(consumer(issuer.url("/issue"))).await?;
    let client = Agent::new(&TokenBindingAlpn::ALL)?;
    let provided = Some(client.provided(issuer.origin(), KeyParameters::P256)?);
    let (issued_token, _) = follow(&client, &direct.url("/login/302")).await?;
    same("RSA", issued_token, "unbound:algorithm 4.1")?;
    let ids = (provided.clone(), Some("unsupported 4.1".to_owned()));
    same("RSA", issued(&issuer)?, ids)?;

    // By hand: the key after the algorithm cannot be read, or can be read and is not supported.
    let other = P256Key::generate()?;
    let key = forge::key_id(&other)?;
    let unreadable = forge::binding(REFERRED, &[4, 9, 1, 2, 3, 4, 5], &[0; 64], &[]);
    let other_hash = forge::binding(REFERRED, &[&[6, 3], &key[2..]].concat(), &[0; 64], &[]);
    let other_curve = [&ECDSA_SHA256, &[0, 24], &key[4..]].concat();
    let other_curve = forge::binding(REFERRED, &other_curve, &[0; 96], &[]);
    for (what, [hash, signature], referred) in [
        ("signature algorithm", [4, 9], unreadable),
        ("hash", [6, 3], other_hash),
        ("curve", [4, 3], other_curve),
    ] {
        let mut raw = client.connect(&issuer).await?;
        let forge = Forge::new(raw.binding())?;
        let own = client.key(issuer.origin(), KeyParameters::P256)?;
        let message = forge::message(&[forge.binding(PROVIDED, &*own)?, referred]);
        let header = forge::header(&message);
        raw.get("/issue", &[("token-binding", &header)]).await?;
        let response = raw.response().await?;
        same(
            what,
            (response.status, response.body),
            (200, format!("unbound:algorithm {hash}.{signature}")),
        )?;
        let unsupported = Some(format!("unsupported {hash}.{signature}"));
        let seen: Vec<Seen> = issuer.seen();
        let seen: Vec<_> = seen
            .into_iter()
            .map(|seen| (seen.provided, seen.referred))
            .collect();
        same(what, seen, [(provided.clone(), unsupported)])?;
    }
    same("refusals", issuer.refusals(), [])
}
