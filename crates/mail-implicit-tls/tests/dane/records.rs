//! The records that count, and the part of a certificate that each selects.

use std::slice;

use mail_implicit_tls::{
    account::HostSource,
    dane::DaneRules,
    dns::{Tlsa, host::TlsaRecords},
    verdict::{
        CertificateUsage, ChainVerdict, DaneNotUsed, DaneVerdict, IdentityVerdict, RecordProblem,
    },
};
use sha2::{Digest, Sha256};
use test_support::pki::Certificate;

use crate::{
    chain::{Chain, record, wrong},
    judging::{BOTH, differs, finding, judge, judge_host, judge_with, matches, secure},
};

#[test]
fn refuses_what_no_record_names_though_pkix_trusts_it() {
    let chain = Chain::new();
    for rules in BOTH {
        for usage in 0..4 {
            let record = wrong(usage, 1, 1);
            let (verdict, accepted) = judge_with(
                secure(slice::from_ref(&record)),
                rules,
                &chain.sent(false),
                Some(&chain.root),
            );
            assert_eq!(verdict.chain, ChainVerdict::Trusted);
            assert_eq!(verdict.dane, differs(&record, RecordProblem::NoMatch));
            assert!(!accepted);
        }
    }
}

#[test]
fn accepts_any_one_record_that_matches() {
    let chain = Chain::new();
    let records = [wrong(3, 1, 1), record(2, 0, 1, &chain.root), wrong(2, 0, 1)];
    for rules in BOTH {
        assert_eq!(
            judge(&records, rules, &chain.sent(true)),
            matches(CertificateUsage::DaneTa, false)
        );
    }
}

/// A record of the certificate does not match the key, and the reverse.
#[test]
fn compares_what_the_selector_selects() {
    let chain = Chain::new();
    for usage in 0..4 {
        let subject = match usage {
            0 => &chain.root,
            2 => &chain.intermediate,
            _ => &chain.leaf,
        };
        for selector in [0, 1] {
            let record = Tlsa {
                selector: 1 - selector,
                ..record(usage, selector, 1, subject)
            };
            let (verdict, _) = judge_with(
                secure(slice::from_ref(&record)),
                DaneRules::Rfc6698,
                &chain.sent(false),
                Some(&chain.root),
            );
            assert_eq!(verdict.dane, differs(&record, RecordProblem::NoMatch));
        }
    }
}

#[test]
fn ignores_records_that_are_unusable() {
    let chain = Chain::new();
    let cut = Tlsa {
        association: vec![1; 31],
        ..wrong(3, 1, 1)
    };
    let garbage = Tlsa {
        association: b"garbage".to_vec(),
        ..wrong(3, 0, 0)
    };
    let mut trailing = record(3, 1, 0, &chain.leaf);
    trailing.association.push(0);
    let unusable = [
        (wrong(255, 1, 1), RecordProblem::Usage),
        (wrong(3, 2, 1), RecordProblem::Selector),
        (wrong(3, 1, 3), RecordProblem::MatchingType),
        (cut, RecordProblem::DigestLength),
        (garbage, RecordProblem::Malformed),
        (trailing, RecordProblem::Malformed),
    ];
    let records: Vec<_> = unusable.iter().map(|(record, _)| record.clone()).collect();
    let findings = unusable
        .iter()
        .map(|(record, problem)| finding(record, *problem))
        .collect();
    let (verdict, accepted) = judge_with(
        secure(&records),
        DaneRules::Rfc6698,
        &chain.sent(false),
        Some(&chain.root),
    );
    assert_eq!(
        verdict.dane,
        DaneVerdict::NotUsed(DaneNotUsed::Unusable(findings))
    );
    assert!(accepted);
    let usable = records
        .iter()
        .cloned()
        .chain([record(3, 1, 1, &chain.leaf)])
        .collect::<Vec<_>>();
    assert_eq!(
        judge(&usable, DaneRules::Rfc6698, &chain.sent(false)),
        matches(CertificateUsage::DaneEe, false)
    );
    let wrong_too: Vec<_> = records.into_iter().chain([wrong(3, 1, 1)]).collect();
    assert!(matches!(
        judge(&wrong_too, DaneRules::Rfc6698, &chain.sent(false)),
        DaneVerdict::Differs(findings) if findings.len() == 7
    ));
}

