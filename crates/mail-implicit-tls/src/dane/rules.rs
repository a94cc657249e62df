//! The readings of DANE.

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
}
