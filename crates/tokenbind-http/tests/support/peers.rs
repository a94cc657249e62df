//! Two rustls peers, joined without a network, each driven inside its own capture.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by the tests"
)]

use std::sync::Arc;

use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConfig, ServerConnection,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    version::{TLS12, TLS13},
};
use test_support::pki::Certificate;
use tokenbind_http::tls_unique::{Capture, CaptureError, capturing};
use tokenbind_wire::TlsUnique;

#[derive(Clone, Copy)]
pub enum Versions {
    Tls12,
    Tls13,
}

pub fn provider() -> CryptoProvider {
    capturing(rustls::crypto::ring::default_provider())
}

pub fn certificate() -> (CertificateDer<'static>, Vec<u8>) {
    let identity = Certificate::server(&["localhost"]).common_name("localhost");
    let identity = identity.self_signed();
    (identity.certificate(), identity.key().serialize_der())
}

fn versions(versions: Versions) -> [&'static rustls::SupportedProtocolVersion; 1] {
    match versions {
        Versions::Tls12 => [&TLS12],
        Versions::Tls13 => [&TLS13],
    }
}

pub fn server_config(
    provider: CryptoProvider,
    which: Versions,
    certificate: &CertificateDer<'static>,
    key: &[u8],
) -> ServerConfig {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec()));
    let mut config = ServerConfig::builder_with_provider(provider.into())
        .with_protocol_versions(&versions(which))
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    config.require_ems = true;
    config
}

pub fn client_config(
    provider: CryptoProvider,
    which: Versions,
    certificate: &CertificateDer<'static>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(provider.into())
        .with_protocol_versions(&versions(which))
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.require_ems = true;
    config
}

/// The result of a finished handshake on one side.
pub type Side = (Result<TlsUnique, CaptureError>, HandshakeKind);

pub struct Pair {
    pub client: Arc<ClientConfig>,
    pub server: Arc<ServerConfig>,
}

impl Pair {
    pub fn new(versions: Versions) -> Self {
        Self::of(provider(), versions, false)
    }

    pub fn with_tickets(tickets: bool) -> Self {
        Self::of(provider(), Versions::Tls12, tickets)
    }

    pub fn with_provider(provider: CryptoProvider) -> Self {
        Self::of(provider, Versions::Tls12, false)
    }

    fn of(provider: CryptoProvider, versions: Versions, tickets: bool) -> Self {
        let (certificate, key) = certificate();
        let mut server = server_config(provider.clone(), versions, &certificate, &key);
        if tickets {
            server.ticketer = rustls::crypto::ring::Ticketer::new().unwrap();
        }
        let client = client_config(provider, versions, &certificate);
        Self {
            client: client.into(),
            server: server.into(),
        }
    }

    pub fn start(&self) -> Handshake {
        let name = "localhost".try_into().unwrap();
        Handshake {
            client: ClientConnection::new(self.client.clone(), name).unwrap(),
            server: ServerConnection::new(self.server.clone()).unwrap(),
            client_capture: Capture::new(),
            server_capture: Capture::new(),
        }
    }

    pub fn handshake(&self) -> (Side, Side) {
        let mut handshake = self.start();
        while handshake.is_handshaking() {
            handshake.step();
        }
        handshake.finish(self)
    }
}

pub struct Handshake {
    client: ClientConnection,
    server: ServerConnection,
    client_capture: Capture,
    server_capture: Capture,
}

impl Handshake {
    pub fn is_handshaking(&self) -> bool {
        self.client.is_handshaking() || self.server.is_handshaking()
    }

    /// One flight each way.
    pub fn step(&mut self) {
        let flight = self.client_flight();
        let server = &mut self.server;
        self.server_capture.scope(|| {
            server.read_tls(&mut flight.as_slice()).unwrap();
            server.process_new_packets().unwrap();
        });
        let flight = self.server_flight();
        let client = &mut self.client;
        self.client_capture.scope(|| {
            client.read_tls(&mut flight.as_slice()).unwrap();
            client.process_new_packets().unwrap();
        });
    }

    pub fn step_unseen(&mut self) {
        let flight = self.client_flight();
        self.server.read_tls(&mut flight.as_slice()).unwrap();
        self.server.process_new_packets().unwrap();
        let flight = self.server_flight();
        self.client.read_tls(&mut flight.as_slice()).unwrap();
        self.client.process_new_packets().unwrap();
    }

    fn client_flight(&mut self) -> Vec<u8> {
        let mut flight = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut flight).unwrap();
        }
        flight
    }

    fn server_flight(&mut self) -> Vec<u8> {
        let mut flight = Vec::new();
        while self.server.wants_write() {
            self.server.write_tls(&mut flight).unwrap();
        }
        flight
    }

    pub fn finish(self, pair: &Pair) -> (Side, Side) {
        let kind = |kind: Option<HandshakeKind>| kind.unwrap_or(HandshakeKind::Full);
        (
            (
                self.client_capture.client(&self.client, &pair.client),
                kind(self.client.handshake_kind()),
            ),
            (
                self.server_capture.server(&self.server, &pair.server),
                kind(self.server.handshake_kind()),
            ),
        )
    }
}
