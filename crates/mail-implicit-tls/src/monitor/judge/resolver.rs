//! The resolver that was asked: without the records of DNSSEC it says nothing about a domain.

use super::{Finding, Observation, State, Subject};
use crate::{
    dns::{Answer, LookupFailure, host::HostFailure},
    failure::Cause,
    monitor::{finding::Check, observation::ServerObservation},
};

/// Judges the resolver. One finding takes the place of those about each name that could not be looked up.
pub(super) fn dnssec(observation: &Observation) -> Option<Finding> {
    const NONE: LookupFailure = LookupFailure::NoDnssec;

    let services = observation.services.iter().map(|it| &it.answer);
    let answers = services.chain(&observation.mx);
    let is_missing = answers.into_iter().any(|it| *it == Answer::Failed(NONE))
        || observation.signed.iter().any(|it| it.state == Err(NONE))
        || observation.servers.iter().any(is_of_server);
    is_missing.then(|| {
        let resolver = match observation.resolver {
            Some(server) => format!("the resolver {server}"),
            None => "the resolver".to_owned(),
        };
        let fact = format!("The domain is not known, since {resolver} gives no DNSSEC");
        Finding::new(Check::Resolver, Subject::Domain, State::NotKnown, fact)
            .with_action("let it pass the records of DNSSEC on, or name another resolver")
    })
}

fn is_of_server(server: &ServerObservation) -> bool {
    let is_host = |failure: &HostFailure| {
        matches!(
            failure,
            HostFailure::Address(LookupFailure::NoDnssec)
                | HostFailure::Tlsa(LookupFailure::NoDnssec)
        )
    };
    let is_client = |client: &Result<(), Cause>| match client {
        Err(Cause::Lookup(failure)) => is_host(failure),
        _ => false,
    };
    let addresses = server.addresses.iter().flatten();
    server.addresses.as_ref().err().is_some_and(is_host)
        || server.failed_family == Some(LookupFailure::NoDnssec)
        || server.tlsa == Some(Err(LookupFailure::NoDnssec))
        || addresses.into_iter().any(|at| is_client(&at.client))
}
