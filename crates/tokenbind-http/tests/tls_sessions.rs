//! A client's TLS sessions: none outlives a reset, and none hides that its connection lacks Extended Master Secret.

#![cfg(all(feature = "client", feature = "tokio"))]
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
    io::{BufRead, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore,
    client::Resumption,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokenbind_http::{
    client::{self, ClearCookies, ClientError},
    keys::{KeyStoreError, MemoryKeyStore, Reset},
    origin::Origin,
    server,
    tls::{ServerConfigs, SessionError, VersionPreference, client_config, client_session},
    tls_unique::{Capture, CaptureError},
};
use tokenbind_wire::{NegotiationError, Session, TokenBindingAlpn};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const ALL: [TokenBindingAlpn; 4] = TokenBindingAlpn::ALL;

#[test]
fn accepts_servers_without_extended_master_secret_without_token_binding() {
    let mut server = WithoutEms::start("h2,http/1.1");
    let config = Arc::new(config(&server.certificate));
    for _ in 0..2 {
        // The session is not kept: a resumed connection would not show what it lacks.
        let (session, printed) = server.connect(&config);
        assert_eq!(session.unwrap(), Ok(None));
        assert_eq!(printed, "h2 False");
    }
}

#[test]
fn refuses_token_binding_that_is_chosen_without_extended_master_secret() {
    let mut server = WithoutEms::start("http/1.1_tb_p256");
    let config = Arc::new(config(&server.certificate));
    for _ in 0..2 {
        let (session, printed) = server.connect(&config);
        let lacks = SessionError::Negotiation(NegotiationError::ExtendedMasterSecret);
        assert_eq!(session.unwrap(), Err(lacks));
        assert_eq!(printed, "http/1.1_tb_p256 False");
    }
}

#[test]
fn refuses_servers_without_extended_master_secret_where_that_is_required() {
    let mut server = WithoutEms::start("h2");
    let mut config = config(&server.certificate);
    config.require_ems = true;
    let (session, printed) = server.connect(&Arc::new(config));
    let error = session.unwrap_err().into_inner().unwrap();
    let error = error.downcast::<rustls::Error>().unwrap();
    let required = rustls::PeerIncompatible::ExtendedMasterSecretExtensionRequired;
    assert_eq!(*error, rustls::Error::PeerIncompatible(required));
    assert_eq!(printed, "failed");
}

/// The part of a client's connection that the capture sees.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    All,
    NotItsBeginning,
}

/// A handshake with a rustls server; what each side has.
fn handshake(
    server: &ServerConfigs,
    client: &Arc<ClientConfig>,
    seen: Seen,
) -> (
    Option<HandshakeKind>,
    Result<Option<Session>, SessionError>,
    Session,
) {
    let (mut ours, mut theirs) = (Capture::new(), Capture::new());
    let new = || ClientConnection::new(client.clone(), "localhost".try_into().unwrap()).unwrap();
    let mut connection = match seen {
        Seen::All => ours.scope(new),
        Seen::NotItsBeginning => new(),
    };
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    let (config, choice) = server.choose(&hello);
    let mut accepted = rustls::ServerConnection::new(config).unwrap();
    let mut flight = hello;
    loop {
        theirs.scope(|| {
            accepted.read_tls(&mut flight.as_slice()).unwrap();
            accepted.process_new_packets().unwrap();
        });
        flight.clear();
        while accepted.wants_write() {
            accepted.write_tls(&mut flight).unwrap();
        }
        ours.scope(|| {
            connection.read_tls(&mut flight.as_slice()).unwrap();
            connection.process_new_packets().unwrap();
        });
        if !connection.is_handshaking() && !accepted.is_handshaking() {
            break;
        }
        flight.clear();
        while connection.wants_write() {
            connection.write_tls(&mut flight).unwrap();
        }
    }
    (
        connection.handshake_kind(),
        client_session(&connection, client, &ours),
        server.session(choice, &accepted, &theirs).unwrap().unwrap(),
    )
}

fn server() -> (ServerConfigs, CertificateDer<'static>) {
    let (certificate, key) = peers::certificate();
    let preference = VersionPreference::TokenBinding;
    let configs = ServerConfigs::build(default_provider(), &ALL, preference, |builder| {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.clone()));
        builder
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
    });
    (configs.unwrap(), certificate)
}

