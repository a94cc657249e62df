//! Usage 3: the certificate and key of the server itself.

use std::slice;

use mail_implicit_tls::{
    dane::DaneRules,
    verdict::{CertificateUsage, ChainVerdict, RecordProblem},
};
use test_support::pki::Certificate;

use crate::{
    chain::{Chain, HOST, named_authority, record},
    judging::{BOTH, differs, judge_with, matches, secure},
};

#[test]
fn accepts_the_servers_own_certificate_and_key() {
    let chain = Chain::new();
    for rules in BOTH {
        for selector in [0, 1] {
            for matching_type in [0, 1, 2] {
                let record = record(3, selector, matching_type, &chain.leaf);
                let (verdict, accepted) =
                    judge_with(secure(&[record]), rules, &chain.sent(false), None);
                let covers = rules == DaneRules::Rfc7671;
                assert_eq!(verdict.dane, matches(CertificateUsage::DaneEe, covers));
                assert!(matches!(verdict.chain, ChainVerdict::Refused(_)));
                assert!(accepted);
            }
        }
    }
}

#[test]
fn ignores_name_and_date_of_usage_3_under_rfc_7671_only() {
    let expired = Certificate::server(&[HOST]).expired();
    let other_name = Certificate::server(&["other.example"]);
    for (made, named) in [
        (expired.self_signed(), true),
        (named_authority(), true),
        (other_name.self_signed(), false),
    ] {
        let record = record(3, 1, 1, &made);
        let sent = [made.certificate()];
        let (verdict, accepted) = judge_with(
            secure(slice::from_ref(&record)),
            DaneRules::Rfc7671,
            &sent,
            None,
        );
        assert_eq!(verdict.dane, matches(CertificateUsage::DaneEe, true));
        assert!(accepted);
        let (verdict, accepted) = judge_with(
            secure(slice::from_ref(&record)),
            DaneRules::Rfc6698,
            &sent,
            None,
        );
        if named {
            assert_eq!(verdict.dane, matches(CertificateUsage::DaneEe, false));
        } else {
            assert_eq!(verdict.dane, differs(&record, RecordProblem::Identity));
        }
        assert_eq!(accepted, named);
    }
}
