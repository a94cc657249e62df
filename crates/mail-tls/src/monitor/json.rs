//! The findings as JSON.

use mail_implicit_tls::{
    failure::Cause,
    monitor::{AddressObservation, Finding, ServerObservation, Timestamp},
    privacy::ProtocolVersion,
    received::CipherSuite,
};
use serde_json::{Value, json};

use super::{
    Observed,
    changes::{Change, ChangeKind},
};

/// The version of the form, which `schemas/monitor.schema.json` describes. Within a version, members are added and none is
/// removed or changes its meaning.
const VERSION: u32 = 1;

/// Returns the findings of all domains.
pub(super) fn value(observed: &[Observed]) -> Value {
    json!({
        "version": VERSION,
        "domains": observed.iter().map(domain).collect::<Vec<_>>(),
    })
}

fn domain(observed: &Observed) -> Value {
    let report = &observed.report;
    let mut value = json!({
        "domain": report.domain.as_str(),
        "at": Timestamp(report.at).to_string(),
        "state": report.state().name(),
        "servers": observed.observation.servers.iter().map(server).collect::<Vec<_>>(),
    });
    let (name, list): (_, Vec<_>) = match &observed.changes {
        None => ("findings", report.findings.iter().map(finding).collect()),
        Some(changes) => ("changes", changes.iter().map(change).collect()),
    };
    if let Some(value) = value.as_object_mut() {
        value.insert(name.to_owned(), list.into());
    }
    value
}

fn finding(finding: &Finding) -> Value {
    json!({
        "check": finding.check.name(),
        "subject": finding.subject.to_string(),
        "state": finding.state.name(),
        "fact": finding.fact,
        "action": finding.action,
    })
}

fn change(change: &Change) -> Value {
    let before = match change.kind {
        ChangeKind::New => None,
        ChangeKind::Changed(state) | ChangeKind::Gone(state) => Some(state.name()),
    };
    json!({
        "check": change.check,
        "subject": change.subject,
        "state": change.now.map(|state| state.name()),
        "before": before,
        "sentence": change.sentence,
    })
}

fn server(server: &ServerObservation) -> Value {
    let addresses = server.addresses.iter().flatten();
    json!({
        "server": server.to_string(),
        "addresses": addresses.map(address).collect::<Vec<_>>(),
    })
}

fn address(address: &AddressObservation) -> Value {
    let certificate = address.certificate.as_ref().map(|certificate| {
        let names: Vec<_> = certificate
            .names()
            .iter()
            .map(ToString::to_string)
            .collect();
        json!({
            "not_before": Timestamp(certificate.not_before()).to_string(),
            "not_after": Timestamp(certificate.not_after()).to_string(),
            "names": names,
            "sha256": hexadecimal(&certificate.fingerprint()),
            "key_sha256": hexadecimal(&certificate.key_digest()),
        })
    });
    let tls = address.tls.as_ref().map(|tls| {
        let suite = tls.cipher_suite.map(CipherSuite::from_number);
        json!({
            "version": ProtocolVersion(tls.version).to_string(),
            "cipher_suite": suite.map(|suite| suite.as_str().to_owned()),
        })
    });
    json!({
        "address": address.address.to_string(),
        "verified": verified(address),
        "tls": tls,
        "certificate": certificate,
    })
}

/// Returns `true` if the client verified the server, or nothing if that is not known.
pub(super) fn verified(address: &AddressObservation) -> Option<bool> {
    match &address.client {
        Ok(()) => Some(true),
        Err(Cause::NotVerified(_)) => Some(false),
        // Without TLSA records a part of the verdict is missing.
        Err(Cause::Lookup(_)) => None,
        Err(_) => address.tls.as_ref().map(|tls| tls.verdict.is_verified()),
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
