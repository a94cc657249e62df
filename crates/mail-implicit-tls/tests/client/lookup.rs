//! The questions of each attempt to the DNS.

use std::{sync::Arc, time::Duration};

use mail_implicit_tls::{
    account::{AccountSetup, Host, LowPrivacy, Server},
    dns::{Dnssec, Record, Tlsa},
    failure::Cause,
    service::Service,
    verdict::{CertificateUsage, DaneVerdict, Verdict},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::{
    serving::{GREETING, cause, listener},
    site::{self, HOST, Site},
    table::Table,
};

/// A record of usage 3 for the whole certificate.
fn dane_ee(certificate: &[u8]) -> Record {
    Record::Tlsa(Tlsa {
        usage: 3,
        selector: 0,
        matching_type: 0,
        association: certificate.to_vec(),
    })
}

/// A record may expire, or change, while a session lasts: each connection asks again, however long its TTL is.
#[tokio::test]
async fn asks_for_records_again_on_each_connection() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let config = site.server_config();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let accepted = TlsAcceptor::from(config.clone()).accept(tcp).await;
            let Ok(mut stream) = accepted else { continue };
            let _ = stream.write_all(GREETING).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    let server = Server::new(Service::IMAPS, Host::parse(HOST).unwrap()).with_port(port);
    let account = AccountSetup::new(site::id("alice"))
        .dane(true)
        .server(server.clone())
        .build()
        .unwrap();
    let resolver = Arc::new(Table::default());
    resolver.address(HOST, HOST, Dnssec::Secure);
    let connector = site.connector().with_resolver(resolver.clone());
    let questions = [
        format!("_{port}._tcp.{HOST}. TLSA"),
        format!("{HOST}. A"),
        format!("{HOST}. AAAA"),
    ];
    let owner = format!("_{port}._tcp.{HOST}.");
    let publish = |certificate: &[u8]| {
        let record = dane_ee(certificate);
        resolver.records(questions[0].clone(), &owner, Dnssec::Secure, record);
    };
    let dane = |verdict: &Verdict| verdict.dane.clone();
    let matches = DaneVerdict::Matches {
        usage: CertificateUsage::DaneEe,
        covers_identity: false,
    };
    publish(&site.server().certificate());
    for _ in 0..2 {
        let connection = connector.connect(&account, &server).await.unwrap();
        assert_eq!(dane(connection.verdict().unwrap()), matches);
        assert_eq!(connection.peer().unwrap().port(), port);
        connection.into_stream().shutdown().await.unwrap();
        assert_eq!(resolver.asked(), questions);
    }
    // The record is another one now.
    publish(&Site::new().root());
    let Cause::NotVerified(verdict) = cause(&connector, &account, &server).await else {
        panic!("not verified expected")
    };
    assert!(matches!(dane(&verdict), DaneVerdict::Differs(_)));
    assert_eq!(resolver.asked().len(), 3);
}

#[tokio::test]
async fn asks_again_without_tlsa_before_it_falls_back_to_clear_text() {
    let site = Site::new();
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let _ = tcp.write_all(b"* OK no TLS here\r\n").await;
            let _ = tcp.read_to_end(&mut Vec::new()).await;
        }
    });
    let server = Server::new(Service::IMAPS, Host::parse(HOST).unwrap()).with_port(port);
    let fallback = LowPrivacy {
        ignore_certificate: false,
        clear_text_fallback: true,
    };
    let resolver = Arc::new(Table::default());
    resolver.address(HOST, HOST, Dnssec::Secure);
    let connector = site
        .connector()
        .with_resolver(resolver.clone())
        .with_deadline(Duration::from_secs(2));
    let account = AccountSetup::new(site::id("bob"))
        .dane(true)
        .low(fallback)
        .server(server.clone())
        .build()
        .unwrap();
    // The clear port of loopback has no server, or one that is none of this test.
    let result = connector.connect(&account, &server).await;
    if let Err(failure) = result {
        assert_eq!(failure.cause(), &Cause::SpeaksClearText);
    }
    let count = |question: String| {
        resolver
            .asked
            .lock()
            .unwrap()
            .iter()
            .filter(|it| **it == question)
            .count()
    };
    assert_eq!(count(format!("{HOST}. A")), 2);
    assert_eq!(count(format!("_{port}._tcp.{HOST}. TLSA")), 1);
    assert_eq!(count(format!("_143._tcp.{HOST}. TLSA")), 0);
}
