//! Chains: issuers, dates, purposes, and what cannot be read.

use std::time::Duration;

use mail_implicit_tls::{
    identity::PresentedIdentity,
    verdict::{ChainProblem, ChainVerdict, IdentityVerdict},
};
use rustls::pki_types::CertificateDer;
use test_support::pki::{
    Authority, Certificate,
    rcgen::{CustomExtension, ExtendedKeyUsagePurpose, date_time_ymd},
};

use crate::{
    accounts::{is_named, judge, problems, typed},
    certificates::{NOW, ROOT, at, issued, named, stranger},
};

#[test]
fn judges_chain_and_names_apart() {
    let (ours, other) = (named(&["imap.example.org"]), named(&["imap.example.net"]));
    let stranger = stranger();
    let verdict = judge(&issued(&ours, &ROOT), &[]);
    assert_eq!(verdict.chain, ChainVerdict::Trusted);
    assert!(is_named(&verdict) && verdict.is_verified());
    let verdict = judge(&issued(&other, &ROOT), &[]);
    assert_eq!(verdict.chain, ChainVerdict::Trusted);
    assert!(!is_named(&verdict) && !verdict.is_verified());
    let verdict = judge(&issued(&ours, &stranger), &[&stranger]);
    assert_eq!(problems(&verdict), [ChainProblem::UnknownIssuer]);
    assert!(is_named(&verdict) && !verdict.is_verified());
}

#[test]
fn reports_issuer_and_name_together() {
    let stranger = stranger();
    let certificate = issued(&named(&["imap.example.net"]), &stranger);
    let verdict = judge(&certificate, &[&stranger]);
    assert_eq!(problems(&verdict), [ChainProblem::UnknownIssuer]);
    assert!(matches!(verdict.identity, IdentityVerdict::Differs(_)));
    assert_eq!(
        verdict.to_string(),
        "chain: the certificate was issued by an unknown authority; identity: expected DNS-ID imap.example.org but the \
         certificate has DNS-ID imap.example.net; DANE: not used, not requested"
    );
}

fn dated(from: i32, until: i32) -> Certificate {
    named(&["imap.example.net"]).valid(from, until)
}

/// 2025-01-01 and 2027-01-01.
const NEW_YEARS: [Duration; 2] = [
    Duration::from_secs(1_735_689_600),
    Duration::from_secs(1_798_761_600),
];

#[test]
fn reports_date_and_name_together() {
    let verdict = judge(&issued(&dated(2020, 2025), &ROOT), &[]);
    let [not_after, not_before] = NEW_YEARS;
    assert_eq!(problems(&verdict), [ChainProblem::Expired { not_after }]);
    assert!(matches!(verdict.identity, IdentityVerdict::Differs(_)));
    let verdict = judge(&issued(&dated(2027, 2028), &ROOT), &[]);
    assert_eq!(
        problems(&verdict),
        [ChainProblem::NotYetValid { not_before }]
    );
    let stranger = stranger();
    let verdict = judge(&issued(&dated(2020, 2025), &stranger), &[&stranger]);
    assert!(problems(&verdict).contains(&ChainProblem::Expired { not_after }));
}

#[test]
fn reports_dates_of_authorities() {
    let old = ROOT.intermediate("Old", |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2025, 1, 1);
    });
    let verdict = judge(&issued(&named(&["imap.example.org"]), &old), &[&old]);
    assert_eq!(problems(&verdict), [ChainProblem::IssuerDates]);
}

#[test]
fn reports_a_missing_intermediate() {
    let middle = ROOT.intermediate("Intermediate", |_| {});
    let certificate = issued(&named(&["imap.example.org"]), &middle);
    assert_eq!(judge(&certificate, &[&middle]).chain, ChainVerdict::Trusted);
    let expected = [
        ChainProblem::UnknownIssuer,
        ChainProblem::IntermediateMissing,
    ];
    assert_eq!(problems(&judge(&certificate, &[])), expected);
}

