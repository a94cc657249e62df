//! `tls_unique` of rustls connections: both sides see the same, under every kind of handshake.

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

use std::sync::{Arc, Mutex};

use peers::{Pair, Versions, client_config, server_config};
use rustls::{
    CipherSuiteCommon, ClientConnection, Error, HandshakeKind, ServerConnection,
    SupportedCipherSuite, Tls12CipherSuite,
    crypto::{ActiveKeyExchange, CryptoProvider, tls12::Prf},
};
use tokenbind_http::tls_unique::{Capture, CaptureError, CaptureFuture, capturing};
use tokenbind_wire::{NegotiationError, ProtocolVersion, TlsUniqueError};

#[test]
fn captures_the_same_value_on_both_sides_of_a_full_handshake() {
    let pair = Pair::new(Versions::Tls12);
    let (client, server) = pair.handshake();
    assert_eq!(client.1, HandshakeKind::Full);
    assert_eq!(client.0.unwrap().as_bytes(), server.0.unwrap().as_bytes());
    assert_ne!(
        pair.handshake().0.0.unwrap(),
        client.0.unwrap(),
        "another connection, another value"
    );
}

#[test]
fn captures_the_same_value_on_both_sides_of_a_resumed_handshake() {
    for tickets in [false, true] {
        let pair = Pair::with_tickets(tickets);
        let (first, _) = pair.handshake();
        assert_eq!(first.1, HandshakeKind::Full);
        for _ in 0..3 {
            let (client, server) = pair.handshake();
            assert_eq!(
                (client.1, server.1),
                (HandshakeKind::Resumed, HandshakeKind::Resumed)
            );
            assert_eq!(client.0.unwrap(), server.0.unwrap());
            assert_ne!(client.0.unwrap(), first.0.unwrap());
        }
    }
}

/// The label of each PRF call of one side, and how many bytes it gave.
type Calls = Arc<Mutex<Vec<(String, usize)>>>;

struct Spy {
    prf: &'static dyn Prf,
    calls: Calls,
}

impl Spy {
    fn called(&self, label: &[u8], output: &[u8]) {
        let label = String::from_utf8(label.to_vec()).unwrap();
        self.calls.lock().unwrap().push((label, output.len()));
    }
}

impl Prf for Spy {
    fn for_key_exchange(
        &self,
        output: &mut [u8; 48],
        kx: Box<dyn ActiveKeyExchange>,
        peer_pub_key: &[u8],
        label: &[u8],
        seed: &[u8],
    ) -> Result<(), Error> {
        self.called(label, output);
        self.prf
            .for_key_exchange(output, kx, peer_pub_key, label, seed)
    }

    fn for_secret(&self, output: &mut [u8], secret: &[u8], label: &[u8], seed: &[u8]) {
        self.called(label, output);
        self.prf.for_secret(output, secret, label, seed);
    }
}

/// ring's provider, wrapped for the capture, whose PRF calls are listed.
fn spied() -> (CryptoProvider, Calls) {
    let calls = Calls::default();
    let mut provider = rustls::crypto::ring::default_provider();
    for suite in &mut provider.cipher_suites {
        if let SupportedCipherSuite::Tls12(original) = *suite {
            *suite = SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                common: CipherSuiteCommon {
                    suite: original.common.suite,
                    hash_provider: original.common.hash_provider,
                    confidentiality_limit: original.common.confidentiality_limit,
                },
                prf_provider: Box::leak(Box::new(Spy {
                    prf: original.prf_provider,
                    calls: calls.clone(),
                })),
                kx: original.kx,
                sign: original.sign,
                aead_alg: original.aead_alg,
            })));
        }
    }
    (capturing(provider), calls)
}

