//! The findings as JSON.

use mail_implicit_tls::monitor::{AddressObservation, Finding, ServerObservation, Timestamp};
use serde_json::{Value, json};

use super::{
    Observed,
    changes::{Change, ChangeKind},
};

/// Returns the findings of all domains.
pub(super) fn value(observed: &[Observed]) -> Value {
    json!({ "domains": observed.iter().map(domain).collect::<Vec<_>>() })
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
    json!({
        "address": address.address.to_string(),
        "verified": verified(address),
        "certificate": certificate,
    })
}

/// Returns `true` if the client verified the server, or nothing if that is not known.
pub(super) fn verified(address: &AddressObservation) -> Option<bool> {
    match &address.client {
        Ok(_) => Some(true),
        Err(mail_implicit_tls::failure::Cause::NotVerified(_)) => Some(false),
        Err(_) => None,
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
