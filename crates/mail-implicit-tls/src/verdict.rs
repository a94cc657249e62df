//! Verdicts about a server: its certificate's chain, its identity, DANE and the pin, each apart from the others and
//! with all its reasons.

use std::{fmt, time::Duration};

use crate::identity::{Disregarded, PresentedIdentity, ReferenceIdentity};

/// The verdict about a server, complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Verdict {
    /// The verdict about the path to a trust anchor (PKIX, RFC 5280).
    pub chain: ChainVerdict,
    /// The verdict about the names of the certificate.
    pub identity: IdentityVerdict,
    /// The verdict of the TLSA records (RFC 6698).
    pub dane: DaneVerdict,
    /// The verdict of the account's pin (section 3.2).
    pub pin: PinVerdict,
}

impl Verdict {
    /// Returns `true` if the server's certificate and identity are verified as draft-newman-email-deep-02 section 3.1
    /// demands: by PKIX, or by DANE with usage 2 or 3, and by name. A pin does not count, and TLSA records of which
    /// none matches refute what PKIX verified.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        // newman-3-2-4: a pin does not provide high privacy.
        if self.pin != PinVerdict::NotPinned {
            return false;
        }
        let named = matches!(self.identity, IdentityVerdict::Matches { .. });
        let pkix = self.chain == ChainVerdict::Trusted && named;
        match self.dane {
            DaneVerdict::NotUsed(_) => pkix,
            DaneVerdict::Matches {
                usage,
                covers_identity,
            } => match usage {
                CertificateUsage::PkixTa | CertificateUsage::PkixEe => pkix,
                CertificateUsage::DaneTa => named,
                CertificateUsage::DaneEe => named || covers_identity,
            },
            DaneVerdict::Differs(_) => false,
        }
    }
}

/// The verdict about the path from the server's certificate to a trust anchor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ChainVerdict {
    /// The path was not checked.
    #[default]
    NotChecked,
    /// The path leads to a trust anchor and is valid at this time.
    Trusted,
    /// The path is not accepted, for all these reasons.
    Refused(Vec<ChainProblem>),
}

/// A reason why a path is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChainProblem {
    /// The server sent no certificate.
    NoCertificate,
    /// A certificate cannot be parsed.
    Malformed,
    /// A certificate or the list of certificates is larger than the limits.
    TooLarge,
    /// A certificate has another version than 3, which cannot be verified.
    Version,
    /// The server's certificate expired. Times count from the Unix epoch.
    Expired {
        /// `notAfter`
        not_after: Duration,
    },
    /// The server's certificate is not valid yet.
    NotYetValid {
        /// `notBefore`
        not_before: Duration,
    },
    /// A certificate of an authority expired or is not valid yet.
    IssuerDates,
    /// No path leads to a trust anchor.
    UnknownIssuer,
    /// No path leads to a trust anchor, and the server sent no intermediate certificate.
    IntermediateMissing,
    /// The server's certificate is its own issuer and not a trust anchor.
    SelfSigned,
    /// A certificate was revoked.
    Revoked,
    /// The revocation status is unknown, and the policy demands that it is known.
    RevocationUnknown,
    /// A revocation list expired.
    RevocationListExpired,
    /// The extended key usage does not include server authentication.
    Purpose,
    /// The server's certificate is that of a certificate authority.
    IsAuthority,
    /// A certificate that issued another is not that of a certificate authority.
    IsNotAuthority,
    /// The path is longer than an authority permits.
    PathLength,
    /// A name violates the name constraints of an authority.
    NameConstraints,
    /// A signature of the path is wrong or of an algorithm that is not supported.
    Signature,
    /// The path cannot be verified for another reason.
    Other,
}

impl fmt::Display for ChainProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCertificate => "the server sent no certificate",
            Self::Malformed => "a certificate is malformed",
            Self::TooLarge => "the certificates are larger than the limits",
            Self::Version => "a certificate is not of version 3",
            Self::Expired { .. } => "the certificate expired",
            Self::NotYetValid { .. } => "the certificate is not valid yet",
            Self::IssuerDates => "a certificate authority's certificate is not valid at this time",
            Self::UnknownIssuer => "the certificate was issued by an unknown authority",
            Self::IntermediateMissing => {
                "the issuer is unknown and the server sends no intermediate certificate"
            }
            Self::SelfSigned => "the certificate is self-signed",
            Self::Revoked => "the certificate was revoked",
            Self::RevocationUnknown => "the revocation status is unknown",
            Self::RevocationListExpired => "a revocation list expired",
            Self::Purpose => "the certificate is not for servers",
            Self::IsAuthority => "the certificate is that of a certificate authority",
            Self::IsNotAuthority => "an issuer is not a certificate authority",
            Self::PathLength => "the path is longer than an authority permits",
            Self::NameConstraints => "a name violates an authority's name constraints",
            Self::Signature => "a signature cannot be verified",
            Self::Other => "the certificate cannot be verified",
        })
    }
}

