//! Settings of the connector: client certificates, application protocols, cipher suites.

use std::{sync::Arc, time::Duration};

use mail_implicit_tls::{
    account::Host,
    client::Connector,
    failure::{Cause, TlsFailure},
    service::Service,
};
use rustls::{ServerConfig, server::WebPkiClientVerifier};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::{
    client_hello::{extension, hello_of, offers},
    serving::{GREETING, cause, high, listener, serve_tls, server},
    site::{HOST, Site},
};

/// The extension `application_layer_protocol_negotiation`.
const ALPN: u16 = 16;

#[tokio::test]
async fn sends_a_client_certificate_only_to_its_host_and_on_request() {
    let site = Site::new();
    let certificate = site.client("alice");
    let roots = Arc::new(site.roots());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, site.provider())
        .allow_unauthenticated()
        .build();
    let requesting = Arc::new(site.with_client_verifier(verifier.unwrap()));
    for (requests, host, expected) in [
        (true, HOST, true),
        (true, "other.example.org", false),
        (false, HOST, false),
    ] {
        let (listener, port) = listener().await;
        let config = if requests {
            requesting.clone()
        } else {
            site.server_config()
        };
        let serving = tokio::spawn(serve_tls(listener, config, GREETING));
        let server = server(Service::IMAPS, port);
        let account = high(&server);
        let connector = site.connector().with_client_certificate(
            account.id().clone(),
            Host::parse(host).unwrap(),
            certificate.clone(),
        );
        connector.connect(&account, &server).await.unwrap();
        let far = serving.await.unwrap();
        assert_eq!(far.get_ref().1.peer_certificates().is_some(), expected);
    }
}

#[tokio::test]
async fn offers_its_application_protocol_by_option() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let mut config = ServerConfig::clone(&site.server_config());
    config.alpn_protocols = vec![b"imap".to_vec()];
    let serving = tokio::spawn(serve_tls(listener, Arc::new(config), GREETING));
    let server = server(Service::IMAPS, port);
    site.connector()
        .offer_alpn()
        .connect(&high(&server), &server)
        .await
        .unwrap();
    assert_eq!(
        serving.await.unwrap().get_ref().1.alpn_protocol(),
        Some(b"imap".as_slice())
    );
}

#[tokio::test]
async fn offers_no_application_protocol_unless_told() {
    let site = Site::new();
    for (service, offered) in [
        (Service::IMAPS, Some(b"\0\x05\x04imap".to_vec())),
        (Service::POP3S, Some(b"\0\x05\x04pop3".to_vec())),
        (Service::SUBMISSIONS, None),
    ] {
        let hello = hello_of(&site.connector(), service).await;
        assert_eq!(extension(&hello, ALPN), None);
        // The test reads extensions: SNI is there.
        assert!(extension(&hello, 0).is_some());
        let hello = hello_of(&site.connector().offer_alpn(), service).await;
        assert_eq!(extension(&hello, ALPN), offered);
    }
}

#[tokio::test]
async fn makes_no_second_attempt_without_alpn() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let mut config = ServerConfig::clone(&site.server_config());
    config.alpn_protocols = vec![b"other".to_vec()];
    let serving = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let _ = TlsAcceptor::from(Arc::new(config)).accept(tcp).await;
        tokio::time::timeout(Duration::from_millis(300), listener.accept())
            .await
            .is_err()
    });
    let server = server(Service::IMAPS, port);
    let failure = cause(&site.connector().offer_alpn(), &high(&server), &server).await;
    assert_eq!(failure, Cause::Tls(TlsFailure::Alert(120)));
    assert!(serving.await.unwrap(), "one attempt expected");
}

/// A setting of the connector counts for the servers that it connected to before, too.
#[tokio::test]
async fn applies_what_is_set_between_two_connections() {
    let site = Site::new();
    let roots = Arc::new(site.roots());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, site.provider())
        .allow_unauthenticated()
        .build();
    let mut config = site.with_client_verifier(verifier.unwrap());
    config.alpn_protocols = vec![b"imap".to_vec()];
    let config = Arc::new(config);
    let (listener, port) = listener().await;
    let serving = tokio::spawn(async move {
        let mut seen = Vec::new();
        for _ in 0..3 {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut stream = TlsAcceptor::from(config.clone()).accept(tcp).await.unwrap();
            stream.write_all(GREETING).await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
            let tls = stream.get_ref().1;
            seen.push((
                tls.alpn_protocol().is_some(),
                tls.peer_certificates().is_some(),
            ));
        }
        seen
    });
    let server = server(Service::IMAPS, port);
    let account = high(&server);
    let connect = async |connector: &Connector| {
        let connection = connector.connect(&account, &server).await.unwrap();
        connection.into_stream().shutdown().await.unwrap();
    };
    let connector = site.connector();
    connect(&connector).await;
    let connector = connector.offer_alpn();
    connect(&connector).await;
    let (id, host) = (account.id().clone(), server.host.clone());
    let connector = connector.with_client_certificate(id, host, site.client("alice"));
    connect(&connector).await;
    let expected = [(false, false), (true, false), (true, true)];
    assert_eq!(serving.await.unwrap(), expected);
}

/// Section 9.1 demands `TLS_RSA_WITH_AES_128_CBC_SHA` and, of IMAP, `TLS_RSA_WITH_RC4_128_MD5`. RFC 7465 prohibits RC4, RFC
/// 9325 section 4.1 advises against key transport by RSA, and no provider of rustls has either.
#[tokio::test]
async fn lacks_the_cipher_suites_that_later_documents_prohibit() {
    const RSA_AES_128_CBC_SHA: u16 = 0x002f;
    const RSA_RC4_128_MD5: u16 = 0x0004;
    /// `TLS_EMPTY_RENEGOTIATION_INFO_SCSV`, which is a signal and no suite.
    const RENEGOTIATION: u16 = 0x00ff;

    let site = Site::new();
    let provider = site.provider();
    let suites: Vec<_> = provider
        .cipher_suites
        .iter()
        .map(|suite| u16::from(suite.suite()))
        .collect();
    assert_eq!(
        suites,
        [
            0x1302, // TLS_AES_256_GCM_SHA384
            0x1301, // TLS_AES_128_GCM_SHA256
            0x1303, // TLS_CHACHA20_POLY1305_SHA256
            0xc02c, // TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
            0xc02b, // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            0xcca9, // TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
            0xc030, // TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
            0xc02f, // TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
            0xcca8, // TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        ]
    );
    for required in [RSA_AES_128_CBC_SHA, RSA_RC4_128_MD5] {
        assert!(!suites.contains(&required));
    }
    // The client offers what the provider has, and nothing else.
    let hello = hello_of(&site.connector(), Service::IMAPS).await;
    let (mut offered, _) = offers(&hello);
    offered.retain(|suite| *suite != RENEGOTIATION);
    assert_eq!(offered, suites);
}
