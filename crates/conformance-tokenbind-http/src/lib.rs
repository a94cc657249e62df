//! The evidence of `tokenbind-http`: draft-balfanz-https-token-binding-00.

#[cfg(feature = "live")]
mod live;
pub mod oracle;
mod sealed_token;
mod suites;

use conformance::{Protocol, Scenario};

/// The suites and, with the feature `live`, the scenarios.
pub const PROTOCOL: Protocol = Protocol {
    name: "tokenbind-http",
    suites: &[suites::SUITES, sealed_token::SUITES],
    scenarios: SCENARIOS,
};

#[cfg(feature = "live")]
const SCENARIOS: &[&[Scenario]] = &[live::SCENARIOS];
#[cfg(not(feature = "live"))]
const SCENARIOS: &[&[Scenario]] = &[];
