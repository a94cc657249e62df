//! The record of a connection, and the Received field from it (section 6).

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use mail_implicit_tls::{
    name::DomainName,
    received::{CipherSuite, Client, Group, Received, Stamp, Transmission},
    server::ConnectionRecord,
    service::Service,
};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use crate::{
    running::acceptor,
    site::{HOST, Site},
};

/// Section 6: the field of a submission server, from what it knows of the connection.
#[tokio::test]
async fn writes_a_received_field_from_the_record_of_a_connection() {
    let site = Site::new();
    let by = DomainName::parse("mail.example").unwrap();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let acceptor = acceptor(Service::SUBMISSIONS, &site);
        let (near, far) = tokio::io::duplex(65_536);
        let peer = SocketAddr::from(([192, 0, 2, 1], 40_000));
        let config = ClientConfig::builder_with_provider(site.provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(site.roots())
            .with_no_client_auth();
        let name = ServerName::try_from(HOST).unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let connect = connector.connect(name, far);
        let (session, client) = tokio::join!(acceptor.accept(near, peer), connect);
        let mut client = client.unwrap();
        client.write_all(b"EHLO client.example\r\n").await.unwrap();
        client.flush().await.unwrap();
        let session = session.unwrap();
        let record = session.record().clone();
        let mut stream = session.into_stream();
        let mut command = [0; 21];
        stream.read_exact(&mut command).await.unwrap();
        let ehlo = std::str::from_utf8(&command[5..19]).unwrap();

        let (suite, group) = record.tls_clause().unwrap();
        let transmission = Transmission {
            tls: true,
            authenticated: true,
            ..Transmission::ESMTP
        };
        let sender = Client::greeting(ehlo, record.peer.ip());
        let field = Stamp::try_new(sender, &by, 1_404_208_800)
            .unwrap()
            .with(transmission)
            .tls(&suite, group.as_ref())
            .to_string();
        // What the client negotiated.
        let (_, tls) = client.get_ref();
        let suite = u16::from(tls.negotiated_cipher_suite().unwrap().suite());
        let group = u16::from(tls.negotiated_key_exchange_group().unwrap().name());
        let (suite, group) = (
            CipherSuite::from_number(suite),
            Group::from_number(group).unwrap(),
        );
        assert_eq!(
            field,
            format!(
                "Received: from client.example ([192.0.2.1])\r\n\tby mail.example with ESMTPSA\r\n\t\
                 tls {suite} group {group};\r\n\tTue, 1 Jul 2014 10:00:00 +0000\r\n"
            )
        );
        let read = Received::parse(field.strip_prefix("Received:").unwrap()).unwrap();
        assert_eq!(read.tls(), Ok(Some(suite)));
        assert_eq!(read.group(), Ok(Some(group)));
    }
}

#[test]
fn prints_the_number_of_a_group_without_a_registered_name() {
    let record = ConnectionRecord {
        group: Some(0xff0e),
        ..ConnectionRecord::new(Service::IMAPS, (Ipv4Addr::LOCALHOST, 1).into())
    };
    assert_eq!(
        record.to_string(),
        "service=imaps peer=127.0.0.1:1 group=0xff0e"
    );
    assert_eq!(record.tls_clause(), None);
}
