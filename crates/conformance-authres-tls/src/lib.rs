//! The evidence of `authres-tls`: RFC 8601, and draft-martin-authentication-results-tls-03 on it.

mod header;
#[cfg(feature = "live")]
mod live;
mod method;
pub mod oracle;
mod real;
mod strip;
mod write;

use conformance::{Protocol, Scenario, Suite};

/// The suites and, with the feature `live`, the scenarios.
pub const PROTOCOL: Protocol = Protocol {
    name: "authres-tls",
    suites: &[header::SUITES, FIELDS, method::SUITES],
    scenarios: SCENARIOS,
};

const FIELDS: &[Suite] = &[
    suite("authres-tls/real", real::real),
    suite("authres-tls/strip", strip::strip),
    suite("authres-tls/write", write::write),
];

const fn suite(name: &'static str, run: fn(conformance::Input) -> conformance::Ran) -> Suite {
    Suite {
        name,
        run,
        import: None,
        is_right: None,
    }
}

#[cfg(feature = "live")]
const SCENARIOS: &[&[Scenario]] = &[live::SCENARIOS];
#[cfg(not(feature = "live"))]
const SCENARIOS: &[&[Scenario]] = &[];