/// The calls that `Capture` relies on. If an update of rustls calls the PRF in another way, this test shows the
/// difference.
#[test]
fn sees_the_prf_called_in_the_expected_order() {
    /// The key block of AES-256-GCM, which is negotiated: two keys, two implicit nonces, an explicit nonce.
    const KEY_BLOCK: usize = 2 * (32 + 4) + 8;
    let (certificate, key) = peers::certificate();
    let (client_provider, client_calls) = spied();
    let (server_provider, server_calls) = spied();
    let pair = Pair {
        client: client_config(client_provider, Versions::Tls12, &certificate).into(),
        server: server_config(server_provider, Versions::Tls12, &certificate, &key).into(),
    };
    let full = [
        ("extended master secret", 48),
        ("key expansion", KEY_BLOCK),
        ("client finished", 12),
        ("server finished", 12),
    ];
    let resumed = [
        ("key expansion", KEY_BLOCK),
        ("server finished", 12),
        ("client finished", 12),
    ];
    for (kind, expected) in [
        (HandshakeKind::Full, full.as_slice()),
        (HandshakeKind::Resumed, resumed.as_slice()),
    ] {
        let (client, server) = pair.handshake();
        assert_eq!((client.1, server.1), (kind, kind));
        assert_eq!(client.0.unwrap(), server.0.unwrap());
        for (side, calls) in [("client", &client_calls), ("server", &server_calls)] {
            let calls = std::mem::take(&mut *calls.lock().unwrap());
            let calls: Vec<_> = calls.iter().map(|(l, n)| (l.as_str(), *n)).collect();
            assert_eq!(calls, expected, "{side}, {kind:?}");
        }
    }
}

#[test]
fn captures_two_interleaved_handshakes_apart() {
    let pair = Pair::new(Versions::Tls12);
    let mut one = pair.start();
    let mut two = pair.start();
    while one.is_handshaking() || two.is_handshaking() {
        one.step();
        two.step();
    }
    let (client_one, server_one) = one.finish(&pair);
    let (client_two, server_two) = two.finish(&pair);
    assert_eq!(client_one.0.unwrap(), server_one.0.unwrap());
    assert_eq!(client_two.0.unwrap(), server_two.0.unwrap());
    assert_ne!(client_one.0.unwrap(), client_two.0.unwrap());
}

#[test]
fn captures_a_handshake_that_continues_on_another_thread() {
    let pair = Pair::new(Versions::Tls12);
    let mut handshake = pair.start();
    while handshake.is_handshaking() {
        handshake = std::thread::spawn(move || {
            handshake.step();
            handshake
        })
        .join()
        .unwrap();
    }
    let (client, server) = handshake.finish(&pair);
    assert_eq!(client.0.unwrap(), server.0.unwrap());
}

#[test]
fn returns_no_value_of_tls_1_3() {
    let (client, server) = Pair::new(Versions::Tls13).handshake();
    let version = NegotiationError::ProtocolVersion(ProtocolVersion::TLS1_3);
    let expected = Err(CaptureError::TlsUnique(TlsUniqueError::Negotiation(
        version,
    )));
    assert_eq!((client.0, server.0), (expected, expected));
}

#[test]
fn returns_no_value_of_a_resumed_session_if_ems_is_not_required() {
    let mut pair = Pair::new(Versions::Tls12);
    Arc::get_mut(&mut pair.client).unwrap().require_ems = false;
    let (client, server) = pair.handshake();
    assert_eq!(client.1, HandshakeKind::Full);
    assert_eq!(client.0.unwrap(), server.0.unwrap());
    let (client, server) = pair.handshake();
    assert_eq!(client.1, HandshakeKind::Resumed);
    assert_eq!(client.0, Err(CaptureError::EmsNotRequired));
    assert!(server.0.is_ok());
}

