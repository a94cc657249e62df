//! Requests that a client sends in one write: they are checked in the order of their arrival, in the protocol that
//! was negotiated, and a message in a trailer is not accepted.

use axum::{Router, body::Body, routing::any};
use conformance::outcome::{Checked, passed, same};
use tokenbind_http::server;
use tokenbind_wire::{TerminateKind, TokenBindingAlpn};

use super::{
    agent::Agent,
    site::{Adapter, Setup},
};

/// The number of attempts at a race.
const TRIES: usize = 40;

/// Answers once it read the body.
fn app() -> Router {
    Router::new().fallback(any(|body: Body| async {
        let read = axum::body::to_bytes(body, usize::MAX).await;
        read.map_or("not read", |_| "answered")
    }))
}

/// A bad request and a good one in one record of TLS, over HTTP/2: neither is answered.
pub(super) async fn order() -> Checked {
    let h2 = TokenBindingAlpn::H2P256;
    for adapter in Adapter::BOTH {
        for allow_later_requests_without_header in [false, true] {
            let setup = Setup {
                adapter,
                options: server::Options {
                    allow_later_requests_without_header,
                    ..server::Options::default()
                },
                ..Setup::new(h2)
            };
            let site = setup.start(app()).await?;
            let agent = Agent::new(&[h2])?;
            for number in 0..TRIES {
                let mut raw = agent.connect(&site).await?;
                let header = raw.header(&agent.state)?;
                let bad: &[(&str, &[u8])] = if number % 2 == 0 {
                    &[]
                } else {
                    &[("token-binding", b"AAAA")]
                };
                let mut octets = raw.request("/first", bad);
                octets.extend(raw.request("/second", &[("token-binding", &header)]));
                raw.write(&octets).await?;
                raw.terminated().await?;
                same("requests seen", site.seen(), [])?;
                same("refusals", site.refusals().len(), 1)?;
            }
        }
    }
    passed(format!(
        "HTTP/2, {TRIES} times each: a request without or with a bad header and a good one in one record; \
         neither is answered; serve_connection, Server"
    ))
}

/// HTTP/2 where HTTP/1.1 was negotiated, and the reverse.
pub(super) async fn protocol() -> Checked {
    for adapter in Adapter::BOTH {
        for alpn in [TokenBindingAlpn::Http11P256, TokenBindingAlpn::H2P256] {
            let setup = Setup {
                adapter,
                ..Setup::new(alpn)
            };
            let site = setup.start(app()).await?;
            let agent = Agent::new(&[alpn])?;
            let mut raw = agent.connect(&site).await?;
            let header = raw.header(&agent.state)?;
            let octets = raw.request_of_the_other_protocol("/", &[("token-binding", &header)]);
            raw.write(&octets).await?;
            raw.unanswered().await?;
            same("requests seen", site.seen(), [])?;
        }
    }
    passed(
        "HTTP/2 on http/1.1_tb_p256 and HTTP/1.1 on h2_tb_p256, each with a good header: the connection \
         ends; serve_connection, Server",
    )
}

/// A Token-Binding field in a trailer, where Token Binding was negotiated and where not.
pub(super) async fn trailer() -> Checked {
    let http1 = TokenBindingAlpn::Http11P256;
    for adapter in Adapter::BOTH {
        let setup = Setup {
            adapter,
            ..Setup::new(http1)
        };
        let site = setup.start(app()).await?;
        for negotiated in [true, false] {
            for (name, terminates) in [("Token-Binding", true), ("X-Sum", false)] {
                let offered = if negotiated { vec![http1] } else { vec![] };
                let agent = Agent::new(&offered)?;
                let mut raw = agent.connect(&site).await?;
                let header = if negotiated {
                    raw.header(&agent.state)?
                } else {
                    b"AAAA".to_vec()
                };
                let own: &[(&str, &[u8])] = if negotiated {
                    &[("token-binding", &header)]
                } else {
                    &[]
                };
                let octets = raw.request_with_trailer("/", own, name, &header);
                raw.write(&octets).await?;
                if terminates {
                    raw.terminated().await?;
                    let kinds: Vec<_> = site.refusals().iter().map(|it| it.kind()).collect();
                    same("refusals", kinds, [server::TerminateKind::Trailer])?;
                } else {
                    same("status", raw.response().await?.status, 200)?;
                    same("refusals", site.refusals(), [])?;
                }
                same("requests seen", site.seen().len(), 1)?;
            }
        }
        // The header is another matter: it is refused before the application sees the request.
        let mut raw = Agent::new(&[])?.connect(&site).await?;
        raw.get("/", &[("token-binding", b"AAAA")]).await?;
        raw.terminated().await?;
        let kinds: Vec<_> = site.refusals().iter().map(|it| it.kind()).collect();
        let not_negotiated = server::TerminateKind::Message(TerminateKind::NotNegotiated);
        same("refusals", kinds, [not_negotiated])?;
        same("requests seen", site.seen(), [])?;
    }
    passed(
        "a Token-Binding field in a trailer, negotiated or not: the connection ends without an answer once \
         the application reads it; other trailers pass; serve_connection, Server",
    )
}
