//! The evidence of `tokenbind-wire`: draft-popov-token-binding-00.

pub mod case;
pub mod oracle;
pub mod picture;
mod suites;

use conformance::{Comparison, Protocol, Scenario, second_implementation};

/// The suites. There are no live scenarios of octets alone: those of `tokenbind-http` send them.
pub const PROTOCOL: Protocol = Protocol {
    name: "tokenbind-wire",
    suites: &[suites::SUITES],
    scenarios: &[SCENARIOS],
    annotators: picture::ANNOTATORS,
    peers: &[],
};

/// The second implementation.
const SCENARIOS: &[Scenario] = &[Scenario::with_peer(
    "second implementation in Python",
    "tokenbind-wire/second-implementation",
    |root| second_implementation(root, &PROTOCOL, &SECOND, Comparison::Strict),
)];

/// The suites of `python/implementation.py`.
const SECOND: [&str; 7] = [
    "tokenbind-wire/message",
    "tokenbind-wire/id",
    "tokenbind-wire/sign",
    "tokenbind-wire/negotiation",
    "tokenbind-wire/server-choice",
    "tokenbind-wire/token-check",
    "tokenbind-wire/tls-unique",
];
