//! The evidence of `tokenbind-wire`: draft-popov-token-binding-00.

pub mod case;
pub mod oracle;
pub mod picture;
mod suites;

use conformance::Protocol;

/// The suites. There are no live scenarios of octets alone: those of `tokenbind-http` send them.
pub const PROTOCOL: Protocol = Protocol {
    name: "tokenbind-wire",
    suites: &[suites::SUITES],
    scenarios: &[],
    annotators: picture::ANNOTATORS,
    peers: &[],
};
