//! Clients that upgrade with `STARTTLS`.

use std::sync::Arc;

use accept_loop::AcceptLoop;
use mail_implicit_tls::{
    server::{Acceptor, Certificates, CloseReason, UnknownName},
    service::Service,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    running::{Refusal, Running, connect, set},
    site::Site,
};

#[tokio::test]
async fn advertises_no_starttls_without_certificate() {
    let site = Site::new();
    let certificates = Arc::new(Certificates::new(UnknownName::FirstCertificate));
    let acceptor =
        Acceptor::new(Service::SUBMISSION_STARTTLS, certificates, site.provider()).unwrap();
    let running = Running::start(acceptor, AcceptLoop::new()).await;
    let mut tcp = TcpStream::connect(running.address).await.unwrap();
    tcp.write_all(b"EHLO a\r\nSTARTTLS\r\nQUIT\r\n")
        .await
        .unwrap();
    let mut all = String::new();
    tcp.read_to_string(&mut all).await.unwrap();
    assert_eq!(
        all,
        "220 localhost ESMTP\r\n250-localhost\r\n250 ENHANCEDSTATUSCODES\r\n454 4.7.0 TLS is not available\r\n\
         221 2.0.0 closing\r\n"
    );
    // Once there is one, it works.
    running
        .certificates
        .replace(set(&site, &[site.server()]).unwrap());
    connect(&site, &running, Service::SUBMISSION_STARTTLS).await;
}

#[tokio::test]
async fn closes_on_octets_after_starttls() {
    let site = Site::new();
    let running = Running::of(Service::SUBMISSION_STARTTLS, &site).await;
    let mut tcp = TcpStream::connect(running.address).await.unwrap();
    tcp.write_all(b"EHLO a\r\nSTARTTLS\r\nRSET\r\n")
        .await
        .unwrap();
    let mut all = String::new();
    tcp.read_to_string(&mut all).await.unwrap();
    assert!(
        !all.contains("220 2.0.0") && !all.contains("250 2.0.0 OK"),
        "{all}"
    );
    assert_eq!(
        running.refused.lock().unwrap().as_slice(),
        [Refusal::BeforeTls(CloseReason::Injected)]
    );
}
