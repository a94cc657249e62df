//! Signatures of DNSSEC: their dates, the keys that the parent names, and the local clock (sections 10.4.4 and 10.5).

use std::time::Duration;

use super::{Finding, State, Subject, connection::Lookups, list};
use crate::{
    dns::{
        Dnssec, LookupFailure,
        signatures::{Signature, SignedAnswer, ZoneKeys},
    },
    monitor::{
        finding::Check,
        time::{Span, Timestamp},
    },
};

/// A signature warns when less than this time is left, unless it is short-lived.
const SOON: Duration = Duration::from_secs(36 * 3_600);

/// Judges the signatures of all answers.
pub(super) fn signatures(answers: &[SignedAnswer], now: Duration) -> Vec<Finding> {
    let mut findings: Vec<_> = clock(answers, now).into_iter().collect();
    let is_clock_wrong = !findings.is_empty();
    let mut unsigned = Vec::new();
    for answer in answers {
        let subject = Subject::Name(answer.question.to_string());
        let finding =
            |state, fact: String| Finding::new(Check::Dnssec, subject.clone(), state, fact);
        match answer.state {
            Ok(Dnssec::Insecure) if answer.has_records => {
                unsigned.push(answer.question.to_string());
            }
            Ok(Dnssec::Insecure) => {}
            Ok(Dnssec::Secure) => findings.push(dates(answer, now, &finding)),
            // Findings about the resolver, and about the records themselves.
            Err(LookupFailure::NoDnssec | LookupFailure::Aliases) => {}
            Err(LookupFailure::Bogus) => {
                findings.push(bogus(answer, now, is_clock_wrong, &finding));
            }
            Err(failure) => findings.push(
                finding(
                    Lookups { is_clock_wrong }.state(failure),
                    format!("The signatures are not known, {failure}"),
                )
                .with_action("check the resolver of this machine, or name another"),
            ),
        }
    }
    if !unsigned.is_empty() {
        let fact = format!("No signature secures {}", list(&unsigned));
        findings.push(
            Finding::new(Check::Dnssec, Subject::Domain, State::Advice, fact)
                .with_action("sign the zones with DNSSEC, and publish their DS records"),
        );
    }
    findings
}

/// Returns `true` if the signatures say that the clock of this machine is wrong.
pub(super) fn is_clock_wrong(answers: &[SignedAnswer], now: Duration) -> bool {
    clock(answers, now).is_some()
}

/// Returns the time that is left of a signature, which is nothing from its expiration on.
fn left(signature: &Signature, now: Duration) -> Option<Duration> {
    signature.expiration.checked_sub(now)
}

/// Returns `true` if a signature will expire soon: it has less than an eighth of its lifetime left, or less than [`SOON`]
/// and less than a third. Servers that sign each answer give signatures that have always half of their lifetime left.
fn is_soon(signature: &Signature, left: Duration) -> bool {
    let lifetime = signature.expiration.saturating_sub(signature.inception);
    left.saturating_mul(8) < lifetime || left < SOON && left.saturating_mul(3) < lifetime
}

fn dates(
    answer: &SignedAnswer,
    now: Duration,
    finding: &dyn Fn(State, String) -> Finding,
) -> Finding {
    let valid = answer
        .signatures
        .iter()
        .filter_map(|signature| Some((left(signature, now)?, signature)));
    let soon = valid
        .clone()
        .filter(|(left, signature)| is_soon(signature, *left))
        .min_by_key(|(left, _)| *left);
    if let Some((left, signature)) = soon {
        let fact = format!(
            "The signature over {} {} expires in {}, at {}",
            signature.owner,
            signature.covered,
            Span(left),
            Timestamp(signature.expiration)
        );
        return finding(State::Warning, fact).with_action("check that the signer of the zone runs");
    }
    match valid.min_by_key(|(left, _)| *left) {
        Some((_, first)) => {
            let fact = format!(
                "The signatures are valid until {}",
                Timestamp(first.expiration)
            );
            finding(State::Good, fact)
        }
        None => finding(State::Good, "DNSSEC secures the answer".to_owned()),
    }
}

fn bogus(
    answer: &SignedAnswer,
    now: Duration,
    is_clock_wrong: bool,
    finding: &dyn Fn(State, String) -> Finding,
) -> Finding {
    if is_clock_wrong {
        let fact = "DNSSEC validation fails, perhaps for the clock of this machine".to_owned();
        return finding(State::NotKnown, fact)
            .with_action("set the clock, and run the monitor again");
    }
    let expired = answer
        .signatures
        .iter()
        .filter(|signature| left(signature, now).is_none());
    if let Some(signature) = expired.min_by_key(|signature| signature.expiration) {
        let fact = format!(
            "Clients that validate get no answer, since the signature over {} {} expired {} ago, at {}",
            signature.owner,
            signature.covered,
            Span(now.saturating_sub(signature.expiration)),
            Timestamp(signature.expiration)
        );
        return finding(State::Bad, fact)
            .with_action("sign the zone again, and check that its signer runs");
    }
    if let Some((zone, delegated, keys)) = answer.zones.iter().find_map(without_key) {
        let fact = format!(
            "Clients that validate get no answer, since the DS records of {zone} name the keys {delegated} and the zone \
             has {keys}"
        );
        let action =
            "publish the DS record of a key of the zone at its parent, or remove the wrong one";
        return finding(State::Bad, fact).with_action(action);
    }
    let fact = "Clients that validate get no answer, since DNSSEC validation fails".to_owned();
    finding(State::Bad, fact)
        .with_action("compare the DS record with the keys, and sign the zone again")
}

/// Returns a zone of which no key is the one that its parent names, with the keys that are named and those that exist.
fn without_key(zone: &ZoneKeys) -> Option<(&str, String, String)> {
    let (Ok(delegated), Ok(keys)) = (&zone.delegated, &zone.keys) else {
        return None;
    };
    if delegated.is_empty() || delegated.iter().any(|key| keys.contains(key)) {
        return None;
    }
    let tags = |keys: &[crate::dns::signatures::KeyTag]| match keys {
        [] => "no keys".to_owned(),
        keys => list(
            &keys
                .iter()
                .map(|key| key.tag.to_string())
                .collect::<Vec<_>>(),
        ),
    };
    Some((&zone.zone, tags(delegated), tags(keys)))
}

/// Returns a finding about the local clock, if signatures begin later, or all of several zones expired.
fn clock(answers: &[SignedAnswer], now: Duration) -> Option<Finding> {
    let signatures = || answers.iter().flat_map(|answer| &answer.signatures);
    let fact = if let Some(future) = signatures()
        .filter(|signature| signature.inception > now)
        .max_by_key(|signature| signature.inception)
    {
        format!(
            "The clock of this machine may be wrong, since the signature over {} {} begins at {}",
            future.owner,
            future.covered,
            Timestamp(future.inception)
        )
    } else if signatures().any(|signature| signature.covered == "DS")
        && signatures().all(|signature| left(signature, now).is_none())
    {
        "The clock of this machine may be wrong, since the signatures of the parent zones expired too".to_owned()
    } else {
        return None;
    };
    let finding = Finding::new(Check::Clock, Subject::Domain, State::NotKnown, fact);
    Some(finding.with_action("check your clock"))
}
