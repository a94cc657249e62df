//! The thresholds of findings, and what is known beside an observation.

use std::{collections::BTreeMap, time::Duration};

use super::certificate::Certificate;
use crate::dns::Tlsa;

/// The thresholds of findings.
///
/// The life of a certificate or a signature is counted in parts of it and not in days, since certificates of six days and
/// of a year must be renewed at the same part of their life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The part of a certificate's lifetime that is left when a finding warns, in percent.
    pub warning_percent: u8,
    /// The part of a certificate's lifetime that is left when a finding is bad, in percent.
    pub bad_percent: u8,
    /// The time for which a renewed certificate may be on the disk without being served.
    pub reload: Duration,
}

impl Default for Policy {
    /// Warns when a quarter is left, of which ACME clients have renewed at a third, and is bad at a tenth. A renewed
    /// certificate may wait an hour.
    fn default() -> Self {
        Self {
            warning_percent: 25,
            bad_percent: 10,
            reload: Duration::from_secs(3_600),
        }
    }
}

/// A certificate on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownCertificate {
    /// The file.
    pub file: String,
    /// The certificate.
    pub certificate: Certificate,
    /// The time at which the file was written, since the Unix epoch.
    pub written: Duration,
    /// `true` if the certificate is prepared for later, and not to be served yet.
    pub is_next: bool,
}

/// The facts beside an observation: certificates on the disk, and the memory of earlier observations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The thresholds.
    pub policy: Policy,
    /// The certificates on the disk.
    pub certificates: Vec<KnownCertificate>,
    /// The time at which each TLSA record was first seen, by owner and record, since the Unix epoch. `None` if there is no
    /// memory.
    pub first_seen: Option<BTreeMap<(String, Tlsa), Duration>>,
}
