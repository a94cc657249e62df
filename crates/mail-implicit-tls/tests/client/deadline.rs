//! Servers that are silent or slow.

use std::time::{Duration, Instant};

use mail_implicit_tls::{
    account::LowPrivacy,
    failure::{Cause, Stage},
    service::Service,
};
use tokio::io::AsyncWriteExt;

use crate::{
    serving::{GREETING, cause, high, listener, low, serve_tls, server, upgrade},
    site::Site,
};

#[tokio::test]
async fn reports_silence_where_a_greeting_is_expected() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let _silent = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(tcp);
    });
    let server = server(Service::IMAP_STARTTLS, port);
    let connector = site.connector().with_deadline(Duration::from_millis(300));
    let failure = connector
        .connect(&high(&server), &server)
        .await
        .unwrap_err();
    assert_eq!(failure.cause(), &Cause::Timeout(Stage::Greeting));
    assert!(failure.to_string().contains("implicit TLS"), "{failure}");
}

#[tokio::test]
async fn keeps_one_deadline_over_a_greeting_octet_by_octet() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let config = site.server_config();
    tokio::spawn(async move {
        let mut stream = serve_tls(listener, config, b"").await;
        for octet in b"* OK slow".iter().cycle() {
            if stream.write_all(&[*octet]).await.is_err() || stream.flush().await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let server = server(Service::IMAPS, port);
    let connector = site.connector().with_deadline(Duration::from_millis(600));
    assert_eq!(
        cause(&connector, &high(&server), &server).await,
        Cause::Timeout(Stage::Encrypted)
    );
}

#[tokio::test]
async fn leaves_half_of_the_time_for_clear_text() {
    const DEADLINE: Duration = Duration::from_secs(2);

    let site = Site::new();
    let fallback = LowPrivacy {
        ignore_certificate: false,
        clear_text_fallback: true,
    };
    for is_low in [true, false] {
        let (listener, port) = listener().await;
        let _serving = tokio::spawn(async move {
            let (mut silent, _) = listener.accept().await.unwrap();
            upgrade(&mut silent, Service::IMAP_STARTTLS, b"").await;
            let (mut clear, _) = listener.accept().await.unwrap();
            clear.write_all(GREETING).await.unwrap();
            tokio::time::sleep(Duration::from_secs(60)).await;
            drop(silent);
        });
        let server = server(Service::IMAP_STARTTLS, port);
        let connector = site.connector().with_deadline(DEADLINE);
        let begin = Instant::now();
        if is_low {
            let account = low(&server, fallback);
            let connection = connector.connect(&account, &server).await.unwrap();
            assert_eq!(connection.service(), Service::IMAP_CLEAR);
            assert_eq!(connection.indication().level(), None);
            assert!(begin.elapsed() >= DEADLINE / 2);
        } else {
            let failed = cause(&connector, &high(&server), &server).await;
            assert_eq!(failed, Cause::Timeout(Stage::Handshake));
            assert!(begin.elapsed() >= DEADLINE);
        }
    }
}
