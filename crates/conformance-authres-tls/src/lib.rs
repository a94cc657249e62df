//! The evidence of `authres-tls`: RFC 8601, and draft-martin-authentication-results-tls-03 on it.

mod header;
#[cfg(feature = "live")]
mod live;
mod method;
mod milter;
pub mod oracle;
mod picture;
mod real;
mod strip;
mod write;

use conformance::{Peer, Protocol, Scenario, Suite};

/// The suites and, with the feature `live`, the scenarios.
pub const PROTOCOL: Protocol = Protocol {
    name: "authres-tls",
    suites: &[header::SUITES, FIELDS, method::SUITES],
    scenarios: SCENARIOS,
    annotators: picture::ANNOTATORS,
    peers: PEERS,
};

const FIELDS: &[Suite] = &[
    suite("authres-tls/milter", milter::milter),
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
const SCENARIOS: &[&[Scenario]] = &[live::SCENARIOS, live::MILTER];
#[cfg(not(feature = "live"))]
const SCENARIOS: &[&[Scenario]] = &[];

/// The commands that print the versions of the foreign peers.
const PEERS: &[Peer] = &[
    Peer {
        name: "Python authres",
        version: &[
            "python3",
            "-c",
            "import importlib.metadata as m; print('authres', m.version('authres'))",
        ],
    },
    Peer {
        name: "Python email",
        version: &["python3", "--version"],
    },
    Peer {
        name: "Perl Mail::AuthenticationResults",
        version: &[
            "perl",
            "-MMail::AuthenticationResults",
            "-e",
            "print 'Mail::AuthenticationResults ', Mail::AuthenticationResults->VERSION",
        ],
    },
    Peer {
        name: "mailauth",
        version: &[
            "node",
            "crates/conformance-authres-tls/javascript/mailauth_peer.js",
            "--version",
        ],
    },
    Peer {
        name: "Postfix",
        version: &["postconf", "-d", "mail_version"],
    },
    Peer {
        name: "OpenDKIM",
        version: &["opendkim", "-V"],
    },
    Peer {
        name: "OpenDMARC",
        version: &["opendmarc", "-V"],
    },
    Peer {
        name: "Sendmail",
        version: &[
            "sh",
            "-c",
            "sendmail=target/sendmail/usr/libexec/sendmail/sendmail; test -x $sendmail || sendmail=/${sendmail#target/sendmail/}; \
             unshare --uts sh -c \"hostname mx.example.net && exec $sendmail -C /dev/null -d0.1 -bt\" < /dev/null",
        ],
    },
    Peer {
        name: "second implementation in Python",
        version: &["python3", "--version"],
    },
];
