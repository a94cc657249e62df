//! `tls_unique` equals what OpenSSL, through Python's ssl, says of the same connection.

#![cfg(feature = "rustls")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "support/peers.rs"]
mod peers;

use std::{
    io::{BufRead, BufReader, Lines, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
};

use peers::{Versions, certificate, client_config, provider, server_config};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ServerConfig, ServerConnection,
    pki_types::ServerName,
};
use tokenbind_http::tls_unique::{Capture, CaptureFuture};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

#[test]
fn agrees_as_a_server_with_an_openssl_client_full_and_resumed() {
    for resumption in RESUMPTIONS {
        let config = our_server(resumption);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let child = python(CLIENT, &[&port, resumption]);
        let mut ours = Vec::new();
        for _ in 0..2 {
            let (mut socket, _) = listener.accept().unwrap();
            let mut connection = ServerConnection::new(config.clone()).unwrap();
            let mut capture = Capture::new();
            capture
                .scope(|| connection.complete_io(&mut socket))
                .unwrap();
            let unique = capture.server(&connection, &config).unwrap();
            ours.push(line(connection.handshake_kind(), unique.as_bytes()));
            let mut stream = rustls::Stream::new(&mut connection, &mut socket);
            stream.read_exact(&mut [0]).unwrap();
            stream.write_all(b"y").unwrap();
        }
        assert_same(&ours, &printed(child), resumption);
    }
}

#[tokio::test]
async fn agrees_as_an_asynchronous_server_with_an_openssl_client_full_and_resumed() {
    for resumption in RESUMPTIONS {
        let config = our_server(resumption);
        let acceptor = TlsAcceptor::from(config.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let child = python(CLIENT, &[&port, resumption]);
        let mut ours = Vec::new();
        for _ in 0..2 {
            let (socket, _) = listener.accept().await.unwrap();
            let (stream, capture) = CaptureFuture::new(acceptor.accept(socket)).await;
            let mut stream = stream.unwrap();
            let connection = stream.get_ref().1;
            let unique = capture.server(connection, &config).unwrap();
            ours.push(line(connection.handshake_kind(), unique.as_bytes()));
            stream.read_exact(&mut [0]).await.unwrap();
            stream.write_all(b"y").await.unwrap();
            stream.flush().await.unwrap();
        }
        assert_same(&ours, &printed(child), resumption);
    }
}

fn printed(child: Child) -> Vec<String> {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn agrees_as_a_client_with_an_openssl_server_full_and_resumed() {
    for resumption in RESUMPTIONS {
        let server = their_server("sync", resumption);
        let config = server.client.clone();
        let mut ours = Vec::new();
        for _ in 0..2 {
            let mut socket = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
            let name = "localhost".try_into().unwrap();
            let mut connection = ClientConnection::new(config.clone(), name).unwrap();
            let mut capture = Capture::new();
            capture
                .scope(|| {
                    while connection.is_handshaking() {
                        connection.complete_io(&mut socket)?;
                    }
                    Ok::<_, std::io::Error>(())
                })
                .unwrap();
            let unique = capture.client(&connection, &config).unwrap();
            ours.push(line(connection.handshake_kind(), unique.as_bytes()));
            let mut stream = rustls::Stream::new(&mut connection, &mut socket);
            stream.write_all(b"x").unwrap();
            stream.read_exact(&mut [0]).unwrap();
            stream.conn.send_close_notify();
            stream.flush().unwrap();
        }
        assert_same(&ours, &server.lines(), resumption);
    }
}

#[tokio::test]
async fn agrees_as_an_asynchronous_client_with_an_openssl_server_full_and_resumed() {
    for resumption in RESUMPTIONS {
        let server = their_server("async", resumption);
        let config = server.client.clone();
        let connector = TlsConnector::from(config.clone());
        let mut ours = Vec::new();
        for _ in 0..2 {
            let address = ("127.0.0.1", server.port);
            let socket = tokio::net::TcpStream::connect(address).await.unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            let (stream, capture) = CaptureFuture::new(connector.connect(name, socket)).await;
            let mut stream = stream.unwrap();
            let connection = stream.get_ref().1;
            let unique = capture.client(connection, &config).unwrap();
            ours.push(line(connection.handshake_kind(), unique.as_bytes()));
            stream.write_all(b"x").await.unwrap();
            stream.read_exact(&mut [0]).await.unwrap();
            stream.shutdown().await.unwrap();
        }
        assert_same(&ours, &server.lines(), resumption);
    }
}

fn python(script: &str, arguments: &[&str]) -> Child {
    Command::new(std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into()))
        .args(["-c", script])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is needed to compare with OpenSSL")
}

fn our_server(resumption: &str) -> Arc<ServerConfig> {
    let (certificate, key) = certificate();
    let mut config = server_config(provider(), Versions::Tls12, &certificate, &key);
    if resumption == "ticket" {
        config.ticketer = rustls::crypto::ring::Ticketer::new().unwrap();
    }
    config.into()
}

/// An OpenSSL server, the port it listens on, and our client's configuration for it.
struct TheirServer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    port: u16,
    client: Arc<ClientConfig>,
}

