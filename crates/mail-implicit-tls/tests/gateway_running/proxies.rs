//! The PROXY protocol on both sides.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use mail_implicit_tls::{
    gateway::{
        ClientAddress,
        proxy_protocol::{Header, Networks},
    },
    service::Service,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    site::HOST,
    world::{ImapDouble, Setup, World, imap, serve},
};

fn proxies() -> Networks {
    Networks::parse(["127.0.0.0/8"]).unwrap()
}

#[tokio::test]
async fn takes_the_client_from_the_header_of_a_listed_proxy() {
    let double = ImapDouble::start().await;
    let mut setup = Setup::imaps(&[double.address]);
    setup.proxies = proxies();
    let world = World::start(setup).await;
    let mut tcp = TcpStream::connect(world.address).await.unwrap();
    tcp.write_all(b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 993\r\n")
        .await
        .unwrap();
    world.handshake(tcp).await.log_in().await;
    assert_eq!(world.told.lines()[0], "started 192.0.2.7");
}

#[tokio::test]
async fn closes_the_connection_of_a_listed_proxy_without_header() {
    let double = ImapDouble::start().await;
    let mut setup = Setup::imaps(&[double.address]);
    setup.proxies = proxies();
    let world = World::start(setup).await;
    let mut tcp = TcpStream::connect(world.address).await.unwrap();
    tcp.write_all(b"\x16\x03\x01\x00\x10aaaaaaaaaaaaaaaa")
        .await
        .unwrap();
    let mut octets = Vec::new();
    let _ = timeout(Duration::from_secs(10), tcp.read_to_end(&mut octets))
        .await
        .unwrap();
    assert_eq!(octets, b"");
    assert_eq!(world.told.wait("refused").await, "refused proxy-header");
}

#[tokio::test]
async fn takes_a_header_of_a_stranger_for_no_header() {
    let double = ImapDouble::start().await;
    let world = World::start(Setup::imaps(&[double.address])).await;
    let mut tcp = TcpStream::connect(world.address).await.unwrap();
    tcp.write_all(b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 993\r\n")
        .await
        .unwrap();
    assert_eq!(world.told.wait("refused").await, "refused tls");
    assert_eq!(double.lines(), Vec::<String>::new());
}

#[tokio::test]
async fn sends_address_and_tls_to_the_backend_first() {
    let headers = Arc::<Mutex<Vec<Header>>>::default();
    let kept = headers.clone();
    let backend = serve(move |mut tcp| {
        let kept = kept.clone();
        async move {
            let mut octets = vec![0; 16];
            tcp.read_exact(&mut octets).await.unwrap();
            let length = usize::from(u16::from_be_bytes([octets[14], octets[15]]));
            octets.resize(16 + length, 0);
            tcp.read_exact(&mut octets[16..]).await.unwrap();
            let (header, read) = Header::read(&octets).unwrap().unwrap();
            assert_eq!(read, octets.len());
            kept.lock().unwrap().push(header);
            imap(tcp, Arc::default()).await;
        }
    })
    .await;
    let mut setup = Setup::imaps(&[backend]);
    setup.address = ClientAddress::ProxyV2;
    let world = World::start(setup).await;
    let mut client = world.connect().await;
    let port = client.stream.get_ref().0.local_addr().unwrap().port();
    client.log_in().await;
    let header = headers.lock().unwrap()[0].clone();
    let addresses = header.addresses.unwrap();
    assert_eq!(addresses.source, ([127, 0, 0, 1], port).into());
    assert_eq!(addresses.destination, world.address);
    assert_eq!(header.authority.unwrap().as_str(), HOST);
    let ssl = header.ssl.unwrap();
    assert_eq!(ssl.version.as_deref(), Some("TLSv1.3"));
    assert!(ssl.cipher.unwrap().starts_with("TLS_"));
    assert_eq!(world.told.lines()[1], format!("opened {}", backend.port()));
    let _ = Service::IMAPS;
}
