//! Token Binding on full and on resumed connections, HTTP/1.1 and HTTP/2.

use axum::{
    Router,
    body::{Body, Bytes},
    routing::any,
};
use conformance::outcome::{Checked, different, passed, same};
use http::{Request, Version};
use http_body_util::Full;
use rustls::HandshakeKind::{self, Full as FullHandshake, Resumed};
use tokenbind_wire::{ApplicationProtocol, TokenBindingAlpn};

use super::{
    agent::{Agent, tls_unique},
    site::{Adapter, Resumption, Seen, Setup, Site},
};

/// Answers any request with its body.
fn echo() -> Router {
    Router::new().fallback(any(|body: Body| async { body }))
}

fn version(alpn: TokenBindingAlpn) -> Version {
    match alpn.application_protocol() {
        ApplicationProtocol::Http2 => Version::HTTP_2,
        _ => Version::HTTP_11,
    }
}

/// Returns what an application must see of an agent's request.
fn expected(
    agent: &Agent,
    site: &Site,
    alpn: TokenBindingAlpn,
    path: &str,
    tls_unique: &str,
) -> Checked<Seen> {
    Ok(Seen {
        path: path.to_owned(),
        version: version(alpn),
        provided: Some(agent.provided(site.origin(), alpn.key_parameters())?),
        referred: None,
        tls_unique: Some(tls_unique.to_owned()),
    })
}

/// Requests with and without bodies; several on one connection; another agent has another key.
pub(super) async fn full(alpn: TokenBindingAlpn) -> Checked {
    const BODY_BYTES: usize = 300_000;
    for adapter in Adapter::BOTH {
        let setup = Setup {
            adapter,
            ..Setup::default()
        };
        let site = setup.start(echo()).await?;
        let agent = Agent::new(&[alpn])?;
        for (path, length) in [("/empty", 0), ("/small", 5), ("/large", BODY_BYTES)] {
            let body = Bytes::from(vec![b'x'; length]);
            let request = Request::post(site.url(path)).body(Full::new(body.clone()))?;
            let answer = agent.send(request, None).await?;
            same("status", answer.status.as_u16(), 200)?;
            same("version", answer.version, version(alpn))?;
            same("body", answer.body == body, true)?;
            let unique = answer.tls_unique()?;
            let seen = expected(&agent, &site, alpn, path, &unique)?;
            same(path, site.seen(), [seen])?;
        }

        let other = Agent::new(&[alpn])?;
        let mut raw = other.connect(&site).await?;
        same("identifier", raw.alpn().as_deref(), Some(alpn.as_str()))?;
        same("handshake", raw.handshake(), Some(FullHandshake))?;
        let unique = tls_unique(raw.binding())?;
        let header = raw.header(&other.state)?;
        for path in ["/first", "/second", "/third"] {
            raw.get(path, &[("token-binding", &header)]).await?;
            same("status", raw.response().await?.status, 200)?;
            let seen = expected(&other, &site, alpn, path, &unique)?;
            same(path, site.seen(), [seen])?;
        }
        let parameters = alpn.key_parameters();
        let ids = |agent: &Agent| agent.provided(site.origin(), parameters);
        different("identifiers of two agents", ids(&agent)?, ids(&other)?)?;
        same("refusals", site.refusals(), [])?;
    }
    passed(format!(
        "{}: requests with 0 to {BODY_BYTES} bytes, three on one connection; key and tls_unique alike \
         on both sides, two agents have two keys; serve_connection, Server",
        alpn.as_str()
    ))
}

/// A connection that resumes a session has another `tls_unique`, and the same key.
pub(super) async fn resumed(alpn: TokenBindingAlpn) -> Checked {
    for (adapter, resumption) in [
        (Adapter::Connection, Resumption::SessionIds),
        (Adapter::Connection, Resumption::Tickets),
        (Adapter::Server, Resumption::SessionIds),
        (Adapter::Server, Resumption::Tickets),
    ] {
        let setup = Setup {
            adapter,
            resumption,
            ..Setup::default()
        };
        let what = format!("{adapter:?}, {resumption:?}");
        resume(alpn, &setup)
            .await
            .map_err(|failure| failure.of(&what))?;
    }
    passed(format!(
        "{}: resumed by session id and by ticket, serve_connection and Server; tls_unique alike on both sides and \
         new on each connection; the same key",
        alpn.as_str()
    ))
}

async fn resume(alpn: TokenBindingAlpn, setup: &Setup) -> Checked<()> {
    let site = setup.start(echo()).await?;
    let agent = Agent::new(&[alpn])?;
    let mut uniques = Vec::new();
    for path in ["/full", "/resumed", "/resumed-again"] {
        let answer = agent.get(&site.url(path)).await?;
        let unique = answer.tls_unique()?;
        let seen = expected(&agent, &site, alpn, path, &unique)?;
        same(path, site.seen(), [seen])?;
        uniques.push(unique);
        agent.client.close_idle();
    }
    // A connection that was opened by hand shows the kind of the client's handshake.
    let mut raw = agent.connect(&site).await?;
    same("identifier", raw.alpn().as_deref(), Some(alpn.as_str()))?;
    same("handshake", raw.handshake(), Some(Resumed))?;
    let header = raw.header(&agent.state)?;
    raw.get("/by-hand", &[("token-binding", &header)]).await?;
    same("status", raw.response().await?.status, 200)?;
    let unique = tls_unique(raw.binding())?;
    let seen = expected(&agent, &site, alpn, "/by-hand", &unique)?;
    same("by hand", site.seen(), [seen])?;
    uniques.push(unique);

    for (index, one) in uniques.iter().enumerate() {
        for other in &uniques[..index] {
            different("tls_unique", one, other)?;
        }
    }
    if setup.adapter == Adapter::Connection {
        let kinds: [Option<HandshakeKind>; 4] =
            [FullHandshake, Resumed, Resumed, Resumed].map(Some);
        same("handshakes", site.handshakes(), kinds)?;
    }
    same("refusals", site.refusals(), [])
}
