//! The evidence of `mail-implicit-tls`: the sections of draft-newman-email-deep-02 on accounts and connections.

mod advertisement;
mod autoconfig;
mod dialogue;
mod dns;
mod gateway;
mod gateway_submission;
mod identity;
#[cfg(feature = "live")]
mod live;
pub mod oracle;
mod picture;
mod privacy;
mod proxy_protocol;
mod received;
mod setup;
mod tlsa;

use conformance::{Input, Peer, Protocol, Ran, Scenario, Suite};

/// The suites and, with the feature `live`, the scenarios.
pub const PROTOCOL: Protocol = Protocol {
    name: "mail-implicit-tls",
    suites: &[SUITES],
    scenarios: SCENARIOS,
    annotators: picture::ANNOTATORS,
    peers: PEERS,
};

const SUITES: &[Suite] = &[
    suite("mail-implicit-tls/autoconfig", autoconfig::autoconfig),
    suite("mail-implicit-tls/client-dialogue", dialogue::client),
    suite("mail-implicit-tls/gateway-imap", gateway::imap),
    suite("mail-implicit-tls/gateway-pop", gateway::pop),
    suite(
        "mail-implicit-tls/gateway-submission",
        gateway_submission::gateway_submission,
    ),
    suite("mail-implicit-tls/host-lookup", dns::host_lookup),
    suite("mail-implicit-tls/identity", identity::identity),
    suite("mail-implicit-tls/privacy", privacy::privacy),
    suite(
        "mail-implicit-tls/proxy-protocol",
        proxy_protocol::proxy_protocol,
    ),
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
    live::servers::dovecot::SCENARIOS,
    live::servers::postfix::SCENARIOS,
    live::gateway_before_postfix::SCENARIOS,
    live::servers::nginx::SCENARIOS,
    live::servers::cyrus::SCENARIOS,
    live::servers::courier::SCENARIOS,
    live::resolvers::SCENARIOS,
    live::dane::SCENARIOS,
    live::command::SCENARIOS,
    live::gateway::SCENARIOS,
    live::monitor::SCENARIOS,
    live::monitor_inbound::SCENARIOS,
    live::SCENARIOS,
];
#[cfg(not(feature = "live"))]
const SCENARIOS: &[&[Scenario]] = &[];

/// The commands that print the versions of the foreign peers.
const PEERS: &[Peer] = &[
    Peer {
        name: "Dovecot",
        version: &["dovecot", "--version"],
    },
    Peer {
        name: "Postfix",
        version: &["postconf", "-h", "mail_version"],
    },
    Peer {
        name: "nginx",
        version: &["nginx", "-v"],
    },
    Peer {
        name: "Cyrus",
        version: &["dpkg-query", "-W", "-f", "${Version}", "cyrus-common"],
    },
    Peer {
        name: "Courier",
        version: &["dpkg-query", "-W", "-f", "${Version}", "courier-imap"],
    },
    Peer {
        name: "curl",
        version: &["curl", "--version"],
    },
    Peer {
        name: "Python's ssl",
        version: &[
            "python3",
            "-c",
            "import ssl, sys; print('Python', sys.version.split()[0], ssl.OPENSSL_VERSION)",
        ],
    },
    Peer {
        name: "OpenSSL",
        version: &["openssl", "version"],
    },
    Peer {
        name: "GnuTLS",
        version: &["gnutls-cli", "--version"],
    },
    Peer {
        name: "swaks",
        version: &["swaks", "--version"],
    },
    Peer {
        name: "msmtp",
        version: &["msmtp", "--version"],
    },
    Peer {
        name: "mpop",
        version: &["mpop", "--version"],
    },
    Peer {
        name: "mbsync",
        version: &["mbsync", "--version"],
    },
    Peer {
        name: "fetchmail",
        version: &["fetchmail", "--version"],
    },
    Peer {
        name: "offlineimap",
        version: &["offlineimap", "--version"],
    },
    Peer {
        name: "Knot DNS",
        version: &["knotd", "--version"],
    },
    Peer {
        name: "unbound",
        version: &["unbound", "-V"],
    },
    Peer {
        name: "second implementation in Python",
        version: &["python3", "--version"],
    },
];
