//! Signatures of DNSSEC, keys that the parent names, and the clock.

use mail_implicit_tls::{
    dns::{
        Answer, Dnssec, LookupFailure,
        host::HostFailure,
        signatures::{KeyTag, SignedAnswer, ZoneKeys},
    },
    failure::Cause,
    monitor::{Check, Report, State, TransportSecurity},
};

use crate::facts::{
    DAY, HOUR, NOW, first, fresh, observation, of_check, only, report, signature, signed,
};

fn judged(answers: Vec<SignedAnswer>) -> Report {
    let mut observation = observation(&fresh());
    observation.signed = answers;
    report(&observation)
}

fn only_signature(inception: u64, expiration: u64) -> (State, String) {
    let answer = SignedAnswer {
        signatures: vec![signature("SRV", inception, expiration)],
        ..signed()
    };
    let (state, _, sentence) = only(&judged(vec![answer]), Check::Dnssec);
    (state, sentence)
}

#[test]
fn warns_of_signatures_that_expire_tomorrow() {
    let expected = "The signature over _imaps._tcp.example.org. SRV expires in 24 h, at 2026-12-02T00:00Z: check that \
                    the signer of the zone runs";
    for lifetime in [7 * DAY, 14 * DAY, 30 * DAY] {
        let found = only_signature(NOW + DAY - lifetime, NOW + DAY);
        assert_eq!(found, (State::Warning, expected.to_owned()), "{lifetime}");
    }
    // An eighth of the lifetime, as far away as it may be.
    assert_eq!(
        only_signature(NOW - 70 * DAY, NOW + 10 * DAY).0,
        State::Good
    );
    assert_eq!(
        only_signature(NOW - 70 * DAY - 8, NOW + 10 * DAY).0,
        State::Warning
    );
    // A server that signs each answer.
    assert_eq!(
        only_signature(NOW - 25 * HOUR, NOW + 25 * HOUR).0,
        State::Good
    );
    // The last second, and the first after it.
    assert_eq!(only_signature(NOW - 14 * DAY, NOW).0, State::Warning);
}

#[test]
fn reports_signatures_that_expired() {
    let answer = SignedAnswer {
        state: Err(LookupFailure::Bogus),
        signatures: vec![
            signature("SRV", NOW - 14 * DAY, NOW - 3 * HOUR),
            signature("DNSKEY", NOW - 5 * DAY, NOW + 5 * DAY),
        ],
        ..signed()
    };
    let (state, subject, sentence) = only(&judged(vec![answer]), Check::Dnssec);
    assert_eq!(state, State::Bad);
    assert_eq!(subject, "_imaps._tcp.example.org. SRV");
    assert_eq!(
        sentence,
        "Clients that validate get no answer, since the signature over _imaps._tcp.example.org. SRV expired 3 h ago, at \
         2026-11-30T21:00Z: sign the zone again, and check that its signer runs"
    );
}

#[test]
fn reports_a_parent_that_names_no_key_of_the_zone() {
    let key = |tag| KeyTag { tag, algorithm: 13 };
    let zone = ZoneKeys {
        zone: "example.org.".to_owned(),
        delegated: Ok(vec![key(12_345)]),
        keys: Ok(vec![key(4_602), key(9_999)]),
    };
    let bogus = |zone| SignedAnswer {
        state: Err(LookupFailure::Bogus),
        zones: vec![zone],
        ..signed()
    };
    let sentence = |zone| {
        let (state, _, sentence) = only(&judged(vec![bogus(zone)]), Check::Dnssec);
        assert_eq!(state, State::Bad);
        sentence
    };
    assert_eq!(
        sentence(zone.clone()),
        "Clients that validate get no answer, since the DS records of example.org. name the keys 12345 and the zone has \
         4602 and 9999: publish the DS record of a key of the zone at its parent, or remove the wrong one"
    );
    let unsigned = ZoneKeys {
        keys: Ok(Vec::new()),
        ..zone.clone()
    };
    assert!(sentence(unsigned).contains("name the keys 12345 and the zone has no keys"));
    let general = "Clients that validate get no answer, since DNSSEC validation fails: compare the DS record with the \
                   keys, and sign the zone again";
    // One of the keys is named, or they are not known.
    for other in [
        ZoneKeys {
            delegated: Ok(vec![key(12_345), key(9_999)]),
            ..zone.clone()
        },
        ZoneKeys {
            delegated: Ok(Vec::new()),
            ..zone.clone()
        },
        ZoneKeys {
            keys: Err(LookupFailure::Timeout),
            ..zone
        },
    ] {
        assert_eq!(sentence(other), general);
    }
}

