//! A server's chain, and TLSA records for its certificates.

use mail_implicit_tls::dns::Tlsa;
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256, Sha512};
use test_support::pki::{Authority, Certificate, Identity};

pub(crate) const HOST: &str = "imap.example.org";

/// A root, an intermediate and a server's certificate for [`HOST`].
pub(crate) struct Chain {
    pub(crate) root: Identity,
    pub(crate) intermediate: Identity,
    pub(crate) leaf: Identity,
}

impl Chain {
    pub(crate) fn new() -> Self {
        Self::of(&Certificate::server(&[HOST]))
    }

    pub(crate) fn of(leaf: &Certificate) -> Self {
        let root = Authority::new("Test Root");
        let intermediate = root.intermediate("Test Intermediate", |_| {});
        Self {
            leaf: leaf.issue(&intermediate),
            intermediate: intermediate.identity(),
            root: root.identity(),
        }
    }

    /// The certificates that a server sends: with or without its root.
    pub(crate) fn sent(&self, with_root: bool) -> Vec<CertificateDer<'static>> {
        let mut sent = vec![self.leaf.certificate(), self.intermediate.certificate()];
        sent.extend(with_root.then(|| self.root.certificate()));
        sent
    }
}

/// Returns the self-signed certificate of an authority that names [`HOST`].
pub(crate) fn named_authority() -> Identity {
    let names = Certificate::server(&[HOST])
        .params()
        .subject_alt_names
        .clone();
    let authority = Authority::with("Self-signed authority", |params| {
        params.subject_alt_names = names;
    });
    authority.identity()
}

pub(crate) fn record(usage: u8, selector: u8, matching_type: u8, made: &Identity) -> Tlsa {
    let selected = if selector == 0 {
        made.certificate().to_vec()
    } else {
        made.public_key()
    };
    let association = match matching_type {
        0 => selected,
        1 => Sha256::digest(selected).to_vec(),
        _ => Sha512::digest(selected).to_vec(),
    };
    Tlsa {
        usage,
        selector,
        matching_type,
        association,
    }
}

pub(crate) fn wrong(usage: u8, selector: u8, matching_type: u8) -> Tlsa {
    let length = if matching_type == 2 { 64 } else { 32 };
    Tlsa {
        usage,
        selector,
        matching_type,
        association: vec![0xab; length],
    }
}
