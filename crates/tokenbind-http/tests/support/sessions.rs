//! Sessions, keys, headers and a verifier that counts.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "shared by the tests"
)]

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicUsize, Ordering},
};

use tokenbind_http::{
    header,
    keys::{Key, KeyStore, KeyStoreError, MemoryKeyStore},
    origin::{Origin, Scope},
    server,
};
use tokenbind_wire::{
    EncodingProfile, KeyParameters, Negotiated, P256Key, ProtocolVersion, PublicKey, Rsa2048Key,
    RustCrypto, Session, Sign, SignError, Signature, SignatureInvalid, SignedOctets, TlsFacts,
    TlsUnique, TokenBindingAlpn, TokenBindingId, TokenBindingType, Verify, sign_message,
};

pub const P256: TokenBindingAlpn = TokenBindingAlpn::Http11P256;
pub const RSA: TokenBindingAlpn = TokenBindingAlpn::H2Rsa2048;

/// The session of a connection, of which each has its own `tls_unique`.
pub fn session(alpn: TokenBindingAlpn, connection: u8) -> Session {
    let facts = TlsFacts {
        version: ProtocolVersion::TLS1_2,
        extended_master_secret: true,
    };
    Session {
        negotiated: Negotiated::try_new(alpn, facts).unwrap(),
        tls_unique: TlsUnique::from_engine(&[connection; 12], facts).unwrap(),
    }
}

/// A server's side of a connection before its first request.
pub fn server(session: Session) -> server::ConnectionState {
    server::ConnectionState::new(Some(session), server::Options::default())
}

pub fn origin(text: &str) -> Origin {
    text.parse().unwrap()
}

pub fn p256() -> Arc<P256Key> {
    Arc::new(P256Key::generate().unwrap())
}

/// One of two RSA keys: making one takes its time.
pub fn rsa(number: usize) -> Arc<Rsa2048Key> {
    static KEYS: LazyLock<[Arc<Rsa2048Key>; 2]> =
        LazyLock::new(|| std::array::from_fn(|_| Arc::new(Rsa2048Key::generate().unwrap())));
    KEYS[number].clone()
}

/// The message a client with these keys sends.
pub fn octets(session: &Session, provided: &dyn Sign, referred: Option<&dyn Sign>) -> Vec<u8> {
    let (unique, profile) = (&session.tls_unique, EncodingProfile::default());
    let message = sign_message(session.negotiated, unique, provided, referred, profile);
    message.unwrap().to_vec().unwrap()
}

/// The header of a client with these keys.
pub fn header(session: &Session, provided: &dyn Sign, referred: Option<&dyn Sign>) -> String {
    header::encode(&octets(session, provided, referred))
}

/// The identifier of a key.
pub fn id(tokenbinding_type: TokenBindingType, key: &dyn Sign) -> TokenBindingId {
    let point = EncodingProfile::default().point;
    TokenBindingId::try_new(tokenbinding_type, key.public_key(), point).unwrap()
}

/// A verifier that counts signatures and verifies with `RustCrypto`, without RSA if so configured.
#[derive(Default)]
pub struct Counting {
    pub count: AtomicUsize,
    pub without: Option<KeyParameters>,
}

impl Counting {
    /// Returns the number of signatures verified since the last call.
    pub fn taken(&self) -> usize {
        self.count.swap(0, Ordering::Relaxed)
    }
}

impl Verify for Counting {
    fn supports(&self, parameters: KeyParameters) -> bool {
        self.without != Some(parameters) && RustCrypto.supports(parameters)
    }

    fn verify_p256(
        &self,
        coordinates: &[u8; 64],
        octets: &SignedOctets,
        signature: &[u8; 64],
    ) -> Result<(), SignatureInvalid> {
        self.count.fetch_add(1, Ordering::Relaxed);
        RustCrypto.verify_p256(coordinates, octets, signature)
    }

    fn verify_rsa2048(
        &self,
        modulus: &[u8],
        publicexponent: &[u8],
        octets: &SignedOctets,
        signature: &[u8; 256],
    ) -> Result<(), SignatureInvalid> {
        self.count.fetch_add(1, Ordering::Relaxed);
        RustCrypto.verify_rsa2048(modulus, publicexponent, octets, signature)
    }
}

/// A key whose signatures are counted.
struct CountedKey {
    key: Key,
    signatures: Arc<AtomicUsize>,
}

impl Sign for CountedKey {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn sign(&self, octets: &SignedOctets) -> Result<Signature, SignError> {
        self.signatures.fetch_add(1, Ordering::Relaxed);
        self.key.sign(octets)
    }
}

/// A store whose keys' signatures are counted; its RSA keys are those of [`rsa`], the first for
/// `https://rp.example`.
#[derive(Clone, Default)]
pub struct Keys {
    p256: Arc<MemoryKeyStore>,
    pub signatures: Arc<AtomicUsize>,
}

impl KeyStore for Keys {
    fn key(&self, scope: &Scope, parameters: KeyParameters) -> Result<Key, KeyStoreError> {
        let key = match parameters {
            KeyParameters::Rsa2048 => rsa(usize::from(scope.as_str() != "https://rp.example")),
            parameters => {
                let key = self.p256.key(scope, parameters)?;
                let signatures = self.signatures.clone();
                return Ok(Arc::new(CountedKey { key, signatures }));
            }
        };
        let signatures = self.signatures.clone();
        Ok(Arc::new(CountedKey { key, signatures }))
    }

    fn reset(&self, scope: Option<&Scope>) -> Result<(), KeyStoreError> {
        self.p256.reset(scope)
    }
}
