//! Trust anchors and revocation lists.

use std::fmt;

use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor};
use webpki::{CertRevocationList, OwnedCertRevocationList, anchor_from_trusted_cert};

/// The trust anchors of a client, and revocation lists.
#[derive(Debug, Default)]
pub struct Trust {
    anchors: Vec<TrustAnchor<'static>>,
    certificates: Vec<CertificateDer<'static>>,
    crls: Vec<CertRevocationList<'static>>,
    revocation: Revocation,
}

/// The policy of revocation, in force if there are revocation lists. The default is the strictest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Revocation {
    /// The certificates whose status is checked.
    pub depth: RevocationDepth,
    /// Accepts certificates for which there is no revocation list.
    pub allow_unknown: bool,
    /// Accepts revocation lists that expired.
    pub allow_expired: bool,
}

/// The certificates whose revocation status is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RevocationDepth {
    /// All certificates of the path.
    #[default]
    Chain,
    /// The server's certificate only.
    EndEntity,
}

/// A trust anchor or revocation list that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustError {
    /// A certificate cannot be used as a trust anchor.
    Anchor,
    /// A revocation list cannot be parsed.
    RevocationList,
    /// The trust anchors of the platform cannot be read, or there are none.
    Platform,
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anchor => "trust: certificate cannot be used as a trust anchor",
            Self::RevocationList => "trust: revocation list cannot be parsed",
            Self::Platform => "trust: no trust anchors found on this system",
        })
    }
}

impl std::error::Error for TrustError {}

impl Trust {
    /// Returns trust in nothing: only DANE and pins can authenticate a server.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns trust in these certificates of authorities.
    ///
    /// # Errors
    /// Returns [`TrustError::Anchor`] if one of them cannot be used.
    pub fn in_certificates<'a>(
        certificates: impl IntoIterator<Item = CertificateDer<'a>>,
    ) -> Result<Self, TrustError> {
        let mut trust = Self::default();
        for certificate in certificates {
            trust.add(certificate)?;
        }
        Ok(trust)
    }

    /// Returns trust in the authorities of the operating system. Certificates that cannot be used are skipped, as
    /// systems have some.
    ///
    /// # Errors
    /// Returns [`TrustError::Platform`] if there are none.
    #[cfg(feature = "platform-roots")]
    #[cfg_attr(docsrs, doc(cfg(feature = "platform-roots")))]
    pub fn of_platform() -> Result<Self, TrustError> {
        let mut trust = Self::default();
        for certificate in rustls_native_certs::load_native_certs().certs {
            let _skipped = trust.add(certificate);
        }
        if trust.anchors.is_empty() {
            return Err(TrustError::Platform);
        }
        Ok(trust)
    }

    /// Returns trust in the authorities of Mozilla's list, as of the version of `webpki-roots`.
    #[cfg(feature = "bundled-roots")]
    #[cfg_attr(docsrs, doc(cfg(feature = "bundled-roots")))]
    #[must_use]
    pub fn of_mozilla() -> Self {
        Self {
            anchors: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            ..Self::default()
        }
    }

    /// Adds the certificate of an authority.
    ///
    /// # Errors
    /// Returns [`TrustError::Anchor`] if it cannot be used.
    pub fn add(&mut self, certificate: CertificateDer<'_>) -> Result<(), TrustError> {
        let certificate = certificate.into_owned();
        let anchor = anchor_from_trusted_cert(&certificate).map_err(|_| TrustError::Anchor)?;
        self.anchors.push(anchor.to_owned());
        self.certificates.push(certificate);
        Ok(())
    }

    /// Sets the revocation lists and their policy.
    ///
    /// # Errors
    /// Returns [`TrustError::RevocationList`] if one of them cannot be parsed.
    pub fn with_revocation<'a>(
        mut self,
        lists: impl IntoIterator<Item = CertificateRevocationListDer<'a>>,
        revocation: Revocation,
    ) -> Result<Self, TrustError> {
        let parse = |list: CertificateRevocationListDer<'_>| {
            OwnedCertRevocationList::from_der(&list).map(CertRevocationList::from)
        };
        let lists: Result<_, _> = lists.into_iter().map(parse).collect();
        self.crls = lists.map_err(|_| TrustError::RevocationList)?;
        self.revocation = revocation;
        Ok(self)
    }

    /// Returns the number of trust anchors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.anchors.len()
    }

    /// Returns `true` if there is no trust anchor.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    pub(super) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }

    pub(super) fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    pub(super) fn crls(&self) -> &[CertRevocationList<'static>] {
        &self.crls
    }

    pub(super) const fn revocation(&self) -> Revocation {
        self.revocation
    }
}