/// The verdict about the names of the server's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IdentityVerdict {
    /// The names were not checked.
    #[default]
    NotChecked,
    /// A name matches.
    Matches {
        /// The expected name.
        reference: ReferenceIdentity,
        /// The name in the certificate.
        presented: PresentedIdentity<'static>,
    },
    /// No name matches.
    Differs(Box<Mismatch>),
}

/// The greatest number of names in the lists of a [`Mismatch`].
pub const MAX_LISTED_NAMES: usize = 100;

/// A certificate without an expected name, in full.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// The expected names.
    pub expected: Vec<ReferenceIdentity>,
    /// The names that were compared and differ.
    pub presented: Vec<PresentedIdentity<'static>>,
    /// The names that were not compared, and the reason of each.
    pub disregarded: Vec<(PresentedIdentity<'static>, Disregarded)>,
    /// The number of names that are not listed, because the lists have at most
    /// [`MAX_LISTED_NAMES`] names together.
    pub omitted: usize,
    /// `true` if the names of the certificate cannot be read.
    pub unreadable: bool,
}

impl Mismatch {
    /// Returns the mismatch of a certificate whose names cannot be read.
    #[cfg(feature = "certificates")]
    pub(crate) fn unreadable(expected: &[ReferenceIdentity]) -> Self {
        Self {
            expected: expected.to_vec(),
            unreadable: true,
            ..Self::default()
        }
    }
}

/// The first field of a TLSA record, RFC 6698 section 2.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CertificateUsage {
    /// 0, PKIX-TA.
    PkixTa,
    /// 1, PKIX-EE.
    PkixEe,
    /// 2, DANE-TA.
    DaneTa,
    /// 3, DANE-EE.
    DaneEe,
}

impl fmt::Display for CertificateUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PkixTa => "PKIX-TA",
            Self::PkixEe => "PKIX-EE",
            Self::DaneTa => "DANE-TA",
            Self::DaneEe => "DANE-EE",
        })
    }
}

/// The verdict of the TLSA records. A lookup that failed is not a verdict: it ends the connection before the
/// handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DaneVerdict {
    /// DANE has no part in the verdict.
    NotUsed(DaneNotUsed),
    /// A record matches.
    Matches {
        /// The usage of the record.
        usage: CertificateUsage,
        /// `true` if the match authenticates the server whatever names its certificate has: usage 3 under RFC 7671
        /// section 5.1.
        covers_identity: bool,
    },
    /// There are usable records, and none matches.
    Differs(Vec<RecordFinding>),
}

impl Default for DaneVerdict {
    fn default() -> Self {
        Self::NotUsed(DaneNotUsed::NotRequested)
    }
}

/// The reason why DANE has no part in a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DaneNotUsed {
    /// The account does not use DANE.
    NotRequested,
    /// An SRV record that DNSSEC does not secure names the host, and the user did not confirm it. TLSA records of that
    /// host do not count, since whoever forges the SRV record chooses the host (RFC 7673 section 3.1).
    SrvInsecure,
    /// The address records are not secured by DNSSEC, so no TLSA records were asked for.
    AddressInsecure,
    /// DNSSEC proves that there are no records, or the zone is not signed.
    NoRecords,
    /// The records are not secured by DNSSEC.
    RecordsInsecure,
    /// All records are unusable.
    Unusable(Vec<RecordFinding>),
}

/// The finding about one TLSA record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordFinding {
    /// The certificate usage.
    pub usage: u8,
    /// The selector.
    pub selector: u8,
    /// The matching type.
    pub matching_type: u8,
    /// The problem.
    pub problem: RecordProblem,
}

