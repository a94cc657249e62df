//! Backends over TLS, which must be verified.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use mail_implicit_tls::{
    account::{Host, Server},
    dns::Dnssec,
    gateway::Backend,
    service::Service,
};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket},
    time::sleep,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    script::{SUBMISSION_GREETING, answer, submission},
    site::{HOST, Site},
    table::Table,
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

/// Returns a service whose backend is found and verified by the records of a zone.
fn by_dane(port: u16, table: Table) -> Setup {
    let server = Server::new(Service::IMAPS, Host::parse(HOST).unwrap()).with_port(port);
    let mut setup = Setup::imaps(&[]);
    setup.backends = vec![Backend::try_new(server, true).unwrap()];
    setup.resolver = Some(Arc::new(table));
    setup
}

/// The certificate is one of an authority that the gateway does not trust, and its own TLSA record names it.
#[tokio::test]
async fn verifies_a_backend_by_its_tlsa_record() {
    let site = Site::new();
    let other = Site::new();
    let identity = other.issue(&[HOST]);
    let acceptor = TlsAcceptor::from(site.config_for(&identity));
    let port = serve(move |tcp| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(tcp).await {
                imap(stream, Arc::default()).await;
            }
        }
    })
    .await
    .port();
    let table = Table::default();
    table.address(HOST, HOST, Dnssec::Secure);
    table.tlsa(port, HOST, Sha256::digest(identity.certificate()).into());
    let world = World::start_at(site, by_dane(port, table)).await;
    let mut client = world.connect().await;
    client.log_in().await;
    client.send("b NOOP\r\n").await;
    assert_eq!(client.line().await, "b OK NOOP");
}

/// A trusted certificate does not outweigh a record that names another one.
#[tokio::test]
async fn refuses_a_backend_that_differs_from_its_tlsa_record() {
    let site = Site::new();
    let port = start(&site, &[HOST]).await;
    let table = Table::default();
    table.address(HOST, HOST, Dnssec::Secure);
    table.tlsa(port, HOST, [0; 32]);
    let world = World::start_at(site, by_dane(port, table)).await;
    let rest = world.connect().await.rest().await;
    assert!(rest.starts_with("* BYE [UNAVAILABLE]"), "{rest}");
    let told = world.told.wait("backend").await;
    assert!(
        told.contains("NotVerified") && told.contains("Differs"),
        "{told}"
    );
}

/// Starts a backend with STARTTLS; `answer` is its answer to the command.
async fn start_with_starttls(site: &Site, answer: &'static str) -> Setup {
    let acceptor = TlsAcceptor::from(site.server_config());
    let address = serve(move |mut tcp| {
        let acceptor = acceptor.clone();
        async move {
            let greeting = b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] x\r\n";
            tcp.write_all(greeting).await.unwrap();
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                line.push(tcp.read_u8().await.unwrap());
            }
            let tag = String::from_utf8(line).unwrap();
            let tag = tag.split(' ').next().unwrap();
            let reply = format!("{tag} {answer}\r\n");
            tcp.write_all(reply.as_bytes()).await.unwrap();
            if let Ok(stream) = acceptor.accept(tcp).await {
                after_starttls(stream).await;
            }
        }
    })
    .await;
    let server = Server::new(Service::IMAP_STARTTLS, Host::parse(HOST).unwrap())
        .with_port(address.port())
        .with_address(Ipv4Addr::LOCALHOST.into());
    let mut setup = Setup::imaps(&[]);
    setup.backends = vec![Backend::try_new(server, false).unwrap()];
    setup
}

/// Serves IMAP after the upgrade, without a greeting.
async fn after_starttls(stream: tokio_rustls::server::TlsStream<tokio::net::TcpStream>) {
    let (near, far) = tokio::io::duplex(4096);
    tokio::spawn(imap(far, Arc::default()));
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (mut from, mut to) = tokio::io::split(near);
    let mut greeting = vec![0; crate::world::GREETING.len()];
    from.read_exact(&mut greeting).await.unwrap();
    let _ = tokio::join!(
        tokio::io::copy(&mut reader, &mut to),
        tokio::io::copy(&mut from, &mut writer)
    );
}

