//! The offers of rustls's clients, the configuration that a server chooses for each, and the result.

#![cfg(feature = "rustls")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

#[path = "support/peers.rs"]
mod peers;

use std::sync::Arc;

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConnection, SupportedProtocolVersion,
    crypto::{CryptoProvider, ring::default_provider},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    version::{TLS12, TLS13},
};
use tokenbind_http::{
    tls::{
        Choice, ClientOffer, ClientOfferError, MAX_CLIENT_HELLO_BYTES, PlainReason, ServerConfigs,
        SessionError, VersionPreference, client_config, client_session,
    },
    tls_unique::Capture,
};
use tokenbind_wire::{Session, TokenBindingAlpn};

const ALL: [TokenBindingAlpn; 4] = TokenBindingAlpn::ALL;

#[test]
fn reads_the_offer_of_a_rustls_client_as_configured() {
    let peers = Peers::new(&ALL, VersionPreference::TokenBinding);
    let provider = default_provider();
    let known: Vec<u16> = provider
        .cipher_suites
        .iter()
        .map(|suite| suite.suite().into())
        .collect();
    let offer = ClientOffer::from_records(&hello(peers.client(&ALL))).unwrap();
    // And the signal of RFC 5746.
    let signal = 0x00ff;
    assert_eq!(offer.cipher_suites, [known.as_slice(), &[signal]].concat());
    let alpn = ALL
        .iter()
        .map(|alpn| alpn.as_str())
        .chain(["h2", "http/1.1"]);
    let expected = ClientOffer {
        alpn: alpn.map(Into::into).collect(),
        extended_master_secret: true,
        tls12: true,
        tls13: true,
        cipher_suites: offer.cipher_suites.clone(),
        uncompressed_points: true,
    };
    assert_eq!(offer, expected);

    let config = peers.other(default_provider(), &[&TLS12], &["http/1.1_tb_p256"]);
    let offer = ClientOffer::from_records(&hello(config)).unwrap();
    let expected = ClientOffer {
        alpn: vec![b"http/1.1_tb_p256".to_vec()],
        extended_master_secret: true,
        tls12: true,
        tls13: false,
        cipher_suites: offer.cipher_suites.clone(),
        uncompressed_points: true,
    };
    assert_eq!(offer, expected);

    let config = peers.other(default_provider(), &[&TLS13], &[]);
    let offer = ClientOffer::from_records(&hello(config)).unwrap();
    let versions = (offer.tls12, offer.tls13, offer.extended_master_secret);
    assert_eq!(versions, (false, true, true));
    assert_eq!(offer.alpn, Vec::<Vec<u8>>::new());
}

#[test]
fn chooses_the_configuration_by_the_clients_offer() {
    let plain = |reason| Choice::Plain(reason);
    let one_suite = |suite| {
        let mut provider = default_provider();
        provider
            .cipher_suites
            .retain(|known| known.suite() == suite);
        provider
    };
    let both = [&TLS12, &TLS13];
    for preference in [VersionPreference::TokenBinding, VersionPreference::Tls13] {
        let peers = Peers::new(&ALL, preference);
        let knows = hello(peers.client(&ALL));
        let expected = match preference {
            VersionPreference::TokenBinding => Choice::TokenBinding,
            VersionPreference::Tls13 => plain(PlainReason::Tls13Preferred),
        };
        assert_eq!(peers.configs.choose(&knows).1, expected);
        let ids = ["h2", "h2_tb_rsa2048"];
        for (config, expected) in [
            (
                peers.other(default_provider(), &[&TLS12], &ids),
                Choice::TokenBinding,
            ),
            (
                peers.other(default_provider(), &[&TLS13], &ids),
                plain(PlainReason::ProtocolVersion),
            ),
            (
                peers.other(default_provider(), &both, &["h2"]),
                plain(PlainReason::NotOffered),
            ),
            (
                peers.other(default_provider(), &both, &[]),
                plain(PlainReason::NotOffered),
            ),
        ] {
            let (server, choice) = peers.configs.choose(&hello(config));
            assert_eq!(choice, expected);
            let binds = choice == Choice::TokenBinding;
            assert_eq!(server.require_ems, binds);
            let first = server.alpn_protocols.first().unwrap();
            assert_eq!(
                first.as_slice(),
                if binds {
                    b"h2_tb_p256".as_slice()
                } else {
                    b"h2"
                }
            );
            assert_eq!(server.alpn_protocols.len(), if binds { 4 } else { 2 });
        }
        // As rustls has it, but the extension is another, unknown one.
        let mut without_ems = hello(peers.other(default_provider(), &[&TLS12], &ids));
        let extension = without_ems
            .windows(4)
            .position(|octets| octets == [0, 23, 0, 0]);
        without_ems[extension.unwrap()] = 0x77;
        let (server, choice) = peers.configs.choose(&without_ems);
        assert_eq!(choice, plain(PlainReason::ExtendedMasterSecret));
        assert_eq!(
            server.alpn_protocols,
            [b"h2".to_vec(), b"http/1.1".to_vec()]
        );
        for garbage in [
            b"".as_slice(),
            b"GET / HTTP/1.1\r\n",
            &knows[..knows.len() - 1],
        ] {
            let (server, choice) = peers.configs.choose(garbage);
            assert_eq!(choice, plain(PlainReason::Unreadable));
            assert!(!server.require_ems);
        }
    }

    // The server's own suites are those of its provider.
    let suite = rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    let peers = Peers::new(&ALL, VersionPreference::TokenBinding);
    let client = peers.other(one_suite(suite), &[&TLS12], &["h2_tb_p256"]);
    assert_eq!(peers.configs.choose(&hello(client)).1, Choice::TokenBinding);
}

