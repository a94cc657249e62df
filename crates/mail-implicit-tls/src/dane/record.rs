//! Records whose numbers and length are known, and the strongest of their digests.

use x509_parser::{certificate::X509Certificate, prelude::FromDer, x509::SubjectPublicKeyInfo};

use crate::{
    dns::Tlsa,
    verdict::{CertificateUsage, RecordFinding, RecordProblem},
};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Selector {
    Certificate,
    Key,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Matching {
    Full,
    Sha256,
    Sha512,
}

/// A record whose numbers and length are known.
pub(super) struct Usable<'a> {
    pub(super) record: &'a Tlsa,
    pub(super) usage: CertificateUsage,
    pub(super) selector: Selector,
    pub(super) matching: Matching,
}

impl<'a> Usable<'a> {
    pub(super) fn of(record: &'a Tlsa) -> Result<Self, RecordProblem> {
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

    pub(super) fn finding(&self, problem: RecordProblem) -> RecordFinding {
        finding(self.record, problem)
    }
}

pub(super) fn finding(record: &Tlsa, problem: RecordProblem) -> RecordFinding {
    RecordFinding {
        usage: record.usage,
        selector: record.selector,
        matching_type: record.matching_type,
        problem,
    }
}

/// The sets of usage and selector that have a SHA-512 digest (RFC 7671 section 9).
pub(super) struct Strongest([bool; 8]);

impl Strongest {
    pub(super) fn of(records: &[Usable<'_>]) -> Self {
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
    pub(super) fn exceeds(&self, record: &Usable<'_>) -> bool {
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
