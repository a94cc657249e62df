//! TLSA records against a server's certificates: RFC 6698 sections 2 and 4, RFC 7671 sections 4, 5 and 9.
//!
//! The module does no I/O and verifies no signature: paths are built by whatever implements [`Paths`].

use sha2::{Digest, Sha256, Sha512};
use x509_parser::{
    certificate::X509Certificate, extensions::ParsedExtension, prelude::FromDer,
    x509::SubjectPublicKeyInfo,
};

use crate::{
    dns::Tlsa,
    verdict::{
        CertificateUsage, ChainProblem, DaneNotUsed, DaneVerdict, RecordFinding, RecordProblem,
    },
};

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

/// The paths that can be built from a server's certificates.
pub trait Paths {
    /// Checks the path to a trust anchor of the client, as PKIX demands, without a name.
    ///
    /// # Errors
    /// Returns the reason why the path is not accepted.
    fn to_client_anchors(&self) -> Result<PkixPath<'_>, ChainProblem>;

    /// Checks the path from the server's certificate to a certificate that a TLSA record vouches for, as PKIX
    /// demands of all below the anchor, without a name.
    ///
    /// # Errors
    /// Returns the reason why the path is not accepted.
    fn to_anchor(&self, anchor: &[u8]) -> Result<(), ChainProblem>;

    /// Returns `true` if a name of the server's certificate matches a reference identity. `anchor` is the
    /// certificate that a TLSA record vouches for, whose name constraints count, or `None` for the path of
    /// [`to_client_anchors`](Self::to_client_anchors) and for no path.
    fn is_identified(&self, anchor: Option<&[u8]>) -> bool;
}

/// A path to a trust anchor of the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PkixPath<'a> {
    /// The certificates of authorities on the path, in DER. A trust anchor is among them if its certificate is
    /// known.
    pub authorities: Vec<&'a [u8]>,
    /// The `SubjectPublicKeyInfo` of the trust anchor, in DER with its tag and length.
    pub anchor_key: Vec<u8>,
}

/// The octets of a certificate that TLSA records are compared with.
struct Material<'a> {
    der: &'a [u8],
    /// The `SubjectPublicKeyInfo`, if the certificate can be parsed.
    key: Option<&'a [u8]>,
}

impl<'a> Material<'a> {
    fn of(der: &'a [u8]) -> Self {
        let key = X509Certificate::from_der(der)
            .ok()
            .map(|(_, certificate)| certificate.tbs_certificate.subject_pki.raw);
        Self { der, key }
    }

