//! `tls_unique` equals what OpenSSL, through Python's ssl, says of the same connection.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod peers;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::Arc,
};

use peers::{Versions, certificate, client_config, provider, server_config};
use rustls::{ClientConnection, HandshakeKind, ServerConnection};
use tokenbind_http::Capture;

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

fn python(script: &str, arguments: &[&str]) -> std::process::Child {
    Command::new(std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into()))
        .args(["-c", script])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is needed to compare with OpenSSL")
}

fn line(kind: HandshakeKind, unique: &[u8]) -> String {
    let reused = if kind == HandshakeKind::Resumed {
        "True"
    } else {
        "False"
    };
    format!("{} {reused}", hex::encode(unique))
}

#[test]
fn our_server_and_an_openssl_client_have_the_same_value_full_and_resumed() {
    for resumption in ["session-id", "ticket"] {
        let (certificate, key) = certificate();
        let mut config = server_config(provider(), Versions::Tls12, &certificate, &key);
        if resumption == "ticket" {
            config.ticketer = rustls::crypto::ring::Ticketer::new().unwrap();
        }
        let config = Arc::new(config);
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
            ours.push(line(
                connection.handshake_kind().unwrap(),
                unique.as_bytes(),
            ));
            let mut stream = rustls::Stream::new(&mut connection, &mut socket);
            stream.read_exact(&mut [0]).unwrap();
            stream.write_all(b"y").unwrap();
        }
        let output = child.wait_with_output().unwrap();
        let theirs: Vec<_> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect();
        assert_eq!(ours, theirs, "{resumption}");
        assert!(
            ours[0].ends_with("False") && ours[1].ends_with("True"),
            "{ours:?}"
        );
    }
}

#[test]
fn our_client_and_an_openssl_server_have_the_same_value_full_and_resumed() {
    for resumption in ["session-id", "ticket"] {
        let (certificate, key) = certificate();
        let directory =
            std::env::temp_dir().join(format!("tls-unique-{}-{resumption}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let pem = directory.join("server.pem");
        let armour = |label: &str, der: &[u8]| {
            use base64::{Engine, engine::general_purpose::STANDARD};
            format!(
                "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
                STANDARD.encode(der)
            )
        };
        std::fs::write(
            &pem,
            armour("PRIVATE KEY", &key) + &armour("CERTIFICATE", &certificate),
        )
        .unwrap();

        let config = Arc::new(client_config(provider(), Versions::Tls12, &certificate));
        let mut child = python(SERVER, &[pem.to_str().unwrap(), resumption]);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port: u16 = lines.next().unwrap().unwrap().parse().unwrap();
        let mut ours = Vec::new();
        for _ in 0..2 {
            let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
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
            ours.push(line(
                connection.handshake_kind().unwrap(),
                unique.as_bytes(),
            ));
            let mut stream = rustls::Stream::new(&mut connection, &mut socket);
            stream.write_all(b"x").unwrap();
            stream.read_exact(&mut [0]).unwrap();
            stream.conn.send_close_notify();
            stream.flush().unwrap();
        }
        let theirs: Vec<_> = lines.map(Result::unwrap).collect();
        child.wait().unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        assert_eq!(ours, theirs, "{resumption}");
        assert!(
            ours[0].ends_with("False") && ours[1].ends_with("True"),
            "{ours:?}"
        );
    }
}