/// A reason why a TLSA record is unusable or does not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordProblem {
    /// The certificate usage is unknown.
    Usage,
    /// The certificate usage does not count for inbound mail (RFC 7672 section 3.1.3).
    UsageExcluded,
    /// The selector is unknown.
    Selector,
    /// The matching type is unknown.
    MatchingType,
    /// The digest has a wrong length.
    DigestLength,
    /// The record holds a certificate or key that cannot be parsed.
    Malformed,
    /// The record has a weaker digest than another record with the same usage and selector (RFC 7671 section 9).
    WeakerDigest,
    /// No certificate of the server matches the record.
    NoMatch,
    /// A certificate matches, but the path from it is not accepted.
    Path(ChainProblem),
    /// A certificate matches, but the names of the server's certificate do not.
    Identity,
}

/// The verdict of the account's pin, section 3.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PinVerdict {
    /// The account has no pin for the server.
    #[default]
    NotPinned,
    /// The certificate is the pinned one.
    Matches,
    /// The certificate is another than the pinned one.
    Differs,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "chain: {}; identity: {}; DANE: {}",
            self.chain, self.identity, self.dane
        )?;
        match self.pin {
            PinVerdict::NotPinned => Ok(()),
            pin => write!(f, "; pin: {pin}"),
        }
    }
}

impl fmt::Display for ChainVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotChecked => f.write_str("not checked"),
            Self::Trusted => f.write_str("trusted"),
            Self::Refused(problems) => list(f, problems),
        }
    }
}

impl fmt::Display for IdentityVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotChecked => f.write_str("not checked"),
            Self::Matches {
                reference,
                presented,
            } => write!(f, "{reference} matches {presented}"),
            Self::Differs(mismatch) => mismatch.fmt(f),
        }
    }
}

/// The number of presented names in a message.
const SHOWN_NAMES: usize = 10;

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected ")?;
        list(f, &self.expected)?;
        f.write_str(" but the certificate has ")?;
        let names = self.presented.len().saturating_add(self.disregarded.len());
        if self.unreadable {
            return f.write_str("names that cannot be read");
        }
        if names == 0 {
            return f.write_str("no names");
        }
        let compared = self.presented.iter().map(|name| (name, None));
        let disregarded = self.disregarded.iter().map(|(name, why)| (name, Some(why)));
        for (index, (name, why)) in compared.chain(disregarded).take(SHOWN_NAMES).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{name}")?;
            if let Some(why) = why {
                write!(f, " ({why})")?;
            }
        }
        match names
            .saturating_add(self.omitted)
            .saturating_sub(SHOWN_NAMES)
        {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl fmt::Display for DaneVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUsed(reason) => write!(f, "not used, {reason}"),
            Self::Matches { usage, .. } => write!(f, "a {usage} record matches"),
            Self::Differs(findings) => {
                f.write_str("no record matches: ")?;
                list(f, findings)
            }
        }
    }
}

impl fmt::Display for DaneNotUsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRequested => f.write_str("not requested"),
            Self::SrvInsecure => {
                f.write_str("the SRV record that names the host is not secured by DNSSEC")
            }
            Self::AddressInsecure => f.write_str("the address is not secured by DNSSEC"),
            Self::NoRecords => f.write_str("no TLSA records"),
            Self::RecordsInsecure => f.write_str("the TLSA records are not secured by DNSSEC"),
            Self::Unusable(findings) => {
                f.write_str("all TLSA records are unusable: ")?;
                list(f, findings)
            }
        }
    }
}

impl fmt::Display for RecordFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            usage,
            selector,
            matching_type,
            problem,
        } = self;
        write!(f, "record {usage} {selector} {matching_type}: {problem}")
    }
}

impl fmt::Display for RecordProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Usage => "unknown certificate usage",
            Self::UsageExcluded => "certificate usage that does not count for inbound mail",
            Self::Selector => "unknown selector",
            Self::MatchingType => "unknown matching type",
            Self::DigestLength => "digest of wrong length",
            Self::Malformed => "malformed certificate or key",
            Self::WeakerDigest => "weaker digest than another record",
            Self::NoMatch => "no certificate of the server matches",
            Self::Identity => "a certificate matches but its names do not",
            Self::Path(problem) => return write!(f, "a certificate matches but {problem}"),
        })
    }
}

impl fmt::Display for PinVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotPinned => "not pinned",
            Self::Matches => "the certificate is the pinned one",
            Self::Differs => "the certificate is not the pinned one",
        })
    }
}

fn list(f: &mut fmt::Formatter<'_>, items: &[impl fmt::Display]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        write!(f, "{separator}{item}")?;
    }
    Ok(())
}
