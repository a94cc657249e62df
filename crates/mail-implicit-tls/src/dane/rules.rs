//! The readings of DANE.

use crate::verdict::CertificateUsage;

/// The reading of DANE.
///
/// RFC 6698 is what draft-newman-email-deep-02 cites: the tag `tls-dane-tlsa` demands that the server's identity is
/// verified, whatever the usage, and every record counts. RFC 7671 updates it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum DaneRules {
    /// RFC 6698: with usage 3, too, the certificate's names must match. A record counts whatever its digest.
    #[default]
    Rfc6698,
    /// RFC 7671: with usage 3, names and dates do not count (section 5.1). Of the records of one usage and selector,
    /// only those with the strongest digest count, and those with the full data (section 9).
    Rfc7671,
    /// RFC 7672, for servers of inbound mail: as RFC 7671, and usages 0 and 1 are unusable, since no list of authorities
    /// is common to all senders (section 3.1.3).
    Rfc7672,
}

impl DaneRules {
    /// Returns `true` if RFC 7671 updates the reading.
    pub(super) const fn is_updated(self) -> bool {
        !matches!(self, Self::Rfc6698)
    }

    /// Returns `true` if a usage counts.
    pub(super) const fn permits(self, usage: CertificateUsage) -> bool {
        match usage {
            CertificateUsage::PkixTa | CertificateUsage::PkixEe => !matches!(self, Self::Rfc7672),
            CertificateUsage::DaneTa | CertificateUsage::DaneEe => true,
        }
    }
}