#[test]
fn reports_self_signed_certificates() {
    let named = named(&["imap.example.org"]);
    let certificate = named.self_signed().certificate();
    let expected = [ChainProblem::UnknownIssuer, ChainProblem::SelfSigned];
    assert_eq!(problems(&judge(&certificate, &[])), expected);
    let authority = Authority::with("imap.example.org", |params| {
        params.subject_alt_names = named.params().subject_alt_names.clone();
    });
    let verdict = judge(&authority.certificate(), &[]);
    assert_eq!(
        problems(&verdict),
        [ChainProblem::IsAuthority, ChainProblem::SelfSigned]
    );
    assert!(is_named(&verdict));
}

/// A missing extended key usage permits all uses, `anyExtendedKeyUsage` does not stand for server authentication (as
/// webpki has it).
#[test]
fn demands_server_authentication_of_an_extended_key_usage() {
    let with = |purposes: &[ExtendedKeyUsagePurpose]| {
        let certificate = Certificate::server(&["imap.example.org"]).usages(purposes);
        judge(&issued(&certificate, &ROOT), &[])
    };
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
    assert_eq!(with(&[]).chain, ChainVerdict::Trusted);
    assert_eq!(with(&[ServerAuth]).chain, ChainVerdict::Trusted);
    assert_eq!(with(&[ClientAuth, ServerAuth]).chain, ChainVerdict::Trusted);
    assert_eq!(problems(&with(&[ClientAuth])), [ChainProblem::Purpose]);
    assert_eq!(problems(&with(&[Any])), [ChainProblem::Purpose]);
}

#[test]
fn reads_certificates_that_are_none() {
    for octets in [
        &[][..],
        &[0x30],
        &[0x30, 0x00],
        b"-----BEGIN CERTIFICATE-----",
    ] {
        let certificate = CertificateDer::from(octets);
        let verdict = typed().judge(&certificate, std::slice::from_ref(&certificate), at(NOW));
        assert_eq!(problems(&verdict), [ChainProblem::Malformed]);
        let IdentityVerdict::Differs(mismatch) = verdict.identity else {
            panic!("a name matches");
        };
        assert!(mismatch.unreadable);
    }
}

#[test]
fn judges_adversarial_chains_in_bounded_time() {
    let begun = std::time::Instant::now();
    let certificate = issued(&named(&["imap.example.org"]), &ROOT);
    // Certificates of one name: each could be the issuer of each.
    let others: Vec<_> = (0..100)
        .map(|_| ROOT.intermediate("Root", |_| {}).certificate())
        .collect();
    let stranger = Authority::new("Root");
    let forged = issued(&named(&["imap.example.org"]), &stranger);
    let made = begun.elapsed();
    assert_eq!(
        typed().judge(&certificate, &others, at(NOW)).chain,
        ChainVerdict::Trusted
    );
    assert!(!typed().judge(&forged, &others, at(NOW)).is_verified());
    let more = [others.as_slice(), std::slice::from_ref(&certificate)].concat();
    assert_eq!(
        problems(&typed().judge(&certificate, &more, at(NOW))),
        [ChainProblem::TooLarge]
    );
    let names: Vec<_> = (0..1_000)
        .map(|n| format!("host-{n}.example.net"))
        .collect();
    let names: Vec<_> = names
        .iter()
        .map(String::as_str)
        .chain(["imap.example.org"])
        .collect();
    assert!(judge(&issued(&named(&names), &ROOT), &[]).is_verified());
    let IdentityVerdict::Differs(mismatch) =
        judge(&issued(&named(&names[..1_000]), &ROOT), &[]).identity
    else {
        panic!("a name matches");
    };
    assert_eq!((mismatch.presented.len(), mismatch.omitted), (100, 900));
    let padding = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![0; 62_000]);
    let large = named(&["imap.example.org"]);
    let large = large.change(|params| params.custom_extensions = vec![padding]);
    assert!(judge(&issued(&large, &ROOT), &[]).is_verified());
    let judged = begun.elapsed() - made;
    assert!(judged < Duration::from_secs(5), "{judged:?}");
    assert_eq!(
        PresentedIdentity::Dns(b"x"[..].into()).to_string(),
        "DNS-ID x"
    );
}
