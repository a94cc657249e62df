//! The DEEP status that a server advertises against what its connections achieve: section 10.6.

use super::{At, Finding, State, list};
use crate::monitor::finding::Check;

/// Judges the status.
pub(super) fn status(at: &At<'_>) -> Option<Finding> {
    let finding = |state, fact: String| at.finding(Check::Deep, state, fact);
    let status = match &at.address.deep {
        Ok(status) => status,
        // The connection itself is a finding.
        Err(_) => return None,
    };
    let Some(tags) = &status.tags else {
        let fact = "The server advertises no DEEP status".to_owned();
        return Some(
            finding(State::Advice, fact)
                .with_action("advertise tls10, tls-cert and an https URL once certificates are renewed by themselves"),
        );
    };
    if !status.not_achieved.is_empty() {
        let fact = format!(
            "The server advertises {}, which its connections do not achieve",
            list(&status.not_achieved)
        );
        return Some(finding(State::Bad, fact).with_action(
            "repair the certificate or the TLSA records at once, since clients that latched a tag refuse the server",
        ));
    }
    let mut missing: Vec<_> = ["tls10", "tls-cert"]
        .into_iter()
        .filter(|tag| !tags.iter().any(|it| it.eq_ignore_ascii_case(tag)))
        .map(str::to_owned)
        .collect();
    let lacks_tls10 = missing.iter().any(|tag| tag == "tls10");
    if status.has_url == Some(false) {
        missing.push("an https URL".to_owned());
    }
    if missing.is_empty() {
        let fact = format!(
            "The server achieves the tags that it advertises, {}",
            list(tags)
        );
        return Some(finding(State::Good, fact));
    }
    let missing = list(&missing);
    let fact = format!("The DEEP status lacks {missing}");
    let mut action = format!("advertise {missing}");
    if lacks_tls10 {
        action.push_str("; the tag tls10 is fulfilled by each version of TLS, and turns none on");
    }
    Some(finding(State::Advice, fact).with_action(action))
}
