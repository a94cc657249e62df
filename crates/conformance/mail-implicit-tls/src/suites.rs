//! The suites of `mail-implicit-tls`, and their oracles.

mod autoconfig;
mod identity;
#[cfg(feature = "live")]
mod live;
pub mod oracle;
mod received;

#[cfg(feature = "live")]
pub(crate) use self::live::scenarios;
use crate::suite::{Input, Ran, Suite};

/// The suites.
pub(crate) const SUITES: &[Suite] = &[
    suite("mail-implicit-tls/autoconfig", autoconfig::autoconfig),
    suite("mail-implicit-tls/identity", identity::identity),
    suite("mail-implicit-tls/received", received::received),
];

const fn suite(name: &'static str, run: fn(Input) -> Ran) -> Suite {
    Suite {
        name,
        run,
        import: None,
    }
}
