//! Sessions of TLS that are resumed.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use mail_implicit_tls::{
    failure::Cause,
    privacy::PrivacyLevel,
    service::Service,
    verdict::{ChainProblem, ChainVerdict, IdentityVerdict},
};
use rustls::{
    ClientConfig, HandshakeKind, ServerConfig,
    pki_types::{ServerName, UnixTime},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::{
    client_hello::{client_hello, extension},
    serving::{GREETING, cause, high, listener, server},
    site::{HOST, Site, account_of},
};

#[tokio::test]
async fn resumes_sessions_of_one_account_only() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let config = site.server_config();
    let serving = tokio::spawn(async move {
        for _ in 0..3 {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut stream = TlsAcceptor::from(config.clone()).accept(tcp).await.unwrap();
            stream.write_all(GREETING).await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    let server = server(Service::IMAPS, port);
    let connector = site.connector();
    let mut resumed = Vec::new();
    for account in [high(&server), high(&server), account_of("carol", &server)] {
        let connection = connector.connect(&account, &server).await.unwrap();
        assert_eq!(connection.indication().level(), Some(PrivacyLevel::High));
        resumed.push(connection.is_resumed());
        connection.into_stream().shutdown().await.unwrap();
    }
    assert_eq!(resumed, [false, true, false]);
    serving.await.unwrap();
}

/// The extensions `pre_shared_key` and `early_data`.
const PRE_SHARED_KEY: u16 = 41;
const EARLY_DATA: u16 = 42;

#[tokio::test]
async fn sends_no_early_data_when_it_resumes() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let mut config = ServerConfig::clone(&site.server_config());
    config.max_early_data_size = 16_384;
    let config = Arc::new(config);
    let serving = tokio::spawn(async move {
        let mut hellos = Vec::new();
        for _ in 0..4 {
            let (tcp, _) = listener.accept().await.unwrap();
            hellos.push(client_hello(&tcp).await);
            let mut stream = TlsAcceptor::from(config.clone()).accept(tcp).await.unwrap();
            stream.write_all(GREETING).await.unwrap();
            stream.flush().await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        hellos
    });
    let server = server(Service::IMAPS, port);
    let connector = site.connector();
    for resumed in [false, true] {
        let connection = connector.connect(&high(&server), &server).await.unwrap();
        assert_eq!(connection.is_resumed(), resumed);
        connection.into_stream().shutdown().await.unwrap();
    }
    // The same server to a client that sends early data.
    let mut eager = ClientConfig::builder_with_provider(site.provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(site.roots())
        .with_no_client_auth();
    eager.enable_early_data = true;
    let eager = TlsConnector::from(Arc::new(eager));
    for _ in 0..2 {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
        let name = ServerName::try_from(HOST).unwrap();
        let mut stream = eager.connect(name, tcp).await.unwrap();
        stream.read_exact(&mut [0; 4]).await.unwrap();
        stream.shutdown().await.unwrap();
    }
    let hellos = serving.await.unwrap();
    let has = |number| -> Vec<_> {
        let hellos = hellos.iter();
        hellos
            .map(|hello| extension(hello, number).is_some())
            .collect()
    };
    assert_eq!(has(PRE_SHARED_KEY), [false, true, false, true]);
    assert_eq!(has(EARLY_DATA), [false, false, false, true]);
}

#[tokio::test]
async fn refuses_a_resumed_session_whose_certificate_expired() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let expiry = UnixTime::now().as_secs() + 5;
    let config = site.config_for(&site.expiring_at(expiry));
    let serving = tokio::spawn(async move {
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut stream = TlsAcceptor::from(config.clone()).accept(tcp).await.unwrap();
            kinds.push(stream.get_ref().1.handshake_kind());
            let _ = stream.write_all(GREETING).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        kinds
    });
    let server = server(Service::IMAPS, port);
    let connector = site.connector();
    let connection = connector.connect(&high(&server), &server).await.unwrap();
    connection.into_stream().shutdown().await.unwrap();
    while UnixTime::now().as_secs() <= expiry {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let Cause::NotVerified(verdict) = cause(&connector, &high(&server), &server).await else {
        panic!("not verified expected")
    };
    let ChainVerdict::Refused(problems) = &verdict.chain else {
        panic!("{verdict}")
    };
    assert!(
        matches!(problems.as_slice(), [ChainProblem::Expired { .. }]),
        "{problems:?}"
    );
    assert!(matches!(verdict.identity, IdentityVerdict::Matches { .. }));
    assert_eq!(
        serving.await.unwrap(),
        [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)]
    );
}
