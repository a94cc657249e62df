//! A server takes Token Binding only where its handshake can work: real handshakes over a table of certificates and
//! of what clients offer.

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

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use rustls::{
    ClientConfig, ClientConnection, Error, NamedGroup, ProtocolVersion, RootCertStore,
    ServerConfig, ServerConnection, SignatureScheme, SupportedCipherSuite,
    SupportedProtocolVersion,
    crypto::{
        ActiveKeyExchange, CryptoProvider, SupportedKxGroup, WebPkiSupportedAlgorithms,
        ring::{default_provider, kx_group},
    },
    pki_types::PrivatePkcs8KeyDer,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use test_support::pki::{
    Certificate, Identity,
    rcgen::{self, KeyPair, SignatureAlgorithm},
};
use tokenbind_http::tls::{Choice, PlainReason, ServerConfigs, VersionPreference};
use tokenbind_wire::{Rsa2048Key, TokenBindingAlpn};

const ALPN: [&str; 3] = ["http/1.1_tb_p256", "h2", "http/1.1"];

#[test]
fn chooses_token_binding_where_its_handshake_works_and_never_fails_where_plain_works() {
    let mut chosen = BTreeMap::<_, usize>::new();
    let without_tls12 = || {
        let mut provider = default_provider();
        provider.kx_groups = vec![&OnlyTls13, kx_group::SECP384R1];
        provider
    };
    let clients: Vec<_> = offers()
        .into_iter()
        .map(|offer| {
            let client = offer.client();
            (offer, hello(&client), client)
        })
        .collect();
    for has in [Has::P256, Has::P384, Has::Ed25519, Has::Rsa, Has::Both] {
        for (provider, ignores_order) in [
            (default_provider(), false),
            (default_provider(), true),
            (without_tls12(), false),
        ] {
            let is_one = provider.kx_groups.len() == 3 && !ignores_order;
            if !is_one && !matches!(has, Has::P256 | Has::Rsa) {
                continue;
            }
            let preference = VersionPreference::TokenBinding;
            let configs = server(has, provider, preference, ignores_order);
            let [token_binding, plain] = both(&configs);
            for (offer, hello, client) in &clients {
                let (config, choice) = configs.choose(hello);
                let binds = works(&token_binding, client);
                let is_chosen = choice == Choice::TokenBinding;
                assert!(Arc::ptr_eq(
                    &config,
                    if is_chosen { &token_binding } else { &plain }
                ));
                let chosen_works = if is_chosen {
                    binds
                } else {
                    works(&plain, client)
                };
                if !chosen_works {
                    let other_works = if is_chosen {
                        works(&plain, client)
                    } else {
                        binds
                    };
                    assert!(!other_works, "{has:?}, {offer:?}: {choice:?}");
                }
                // The client would have to verify with a curve that it does not name.
                let unnamed = has.curve().filter(|curve| !offer.names(*curve));
                let unnamed = unnamed.or((has == Has::Both
                    && offer
                        .schemes
                        .contains(&SignatureScheme::ECDSA_NISTP256_SHA256)
                    && !offer.names(NamedGroup::secp256r1))
                .then_some(NamedGroup::secp256r1));
                if binds && !is_chosen {
                    assert!(offer.tls13 && unnamed.is_some(), "{has:?}, {offer:?}");
                    assert_eq!(choice, Choice::Plain(PlainReason::NamedGroups));
                }
                if is_chosen && offer.tls13 && binds {
                    assert_eq!(unnamed, None, "{has:?}, {offer:?}");
                }
                let name = match choice {
                    Choice::TokenBinding => "token-binding",
                    Choice::Plain(reason) => reason.name(),
                };
                *chosen.entry((name, chosen_works)).or_default() += 1;
            }
        }
    }
    assert!(chosen.contains_key(&("signature-schemes", false)));
    // Each other one was chosen for clients with which it works, so that the table shows something.
    for name in [
        "token-binding",
        "cipher-suites",
        "named-groups",
        "protocol-version",
    ] {
        assert!(chosen.contains_key(&(name, true)), "{name}: {chosen:?}");
    }
}

/// The two examples by name: a certificate that no suite of TLS 1.2 of the client's goes with.
#[test]
fn chooses_plain_where_the_certificate_goes_with_no_suite_of_tls_1_2() {
    for (has, tls12) in [(Has::Rsa, Suites::Ecdsa), (Has::P256, Suites::Rsa)] {
        let configs = server(
            has,
            default_provider(),
            VersionPreference::TokenBinding,
            false,
        );
        let offer = Offer {
            tls12,
            tls13: true,
            ..offers().remove(0)
        };
        let client = offer.client();
        let (config, choice) = configs.choose(&hello(&client));
        assert_eq!(choice, Choice::Plain(PlainReason::CipherSuites));
        assert!(works(&config, &client));
    }
}

#[derive(Debug)]
struct Nothing;

impl ResolvesServerCert for Nothing {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

#[test]
fn chooses_plain_where_there_is_no_certificate() {
    let preference = VersionPreference::TokenBinding;
    let alpn = TokenBindingAlpn::ALL;
    let configs = ServerConfigs::build(default_provider(), &alpn, preference, |builder| {
        let builder = builder.with_no_client_auth();
        Ok(builder.with_cert_resolver(Arc::new(Nothing)))
    });
    let offer = Offer {
        tls12: Suites::All,
        tls13: true,
        ..offers().remove(0)
    };
    let (_, choice) = configs.unwrap().choose(&hello(&offer.client()));
    assert_eq!(choice, Choice::Plain(PlainReason::Certificate));
}

/// The error of rustls for a client that accepts no uncompressed points.
#[test]
fn chooses_plain_where_the_client_accepts_no_uncompressed_points() {
    let configs = server(
        Has::P256,
        default_provider(),
        VersionPreference::TokenBinding,
        false,
    );
    let [token_binding, plain] = both(&configs);
    let offer = Offer {
        tls12: Suites::All,
        tls13: true,
        ..offers().remove(0)
    };
    let mut hello = hello(&offer.client());
    let formats = hello
        .windows(6)
        .position(|octets| octets == [0, 11, 0, 2, 1, 0]);
    hello[formats.unwrap() + 5] = 1;
    let (_, choice) = configs.choose(&hello);
    assert_eq!(choice, Choice::Plain(PlainReason::PointFormats));
    let reads = |config| {
        let mut server = ServerConnection::new(config).unwrap();
        server.read_tls(&mut hello.as_slice()).unwrap();
        server.process_new_packets().map(drop)
    };
    assert_eq!(reads(plain), Ok(()));
    let required = rustls::PeerIncompatible::UncompressedEcPointsRequired;
    assert_eq!(reads(token_binding), Err(Error::PeerIncompatible(required)));
}

fn identity(key: KeyPair) -> Identity {
    let certificate = Certificate::server(&["localhost"]).common_name("localhost");
    certificate.self_signed_for(key)
}

fn generated(algorithm: &'static SignatureAlgorithm) -> Identity {
    identity(KeyPair::generate_for(algorithm).unwrap())
}

fn certified(identity: &Identity) -> Arc<CertifiedKey> {
    let provider = default_provider().key_provider;
    let key = provider.load_private_key(identity.private_key()).unwrap();
    Arc::new(CertifiedKey::new(identity.chain(), key))
}

static P256: LazyLock<Identity> = LazyLock::new(|| generated(&rcgen::PKCS_ECDSA_P256_SHA256));
static P384: LazyLock<Identity> = LazyLock::new(|| generated(&rcgen::PKCS_ECDSA_P384_SHA384));
static ED25519: LazyLock<Identity> = LazyLock::new(|| generated(&rcgen::PKCS_ED25519));
static RSA: LazyLock<Identity> = LazyLock::new(|| {
    let key = Rsa2048Key::generate().unwrap().to_pkcs8_der().unwrap();
    let key = PrivatePkcs8KeyDer::from(key.to_vec());
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &rcgen::PKCS_RSA_SHA256).unwrap();
    assert_eq!(key.algorithm(), &rcgen::PKCS_RSA_SHA256);
    identity(key)
});

/// The certificate of a server.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Has {
    P256,
    P384,
    Ed25519,
    Rsa,
    /// P-256 for clients that verify ECDSA, else RSA.
    Both,
}

