//! Feature `chacha20poly1305`: keys in a file, encrypted under a key that the application supplies.
//!
//! The file: the line [`MAGIC`], a nonce of 24 bytes, and JSON under XChaCha20-Poly1305 with the
//! first line as associated data. It is replaced as a whole, atomically, before a new key is used.

use std::{
    ffi::OsStr,
    fmt, fs,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use atomic_write_file::AtomicWriteFile;
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use chacha20poly1305::{
    Key as AeadKey, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use serde::{Deserialize, Serialize};
use tokenbind_wire::{KeyParameters, P256Key, Rsa2048Key, SignError};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    key_store::{Key, KeyStore, KeyStoreError, Slots, forget},
    origin::Scope,
};

const MAGIC: &[u8] = b"tokenbind-http keys 1\n";
const NONCE_LEN: usize = 24;

/// Keys in a file, encrypted at rest. One process at a time; the file's cost of a new key grows with
/// the number of keys.
pub struct FileKeyStore {
    path: PathBuf,
    encryption_key: Zeroizing<[u8; 32]>,
    /// Never held while the file is read or written: a key that is there is given out meanwhile.
    slots: Mutex<Slots<Arc<Slot>>>,
    /// Held while the file is replaced.
    writing: Mutex<()>,
    /// Held as long as the store is open.
    _lock: Lock,
}

struct Slot {
    key: Key,
    pkcs8: Zeroizing<Vec<u8>>,
}

/// Text that is erased when it is dropped.
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
    /// Opens the store at `path`, whose directory must exist; a file that does not exist is a store
    /// without keys. The encryption key is best kept in the platform's credential store.
    ///
    /// # Errors
    /// When the file is damaged, under another key, or open elsewhere: never an empty store instead.
    pub fn open(
        path: impl Into<PathBuf>,
        encryption_key: Zeroizing<[u8; 32]>,
    ) -> Result<Self, KeyStoreError> {
        let path = path.into();
        let lock = Lock::of(&path)?;
        remove_left_behind(&path)?;
        let slots = match fs::read(&path) {
            Ok(bytes) => slots(&unseal(&bytes, &encryption_key)?)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Slots::new(),
            Err(error) => return Err(error.into()),
        };
        Ok(Self {
            path,
            encryption_key,
            slots: Mutex::new(slots),
            writing: Mutex::new(()),
            _lock: lock,
        })
    }

    fn slots(&self) -> MutexGuard<'_, Slots<Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn one_writer(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, slots: &Slots<Arc<Slot>>) -> Result<(), KeyStoreError> {
        let keys = slots
            .iter()
            .map(|((scope, parameters), slot)| StoredKey {
                scope: scope.as_str().to_owned(),
                parameters: (*parameters).to_owned(),
                pkcs8: Secret(STANDARD_NO_PAD.encode(&*slot.pkcs8)),
            })
            .collect();
        // Room for all of it, so that no copy is left behind by a reallocation.
        let room = |(scope, _): &(Scope, _), slot: &Arc<Slot>| {
            let scope = scope.as_str().len().saturating_mul(6);
            slot.pkcs8
                .len()
                .saturating_mul(2)
                .saturating_add(scope)
                .saturating_add(128)
        };
        let room = slots.iter().fold(64_usize, |sum, (name, slot)| {
            sum.saturating_add(room(name, slot))
        });
        let mut json = Zeroizing::new(Vec::with_capacity(room));
        serde_json::to_writer(&mut *json, &Stored { keys }).map_err(io::Error::from)?;
        let sealed = seal(&json, &self.encryption_key)?;
        let mut options = AtomicWriteFile::options();
        #[cfg(unix)]
        {
            use atomic_write_file::unix::OpenOptionsExt as _;
            use std::os::unix::fs::OpenOptionsExt as _;
            options
                .mode(0o600)
                .preserve_mode(false)
                .preserve_owner(false);
        }
        let mut file = options.open(&self.path)?;
        file.write_all(&sealed)?;
        file.commit()?;
        Ok(())
    }
}

impl KeyStore for FileKeyStore {
    fn key(&self, scope: &Scope, parameters: KeyParameters) -> Result<Key, KeyStoreError> {
        let name = (scope.clone(), parameters.name());
        if let Some(slot) = self.slots().get(&name) {
            return Ok(slot.key.clone());
        }
        // Not under the lock: an RSA key takes its time. The first of two made at once is kept.
        let slot = Slot::generate(parameters).map_err(|_| KeyStoreError::Backend)?;
        let slot = Arc::new(slot);
        let _one_writer = self.one_writer();
        let mut slots = self.slots().clone();
        if let Some(slot) = slots.get(&name) {
            return Ok(slot.key.clone());
        }
        slots.insert(name.clone(), slot.clone());
        self.write(&slots)?;
        let key = slot.key.clone();
        self.slots().insert(name, slot);
        Ok(key)
    }

