//! TLSA records against a server's certificates: RFC 6698 sections 2 and 4, RFC 7671 sections 4, 5 and 9.
//!
//! [`TlsaJudge`] holds the records that were looked up for a connection, and judges within the handshake.

use std::{
    borrow::Cow,
    cell::{Cell, OnceCell},
};

use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256, Sha512};
use webpki::anchor_from_trusted_cert;
use x509_parser::{
    certificate::X509Certificate, extensions::ParsedExtension, prelude::FromDer,
    x509::SubjectPublicKeyInfo,
};

use crate::{
    dns::{Tlsa, host::TlsaRecords},
    identity::ReferenceIdentity,
    verdict::{
        CertificateUsage, ChainProblem, ChainVerdict, DaneNotUsed, DaneVerdict, IdentityVerdict,
        RecordFinding, RecordProblem, Verdict,
    },
    verifier::{DaneJudge, DaneJudgement, PkixPath, ServerCertificates},
};

/// The greatest number of trust anchors of usage 2 that are tried for one server. RFC 7671 sets no limit; each costs the
/// search for a path, which a hostile server makes as long as it can, and no server has more than a few.
pub const MAX_ANCHORS: usize = 8;

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

/// A certificate or key that TLSA records are compared with. Each digest is computed once, whatever the number of
/// records.
struct Selected<'a> {
    octets: Cow<'a, [u8]>,
    sha256: OnceCell<[u8; 32]>,
    sha512: OnceCell<[u8; 64]>,
}

impl<'a> Selected<'a> {
    fn new(octets: impl Into<Cow<'a, [u8]>>) -> Self {
        Self {
            octets: octets.into(),
            sha256: OnceCell::new(),
            sha512: OnceCell::new(),
        }
    }

