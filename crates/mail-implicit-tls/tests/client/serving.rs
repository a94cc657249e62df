//! Servers on loopback for one connection, and accounts that connect to them.

use std::{net::Ipv4Addr, sync::Arc};

use mail_implicit_tls::{
    account::{Account, AccountSetup, Host, LowPrivacy, Server},
    client::Connector,
    failure::Cause,
    service::{Protocol, Service},
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::site::{self, HOST, account_of};

pub(crate) const GREETING: &[u8] = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n";

/// Listens on a free port.
pub(crate) async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

pub(crate) fn server(service: Service, port: u16) -> Server {
    let host = Host::parse(HOST).unwrap();
    Server::new(service, host)
        .with_port(port)
        .with_address(Ipv4Addr::LOCALHOST.into())
}

pub(crate) fn high(server: &Server) -> Account {
    account_of("alice", server)
}

pub(crate) fn low(server: &Server, low: LowPrivacy) -> Account {
    AccountSetup::new(site::id("bob"))
        .low(low)
        .server(server.clone())
        .build()
        .unwrap()
}

/// Accepts one TLS connection and sends these octets.
pub(crate) async fn serve_tls(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    octets: &'static [u8],
) -> TlsStream<TcpStream> {
    let (tcp, _) = listener.accept().await.unwrap();
    let mut stream = TlsAcceptor::from(config).accept(tcp).await.unwrap();
    stream.write_all(octets).await.unwrap();
    stream.flush().await.unwrap();
    stream
}

/// Connects and returns the cause of the failure.
pub(crate) async fn cause(connector: &Connector, account: &Account, server: &Server) -> Cause {
    connector
        .connect(account, server)
        .await
        .unwrap_err()
        .cause()
        .clone()
}

/// Plays a server that is upgraded, up to the reply to the upgrade; `injected` follows that reply at once.
pub(crate) async fn upgrade(tcp: &mut TcpStream, service: Service, injected: &[u8]) {
    let (lines, reply): (&[(&str, usize)], &[u8]) = match service.protocol {
        Protocol::Imap => (
            &[("* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n", 12)],
            b"c OK go\r\n",
        ),
        Protocol::Pop => (
            &[("+OK hi\r\n", 6), ("+OK\r\nSTLS\r\n.\r\n", 6)],
            b"+OK go\r\n",
        ),
        Protocol::Submission => (
            &[("220 hi\r\n", 18), ("250-hi\r\n250 STARTTLS\r\n", 10)],
            b"220 go\r\n",
        ),
    };
    for (line, command) in lines {
        tcp.write_all(line.as_bytes()).await.unwrap();
        tcp.read_exact(&mut vec![0; *command]).await.unwrap();
    }
    tcp.write_all(&[reply, injected].concat()).await.unwrap();
}

/// The server's lines within TLS after `STARTTLS`, by command.
pub(crate) const fn after_upgrade(protocol: Protocol) -> (usize, &'static [u8]) {
    match protocol {
        Protocol::Imap => (14, b"* CAPABILITY IMAP4rev1 X-TLS\r\nt OK\r\n"),
        Protocol::Pop => (6, b"+OK\r\nX-TLS\r\n.\r\n"),
        Protocol::Submission => (18, b"250-hi\r\n250-X-TLS\r\n250 AUTH PLAIN\r\n"),
    }
}

pub(crate) const UPGRADED: [Service; 3] = [
    Service::IMAP_STARTTLS,
    Service::POP3_STARTTLS,
    Service::SUBMISSION_STARTTLS,
];
