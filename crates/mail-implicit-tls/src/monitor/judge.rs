//! The judgement of an observation: pure functions over facts, each with the clock as an argument.

mod certificate;
mod clear_text;
mod connection;
mod deep;
mod disk;
mod dnssec;
mod domain;
mod inbound;
mod resolver;
mod srv;
mod tlsa;
mod transport;
mod versions;

use std::cmp::Reverse;

use self::connection::Lookups;
use super::{
    finding::{Finding, Report, State, Subject},
    observation::{AddressObservation, Observation, ServerObservation},
    policy::Context,
};
use crate::service::Security;

/// Returns the findings about a domain, the most urgent first.
#[must_use]
pub fn judge(observation: &Observation, context: &Context) -> Report {
    let lookups = Lookups {
        is_clock_wrong: dnssec::is_clock_wrong(&observation.signed, observation.at),
    };
    let mut findings = Vec::new();
    findings.extend(domain::exists(observation));
    if !domain::is_denied(observation) {
        findings.extend(srv::records(observation, lookups));
        findings.extend(inbound::records(observation, lookups));
    }
    findings.extend(srv::reality(observation));
    findings.extend(resolver::dnssec(observation));
    findings.extend(dnssec::signatures(&observation.signed, observation.at));
    for server in &observation.servers {
        findings.extend(of_server(server, observation, context, lookups));
    }
    findings.extend(disk::unused(observation, context));
    if let Some(transport) = &observation.transport {
        findings.extend(transport::policies(transport, lookups));
    }
    // A stable sort keeps the order of servers within a state.
    findings.sort_by_key(|finding| Reverse(finding.state));
    Report {
        domain: observation.domain.clone(),
        at: observation.at,
        findings,
    }
}

fn of_server(
    server: &ServerObservation,
    observation: &Observation,
    context: &Context,
    lookups: Lookups,
) -> Vec<Finding> {
    let mut findings = connection::addresses(server, lookups);
    findings.extend(domain::alias(server));
    for address in server.addresses.iter().flatten() {
        let at = At {
            server,
            address,
            subject: Subject::Address(server.to_string(), address.address),
            is_inbound: server.is_inbound(),
            has_policy: inbound::has_policy(observation, server),
        };
        findings.extend(connection::client(&at, observation, lookups));
        findings.extend(certificate::validity(&at, observation.at, &context.policy));
        findings.extend(certificate::chain(&at));
        findings.extend(certificate::names(&at));
        findings.extend(disk::served(&at, observation, context));
        findings.extend(versions::versions(&at));
        if server.service.security == Security::StartTls && !at.is_inbound {
            findings.extend(clear_text::logins(&at));
        }
        if !at.is_inbound {
            findings.extend(deep::status(&at));
        }
    }
    findings.extend(tlsa::records(server, lookups));
    findings.extend(tlsa::rollover(server, observation, context));
    findings
}

/// A server at one address.
struct At<'a> {
    server: &'a ServerObservation,
    address: &'a AddressObservation,
    subject: Subject,
    /// `true` if the clients are other servers, which deliver mail.
    is_inbound: bool,
    /// `true` if a policy of MTA-STS lets other servers deliver to a verified certificate only.
    has_policy: bool,
}

impl At<'_> {
    fn finding(&self, check: super::Check, state: State, fact: impl Into<String>) -> Finding {
        Finding::new(check, self.subject.clone(), state, fact)
    }
}

/// Returns names joined by commas, with `and` before the last.
fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