fn their_server(test: &str, resumption: &str) -> TheirServer {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let armour = |label: &str, der: &[u8]| {
        let der = STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{der}\n-----END {label}-----\n")
    };
    let (certificate, key) = certificate();
    let pem = std::env::temp_dir().join(format!("{}-{test}-{resumption}.pem", std::process::id()));
    let armoured = armour("PRIVATE KEY", &key) + &armour("CERTIFICATE", &certificate);
    std::fs::write(&pem, armoured).unwrap();
    let mut child = python(SERVER, &[pem.to_str().unwrap(), resumption]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The certificate was read before the port is printed.
    let port = lines.next().unwrap().unwrap().parse().unwrap();
    std::fs::remove_file(&pem).unwrap();
    TheirServer {
        child,
        lines,
        port,
        client: client_config(provider(), Versions::Tls12, &certificate).into(),
    }
}

impl TheirServer {
    fn lines(mut self) -> Vec<String> {
        let lines = self.lines.map(Result::unwrap).collect();
        self.child.wait().unwrap();
        lines
    }
}

fn line(kind: Option<HandshakeKind>, unique: &[u8]) -> String {
    let reused = match kind.unwrap() {
        HandshakeKind::Resumed => "True",
        _ => "False",
    };
    format!("{} {reused}", hex::encode(unique))
}

/// Checks that the second connection resumed the session of the first, and that both sides agree on both.
fn assert_same(ours: &[String], theirs: &[String], resumption: &str) {
    assert_eq!(ours, theirs, "{resumption}");
    let [full, resumed] = ours else {
        panic!("{ours:?}");
    };
    assert!(
        full.ends_with("False") && resumed.ends_with("True"),
        "{ours:?}"
    );
}

/// Connects twice to a port, the second time with the session of the first, and prints what
/// OpenSSL has for tls-unique and whether the session was reused.
const CLIENT: &str = r#"
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
context.maximum_version = ssl.TLSVersion.TLSv1_2
if sys.argv[2] == "session-id":
    context.options |= ssl.OP_NO_TICKET
session = None
for _ in range(2):
    raw = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    with context.wrap_socket(raw, session=session) as tls:
        tls.sendall(b"x")
        print(tls.get_channel_binding("tls-unique").hex(), tls.session_reused, flush=True)
        assert tls.recv(1) == b"y"
        session = tls.session
"#;

/// Accepts two connections and prints the same.
const SERVER: &str = r#"
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
context.maximum_version = ssl.TLSVersion.TLSv1_2
if sys.argv[2] == "session-id":
    context.options |= ssl.OP_NO_TICKET
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
for _ in range(2):
    raw, _ = listener.accept()
    with context.wrap_socket(raw, server_side=True) as tls:
        assert tls.recv(1) == b"x"
        print(tls.get_channel_binding("tls-unique").hex(), tls.session_reused, flush=True)
        tls.sendall(b"y")
        tls.unwrap()  # OpenSSL forgets sessions that are not shut down.
"#;

const RESUMPTIONS: [&str; 2] = ["session-id", "ticket"];
