//! The chain of a server's certificate, checked before it is used.

use mail_implicit_tls::server::{CertificateError, CertificateSet};
use rustls::{
    crypto::ring::default_provider,
    pki_types::{CertificateDer, UnixTime},
};
use test_support::pki::{Authority, Certificate, Identity, rcgen::date_time_ymd};

fn check(own: &Identity, issuers: &[&Authority]) -> Result<(), CertificateError> {
    let issuers = issuers.iter().map(|issuer| issuer.certificate());
    let chain: Vec<CertificateDer<'static>> =
        [own.certificate()].into_iter().chain(issuers).collect();
    let chains = vec![(chain, own.private_key())];
    CertificateSet::check(chains, &default_provider(), UnixTime::now()).map(|_| ())
}

fn server(authority: &Authority) -> Identity {
    Certificate::server(&["imap.example.org"]).issue(authority)
}

#[test]
fn accepts_chains_with_and_without_the_root() {
    let root = Authority::new("Root");
    let intermediate = root.intermediate("Intermediate", |_| {});
    let lower = intermediate.intermediate("Lower", |_| {});
    let own = server(&lower);
    assert_eq!(check(&own, &[]), Ok(()));
    assert_eq!(check(&own, &[&lower]), Ok(()));
    assert_eq!(check(&own, &[&lower, &intermediate]), Ok(()));
    assert_eq!(check(&own, &[&lower, &intermediate, &root]), Ok(()));
}

#[test]
fn rejects_an_issuer_of_the_same_name_and_another_key() {
    let root = Authority::new("Root");
    let intermediate = root.intermediate("Intermediate", |_| {});
    let namesake = root.intermediate("Intermediate", |_| {});
    let own = server(&intermediate);
    assert_eq!(check(&own, &[&namesake]), Err(CertificateError::Chain));
    assert_eq!(
        check(&own, &[&namesake, &root]),
        Err(CertificateError::Chain)
    );
    // Further up in the chain.
    let other_root = Authority::new("Root");
    assert_eq!(
        check(&own, &[&intermediate, &other_root]),
        Err(CertificateError::Chain)
    );
}

#[test]
fn rejects_an_issuer_that_expired_or_is_not_valid_yet() {
    let root = Authority::new("Root");
    for (from, until) in [(2000, 2001), (3000, 3001)] {
        let outdated = root.intermediate("Intermediate", |params| {
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(until, 1, 1);
        });
        assert_eq!(
            check(&server(&outdated), &[&outdated]),
            Err(CertificateError::Dates)
        );
    }
}

#[test]
fn reports_the_first_end_of_validity_in_the_chain() {
    let root = Authority::new("Root");
    let short = root.intermediate("Intermediate", |params| {
        params.not_after = date_time_ymd(2100, 1, 1);
    });
    let own = Certificate::server(&["imap.example.org"])
        .valid(2020, 2200)
        .issue(&short);
    let chains = vec![(
        vec![own.certificate(), short.certificate()],
        own.private_key(),
    )];
    let set = CertificateSet::check(chains, &default_provider(), UnixTime::now()).unwrap();
    assert_eq!(set.not_after(), date_time_ymd(2100, 1, 1).unix_timestamp());
}
