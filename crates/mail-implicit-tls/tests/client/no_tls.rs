//! Servers that do not speak TLS, or end its handshake.

use std::{sync::mpsc, thread, time::Duration};

use mail_implicit_tls::{
    failure::{Cause, Stage, TlsFailure},
    service::Service,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    client_hello::client_hello,
    serving::{cause, high, listener, server},
    site::Site,
};

/// Sends an answer to the ClientHello and keeps TCP open, or closes it. Returns the failure, or nothing if there is none
/// in time.
fn failure_after(answer: &'static [u8], closes: bool) -> Option<Cause> {
    let (sender, receiver) = mpsc::channel();
    // A thread of its own, since a loop without an end would keep the runtime from ending.
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let cause = runtime.unwrap().block_on(async {
            let site = Site::new();
            let (listener, port) = listener().await;
            let _serving = tokio::spawn(async move {
                let (mut tcp, _) = listener.accept().await.unwrap();
                client_hello(&tcp).await;
                tcp.write_all(answer).await.unwrap();
                if closes {
                    tcp.shutdown().await.unwrap();
                }
                let _ = tcp.read_to_end(&mut Vec::new()).await;
                tokio::time::sleep(Duration::from_secs(60)).await;
            });
            let server = server(Service::IMAPS, port);
            let connector = site.connector().with_deadline(Duration::from_secs(1));
            cause(&connector, &high(&server), &server).await
        });
        let _ = sender.send(cause);
    });
    receiver.recv_timeout(Duration::from_secs(20)).ok()
}

#[tokio::test]
async fn recognises_a_port_that_speaks_without_tls() {
    let site = Site::new();
    for (service, greeting) in [
        (Service::IMAPS, "* OK hello\r\n"),
        (Service::POP3S, "+OK hello\r\n"),
        (Service::SUBMISSIONS, "220 mail.example ESMTP\r\n"),
        (Service::SUBMISSIONS, "554 no\r\n"),
    ] {
        let (listener, port) = listener().await;
        tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tcp.write_all(greeting.as_bytes()).await.unwrap();
            let _ = tcp.read_to_end(&mut Vec::new()).await;
        });
        let server = server(service, port);
        assert_eq!(
            cause(&site.connector(), &high(&server), &server).await,
            Cause::SpeaksClearText
        );
    }
}

#[tokio::test]
async fn recognises_what_is_not_tls_and_a_connection_that_ends() {
    let site = Site::new();
    for (answer, expected) in [
        (
            b"\x00\x01garbage that is no record".as_slice(),
            TlsFailure::NotTls,
        ),
        (b"".as_slice(), TlsFailure::Closed),
        // A fatal alert: protocol_version, and handshake_failure.
        (
            b"\x15\x03\x01\x00\x02\x02\x46".as_slice(),
            TlsFailure::Version,
        ),
        (
            b"\x15\x03\x01\x00\x02\x02\x28".as_slice(),
            TlsFailure::Alert(40),
        ),
    ] {
        let (listener, port) = listener().await;
        tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut hello = [0; 5];
            tcp.read_exact(&mut hello).await.unwrap();
            tcp.write_all(answer).await.unwrap();
            tcp.shutdown().await.unwrap();
            let _ = tcp.read_to_end(&mut Vec::new()).await;
        });
        let server = server(Service::IMAPS, port);
        assert_eq!(
            cause(&site.connector(), &high(&server), &server).await,
            Cause::Tls(expected)
        );
    }
}

/// RUSTSEC-2024-0336. An alert before the keys is unauthenticated: as a warning it does not end the handshake.
#[test]
fn ends_a_handshake_in_which_the_server_closes_tls() {
    const WARNING: &[u8] = b"\x15\x03\x03\x00\x02\x01\x00";
    const FATAL: &[u8] = b"\x15\x03\x03\x00\x02\x02\x00";
    for (alert, closes, expected) in [
        (WARNING, true, Cause::Tls(TlsFailure::Closed)),
        (WARNING, false, Cause::Timeout(Stage::Handshake)),
        (FATAL, true, Cause::Tls(TlsFailure::Closed)),
        (FATAL, false, Cause::Tls(TlsFailure::Closed)),
    ] {
        assert_eq!(failure_after(alert, closes), Some(expected), "{alert:?}");
    }
}

#[test]
fn names_a_server_that_offers_tls_1_1_at_most() {
    // A ServerHello of TLS 1.1, 1.0 and SSL 3.0, with TLS_RSA_WITH_AES_128_CBC_SHA; and the alert protocol_version.
    const HELLO_1_1: &[u8] = b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02\
        rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\x00\x00\x2f\x00";
    const HELLO_1_0: &[u8] = b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01\
        rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\x00\x00\x2f\x00";
    const HELLO_SSL: &[u8] = b"\x16\x03\x00\x00\x2a\x02\x00\x00\x26\x03\x00\
        rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\x00\x00\x2f\x00";
    const ALERT: &[u8] = b"\x15\x03\x02\x00\x02\x02\x46";
    for answer in [HELLO_1_1, HELLO_1_0, HELLO_SSL, ALERT] {
        let cause = failure_after(answer, false).unwrap();
        assert_eq!(cause, Cause::Tls(TlsFailure::Version), "{answer:?}");
        assert_eq!(cause.to_string(), "the server offers TLS 1.1 at most");
    }
    // Other alerts do not tell the version.
    let cause = failure_after(b"\x15\x03\x02\x00\x02\x02\x28", false).unwrap();
    assert_eq!(cause, Cause::Tls(TlsFailure::Alert(40)));
    assert_eq!(
        cause.to_string(),
        "the server ended the TLS handshake with alert 40"
    );
}