#[test]
fn returns_no_value_of_a_handshake_outside_the_capture_or_the_provider() {
    let pair = Pair::new(Versions::Tls12);
    let mut handshake = pair.start();
    while handshake.is_handshaking() {
        handshake.step_unseen();
    }
    let (client, server) = handshake.finish(&pair);
    assert_eq!(
        (client.0, server.0),
        (Err(CaptureError::NotSeen), Err(CaptureError::NotSeen))
    );
    let unfinished = pair.start().finish(&pair);
    assert_eq!(unfinished.0.0, Err(CaptureError::NotComplete));

    let plain = Pair::with_provider(rustls::crypto::ring::default_provider());
    let (client, server) = plain.handshake();
    assert_eq!(
        (client.0, server.0),
        (Err(CaptureError::NotSeen), Err(CaptureError::NotSeen))
    );
}

#[test]
fn wraps_a_suite_once() {
    let once = capturing(rustls::crypto::ring::default_provider());
    let twice = capturing(once.clone());
    let again = capturing(rustls::crypto::ring::default_provider());
    let addresses = |provider: &CryptoProvider| -> Vec<_> {
        let tls12 = provider
            .cipher_suites
            .iter()
            .filter_map(|suite| match suite {
                SupportedCipherSuite::Tls12(suite) => Some(*suite),
                _ => None,
            });
        tls12
            .map(|suite| std::ptr::from_ref(suite).addr())
            .collect()
    };
    assert!(!addresses(&once).is_empty());
    assert_eq!(addresses(&once), addresses(&twice));
    assert_eq!(addresses(&once), addresses(&again));
}

/// One task a side, all on the worker threads of one runtime, so that polls migrate and interleave.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn captures_a_thousand_concurrent_resumptions_apart() {
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    let pair = Pair::with_tickets(true);
    assert!(pair.handshake().0.0.is_ok());
    let (client, server) = (pair.client.clone(), pair.server.clone());
    let mut tasks = Vec::new();
    for _ in 0..1000 {
        // Half a kilobyte, so that a flight takes several polls.
        let (near, far) = tokio::io::duplex(512);
        let acceptor = TlsAcceptor::from(server.clone());
        let server = server.clone();
        let accept = tokio::spawn(async move {
            let (stream, capture) = CaptureFuture::new(acceptor.accept(far)).await;
            let stream = stream.unwrap();
            (capture.server(stream.get_ref().1, &server).unwrap(), stream)
        });
        let connector = TlsConnector::from(client.clone());
        let client = client.clone();
        let connect = tokio::spawn(async move {
            let name = "localhost".try_into().unwrap();
            let (stream, capture) = CaptureFuture::new(connector.connect(name, near)).await;
            let stream = stream.unwrap();
            let connection: &ClientConnection = stream.get_ref().1;
            (
                capture.client(connection, &client).unwrap(),
                connection.handshake_kind(),
                stream,
            )
        });
        tasks.push((accept, connect));
    }
    let mut values = std::collections::BTreeSet::new();
    let mut resumed = 0;
    for (accept, connect) in tasks {
        let (server_value, _) = accept.await.unwrap();
        let (client_value, kind, _) = connect.await.unwrap();
        assert_eq!(server_value, client_value);
        values.insert(client_value.as_bytes().to_vec());
        resumed += usize::from(kind == Some(HandshakeKind::Resumed));
    }
    assert_eq!(values.len(), 1000);
    assert_eq!(resumed, 1000);
}

#[test]
fn restores_the_slot_after_a_panic() {
    let panicked = std::panic::catch_unwind(|| Capture::new().scope(|| panic!("on purpose")));
    let payload = panicked.unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
    let pair = Pair::new(Versions::Tls12);
    let mut handshake = pair.start();
    while handshake.is_handshaking() {
        handshake.step_unseen();
    }
    assert_eq!(handshake.finish(&pair).0.0, Err(CaptureError::NotSeen));
}

#[test]
fn checks_the_configurations_of_these_tests() {
    let (certificate, key) = peers::certificate();
    let server = server_config(peers::provider(), Versions::Tls12, &certificate, &key);
    let client = client_config(peers::provider(), Versions::Tls12, &certificate);
    assert!(server.require_ems && client.require_ems);
    let connection = ServerConnection::new(Arc::new(server)).unwrap();
    assert!(connection.is_handshaking());
}