impl Has {
    /// The curve of an ECDSA key that every client gets.
    fn curve(self) -> Option<NamedGroup> {
        match self {
            Self::P256 => Some(NamedGroup::secp256r1),
            Self::P384 => Some(NamedGroup::secp384r1),
            Self::Ed25519 | Self::Rsa | Self::Both => None,
        }
    }
}

#[derive(Debug)]
struct Resolver(Has);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let verifies = |scheme| hello.signature_schemes().contains(&scheme);
        let identity = match self.0 {
            Has::P256 => &P256,
            Has::P384 => &P384,
            Has::Ed25519 => &ED25519,
            Has::Rsa => &RSA,
            Has::Both if verifies(SignatureScheme::ECDSA_NISTP256_SHA256) => &P256,
            Has::Both => &RSA,
        };
        Some(certified(identity))
    }
}

/// X25519 under TLS 1.3 only, as the hybrid groups are.
#[derive(Debug)]
struct OnlyTls13;

impl SupportedKxGroup for OnlyTls13 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        kx_group::X25519.start()
    }

    fn name(&self) -> NamedGroup {
        kx_group::X25519.name()
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        version == ProtocolVersion::TLSv1_3
    }
}

fn server(
    has: Has,
    provider: CryptoProvider,
    preference: VersionPreference,
    ignore_client_order: bool,
) -> ServerConfigs {
    let configs = ServerConfigs::build(provider, &TokenBindingAlpn::ALL, preference, |builder| {
        let mut config = builder
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Resolver(has)));
        config.ignore_client_order = ignore_client_order;
        Ok(config)
    });
    configs.unwrap()
}

