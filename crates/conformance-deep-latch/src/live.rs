//! Live scenarios of deep-latch: our client and our server, over TLS of rustls on loopback. The draft's examples word
//! for word, downgrades and how a latched client refuses them, latches that attackers can cause, the reports that the
//! operator receives, a proxy, and a relay.

mod attacks;
mod downgrades;
mod examples;
mod operator;
mod proxy;
mod relay;
mod server;
mod world;

use conformance::{Comparison, Scenario, outcome::run, second_implementation};

use crate::PROTOCOL;

/// All of them.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::ours("deep-latch/imap-example-1", |_| run(examples::imap_1())),
    Scenario::ours("deep-latch/imap-example-2", |_| run(examples::imap_2())),
    Scenario::ours("deep-latch/imap-example-3", |_| run(proxy::imap_3())),
    Scenario::ours("deep-latch/pop-example", |_| run(examples::pop())),
    Scenario::ours("deep-latch/smtp-example", |_| run(examples::smtp())),
    Scenario::ours("deep-latch/id-with-literals", |_| run(examples::literals())),
    Scenario::ours("deep-latch/malformed-reports", |_| {
        run(examples::malformed())
    }),
    Scenario::ours(
        "deep-latch/latched-then-certificate-of-another-authority",
        |_| run(downgrades::another_authority()),
    ),
    Scenario::ours(
        "deep-latch/latched-then-certificate-of-another-name",
        |_| run(downgrades::another_name()),
    ),
    Scenario::ours("deep-latch/latched-then-expired-certificate", |_| {
        run(downgrades::expired())
    }),
    Scenario::ours("deep-latch/latched-then-starttls-stripped", |_| {
        run(downgrades::stripped())
    }),
    Scenario::ours("deep-latch/latched-then-status-withdrawn", |_| {
        run(downgrades::withdrawn())
    }),
    Scenario::ours(
        "deep-latch/latched-then-tls11",
        |_| run(downgrades::tls11()),
    ),
    Scenario::ours("deep-latch/latched-then-lower-version", |_| {
        run(downgrades::lower_version())
    }),
    Scenario::ours("deep-latch/latched-then-tlsa-differs", |_| {
        run(downgrades::dane())
    }),
    Scenario::ours("deep-latch/tlsa-differs-and-is-not-latched", |_| {
        run(downgrades::contradicted())
    }),
    Scenario::ours(
        "deep-latch/attacker-without-certificate-cannot-latch-tls-cert",
        |_| run(attacks::without_certificate()),
    ),
    Scenario::ours(
        "deep-latch/what-is-advertised-in-clear-is-not-latched",
        |_| run(attacks::in_clear()),
    ),
    Scenario::ours("deep-latch/scram-plus-authenticates-the-server", |_| {
        run(attacks::scram_plus())
    }),
    Scenario::ours("deep-latch/not-advertised-what-is-not-kept", |_| {
        run(operator::not_kept())
    }),
    Scenario::ours("deep-latch/reports-reach-the-operator", |_| {
        run(operator::what_breaks())
    }),
    Scenario::ours("deep-latch/tls-of-a-client-is-not-believed", |_| {
        run(proxy::spoofed())
    }),
    Scenario::ours("deep-latch/smtp-proxy-adds-tls", |_| run(proxy::smtp())),
    Scenario::ours("deep-latch/relay-refuses-and-notifies", |_| {
        run(relay::refuses())
    }),
    Scenario::ours("deep-latch/relay-refuses-without-a-latch", |_| {
        run(relay::without_latch())
    }),
    Scenario::with_peer(
        "Python email",
        "deep-latch/relay-notification-python-email",
        |root| run(relay::python(root)),
    ),
    Scenario::with_peer(
        "second implementation in Python",
        "deep-latch/second-implementation",
        |root| second_implementation(root, &PROTOCOL, &SECOND, Comparison::Given),
    ),
];

/// The suites of `python/implementation.py`, most of which find no kinds and offsets.
const SECOND: [&str; 16] = [
    "deep-latch/tag",
    "deep-latch/status",
    "deep-latch/tls-cipher",
    "deep-latch/imap-capability",
    "deep-latch/imap-id",
    "deep-latch/pop-capa",
    "deep-latch/smtp-ehlo",
    "deep-latch/smtp-client",
    "deep-latch/security-latch",
    "deep-latch/registration",
    "deep-latch/latch",
    "deep-latch/imap-commands",
    "deep-latch/imap-proxy",
    "deep-latch/proxy",
    "deep-latch/relay",
    "deep-latch/delivery-status",
];
