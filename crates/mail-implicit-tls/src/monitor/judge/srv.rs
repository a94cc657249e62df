//! SRV records, and the services that listen against them: sections 8, 10.4.2, 10.4.4 and 10.5.

use super::{Finding, Observation, State, Subject, connection::Lookups, list};
use crate::{
    dns::{Answer, Dnssec, LookupFailure, Record},
    monitor::{
        finding::Check,
        observation::{Listening, ServiceObservation},
    },
    service::{Protocol, Security},
    setup::Offer,
};

fn subject(service: &ServiceObservation) -> Subject {
    Subject::Name(format!("{} SRV", service.service.srv_label()))
}

/// The records of a service, as far as findings distinguish them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Advertised {
    /// Servers.
    Servers(Dnssec),
    /// The target "." alone.
    Unavailable,
    /// No records.
    Absent,
    /// The lookup failed.
    NotKnown,
}

fn advertised(answer: &Answer) -> Advertised {
    match answer {
        Answer::Failed(_) => Advertised::NotKnown,
        Answer::Denied { .. } => Advertised::Absent,
        Answer::Records(records) => {
            let is_root =
                |record: &Record| matches!(record, Record::Srv(srv) if srv.target.is_root());
            match records.records.iter().all(is_root) {
                true => Advertised::Unavailable,
                false => Advertised::Servers(records.dnssec),
            }
        }
    }
}

/// Judges the SRV records of each service.
pub(super) fn records(observation: &Observation, lookups: Lookups) -> Vec<Finding> {
    let mut findings: Vec<_> = observation
        .services
        .iter()
        .filter_map(|service| of_service(service, observation, lookups))
        .collect();
    for protocol in [Protocol::Imap, Protocol::Pop, Protocol::Submission] {
        let Offer::Candidates { refused, .. } = observation.offers.of(protocol) else {
            continue;
        };
        for (record, reason) in refused {
            let fact = format!(
                "Clients ignore the SRV record {} {} {} {}, since {reason}",
                record.priority, record.weight, record.port, record.target
            );
            let subject = Subject::Domain;
            findings.push(
                Finding::new(Check::Srv, subject, State::Bad, fact)
                    .with_action("correct the record, or remove it"),
            );
        }
    }
    findings
}

fn of_service(
    service: &ServiceObservation,
    observation: &Observation,
    lookups: Lookups,
) -> Option<Finding> {
    let subject = subject(service);
    let finding = |state, fact: String| Finding::new(Check::Srv, subject.clone(), state, fact);
    let domain = &observation.domain;
    let name = service.service.name();
    let is_implicit = service.service.security == Security::Implicit;
    Some(match (&service.answer, advertised(&service.answer)) {
        // A finding about the resolver.
        (Answer::Failed(LookupFailure::NoDnssec), _) => return None,
        (Answer::Failed(failure), _) => {
            let fact = format!("The servers that clients find by {name} are not known, {failure}");
            let action = match lookups.state(*failure) {
                State::Bad => "repair the zone, whose records clients refuse",
                _ => lookups.again(*failure),
            };
            finding(lookups.state(*failure), fact).with_action(action)
        }
        (_, Advertised::Unavailable) => finding(
            State::Good,
            format!("The domain states that it has no {name}"),
        ),
        (_, Advertised::Servers(dnssec)) => {
            let count = match &service.answer {
                Answer::Records(records) => records.records.len(),
                _ => 0,
            };
            if !is_implicit && !advertises_implicit(service, observation) {
                let implicit =
                    crate::service::Service::new(service.service.protocol, Security::Implicit);
                let fact = format!("The domain advertises {name} and no server with implicit TLS");
                return Some(finding(State::Advice, fact).with_action(format!(
                    "open port {}, and publish {} IN SRV 0 1 {} HOST.",
                    implicit.default_port(),
                    implicit.srv_owner(domain),
                    implicit.default_port()
                )));
            }
            let servers = match count {
                1 => "one server".to_owned(),
                count => format!("{count} servers"),
            };
            match dnssec {
                Dnssec::Secure => finding(State::Good, format!("The domain advertises {servers}")),
                Dnssec::Insecure => finding(
                    State::Advice,
                    format!("The domain advertises {servers}, whose names clients do not trust"),
                )
                .with_action("sign the zone with DNSSEC"),
            }
        }
        (_, Advertised::Absent | Advertised::NotKnown) if is_implicit => {
            let owner = service.service.srv_owner(domain);
            let port = service.service.default_port();
            let fact = format!("The domain advertises no {name}");
            let action = format!(
                "publish {owner} IN SRV 0 1 {port} HOST. for a server, or SRV 0 0 0 . if there is none"
            );
            finding(State::Advice, fact).with_action(action)
        }
        _ => return None,
    })
}

fn advertises_implicit(service: &ServiceObservation, observation: &Observation) -> bool {
    let mut services = observation.services.iter();
    services.any(|other| {
        other.service.protocol == service.service.protocol
            && other.service.security == Security::Implicit
            && !matches!(
                advertised(&other.answer),
                Advertised::Absent | Advertised::Unavailable
            )
    })
}

/// Judges the services that listen without an SRV record of theirs.
pub(super) fn reality(observation: &Observation) -> Vec<Finding> {
    let mut findings = Vec::new();
    for service in &observation.services {
        let is_of = |it: &&Listening| it.service == service.service;
        let mut places: Vec<_> = observation
            .listening
            .iter()
            .filter(is_of)
            .map(|it| format!("{} at {}", it.host, it.address))
            .collect();
        places.sort();
        if places.is_empty() {
            continue;
        }
        let (name, places) = (service.service.name(), list(&places));
        let port = service.service.default_port();
        let (state, fact, action) = match advertised(&service.answer) {
            Advertised::Unavailable => (
                State::Warning,
                format!(
                    "The domain states that it has no {name}, and port {port} is open on {places}"
                ),
                "close the port, or publish the server in place of the target \".\"",
            ),
            Advertised::Absent if service.service.security == Security::Implicit => (
                State::Advice,
                format!("Clients do not find {name} on {places}"),
                "publish an SRV record for it",
            ),
            Advertised::Absent => (
                State::Advice,
                format!("Port {port} for {name} is open on {places} and is not advertised"),
                "close the port once no client uses it",
            ),
            Advertised::Servers(_) | Advertised::NotKnown => continue,
        };
        findings
            .push(Finding::new(Check::Reality, subject(service), state, fact).with_action(action));
    }
    findings
}
