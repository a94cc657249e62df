//! The certificate that a server sends: dates, path and names (section 10.3).

use std::time::Duration;

use super::{At, Finding, State, list};
use crate::{
    failure::Cause,
    identity::PresentedIdentity,
    monitor::{
        finding::Check,
        observation::{AddressObservation, ServerSource},
        policy::Policy,
        time::{Span, Timestamp},
    },
    verdict::{ChainProblem, ChainVerdict, DaneVerdict, IdentityVerdict, Verdict},
};

/// Returns the client's verdict about the server, also of a server that it refused, and of one that failed after it.
pub(super) fn verdict(address: &AddressObservation) -> Option<&Verdict> {
    match &address.client {
        Err(Cause::NotVerified(verdict)) => Some(verdict),
        _ => address.tls.as_ref().map(|tls| &tls.verdict),
    }
}

/// Judges the dates by the part of the lifetime that is left.
pub(super) fn validity(at: &At<'_>, now: Duration, policy: &Policy) -> Option<Finding> {
    let certificate = at.address.certificate.as_ref()?;
    let (begin, end) = (certificate.not_before(), certificate.not_after());
    let lifetime = end.saturating_sub(begin);
    let finding = |state, fact: String| at.finding(Check::Validity, state, fact);
    let renew = "renew it, and reload the server";
    if now < begin {
        let fact = format!("The certificate is not valid before {}", Timestamp(begin));
        return Some(finding(State::Bad, fact).with_action(
            "check the clock of this machine, and serve the earlier certificate until then",
        ));
    }
    let Some(left) = end.checked_sub(now).filter(|left| !left.is_zero()) else {
        let past = Span(now.saturating_sub(end));
        let fact = format!("The certificate expired {past} ago, at {}", Timestamp(end));
        return Some(finding(State::Bad, fact).with_action(renew));
    };
    let percent = percent(left, lifetime);
    let (left, until) = (Span(left), Timestamp(end));
    let is_below = |limit: u8| percent < u128::from(limit);
    let state = match () {
        () if is_below(policy.bad_percent) => State::Bad,
        () if is_below(policy.warning_percent) => State::Warning,
        () => {
            let fact = format!(
                "The certificate is valid for {left}, until {until}, {percent} % of its lifetime"
            );
            return Some(finding(State::Good, fact));
        }
    };
    let fact = format!(
        "The certificate expires in {left}, at {until}, with {percent} % of its lifetime of {} left",
        Span(lifetime)
    );
    Some(finding(state, fact).with_action("renew it, and check why that did not happen before"))
}

/// Returns a part of a span, in percent.
fn percent(part: Duration, whole: Duration) -> u128 {
    let hundredfold = part.as_millis().saturating_mul(100);
    hundredfold
        .checked_div(whole.as_millis())
        .unwrap_or_default()
}

/// Judges the path to a trust anchor.
pub(super) fn chain(at: &At<'_>) -> Option<Finding> {
    let verdict = verdict(at.address)?;
    let problems = match &verdict.chain {
        ChainVerdict::NotChecked => return None,
        ChainVerdict::Trusted => {
            let fact = "The certificate leads to an authority that is trusted";
            return Some(at.finding(Check::Chain, State::Good, fact));
        }
        ChainVerdict::Refused(problems) => problems,
    };
    // Dates of the server's certificate are a finding of their own.
    let is_date = |problem: &&ChainProblem| {
        matches!(
            problem,
            ChainProblem::Expired { .. } | ChainProblem::NotYetValid { .. }
        )
    };
    let problems: Vec<_> = problems.iter().filter(|it| !is_date(it)).collect();
    let first = problems.first()?;
    let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let by_dane = matches!(verdict.dane, DaneVerdict::Matches { .. }) && verdict.is_verified();
    if at.is_inbound && by_dane && !at.has_policy {
        return None;
    }
    let (state, fact) = match (by_dane, at.is_inbound) {
        (_, true) if at.has_policy => (
            State::Bad,
            format!(
                "Other servers with MTA-STS do not deliver, {}",
                list(&texts)
            ),
        ),
        (_, true) => (
            State::Advice,
            format!(
                "No authority that is trusted vouches for the server, {}",
                list(&texts)
            ),
        ),
        (true, false) => (
            State::Warning,
            format!("Clients without DANE refuse the server, {}", list(&texts)),
        ),
        (false, false) => (
            State::Bad,
            format!("The certificate is not trusted, {}", list(&texts)),
        ),
    };
    Some(
        at.finding(Check::Chain, state, fact)
            .with_action(mend(**first, &problems)),
    )
}

fn mend(first: ChainProblem, problems: &[&ChainProblem]) -> &'static str {
    if problems.contains(&&ChainProblem::IntermediateMissing) {
        return "let the server send the certificate of the issuer after its own";
    }
    match first {
        ChainProblem::Revoked => "replace the certificate and its key",
        ChainProblem::IssuerDates => {
            "let the server send the present certificate of the issuer in place of the old one"
        }
        ChainProblem::NoCertificate => "install a certificate",
        ChainProblem::RevocationUnknown | ChainProblem::RevocationListExpired => {
            "give the monitor a present revocation list"
        }
        _ => "install a certificate for servers, of an authority that clients trust",
    }
}

/// Judges the names.
pub(super) fn names(at: &At<'_>) -> Option<Finding> {
    let verdict = verdict(at.address)?;
    match &verdict.identity {
        IdentityVerdict::NotChecked => None,
        IdentityVerdict::Matches { reference, .. } => {
            let mut fact = format!("The certificate has {reference}");
            let srv = at.address.certificate.iter().flat_map(|it| it.names());
            let srv: Vec<_> = srv
                .filter(|name| matches!(name, PresentedIdentity::Srv(_)))
                .map(ToString::to_string)
                .collect();
            if !srv.is_empty() {
                fact = format!("{fact}, and presents {}", list(&srv));
            }
            Some(at.finding(Check::Names, State::Good, fact))
        }
        IdentityVerdict::Differs(mismatch) => {
            let is_covered = matches!(
                verdict.dane,
                DaneVerdict::Matches {
                    covers_identity: true,
                    ..
                }
            );
            if at.is_inbound && is_covered && !at.has_policy {
                return None;
            }
            let state = match (is_covered, at.is_inbound) {
                (_, true) if at.has_policy => State::Bad,
                (_, true) => State::Advice,
                (true, false) => State::Warning,
                (false, false) => State::Bad,
            };
            let action = match at.server.source {
                ServerSource::Srv(crate::dns::Dnssec::Insecure) => {
                    "install a certificate that has one of the expected names, or sign the SRV records, so that \
                     the host's name counts"
                }
                _ => "install a certificate that has one of the expected names",
            };
            let fact = format!("The names of the certificate do not match, {mismatch}");
            Some(at.finding(Check::Names, state, fact).with_action(action))
        }
    }
}