    fn reset(&self, scope: Option<&Scope>) -> Result<(), KeyStoreError> {
        let _one_writer = self.one_writer();
        let mut slots = self.slots();
        forget(&mut slots, scope);
        let left = slots.clone();
        drop(slots);
        self.write(&left)
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

fn slots(json: &[u8]) -> Result<Slots<Arc<Slot>>, KeyStoreError> {
    let stored: Stored = serde_json::from_slice(json).map_err(|_| KeyStoreError::Version)?;
    let mut slots = Slots::new();
    for StoredKey {
        scope,
        parameters,
        pkcs8,
    } in stored.keys
    {
        let pkcs8 = STANDARD_NO_PAD
            .decode(&pkcs8.0)
            .map_err(|_| KeyStoreError::Version)?;
        let pkcs8 = Zeroizing::new(pkcs8);
        let (name, key): (_, Key) = if parameters == KeyParameters::P256.name() {
            let key = P256Key::from_pkcs8_der(&pkcs8).map_err(|_| KeyStoreError::Version)?;
            (KeyParameters::P256.name(), Arc::new(key))
        } else if parameters == KeyParameters::Rsa2048.name() {
            let key = Rsa2048Key::from_pkcs8_der(&pkcs8).map_err(|_| KeyStoreError::Version)?;
            (KeyParameters::Rsa2048.name(), Arc::new(key))
        } else {
            return Err(KeyStoreError::Version);
        };
        let slot = Arc::new(Slot { key, pkcs8 });
        slots.insert((Scope::from_stored(scope), name), slot);
    }
    Ok(slots)
}

fn seal(json: &[u8], key: &[u8; 32]) -> Result<Vec<u8>, KeyStoreError> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(|_| KeyStoreError::Backend)?;
    let payload = Payload {
        msg: json,
        aad: MAGIC,
    };
    let sealed = XChaCha20Poly1305::new(&AeadKey::from(*key))
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|_| KeyStoreError::Backend)?;
    Ok([MAGIC, &nonce, &sealed].concat())
}

fn unseal(bytes: &[u8], key: &[u8; 32]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        let other = bytes.starts_with(b"tokenbind-http keys ");
        return Err(if other {
            KeyStoreError::Version
        } else {
            KeyStoreError::Sealed
        });
    };
    let (nonce, sealed) = rest
        .split_first_chunk::<NONCE_LEN>()
        .ok_or(KeyStoreError::Sealed)?;
    let payload = Payload {
        msg: sealed,
        aad: MAGIC,
    };
    XChaCha20Poly1305::new(&AeadKey::from(*key))
        .decrypt(&XNonce::from(*nonce), payload)
        .map(Zeroizing::new)
        .map_err(|_| KeyStoreError::Sealed)
}

/// The lock on a file beside the store: the store's own file is replaced.
struct Lock(File);

impl Lock {
    fn of(path: &Path) -> Result<Self, KeyStoreError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".lock");
        let mut options = File::options();
        let file = options
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.with_file_name(name))?;
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => Ok(Self(file)),
            Err(fs4::TryLockError::WouldBlock) => Err(KeyStoreError::Locked),
            Err(fs4::TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

impl Drop for Lock {
    /// Closing is not enough: a process that this one is just starting has the file open, too.
    fn drop(&mut self) {
        // If it fails, closing has to do.
        let _ = fs4::FileExt::unlock(&self.0);
    }
}

/// Removes what a process left that was killed while it replaced the file: keys may be in there that
/// were reset since. The names are those of `atomic-write-file`: a dot, the file's name, a dot, and
/// six letters or digits.
fn remove_left_behind(path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let left_behind = |entry: &OsStr| {
        let suffix = entry.as_encoded_bytes().strip_prefix(b".");
        let suffix = suffix.and_then(|rest| rest.strip_prefix(name)?.strip_prefix(b"."));
        suffix
            .is_some_and(|suffix| suffix.len() == 6 && suffix.iter().all(u8::is_ascii_alphanumeric))
    };
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    for entry in fs::read_dir(directory.unwrap_or(Path::new(".")))? {
        let entry = entry?;
        if left_behind(&entry.file_name()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
