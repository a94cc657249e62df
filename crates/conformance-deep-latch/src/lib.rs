//! The evidence of `deep-latch`: the sections of draft-newman-email-deep-02 on DEEP.

mod grammar;
#[cfg(feature = "live")]
mod live;
pub mod oracle;
#[cfg(feature = "live")]
mod peers;
mod server;
mod trace;

use conformance::{Protocol, Scenario};

/// The suites and, with the feature `live`, the scenarios.
pub const PROTOCOL: Protocol = Protocol {
    name: "deep-latch",
    suites: &[grammar::SUITES, trace::SUITES, server::SUITES],
    scenarios: SCENARIOS,
};

#[cfg(feature = "live")]
const SCENARIOS: &[&[Scenario]] = &[live::SCENARIOS, peers::SCENARIOS];
#[cfg(not(feature = "live"))]
const SCENARIOS: &[&[Scenario]] = &[];
