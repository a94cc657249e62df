//! The evidence of `tokenbind-http`: draft-balfanz-https-token-binding-00.

#[cfg(feature = "live")]
mod live;
pub mod oracle;
mod picture;
mod sealed_token;
mod suites;

use conformance::{Peer, Protocol, Scenario};

/// The suites and, with the feature `live`, the scenarios.
pub const PROTOCOL: Protocol = Protocol {
    name: "tokenbind-http",
    suites: &[suites::SUITES, sealed_token::SUITES],
    scenarios: SCENARIOS,
    annotators: picture::ANNOTATORS,
    peers: PEERS,
};

#[cfg(feature = "live")]
const SCENARIOS: &[&[Scenario]] = &[live::SCENARIOS];
#[cfg(not(feature = "live"))]
const SCENARIOS: &[&[Scenario]] = &[];

/// The commands that print the versions of the foreign peers.
const PEERS: &[Peer] = &[
    Peer {
        name: "OpenSSL (Python ssl)",
        version: &[
            "python3",
            "-c",
            "import ssl, sys; print('Python', sys.version.split()[0], ssl.OPENSSL_VERSION)",
        ],
    },
    Peer {
        name: "openssl s_client",
        version: &["openssl", "version"],
    },
    Peer {
        name: "curl",
        version: &["curl", "--version"],
    },
];
