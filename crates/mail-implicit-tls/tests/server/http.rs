//! Clients that speak HTTP (ALPACA).

use std::{io, time::Duration};

use mail_implicit_tls::{server::CloseReason, service::Service};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    in_memory::session,
    running::{IMPLICIT, Refusal, Running, UPGRADED, acceptor},
    site::Site,
};

/// ALPACA: also in the first line after `STARTTLS`.
#[tokio::test]
async fn ends_a_session_that_speaks_http() {
    let site = Site::new();
    for (service, upgrade) in
        IMPLICIT
            .into_iter()
            .map(|service| (service, ""))
            .chain(
                UPGRADED
                    .into_iter()
                    .zip(["a STARTTLS\r\n", "STLS\r\n", "STARTTLS\r\n"]),
            )
    {
        let acceptor = acceptor(service, &site);
        for request in [
            "GET / HTTP/1.1\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\n\r\na NOOP\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ] {
            for pieces in [1, 3, 100] {
                let (session, mut client) = session(&acceptor, &site, upgrade.as_bytes()).await;
                let mut stream = session.into_stream();
                for piece in request.as_bytes().chunks(pieces) {
                    client.write_all(piece).await.unwrap();
                    client.flush().await.unwrap();
                }
                let mut read = Vec::new();
                let error =
                    tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut read))
                        .await
                        .unwrap()
                        .unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                assert_eq!(error.to_string(), "the client sent an HTTP request");
                // No line of it reached the application.
                assert!(
                    request.as_bytes().starts_with(&read) && read.len() < 12,
                    "{read:?}"
                );
            }
        }
        // Mail commands are no requests, and later lines are not examined: a message may have any.
        for line in [
            "a GET\r\n",
            "GETA x\r\n",
            "PRI\r\nGET / HTTP/1.1\r\n",
            "a NOOP longer than the part that is examined\r\nGET / HTTP/1.1\r\n",
        ] {
            let (session, mut client) = session(&acceptor, &site, upgrade.as_bytes()).await;
            let mut stream = session.into_stream();
            client.write_all(line.as_bytes()).await.unwrap();
            client.shutdown().await.unwrap();
            let mut read = String::new();
            stream.read_to_string(&mut read).await.unwrap();
            assert_eq!(read, line);
        }
    }
    let running = Running::of(Service::SUBMISSION_STARTTLS, &site).await;
    let mut tcp = TcpStream::connect(running.address).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let mut all = String::new();
    tcp.read_to_string(&mut all).await.unwrap();
    assert_eq!(all, "220 mail.example ESMTP\r\n");
    assert_eq!(
        running.refused.lock().unwrap().as_slice(),
        [Refusal::BeforeTls(CloseReason::Http)]
    );
}
