//! Usages 0 and 1, which demand a path to a trust anchor of the client.

use std::slice;

use mail_implicit_tls::{
    dane::DaneRules,
    dns::Tlsa,
    verdict::{CertificateUsage, ChainProblem, DaneVerdict, RecordProblem},
};
use sha2::{Digest, Sha256};
use test_support::pki::{
    Authority, copy, key,
    rcgen::{CertificateParams, KeyPair},
};

use crate::{
    chain::{Chain, record},
    judging::{BOTH, differs, finding, judge_with, matches, secure},
};

#[test]
fn demands_pkix_beside_usages_0_and_1() {
    let chain = Chain::new();
    for rules in BOTH {
        for (usage, made) in [(0, &chain.intermediate), (1, &chain.leaf)] {
            let kind = if usage == 0 {
                CertificateUsage::PkixTa
            } else {
                CertificateUsage::PkixEe
            };
            let record = record(usage, 1, 1, made);
            let (verdict, accepted) = judge_with(
                secure(slice::from_ref(&record)),
                rules,
                &chain.sent(false),
                Some(&chain.root),
            );
            assert_eq!(verdict.dane, matches(kind, false));
            assert!(accepted);
            let (verdict, accepted) = judge_with(
                secure(slice::from_ref(&record)),
                rules,
                &chain.sent(false),
                None,
            );
            let DaneVerdict::Differs(findings) = verdict.dane else {
                panic!("no match expected")
            };
            assert_eq!(
                findings,
                [finding(
                    &record,
                    RecordProblem::Path(ChainProblem::UnknownIssuer)
                )]
            );
            assert!(!accepted);
        }
    }
}

#[test]
fn finds_the_clients_trust_anchor_for_usage_0() {
    let chain = Chain::new();
    for selector in [0, 1] {
        let record = record(0, selector, 1, &chain.root);
        for sends_root in [false, true] {
            let sent = chain.sent(sends_root);
            let (verdict, _) = judge_with(
                secure(slice::from_ref(&record)),
                DaneRules::Rfc6698,
                &sent,
                Some(&chain.root),
            );
            assert_eq!(verdict.dane, matches(CertificateUsage::PkixTa, false));
        }
    }
}

/// The client may know a trust anchor by another certificate than the server sends: name and key are what counts.
#[test]
fn accepts_another_certificate_of_the_trust_anchor_for_usage_0() {
    let chain = Chain::new();
    let with = |name: &str, key: &KeyPair| {
        let number = |params: &mut CertificateParams| params.serial_number = Some(77_u64.into());
        Authority::with_key(name, copy(key), number).certificate()
    };
    let stranger = key();
    for (other, is_anchor) in [
        (with("Test Root", chain.root.key()), true),
        (with("Another Root", chain.root.key()), false),
        (with("Test Root", &stranger), false),
    ] {
        let record = Tlsa {
            association: Sha256::digest(&other).to_vec(),
            ..record(0, 0, 1, &chain.root)
        };
        let mut sent = chain.sent(false);
        sent.push(other);
        let (verdict, accepted) = judge_with(
            secure(slice::from_ref(&record)),
            DaneRules::Rfc6698,
            &sent,
            Some(&chain.root),
        );
        let right = match is_anchor {
            true => matches(CertificateUsage::PkixTa, false),
            false => differs(&record, RecordProblem::NoMatch),
        };
        assert_eq!((verdict.dane, accepted), (right, is_anchor));
    }
}
