//! Where a client's keys are: the trait, and a store in memory.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use tokenbind_wire::{KeyParameters, Sign};

use crate::origin::{Origin, Scope};

/// A Token Binding key that signs; it may live in a TPM or a platform's key store.
pub type Key = Arc<dyn Sign + Send + Sync>;

/// Why a key store has no key, or could not be reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyStoreError {
    /// The random source or the platform's key store failed.
    Backend,
    /// Reading or writing failed.
    Io(std::io::ErrorKind),
    /// Another process has the store open.
    Locked,
    /// The store's file is damaged, was changed, or is not under this encryption key.
    Sealed,
    /// The store's file is of a version this crate does not know.
    Version,
}

impl fmt::Display for KeyStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backend => f.write_str("the random source or the key store failed"),
            Self::Io(kind) => write!(f, "the key store: {kind}"),
            Self::Locked => f.write_str("another process has the key store open"),
            Self::Sealed => f.write_str(
                "the key store is damaged, was changed, or is not under this encryption key",
            ),
            Self::Version => f.write_str("the key store is of an unknown version"),
        }
    }
}

impl std::error::Error for KeyStoreError {}

impl From<std::io::Error> for KeyStoreError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.kind())
    }
}

/// What is reset together (section 4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Keys and cookies of all origins.
    All,
    /// Those of one origin.
    Origin(Origin),
}

/// A store of keys, one a scope and parameters.
pub trait KeyStore: Send + Sync {
    /// The key of a scope, made if there is none. Two scopes must never get one key.
    ///
    /// # Errors
    /// When it cannot be had or made, or a new one cannot be kept.
    fn key(&self, scope: &Scope, parameters: KeyParameters) -> Result<Key, KeyStoreError>;

    /// Forgets the keys of a scope, or all.
    ///
    /// # Errors
    /// When some may be left.
    fn reset(&self, scope: Option<&Scope>) -> Result<(), KeyStoreError>;
}

impl<S: KeyStore + ?Sized> KeyStore for Arc<S> {
    fn key(&self, scope: &Scope, parameters: KeyParameters) -> Result<Key, KeyStoreError> {
        (**self).key(scope, parameters)
    }

    fn reset(&self, scope: Option<&Scope>) -> Result<(), KeyStoreError> {
        (**self).reset(scope)
    }
}

/// By scope and parameters.
pub(crate) type Slots<K> = BTreeMap<(Scope, &'static str), K>;

/// Forgets what a [`Reset`] says.
pub(crate) fn forget<K>(slots: &mut Slots<K>, scope: Option<&Scope>) {
    slots.retain(|(of, _), _| scope.is_some_and(|scope| scope != of));
}

/// Keys in memory, made with the RustCrypto backend: gone with the process.
#[derive(Default)]
pub struct MemoryKeyStore {
    keys: Mutex<Slots<Key>>,
}

impl MemoryKeyStore {
    /// A store without keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl KeyStore for MemoryKeyStore {
    fn key(&self, scope: &Scope, parameters: KeyParameters) -> Result<Key, KeyStoreError> {
        let slot = (scope.clone(), parameters.name());
        let known = |keys: &Slots<Key>| keys.get(&slot).cloned();
        let locked = || self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known(&locked()) {
            return Ok(key);
        }
        // Not under the lock: an RSA key takes its time. The first of two made at once is kept.
        let new = generate(parameters)?;
        Ok(locked().entry(slot).or_insert(new).clone())
    }

    fn reset(&self, scope: Option<&Scope>) -> Result<(), KeyStoreError> {
        forget(
            &mut self.keys.lock().unwrap_or_else(PoisonError::into_inner),
            scope,
        );
        Ok(())
    }
}

impl fmt::Debug for MemoryKeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryKeyStore").finish_non_exhaustive()
    }
}

fn generate(parameters: KeyParameters) -> Result<Key, KeyStoreError> {
    use tokenbind_wire::{P256Key, Rsa2048Key};
    Ok(match parameters {
        KeyParameters::P256 => Arc::new(P256Key::generate().map_err(|_| KeyStoreError::Backend)?),
        KeyParameters::Rsa2048 => {
            Arc::new(Rsa2048Key::generate().map_err(|_| KeyStoreError::Backend)?)
        }
        _ => return Err(KeyStoreError::Backend),
    })
}