#[test]
fn resumes_sessions_that_are_known_to_have_extended_master_secret() {
    let (server, certificate) = server();
    let client = Arc::new(config(&certificate));
    for (seen, kind) in [
        (Seen::All, HandshakeKind::Full),
        (Seen::All, HandshakeKind::Resumed),
        (Seen::All, HandshakeKind::Resumed),
        // Nobody would know what the session has.
        (Seen::NotItsBeginning, HandshakeKind::Full),
        (Seen::All, HandshakeKind::Resumed),
    ] {
        let (actual, ours, theirs) = handshake(&server, &client, seen);
        assert_eq!(actual, Some(kind));
        assert_eq!(ours, Ok(Some(theirs)));
    }
}

#[test]
fn refuses_token_binding_on_sessions_of_another_store_unless_all_must_have_it() {
    let (server, certificate) = server();
    for require_ems in [false, true] {
        let mut client = config(&certificate);
        client.resumption = Resumption::in_memory_sessions(8);
        client.require_ems = require_ems;
        let client = Arc::new(client);
        let (kind, ours, theirs) = handshake(&server, &client, Seen::All);
        assert_eq!((kind, ours), (Some(HandshakeKind::Full), Ok(Some(theirs))));
        let (kind, ours, theirs) = handshake(&server, &client, Seen::All);
        assert_eq!(kind, Some(HandshakeKind::Resumed));
        let unknown = SessionError::Capture(CaptureError::EmsNotRequired);
        assert_eq!(
            ours,
            if require_ems {
                Ok(Some(theirs))
            } else {
                Err(unknown)
            }
        );
    }
}

struct NoCookies;

impl ClearCookies for NoCookies {
    fn clear(&self, _: &Reset) -> Result<(), KeyStoreError> {
        Ok(())
    }
}

struct Peers {
    acceptor: server::Acceptor,
    connector: client::Connector,
    state: Arc<client::State>,
}

impl Peers {
    fn new(preference: VersionPreference, options: client::Options) -> Self {
        let (certificate, key) = peers::certificate();
        let configs = ServerConfigs::build(default_provider(), &ALL, preference, |builder| {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.clone()));
            builder
                .with_no_client_auth()
                .with_single_cert(vec![certificate.clone()], key)
        });
        let state = Arc::new(client::State::new(MemoryKeyStore::new(), options));
        Self {
            acceptor: server::Acceptor::new(configs.unwrap()),
            connector: client::Connector::new(Arc::new(config(&certificate)), state.clone()),
            state,
        }
    }

    async fn connect(&self) -> (client::Stream<DuplexStream>, server::Stream<DuplexStream>) {
        let (near, far) = tokio::io::duplex(65536);
        let (client, server) = tokio::join!(
            self.connector.connect(origin(), near),
            self.acceptor.accept(far)
        );
        (client.unwrap(), server.unwrap())
    }

    /// A connection on which octets went both ways, so that what the server has for a later one arrived.
    async fn visit(&self) -> HandshakeKind {
        let (client, server) = self.connect().await;
        let kind = client.stream.get_ref().1.handshake_kind().unwrap();
        exchange(client, server).await;
        kind
    }

    fn reset(&self, which: &Reset) {
        self.state.reset(which, &NoCookies).unwrap();
    }
}

async fn exchange(
    mut client: client::Stream<DuplexStream>,
    mut server: server::Stream<DuplexStream>,
) {
    client.stream.write_all(b"x").await.unwrap();
    server.read_exact(&mut [0]).await.unwrap();
    server.write_all(b"y").await.unwrap();
    server.flush().await.unwrap();
    client.stream.read_exact(&mut [0]).await.unwrap();
}

fn origin() -> Origin {
    "https://localhost".parse().unwrap()
}

const PREFERENCES: [VersionPreference; 2] =
    [VersionPreference::TokenBinding, VersionPreference::Tls13];

#[tokio::test]
async fn drops_tls_sessions_with_the_keys() {
    let other = Reset::Origin("https://other.example".parse().unwrap());
    for preference in PREFERENCES {
        for which in [Reset::All, Reset::Origin(origin()), other.clone()] {
            let peers = Peers::new(preference, client::Options::default());
            assert_eq!(peers.visit().await, HandshakeKind::Full);
            assert_eq!(peers.visit().await, HandshakeKind::Resumed);
            peers.reset(&which);
            assert_eq!(peers.visit().await, HandshakeKind::Full, "{which:?}");
            assert_eq!(peers.visit().await, HandshakeKind::Resumed);
        }
    }
}

#[tokio::test]
async fn keeps_no_session_of_a_connection_from_before_a_reset() {
    for preference in PREFERENCES {
        let peers = Peers::new(preference, client::Options::default());
        let (client, server) = peers.connect().await;
        peers.reset(&Reset::All);
        // Under TLS 1.3 the tickets are read here.
        exchange(client, server).await;
        assert_eq!(peers.visit().await, HandshakeKind::Full);
    }
}

