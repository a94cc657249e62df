//! SRV records, and services that listen without one.

use mail_implicit_tls::{
    dns::{Answer, Denial, DnsName, Dnssec, LookupFailure, Srv},
    monitor::{Check, Listening, Observation, ServiceObservation, State},
    service::Service,
    setup::{Offer, RefusedRecord},
};

use crate::facts::{HOST, fresh, ip, name, observation, of_check, report, srv};

fn denied(service: Service) -> ServiceObservation {
    ServiceObservation {
        service,
        answer: Answer::Denied {
            denial: Denial::NoName,
            dnssec: Dnssec::Secure,
        },
    }
}

fn with(services: Vec<ServiceObservation>) -> Observation {
    Observation {
        services,
        ..observation(&fresh())
    }
}

fn found(observation: &Observation, check: Check) -> Vec<(State, String)> {
    let found = of_check(&report(observation), check);
    found
        .into_iter()
        .map(|(state, subject, sentence)| (state, format!("{subject}: {sentence}")))
        .collect()
}

#[test]
fn recommends_srv_records_that_are_missing() {
    assert_eq!(
        found(&with(vec![denied(Service::POP3S)]), Check::Srv),
        [(
            State::Advice,
            "_pop3s._tcp SRV: The domain advertises no pop3s: publish _pop3s._tcp.example.org. IN SRV 0 1 995 HOST. for a \
             server, or SRV 0 0 0 . if there is none"
                .to_owned()
        )]
    );
    // STARTTLS needs no record.
    assert_eq!(
        found(&with(vec![denied(Service::POP3_STARTTLS)]), Check::Srv),
        []
    );
}

#[test]
fn recommends_implicit_tls_beside_starttls() {
    let starttls = srv(Service::IMAP_STARTTLS, HOST, 143, Dnssec::Secure);
    let expected = "_imap._tcp SRV: The domain advertises imap and no server with implicit TLS: open port 993, and publish \
                    _imaps._tcp.example.org. IN SRV 0 1 993 HOST.";
    for implicit in [
        denied(Service::IMAPS),
        srv(Service::IMAPS, ".", 0, Dnssec::Secure),
    ] {
        let observation = with(vec![implicit, starttls.clone()]);
        let found = found(&observation, Check::Srv);
        assert!(
            found.contains(&(State::Advice, expected.to_owned())),
            "{found:?}"
        );
    }
    let both = with(vec![
        srv(Service::IMAPS, HOST, 993, Dnssec::Secure),
        starttls,
    ]);
    assert!(
        found(&both, Check::Srv)
            .iter()
            .all(|(state, _)| *state == State::Good)
    );
}

#[test]
fn recommends_to_sign_srv_records() {
    let insecure = srv(Service::IMAPS, HOST, 993, Dnssec::Insecure);
    assert_eq!(
        found(&with(vec![insecure]), Check::Srv),
        [(
            State::Advice,
            "_imaps._tcp SRV: The domain advertises one server, whose names clients do not trust: sign the zone with \
             DNSSEC"
                .to_owned()
        )]
    );
}

#[test]
fn distinguishes_bogus_records_from_lookups_that_failed() {
    let failed = |failure| {
        let service = Service::IMAPS;
        let answer = Answer::Failed(failure);
        found(
            &with(vec![ServiceObservation { service, answer }]),
            Check::Srv,
        )
    };
    assert_eq!(
        failed(LookupFailure::Bogus),
        [(
            State::Bad,
            "_imaps._tcp SRV: The servers that clients find by imaps are not known, DNSSEC validation failed: repair the \
             zone, whose records clients refuse"
                .to_owned()
        )]
    );
    assert_eq!(
        failed(LookupFailure::Timeout),
        [(
            State::NotKnown,
            "_imaps._tcp SRV: The servers that clients find by imaps are not known, the resolver did not answer in time: \
             check the resolver of this machine, and run the monitor again"
                .to_owned()
        )]
    );
}

#[test]
fn reports_records_that_clients_ignore() {
    let record = |target: &str| Srv {
        priority: 10,
        weight: 1,
        port: 993,
        target: DnsName::parse(target).unwrap(),
    };
    let mut observation = observation(&fresh());
    observation.offers.imap = Offer::Candidates {
        candidates: Vec::new(),
        clear: Vec::new(),
        refused: vec![(record("."), RefusedRecord::RootBesideOthers)],
    };
    let found = found(&observation, Check::Srv);
    assert_eq!(
        found.first(),
        Some(&(
            State::Bad,
            "domain: Clients ignore the SRV record 10 1 993 ., since the target \".\" must be the only record: correct the \
             record, or remove it"
                .to_owned()
        ))
    );
}

#[test]
fn compares_the_target_root_with_the_services_that_listen() {
    let mut observation = with(vec![
        srv(Service::POP3S, ".", 0, Dnssec::Secure),
        denied(Service::SUBMISSIONS),
        denied(Service::IMAP_STARTTLS),
        srv(Service::IMAPS, HOST, 993, Dnssec::Secure),
    ]);
    observation.listening = [
        Service::POP3S,
        Service::SUBMISSIONS,
        Service::IMAP_STARTTLS,
        Service::IMAPS,
    ]
    .map(|service| Listening {
        service,
        host: name(HOST),
        address: ip("192.0.2.1"),
    })
    .into();
    let place = "imap.example.org at 192.0.2.1";
    assert_eq!(
        found(&observation, Check::Reality),
        [
            (
                State::Warning,
                format!(
                    "_pop3s._tcp SRV: The domain states that it has no pop3s, and port 995 is open on {place}: close the \
                     port, or publish the server in place of the target \".\""
                )
            ),
            (
                State::Advice,
                format!(
                    "_submissions._tcp SRV: Clients do not find submissions on {place}: publish an SRV record for it"
                )
            ),
            (
                State::Advice,
                format!(
                    "_imap._tcp SRV: Port 143 for imap is open on {place} and is not advertised: close the port once no \
                     client uses it"
                )
            ),
        ]
    );
}
