//! The server's certificates: choice by name, and replacement.

use std::sync::Arc;

use accept_loop::AcceptLoop;
use mail_implicit_tls::{
    server::{Acceptor, CertificateError as ChainError, CertificateSet, Certificates, UnknownName},
    service::Service,
};
use rustls::{
    AlertDescription, CertificateError,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    running::{Running, connect, raw, set, tls_error},
    site::{HOST, Site},
};

#[tokio::test]
async fn replaces_certificates_without_dropping_connections() {
    let site = Site::new();
    let running = Running::of(Service::IMAPS, &site).await;
    let mut old = connect(&site, &running, Service::IMAPS).await.into_stream();
    let other = site.issue(&["other.example.org"]);
    running.certificates.replace(set(&site, &[&other]).unwrap());
    old.write_all(b"PING\r\n").await.unwrap();
    old.flush().await.unwrap();
    let mut pong = [0; 6];
    old.read_exact(&mut pong).await.unwrap();
    let new = raw(&site, &running, "other.example.org", &[])
        .await
        .unwrap();
    assert_eq!(
        new.get_ref().1.peer_certificates().unwrap()[0],
        other.certificate()
    );
    assert!(raw(&site, &running, HOST, &[]).await.is_err());
}

#[tokio::test]
async fn chooses_certificates_by_name() {
    let site = Site::new();
    let [first, wildcard] = [
        site.issue(&["a.example.org"]),
        site.issue(&["*.b.example.org"]),
    ];
    for unknown in [UnknownName::FirstCertificate, UnknownName::Refuse] {
        let certificates = Arc::new(Certificates::new(unknown));
        certificates.replace(set(&site, &[&first, &wildcard]).unwrap());
        let acceptor = Acceptor::new(Service::IMAPS, certificates, site.provider()).unwrap();
        let running = Running::start(acceptor, AcceptLoop::new()).await;
        for (name, expected) in [
            ("a.example.org", &first),
            ("x.b.example.org", &wildcard),
            ("A.Example.ORG", &first),
        ] {
            let stream = raw(&site, &running, name, &[]).await.unwrap();
            assert_eq!(
                stream.get_ref().1.peer_certificates().unwrap()[0],
                expected.certificate()
            );
        }
        let error = raw(&site, &running, "c.example.org", &[]).await;
        let error = tls_error(&error.unwrap_err()).unwrap();
        match unknown {
            UnknownName::FirstCertificate => assert_eq!(
                error,
                CertificateError::NotValidForNameContext {
                    expected: ServerName::try_from("c.example.org").unwrap(),
                    presented: vec!["DnsName(\"a.example.org\")".to_owned()],
                }
                .into()
            ),
            UnknownName::Refuse => assert_eq!(
                error,
                rustls::Error::AlertReceived(AlertDescription::AccessDenied)
            ),
        }
    }
}

#[tokio::test]
async fn keeps_certificates_that_cannot_be_replaced() {
    let site = Site::new();
    let other = site.issue(&[HOST]);
    let check =
        |chains| CertificateSet::check(chains, &site.provider(), UnixTime::now()).map(|_| ());
    let good = site.server();
    for (chains, error) in [
        (vec![], ChainError::Empty),
        (vec![(vec![], good.private_key())], ChainError::Empty),
        (
            vec![(vec![good.certificate()], other.private_key())],
            ChainError::OtherKey,
        ),
        (
            vec![(
                vec![CertificateDer::from(vec![0x30, 0x03, 1, 2])],
                good.private_key(),
            )],
            ChainError::Malformed,
        ),
        (
            vec![(vec![site.expired().certificate()], good.private_key())],
            ChainError::Dates,
        ),
        (
            vec![(vec![site.root(), good.certificate()], good.private_key())],
            ChainError::Order,
        ),
        (
            vec![(
                vec![good.certificate(), other.certificate()],
                good.private_key(),
            )],
            ChainError::Chain,
        ),
    ] {
        assert_eq!(check(chains), Err(error));
    }
    assert_eq!(
        check(vec![(
            vec![good.certificate(), site.root()],
            good.private_key()
        )]),
        Ok(())
    );
    let set = set(&site, &[good]).unwrap();
    let in_force = set.not_after();
    let certificates = Certificates::new(UnknownName::FirstCertificate);
    assert!(certificates.is_empty() && certificates.not_after().is_none());
    certificates.replace(set);
    assert_eq!(certificates.not_after(), Some(in_force));
}