    /// Returns `true` if the record's data is that of the certificate or key.
    fn matches(&self, record: &Usable<'_>) -> bool {
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
struct Material<'a> {
    der: &'a [u8],
    certificate: Selected<'a>,
    /// The `SubjectPublicKeyInfo`, if the certificate can be parsed.
    key: Option<Selected<'a>>,
}

impl<'a> Material<'a> {
    fn of(der: &'a [u8]) -> Self {
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

    fn matches(&self, record: &Usable<'_>) -> bool {
        match record.selector {
            Selector::Certificate => self.certificate.matches(record),
            Selector::Key => self.key.as_ref().is_some_and(|key| key.matches(record)),
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

/// The judge of a server by the TLSA records that were looked up for a connection.
///
/// One record that matches suffices. Records that are unusable do not count (RFC 6698 section 4.1): if all are, the
/// verdict is [`DaneVerdict::NotUsed`]. If a usable record is left and none matches, the server is not the one that
/// the records name, and the connection must end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsaJudge {
    records: TlsaRecords,
    rules: DaneRules,
}

impl TlsaJudge {
    /// Returns the judge for these records.
    #[must_use]
    pub const fn new(records: TlsaRecords, rules: DaneRules) -> Self {
        Self { records, rules }
    }
}

impl DaneJudge for TlsaJudge {
    fn judge(&self, server: &ServerCertificates<'_>, pkix: &Verdict) -> DaneJudgement {
        let not_used = |reason| DaneJudgement::from(DaneVerdict::NotUsed(reason));
        let (base, records) = match &self.records {
            TlsaRecords::NotRequested => return not_used(DaneNotUsed::NotRequested),
            TlsaRecords::AddressInsecure => return not_used(DaneNotUsed::AddressInsecure),
            TlsaRecords::None => return not_used(DaneNotUsed::NoRecords),
            TlsaRecords::Insecure => return not_used(DaneNotUsed::RecordsInsecure),
            TlsaRecords::Records { base, records } => (base, records),
        };
        let mut findings = Vec::new();
        let mut usable = Vec::new();
        for record in records {
            match Usable::of(record) {
                Ok(record) => usable.push(record),
                Err(problem) => findings.push(finding(record, problem)),
            }
        }
        if usable.is_empty() {
            return not_used(DaneNotUsed::Unusable(findings));
        }
        let is_pkix_ta = |record: &Usable<'_>| record.usage == CertificateUsage::PkixTa;
        let has_path = pkix.chain == ChainVerdict::Trusted;
        let path = match has_path && usable.iter().any(is_pkix_ta) {
            true => server.pkix_path(),
            false => None,
        };
        let judgement = Judgement {
            server,
            pkix,
            own: Material::of(server.end_entity()),
            authorities: server
                .intermediates()
                .iter()
                .map(|it| Authority::of(it))
                .collect(),
            path: path.as_ref().map(|path| Path::of(path, server)),
            tried: Cell::new(0),
            rules: self.rules,
            base: [ReferenceIdentity::Dns(base.clone())],
        };
        let strongest = Strongest::of(&usable);
        for record in &usable {
            if self.rules == DaneRules::Rfc7671 && strongest.exceeds(record) {
                findings.push(record.finding(RecordProblem::WeakerDigest));
                continue;
            }
            match judgement.judge(record) {
                Ok(matched) => return matched,
                Err(problem) => findings.push(record.finding(problem)),
            }
        }
        DaneVerdict::Differs(findings).into()
    }
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

/// A certificate that a server sent with its own.
struct Authority<'a> {
    material: Material<'a>,
    /// The names under it as trust anchor, or the problem of the path to it: verified once, whatever the number of
    /// records of it.
    under: OnceCell<Result<IdentityVerdict, ChainProblem>>,
}

impl<'a> Authority<'a> {
    fn of(der: &'a [u8]) -> Self {
        Self {
            material: Material::of(der),
            under: OnceCell::new(),
        }
    }
}

/// The path that PKIX verified.
struct Path<'a> {
    /// The certificates above the server's own: those between, and those that are known of the trust anchor.
    authorities: Vec<Material<'a>>,
    anchor_key: Selected<'a>,
}

impl<'a> Path<'a> {
    fn of(path: &'a PkixPath, server: &ServerCertificates<'a>) -> Self {
        let anchor = &path.anchor;
        // A certificate which the server sent and which is the trust anchor's.
        let is_anchor = |der: &&CertificateDer<'_>| {
            anchor_from_trusted_cert(der).is_ok_and(|sent| {
                sent.subject == anchor.subject
                    && sent.subject_public_key_info == anchor.subject_public_key_info
            })
        };
        let sent = server.intermediates().iter().filter(is_anchor);
        let known = path.intermediates.iter().chain(&path.anchor_certificates);
        Self {
            authorities: known.chain(sent).map(|der| Material::of(der)).collect(),
            anchor_key: Selected::new(with_sequence(&anchor.subject_public_key_info)),
        }
    }

    fn matches(&self, record: &Usable<'_>) -> bool {
        record.selector == Selector::Key && self.anchor_key.matches(record)
            || self.authorities.iter().any(|it| it.matches(record))
    }
}

/// A server and how it is judged.
struct Judgement<'a> {
    server: &'a ServerCertificates<'a>,
    pkix: &'a Verdict,
    own: Material<'a>,
    authorities: Vec<Authority<'a>>,
    /// The path that PKIX verified, if there is one and usage 0 occurs.
    path: Option<Path<'a>>,
    /// The number of anchors that were tried.
    tried: Cell<usize>,
    rules: DaneRules,
    /// The TLSA base domain: "the reference identifiers must include it" (RFC 7671 section 10.2).
    base: [ReferenceIdentity; 1],
}

impl Judgement<'_> {
    /// Judges by one record.
    fn judge(&self, record: &Usable<'_>) -> Result<DaneJudgement, RecordProblem> {
        match record.usage {
            CertificateUsage::PkixTa => self.authority(record),
            CertificateUsage::PkixEe => {
                self.own(record)?;
                self.pkix(record)
            }
            CertificateUsage::DaneTa => self.anchor(record),
            CertificateUsage::DaneEe => {
                self.own(record)?;
                let identity = self.server.names_match(&self.base);
                match self.rules {
                    DaneRules::Rfc7671 => Ok(matched(record, true, identity)),
                    DaneRules::Rfc6698 => identified(record, identity),
                }
            }
        }
    }

    /// Checks that the record is that of the server's own certificate.
    fn own(&self, record: &Usable<'_>) -> Result<(), RecordProblem> {
        match self.own.matches(record) {
            true => Ok(()),
            false => Err(RecordProblem::NoMatch),
        }
    }

    /// Checks what usages 0 and 1 demand beside the record.
    fn pkix(&self, record: &Usable<'_>) -> Result<DaneJudgement, RecordProblem> {
        match &self.pkix.chain {
            ChainVerdict::Trusted => identified(record, self.pkix.identity.clone()),
            refused => Err(RecordProblem::Path(first_problem(refused))),
        }
    }

    /// Usage 0: an authority on the path to a trust anchor of the client.
    fn authority(&self, record: &Usable<'_>) -> Result<DaneJudgement, RecordProblem> {
        let on_path = match &self.path {
            Some(path) => path.matches(record),
            None => {
                let mut sent = self.authorities.iter();
                sent.any(|sent| sent.material.matches(record))
            }
        };
        match on_path {
            true => self.pkix(record),
            false => Err(RecordProblem::NoMatch),
        }
    }

