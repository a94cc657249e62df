//! The versions of TLS that a server accepts: RFC 8996, sections 9.1 and 10.6.

use super::{At, Finding, State};
use crate::{
    monitor::{finding::Check, observation::NotKnown},
    privacy::ProtocolVersion,
};

/// TLS 1.3.
const TLS_1_3: u16 = 0x0304;

/// Judges the versions.
pub(super) fn versions(at: &At<'_>) -> Option<Finding> {
    let negotiated = at.address.tls.as_ref().map(|tls| tls.version);
    let old = match &at.address.old_versions {
        Ok(old) => old,
        // The connection itself is a finding.
        Err(NotKnown::NotTried) => return None,
        Err(reason) => {
            let fact =
                format!("The old versions of TLS that the server accepts are not known, {reason}");
            let action = "run the monitor again, from another network too";
            return Some(
                at.finding(Check::Versions, State::NotKnown, fact)
                    .with_action(action),
            );
        }
    };
    let finding = |state, fact: String, action: &str| {
        Some(at.finding(Check::Versions, state, fact).with_action(action))
    };
    if let Some(version) = old.up_to_1_1 {
        // Other servers deliver in clear text to one that has no version of theirs.
        let state = match at.is_inbound {
            true => State::Advice,
            false => State::Warning,
        };
        return finding(
            state,
            format!(
                "The server accepts {}, which is broken",
                ProtocolVersion(version)
            ),
            "set TLS 1.2 as the least version",
        );
    }
    if negotiated.is_some_and(|version| version < TLS_1_3) {
        return finding(
            State::Advice,
            "The server lacks TLS 1.3".to_owned(),
            "enable it beside TLS 1.2",
        );
    }
    if old.tls_1_2 == Some(false) {
        return finding(
            State::Advice,
            "The server lacks TLS 1.2, which mail clients must have".to_owned(),
            "enable it beside TLS 1.3, unless all clients have that",
        );
    }
    let fact = match (negotiated, old.tls_1_2) {
        (Some(_), Some(_)) => "The server accepts TLS 1.2 and TLS 1.3, and no earlier version",
        // It refuses another part of the monitor's hello for TLS 1.2.
        (Some(_), None) => "The server accepts TLS 1.3, and no version before TLS 1.2",
        (None, _) => "The server accepts no version before TLS 1.2",
    };
    Some(at.finding(Check::Versions, State::Good, fact))
}
