//! Certificates under one root, and their faults.

use std::{sync::LazyLock, time::Duration};

use rustls::pki_types::{CertificateDer, UnixTime};
use test_support::pki::{
    Authority, Certificate,
    rcgen::{GeneralSubtree, NameConstraints},
};

/// 2026-06-01
pub(crate) const NOW: u64 = 1_780_272_000;

pub(crate) fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

pub(crate) static ROOT: LazyLock<Authority> = LazyLock::new(|| Authority::new("Root"));

pub(crate) fn stranger() -> Authority {
    Authority::new("Stranger")
}

/// Describes a certificate without extended key usages.
pub(crate) fn named(names: &[&str]) -> Certificate {
    Certificate::server(names).usages(&[])
}

/// Describes a certificate whose only name is an SRV-ID.
pub(crate) fn srv(name: &str) -> Certificate {
    named(&[]).srv_ids(&[name])
}

/// Describes a certificate whose only name is its common name.
pub(crate) fn common(name: &str) -> Certificate {
    named(&[]).common_name(name)
}

pub(crate) fn issued(certificate: &Certificate, issuer: &Authority) -> CertificateDer<'static> {
    certificate.issue(issuer).certificate()
}

pub(crate) fn constrained(name: &str, permitted: &str) -> Authority {
    ROOT.intermediate(name, |params| params.name_constraints = only(permitted))
}

/// Returns name constraints that permit the names of this domain only.
pub(crate) fn only(domain: &str) -> Option<NameConstraints> {
    Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(domain.into())],
        excluded_subtrees: Vec::new(),
    })
}
