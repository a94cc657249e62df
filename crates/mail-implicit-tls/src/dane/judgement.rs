//! The judgement of a server by one usable record: paths, anchors and names (RFC 6698 section 2.1.1, RFC 7671 section 5).

use std::cell::{Cell, OnceCell};

use rustls::pki_types::CertificateDer;
use webpki::anchor_from_trusted_cert;
use x509_parser::{certificate::X509Certificate, extensions::ParsedExtension, prelude::FromDer};

use super::{
    material::{Material, Selected},
    record::{Matching, Selector, Usable},
    rules::DaneRules,
};
use crate::{
    identity::ReferenceIdentity,
    verdict::{
        CertificateUsage, ChainProblem, ChainVerdict, DaneVerdict, IdentityVerdict, RecordProblem,
        Verdict,
    },
    verifier::{DaneJudgement, PkixPath, ServerCertificates},
};

/// The greatest number of trust anchors of usage 2 that are tried for one server. RFC 7671 sets no limit; each costs the
/// search for a path, which a hostile server makes as long as it can, and no server has more than a few.
pub const MAX_ANCHORS: usize = 8;

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
pub(super) struct Judgement<'a> {
    server: &'a ServerCertificates<'a>,
    pkix: &'a Verdict,
    own: Material<'a>,
    authorities: Vec<Authority<'a>>,
    /// The path that PKIX verified, if there is one and usage 0 occurs.
    path: Option<Path<'a>>,
    /// The number of anchors that were tried.
    tried: Cell<usize>,
    rules: DaneRules,
    /// The TLSA base domain, "the reference identifiers must include it" (RFC 7671 section 10.2), and for inbound mail its
    /// domain.
    names: Vec<ReferenceIdentity>,
}

impl<'a> Judgement<'a> {
    pub(super) fn new(
        server: &'a ServerCertificates<'a>,
        pkix: &'a Verdict,
        path: Option<&'a PkixPath>,
        rules: DaneRules,
        names: Vec<ReferenceIdentity>,
    ) -> Self {
        let sent = server.intermediates().iter();
        Self {
            server,
            pkix,
            own: Material::of(server.end_entity()),
            authorities: sent.map(|it| Authority::of(it)).collect(),
            path: path.map(|path| Path::of(path, server)),
            tried: Cell::new(0),
            rules,
            names,
        }
    }

    /// Judges by one record.
    pub(super) fn judge(&self, record: &Usable<'_>) -> Result<DaneJudgement, RecordProblem> {
        match record.usage {
            CertificateUsage::PkixTa => self.authority(record),
            CertificateUsage::PkixEe => {
                self.own(record)?;
                self.pkix(record)
            }
            CertificateUsage::DaneTa => self.anchor(record),
            CertificateUsage::DaneEe => {
                self.own(record)?;
                let identity = self.server.names_match(&self.names);
                match self.rules.is_updated() {
                    true => Ok(matched(record, true, identity)),
                    false => identified(record, identity),
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
        match self.server.verify_under(&[anchor], &self.names) {
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