    /// Usage 2: an anchor that the server sent or that the record holds.
    fn anchor(&self, record: &Usable<'_>) -> Result<DaneJudgement, RecordProblem> {
        let mut problem = RecordProblem::NoMatch;
        let authorities = self.authorities.iter();
        let mut sent = authorities
            .filter(|sent| sent.material.matches(record))
            .map(|sent| {
                let under = || self.under(sent.material.der);
                sent.under.get_or_init(under).clone()
            })
            .peekable();
        let is_whole =
            record.selector == Selector::Certificate && record.matching == Matching::Full;
        let held = (is_whole && sent.peek().is_none())
            .then(|| self.under(record.record.association.as_slice()));
        for under in sent.chain(held) {
            match under {
                Err(path) => problem = RecordProblem::Path(path),
                Ok(identity) => match identified(record, identity) {
                    Ok(judgement) => return Ok(judgement),
                    Err(identity) => problem = identity,
                },
            }
        }
        Err(problem)
    }

    /// Verifies the path to an anchor that a record vouches for, and judges the names under it.
    fn under(&self, anchor: &[u8]) -> Result<IdentityVerdict, ChainProblem> {
        self.may_issue(anchor)?;
        self.tried.set(self.tried.get().saturating_add(1));
        if self.tried.get() > MAX_ANCHORS {
            return Err(ChainProblem::TooLarge);
        }
        let der = CertificateDer::from(anchor);
        let anchor = anchor_from_trusted_cert(&der).map_err(|_| ChainProblem::Malformed)?;
        match self.server.verify_under(&[anchor], &self.base) {
            (ChainVerdict::Trusted, identity) => Ok(identity),
            (refused, _) => Err(first_problem(&refused)),
        }
    }

    /// Checks what webpki does not check of an anchor: that it is the certificate of an authority, valid now, and
    /// that the path below it is no longer than it permits.
    fn may_issue(&self, anchor: &[u8]) -> Result<(), ChainProblem> {
        let Ok((_, certificate)) = X509Certificate::from_der(anchor) else {
            return Err(ChainProblem::Malformed);
        };
        let validity = certificate.validity();
        let now = i64::try_from(self.server.now().as_secs()).unwrap_or(i64::MAX);
        if now < validity.not_before.timestamp() || now > validity.not_after.timestamp() {
            return Err(ChainProblem::IssuerDates);
        }
        let mut authority = false;
        for extension in certificate.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::BasicConstraints(constraints) => {
                    authority = constraints.ca;
                    let allowed = constraints.path_len_constraint;
                    if allowed.is_some_and(|allowed| self.intermediates(&certificate) > allowed) {
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
    fn intermediates(&self, anchor: &X509Certificate<'_>) -> u32 {
        let parse = |it: &CertificateDer<'_>| {
            let (_, certificate) = X509Certificate::from_der(it).ok()?;
            let [subject, issuer] = [certificate.subject(), certificate.issuer()];
            Some((subject.as_raw().to_vec(), issuer.as_raw().to_vec()))
        };
        let Some((_, mut issuer)) = parse(self.server.end_entity()) else {
            return u32::MAX;
        };
        let sent: Vec<_> = self
            .server
            .intermediates()
            .iter()
            .filter_map(parse)
            .collect();
        let mut count = 0_u32;
        for _ in &sent {
            if issuer == anchor.subject().as_raw() {
                break;
            }
            let Some((_, next)) = sent.iter().find(|(subject, _)| *subject == issuer) else {
                break;
            };
            count = count.saturating_add(1);
            issuer.clone_from(next);
        }
        count
    }
}

fn matched(record: &Usable<'_>, covers_identity: bool, identity: IdentityVerdict) -> DaneJudgement {
    DaneJudgement {
        verdict: DaneVerdict::Matches {
            usage: record.usage,
            covers_identity,
        },
        identity: Some(identity),
    }
}

/// Returns the match of a record that demands a name, too.
fn identified(
    record: &Usable<'_>,
    identity: IdentityVerdict,
) -> Result<DaneJudgement, RecordProblem> {
    match identity {
        IdentityVerdict::Matches { .. } => Ok(matched(record, false, identity)),
        IdentityVerdict::Differs(_) | IdentityVerdict::NotChecked => Err(RecordProblem::Identity),
    }
}

fn first_problem(chain: &ChainVerdict) -> ChainProblem {
    match chain {
        ChainVerdict::Refused(problems) => problems.first().copied().unwrap_or(ChainProblem::Other),
        ChainVerdict::Trusted | ChainVerdict::NotChecked => ChainProblem::Other,
    }
}

/// Returns the content of a `SEQUENCE` with its tag and length, which webpki leaves out of an anchor's key.
fn with_sequence(content: &[u8]) -> Vec<u8> {
    let octets = content.len().to_be_bytes();
    let significant = octets.iter().copied().skip_while(|octet| *octet == 0);
    let mut der = vec![0x30];
    match u8::try_from(content.len()) {
        Ok(length @ 0..=0x7f) => der.push(length),
        _ => {
            let length: Vec<u8> = significant.collect();
            der.push(0x80 | u8::try_from(length.len()).unwrap_or_default());
            der.extend(length);
        }
    }
    der.extend_from_slice(content);
    der
}