#[tokio::test]
async fn sends_nothing_on_a_connection_whose_handshake_a_reset_interrupts() {
    for preference in PREFERENCES {
        let peers = Peers::new(preference, client::Options::default());
        assert_eq!(peers.visit().await, HandshakeKind::Full);
        let (near, far) = tokio::io::duplex(65536);
        let connect = peers.connector.connect(origin(), near);
        tokio::pin!(connect);
        // The ClientHello, which offers the session, is sent.
        let waits = std::future::poll_fn(|context| {
            std::task::Poll::Ready(connect.as_mut().poll(context).is_pending())
        });
        assert!(waits.await);
        peers.reset(&Reset::All);
        let (client, server) = tokio::join!(connect, peers.acceptor.accept(far));
        let (client, _server) = (client.unwrap(), server.unwrap());
        let kind = client.stream.get_ref().1.handshake_kind();
        assert_eq!(kind, Some(HandshakeKind::Resumed));
        let header = client.connection.header(&peers.state, None);
        assert_eq!(header, Err(ClientError::KeysReset));
        assert_eq!(peers.state.party(&origin()).negotiated, None);
    }
}

#[tokio::test]
async fn keeps_no_sessions_where_none_are_wanted() {
    for preference in PREFERENCES {
        let options = client::Options {
            tls_sessions: 0,
            ..client::Options::default()
        };
        let peers = Peers::new(preference, options);
        for _ in 0..3 {
            assert_eq!(peers.visit().await, HandshakeKind::Full);
        }
    }
}

/// Accepts connections of TLS 1.2 without Extended Master Secret, and prints what was negotiated.
const WITHOUT_EMS: &str = r#"
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
context.maximum_version = ssl.TLSVersion.TLSv1_2
context.options |= 1  # SSL_OP_NO_EXTENDED_MASTER_SECRET
context.set_alpn_protocols(sys.argv[2].split(","))
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    raw, _ = listener.accept()
    try:
        with context.wrap_socket(raw, server_side=True) as tls:
            print(tls.selected_alpn_protocol(), tls.session_reused, flush=True)
            tls.recv(1)
            tls.unwrap()
    except OSError as error:
        print("failed", flush=True)
"#;

struct WithoutEms {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    port: u16,
    certificate: CertificateDer<'static>,
}

impl WithoutEms {
    fn start(alpn: &str) -> Self {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let (certificate, key) = peers::certificate();
        let armour = |label: &str, der: &[u8]| {
            let der = STANDARD.encode(der);
            format!("-----BEGIN {label}-----\n{der}\n-----END {label}-----\n")
        };
        let directory = tempfile::tempdir().unwrap();
        let pem = directory.path().join("server.pem");
        let armoured = armour("PRIVATE KEY", &key) + &armour("CERTIFICATE", &certificate);
        std::fs::write(&pem, armoured).unwrap();
        let mut child =
            Command::new(std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into()))
                .args(["-c", WITHOUT_EMS, pem.to_str().unwrap(), alpn])
                .stdout(Stdio::piped())
                .spawn()
                .expect("python3 is needed for a server without Extended Master Secret");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The certificate was read before the port is printed.
        let port = lines.next().unwrap().unwrap().parse().unwrap();
        Self {
            child,
            lines,
            port,
            certificate,
        }
    }

    /// A handshake; what the client has, and what the server prints.
    fn connect(
        &mut self,
        config: &Arc<ClientConfig>,
    ) -> (
        std::io::Result<Result<Option<Session>, SessionError>>,
        String,
    ) {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut capture = Capture::new();
        let mut connection = capture
            .scope(|| ClientConnection::new(config.clone(), "localhost".try_into().unwrap()))
            .unwrap();
        let done = capture.scope(|| {
            while connection.is_handshaking() {
                connection.complete_io(&mut socket)?;
            }
            connection.send_close_notify();
            connection.complete_io(&mut socket).map(drop)
        });
        let session = done.map(|()| client_session(&connection, config, &capture));
        drop(socket);
        (session, self.lines.next().unwrap().unwrap())
    }
}

impl Drop for WithoutEms {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn roots(certificate: &CertificateDer<'static>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    roots
}

fn config(certificate: &CertificateDer<'static>) -> ClientConfig {
    let roots = roots(certificate);
    client_config(default_provider(), &ALL, |builder| {
        builder.with_root_certificates(roots).with_no_client_auth()
    })
    .unwrap()
}
