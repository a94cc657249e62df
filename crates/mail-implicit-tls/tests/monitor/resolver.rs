//! A resolver that leaves the records of DNSSEC out: nothing about the domain is known, and nothing is bad.

use mail_implicit_tls::{
    dns::{Answer, LookupFailure, host::HostFailure},
    failure::Cause,
    monitor::{Check, State},
};

use crate::facts::{first, fresh, observation, of_check, only, report};

#[test]
fn reports_a_resolver_without_dnssec_by_one_finding() {
    let missing = LookupFailure::NoDnssec;
    let mut observation = observation(&fresh());
    observation.resolver = Some(([192, 0, 2, 53], 53).into());
    for service in &mut observation.services {
        service.answer = Answer::Failed(missing);
    }
    for answer in &mut observation.signed {
        answer.state = Err(missing);
        answer.signatures.clear();
    }
    observation.mx = Some(Answer::Failed(missing));
    let server = observation.servers.first_mut().unwrap();
    server.addresses = Err(HostFailure::Address(missing));
    server.tlsa = None;
    let report = report(&observation);
    assert_eq!(report.state(), State::NotKnown);
    assert_eq!(report.findings.len(), 1, "{report:?}");
    assert_eq!(
        only(&report, Check::Resolver),
        (
            State::NotKnown,
            "domain".to_owned(),
            "The domain is not known, since the resolver 192.0.2.53:53 gives no DNSSEC: let it pass the records of \
             DNSSEC on, or name another resolver"
                .to_owned()
        )
    );
}

#[test]
fn reports_it_also_if_one_lookup_alone_lacks_dnssec() {
    let missing = LookupFailure::NoDnssec;
    let mut observation = observation(&fresh());
    assert_eq!(of_check(&report(&observation), Check::Resolver), []);
    first(&mut observation).client = Err(Cause::Lookup(HostFailure::Tlsa(missing)));
    observation.servers.first_mut().unwrap().tlsa = Some(Err(missing));
    let report = report(&observation);
    assert_eq!(report.state(), State::NotKnown);
    assert_eq!(of_check(&report, Check::Connection), []);
    assert_eq!(of_check(&report, Check::Tlsa), []);
    assert_eq!(only(&report, Check::Resolver).0, State::NotKnown);
}
