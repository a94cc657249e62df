//! Servers whose certificate is not verified (section 3.1).

use mail_implicit_tls::{
    account::LowPrivacy,
    failure::{Action, Cause},
    privacy::PrivacyLevel,
    service::{Security, Service},
    verdict::{ChainProblem, ChainVerdict, IdentityVerdict},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    serving::{GREETING, cause, high, listener, low, serve_tls, server},
    site::Site,
};

#[tokio::test]
async fn refuses_a_server_that_is_not_verified_and_offers_no_way_around() {
    let site = Site::new();
    for (config, expired, named) in [
        (
            site.config_for(&site.issue(&["other.example"])),
            false,
            false,
        ),
        (site.config_for(&site.expired()), true, true),
    ] {
        let (listener, port) = listener().await;
        let serving = tokio::spawn(async move {
            let (tcp, _) = listener.accept().await.unwrap();
            TlsAcceptor::from(config).accept(tcp).await.map(|_| ())
        });
        let server = server(Service::IMAPS, port);
        let failure = site
            .connector()
            .connect(&high(&server), &server)
            .await
            .unwrap_err();
        let Cause::NotVerified(verdict) = failure.cause() else {
            panic!("{failure}")
        };
        assert_eq!(matches!(verdict.chain, ChainVerdict::Refused(_)), expired);
        assert_eq!(
            matches!(verdict.identity, IdentityVerdict::Matches { .. }),
            named
        );
        assert_eq!(
            failure.actions(),
            [Action::WorkOffline, Action::TryAgainLater]
        );
        assert!(serving.await.unwrap().is_err());
    }
}

#[tokio::test]
async fn names_a_chain_without_its_intermediate() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let config = Site::new().server_config();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let _ = TlsAcceptor::from(config).accept(tcp).await;
    });
    let server = server(Service::IMAPS, port);
    let Cause::NotVerified(verdict) = cause(&site.connector(), &high(&server), &server).await
    else {
        panic!("not verified expected")
    };
    let ChainVerdict::Refused(problems) = &verdict.chain else {
        panic!("{verdict}")
    };
    assert!(
        problems.contains(&ChainProblem::UnknownIssuer),
        "{problems:?}"
    );
    assert!(
        problems.contains(&ChainProblem::IntermediateMissing),
        "{problems:?}"
    );
}

#[tokio::test]
async fn shows_no_high_level_for_a_certificate_that_was_not_verified() {
    let site = Site::new();
    let config = site.config_for(&site.issue(&["other.example"]));
    let (listener, port) = listener().await;
    let _serving = tokio::spawn(serve_tls(listener, config, GREETING));
    let server = server(Service::IMAPS, port);
    let ignore = LowPrivacy {
        ignore_certificate: true,
        clear_text_fallback: false,
    };
    let connection = site
        .connector()
        .connect(&low(&server, ignore), &server)
        .await
        .unwrap();
    assert_eq!(connection.indication().level(), Some(PrivacyLevel::Low));
    assert_eq!(connection.service().security, Security::Implicit);
}

#[cfg(feature = "bundled-roots")]
#[tokio::test]
async fn refuses_a_private_authority_with_the_bundled_ones() {
    use std::sync::Arc;

    use mail_implicit_tls::{client::Connector, verifier::Trust};

    let trust = Trust::of_mozilla();
    assert!(trust.len() > 50 && !trust.is_empty());
    let site = Site::new();
    let (listener, port) = listener().await;
    let config = site.server_config();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let _ = TlsAcceptor::from(config).accept(tcp).await;
    });
    let server = server(Service::IMAPS, port);
    let connector = Connector::new(site.provider(), Arc::new(trust));
    let Cause::NotVerified(verdict) = cause(&connector, &high(&server), &server).await else {
        panic!("not verified expected")
    };
    let ChainVerdict::Refused(problems) = &verdict.chain else {
        panic!("{verdict}")
    };
    assert!(problems.contains(&ChainProblem::UnknownIssuer));
    assert!(matches!(verdict.identity, IdentityVerdict::Matches { .. }));
}
