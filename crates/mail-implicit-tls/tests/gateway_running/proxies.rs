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
    script::{SUBMISSION_GREETING, Script, submission},
    site::HOST,
    world::{ImapDouble, Setup, World, clear, imap, serve},
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
    let _ = timeout(Duration::from_secs(60), tcp.read_to_end(&mut octets))
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
    assert_eq!(world.told.lines()[2], format!("opened {}", backend.port()));
}

/// Sends octets as a listed proxy, and makes the handshake of a client if the gateway should accept them.
async fn header(octets: &[u8], is_accepted: bool) -> String {
    let double = ImapDouble::start().await;
    let mut setup = Setup::imaps(&[double.address]);
    setup.proxies = proxies();
    let world = World::start(setup).await;
    let mut tcp = TcpStream::connect(world.address).await.unwrap();
    tcp.write_all(octets).await.unwrap();
    if is_accepted {
        world.handshake(tcp).await.log_in().await;
        return world.told.lines()[0].clone();
    }
    let refused = world.told.wait("refused").await;
    assert_eq!(double.lines(), Vec::<String>::new());
    refused
}

/// Returns the octets of a header of version 2, whose third octet before the length is the command and the fourth the
/// family.
fn version_2(command: u8, family: u8, length: u16, rest: &[u8]) -> Vec<u8> {
    let begin = b"\r\n\r\n\0\r\nQUIT\n";
    [
        &begin[..],
        &[0x20 | command, family],
        &length.to_be_bytes(),
        rest,
    ]
    .concat()
}

/// The client of such a connection is the proxy itself.
#[tokio::test]
async fn takes_the_proxy_for_the_client_of_a_header_without_addresses() {
    for octets in [
        b"PROXY UNKNOWN\r\n".to_vec(),
        version_2(0, 0, 0, b""),
        version_2(1, 0, 0, b""),
    ] {
        let started = header(&octets, true).await;
        assert_eq!(started, "started 127.0.0.1", "{}", octets.escape_ascii());
    }
}

#[tokio::test]
async fn refuses_headers_that_are_malformed_or_too_long() {
    let addresses = [192, 0, 2, 7, 192, 0, 2, 1, 0x13, 0x88, 0x03, 0xe1];
    // A checksum that does not match.
    let crc = [&addresses[..], &[0x03, 0, 4, 1, 2, 3, 4]].concat();
    for octets in [
        [b"PROXY TCP4 ", &[b' '; 97][..], b"\r\n"].concat(),
        b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 99999\r\n".to_vec(),
        version_2(1, 0x11, 19, &crc),
        version_2(1, 0x11, u16::MAX, &[0; 65_535]),
        version_2(2, 0x11, 12, &addresses),
    ] {
        let refused = header(&octets, false).await;
        let shown = &octets[..octets.len().min(60)];
        assert_eq!(refused, "refused proxy-header", "{}", shown.escape_ascii());
    }
}

/// Only the first header counts: the next one is no TLS, and within TLS it is no command.
#[tokio::test]
async fn takes_no_second_header() {
    let line = b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 993\r\n";
    assert_eq!(header(&line.repeat(2), false).await, "refused tls");
    let double = ImapDouble::start().await;
    let world = World::start(Setup::imaps(&[double.address])).await;
    let mut client = world.connect().await;
    client.line().await;
    client.send_octets(line).await;
    let answer = client.line().await;
    assert!(answer.starts_with("PROXY BAD "), "{answer}");
    client.send("a LOGIN alice right\r\n").await;
    assert!(client.line().await.starts_with("a OK"));
    assert_eq!(world.told.lines()[0], "started 127.0.0.1");
    assert_eq!(double.lines(), ["a LOGIN alice right"]);
}

/// An address of IPv6 that a proxy reports reaches the backend as Postfix writes it.
#[tokio::test]
async fn passes_on_an_address_of_ipv6_by_xclient() {
    let script = Script::start(SUBMISSION_GREETING, submission).await;
    let backend = clear(Service::SUBMISSION_CLEAR, script.address);
    let mut setup = Setup::new(Service::SUBMISSIONS, vec![backend]);
    setup.proxies = proxies();
    setup.address = ClientAddress::Xclient;
    let world = World::start(setup).await;
    let mut tcp = TcpStream::connect(world.address).await.unwrap();
    tcp.write_all(b"PROXY TCP6 2001:db8::7 2001:db8::1 5000 465\r\n")
        .await
        .unwrap();
    let mut client = world.handshake(tcp).await;
    assert_eq!(client.line().await, "220 mx ESMTP");
    let lines = script.lines();
    assert_eq!(
        lines.last().unwrap(),
        "XCLIENT ADDR=IPV6:2001:db8::7 PORT=5000"
    );
}
