//! TLSA records against the certificates that are served.

use mail_implicit_tls::{
    dns::{LookupFailure, host::TlsaRecords},
    failure::{Cause, Stage},
    monitor::{Check, Observation, State, TlsaObservation},
    verdict::{DaneNotUsed, DaneVerdict, RecordFinding, RecordProblem, Verdict},
};

use crate::facts::{HOUR, OWNER, at, first, fresh, observation, of_check, only, report, verdict};

fn with(records: Result<TlsaRecords, LookupFailure>) -> Observation {
    let mut observation = observation(&fresh());
    let ttl = at(HOUR);
    let owner = OWNER.to_owned();
    observation.servers.first_mut().unwrap().tlsa = Some(records.map(|records| TlsaObservation {
        owner,
        records,
        ttl,
    }));
    observation
}

fn found(observation: &Observation) -> (State, String) {
    let (state, _, sentence) = only(&report(observation), Check::Tlsa);
    (state, sentence)
}

#[test]
fn reports_records_that_are_not_secured_by_dnssec() {
    assert_eq!(
        found(&with(Ok(TlsaRecords::Insecure))),
        (
            State::Bad,
            "TLSA records are advertised without DNSSEC, so that no client uses them: sign the zone, or remove the \
             records"
                .to_owned()
        )
    );
}

#[test]
fn recommends_the_record_to_publish() {
    let observation = with(Ok(TlsaRecords::None));
    let certificate = observation
        .servers
        .first()
        .unwrap()
        .addresses
        .as_ref()
        .unwrap()[0]
        .certificate
        .as_ref();
    let digest: String = certificate
        .unwrap()
        .key_digest()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    assert_eq!(
        found(&observation),
        (
            State::Advice,
            format!("The server has no TLSA record: publish {OWNER} IN TLSA 3 1 1 {digest}")
        )
    );
    assert_eq!(
        found(&with(Ok(TlsaRecords::AddressInsecure))).0,
        State::Advice
    );
}

#[test]
fn distinguishes_lookups_that_failed_from_bogus_records() {
    assert_eq!(
        found(&with(Err(LookupFailure::Timeout))),
        (
            State::NotKnown,
            "The TLSA records are not known, the resolver did not answer in time: repair the zone or its name servers, \
             since clients with DANE do not connect"
                .to_owned()
        )
    );
    assert_eq!(found(&with(Err(LookupFailure::Bogus))).0, State::Bad);
}

#[test]
fn reports_records_that_do_not_match_at_each_address() {
    let mut observation = observation(&fresh());
    let finding = RecordFinding {
        usage: 3,
        selector: 1,
        matching_type: 1,
        problem: RecordProblem::NoMatch,
    };
    let refused = |dane| Err(Cause::NotVerified(Box::new(Verdict { dane, ..verdict() })));
    first(&mut observation).client = refused(DaneVerdict::Differs(vec![finding]));
    assert_eq!(
        found(&observation),
        (
            State::Bad,
            "Clients with DANE refuse the server, no record matches: record 3 1 1: no certificate of the server matches: \
             serve the certificate that the records name, or publish records of the served one at once"
                .to_owned()
        )
    );
    // Records that no client can use do not pass.
    first(&mut observation).client =
        refused(DaneVerdict::NotUsed(DaneNotUsed::Unusable(vec![finding])));
    assert_eq!(found(&observation).0, State::Bad);
    first(&mut observation).client = refused(DaneVerdict::NotUsed(DaneNotUsed::SrvInsecure));
    assert_eq!(found(&observation).0, State::Advice);
    first(&mut observation).client = Err(Cause::Timeout(Stage::Connect));
    first(&mut observation).tls = None;
    assert_eq!(
        found(&observation),
        (
            State::NotKnown,
            "The TLSA records could not be compared, no certificate was received: see the finding about the connection"
                .to_owned()
        )
    );
    first(&mut observation).client = refused(DaneVerdict::NotUsed(DaneNotUsed::NotRequested));
    assert_eq!(of_check(&report(&observation), Check::Tlsa), []);
}
