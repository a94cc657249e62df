//! The cost of `tls_unique` in a TLS 1.2 handshake: with the same rustls, configuration and peer, without
//! a network.

#![allow(missing_docs, reason = "criterion_group! makes public items")]
#![allow(
    dead_code,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "a benchmark that cannot begin stops"
)]

use std::sync::Arc;

use benches::{Ratio, compare, ratios};
use criterion::{Criterion, criterion_group, criterion_main};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ServerConfig, ServerConnection,
    client::Resumption,
    crypto::{CryptoProvider, ring::default_provider},
    version::TLS12,
};
use test_support::pki::{Certificate, Identity};
use tokenbind_http::{
    server::Acceptor,
    tls::{ServerConfigs, VersionPreference},
    tls_unique::{Capture, capturing},
};
use tokenbind_wire::TokenBindingAlpn;
use tokio::{io::DuplexStream, runtime};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const ALPN: TokenBindingAlpn = TokenBindingAlpn::Http11P256;

fn identity() -> Identity {
    Certificate::server(&["localhost"]).self_signed()
}

fn server(identity: &Identity, provider: CryptoProvider) -> ServerConfig {
    let mut config = identity.server_config(provider.into(), &[&TLS12]);
    config.require_ems = true;
    config.alpn_protocols = vec![ALPN.as_str().into()];
    config
}

fn client(identity: &Identity, provider: CryptoProvider, kind: HandshakeKind) -> ClientConfig {
    let mut config = identity.client_config(provider.into(), &[&TLS12]);
    config.require_ems = true;
    config.alpn_protocols = vec![ALPN.as_str().into()];
    if kind == HandshakeKind::Full {
        config.resumption = Resumption::disabled();
    }
    config
}

/// Both sides of a connection, without a network.
struct Peers {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    kind: HandshakeKind,
}

impl Peers {
    fn new(identity: &Identity, provider: &CryptoProvider, kind: HandshakeKind) -> Self {
        let peers = Self {
            client: client(identity, provider.clone(), kind).into(),
            server: server(identity, provider.clone()).into(),
            kind,
        };
        // The session to resume.
        let (mut client, mut server) = peers.connections();
        while client.is_handshaking() || server.is_handshaking() {
            to_server(&mut client, &mut server);
            to_client(&mut server, &mut client);
        }
        peers
    }

    fn connections(&self) -> (ClientConnection, ServerConnection) {
        let name = "localhost".try_into().expect("a name");
        let client = ClientConnection::new(self.client.clone(), name).expect("a client");
        let server = ServerConnection::new(self.server.clone()).expect("a server");
        (client, server)
    }

    fn handshake(&self) {
        let (mut client, mut server) = self.connections();
        while client.is_handshaking() || server.is_handshaking() {
            to_server(&mut client, &mut server);
            to_client(&mut server, &mut client);
        }
        assert_eq!(client.handshake_kind(), Some(self.kind));
    }

    /// Does the same handshake with a capture on each side, which returns the value.
    fn captured_handshake(&self) {
        let (mut client, mut server) = self.connections();
        let (mut client_capture, mut server_capture) = (Capture::new(), Capture::new());
        while client.is_handshaking() || server.is_handshaking() {
            server_capture.scope(|| to_server(&mut client, &mut server));
            client_capture.scope(|| to_client(&mut server, &mut client));
        }
        assert_eq!(client.handshake_kind(), Some(self.kind));
        let client = client_capture.client(&client, &self.client);
        let server = server_capture.server(&server, &self.server);
        assert!(client.is_ok() && client == server);
    }
}

fn to_server(client: &mut ClientConnection, server: &mut ServerConnection) {
    let mut flight = Vec::with_capacity(4096);
    while client.wants_write() {
        client.write_tls(&mut flight).expect("written");
    }
    server.read_tls(&mut flight.as_slice()).expect("read");
    server.process_new_packets().expect("processed");
}

fn to_client(server: &mut ServerConnection, client: &mut ClientConnection) {
    let mut flight = Vec::with_capacity(4096);
    while server.wants_write() {
        server.write_tls(&mut flight).expect("written");
    }
    client.read_tls(&mut flight.as_slice()).expect("read");
    client.process_new_packets().expect("processed");
}

/// Both sides capture, against neither.
fn capture(c: &mut Criterion<Ratio>) {
    let identity = identity();
    for (name, kind, turn) in [
        ("full", HandshakeKind::Full, 1),
        ("resumed", HandshakeKind::Resumed, 4),
    ] {
        let with = Peers::new(&identity, &capturing(default_provider()), kind);
        let without = Peers::new(&identity, &default_provider(), kind);
        compare(
            c,
            &format!("capture-{name}/to-stock"),
            turn,
            |times| (0..times).for_each(|_| with.captured_handshake()),
            |times| (0..times).for_each(|_| without.handshake()),
        );
    }
}

/// The acceptor, which reads the ClientHello, chooses, captures, and makes the connection's state,
/// against tokio-rustls's. The client is tokio-rustls's in both.
fn acceptor(c: &mut Criterion<Ratio>) {
    let identity = identity();
    let runtime = runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    for (name, kind, turn) in [
        ("full", HandshakeKind::Full, 1),
        ("resumed", HandshakeKind::Resumed, 4),
    ] {
        let configs = ServerConfigs::build(
            default_provider(),
            &[ALPN],
            VersionPreference::TokenBinding,
            |builder| {
                builder
                    .with_no_client_auth()
                    .with_single_cert(identity.chain(), identity.private_key())
            },
        );
        let ours = Acceptor::new(configs.expect("configurations"));
        let stock = TlsAcceptor::from(Arc::new(server(&identity, default_provider())));
        let connectors = [(); 2]
            .map(|()| TlsConnector::from(Arc::new(client(&identity, default_provider(), kind))));
        let [to_ours, to_stock] = &connectors;
        let with = async || {
            let (near, far) = tokio::io::duplex(1 << 14);
            let (kind, stream) = tokio::join!(connect(to_ours, near), ours.accept(far));
            assert!(stream.expect("accepted").connection().session().is_some());
            kind
        };
        let without = async || {
            let (near, far) = tokio::io::duplex(1 << 14);
            let (kind, stream) = tokio::join!(connect(to_stock, near), stock.accept(far));
            assert!(
                stream
                    .expect("accepted")
                    .get_ref()
                    .1
                    .alpn_protocol()
                    .is_some()
            );
            kind
        };
        runtime.block_on(async {
            with().await;
            without().await;
        });
        compare(
            c,
            &format!("acceptor-{name}/to-tokio-rustls"),
            turn,
            |times| {
                runtime.block_on(async {
                    for _ in 0..times {
                        assert_eq!(with().await, Some(kind));
                    }
                });
            },
            |times| {
                runtime.block_on(async {
                    for _ in 0..times {
                        assert_eq!(without().await, Some(kind));
                    }
                });
            },
        );
    }
}

async fn connect(connector: &TlsConnector, stream: DuplexStream) -> Option<HandshakeKind> {
    let name = "localhost".try_into().expect("a name");
    let stream = connector.connect(name, stream).await.expect("connected");
    stream.get_ref().1.handshake_kind()
}

criterion_group! {
    name = benches;
    config = ratios();
    targets = capture, acceptor
}
criterion_main!(benches);