    fn selected(&self, selector: Selector) -> Option<&'a [u8]> {
        match selector {
            Selector::Certificate => Some(self.der),
            Selector::Key => self.key,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Selector {
    Certificate,
    Key,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Matching {
    Full,
    Sha256,
    Sha512,
}

/// A record whose numbers and length are known.
struct Usable<'a> {
    record: &'a Tlsa,
    usage: CertificateUsage,
    selector: Selector,
    matching: Matching,
}

impl<'a> Usable<'a> {
    fn of(record: &'a Tlsa) -> Result<Self, RecordProblem> {
        let usage = match record.usage {
            0 => CertificateUsage::PkixTa,
            1 => CertificateUsage::PkixEe,
            2 => CertificateUsage::DaneTa,
            3 => CertificateUsage::DaneEe,
            _ => return Err(RecordProblem::Usage),
        };
        let selector = match record.selector {
            0 => Selector::Certificate,
            1 => Selector::Key,
            _ => return Err(RecordProblem::Selector),
        };
        let (matching, length) = match record.matching_type {
            0 => (Matching::Full, None),
            1 => (Matching::Sha256, Some(32)),
            2 => (Matching::Sha512, Some(64)),
            _ => return Err(RecordProblem::MatchingType),
        };
        if length.is_some_and(|length| record.association.len() != length) {
            return Err(RecordProblem::DigestLength);
        }
        let usable = Self {
            record,
            usage,
            selector,
            matching,
        };
        if matching == Matching::Full && !usable.is_well_formed() {
            return Err(RecordProblem::Malformed);
        }
        Ok(usable)
    }

    /// Returns `true` if the full data is a certificate or a key and nothing else.
    fn is_well_formed(&self) -> bool {
        let association = self.record.association.as_slice();
        let rest = match self.selector {
            Selector::Certificate => X509Certificate::from_der(association).map(|(rest, _)| rest),
            Selector::Key => SubjectPublicKeyInfo::from_der(association).map(|(rest, _)| rest),
        };
        rest.is_ok_and(<[u8]>::is_empty)
    }

    /// Returns `true` if the record's data is that of the certificate or key.
    fn matches(&self, selected: &[u8]) -> bool {
        let association = self.record.association.as_slice();
        match self.matching {
            Matching::Full => selected == association,
            Matching::Sha256 => Sha256::digest(selected).as_slice() == association,
            Matching::Sha512 => Sha512::digest(selected).as_slice() == association,
        }
    }

    fn matches_certificate(&self, certificate: &Material<'_>) -> bool {
        certificate
            .selected(self.selector)
            .is_some_and(|selected| self.matches(selected))
    }

    fn finding(&self, problem: RecordProblem) -> RecordFinding {
        finding(self.record, problem)
    }
}

fn finding(record: &Tlsa, problem: RecordProblem) -> RecordFinding {
    RecordFinding {
        usage: record.usage,
        selector: record.selector,
        matching_type: record.matching_type,
        problem,
    }
}

/// Judges a server's certificates by the TLSA records of its name.
///
/// `records` must be secured by DNSSEC. `certificates` are those that the server sent, its own first. `time` is in
/// seconds since the Unix epoch; the dates of an anchor that a record vouches for are compared with it.
///
/// One record that matches suffices. Records that are unusable do not count (RFC 6698 section 4.1): if all are, the
/// verdict is [`DaneVerdict::NotUsed`]. If a usable record is left and none matches, the server is not the one that
/// the records name, and the connection must end.
pub fn judge(
    records: &[Tlsa],
    certificates: &[&[u8]],
    rules: DaneRules,
    time: i64,
    paths: &dyn Paths,
) -> DaneVerdict {
    let mut findings = Vec::new();
    let mut usable = Vec::new();
    for record in records {
        match Usable::of(record) {
            Ok(record) => usable.push(record),
            Err(problem) => findings.push(finding(record, problem)),
        }
    }
    if usable.is_empty() {
        return DaneVerdict::NotUsed(if records.is_empty() {
            DaneNotUsed::NoRecords
        } else {
            DaneNotUsed::Unusable(findings)
        });
    }
    let materials: Vec<_> = certificates.iter().map(|der| Material::of(der)).collect();
    let judgement = Judgement {
        materials: &materials,
        rules,
        time,
        paths,
    };
    let strongest = Strongest::of(&usable);
    for record in &usable {
        if rules == DaneRules::Rfc7671 && strongest.exceeds(record) {
            findings.push(record.finding(RecordProblem::WeakerDigest));
            continue;
        }
        match judgement.judge(record) {
            Ok(covers_identity) => {
                return DaneVerdict::Matches {
                    usage: record.usage,
                    covers_identity,
                };
            }
            Err(problem) => findings.push(record.finding(problem)),
        }
    }
    DaneVerdict::Differs(findings)
}

/// The sets of usage and selector that have a SHA-512 digest (RFC 7671 section 9).
struct Strongest([bool; 8]);

impl Strongest {
    fn of(records: &[Usable<'_>]) -> Self {
        let mut sets = [false; 8];
        for record in records
            .iter()
            .filter(|record| record.matching == Matching::Sha512)
        {
            if let Some(set) = sets.get_mut(Self::index(record)) {
                *set = true;
            }
        }
        Self(sets)
    }

    /// Returns `true` if a record of the same set has a stronger digest than this one.
    fn exceeds(&self, record: &Usable<'_>) -> bool {
        let stronger = self.0.get(Self::index(record)).copied().unwrap_or_default();
        record.matching == Matching::Sha256 && stronger
    }

    fn index(record: &Usable<'_>) -> usize {
        let selector = match record.selector {
            Selector::Certificate => 0,
            Selector::Key => 4,
        };
        let usage = match record.usage {
            CertificateUsage::PkixTa => 0,
            CertificateUsage::PkixEe => 1,
            CertificateUsage::DaneTa => 2,
            CertificateUsage::DaneEe => 3,
        };
        selector | usage
    }
}

/// The server's certificates and how they are judged.
struct Judgement<'a> {
    materials: &'a [Material<'a>],
    rules: DaneRules,
    time: i64,
    paths: &'a dyn Paths,
}

impl Judgement<'_> {
    /// Judges by one record. Returns whether the match covers the identity, too.
    fn judge(&self, record: &Usable<'_>) -> Result<bool, RecordProblem> {
        match record.usage {
            CertificateUsage::PkixTa => self.authority(record),
            CertificateUsage::PkixEe => {
                self.own(record)?;
                self.paths
                    .to_client_anchors()
                    .map_err(RecordProblem::Path)?;
                self.identified(None)
            }
            CertificateUsage::DaneTa => self.anchor(record),
            CertificateUsage::DaneEe => {
                self.own(record)?;
                match self.rules {
                    DaneRules::Rfc7671 => Ok(true),
                    DaneRules::Rfc6698 => self.identified(None),
                }
            }
        }
    }

