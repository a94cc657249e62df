//! Warnings about the configuration of an account.

use std::fmt;

/// A warning about the configuration of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Warning {
    /// The index of the server in [`Account::servers`](super::Account::servers).
    pub server: usize,
    /// The subject of the warning.
    pub kind: WarningKind,
}

/// The subject of a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WarningKind {
    /// The server is used without TLS.
    ClearText,
    /// The server is used without TLS if TLS fails.
    ClearTextFallback,
    /// The server's certificate is not verified.
    CertificateIgnored,
    /// The server's certificate is pinned, so it was not verified when the pin was made, and cannot be revoked.
    Pinned,
    /// The server was found by SRV records that DNSSEC does not secure, and the user did not confirm it.
    InsecureSrv,
}

impl fmt::Display for WarningKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClearText => {
                "mail and password are not encrypted on the way to this server and will likely be intercepted"
            }
            Self::ClearTextFallback => {
                "an attacker can make mail and password go unencrypted to this server"
            }
            Self::CertificateIgnored => {
                "the server's certificate is not verified, so mail and password are exposed to attackers"
            }
            Self::Pinned => "the server's certificate is pinned and was not verified",
            Self::InsecureSrv => {
                "the DNS records that name this server are not authenticated; compare it with the provider's \
                 documentation"
            }
        })
    }
}