#[test]
fn agrees_on_the_session_on_both_sides_of_a_handshake() {
    for alpn in ALL {
        let peers = Peers::new(&[alpn], VersionPreference::TokenBinding);
        let (choice, sessions) = peers.handshake(peers.client(&ALL));
        assert_eq!(choice, Choice::TokenBinding);
        let server = sessions.server.unwrap().expect("token binding");
        assert_eq!(sessions.client, Ok(Some(server)));
        assert_eq!(server.negotiated.alpn(), alpn);
        assert_eq!(sessions.protocol.as_deref(), Some(alpn.as_str().as_bytes()));
        assert_eq!(
            sessions.server_misled,
            Err(SessionError::UnexpectedIdentifier)
        );
    }
    // The server's order decides.
    let peers = Peers::new(&[ALL[3], ALL[0]], VersionPreference::TokenBinding);
    let (_, sessions) = peers.handshake(peers.client(&ALL));
    let session = sessions.server.unwrap().unwrap();
    assert_eq!(session.negotiated.alpn(), ALL[3]);
}

#[test]
fn has_no_session_without_token_binding() {
    let peers = Peers::new(&ALL, VersionPreference::Tls13);
    for config in [
        peers.client(&ALL),
        peers.client(&[]),
        peers.other(default_provider(), &[&TLS12], &["http/1.1"]),
    ] {
        let protocol = config.alpn_protocols.last().cloned();
        let (choice, sessions) = peers.handshake(config);
        assert!(matches!(choice, Choice::Plain(_)), "{choice:?}");
        assert_eq!(sessions.server, Ok(None));
        assert_eq!(sessions.client, Ok(None));
        assert!(sessions.protocol == protocol || sessions.protocol.as_deref() == Some(b"h2"));
        assert_eq!(
            sessions.server_misled,
            Err(SessionError::UnexpectedIdentifier)
        );
    }
}

/// A ClientHello of this length, in records of 16384 bytes.
fn long(length: usize) -> Vec<u8> {
    let fill = length - (4 + 2 + 32 + 1 + 4 + 2 + 2 + 4);
    let mut message = vec![1, 0];
    message.extend(u16::try_from(length - 4).unwrap().to_be_bytes());
    message.extend([3, 3]);
    message.extend([7; 32]);
    message.extend([0, 0, 2, 0xc0, 0x2f, 1, 0]);
    message.extend(u16::try_from(fill + 4).unwrap().to_be_bytes());
    message.extend([0xfd, 0xe8]);
    message.extend(u16::try_from(fill).unwrap().to_be_bytes());
    message.resize(length, 0);
    let record = |part: &[u8]| {
        let length = u16::try_from(part.len()).unwrap().to_be_bytes();
        [&[22, 3, 1], &length[..], part].concat()
    };
    message.chunks(16384).flat_map(record).collect()
}

