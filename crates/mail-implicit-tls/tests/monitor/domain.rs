//! The domain itself, a run that checks no server, and hosts that are aliases.

use mail_implicit_tls::{
    dns::{Answer, Denial, DnsName, Dnssec, LookupFailure, Mx, Record, Records},
    monitor::{Check, Observation, ServerSource, State},
    service::Service,
};

use crate::facts::{HOUR, at, fresh, observation, of_check, only, report, srv};

const fn denied(denial: Denial) -> Answer {
    Answer::Denied {
        denial,
        dnssec: Dnssec::Secure,
    }
}

/// Returns an observation of a domain without servers.
fn empty() -> Observation {
    let mut observation = observation(&fresh());
    observation.servers.clear();
    observation.signed.clear();
    for service in &mut observation.services {
        service.answer = denied(Denial::NoName);
    }
    observation
}

#[test]
fn reports_a_domain_that_does_not_exist() {
    let mut observation = empty();
    observation.own = denied(Denial::NoName);
    observation.mx = Some(denied(Denial::NoName));
    let report = report(&observation);
    assert_eq!(report.findings.len(), 1, "{report:?}");
    assert_eq!(
        only(&report, Check::Domain),
        (
            State::Bad,
            "domain".to_owned(),
            "The domain does not exist: correct its name, or renew its registration".to_owned()
        )
    );
}

#[test]
fn knows_nothing_of_a_domain_without_servers() {
    let report = report(&empty());
    assert_eq!(report.state(), State::NotKnown);
    assert_eq!(
        only(&report, Check::Domain).2,
        "No server of the domain is known, so that none was checked: publish SRV records, or name a server to the \
         monitor"
    );
    // The advice about records stays.
    assert_eq!(of_check(&report, Check::Srv).len(), 3);
}

#[test]
fn accepts_a_domain_that_states_that_it_has_no_server() {
    let mut observation = empty();
    observation.services = [Service::IMAPS, Service::POP3S, Service::SUBMISSIONS]
        .map(|service| srv(service, ".", 0, Dnssec::Secure))
        .to_vec();
    assert_eq!(report(&observation).state(), State::Good);
    let mut observation = empty();
    observation.mx = Some(Answer::Records(Records {
        records: vec![Record::Mx(Mx {
            preference: 0,
            exchange: DnsName::parse(".").unwrap(),
        })],
        owner: DnsName::parse("example.org").unwrap(),
        dnssec: Dnssec::Secure,
        ttl: at(HOUR),
    }));
    assert_eq!(report(&observation).state(), State::Advice);
    // A lookup that failed is a finding of its own.
    let mut observation = empty();
    observation.services.first_mut().unwrap().answer = Answer::Failed(LookupFailure::Timeout);
    assert_eq!(of_check(&report(&observation), Check::Domain), []);
}

#[test]
fn warns_of_hosts_that_are_aliases() {
    let mut observation = observation(&fresh());
    observation.servers.first_mut().unwrap().alias = DnsName::parse("mail.example.net.");
    let found = of_check(&report(&observation), Check::Srv);
    assert_eq!(
        found.first(),
        Some(&(
            State::Warning,
            "imaps imap.example.org:993".to_owned(),
            "The host imap.example.org of the SRV record is an alias, which RFC 2782 forbids and some clients do not \
             follow: name mail.example.net in the record"
                .to_owned()
        ))
    );
    observation.servers.first_mut().unwrap().source = ServerSource::Mx(Dnssec::Secure);
    assert_eq!(only(&report(&observation), Check::Mx).0, State::Warning);
    observation.servers.first_mut().unwrap().source = ServerSource::Named;
    assert_eq!(report(&observation).state(), State::Good);
}
