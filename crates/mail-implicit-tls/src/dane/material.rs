//! The parts of certificates that TLSA records are compared with (RFC 6698 section 2.1).

use std::{borrow::Cow, cell::OnceCell};

use sha2::{Digest, Sha256, Sha512};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use super::record::{Matching, Selector, Usable};

/// A certificate or key that TLSA records are compared with. Each digest is computed once, whatever the number of
/// records.
pub(super) struct Selected<'a> {
    octets: Cow<'a, [u8]>,
    sha256: OnceCell<[u8; 32]>,
    sha512: OnceCell<[u8; 64]>,
}

impl<'a> Selected<'a> {
    pub(super) fn new(octets: impl Into<Cow<'a, [u8]>>) -> Self {
        Self {
            octets: octets.into(),
            sha256: OnceCell::new(),
            sha512: OnceCell::new(),
        }
    }

    /// Returns `true` if the record's data is that of the certificate or key.
    pub(super) fn matches(&self, record: &Usable<'_>) -> bool {
        let octets = &self.octets;
        let data: &[u8] = match record.matching {
            Matching::Full => octets,
            Matching::Sha256 => self.sha256.get_or_init(|| Sha256::digest(octets).into()),
            Matching::Sha512 => self.sha512.get_or_init(|| Sha512::digest(octets).into()),
        };
        data == record.record.association
    }
}

/// The parts of a certificate that TLSA records are compared with.
pub(super) struct Material<'a> {
    pub(super) der: &'a [u8],
    certificate: Selected<'a>,
    /// The `SubjectPublicKeyInfo`, if the certificate can be parsed.
    key: Option<Selected<'a>>,
}

impl<'a> Material<'a> {
    pub(super) fn of(der: &'a [u8]) -> Self {
        let key = X509Certificate::from_der(der)
            .ok()
            .map(|(_, certificate)| Selected::new(certificate.tbs_certificate.subject_pki.raw));
        let certificate = Selected::new(der);
        Self {
            der,
            certificate,
            key,
        }
    }

    pub(super) fn matches(&self, record: &Usable<'_>) -> bool {
        match record.selector {
            Selector::Certificate => self.certificate.matches(record),
            Selector::Key => self.key.as_ref().is_some_and(|key| key.matches(record)),
        }
    }
}
