//! The evidence of `mail-implicit-tls`: the sections of draft-newman-email-deep-02 on accounts and connections.

mod autoconfig;
mod dialogue;
mod dns;
mod identity;
#[cfg(feature = "live")]
mod live;
pub mod oracle;
mod privacy;
mod received;
mod setup;
mod tlsa;

use conformance::{Input, Protocol, Ran, Scenario, Suite};

/// The suites and, with the feature `live`, the scenarios.
pub const PROTOCOL: Protocol = Protocol {
    name: "mail-implicit-tls",
    suites: &[SUITES],
    scenarios: SCENARIOS,
};

const SUITES: &[Suite] = &[
    suite("mail-implicit-tls/autoconfig", autoconfig::autoconfig),
    suite("mail-implicit-tls/client-dialogue", dialogue::client),
    suite("mail-implicit-tls/host-lookup", dns::host_lookup),
    suite("mail-implicit-tls/identity", identity::identity),
    suite("mail-implicit-tls/privacy", privacy::privacy),
    suite("mail-implicit-tls/received", received::received),
    suite("mail-implicit-tls/server-dialogue", dialogue::server),
    suite("mail-implicit-tls/setup", setup::setup),
    suite("mail-implicit-tls/srv-order", dns::srv_order),
    suite("mail-implicit-tls/tlsa", tlsa::tlsa),
];

const fn suite(name: &'static str, run: fn(Input) -> Ran) -> Suite {
    Suite {
        name,
        run,
        import: None,
        is_right: None,
    }
}

#[cfg(feature = "live")]
const SCENARIOS: &[&[Scenario]] = &[
    live::clients::SCENARIOS,
    live::servers::SCENARIOS,
    live::resolvers::SCENARIOS,
    live::dane::SCENARIOS,
    live::command::SCENARIOS,
    live::SCENARIOS,
];
#[cfg(not(feature = "live"))]
const SCENARIOS: &[&[Scenario]] = &[];
