//! Application protocols that clients offer (RFC 7301).

use std::{net::SocketAddr, sync::Arc};

use mail_implicit_tls::{server::AcceptError, service::Service};
use rustls::{AlertDescription, ClientConfig, pki_types::ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use crate::{
    running::{Running, acceptor, raw, tls_error},
    site::{HOST, Site},
};

/// The alert with which a server refuses the protocols that a client offers.
const NO_PROTOCOL: rustls::Error =
    rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol);

#[tokio::test]
async fn serves_its_application_protocol_and_clients_without_one() {
    let site = Site::new();
    for (service, own) in [
        (Service::IMAPS, b"imap".as_slice()),
        (Service::POP3S, b"pop3"),
        (Service::SUBMISSIONS, b"smtp"),
    ] {
        let running = Running::of(service, &site).await;
        for (offer, accepted) in [
            (vec![], Some(None)),
            (vec![own], Some(Some(own))),
            (vec![b"http/1.1".as_slice(), own], Some(Some(own))),
            (vec![b"h2".as_slice(), b"http/1.1"], None),
            (vec![b"ftp".as_slice()], None),
        ] {
            match (raw(&site, &running, HOST, &offer).await, accepted) {
                (Ok(stream), Some(expected)) => {
                    assert_eq!(stream.get_ref().1.alpn_protocol(), expected)
                }
                (Err(error), None) => assert_eq!(tls_error(&error), Some(NO_PROTOCOL)),
                (result, _) => panic!("{service}, {offer:?}: {:?}", result.err()),
            }
        }
    }
}

/// RFC 9325 section 3.8, also after `STARTTLS`; the record tells who offered the protocol.
#[tokio::test]
async fn refuses_other_application_protocols_after_an_upgrade() {
    let site = Site::new();
    let acceptor = acceptor(Service::IMAP_STARTTLS, &site);
    let peer = SocketAddr::from(([192, 0, 2, 1], 40_000));
    for (offer, accepted) in [
        (vec![], Some(false)),
        (vec![b"imap".as_slice()], Some(true)),
        (vec![b"h2".as_slice(), b"http/1.1"], None),
    ] {
        let (near, mut far) = tokio::io::duplex(65_536);
        let mut config = ClientConfig::builder_with_provider(site.provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(site.roots())
            .with_no_client_auth();
        config.alpn_protocols = offer.iter().map(|id| id.to_vec()).collect();
        let connect = async {
            far.write_all(b"a STARTTLS\r\n").await.unwrap();
            let mut lines = 0;
            while lines < 2 {
                lines += usize::from(far.read_u8().await.unwrap() == b'\n');
            }
            let name = ServerName::try_from(HOST).unwrap();
            let connector = TlsConnector::from(Arc::new(config));
            connector.connect(name, far).await
        };
        let (session, client) = tokio::join!(acceptor.accept(near, peer), connect);
        match accepted {
            Some(alpn) => {
                let protocol = client
                    .unwrap()
                    .get_ref()
                    .1
                    .alpn_protocol()
                    .map(<[u8]>::to_vec);
                assert_eq!(protocol, alpn.then(|| b"imap".to_vec()));
                assert_eq!(session.unwrap().record().alpn, alpn);
            }
            None => {
                assert!(matches!(session, Err(AcceptError::Tls(_))));
                assert_eq!(tls_error(&client.err().unwrap()), Some(NO_PROTOCOL));
            }
        }
    }
}
