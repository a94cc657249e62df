//! The crate's own client on all services.

use std::{net::Ipv4Addr, sync::Arc};

use mail_implicit_tls::{
    client::Closed,
    name::DomainName,
    privacy::{PrivacyLevel, ProtocolVersion},
    received::Group,
    server::{Acceptor, AcceptorError, Certificates, ConnectionRecord, UnknownName},
    service::Service,
};
use rustls::HandshakeKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    running::{IMPLICIT, Running, UPGRADED, connect, connect_by},
    site::{HOST, Site},
};

#[tokio::test]
async fn serves_the_crates_own_client_on_all_services() {
    let site = Site::new();
    for service in IMPLICIT.into_iter().chain(UPGRADED) {
        let running = Running::of(service, &site).await;
        let connection = connect(&site, &running, service).await;
        assert_eq!(connection.indication().level(), Some(PrivacyLevel::High));
        assert_eq!(connection.version(), Some(ProtocolVersion::TLS1_3));
        let mut stream = connection.into_stream();
        stream.write_all(b"PING\r\n").await.unwrap();
        stream.flush().await.unwrap();
        let mut pong = [0; 6];
        stream.read_exact(&mut pong).await.unwrap();
        assert_eq!(&pong, b"PONG\r\n");
        stream.shutdown().await.unwrap();
        assert_eq!(running.refused.lock().unwrap().as_slice(), []);
        let record = running.records.lock().unwrap()[0].clone();
        assert_eq!(record.peer.ip(), Ipv4Addr::LOCALHOST);
        let group = Group::from_number(record.group.unwrap()).unwrap();
        let expected = ConnectionRecord {
            service,
            peer: record.peer,
            version: Some(ProtocolVersion::TLS1_3),
            cipher_suite: Some(0x1302),
            group: record.group,
            server_name: Some(DomainName::parse(HOST).unwrap()),
            alpn: false,
            resumed: false,
            client: None,
        };
        assert_eq!(record, expected);
        assert_eq!(
            record.to_string(),
            format!(
                "service={service} peer={} tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 group={group} sni={HOST}",
                record.peer
            )
        );
        assert_eq!(running.stop().await, 0);
    }
}

#[tokio::test]
async fn sends_a_close_alert() {
    let site = Site::new();
    let running = Running::of(Service::IMAPS, &site).await;
    let mut stream = connect(&site, &running, Service::IMAPS).await.into_stream();
    stream.shutdown().await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(stream.closed(), Some(Closed::Clean));
}

#[tokio::test]
async fn never_accepts_early_data_and_resumes() {
    let site = Site::new();
    let running = Running::of(Service::IMAPS, &site).await;
    let connector = site.connector();
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let connection = connect_by(&connector, &running, Service::IMAPS).await;
        let mut stream = connection.into_stream();
        let tls = stream.tls_connection().unwrap();
        assert!(!tls.is_early_data_accepted());
        kinds.push(tls.handshake_kind());
        stream.shutdown().await.unwrap();
    }
    assert_eq!(kinds[1], Some(HandshakeKind::Resumed));
    let records = running.records.lock().unwrap().clone();
    let resumed: Vec<_> = records.iter().map(|it| it.resumed).collect();
    assert_eq!(resumed, [false, true]);
}

#[test]
fn refuses_a_service_in_clear_text() {
    let site = Site::new();
    for service in [
        Service::IMAP_CLEAR,
        Service::POP3_CLEAR,
        Service::SUBMISSION_CLEAR,
    ] {
        let certificates = Arc::new(Certificates::new(UnknownName::FirstCertificate));
        let refused = Acceptor::new(service, certificates, site.provider());
        assert!(matches!(refused, Err(AcceptorError::ClearText)));
    }
}