    /// Checks that the record is that of the server's own certificate.
    fn own(&self, record: &Usable<'_>) -> Result<(), RecordProblem> {
        let own = self.materials.first();
        match own.is_some_and(|own| record.matches_certificate(own)) {
            true => Ok(()),
            false => Err(RecordProblem::NoMatch),
        }
    }

    fn identified(&self, anchor: Option<&[u8]>) -> Result<bool, RecordProblem> {
        match self.paths.is_identified(anchor) {
            true => Ok(false),
            false => Err(RecordProblem::Identity),
        }
    }

    /// Usage 0: an authority on the path to an anchor of the client.
    fn authority(&self, record: &Usable<'_>) -> Result<bool, RecordProblem> {
        let path = self.paths.to_client_anchors();
        let path = match path {
            Ok(path) => path,
            Err(problem) => {
                let sent = self
                    .authorities()
                    .any(|sent| record.matches_certificate(sent));
                return Err(if sent {
                    RecordProblem::Path(problem)
                } else {
                    RecordProblem::NoMatch
                });
            }
        };
        let authority = path
            .authorities
            .iter()
            .any(|authority| record.matches_certificate(&Material::of(authority)));
        let key = record.selector == Selector::Key && record.matches(&path.anchor_key);
        if !authority && !key {
            return Err(RecordProblem::NoMatch);
        }
        self.identified(None)
    }

    /// Usage 2: an anchor that the server sent or that the record holds.
    fn anchor(&self, record: &Usable<'_>) -> Result<bool, RecordProblem> {
        let mut problem = RecordProblem::NoMatch;
        let sent = self
            .authorities()
            .filter(|sent| record.matches_certificate(sent))
            .map(|sent| sent.der);
        let held = (record.selector == Selector::Certificate && record.matching == Matching::Full)
            .then_some(record.record.association.as_slice());
        for anchor in sent.chain(held) {
            let path = self
                .may_issue(anchor)
                .and_then(|()| self.paths.to_anchor(anchor));
            match path {
                Err(path) => problem = RecordProblem::Path(path),
                Ok(()) => match self.identified(Some(anchor)) {
                    Ok(covers_identity) => return Ok(covers_identity),
                    Err(identity) => problem = identity,
                },
            }
        }
        Err(problem)
    }

    /// The certificates that the server sent beside its own. Its own key is no authority's.
    fn authorities(&self) -> impl Iterator<Item = &Material<'_>> {
        self.materials.iter().skip(1)
    }

    /// Checks what a verifier does not check of an anchor: that it is the certificate of an authority, valid now,
    /// and that the path below it is no longer than it permits.
    fn may_issue(&self, anchor: &[u8]) -> Result<(), ChainProblem> {
        let Ok((_, certificate)) = X509Certificate::from_der(anchor) else {
            return Err(ChainProblem::Malformed);
        };
        let validity = certificate.validity();
        if self.time < validity.not_before.timestamp() || self.time > validity.not_after.timestamp()
        {
            return Err(ChainProblem::IssuerDates);
        }
        let mut authority = false;
        for extension in certificate.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::BasicConstraints(constraints) => {
                    authority = constraints.ca;
                    let allowed = constraints.path_len_constraint;
                    if allowed.is_some_and(|allowed| self.intermediates(anchor) > allowed) {
                        return Err(ChainProblem::PathLength);
                    }
                }
                ParsedExtension::KeyUsage(usage) if !usage.key_cert_sign() => {
                    return Err(ChainProblem::IsNotAuthority);
                }
                _ => {}
            }
        }
        match authority {
            true => Ok(()),
            false => Err(ChainProblem::IsNotAuthority),
        }
    }

    /// Returns the number of authorities between the server's certificate and an anchor, following issuers' names.
    fn intermediates(&self, anchor: &[u8]) -> u32 {
        let parse = |der| {
            X509Certificate::from_der(der)
                .ok()
                .map(|(_, certificate)| certificate)
        };
        let Some((anchor, own)) =
            parse(anchor).zip(self.materials.first().and_then(|own| parse(own.der)))
        else {
            return u32::MAX;
        };
        let sent: Vec<_> = self
            .authorities()
            .filter_map(|sent| parse(sent.der))
            .collect();
        let mut issuer = own.issuer().as_raw();
        let mut count = 0_u32;
        for _ in &sent {
            if issuer == anchor.subject().as_raw() {
                break;
            }
            let Some(next) = sent.iter().find(|sent| sent.subject().as_raw() == issuer) else {
                break;
            };
            count = count.saturating_add(1);
            issuer = next.issuer().as_raw();
        }
        count
    }
}
