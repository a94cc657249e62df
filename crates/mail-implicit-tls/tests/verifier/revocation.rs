//! Revocation, and trust that cannot be read.

use std::sync::Arc;

use mail_implicit_tls::{
    account::HostSource,
    identity::Rules,
    verdict::{ChainProblem, ChainVerdict},
    verifier::{Revocation, RevocationDepth, ServerVerifier, Trust, TrustError},
};
use rustls::pki_types::CertificateDer;
use test_support::pki::rcgen::{
    CertificateRevocationList, CertificateRevocationListParams, CrlDistributionPoint,
    CrlIssuingDistributionPoint, CrlScope, KeyIdMethod, SerialNumber, date_time_ymd,
};

use crate::{
    accounts::{account, problems, provider, trust},
    certificates::{NOW, ROOT, at, issued, stranger},
    lists::{crl, serial, with_revocation},
};

#[test]
fn follows_the_policy_of_revocation() {
    let strict = Revocation::default();
    let lax = Revocation {
        depth: RevocationDepth::EndEntity,
        allow_unknown: true,
        allow_expired: true,
    };
    let list = || crl(&ROOT, &[7], 2027, None);
    let revoked = with_revocation(&[list()], strict, &serial(7, None));
    assert_eq!(problems(&revoked), [ChainProblem::Revoked]);
    let revoked = with_revocation(&[list()], lax, &serial(7, None));
    assert_eq!(problems(&revoked), [ChainProblem::Revoked]);
    let good = with_revocation(&[list()], strict, &serial(8, None));
    assert!(good.is_verified());
    let stranger = stranger();
    let other = || crl(&stranger, &[7], 2027, None);
    let unknown = with_revocation(&[other()], strict, &serial(7, None));
    assert_eq!(problems(&unknown), [ChainProblem::RevocationUnknown]);
    assert!(with_revocation(&[other()], lax, &serial(7, None)).is_verified());
    let old = || crl(&ROOT, &[], 2026, None);
    let expired = with_revocation(&[old()], strict, &serial(8, None));
    assert_eq!(problems(&expired), [ChainProblem::RevocationListExpired]);
    assert!(with_revocation(&[old()], lax, &serial(8, None)).is_verified());
    assert!(with_revocation(&[], strict, &serial(7, None)).is_verified());
}

/// RUSTSEC-2026-0049: the list of the second distribution point is found.
#[test]
fn finds_the_list_of_a_distribution_point() {
    let (first, second) = ("http://crl.example/1", "http://crl.example/2");
    let lists = [
        crl(&ROOT, &[], 2027, Some(first)),
        crl(&ROOT, &[7], 2027, Some(second)),
    ];
    let verdict = with_revocation(&lists, Revocation::default(), &serial(7, Some(second)));
    assert_eq!(problems(&verdict), [ChainProblem::Revoked]);
    let verdict = with_revocation(&lists, Revocation::default(), &serial(7, Some(first)));
    assert!(verdict.is_verified());
}

/// Finds the list by both points in the certificate: the list's is the second, or the second URI of one point.
#[test]
fn finds_the_list_of_the_second_distribution_point() {
    let (first, second) = ("http://crl.example/1", "http://crl.example/2");
    let point = |uris: &[&str]| CrlDistributionPoint {
        uris: uris.iter().map(|uri| (*uri).to_owned()).collect(),
    };
    for points in [
        vec![point(&[first]), point(&[second])],
        vec![point(&[first, second])],
    ] {
        let lists = |revoked: &[u64]| [crl(&ROOT, revoked, 2027, Some(second))];
        let certificate = serial(7, None);
        let certificate = certificate.change(|params| params.crl_distribution_points = points);
        let verdict = with_revocation(&lists(&[7]), Revocation::default(), &certificate);
        assert_eq!(problems(&verdict), [ChainProblem::Revoked]);
        let verdict = with_revocation(&lists(&[8]), Revocation::default(), &certificate);
        assert_eq!(verdict.chain, ChainVerdict::Trusted);
    }
}

