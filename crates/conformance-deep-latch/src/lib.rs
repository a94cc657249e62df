//! The evidence of `deep-latch`: the sections of draft-newman-email-deep-02 on DEEP.

mod grammar;
#[cfg(feature = "live")]
mod live;
pub mod oracle;
#[cfg(feature = "live")]
mod peers;
mod picture;
mod server;
mod trace;

use conformance::{Peer, Protocol, Scenario};

/// The suites and, with the feature `live`, the scenarios.
pub const PROTOCOL: Protocol = Protocol {
    name: "deep-latch",
    suites: &[grammar::SUITES, trace::SUITES, server::SUITES],
    scenarios: SCENARIOS,
    annotators: picture::ANNOTATORS,
    peers: PEERS,
};

#[cfg(feature = "live")]
const SCENARIOS: &[&[Scenario]] = &[live::SCENARIOS, peers::SCENARIOS];
#[cfg(not(feature = "live"))]
const SCENARIOS: &[&[Scenario]] = &[];

/// The commands that print the versions of the foreign peers.
const PEERS: &[Peer] = &[
    Peer {
        name: "Dovecot",
        version: &["dovecot", "--version"],
    },
    Peer {
        name: "nginx",
        version: &["nginx", "-v"],
    },
    Peer {
        name: "aiosmtpd",
        version: &[
            "python3",
            "-c",
            "import importlib.metadata as m; print('aiosmtpd', m.version('aiosmtpd'))",
        ],
    },
    Peer {
        name: "Python email",
        version: &["python3", "--version"],
    },
    Peer {
        name: "second implementation in Python",
        version: &["python3", "--version"],
    },
];
