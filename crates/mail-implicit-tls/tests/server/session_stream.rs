//! The stream of a server's session.

use std::{future::poll_fn, io, net::SocketAddr, pin::Pin, sync::Arc};

use mail_implicit_tls::{
    server::{Acceptor, CertificateSet, Certificates, SessionStream, UnknownName},
    service::Service,
};
use rustls::{
    DEFAULT_VERSIONS,
    pki_types::{ServerName, UnixTime},
};
use test_support::pki::{Authority, Certificate};
use tokio::io::{AsyncRead, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio_rustls::{TlsConnector, client::TlsStream};

const HOST: &str = "imap.example.org";

/// A caller may read into a buffer that has octets already: they are not the client's first line.
#[tokio::test]
async fn examines_what_is_read_behind_the_octets_of_a_buffer() {
    for (earlier, sent, is_http) in [
        ("GET / HTTP/1.1\r\n", "a NOOP\r\n", false),
        ("a NOOP\r\n", "GET / HTTP/1.1\r\n", true),
        ("", "GET / HTTP/1.1\r\n", true),
    ] {
        let (mut stream, mut client) = session().await;
        client.write_all(sent.as_bytes()).await.unwrap();
        client.flush().await.unwrap();
        let mut space = [0; 100];
        let mut buffer = ReadBuf::new(&mut space);
        buffer.put_slice(earlier.as_bytes());
        let read = poll_fn(|context| Pin::new(&mut stream).poll_read(context, &mut buffer)).await;
        let (expected, text) = match is_http {
            true => (Err(io::ErrorKind::InvalidData), earlier.to_owned()),
            false => (Ok(()), format!("{earlier}{sent}")),
        };
        assert_eq!(read.map_err(|error| error.kind()), expected);
        assert_eq!(std::str::from_utf8(buffer.filled()), Ok(text.as_str()));
    }
}

/// Returns the stream of a session of IMAP, and the client's.
async fn session() -> (SessionStream<DuplexStream>, TlsStream<DuplexStream>) {
    let authority = Authority::new("Test Root");
    let identity = Certificate::server(&[HOST]).issue(&authority);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificates = Arc::new(Certificates::new(UnknownName::FirstCertificate));
    let chains = vec![(identity.chain(), identity.private_key())];
    let set = CertificateSet::check(chains, &provider, UnixTime::now());
    certificates.replace(set.unwrap());
    let acceptor = Acceptor::new(Service::IMAPS, certificates, provider.clone()).unwrap();
    let (near, far) = tokio::io::duplex(65_536);
    let config = authority.client_config(provider, DEFAULT_VERSIONS);
    let name = ServerName::try_from(HOST).unwrap();
    let peer = SocketAddr::from(([192, 0, 2, 1], 40_000));
    let (session, client) = tokio::join!(
        acceptor.accept(near, peer),
        TlsConnector::from(Arc::new(config)).connect(name, far)
    );
    (session.unwrap().into_stream(), client.unwrap())
}
