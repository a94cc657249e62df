//! Clients that are refused: silent, slow, or closing TLS.

use std::{io, time::Duration};

use accept_loop::AcceptLoop;
use mail_implicit_tls::{
    privacy::PrivacyLevel,
    server::{AcceptError, CloseReason},
    service::{Security, Service},
};
use rustls::AlertDescription;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    running::{Refusal, Running, acceptor, connect},
    site::Site,
};

const CLOSE_NOTIFY: rustls::Error = rustls::Error::AlertReceived(AlertDescription::CloseNotify);

#[test]
fn prints_the_reason_of_a_refusal() {
    for (error, text) in [
        (
            AcceptError::Timeout,
            "the TLS handshake was not complete in time",
        ),
        (
            AcceptError::Tls(io::Error::other(CLOSE_NOTIFY)),
            "TLS handshake failed: received fatal alert: CloseNotify",
        ),
        (
            AcceptError::BeforeTls(CloseReason::Injected),
            "data followed the client's STARTTLS command",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

#[tokio::test]
async fn closes_clients_that_are_silent_or_slow() {
    let site = Site::new();
    for service in [Service::IMAPS, Service::IMAP_STARTTLS] {
        let acceptor = acceptor(service, &site).with_handshake_timeout(Duration::from_millis(200));
        let running = Running::start(acceptor, AcceptLoop::new()).await;
        let mut silent = TcpStream::connect(running.address).await.unwrap();
        let mut slow = TcpStream::connect(running.address).await.unwrap();
        slow.write_all(
            &[22, 3, 1][..if service.security == Security::Implicit {
                3
            } else {
                0
            }],
        )
        .await
        .unwrap();
        let _ = silent.read_to_end(&mut Vec::new()).await;
        let _ = slow.read_to_end(&mut Vec::new()).await;
        let expected = [Refusal::Timeout, Refusal::Timeout];
        assert_eq!(running.refused.lock().unwrap().as_slice(), expected);
    }
}

#[tokio::test]
async fn serves_others_beside_silent_connections() {
    let site = Site::new();
    let accept_loop = AcceptLoop::new()
        .max_connections(8)
        .max_connections_per_address(8);
    let running = Running::start(acceptor(Service::IMAPS, &site), accept_loop).await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(running.address).await.unwrap());
    }
    let connection = connect(&site, &running, Service::IMAPS).await;
    assert_eq!(connection.indication().level(), Some(PrivacyLevel::High));
}

/// RUSTSEC-2024-0336. An alert before the keys is unauthenticated: as a warning it does not end the handshake.
#[tokio::test]
async fn ends_a_handshake_in_which_the_client_closes_tls() {
    let site = Site::new();
    for (service, upgrade) in [
        (Service::IMAPS, b"".as_slice()),
        (Service::SUBMISSION_STARTTLS, b"STARTTLS\r\n"),
    ] {
        let acceptor = acceptor(service, &site).with_handshake_timeout(Duration::from_millis(500));
        let running = Running::start(acceptor, AcceptLoop::new()).await;
        for (level, expected) in [(1, Refusal::Timeout), (2, Refusal::Tls(Some(CLOSE_NOTIFY)))] {
            let mut tcp = TcpStream::connect(running.address).await.unwrap();
            if !upgrade.is_empty() {
                tcp.write_all(upgrade).await.unwrap();
                const REPLIES: &[u8] = b"220 mail.example ESMTP\r\n220 2.0.0 begin TLS\r\n";
                let mut replies = [0; REPLIES.len()];
                tcp.read_exact(&mut replies).await.unwrap();
                assert_eq!(replies, REPLIES);
            }
            tcp.write_all(&[21, 3, 3, 0, 2, level, 0]).await.unwrap();
            let _ = tcp.read_to_end(&mut Vec::new()).await;
            // Others are served meanwhile and after.
            connect(&site, &running, service).await;
            let refused = std::mem::take(&mut *running.refused.lock().unwrap());
            assert_eq!(refused, [expected]);
        }
    }
}
