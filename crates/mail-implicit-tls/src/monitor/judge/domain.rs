//! The domain itself: a name that does not exist, a domain of which no server is known, and hosts that are aliases.

use super::{Finding, Observation, State, Subject};
use crate::{
    dns::{Answer, Denial, Record},
    monitor::{
        finding::Check,
        observation::{ServerObservation, ServerSource, ServiceObservation},
    },
    service::Security,
};

/// Returns `true` for a domain that does not exist.
pub(super) fn is_denied(observation: &Observation) -> bool {
    let denial = Denial::NoName;
    matches!(observation.own, Answer::Denied { denial: found, .. } if found == denial)
}

/// Judges the domain. A run that checks no server is no good news, unless the domain states that there is none.
pub(super) fn exists(observation: &Observation) -> Option<Finding> {
    let finding = |state, fact: &str, action: &str| {
        let fact = fact.to_owned();
        Some(Finding::new(Check::Domain, Subject::Domain, state, fact).with_action(action))
    };
    if is_denied(observation) {
        return finding(
            State::Bad,
            "The domain does not exist",
            "correct its name, or renew its registration",
        );
    }
    let answers = observation.services.iter().map(|it| &it.answer);
    let is_failed = |answer: &Answer| matches!(answer, Answer::Failed(_));
    let is_unknown = answers.chain(&observation.mx).any(is_failed);
    if !observation.servers.is_empty() || is_unknown || states_none(observation) {
        return None;
    }
    finding(
        State::NotKnown,
        "No server of the domain is known, so that none was checked",
        "publish SRV records, or name a server to the monitor",
    )
}

/// Returns `true` if the domain states that it has no server: by the target "." for each protocol, or by the null MX record
/// where inbound mail is observed.
fn states_none(observation: &Observation) -> bool {
    let is_implicit = |it: &&ServiceObservation| it.service.security == Security::Implicit;
    let is_root = |record: &Record| match record {
        Record::Srv(srv) => srv.target.is_root(),
        Record::Mx(mx) => mx.exchange.is_root(),
        _ => false,
    };
    let is_none = |answer: &Answer| match answer {
        Answer::Records(records) => records.records.iter().all(is_root),
        _ => false,
    };
    let mut implicit = observation.services.iter().filter(is_implicit);
    implicit.all(|it| is_none(&it.answer)) || observation.mx.as_ref().is_some_and(is_none)
}

/// Judges a host that is an alias, which a record must not name.
pub(super) fn alias(server: &ServerObservation) -> Option<Finding> {
    let alias = server.alias.as_ref()?;
    let (check, record, rule) = match server.source {
        ServerSource::Srv(_) => (Check::Srv, "SRV", "RFC 2782"),
        ServerSource::Mx(_) => (Check::Mx, "MX", "RFC 2181"),
        ServerSource::Named => return None,
    };
    let subject = Subject::Server(server.to_string());
    let fact = format!(
        "The host {} of the {record} record is an alias, which {rule} forbids and some clients do not follow",
        server.host
    );
    let finding = Finding::new(check, subject, State::Warning, fact);
    Some(finding.with_action(format!("name {} in the record", alias.as_str())))
}
