//! The suites of `mail-implicit-tls`, and their oracles.

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

#[cfg(feature = "live")]
pub(crate) use self::live::scenarios;
use crate::suite::{Input, Ran, Suite};

/// The suites.
pub(crate) const SUITES: &[Suite] = &[
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
    }
}
