//! Feature `key-file`: keys in a file, encrypted under a key that the application supplies.
//!
//! The file: the line [`MAGIC`], a nonce of 24 bytes, and JSON under XChaCha20-Poly1305 with the
//! first line as associated data. It is replaced as a whole, atomically, before a new key is used.

use std::{
    fmt, io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use chacha20poly1305::{
    Key as AeadKey, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use durable_store::{ErrorKind, Lock, StoreFile};
use serde::{Deserialize, Serialize};
use tokenbind_wire::{KeyParameters, P256Key, Rsa2048Key, SignError};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    keys::{Key, KeyStore, KeyStoreError, KeyStoreErrorKind, Slots, forget},
    origin::Scope,
};

const MAGIC: &[u8] = b"tokenbind-http keys 1\n";
const NONCE_LEN: usize = 24;

/// The largest file, in bytes: a hundred thousand keys. It is read and written as a whole.
const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;

/// A store of keys in a file, encrypted at rest. One process at a time can open it. The cost of a new key
/// grows with the number of keys.
///
/// A symbolic link is resolved once, when the store is opened; the lock, `NAME.lock`, and the file are
/// beside the real one, and are made for their owner alone. To back up the store, copy its file at any
/// time: it is replaced and never changed.
pub struct FileKeyStore {
    file: StoreFile,
    encryption_key: Zeroizing<[u8; 32]>,
    /// Not locked while the file is read or written, so that known keys can be used meanwhile.
    slots: Mutex<Slots<Slot>>,
    /// The lock of the file, held as long as the store is open; `None` on a read-only file system. The mutex
    /// is locked while the file is replaced.
    lock: Mutex<Option<Lock>>,
}

struct Slot {
    key: Key,
    pkcs8: Zeroizing<Vec<u8>>,
}

/// A text that is erased when it is dropped.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Secret(String);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    scope: String,
    parameters: String,
    pkcs8: Secret,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    keys: Vec<StoredKey>,
}

impl FileKeyStore {
    /// Opens the store at `path`, whose directory must exist. If the file does not exist, the store has no
    /// keys. The encryption key is best kept in the platform's credential store.
    ///
    /// On a read-only file system the existing keys can be used, and no key can be made.
    ///
    /// # Errors
    /// [`Sealed`](KeyStoreErrorKind::Sealed) if the file is damaged or encrypted under another key;
    /// [`Locked`](KeyStoreErrorKind::Locked) if another process has it open;
    /// [`Missing`](KeyStoreErrorKind::Missing) if the directory does not exist;
    /// [`Exposed`](KeyStoreErrorKind::Exposed) if other users may write the file, or open the lock; other
    /// kinds if the file cannot be used. Never returns an empty store instead of a file that cannot be read.
    pub fn open(
        path: impl AsRef<Path>,
        encryption_key: Zeroizing<[u8; 32]>,
    ) -> Result<Self, KeyStoreError> {
        let failed = KeyStoreError::of_file;
        let file = StoreFile::resolve(path).map_err(failed)?;
        let lock = file.lock_to_read(Duration::ZERO).map_err(failed)?;
        let limit = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
        let slots = match file.read(limit) {
            Ok((_, bytes)) => {
                file.check_single_name().map_err(failed)?;
                let read = unseal(&bytes, &encryption_key).and_then(|json| slots(&json));
                read.map_err(|error| error.at(file.path()))?
            }
            // The file, not its directory, which exists since the lock was made.
            Err(error) if error.kind() == ErrorKind::Missing => Slots::new(),
            Err(error) => return Err(failed(error)),
        };
        // Temporary files of a killed process may contain keys that were reset later.
        if let Some(lock) = &lock {
            file.remove_leftovers(lock);
        }
        Ok(Self {
            file,
            encryption_key,
            slots: Mutex::new(slots),
            lock: Mutex::new(lock),
        })
    }

    fn slots(&self) -> MutexGuard<'_, Slots<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until this thread alone may write the file and add or remove keys.
    fn writer(&self) -> MutexGuard<'_, Option<Lock>> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the file by one with the present keys and `new`. Another thread can get a known key
    /// meanwhile.
    fn write(
        &self,
        lock: &Option<Lock>,
        new: Option<(&(Scope, &'static str), &Slot)>,
    ) -> Result<(), KeyStoreError> {
        let failed = |error: KeyStoreError| error.at(self.file.path());
        let read_only = || KeyStoreError::from(io::Error::from(io::ErrorKind::ReadOnlyFilesystem));
        let lock = lock.as_ref().ok_or_else(read_only).map_err(failed)?;
        let json = json(self.slots().iter().chain(new)).map_err(failed)?;
        let sealed = seal(&json, &self.encryption_key).map_err(failed)?;
        if sealed.len() > MAX_FILE_BYTES {
            return Err(failed(KeyStoreErrorKind::TooLarge.into()));
        }
        let replaced = self.file.replace(lock, &sealed);
        replaced.map(drop).map_err(KeyStoreError::of_file)
    }
}

/// Returns the JSON of keys, before it is encrypted.
fn json<'k>(
    slots: impl Iterator<Item = (&'k (Scope, &'static str), &'k Slot)>,
) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
    // Enough capacity, so that a reallocation leaves no copy behind.
    let mut room = 64_usize;
    let keys = slots.map(|((scope, parameters), slot)| {
        let scope_room = scope.as_str().len().saturating_mul(6);
        room = room
            .saturating_add(slot.pkcs8.len().saturating_mul(2))
            .saturating_add(scope_room)
            .saturating_add(128);
        StoredKey {
            scope: scope.as_str().to_owned(),
            parameters: (*parameters).to_owned(),
            pkcs8: Secret(STANDARD_NO_PAD.encode(&*slot.pkcs8)),
        }
    });
    let keys = keys.collect();
    let mut json = Zeroizing::new(Vec::with_capacity(room));
    serde_json::to_writer(&mut *json, &Stored { keys }).map_err(io::Error::from)?;
    Ok(json)
}

