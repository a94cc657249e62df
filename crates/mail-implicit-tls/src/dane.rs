//! TLSA records against a server's certificates: RFC 6698 sections 2 and 4, RFC 7671 sections 4, 5 and 9.
//!
//! [`TlsaJudge`] holds the records that were looked up for a connection, and judges within the handshake.

mod judgement;
mod material;
mod record;
mod rules;

#[cfg(feature = "monitor")]
use self::material::Material;
use self::{
    judgement::Judgement,
    record::{Strongest, Usable, finding},
};
pub use self::{judgement::MAX_ANCHORS, rules::DaneRules};
#[cfg(feature = "monitor")]
use crate::dns::Tlsa;
use crate::{
    dns::host::TlsaRecords,
    identity::ReferenceIdentity,
    name::DomainName,
    verdict::{CertificateUsage, ChainVerdict, DaneNotUsed, DaneVerdict, RecordProblem, Verdict},
    verifier::{DaneJudge, DaneJudgement, ServerCertificates},
};

/// Returns `true` if a record is usable and has the data of this certificate or its key.
#[cfg(feature = "monitor")]
pub(crate) fn names(record: &Tlsa, certificate: &[u8]) -> bool {
    Usable::of(record).is_ok_and(|record| Material::of(certificate).matches(&record))
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
    /// The domain of the mail, whose MX record is secure.
    next_hop: Option<DomainName>,
}

impl TlsaJudge {
    /// Returns the judge for these records.
    #[must_use]
    pub const fn new(records: TlsaRecords, rules: DaneRules) -> Self {
        Self {
            records,
            rules,
            next_hop: None,
        }
    }

    /// Accepts the name of a domain of mail, too, in a certificate under a trust anchor of usage 2: that of a domain
    /// whose MX record is secure (RFC 7672 section 3.2.2).
    #[cfg(feature = "monitor")]
    pub(crate) fn with_next_hop(self, next_hop: Option<DomainName>) -> Self {
        Self { next_hop, ..self }
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
                Ok(record) if !self.rules.permits(record.usage) => {
                    findings.push(record.finding(RecordProblem::UsageExcluded));
                }
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
        let names = [Some(base), self.next_hop.as_ref()].into_iter().flatten();
        let names = names.cloned().map(ReferenceIdentity::Dns).collect();
        let judgement = Judgement::new(server, pkix, path.as_ref(), self.rules, names);
        let strongest = Strongest::of(&usable);
        for record in &usable {
            if self.rules.is_updated() && strongest.exceeds(record) {
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
