//! Clear text after TLS failed, which the low level permits (section 3.3).

use std::{sync::Arc, time::Duration};

use mail_implicit_tls::{
    account::{AccountSetup, LowPrivacy},
    dialogue::DialogueError,
    failure::Cause,
    service::Service,
    verdict::{ChainProblem, ChainVerdict, Verdict},
};
use rustls::{
    ServerConfig,
    sign::{CertifiedKey, SingleCertAndKey},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::{
    serving::{cause, listener, low, server, upgrade},
    site::{self, HOST, Site, account_of},
};

#[tokio::test]
async fn never_speaks_in_clear_text_for_a_private_account() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let serving = tokio::spawn(async move {
        tokio::time::timeout(Duration::from_millis(300), listener.accept())
            .await
            .is_err()
    });
    let server = server(Service::IMAP_CLEAR, port);
    // An account at the high level cannot be set up with such a server: nothing connects.
    let refused = AccountSetup::new(site::id("alice"))
        .server(server.clone())
        .build();
    assert!(refused.is_err());
    let account = account_of("alice", &self::server(Service::IMAPS, port));
    assert_eq!(
        cause(&site.connector(), &account, &server).await,
        Cause::ClearText
    );
    assert!(serving.await.unwrap(), "no connection expected");
}

#[tokio::test]
async fn connects_in_clear_text_after_tls_failed_only_at_the_low_level() {
    let site = Site::new();
    let fallback = LowPrivacy {
        ignore_certificate: false,
        clear_text_fallback: true,
    };
    for (permitted, expected) in [(fallback, true), (LowPrivacy::default(), false)] {
        let (listener, port) = listener().await;
        tokio::spawn(async move {
            loop {
                let (mut tcp, _) = listener.accept().await.unwrap();
                tcp.write_all(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] no tls here\r\n")
                    .await
                    .unwrap();
                let _ = tcp.read_to_end(&mut Vec::new()).await;
            }
        });
        let server = server(Service::IMAP_STARTTLS, port);
        let result = site
            .connector()
            .connect(&low(&server, permitted), &server)
            .await;
        match result {
            Ok(connection) => {
                assert!(expected);
                assert_eq!(connection.service(), Service::IMAP_CLEAR);
                assert_eq!(connection.indication().level(), None);
            }
            Err(failure) => {
                assert!(!expected);
                assert_eq!(failure.cause(), &Cause::Dialogue(DialogueError::NoStartTls));
            }
        }
    }
}

#[tokio::test]
async fn never_falls_back_to_clear_text_because_of_a_certificate() {
    let site = Site::new();
    let config = site.config_for(&site.issue(&["other.example"]));
    let (listener, port) = listener().await;
    let serving = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        upgrade(&mut tcp, Service::IMAP_STARTTLS, b"").await;
        let _ = TlsAcceptor::from(config).accept(tcp).await;
        tokio::time::timeout(Duration::from_millis(300), listener.accept())
            .await
            .is_err()
    });
    let server = server(Service::IMAP_STARTTLS, port);
    let fallback = LowPrivacy {
        ignore_certificate: false,
        clear_text_fallback: true,
    };
    let cause = cause(&site.connector(), &low(&server, fallback), &server).await;
    assert!(matches!(cause, Cause::NotVerified(_)), "{cause}");
    assert!(serving.await.unwrap(), "one attempt expected");
}

/// The certificate is genuine, and the server has another key: a fault of the certificate, not of the negotiation.
#[tokio::test]
async fn never_falls_back_to_clear_text_because_of_a_key() {
    let site = Site::new();
    let key = site.issue(&[HOST]).private_key();
    let key = site.provider().key_provider.load_private_key(key).unwrap();
    let chain = vec![site.server().certificate()];
    let stolen = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    let mut config = ServerConfig::clone(&site.server_config());
    config.cert_resolver = Arc::new(stolen);
    let config = Arc::new(config);
    for ignore_certificate in [false, true] {
        let (listener, port) = listener().await;
        let config = config.clone();
        let serving = tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            upgrade(&mut tcp, Service::IMAP_STARTTLS, b"").await;
            let _ = TlsAcceptor::from(config).accept(tcp).await;
            tokio::time::timeout(Duration::from_millis(300), listener.accept())
                .await
                .is_err()
        });
        let server = server(Service::IMAP_STARTTLS, port);
        let fallback = LowPrivacy {
            ignore_certificate,
            clear_text_fallback: true,
        };
        let cause = cause(&site.connector(), &low(&server, fallback), &server).await;
        let refused = Verdict {
            chain: ChainVerdict::Refused(vec![ChainProblem::Signature]),
            ..Verdict::default()
        };
        assert_eq!(cause, Cause::NotVerified(Box::new(refused)));
        assert!(serving.await.unwrap(), "one attempt expected");
    }
}
