//! Usage 2: a trust anchor that the zone names.

use std::{slice, time::Duration};

use mail_implicit_tls::{
    dane::{DaneRules, MAX_ANCHORS},
    dns::host::TlsaRecords,
    name::DomainName,
    verdict::{CertificateUsage, ChainProblem, DaneVerdict, IdentityVerdict, RecordProblem},
};
use test_support::pki::{
    Authority, Certificate, Identity,
    rcgen::{BasicConstraints, IsCa, KeyUsagePurpose, date_time_ymd},
};

use crate::{
    chain::{Chain, HOST, named_authority, record},
    judging::{BOTH, differs, judge, judge_with, matches},
};

#[test]
fn accepts_anchors_that_the_server_sends() {
    let chain = Chain::new();
    for rules in BOTH {
        for selector in [0, 1] {
            for matching_type in [0, 1, 2] {
                let root = record(2, selector, matching_type, &chain.root);
                assert_eq!(
                    judge(&[root], rules, &chain.sent(true)),
                    matches(CertificateUsage::DaneTa, false)
                );
                let intermediate = record(2, selector, matching_type, &chain.intermediate);
                assert_eq!(
                    judge(&[intermediate], rules, &chain.sent(false)),
                    matches(CertificateUsage::DaneTa, false)
                );
            }
        }
    }
}

#[test]
fn accepts_an_anchor_that_is_not_sent_only_from_the_record_itself() {
    let chain = Chain::new();
    for rules in BOTH {
        let hash = record(2, 0, 1, &chain.root);
        assert_eq!(
            judge(slice::from_ref(&hash), rules, &chain.sent(false)),
            differs(&hash, RecordProblem::NoMatch)
        );
        let full = record(2, 0, 0, &chain.root);
        assert_eq!(
            judge(&[full], rules, &chain.sent(false)),
            matches(CertificateUsage::DaneTa, false)
        );
    }
}

#[test]
fn refuses_a_path_to_an_anchor_that_pkix_would_refuse() {
    let chain = Chain::of(&Certificate::server(&[HOST]).expired());
    let anchor = record(2, 1, 1, &chain.intermediate);
    let not_after = Duration::from_secs(978_307_200);
    assert_eq!(
        judge(
            slice::from_ref(&anchor),
            DaneRules::Rfc7671,
            &chain.sent(false)
        ),
        differs(
            &anchor,
            RecordProblem::Path(ChainProblem::Expired { not_after })
        )
    );

    let chain = Chain::of(&Certificate::server(&["other.example"]));
    let anchor = record(2, 1, 1, &chain.intermediate);
    assert_eq!(
        judge(
            slice::from_ref(&anchor),
            DaneRules::Rfc7671,
            &chain.sent(false)
        ),
        differs(&anchor, RecordProblem::Identity)
    );
}

#[test]
fn refuses_an_anchor_that_is_no_authority() {
    let root = Authority::new("Test Root");
    let no_authority = root.intermediate("No authority", |params| {
        params.is_ca = IsCa::NoCa;
        params.key_usages.clear();
    });
    let without_signing = root.intermediate("No signing", |params| {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    });
    for issuer in [no_authority, without_signing] {
        let leaf = Certificate::server(&[HOST]).issue(&issuer);
        let sent = [leaf.certificate(), issuer.certificate()];
        let anchor = record(2, 1, 1, &issuer.identity());
        assert_eq!(
            judge(slice::from_ref(&anchor), DaneRules::Rfc7671, &sent),
            differs(&anchor, RecordProblem::Path(ChainProblem::IsNotAuthority))
        );
    }
}

#[test]
fn refuses_an_anchor_whose_path_is_too_long_or_that_expired() {
    let root = Authority::with("Short Root", |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    });
    let intermediate = root.intermediate("Test Intermediate", |_| {});
    let server = Certificate::server(&[HOST]);
    let leaf = server.issue(&intermediate).certificate();
    let sent = [leaf, intermediate.certificate(), root.certificate()];
    let anchor = record(2, 0, 1, &root.identity());
    assert_eq!(
        judge(slice::from_ref(&anchor), DaneRules::Rfc7671, &sent),
        differs(&anchor, RecordProblem::Path(ChainProblem::PathLength))
    );
    let sent = [server.issue(&root).certificate(), root.certificate()];
    assert_eq!(
        judge(&[anchor], DaneRules::Rfc7671, &sent),
        matches(CertificateUsage::DaneTa, false)
    );

    let expired = Authority::with("Expired Root", |params| {
        params.not_after = date_time_ymd(2026, 2, 1);
    });
    let sent = [server.issue(&expired).certificate(), expired.certificate()];
    let anchor = record(2, 0, 1, &expired.identity());
    assert_eq!(
        judge(slice::from_ref(&anchor), DaneRules::Rfc7671, &sent),
        differs(&anchor, RecordProblem::Path(ChainProblem::IssuerDates))
    );
}

#[test]
fn refuses_the_servers_own_key_as_anchor() {
    let both = named_authority();
    let anchor = record(2, 1, 1, &both);
    assert_eq!(
        judge(
            slice::from_ref(&anchor),
            DaneRules::Rfc7671,
            &[both.certificate()]
        ),
        differs(&anchor, RecordProblem::NoMatch)
    );
}

/// Each anchor costs the search for a path.
#[test]
fn tries_a_bounded_number_of_anchors() {
    let chain = Chain::new();
    let others: Vec<_> = (0..MAX_ANCHORS)
        .map(|_| Authority::new("Other").identity())
        .collect();
    let sent = chain.sent(false);
    let with = |others: &[Identity]| {
        let records = others.iter().chain([&chain.intermediate]);
        let records: Vec<_> = records.map(|made| record(2, 0, 0, made)).collect();
        judge(&records, DaneRules::Rfc7671, &sent)
    };
    let matched = matches(CertificateUsage::DaneTa, false);
    assert_eq!(with(&others[1..]), matched);
    let DaneVerdict::Differs(findings) = with(&others) else {
        panic!("more anchors than the limit were tried");
    };
    let problems: Vec<_> = findings.iter().map(|it| it.problem).collect();
    let unknown = RecordProblem::Path(ChainProblem::UnknownIssuer);
    let mut right = vec![unknown; MAX_ANCHORS];
    right.push(RecordProblem::Path(ChainProblem::TooLarge));
    assert_eq!(problems, right);
}

#[test]
fn accepts_the_base_domain_as_name() {
    let chain = Chain::of(&Certificate::server(&["target.example.net"]));
    let base = DomainName::parse("target.example.net").unwrap();
    let records = TlsaRecords::Records {
        base,
        records: vec![record(2, 1, 1, &chain.intermediate)],
    };
    let (verdict, accepted) = judge_with(records, DaneRules::Rfc7671, &chain.sent(false), None);
    assert_eq!(verdict.dane, matches(CertificateUsage::DaneTa, false));
    assert!(matches!(verdict.identity, IdentityVerdict::Matches { .. }));
    assert!(accepted);
}