impl KeyStore for FileKeyStore {
    fn key(&self, scope: &Scope, parameters: KeyParameters) -> Result<Key, KeyStoreError> {
        let name = (scope.clone(), parameters.name());
        if let Some(slot) = self.slots().get(&name) {
            return Ok(slot.key.clone());
        }
        // Made without the lock, because an RSA key takes time. The first of two made at once is kept.
        let slot = Slot::generate(parameters);
        let slot =
            slot.map_err(|_| KeyStoreError::from(KeyStoreErrorKind::Backend).at(self.file.path()))?;
        let lock = self.writer();
        if let Some(slot) = self.slots().get(&name) {
            return Ok(slot.key.clone());
        }
        self.write(&lock, Some((&name, &slot)))?;
        let key = slot.key.clone();
        self.slots().insert(name, slot);
        Ok(key)
    }

    fn reset(&self, scope: Option<&Scope>) -> Result<(), KeyStoreError> {
        let lock = self.writer();
        forget(&mut self.slots(), scope);
        self.write(&lock, None)
    }
}

impl fmt::Debug for FileKeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileKeyStore").finish_non_exhaustive()
    }
}

impl Slot {
    fn generate(parameters: KeyParameters) -> Result<Self, SignError> {
        match parameters {
            KeyParameters::P256 => {
                let key = P256Key::generate()?;
                let pkcs8 = key.to_pkcs8_der()?;
                let key = Arc::new(key);
                Ok(Self { key, pkcs8 })
            }
            KeyParameters::Rsa2048 => {
                let key = Rsa2048Key::generate()?;
                let pkcs8 = key.to_pkcs8_der()?;
                let key = Arc::new(key);
                Ok(Self { key, pkcs8 })
            }
            _ => Err(SignError::Key),
        }
    }
}

fn slots(json: &[u8]) -> Result<Slots<Slot>, KeyStoreError> {
    let stored: Stored = serde_json::from_slice(json).map_err(|_| KeyStoreErrorKind::Version)?;
    let mut slots = Slots::new();
    for StoredKey {
        scope,
        parameters,
        pkcs8,
    } in stored.keys
    {
        let pkcs8 = STANDARD_NO_PAD
            .decode(&pkcs8.0)
            .map_err(|_| KeyStoreErrorKind::Version)?;
        let pkcs8 = Zeroizing::new(pkcs8);
        let (name, key): (_, Key) = if parameters == KeyParameters::P256.name() {
            let key = P256Key::from_pkcs8_der(&pkcs8).map_err(|_| KeyStoreErrorKind::Version)?;
            (KeyParameters::P256.name(), Arc::new(key))
        } else if parameters == KeyParameters::Rsa2048.name() {
            let key = Rsa2048Key::from_pkcs8_der(&pkcs8).map_err(|_| KeyStoreErrorKind::Version)?;
            (KeyParameters::Rsa2048.name(), Arc::new(key))
        } else {
            return Err(KeyStoreErrorKind::Version.into());
        };
        slots.insert((Scope::from_stored(scope), name), Slot { key, pkcs8 });
    }
    Ok(slots)
}

fn seal(json: &[u8], key: &[u8; 32]) -> Result<Vec<u8>, KeyStoreError> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(|_| KeyStoreErrorKind::Backend)?;
    let payload = Payload {
        msg: json,
        aad: MAGIC,
    };
    let sealed = XChaCha20Poly1305::new(&AeadKey::from(*key))
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|_| KeyStoreErrorKind::Backend)?;
    Ok([MAGIC, &nonce, &sealed].concat())
}

fn unseal(bytes: &[u8], key: &[u8; 32]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        let other = bytes.starts_with(b"tokenbind-http keys ");
        return Err(if other {
            KeyStoreErrorKind::Version.into()
        } else {
            KeyStoreErrorKind::Sealed.into()
        });
    };
    let (nonce, sealed) = rest
        .split_first_chunk::<NONCE_LEN>()
        .ok_or(KeyStoreErrorKind::Sealed)?;
    let payload = Payload {
        msg: sealed,
        aad: MAGIC,
    };
    XChaCha20Poly1305::new(&AeadKey::from(*key))
        .decrypt(&XNonce::from(*nonce), payload)
        .map(Zeroizing::new)
        .map_err(|_| KeyStoreErrorKind::Sealed.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    #[test]
    fn returns_known_keys_while_another_thread_replaces_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        let store = FileKeyStore::open(path, Zeroizing::new([7; 32])).unwrap();
        let scope = Scope::from_stored("https://example.com:443".to_owned());
        let id = |key: &Key| key.public_key().clone();
        let known = id(&store.key(&scope, KeyParameters::P256).unwrap());
        let (found, is_found) = mpsc::channel();
        thread::scope(|threads| {
            let writer = store.writer();
            threads
                .spawn(|| found.send(store.key(&scope, KeyParameters::P256).map(|key| id(&key))));
            // Without an answer the reader is blocked.
            let key = is_found.recv_timeout(Duration::from_secs(20));
            drop(writer);
            assert_eq!(key.unwrap().unwrap(), known);
        });
    }
}
