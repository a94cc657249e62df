//! Connections that begin in clear text and are upgraded by `STARTTLS` (section 4).

use mail_implicit_tls::{
    dialogue::DialogueError, failure::Cause, privacy::PrivacyLevel, service::Service,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::{
    serving::{UPGRADED, after_upgrade, cause, high, listener, server, upgrade},
    site::Site,
};

#[tokio::test]
async fn upgrades_and_reads_capabilities_again() {
    let site = Site::new();
    for service in UPGRADED {
        let (listener, port) = listener().await;
        let config = site.server_config();
        let serving = tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            upgrade(&mut tcp, service, b"").await;
            let mut stream = TlsAcceptor::from(config).accept(tcp).await.unwrap();
            let (command, reply) = after_upgrade(service.protocol);
            stream.read_exact(&mut vec![0; command]).await.unwrap();
            stream.write_all(reply).await.unwrap();
            stream.flush().await.unwrap();
            stream
        });
        let server = server(service, port);
        let connection = site
            .connector()
            .connect(&high(&server), &server)
            .await
            .unwrap();
        assert!(connection.capabilities().arguments("X-TLS").is_some());
        assert!(!connection.capabilities().has_starttls());
        assert_eq!(connection.indication().level(), Some(PrivacyLevel::High));
        let mut far = serving.await.unwrap();
        far.shutdown().await.unwrap();
        let mut all = String::new();
        connection
            .into_stream_with_greeting()
            .read_to_string(&mut all)
            .await
            .unwrap();
        assert!(
            all.ends_with(" ready\r\n") && !all.contains("hi"),
            "{all:?}"
        );
    }
}

#[tokio::test]
async fn refuses_injected_octets_at_once_and_late() {
    let site = Site::new();
    for service in UPGRADED {
        for late in [false, true] {
            let (listener, port) = listener().await;
            let config = site.server_config();
            tokio::spawn(async move {
                let (mut tcp, _) = listener.accept().await.unwrap();
                let injected: &[u8] = b"* CAPABILITY AUTH=EVIL\r\n";
                upgrade(&mut tcp, service, if late { b"" } else { injected }).await;
                if late {
                    // The ClientHello is on its way; the injected octets come before the ServerHello.
                    tcp.read_exact(&mut [0; 5]).await.unwrap();
                    tcp.write_all(injected).await.unwrap();
                }
                let _ = TlsAcceptor::from(config).accept(tcp).await;
            });
            let server = server(service, port);
            assert_eq!(
                cause(&site.connector(), &high(&server), &server).await,
                Cause::Dialogue(DialogueError::Injected)
            );
        }
    }
}

#[tokio::test]
async fn judges_the_server_after_an_upgrade() {
    let site = Site::new();
    let config = site.config_for(&site.issue(&["other.example"]));
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        upgrade(&mut tcp, Service::IMAP_STARTTLS, b"").await;
        let _ = TlsAcceptor::from(config).accept(tcp).await;
    });
    let server = server(Service::IMAP_STARTTLS, port);
    assert!(matches!(
        cause(&site.connector(), &high(&server), &server).await,
        Cause::NotVerified(_)
    ));
}
