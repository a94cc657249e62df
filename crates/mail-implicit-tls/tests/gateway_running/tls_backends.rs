//! Backends over TLS, which must be verified.

use std::{net::Ipv4Addr, sync::Arc};

use mail_implicit_tls::{
    account::{Host, Server},
    gateway::Backend,
    service::Service,
};
use tokio::{io::AsyncWriteExt, net::TcpListener};
use tokio_rustls::TlsAcceptor;

use crate::{
    site::{HOST, Site},
    world::{Setup, World, imap, serve},
};

/// Returns the port of an IMAP server whose certificate is for these names.
async fn start(site: &Site, names: &[&str]) -> u16 {
    let acceptor = TlsAcceptor::from(site.config_for(&site.issue(names)));
    let address = serve(move |tcp| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(tcp).await {
                imap(stream, Arc::default()).await;
            }
        }
    })
    .await;
    address.port()
}

fn setup(port: u16) -> Setup {
    let server = Server::new(Service::IMAPS, Host::parse(HOST).unwrap())
        .with_port(port)
        .with_address(Ipv4Addr::LOCALHOST.into());
    let mut setup = Setup::imaps(&[]);
    setup.backends = vec![Backend::try_new(server, false).unwrap()];
    setup
}

#[tokio::test]
async fn carries_a_session_to_a_verified_backend() {
    let site = Site::new();
    let port = start(&site, &[HOST]).await;
    let world = World::start_at(site, setup(port)).await;
    let mut client = world.connect().await;
    client.log_in().await;
    client.send("b NOOP\r\n").await;
    assert_eq!(client.line().await, "b OK NOOP");
}

/// There is no fall to clear text, and no session.
#[tokio::test]
async fn refuses_a_backend_of_another_name() {
    let site = Site::new();
    let port = start(&site, &["other.example.org"]).await;
    let world = World::start_at(site, setup(port)).await;
    let rest = world.connect().await.rest().await;
    assert!(rest.starts_with("* BYE [UNAVAILABLE]"), "{rest}");
    let told = world.told.wait("backend").await;
    assert!(told.contains("NotVerified"), "{told}");
    assert!(!world.told.lines().iter().any(|it| it.starts_with("opened")));
}

/// Octets before the server's first record are an attacker's.
#[tokio::test]
async fn refuses_a_backend_that_sends_clear_text_before_tls() {
    let site = Site::new();
    let acceptor = TlsAcceptor::from(site.server_config());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.write_all(b"* OK forged\r\n").await.unwrap();
        let _ = acceptor.accept(tcp).await;
    });
    let world = World::start_at(site, setup(port)).await;
    let rest = world.connect().await.rest().await;
    assert!(rest.starts_with("* BYE [UNAVAILABLE]"), "{rest}");
    let told = world.told.wait("backend").await;
    assert!(told.contains("SpeaksClearText"), "{told}");
}
