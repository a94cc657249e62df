//! Key stores: one key an origin, and a file that always opens with every key that was given out.

#![cfg(feature = "key-file")]
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod file;
mod keys;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use chacha20poly1305::{
    Key as AeadKey, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use tokenbind_http::{
    keys::{FileKeyStore, Key, KeyStore, KeyStoreError, KeyStoreErrorKind, MemoryKeyStore},
    origin::{Origin, Scope, ScopeRule},
};
use tokenbind_wire::{
    EncodingProfile, KeyParameters, Negotiated, Outcome, PointEncoding, Position, ProtocolVersion,
    RustCrypto, Session, TlsFacts, TlsUnique, TokenBindingAlpn, TokenBindingId, TokenBindingType,
    establish, sign_message,
};
use zeroize::Zeroizing;

const SECRET: [u8; 32] = [7; 32];
const MAGIC: &[u8] = b"tokenbind-http keys 1\n";

/// An empty directory for one test, and the store's path in it.
fn place(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("key_stores")
        .join(test);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory.join("keys")
}

fn open(path: &Path) -> Result<FileKeyStore, KeyStoreError> {
    FileKeyStore::open(path, Zeroizing::new(SECRET))
}

/// Another file in the store's place. Made anew: some file systems wait for the disk after a
/// truncation.
fn put(path: &Path, bytes: &[u8]) {
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
}

/// Returns the reason why the store does not open; `None` if it opens.
fn refusal(path: &Path) -> Option<KeyStoreErrorKind> {
    let error = open(path).err()?;
    // It says of which file it is.
    assert!(error.place().is_some(), "{error}");
    Some(error.kind())
}

/// The names in the store's directory.
fn beside(path: &Path) -> BTreeSet<std::ffi::OsString> {
    let entries = fs::read_dir(path.parent().unwrap()).unwrap();
    entries.map(|entry| entry.unwrap().file_name()).collect()
}

fn scope(origin: &str) -> Scope {
    ScopeRule::Origin.scope(&origin.parse().unwrap())
}

fn key_id(key: &Key) -> String {
    let id = TokenBindingId::try_new(
        TokenBindingType::PROVIDED,
        key.public_key(),
        PointEncoding::default(),
    );
    hex::encode(id.unwrap().key_id_sha256())
}

fn p256(store: &dyn KeyStore, origin: &str) -> String {
    key_id(&store.key(&scope(origin), KeyParameters::P256).unwrap())
}

/// Returns `true` if a signature of the key verifies under its public key.
fn signs(key: &Key, alpn: TokenBindingAlpn) -> bool {
    let facts = TlsFacts {
        version: ProtocolVersion::TLS1_2,
        extended_master_secret: true,
    };
    let session = Session {
        negotiated: Negotiated::try_new(alpn, facts).unwrap(),
        tls_unique: TlsUnique::from_engine(b"Finished 123", facts).unwrap(),
    };
    let profile = EncodingProfile::default();
    let sent = sign_message(
        session.negotiated,
        &session.tls_unique,
        &**key,
        None,
        profile,
    );
    let sent = sent.unwrap().to_vec().unwrap();
    let outcome = establish(
        Some(&session),
        Position::First,
        Some(&sent),
        &RustCrypto,
        profile,
    );
    matches!(outcome, Outcome::Established(_))
}

/// A store's file with this content, as the store itself seals it.
fn sealed(json: &str) -> Vec<u8> {
    let nonce = [9; 24];
    let payload = Payload {
        msg: json.as_bytes(),
        aad: MAGIC,
    };
    let cipher = XChaCha20Poly1305::new(&AeadKey::from(SECRET));
    let sealed = cipher.encrypt(&XNonce::from(nonce), payload).unwrap();
    [MAGIC, &nonce, &sealed].concat()
}