#[test]
fn never_matches_the_digest_of_nothing() {
    let chain = Chain::new();
    for selector in [0, 1] {
        let nothing = Tlsa {
            usage: 3,
            selector,
            matching_type: 1,
            association: Sha256::digest([]).to_vec(),
        };
        assert_eq!(
            judge(
                slice::from_ref(&nothing),
                DaneRules::Rfc7671,
                &chain.sent(false)
            ),
            differs(&nothing, RecordProblem::NoMatch)
        );
    }
}

#[test]
fn prefers_the_strongest_digest_under_rfc_7671() {
    let chain = Chain::new();
    let [weak, strong] = [record(3, 1, 1, &chain.leaf), wrong(3, 1, 2)];
    let records = [weak.clone(), strong.clone()];
    assert_eq!(
        judge(&records, DaneRules::Rfc6698, &chain.sent(false)),
        matches(CertificateUsage::DaneEe, false)
    );
    assert_eq!(
        judge(&records, DaneRules::Rfc7671, &chain.sent(false)),
        DaneVerdict::Differs(vec![
            finding(&weak, RecordProblem::WeakerDigest),
            finding(&strong, RecordProblem::NoMatch)
        ])
    );
    // Another selector is another set, and the full data always counts.
    let other_set = [record(3, 0, 1, &chain.leaf), strong.clone()];
    assert_eq!(
        judge(&other_set, DaneRules::Rfc7671, &chain.sent(false)),
        matches(CertificateUsage::DaneEe, true)
    );
    let full = [record(3, 1, 0, &chain.leaf), strong];
    assert_eq!(
        judge(&full, DaneRules::Rfc7671, &chain.sent(false)),
        matches(CertificateUsage::DaneEe, true)
    );
}

#[test]
fn uses_no_records_that_were_not_looked_up_or_are_insecure() {
    let chain = Chain::new();
    for (records, reason) in [
        (TlsaRecords::NotRequested, DaneNotUsed::NotRequested),
        (TlsaRecords::AddressInsecure, DaneNotUsed::AddressInsecure),
        (TlsaRecords::None, DaneNotUsed::NoRecords),
        (TlsaRecords::Insecure, DaneNotUsed::RecordsInsecure),
    ] {
        for (anchor, trusted) in [(Some(&chain.root), true), (None, false)] {
            let (verdict, accepted) = judge_with(
                records.clone(),
                DaneRules::Rfc6698,
                &chain.sent(false),
                anchor,
            );
            assert_eq!(verdict.dane, DaneVerdict::NotUsed(reason.clone()));
            assert_eq!(accepted, trusted);
        }
    }
}

/// Whoever forges an SRV record names a host with TLSA records of their own (RFC 7673 section 3.1).
#[test]
fn ignores_records_of_a_host_that_an_insecure_srv_record_names() {
    let chain = Chain::new();
    for rules in BOTH {
        for usage in 0..4 {
            let subject = match usage {
                0 | 2 => &chain.intermediate,
                _ => &chain.leaf,
            };
            let records = secure(&[record(usage, 1, 1, subject)]);
            let judged = |source| {
                let sent = chain.sent(false);
                judge_host(source, records.clone(), rules, &sent, Some(&chain.root))
            };
            let (verdict, accepted) = judged(HostSource::InsecureSrv);
            let reason = DaneNotUsed::SrvInsecure;
            assert_eq!(verdict.dane, DaneVerdict::NotUsed(reason));
            assert!(matches!(verdict.identity, IdentityVerdict::Differs(_)));
            assert!(!accepted, "{rules:?} {usage}");
            for source in [
                HostSource::SecureSrv,
                HostSource::ConfirmedSrv,
                HostSource::Autoconfig,
            ] {
                let (verdict, accepted) = judged(source);
                let is_used = matches!(verdict.dane, DaneVerdict::Matches { .. });
                assert_eq!((is_used, accepted), (true, true), "{source:?} {usage}");
            }
        }
    }
    // Records that contradict the certificate of the mail domain do not count either: PKIX alone decides.
    let chain = Chain::of(&Certificate::server(&["example.com"]));
    let (verdict, accepted) = judge_host(
        HostSource::InsecureSrv,
        secure(&[wrong(3, 1, 1)]),
        DaneRules::Rfc7671,
        &chain.sent(false),
        Some(&chain.root),
    );
    let reason = DaneNotUsed::SrvInsecure;
    assert_eq!(verdict.dane, DaneVerdict::NotUsed(reason));
    assert!(accepted);
}
