//! Live scenarios of mail-implicit-tls with foreign peers: clients on our acceptor, our client on servers, our
//! resolvers on a signed DNS tree.

mod answers;
pub(crate) mod clients;
pub(crate) mod command;
pub(crate) mod dane;
pub(crate) mod gateway;
pub(crate) mod gateway_before_postfix;
mod mailbox;
pub(crate) mod monitor;
pub(crate) mod monitor_inbound;
mod program;
pub(crate) mod resolvers;
pub(crate) mod servers;
mod site;
mod tree;

use conformance::{Comparison, Scenario, second_implementation};

use crate::PROTOCOL;

/// The second implementations.
pub(crate) const SCENARIOS: &[Scenario] = &[Scenario::with_peer(
    "second implementation in Python",
    "mail-implicit-tls/second-implementation",
    |root| second_implementation(root, &PROTOCOL, &SECOND, Comparison::Given),
)];

/// The suites of `python/implementation.py`; the readers of Received fields and of configuration files find no kinds and
/// offsets.
const SECOND: [&str; 14] = [
    "mail-implicit-tls/client-dialogue",
    "mail-implicit-tls/server-dialogue",
    "mail-implicit-tls/srv-order",
    "mail-implicit-tls/host-lookup",
    "mail-implicit-tls/identity",
    "mail-implicit-tls/received",
    "mail-implicit-tls/setup",
    "mail-implicit-tls/privacy",
    "mail-implicit-tls/tlsa",
    "mail-implicit-tls/autoconfig",
    "mail-implicit-tls/gateway-imap",
    "mail-implicit-tls/gateway-pop",
    "mail-implicit-tls/gateway-submission",
    "mail-implicit-tls/proxy-protocol",
];
