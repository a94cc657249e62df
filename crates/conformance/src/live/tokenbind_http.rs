//! Live scenarios of tokenbind-http: real TLS connections on loopback.

mod agent;
mod connections;
mod federation;
mod forge;
mod negotiation;
mod proxy;
mod raw;
mod reset;
mod site;
mod termination;
mod theft;

use std::path::Path;

use super::{Live, Scenario, outcome::run};
use tokenbind_wire::TokenBindingAlpn;

/// All of them.
pub(super) const SCENARIOS: &[Scenario] = &[
    ours("tokenbind-http/http1-p256-full", |_| {
        run(connections::full(TokenBindingAlpn::Http11P256))
    }),
    ours("tokenbind-http/http1-rsa2048-full", |_| {
        run(connections::full(TokenBindingAlpn::Http11Rsa2048))
    }),
    ours("tokenbind-http/http2-p256-full", |_| {
        run(connections::full(TokenBindingAlpn::H2P256))
    }),
    ours("tokenbind-http/http2-rsa2048-full", |_| {
        run(connections::full(TokenBindingAlpn::H2Rsa2048))
    }),
    ours("tokenbind-http/http1-p256-resumed", |_| {
        run(connections::resumed(TokenBindingAlpn::Http11P256))
    }),
    ours("tokenbind-http/http2-rsa2048-resumed", |_| {
        run(connections::resumed(TokenBindingAlpn::H2Rsa2048))
    }),
    ours("tokenbind-http/stolen-cookie", |_| {
        run(theft::stolen_cookie())
    }),
    ours("tokenbind-http/replay-on-another-connection", |_| {
        run(theft::replay())
    }),
    ours(
        "tokenbind-http/federation-redirect-mixed-algorithms",
        |_| run(federation::redirects()),
    ),
    ours("tokenbind-http/federation-xhr", |_| {
        run(federation::script())
    }),
    ours("tokenbind-http/federation-unsupported-algorithm", |_| {
        run(federation::unsupported_algorithm())
    }),
    ours("tokenbind-http/terminate-reasons", |_| {
        run(termination::reasons())
    }),
    ours("tokenbind-http/not-negotiated", |_| {
        run(negotiation::not_negotiated())
    }),
    ours("tokenbind-http/key-reset", |_| run(reset::keys())),
    ours("tokenbind-http/proxy", |_| run(proxy::backend())),
];

/// A scenario with our own code on both sides.
const fn ours(name: &'static str, run: fn(&Path) -> Result<Live, String>) -> Scenario {
    Scenario {
        name,
        peer: None,
        run,
    }
}