#[test]
fn asks_to_check_the_clock_if_signatures_begin_later() {
    let answer = SignedAnswer {
        state: Err(LookupFailure::Bogus),
        signatures: vec![signature("SRV", NOW + HOUR, NOW + 14 * DAY)],
        ..signed()
    };
    let report = judged(vec![answer]);
    let (state, _, sentence) = only(&report, Check::Clock);
    assert_eq!(state, State::NotKnown);
    assert_eq!(
        sentence,
        "The clock of this machine may be wrong, since the signature over _imaps._tcp.example.org. SRV begins at \
         2026-12-01T01:00Z: check your clock"
    );
    let (state, _, sentence) = only(&report, Check::Dnssec);
    assert_eq!(state, State::NotKnown);
    assert_eq!(
        sentence,
        "DNSSEC validation fails, perhaps for the clock of this machine: set the clock, and run the monitor again"
    );
    assert_eq!(report.state(), State::NotKnown);
    // Those that begin in this second are valid.
    let answer = SignedAnswer {
        signatures: vec![signature("SRV", NOW, NOW + 14 * DAY)],
        ..signed()
    };
    let report = judged(vec![answer]);
    assert_eq!(of_check(&report, Check::Clock), []);
    assert_eq!(only(&report, Check::Dnssec).0, State::Good);
}

/// Other checks make the same lookups, and must not blame the zone.
#[test]
fn judges_no_zone_while_the_clock_is_wrong() {
    let bogus = LookupFailure::Bogus;
    let judged = |begin| {
        let mut observation = observation(&fresh());
        observation.signed = vec![SignedAnswer {
            state: Err(bogus),
            signatures: vec![signature("SRV", begin, NOW + 14 * DAY)],
            ..signed()
        }];
        observation.services[0].answer = Answer::Failed(bogus);
        let mut unknown = observation.servers[0].clone();
        unknown.addresses = Err(HostFailure::Address(bogus));
        unknown.tlsa = Some(Err(bogus));
        observation.servers[0].failed_family = Some(bogus);
        first(&mut observation).client = Err(Cause::Lookup(HostFailure::Tlsa(bogus)));
        observation.servers.push(unknown);
        observation.transport = Some(TransportSecurity {
            mx: Err(bogus),
            mta_sts: Err(bogus),
            policy: None,
            tls_rpt: Err(bogus),
        });
        report(&observation)
    };
    let checks = [
        Check::Srv,
        Check::Address,
        Check::Connection,
        Check::Tlsa,
        Check::MtaSts,
        Check::TlsRpt,
    ];
    let (right, wrong) = (judged(NOW - DAY), judged(NOW + HOUR));
    for check in checks {
        let states = |report| of_check(report, check).into_iter().map(|it| it.0).max();
        assert_eq!(states(&right), Some(State::Bad), "{check:?}");
        assert_eq!(states(&wrong), Some(State::NotKnown), "{check:?}");
    }
    assert_eq!(wrong.state(), State::NotKnown);
    let (_, _, sentence) = only(&wrong, Check::MtaSts);
    assert!(
        sentence.ends_with(": set the clock, and run the monitor again"),
        "{sentence}"
    );
}

#[test]
fn asks_to_check_the_clock_if_the_signatures_of_the_parents_expired_too() {
    let answer = |covered: &[&str]| SignedAnswer {
        state: Err(LookupFailure::Bogus),
        signatures: covered
            .iter()
            .map(|covered| signature(covered, NOW - 14 * DAY, NOW - DAY))
            .collect(),
        ..signed()
    };
    let report = judged(vec![answer(&["SRV", "DS"])]);
    assert_eq!(only(&report, Check::Clock).0, State::NotKnown);
    assert_eq!(only(&report, Check::Dnssec).0, State::NotKnown);
    // The zone alone is the zone's fault.
    let report = judged(vec![answer(&["SRV", "DNSKEY"])]);
    assert_eq!(of_check(&report, Check::Clock), []);
    assert_eq!(only(&report, Check::Dnssec).0, State::Bad);
}

#[test]
fn distinguishes_zones_without_signatures_from_lookups_that_failed() {
    let answer = |state| SignedAnswer {
        state,
        signatures: Vec::new(),
        ..signed()
    };
    // Denials are not listed.
    let denied = SignedAnswer {
        has_records: false,
        ..answer(Ok(Dnssec::Insecure))
    };
    assert_eq!(of_check(&judged(vec![denied]), Check::Dnssec), []);
    let (state, subject, sentence) = only(
        &judged(vec![
            answer(Ok(Dnssec::Insecure)),
            answer(Ok(Dnssec::Insecure)),
        ]),
        Check::Dnssec,
    );
    assert_eq!((state, subject.as_str()), (State::Advice, "domain"));
    assert_eq!(
        sentence,
        "No signature secures _imaps._tcp.example.org. SRV and _imaps._tcp.example.org. SRV: sign the zones with \
         DNSSEC, and publish their DS records"
    );
    for failure in [
        LookupFailure::ServerFailure,
        LookupFailure::Timeout,
        LookupFailure::Refused,
    ] {
        let (state, ..) = only(&judged(vec![answer(Err(failure))]), Check::Dnssec);
        assert_eq!(state, State::NotKnown, "{failure}");
    }
}