/// RUSTSEC-2026-0104: a list for some reasons, whose flags are an empty bit string, is refused and nothing else.
#[test]
fn rejects_a_list_whose_reasons_are_an_empty_bit_string() {
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1),
        next_update: date_time_ymd(2027, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: Some(CrlIssuingDistributionPoint {
            distribution_point: CrlDistributionPoint {
                uris: vec!["http://crl.example/1".to_owned()],
            },
            scope: Some(CrlScope::UserCertsOnly),
        }),
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = params.signed_by(&*ROOT).unwrap().der().to_vec();
    let parse = |octets: Vec<u8>| {
        let trust = Trust::none().with_revocation([octets.into()], Revocation::default());
        trust.map(|_| ())
    };
    assert_eq!(parse(list.clone()), Ok(()));
    // onlyContainsUserCerts in place of which onlySomeReasons comes.
    let scope = [0x81, 1, 0xff];
    let places: Vec<_> = list
        .windows(3)
        .enumerate()
        .filter(|(_, octets)| *octets == scope)
        .map(|(place, _)| place)
        .collect();
    let [place] = places[..] else {
        panic!("{places:?}");
    };
    for reasons in [[0x83, 1, 0], [0x83, 1, 1], [0x83, 1, 8], [0x83, 0, 0]] {
        let mut list = list.clone();
        list[place..place + 3].copy_from_slice(&reasons);
        assert_eq!(parse(list), Err(TrustError::RevocationList));
    }
}

/// The status of an authority counts, too, unless the policy says that it does not.
#[test]
fn checks_the_status_of_authorities_by_policy() {
    let issuer = ROOT.intermediate("Intermediate", |params| {
        params.serial_number = Some(SerialNumber::from(5));
    });
    let certificate = issued(&serial(7, None), &issuer);
    let judged = |lists: &[&CertificateRevocationList], policy| {
        let trust = Trust::in_certificates([ROOT.certificate()]).unwrap();
        let lists = lists.iter().map(|list| list.der().clone());
        let trust = Arc::new(trust.with_revocation(lists, policy).unwrap());
        let account = account(Rules::Rfc7817, HostSource::User);
        let verifier = ServerVerifier::new(&account, &account.servers()[0], trust, &provider());
        let others = [issuer.certificate()];
        verifier.judge(&certificate, &others, at(NOW)).chain
    };
    let (own, of_root) = (crl(&issuer, &[], 2027, None), crl(&ROOT, &[5], 2027, None));
    let chain = Revocation::default();
    let end_entity = Revocation {
        depth: RevocationDepth::EndEntity,
        ..chain
    };
    let refused = |problem| ChainVerdict::Refused(vec![problem]);
    let unknown = refused(ChainProblem::RevocationUnknown);
    assert_eq!(judged(&[&own], chain), unknown);
    assert_eq!(judged(&[&own], end_entity), ChainVerdict::Trusted);
    let revoked = refused(ChainProblem::Revoked);
    assert_eq!(judged(&[&own, &of_root], chain), revoked);
    assert_eq!(judged(&[&own, &of_root], end_entity), ChainVerdict::Trusted);
}

#[test]
fn rejects_trust_in_what_cannot_be_read() {
    let garbage = CertificateDer::from(vec![0x30, 0x03, 1, 2, 3]);
    assert_eq!(
        Trust::in_certificates([garbage]).unwrap_err(),
        TrustError::Anchor
    );
    assert_eq!(trust().len(), 1);
    let lists = [vec![0x30, 0x03, 0x03, 0x01, 0x00].into()];
    let trust = Trust::none().with_revocation(lists, Revocation::default());
    assert_eq!(trust.unwrap_err(), TrustError::RevocationList);
    assert!(Trust::none().is_empty());
}
