//! Servers at several addresses, and addresses that do not answer.

use std::io;

use mail_implicit_tls::{
    dialogue::DialogueError,
    dns::{LookupFailure, host::HostFailure},
    failure::{Cause, Stage, TlsFailure},
    monitor::{Check, OldVersions, State},
};

use crate::facts::{
    DAY, NOW, address, certificate, first, fresh, observation, of_check, only, report,
};

#[test]
fn names_the_one_address_of_four_that_is_stale() {
    let certificate_of = fresh();
    let stale = certificate(NOW - 89 * DAY, NOW + DAY);
    let mut observation = observation(&certificate_of);
    let server = observation.servers.first_mut().unwrap();
    server.addresses = Ok(vec![
        address("192.0.2.1", &certificate_of),
        address("192.0.2.2", &certificate_of),
        address("2001:db8::3", &stale),
        address("2001:db8::4", &certificate_of),
    ]);
    let report = report(&observation);
    assert_eq!(report.state(), State::Bad);
    let bad: Vec<_> = report
        .findings
        .iter()
        .filter(|it| it.state != State::Good)
        .map(|it| (it.check, it.subject.to_string()))
        .collect();
    let subject = "imaps imap.example.org:993 at 2001:db8::3".to_owned();
    assert_eq!(bad, [(Check::Validity, subject)]);
    assert_eq!(of_check(&report, Check::Validity).len(), 4);
}

/// A machine that is blocked knows nothing about the server.
#[test]
fn reports_a_server_that_blocks_the_monitor_as_not_known() {
    for (cause, expected) in [
        (
            Cause::Connect(io::ErrorKind::ConnectionReset),
            "No mail client could be tried, connection failed: connection reset",
        ),
        (
            Cause::Connect(io::ErrorKind::ConnectionRefused),
            "No mail client could be tried, connection failed: connection refused",
        ),
        (
            Cause::Dialogue(DialogueError::Refused),
            "No mail client could be tried, the server refuses the connection",
        ),
        (
            Cause::Timeout(Stage::Connect),
            "No mail client could be tried, TCP connection not complete in time",
        ),
        (
            Cause::Tls(TlsFailure::Closed),
            "No mail client could be tried, the server closed the connection during the TLS handshake",
        ),
        (
            Cause::Lookup(HostFailure::Tlsa(LookupFailure::Timeout)),
            "No mail client could be tried, TLSA lookup failed: the resolver did not answer in time",
        ),
    ] {
        let mut observation = observation(&fresh());
        first(&mut observation).client = Err(cause.clone());
        let report = report(&observation);
        let (state, _, sentence) = only(&report, Check::Connection);
        assert_eq!(state, State::NotKnown, "{cause:?}");
        assert!(sentence.starts_with(expected), "{sentence}");
        assert_eq!(report.state(), State::NotKnown, "{cause:?}");
    }
}

#[test]
fn reports_failures_that_every_client_has_as_bad() {
    for (cause, expected) in [
        (
            Cause::SpeaksClearText,
            "Mail clients fail: the server sent clear text on a port for implicit TLS; STARTTLS may work on it: let \
             the service begin TLS at once on this port, or advertise it for STARTTLS",
        ),
        (
            Cause::Tls(TlsFailure::Version),
            "Mail clients fail: the server offers TLS 1.1 at most: enable TLS 1.2 and TLS 1.3",
        ),
        (
            Cause::Dialogue(DialogueError::NoStartTls),
            "Mail clients fail: the server does not offer STARTTLS: install a certificate for the service, so that it \
             offers STARTTLS",
        ),
        (
            Cause::Dialogue(DialogueError::NoAuthentication),
            "Mail clients fail: the server offers no authentication: enable authentication within TLS",
        ),
        (
            Cause::Lookup(HostFailure::Tlsa(LookupFailure::Bogus)),
            "Mail clients fail: TLSA lookup failed: DNSSEC validation failed: repair the zone",
        ),
    ] {
        let mut observation = observation(&fresh());
        first(&mut observation).client = Err(cause);
        let (state, _, sentence) = only(&report(&observation), Check::Connection);
        assert_eq!((state, sentence), (State::Bad, expected.to_owned()));
    }
}

/// Other clients have more algorithms than this one: a certificate with a key of P-521.
#[test]
fn warns_of_a_server_that_only_some_clients_have_an_algorithm_for() {
    for cause in [TlsFailure::Alert(40), TlsFailure::Incompatible] {
        for (tls_1_2, state) in [
            (Some(true), State::Warning),
            (Some(false), State::Bad),
            (None, State::Bad),
        ] {
            let mut observation = observation(&fresh());
            let address = first(&mut observation);
            address.client = Err(Cause::Tls(cause));
            address.tls = None;
            address.old_versions = Ok(OldVersions {
                up_to_1_1: None,
                tls_1_2,
            });
            let (found, _, sentence) = only(&report(&observation), Check::Connection);
            assert_eq!(found, state, "{cause} {tls_1_2:?}");
            let some = sentence.starts_with("Some mail clients fail, as this one: ");
            assert_eq!(some, state == State::Warning, "{sentence}");
        }
    }
}

/// An address at which another port answers does not block the monitor: nothing listens at the port.
#[test]
fn reports_a_port_at_which_nothing_listens_as_bad_if_the_address_answers_at_another() {
    let certificate = fresh();
    let mut observation = observation(&certificate);
    let mut other = observation.servers.first().unwrap().clone();
    other.port = 1993;
    let refused = other.addresses.as_mut().unwrap().first_mut().unwrap();
    refused.client = Err(Cause::Connect(io::ErrorKind::ConnectionRefused));
    observation.servers.push(other);
    let found = of_check(&report(&observation), Check::Connection);
    let expected = (
        State::Bad,
        "imaps imap.example.org:1993 at 192.0.2.1".to_owned(),
        "Mail clients fail: connection failed: connection refused: start the service, or remove the record that names \
         this port"
            .to_owned(),
    );
    assert_eq!(found.first(), Some(&expected));
    // Another address that answers says nothing about this one.
    let other = observation.servers.first_mut().unwrap();
    other.addresses = Ok(vec![address("192.0.2.2", &certificate)]);
    let states: Vec<_> = of_check(&report(&observation), Check::Connection)
        .into_iter()
        .map(|(state, ..)| state)
        .collect();
    assert_eq!(states, [State::NotKnown, State::Good]);
}

#[test]
fn distinguishes_hosts_without_address_from_lookups_that_failed() {
    let judged = |failure| {
        let mut observation = observation(&fresh());
        observation.servers.first_mut().unwrap().addresses = Err(failure);
        let (state, _, sentence) = only(&report(&observation), Check::Address);
        (state, sentence)
    };
    let (state, sentence) = judged(HostFailure::NoAddress);
    assert_eq!(state, State::Bad);
    assert_eq!(
        sentence,
        "imap.example.org has no address: publish an A or AAAA record, or remove the record that names the host"
    );
    let (state, sentence) = judged(HostFailure::Address(LookupFailure::Timeout));
    assert_eq!(state, State::NotKnown);
    assert_eq!(
        sentence,
        "The addresses of imap.example.org are not known, the resolver did not answer in time: check the resolver of \
         this machine, and run the monitor again"
    );
    let (state, _) = judged(HostFailure::Address(LookupFailure::Bogus));
    assert_eq!(state, State::Bad);
    let mut observation = observation(&fresh());
    observation.servers.first_mut().unwrap().failed_family = Some(LookupFailure::ServerFailure);
    assert_eq!(
        only(&report(&observation), Check::Address).0,
        State::NotKnown
    );
}
