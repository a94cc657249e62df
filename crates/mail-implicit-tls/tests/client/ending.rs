//! Connections to the end: close alerts and truncation (draft-newman-email-deep-02 section 4.4).

use std::io;

use mail_implicit_tls::{
    account::LowPrivacy,
    client::{Closed, Connection},
    privacy::PrivacyLevel,
    service::{Protocol, Service},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use crate::{
    serving::{GREETING, after_upgrade, high, listener, low, serve_tls, server},
    site::{HOST, Site},
};

/// Connects to a server of IMAPS that greets. Returns both ends.
async fn connected(site: &Site) -> (Connection, TlsStream<TcpStream>) {
    let (listener, port) = listener().await;
    let far = tokio::spawn(serve_tls(listener, site.server_config(), GREETING));
    let server = server(Service::IMAPS, port);
    let connector = site.connector();
    let connection = connector.connect(&high(&server), &server).await.unwrap();
    (connection, far.await.unwrap())
}

#[tokio::test]
async fn connects_privately_in_one_call() {
    let (connection, mut far) = connected(&Site::new()).await;
    assert_eq!(connection.indication().level(), Some(PrivacyLevel::High));
    assert_eq!(connection.capabilities().mechanisms(), ["PLAIN"]);
    assert!(connection.verdict().unwrap().is_verified());
    assert_eq!(
        connection.cipher_suite().map(|suite| suite >> 8),
        Some(0x13)
    );
    assert!(connection.group().is_some());
    assert!(!connection.is_resumed());
    assert_eq!(
        far.get_ref().1.alpn_protocol(),
        None,
        "no application protocol is offered"
    );
    assert_eq!(far.get_ref().1.server_name(), Some(HOST));
    let mut stream = connection.into_stream_with_greeting();
    stream.write_all(b"a NOOP\r\n").await.unwrap();
    stream.flush().await.unwrap();
    let mut command = [0; 8];
    far.read_exact(&mut command).await.unwrap();
    assert_eq!(&command, b"a NOOP\r\n");
    far.write_all(b"a OK\r\n").await.unwrap();
    far.shutdown().await.unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, [GREETING, b"a OK\r\n"].concat());
    assert_eq!(stream.closed(), Some(Closed::Clean));
}

#[tokio::test]
async fn sends_a_close_alert_and_does_not_wait() {
    let (connection, mut far) = connected(&Site::new()).await;
    connection.into_stream().shutdown().await.unwrap();
    let mut rest = Vec::new();
    // Without the alert, rustls reports an unexpected end.
    assert_eq!(far.read_to_end(&mut rest).await.unwrap(), 0);
}

#[tokio::test]
async fn reports_a_truncated_session() {
    let (connection, far) = connected(&Site::new()).await;
    let (mut tcp, _) = far.into_inner();
    tcp.shutdown().await.unwrap();
    let mut stream = connection.into_stream();
    let error = stream.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(stream.closed(), Some(Closed::Truncated));
}

#[tokio::test]
async fn reports_the_end_of_a_connection_in_clear_text_as_truncated() {
    let site = Site::new();
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        for _ in 0..2 {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tcp.write_all(GREETING).await.unwrap();
            let mut octet = [0];
            if tcp.read_exact(&mut octet).await.is_ok() {
                tcp.write_all(b"* BYE\r\n").await.unwrap();
            }
        }
    });
    let server = server(Service::IMAP_STARTTLS, port);
    let fallback = LowPrivacy {
        ignore_certificate: false,
        clear_text_fallback: true,
    };
    let account = low(&server, fallback);
    let connection = site.connector().connect(&account, &server).await.unwrap();
    assert!(connection.verdict().is_none() && connection.version().is_none());
    let ending = connection.ending();
    let mut stream = connection.into_stream();
    stream.write_all(b"x").await.unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, b"* BYE\r\n");
    assert_eq!(stream.closed(), Some(Closed::Truncated));
    assert_eq!(ending.closed(), Some(Closed::Truncated));
}

/// Servers that end TCP without a close alert after the protocol ended the session are common.
#[tokio::test]
async fn accepts_an_end_without_alert_after_the_session_and_notes_it() {
    let site = Site::new();
    for (service, greeting, end) in [
        (
            Service::IMAPS,
            GREETING,
            b"* BYE closing\r\na OK done\r\n".as_slice(),
        ),
        (Service::POP3S, b"+OK\r\n", b"+OK closing\r\n"),
        (
            Service::SUBMISSIONS,
            b"220 hi\r\n",
            b"221 2.0.0 closing\r\n",
        ),
    ] {
        for is_expected in [true, false] {
            let (listener, port) = listener().await;
            let config = site.server_config();
            tokio::spawn(async move {
                let mut stream = serve_tls(listener, config, greeting).await;
                let (command, reply) = after_upgrade(service.protocol);
                if service.protocol != Protocol::Imap {
                    stream.read_exact(&mut vec![0; command]).await.unwrap();
                    stream.write_all(reply).await.unwrap();
                    stream.flush().await.unwrap();
                }
                stream.read_exact(&mut [0; 6]).await.unwrap();
                stream.write_all(end).await.unwrap();
                stream.flush().await.unwrap();
                let (mut tcp, _) = stream.into_inner();
                tcp.shutdown().await.unwrap();
            });
            let server = server(service, port);
            let connection = site
                .connector()
                .connect(&high(&server), &server)
                .await
                .unwrap();
            let ending = connection.ending();
            let mut stream = connection.into_stream();
            stream.write_all(b"QUIT\r\n").await.unwrap();
            stream.flush().await.unwrap();
            let mut last = vec![0; end.len()];
            stream.read_exact(&mut last).await.unwrap();
            assert_eq!(last, end);
            if is_expected {
                ending.expect();
            }
            let mut rest = Vec::new();
            let read = stream.read_to_end(&mut rest).await;
            assert_eq!(
                read.map_err(|error| error.kind()),
                match is_expected {
                    true => Ok(0),
                    false => Err(io::ErrorKind::UnexpectedEof),
                }
            );
            assert_eq!(rest, b"");
            assert_eq!(ending.closed(), Some(Closed::Truncated));
        }
    }
}