/// The client has a greeting, though the backend sent its own in clear text.
#[tokio::test]
async fn carries_a_session_to_a_backend_with_starttls() {
    let site = Site::new();
    let setup = start_with_starttls(&site, "OK begin").await;
    let world = World::start_at(site, setup).await;
    let mut client = world.connect().await;
    client.log_in().await;
    client.send("b NOOP\r\n").await;
    assert_eq!(client.line().await, "b OK NOOP");
}

/// There is no fall to clear text.
#[tokio::test]
async fn refuses_a_backend_that_refuses_starttls() {
    let site = Site::new();
    let setup = start_with_starttls(&site, "NO not now").await;
    let world = World::start_at(site, setup).await;
    let rest = world.connect().await.rest().await;
    assert!(rest.starts_with("* BYE [UNAVAILABLE]"), "{rest}");
    let told = world.told.wait("backend").await;
    assert!(told.contains("StartTlsRefused"), "{told}");
}

/// Octets that follow the answer to STARTTLS in clear text are an attacker's: they are no octets of the session within TLS.
#[tokio::test]
async fn refuses_a_backend_that_sends_clear_text_behind_starttls() {
    for answer in [
        "OK begin\r\nb OK [CAPABILITY IMAP4rev1 AUTH=FORGED] forged",
        "OK begin\r\n* BYE forged",
    ] {
        let site = Site::new();
        let setup = start_with_starttls(&site, answer).await;
        let world = World::start_at(site, setup).await;
        let rest = world.connect().await.rest().await;
        assert!(rest.starts_with("* BYE [UNAVAILABLE]"), "{rest}");
        assert!(!rest.contains("forged"), "{rest}");
        let told = world.told.wait("backend").await;
        assert!(
            told.ends_with("Failed(Connection(Dialogue(Injected)))"),
            "{told}"
        );
        assert!(!world.told.lines().iter().any(|it| it.starts_with("opened")));
    }
}

/// A message of 6 MB is sent whole, though the backend takes it slowly.
#[tokio::test]
async fn sends_a_message_to_a_slow_backend_over_tls() {
    const LINES: usize = 60_000;

    let site = Site::new();
    let acceptor = TlsAcceptor::from(site.server_config());
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let listener = socket.listen(8).unwrap();
    let port = listener.local_addr().unwrap().port();
    let received = Arc::<Mutex<Vec<String>>>::default();
    let lines = received.clone();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let stream = acceptor.accept(tcp).await.unwrap();
        let (near, far) = tokio::io::duplex(16_384);
        tokio::spawn(answer(far, SUBMISSION_GREETING, submission, lines));
        let (mut reader, mut writer) = tokio::io::split(stream);
        let (mut from, mut to) = tokio::io::split(near);
        tokio::spawn(async move { tokio::io::copy(&mut from, &mut writer).await });
        let mut octets = vec![0; 16_384];
        while let Ok(count @ 1..) = reader.read(&mut octets).await {
            to.write_all(&octets[..count]).await.unwrap();
            sleep(Duration::from_millis(1)).await;
        }
    });
    let server = Server::new(Service::SUBMISSIONS, Host::parse(HOST).unwrap())
        .with_port(port)
        .with_address(Ipv4Addr::LOCALHOST.into());
    let backend = Backend::try_new(server, false).unwrap();
    let world = World::start_at(site, Setup::new(Service::SUBMISSIONS, vec![backend])).await;
    let mut client = world.connect().await;
    client.line().await;
    for command in [
        "EHLO c\r\n",
        "AUTH PLAIN AGFsaWNlAHJpZ2h0\r\n",
        "MAIL FROM:<a@example.org>\r\n",
        "RCPT TO:<b@example.org>\r\n",
        "DATA\r\n",
    ] {
        client.send(command).await;
        while client.line().await.get(3..4) == Some("-") {}
    }
    let message = format!("{}.\r\n", format!("{}\r\n", "x".repeat(98)).repeat(LINES));
    client.send(&message).await;
    assert_eq!(client.line().await, "250 2.0.0 queued");
    let text = received
        .lock()
        .unwrap()
        .iter()
        .filter(|it| it.starts_with('x'))
        .count();
    assert_eq!(text, LINES);
}
