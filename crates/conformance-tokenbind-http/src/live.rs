//! Live scenarios of tokenbind-http: real TLS connections on loopback.

mod agent;
mod arrival;
mod command_line;
mod connections;
mod federation;
mod forge;
mod negotiation;
mod openssl;
mod proxy;
mod python_peer;
mod raw;
mod reset;
mod site;
mod termination;
mod theft;

use conformance::{Comparison, Scenario, outcome::run, second_implementation};
use tokenbind_wire::TokenBindingAlpn;

use crate::PROTOCOL;

/// All of them.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::ours("tokenbind-http/http1-p256-full", |_| {
        run(connections::full(TokenBindingAlpn::Http11P256))
    }),
    Scenario::ours("tokenbind-http/http1-rsa2048-full", |_| {
        run(connections::full(TokenBindingAlpn::Http11Rsa2048))
    }),
    Scenario::ours("tokenbind-http/http2-p256-full", |_| {
        run(connections::full(TokenBindingAlpn::H2P256))
    }),
    Scenario::ours("tokenbind-http/http2-rsa2048-full", |_| {
        run(connections::full(TokenBindingAlpn::H2Rsa2048))
    }),
    Scenario::ours("tokenbind-http/http1-p256-resumed", |_| {
        run(connections::resumed(TokenBindingAlpn::Http11P256))
    }),
    Scenario::ours("tokenbind-http/http2-rsa2048-resumed", |_| {
        run(connections::resumed(TokenBindingAlpn::H2Rsa2048))
    }),
    Scenario::ours("tokenbind-http/stolen-cookie", |_| {
        run(theft::stolen_cookie())
    }),
    Scenario::ours("tokenbind-http/replay-on-another-connection", |_| {
        run(theft::replay())
    }),
    Scenario::ours(
        "tokenbind-http/federation-redirect-mixed-algorithms",
        |_| run(federation::redirects()),
    ),
    Scenario::ours("tokenbind-http/federation-xhr", |_| {
        run(federation::script())
    }),
    Scenario::ours("tokenbind-http/federation-unsupported-algorithm", |_| {
        run(federation::unsupported_algorithm())
    }),
    Scenario::ours("tokenbind-http/terminate-reasons", |_| {
        run(termination::reasons())
    }),
    Scenario::ours("tokenbind-http/order-of-arrival", |_| run(arrival::order())),
    Scenario::ours("tokenbind-http/negotiated-protocol", |_| {
        run(arrival::protocol())
    }),
    Scenario::ours("tokenbind-http/trailer", |_| run(arrival::trailer())),
    Scenario::ours("tokenbind-http/not-negotiated", |_| {
        run(negotiation::not_negotiated())
    }),
    Scenario::ours("tokenbind-http/key-reset", |_| run(reset::keys())),
    Scenario::ours("tokenbind-http/proxy", |_| run(proxy::backend())),
    Scenario::with_peer(
        PYTHON_SSL,
        "tokenbind-http/openssl-client-http1-p256",
        |root| run(openssl::their_client(root, TokenBindingAlpn::Http11P256)),
    ),
    Scenario::with_peer(
        PYTHON_SSL,
        "tokenbind-http/openssl-client-http1-rsa2048",
        |root| run(openssl::their_client(root, TokenBindingAlpn::Http11Rsa2048)),
    ),
    Scenario::with_peer(
        PYTHON_SSL,
        "tokenbind-http/openssl-client-http2-p256",
        |root| run(openssl::their_client(root, TokenBindingAlpn::H2P256)),
    ),
    Scenario::with_peer(
        PYTHON_SSL,
        "tokenbind-http/openssl-client-http2-rsa2048",
        |root| run(openssl::their_client(root, TokenBindingAlpn::H2Rsa2048)),
    ),
    Scenario::with_peer(
        PYTHON_SSL,
        "tokenbind-http/openssl-client-referred",
        |root| run(openssl::their_client_refers(root)),
    ),
    Scenario::with_peer(
        PYTHON_SSL,
        "tokenbind-http/openssl-client-terminated",
        |root| run(openssl::their_client_is_terminated(root)),
    ),
    Scenario::with_peer(
        PYTHON_SSL,
        "tokenbind-http/openssl-client-without-ems",
        |root| run(openssl::their_client_without(root, "1.2", false)),
    ),
    Scenario::with_peer(PYTHON_SSL, "tokenbind-http/openssl-client-tls13", |root| {
        run(openssl::their_client_without(root, "1.3", true))
    }),
    Scenario::with_peer(
        PYTHON_SSL,
        "tokenbind-http/openssl-server-http1-p256",
        |root| run(openssl::their_server(root, TokenBindingAlpn::Http11P256)),
    ),
    Scenario::with_peer(
        PYTHON_SSL,
        "tokenbind-http/openssl-server-http1-rsa2048",
        |root| run(openssl::their_server(root, TokenBindingAlpn::Http11Rsa2048)),
    ),
    Scenario::with_peer(
        PYTHON_SSL,
        "tokenbind-http/openssl-server-http2-p256",
        |root| run(openssl::their_server(root, TokenBindingAlpn::H2P256)),
    ),
    Scenario::with_peer(
        PYTHON_SSL,
        "tokenbind-http/openssl-server-http2-rsa2048",
        |root| run(openssl::their_server(root, TokenBindingAlpn::H2Rsa2048)),
    ),
    Scenario::with_peer(
        PYTHON_SSL,
        "tokenbind-http/openssl-server-federation",
        |root| run(openssl::their_federation(root)),
    ),
    Scenario::with_peer(
        PYTHON_SSL,
        "tokenbind-http/openssl-server-breaks-the-rules",
        |root| run(openssl::their_server_breaks_the_rules(root)),
    ),
    Scenario::with_peer(
        PYTHON_SSL,
        "tokenbind-http/openssl-server-without-token-binding",
        |root| run(openssl::their_plain_server(root)),
    ),
    Scenario::with_peer(
        "openssl s_client",
        "tokenbind-http/openssl-s-client",
        |_| run(command_line::s_client()),
    ),
    Scenario::with_peer("curl", "tokenbind-http/curl", |_| run(command_line::curl())),
    Scenario::with_peer(
        "second implementation in Python",
        "tokenbind-http/second-implementation",
        |root| second_implementation(root, &PROTOCOL, &SECOND, Comparison::Strict),
    ),
];

/// The suites of `python/implementation.py`.
const SECOND: [&str; 9] = [
    "tokenbind-http/header",
    "tokenbind-http/request",
    "tokenbind-http/token-to-issue",
    "tokenbind-http/redirect",
    "tokenbind-http/xhr",
    "tokenbind-http/client-hello",
    "tokenbind-http/server-policy",
    "tokenbind-http/origin",
    "tokenbind-http/sealed-token",
];

/// OpenSSL, through Python.
const PYTHON_SSL: &str = "OpenSSL (Python ssl)";
