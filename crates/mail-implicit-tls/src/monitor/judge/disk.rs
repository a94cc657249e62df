//! The certificate on the disk against the one that is served.

use std::time::Duration;

use super::{At, Finding, Observation, State, Subject};
use crate::{
    identity::{NameConstraints, Options, ReferenceIdentity, judge},
    monitor::{
        finding::Check,
        observation::{ServerObservation, ServerSource},
        policy::{Context, KnownCertificate},
        time::{Span, Timestamp},
    },
    name::DomainName,
    service::Service,
    verdict::IdentityVerdict,
};

/// Returns the certificates on the disk that are for a server, by their names.
pub(super) fn of_server<'a>(
    server: &'a ServerObservation,
    domain: &'a DomainName,
    context: &'a Context,
) -> impl Iterator<Item = &'a KnownCertificate> {
    let certificates = context.certificates.iter();
    certificates.filter(|known| is_for(known, server.service, &server.host, server.source, domain))
}

fn is_for(
    known: &KnownCertificate,
    service: Service,
    host: &DomainName,
    source: ServerSource,
    domain: &DomainName,
) -> bool {
    let mut expected = vec![ReferenceIdentity::Dns(host.clone())];
    if matches!(source, ServerSource::Srv(_)) {
        expected.push(ReferenceIdentity::Srv(service, domain.clone()));
        expected.push(ReferenceIdentity::Dns(domain.clone()));
    }
    let names = known.certificate.names();
    let constraints = NameConstraints::default();
    matches!(
        judge(Options::default(), &expected, names, &constraints),
        IdentityVerdict::Matches { .. }
    )
}

/// Judges the certificate that is served at an address against those on the disk.
pub(super) fn served(at: &At<'_>, observation: &Observation, context: &Context) -> Option<Finding> {
    let served = at.address.certificate.as_ref()?;
    let mut on_disk: Vec<_> = of_server(at.server, &observation.domain, context)
        .filter(|known| !known.is_next)
        .collect();
    // A host may have a certificate of each kind of key.
    if on_disk
        .iter()
        .any(|known| known.certificate.der() == served.der())
    {
        let fact = "The certificate on the disk is served";
        return Some(at.finding(Check::Disk, State::Good, fact));
    }
    on_disk.sort_by_key(|known| known.certificate.not_before());
    let newest = on_disk.last()?;
    let finding = |state, fact: String, action: &str| {
        Some(at.finding(Check::Disk, state, fact).with_action(action))
    };
    if newest.certificate.not_before() < served.not_before() {
        return finding(
            State::Warning,
            format!(
                "The certificate in {} is older than the served one, which begins at {}",
                newest.file,
                Timestamp(served.not_before())
            ),
            "check that the server and the monitor have the same file",
        );
    }
    let age = observation
        .at
        .checked_sub(newest.written)
        .unwrap_or(Duration::ZERO);
    let state = match age < context.policy.reload {
        true => State::Warning,
        false => State::Bad,
    };
    finding(
        state,
        format!(
            "The certificate in {} was renewed {} ago and is not served",
            newest.file,
            Span(age)
        ),
        "reload the server",
    )
}

/// Returns a finding for each certificate on the disk that is for none of the servers.
pub(super) fn unused(observation: &Observation, context: &Context) -> Vec<Finding> {
    let is_used = |known: &&KnownCertificate| {
        let mut servers = observation.servers.iter();
        servers.any(|it| is_for(known, it.service, &it.host, it.source, &observation.domain))
    };
    let unused = context.certificates.iter().filter(|known| !is_used(known));
    unused
        .map(|known| {
            let fact = "The certificate has the name of no server of the domain";
            let subject = Subject::File(known.file.clone());
            Finding::new(Check::Disk, subject, State::NotKnown, fact)
                .with_action("give the monitor the file that the server has, or issue one with the server's name")
        })
        .collect()
}
