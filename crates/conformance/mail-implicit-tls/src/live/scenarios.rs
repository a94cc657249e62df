//! Live scenarios of `mail-implicit-tls` with foreign peers.

mod answers;
mod dns;
mod tree;

use super::{Live, Scenario, outcome::run};

/// All of them.
pub(super) const SCENARIOS: &[Scenario] = &[
    dns("mail-implicit-tls/dns-validating-resolver", |root| {
        unless(tree::missing(), || run(dns::validating(root)))
    }),
    dns("mail-implicit-tls/dns-loopback-resolver", |root| {
        unless(tree::missing(), || run(dns::loopback(root)))
    }),
    dns("mail-implicit-tls/dns-hickory-resolver", |root| {
        unless(tree::missing(), || run(dns::hickory(root)))
    }),
    dns("mail-implicit-tls/dns-failures", |root| {
        unless(tree::missing(), || run(dns::failures(root)))
    }),
    dns("mail-implicit-tls/dns-hosts-and-setup", |root| {
        unless(tree::missing(), || run(dns::hosts_and_setup(root)))
    }),
];

const fn dns(name: &'static str, run: fn(&std::path::Path) -> Result<Live, String>) -> Scenario {
    Scenario {
        name,
        peer: Some("Knot DNS, unbound"),
        run,
    }
}

/// Runs a scenario unless something is missing.
fn unless(
    missing: Option<String>,
    run: impl FnOnce() -> Result<Live, String>,
) -> Result<Live, String> {
    missing.map_or_else(run, |missing| Ok(Live::Skipped(missing)))
}
