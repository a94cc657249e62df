//! The reading of RFC 7672, for servers of inbound mail.

use mail_implicit_tls::{
    dane::DaneRules,
    verdict::{CertificateUsage, DaneNotUsed, DaneVerdict, RecordProblem},
};
use test_support::pki::Certificate;

use crate::{
    chain::{Chain, HOST, record},
    judging::{finding, judge, judge_with, matches, secure},
};

#[test]
fn takes_usages_0_and_1_for_unusable() {
    let chain = Chain::of(&Certificate::server(&[HOST]));
    let excluded = [
        record(0, 1, 1, &chain.intermediate),
        record(1, 1, 1, &chain.leaf),
    ];
    let problem = RecordProblem::UsageExcluded;
    let unusable = DaneVerdict::NotUsed(DaneNotUsed::Unusable(
        excluded.iter().map(|it| finding(it, problem)).collect(),
    ));
    let sent = chain.sent(false);
    // The client trusts the root: RFC 7671 finds a match.
    for rules in [DaneRules::Rfc7671, DaneRules::Rfc7672] {
        let (verdict, _) = judge_with(secure(&excluded), rules, &sent, Some(&chain.root));
        let expected = match rules {
            DaneRules::Rfc7672 => unusable.clone(),
            _ => matches(CertificateUsage::PkixTa, false),
        };
        assert_eq!(verdict.dane, expected, "{rules:?}");
    }
    // A usable record beside them counts.
    let [first, _] = excluded;
    let records = [first, record(3, 1, 1, &chain.leaf)];
    assert_eq!(
        judge(&records, DaneRules::Rfc7672, &sent),
        matches(CertificateUsage::DaneEe, true)
    );
}

#[test]
fn reads_usages_2_and_3_as_rfc_7671_does() {
    let chain = Chain::of(&Certificate::server(&["other.example"]).expired());
    let sent = chain.sent(false);
    for records in [
        vec![record(3, 1, 1, &chain.leaf)],
        vec![record(3, 1, 2, &chain.leaf), record(3, 1, 1, &chain.leaf)],
        vec![record(2, 1, 1, &chain.intermediate)],
        vec![record(3, 1, 1, &chain.intermediate)],
    ] {
        assert_eq!(
            judge(&records, DaneRules::Rfc7672, &sent),
            judge(&records, DaneRules::Rfc7671, &sent),
            "{records:?}"
        );
    }
}