/// The suites of TLS 1.2 that a client offers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Suites {
    None,
    Ecdsa,
    Rsa,
    All,
}

impl Suites {
    fn has(self, suite: &SupportedCipherSuite) -> bool {
        let name = format!("{:?}", suite.suite());
        match self {
            Self::None => false,
            Self::Ecdsa => name.contains("ECDSA"),
            Self::Rsa => name.contains("RSA"),
            Self::All => true,
        }
    }
}

/// The offer of a client.
#[derive(Clone, Debug)]
struct Offer {
    tls12: Suites,
    tls13: bool,
    groups: Vec<&'static dyn SupportedKxGroup>,
    schemes: Vec<SignatureScheme>,
}

impl Offer {
    fn names(&self, group: NamedGroup) -> bool {
        self.groups.iter().any(|own| own.name() == group)
    }

    fn client(&self) -> Arc<ClientConfig> {
        let mut provider = default_provider();
        provider.cipher_suites.retain(|suite| {
            if suite.tls13().is_some() {
                self.tls13
            } else {
                self.tls12.has(suite)
            }
        });
        provider.kx_groups.clone_from(&self.groups);
        let all = provider.signature_verification_algorithms;
        let mapping = all.mapping.iter().copied();
        let mapping: Vec<_> = mapping
            .filter(|(scheme, _)| self.schemes.contains(scheme))
            .collect();
        provider.signature_verification_algorithms = WebPkiSupportedAlgorithms {
            all: all.all,
            mapping: mapping.leak(),
        };
        let versions: &[&SupportedProtocolVersion] = match (self.tls12, self.tls13) {
            (Suites::None, _) => &[&TLS13],
            (_, false) => &[&TLS12],
            (_, true) => &[&TLS13, &TLS12],
        };
        let mut roots = RootCertStore::empty();
        for identity in [&P256, &P384, &ED25519, &RSA] {
            roots.add(identity.certificate()).unwrap();
        }
        let mut config = ClientConfig::builder_with_provider(provider.into())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = ALPN.map(Into::into).to_vec();
        config.into()
    }
}

fn offers() -> Vec<Offer> {
    use SignatureScheme as Scheme;
    let all: Vec<_> = default_provider()
        .signature_verification_algorithms
        .mapping
        .iter()
        .map(|(scheme, _)| *scheme)
        .collect();
    let schemes = [
        all,
        vec![Scheme::ECDSA_NISTP256_SHA256],
        vec![Scheme::ECDSA_NISTP384_SHA384],
        vec![Scheme::RSA_PSS_SHA256],
        vec![Scheme::RSA_PKCS1_SHA256],
        vec![Scheme::ED25519],
        vec![Scheme::RSA_PKCS1_SHA384, Scheme::ECDSA_NISTP384_SHA384],
    ];
    let groups: [Vec<&'static dyn SupportedKxGroup>; 4] = [
        default_provider().kx_groups,
        vec![kx_group::X25519],
        vec![kx_group::SECP256R1],
        vec![kx_group::SECP384R1],
    ];
    let mut offers = Vec::new();
    for tls13 in [false, true] {
        for tls12 in [Suites::None, Suites::Ecdsa, Suites::Rsa, Suites::All] {
            if !tls13 && tls12 == Suites::None {
                continue;
            }
            for groups in &groups {
                for schemes in &schemes {
                    offers.push(Offer {
                        tls12,
                        tls13,
                        groups: groups.clone(),
                        schemes: schemes.clone(),
                    });
                }
            }
        }
    }
    offers
}

fn connection(client: &Arc<ClientConfig>) -> ClientConnection {
    ClientConnection::new(client.clone(), "localhost".try_into().unwrap()).unwrap()
}

fn hello(client: &Arc<ClientConfig>) -> Vec<u8> {
    let mut hello = Vec::new();
    connection(client).write_tls(&mut hello).unwrap();
    hello
}

/// Returns `true` if the handshake works.
fn works(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> bool {
    let mut client = connection(client);
    let mut server = ServerConnection::new(server.clone()).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut flight = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut flight).unwrap();
        }
        let mut rest = flight.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            if server.process_new_packets().is_err() {
                return false;
            }
        }
        let mut flight = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut flight).unwrap();
        }
        let mut rest = flight.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            if client.process_new_packets().is_err() {
                return false;
            }
        }
    }
    true
}

/// A server's two configurations.
fn both(configs: &ServerConfigs) -> [Arc<ServerConfig>; 2] {
    let (plain, choice) = configs.choose(b"");
    assert_eq!(choice, Choice::Plain(PlainReason::Unreadable));
    let whole = Offer {
        tls12: Suites::All,
        tls13: false,
        ..offers().remove(0)
    };
    let (token_binding, choice) = configs.choose(&hello(&whole.client()));
    assert_eq!(choice, Choice::TokenBinding);
    [token_binding, plain]
}
