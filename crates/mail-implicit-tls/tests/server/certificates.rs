//! The server's certificates: choice by name, and replacement.

use std::{sync::Arc, time::Duration};

use accept_loop::AcceptLoop;
use mail_implicit_tls::{
    server::{
        Acceptor, CertificateChain, CertificateError as ChainError, CertificateSet, Certificates,
        UnknownName,
    },
    service::Service,
};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

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

/// Returns the first octet of the answer to a ClientHello: 0x16 of a handshake, 0x15 of an alert. `sent` takes the place of
/// the name in it, which has the same length; without it the hello has no name.
async fn answer(site: &Site, running: &Running, name: &'static str, sent: Option<&str>) -> u8 {
    let mut config = ClientConfig::builder_with_provider(site.provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(site.roots())
        .with_no_client_auth();
    config.enable_sni = sent.is_some();
    let name_of_server = ServerName::try_from(name).unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name_of_server).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    if let Some(sent) = sent {
        let at = hello
            .windows(name.len())
            .position(|it| it == name.as_bytes());
        let at = at.unwrap();
        hello[at..at + name.len()].copy_from_slice(sent.as_bytes());
    }
    let mut tcp = TcpStream::connect(running.address).await.unwrap();
    tcp.write_all(&hello).await.unwrap();
    tcp.read_u8().await.unwrap()
}

/// RFC 6066 section 3: a name has no final dot. A client that sends one means the same host, and one that sends no name is
/// served with the first certificate.
#[tokio::test]
async fn reads_names_with_a_final_dot_and_serves_clients_without_a_name() {
    let site = Site::new();
    let first = site.issue(&["a.example.org"]);
    let certificates = Arc::new(Certificates::new(UnknownName::Refuse));
    certificates.replace(set(&site, &[&first]).unwrap());
    let acceptor = Acceptor::new(Service::IMAPS, certificates, site.provider()).unwrap();
    let running = Running::start(acceptor, AcceptLoop::new()).await;
    for (sent, expected) in [
        (Some("a.example.orgx"), 0x15),
        (Some("a.example.org."), 0x16),
        (Some("A.EXAMPLE.ORG."), 0x16),
        (Some("b.example.org."), 0x15),
        (None, 0x16),
    ] {
        let octet = answer(&site, &running, "a.example.orgx", sent).await;
        assert_eq!(octet, expected, "{sent:?}");
    }
}

#[test]
fn accepts_an_expired_certificate_only_if_dates_are_not_asked() {
    let site = Site::new();
    let provider = site.provider();
    let expired = site.expired();
    let chain = |key| {
        let certificates = vec![expired.certificate(), site.root()];
        CertificateChain::check_except_dates(certificates, key, &provider)
    };
    let kept = chain(expired.private_key()).unwrap();
    assert!(!kept.is_valid_at(UnixTime::now()));
    let end = u64::try_from(kept.not_after()).unwrap();
    let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    assert!(kept.is_valid_at(at(end)) && !kept.is_valid_at(at(end + 1)));
    assert_eq!(kept.names(), [HOST]);
    // Other faults are refused as before.
    let other = chain(site.server().private_key());
    assert_eq!(other.err(), Some(ChainError::OtherKey));
    let certificates = vec![expired.certificate(), site.server().certificate()];
    let unlinked =
        CertificateChain::check_except_dates(certificates, expired.private_key(), &provider);
    assert_eq!(unlinked.err(), Some(ChainError::Chain));
    let set = CertificateSet::new(&[kept]).unwrap();
    assert_eq!(u64::try_from(set.not_after()).unwrap(), end);
}
