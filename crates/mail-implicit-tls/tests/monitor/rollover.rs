//! TLSA records against the certificate that will be served next.

use std::collections::BTreeMap;

use mail_implicit_tls::{
    dns::{Tlsa, host::TlsaRecords},
    monitor::{
        Certificate, Check, Context, KnownCertificate, Observation, State, TlsaObservation, judge,
    },
};

use crate::facts::{
    DAY, HOST, HOUR, NOW, OWNER, at, certificate, fresh, name, observation, of_check, only, record,
};

fn with_records(served: &Certificate, records: Vec<Tlsa>) -> Observation {
    let mut observation = observation(served);
    observation.servers.first_mut().unwrap().tlsa = Some(Ok(TlsaObservation {
        owner: OWNER.to_owned(),
        records: TlsaRecords::Records {
            base: name(HOST),
            records,
        },
        ttl: at(HOUR),
    }));
    observation
}

/// The certificate that will be served, and the time at which its record was seen first.
fn context(next: &Certificate, seen: Option<u64>) -> Context {
    let first_seen = seen.map(|seen| {
        let key = (OWNER.to_owned(), record(next));
        BTreeMap::from([(key, at(seen))])
    });
    Context {
        certificates: vec![KnownCertificate {
            file: "next.pem".to_owned(),
            certificate: next.clone(),
            written: at(NOW - HOUR),
            is_next: true,
        }],
        first_seen,
        ..Context::default()
    }
}

fn next() -> Certificate {
    certificate(NOW - HOUR, NOW + 90 * DAY)
}

#[test]
fn warns_if_only_the_old_key_is_published() {
    let (served, next) = (fresh(), next());
    let observation = with_records(&served, vec![record(&served)]);
    let report = judge(&observation, &context(&next, Some(NOW)));
    let (state, subject, sentence) = only(&report, Check::Rollover);
    assert_eq!(state, State::Warning);
    assert_eq!(subject, "imaps imap.example.org:993");
    let digest = hex(&next.key_digest());
    assert_eq!(
        sentence,
        format!(
            "No TLSA record names the next key (next.pem): publish a TLSA record 3 1 1 {digest} \
             beside the present ones, and wait two TTLs before it is served"
        )
    );
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn accepts_records_of_both_keys_after_two_ttls() {
    let (served, next) = (fresh(), next());
    let observation = with_records(&served, vec![record(&served), record(&next)]);
    let report = judge(&observation, &context(&next, Some(NOW - 2 * HOUR)));
    let (state, _, sentence) = only(&report, Check::Rollover);
    assert_eq!(state, State::Good);
    assert_eq!(
        sentence,
        "The TLSA records name the next key, and resolvers know it (next.pem)"
    );
}

#[test]
fn asks_to_wait_while_a_new_record_is_younger_than_two_ttls() {
    let (served, next) = (fresh(), next());
    let observation = with_records(&served, vec![record(&served), record(&next)]);
    let found = |seen| {
        let (state, _, sentence) =
            only(&judge(&observation, &context(&next, seen)), Check::Rollover);
        (state, sentence)
    };
    let expected = "The TLSA record of the next key is younger than two TTLs (next.pem): wait \
                    until 2026-12-01T01:00Z before the next key is served";
    assert_eq!(
        found(Some(NOW - HOUR)),
        (State::Warning, expected.to_owned())
    );
    assert_eq!(found(Some(NOW - 2 * HOUR + 1)).0, State::Warning);
    // A record that was never seen before is new.
    let mut forgotten = context(&next, Some(NOW));
    forgotten.first_seen = Some(BTreeMap::new());
    let report = judge(&observation, &forgotten);
    assert_eq!(only(&report, Check::Rollover).0, State::Warning);
    // Without memory its age is not known.
    let (state, sentence) = found(None);
    assert_eq!(state, State::Advice);
    assert!(sentence.contains("its age is not known"), "{sentence}");
}

/// One record that names the key is enough.
#[test]
fn counts_the_oldest_record_of_the_next_key() {
    let (served, next) = (fresh(), next());
    let whole = Tlsa {
        usage: 3,
        selector: 0,
        matching_type: 1,
        association: next.fingerprint().to_vec(),
    };
    let records = vec![record(&served), record(&next), whole.clone()];
    let observation = with_records(&served, records);
    let mut context = context(&next, Some(NOW - 3 * HOUR));
    let seen = context.first_seen.as_mut().unwrap();
    seen.insert((OWNER.to_owned(), whole), at(NOW));
    let report = judge(&observation, &context);
    assert_eq!(only(&report, Check::Rollover).0, State::Good);
}

/// A renewal with the same key needs no record, and a certificate on the disk is the next one until it is served.
#[test]
fn judges_certificates_on_the_disk_by_their_keys() {
    let (served, next) = (fresh(), next());
    let observation = with_records(&served, vec![record(&served)]);
    assert_eq!(
        of_check(
            &judge(&observation, &context(&served, None)),
            Check::Rollover
        ),
        []
    );
    let mut on_disk = context(&next, None);
    on_disk.certificates.first_mut().unwrap().is_next = false;
    let report = judge(&observation, &on_disk);
    assert_eq!(only(&report, Check::Rollover).0, State::Warning);
    assert_eq!(only(&report, Check::Disk).0, State::Bad);
}

#[test]
fn warns_of_records_that_each_renewal_breaks() {
    let served = fresh();
    let whole = |usage| Tlsa {
        usage,
        selector: 0,
        matching_type: 1,
        association: served.fingerprint().to_vec(),
    };
    let observation = with_records(&served, vec![whole(3)]);
    let (state, _, sentence) = only(&judge(&observation, &Context::default()), Check::Rollover);
    assert_eq!(state, State::Warning);
    assert_eq!(
        sentence,
        "The TLSA records name the certificate and not its key, so that each renewal breaks them: publish a record 3 1 \
         1, and keep the key when the certificate is renewed"
    );
    for records in [
        vec![whole(3), record(&served)],
        vec![whole(3), whole(2)],
        vec![record(&served)],
    ] {
        let observation = with_records(&served, records);
        let report = judge(&observation, &Context::default());
        assert_eq!(of_check(&report, Check::Rollover), []);
    }
}
