//! A client's keys: the trait of key stores, a store in memory, and one in a file.

#[cfg(feature = "key-file")]
mod file;

use std::{
    collections::BTreeMap,
    error::Error,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use tokenbind_wire::{KeyParameters, Sign};

use crate::origin::{Origin, Scope};

#[cfg(feature = "key-file")]
#[cfg_attr(docsrs, doc(cfg(feature = "key-file")))]
pub use file::FileKeyStore;

/// A Token Binding key that signs; it may live in a TPM or a platform's key store.
pub type Key = Arc<dyn Sign + Send + Sync>;

/// The kind of a [`KeyStoreError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyStoreErrorKind {
    /// The random source or the platform's key store failed.
    Backend,
    /// The directory of the store's file does not exist.
    Missing,
    /// Reading or writing failed. The source of the error is that of the operating system.
    Io(std::io::ErrorKind),
    /// Another process has the store open.
    Locked,
    /// The store's file, or its lock, belongs to another user or is open to other users.
    Exposed,
    /// The store's file is a directory, a FIFO, a socket or a device.
    NotRegular,
    /// The store's file has a second name (a hard link), which would not follow the changes.
    Linked,
    /// The store's file is larger than it may be.
    TooLarge,
    /// The store's file is damaged, was changed, or is encrypted under another key.
    Sealed,
    /// The store's file is of a version that this crate does not know.
    Version,
}

/// A key store's error: its kind, and the file. Two are equal if they are of one kind and about one file.
#[derive(Clone, Debug)]
pub struct KeyStoreError {
    kind: KeyStoreErrorKind,
    place: Option<Box<str>>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl KeyStoreError {
    /// Creates an error with its source.
    #[must_use]
    pub fn new(kind: KeyStoreErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into().into()),
            ..kind.into()
        }
    }

    /// Returns the kind of the error.
    #[must_use]
    pub const fn kind(&self) -> KeyStoreErrorKind {
        self.kind
    }

    /// Returns the path of the store's file, quoted.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }
}

impl PartialEq for KeyStoreError {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, &self.place) == (other.kind, &other.place)
    }
}

impl Eq for KeyStoreError {}

impl From<KeyStoreErrorKind> for KeyStoreError {
    fn from(kind: KeyStoreErrorKind) -> Self {
        Self {
            kind,
            place: None,
            source: None,
        }
    }
}

impl fmt::Display for KeyStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            KeyStoreErrorKind::Backend => f.write_str("the random source or the key store failed"),
            KeyStoreErrorKind::Missing => f.write_str("the key store's directory does not exist"),
            KeyStoreErrorKind::Io(kind) => {
                write!(f, "the key store cannot be read or written: {kind}")
            }
            KeyStoreErrorKind::Locked => f.write_str("another process has the key store open"),
            KeyStoreErrorKind::Exposed => f.write_str("the key store is open to other users"),
            KeyStoreErrorKind::NotRegular => f.write_str("the key store is not a regular file"),
            KeyStoreErrorKind::Linked => f.write_str("the key store's file has a second name"),
            KeyStoreErrorKind::TooLarge => f.write_str("the key store is larger than it may be"),
            KeyStoreErrorKind::Sealed => f.write_str(
                "the key store is damaged, was changed, or is encrypted under another key",
            ),
            KeyStoreErrorKind::Version => f.write_str("the key store is of an unknown version"),
        }?;
        match &self.place {
            Some(place) => write!(f, ": {place}"),
            None => Ok(()),
        }
    }
}

impl Error for KeyStoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_deref()?)
    }
}

impl From<std::io::Error> for KeyStoreError {
    fn from(error: std::io::Error) -> Self {
        Self::new(KeyStoreErrorKind::Io(error.kind()), error)
    }
}

#[cfg(feature = "key-file")]
impl KeyStoreError {
    pub(crate) fn of_file(error: durable_store::Error) -> Self {
        use durable_store::ErrorKind;
        let io = |error: &durable_store::Error| {
            let source = error.source()?.downcast_ref::<std::io::Error>()?;
            Some(source.kind())
        };
        let kind = match error.kind() {
            ErrorKind::Missing => KeyStoreErrorKind::Missing,
            ErrorKind::Locked => KeyStoreErrorKind::Locked,
            ErrorKind::Exposed => KeyStoreErrorKind::Exposed,
            ErrorKind::NotRegular => KeyStoreErrorKind::NotRegular,
            ErrorKind::Linked => KeyStoreErrorKind::Linked,
            ErrorKind::TooLarge => KeyStoreErrorKind::TooLarge,
            _ => KeyStoreErrorKind::Io(io(&error).unwrap_or(std::io::ErrorKind::Other)),
        };
        Self {
            kind,
            place: error.place().map(String::into_boxed_str),
            source: error.into_source().map(Into::into),
        }
    }

    /// Adds the file.
    pub(crate) fn at(mut self, path: &std::path::Path) -> Self {
        self.place = Some(format!("{path:?}").into_boxed_str());
        self
    }
}

/// The keys and cookies that are reset together (section 4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Keys and cookies of all origins.
    All,
    /// Keys and cookies of one origin.
    Origin(Origin),
}

/// A store of keys, one for each pair of scope and parameters, e.g. in a TPM or in the platform's key
/// store.
///
/// A store may be called by several threads at once. It may call the client's state and connections, which
/// hold no lock meanwhile.
pub trait KeyStore: Send + Sync {
    /// Returns the key of `scope`, and makes it if the store has none. The key must be of `parameters`, those
    /// that were negotiated, else the caller fails with `ClientError::KeyParameters`. Two scopes must never
    /// get the same key (balfanz-4-2-3), else the caller fails with `ClientError::SharedKey`.
    ///
    /// # Errors
    /// A [`KeyStoreError`] if the key cannot be read or made, or if a new key cannot be kept: a key that would
    /// be lost must not be returned. The request is then not sent.
    fn key(&self, scope: &Scope, parameters: KeyParameters) -> Result<Key, KeyStoreError>;

    /// Deletes the keys of `scope`, or all keys if it is `None` (section 4.2). A key that was deleted must not
    /// be returned again.
    ///
    /// # Errors
    /// A [`KeyStoreError`] if some keys may be left. The caller reports it, and may try again.
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

/// Keys by scope and parameters.
pub(crate) type Slots<K> = BTreeMap<(Scope, &'static str), K>;

/// Removes the keys of a scope, or all.
pub(crate) fn forget<K>(slots: &mut Slots<K>, scope: Option<&Scope>) {
    slots.retain(|(of, _), _| scope.is_some_and(|scope| scope != of));
}

/// A store of keys in memory, made with the RustCrypto backend. The keys are lost with the process.
#[derive(Default)]
pub struct MemoryKeyStore {
    keys: Mutex<Slots<Key>>,
}

impl MemoryKeyStore {
    /// Creates a store without keys.
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
        // Made without the lock, because an RSA key takes time. The first of two made at once is kept.
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
        KeyParameters::P256 => {
            Arc::new(P256Key::generate().map_err(|_| KeyStoreErrorKind::Backend)?)
        }
        KeyParameters::Rsa2048 => {
            Arc::new(Rsa2048Key::generate().map_err(|_| KeyStoreErrorKind::Backend)?)
        }
        _ => return Err(KeyStoreErrorKind::Backend.into()),
    })
}
