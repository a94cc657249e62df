//! The facts of a certificate that a server sent, or that is on the disk.

use std::{fmt, time::Duration};

use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use crate::{
    dane,
    dns::Tlsa,
    identity::{PresentedIdentity, presented},
};

/// A server's certificate, with those that were sent or stored after it.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
    not_before: Duration,
    not_after: Duration,
    names: Vec<PresentedIdentity<'static>>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("names", &self.names)
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads a certificate and those after it. Returns `None` if there is none or the first cannot be parsed.
    #[must_use]
    pub fn of_chain<'a>(chain: impl IntoIterator<Item = CertificateDer<'a>>) -> Option<Self> {
        let chain: Vec<_> = chain.into_iter().map(CertificateDer::into_owned).collect();
        let own = chain.first()?;
        let (_, parsed) = X509Certificate::from_der(own).ok()?;
        let seconds = |time: i64| Duration::from_secs(time.try_into().unwrap_or_default());
        let validity = parsed.validity();
        let names = presented(own).unwrap_or_default();
        Some(Self {
            key: parsed.tbs_certificate.subject_pki.raw.to_vec(),
            not_before: seconds(validity.not_before.timestamp()),
            not_after: seconds(validity.not_after.timestamp()),
            names: names
                .into_iter()
                .map(PresentedIdentity::into_owned)
                .collect(),
            chain,
        })
    }

    /// Returns the first second of the validity, since the Unix epoch.
    #[must_use]
    pub const fn not_before(&self) -> Duration {
        self.not_before
    }

    /// Returns the last second of the validity, since the Unix epoch.
    #[must_use]
    pub const fn not_after(&self) -> Duration {
        self.not_after
    }

    /// Returns the names.
    #[must_use]
    pub fn names(&self) -> &[PresentedIdentity<'static>] {
        &self.names
    }

    /// Returns the server's own certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        self.chain.first().map(|it| &**it).unwrap_or_default()
    }

    /// Returns the number of certificates.
    #[must_use]
    pub fn chain_length(&self) -> usize {
        self.chain.len()
    }

    /// Returns the SHA-256 digest of the certificate.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(self.der()).into()
    }

    /// Returns the SHA-256 digest of the key, which a TLSA record `3 1 1` has.
    #[must_use]
    pub fn key_digest(&self) -> [u8; 32] {
        Sha256::digest(&self.key).into()
    }

    /// Returns `true` if a name is an SRV-ID.
    #[must_use]
    pub fn has_srv_id(&self) -> bool {
        let is_srv = |name: &PresentedIdentity<'_>| matches!(name, PresentedIdentity::Srv(_));
        self.names.iter().any(is_srv)
    }

    /// Returns `true` if both have the same key.
    #[must_use]
    pub fn has_key_of(&self, other: &Self) -> bool {
        self.key == other.key
    }

    /// Returns `true` if a TLSA record names this certificate or its key (usages 1 and 3), or one after it (0 and 2).
    #[must_use]
    pub fn is_named_by(&self, record: &Tlsa) -> bool {
        let named = |der: &CertificateDer<'_>| dane::names(record, der);
        match record.usage {
            1 | 3 => self.chain.first().is_some_and(named),
            _ => self.chain.iter().skip(1).any(named),
        }
    }
}