#[test]
fn reads_the_longest_client_hello_and_no_longer_one() {
    let offer = ClientOffer::from_records(&long(MAX_CLIENT_HELLO_BYTES)).unwrap();
    assert_eq!(offer.cipher_suites, [0xc02f]);
    let longer = ClientOffer::from_records(&long(MAX_CLIENT_HELLO_BYTES + 1));
    assert_eq!(longer, Err(ClientOfferError));
    // The length is believed only as far as that.
    let claims = [22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff];
    let endless = [&claims[..], &[22, 3, 1, 0x40, 0], &[0; 16384]].concat();
    assert_eq!(ClientOffer::from_records(&endless), Err(ClientOfferError));
}

struct Peers {
    certificate: CertificateDer<'static>,
    configs: ServerConfigs,
}

impl Peers {
    fn new(alpn: &[TokenBindingAlpn], preference: VersionPreference) -> Self {
        let (certificate, key) = peers::certificate();
        let configs = ServerConfigs::build(default_provider(), alpn, preference, |builder| {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.clone()));
            builder
                .with_no_client_auth()
                .with_single_cert(vec![certificate.clone()], key)
        });
        Self {
            certificate: certificate.clone(),
            configs: configs.unwrap(),
        }
    }

    /// A client that knows Token Binding.
    fn client(&self, alpn: &[TokenBindingAlpn]) -> ClientConfig {
        client_config(default_provider(), alpn, |builder| {
            builder
                .with_root_certificates(self.roots())
                .with_no_client_auth()
        })
        .unwrap()
    }

    /// Any client.
    fn other(
        &self,
        provider: CryptoProvider,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &[&str],
    ) -> ClientConfig {
        let mut config = ClientConfig::builder_with_provider(provider.into())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(self.roots())
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|&alpn| alpn.into()).collect();
        config
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        roots
    }

    /// The handshake; what was chosen, and what each side has, as `choice` says or as chosen.
    fn handshake(&self, config: ClientConfig) -> (Choice, Sessions) {
        let config = Arc::new(config);
        let mut client = connection(&config);
        let hello = flight(&mut client);
        let (server, choice) = self.configs.choose(&hello);
        let mut server = ServerConnection::new(server).unwrap();
        let (mut ours, mut theirs) = (Capture::new(), Capture::new());
        ours.scope(|| feed_server(&mut server, &hello));
        while client.is_handshaking() || server.is_handshaking() {
            let mut flight_of_server = Vec::new();
            while server.wants_write() {
                ours.scope(|| server.write_tls(&mut flight_of_server))
                    .unwrap();
            }
            theirs.scope(|| {
                client.read_tls(&mut flight_of_server.as_slice()).unwrap();
                client.process_new_packets().unwrap();
            });
            let flight = flight(&mut client);
            ours.scope(|| feed_server(&mut server, &flight));
        }
        let sessions = Sessions {
            server: self.configs.session(choice, &server, &ours),
            server_misled: self.configs.session(
                match choice {
                    Choice::TokenBinding => Choice::Plain(PlainReason::NotOffered),
                    Choice::Plain(_) => Choice::TokenBinding,
                },
                &server,
                &ours,
            ),
            client: client_session(&client, &config, &theirs),
            protocol: server.alpn_protocol().map(<[u8]>::to_vec),
        };
        (choice, sessions)
    }
}

struct Sessions {
    server: Result<Option<Session>, SessionError>,
    server_misled: Result<Option<Session>, SessionError>,
    client: Result<Option<Session>, SessionError>,
    protocol: Option<Vec<u8>>,
}

fn connection(config: &Arc<ClientConfig>) -> ClientConnection {
    ClientConnection::new(config.clone(), "localhost".try_into().unwrap()).unwrap()
}

fn flight(client: &mut ClientConnection) -> Vec<u8> {
    let mut flight = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut flight).unwrap();
    }
    flight
}

fn feed_server(server: &mut ServerConnection, mut flight: &[u8]) {
    while !flight.is_empty() {
        server.read_tls(&mut flight).unwrap();
        server.process_new_packets().unwrap();
    }
}

fn hello(config: ClientConfig) -> Vec<u8> {
    flight(&mut connection(&Arc::new(config)))
}
