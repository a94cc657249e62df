//! Certificates of the peers: a good one, and those that an attacker or a careless operator shows instead.

use std::{path::Path, sync::Arc};

use conformance::outcome::Checked;
use rustls::RootCertStore;
use test_support::pki::{Authority, Certificate};

/// The name of the server, for the client.
pub(super) const HOST: &str = "mail.example.com";

/// The certificate that a server presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Good,
    OfAnotherAuthority,
    OfAnotherName,
    Expired,
}

/// Two authorities. The client trusts the first.
pub(super) struct Authorities {
    trusted: Authority,
    other: Authority,
}

impl Authorities {
    pub(super) fn new() -> Checked<Self> {
        Ok(Self {
            trusted: Authority::new("trusted"),
            other: Authority::new("other"),
        })
    }

    pub(super) fn roots(&self) -> Checked<Arc<RootCertStore>> {
        Ok(Arc::new(self.trusted.roots()))
    }

    /// The certificate that the client trusts, in PEM.
    pub(super) fn pem(&self) -> String {
        self.trusted.pem()
    }

    /// Writes `cert.pem` and `key.pem` for a server.
    pub(super) fn write(&self, directory: &Path, shown: Shown) -> Checked<()> {
        // Some foreign clients refuse a certificate without a common name.
        let named = |name| Certificate::server(&[name]).common_name("Test");
        let identity = match shown {
            Shown::Good => named(HOST).issue(&self.trusted),
            Shown::OfAnotherAuthority => named(HOST).issue(&self.other),
            Shown::OfAnotherName => named("other.example.com").issue(&self.trusted),
            Shown::Expired => named(HOST).expired().issue(&self.trusted),
        };
        identity.write(&directory.join("cert.pem"), &directory.join("key.pem"));
        Ok(())
    }
}

/// Certificates that a latched client refuses.
pub(super) const SWAPPED: [Shown; 3] = [
    Shown::OfAnotherAuthority,
    Shown::OfAnotherName,
    Shown::Expired,
];
