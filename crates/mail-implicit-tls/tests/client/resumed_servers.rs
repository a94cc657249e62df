//! The limit of servers whose sessions are resumed.

use std::sync::Arc;

use mail_implicit_tls::{client::MAX_RESUMED_SERVERS, service::Service};
use rustls::{ServerConfig, server::ServerSessionMemoryCache};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::{
    serving::{GREETING, listener, server},
    site::{Site, account_of},
};

/// Each account has sessions of its own, so that many accounts with one server are as many servers.
#[tokio::test]
async fn resumes_the_sessions_of_the_servers_that_were_connected_to_last() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let mut config = ServerConfig::clone(&site.server_config());
    // The server forgets no session.
    config.session_storage = ServerSessionMemoryCache::new(16 * MAX_RESUMED_SERVERS);
    let config = Arc::new(config);
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut stream = TlsAcceptor::from(config.clone()).accept(tcp).await.unwrap();
            stream.write_all(GREETING).await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    let server = server(Service::IMAPS, port);
    let connector = site.connector();
    let connect = async |number: usize| {
        let account = account_of(&format!("user-{number}"), &server);
        let connection = connector.connect(&account, &server).await.unwrap();
        let is_resumed = connection.is_resumed();
        connection.into_stream().shutdown().await.unwrap();
        is_resumed
    };
    for number in 0..MAX_RESUMED_SERVERS {
        assert!(!connect(number).await, "{number}");
    }
    // All of them are resumed at the limit. The first is used once more, so that the second is the oldest.
    assert!(connect(MAX_RESUMED_SERVERS - 1).await);
    assert!(connect(0).await);
    assert!(!connect(MAX_RESUMED_SERVERS).await);
    assert!(connect(0).await);
    assert!(connect(2).await);
    assert!(!connect(1).await);
    assert!(connect(MAX_RESUMED_SERVERS).await);
}
