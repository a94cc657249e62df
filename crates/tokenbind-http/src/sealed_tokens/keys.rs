//! The secrets that seal tokens: a ring that can change while the server runs.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use hmac::{Hmac, KeyInit, digest::zeroize::ZeroizeOnDrop};
use sha2::{Sha256, block_api::Sha256VarCore};

/// The shortest secret, in bytes: the length of the MAC (RFC 2104 section 3).
pub const MIN_TOKEN_KEY_BYTES: usize = 32;

/// The longest secret, in bytes: HMAC-SHA-256 hashes longer ones, which makes them no stronger.
pub const MAX_TOKEN_KEY_BYTES: usize = 64;

/// The id of the secret that seals a token. The token contains it, so that the secret is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenKeyId(pub u32);

impl fmt::Display for TokenKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The reason why a ring of keys was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenKeyError {
    /// The secret is shorter than [`MIN_TOKEN_KEY_BYTES`] or longer than [`MAX_TOKEN_KEY_BYTES`].
    Length {
        /// The length in bytes.
        actual: usize,
    },
    /// The ring has a key of this id.
    Exists(TokenKeyId),
    /// The ring has no key of this id.
    Unknown(TokenKeyId),
    /// The key of this id seals tokens.
    Current(TokenKeyId),
}

impl fmt::Display for TokenKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { actual } => write!(
                f,
                "the secret has {actual} bytes, not {MIN_TOKEN_KEY_BYTES} to {MAX_TOKEN_KEY_BYTES}"
            ),
            Self::Exists(id) => write!(f, "token key {id} exists already"),
            Self::Unknown(id) => write!(f, "token key {id} does not exist"),
            Self::Current(id) => write!(f, "token key {id} seals tokens and cannot be retired"),
        }
    }
}

impl std::error::Error for TokenKeyError {}

/// The secrets that seal and open tokens: one seals, all open. Threads share the ring; a change does not
/// delay tokens.
///
/// To rotate keys on several servers without refusing a token: [`accept`](Self::accept) the new key
/// on all of them, then [`seal_with`](Self::seal_with) it, and [`retire`](Self::retire) the old one
/// when the last token under it has expired. If a secret leaked, do all three at once.
///
/// Secrets are erased when they are retired or the ring is dropped. The caller must erase the bytes that it
/// passes.
pub struct TokenKeys {
    ring: RwLock<Ring>,
}

struct Ring {
    current: TokenKeyId,
    /// HMAC states, which `sha2` erases on drop; boxed, since a move would leave a copy.
    current_mac: Box<Hmac<Sha256>>,
    accepted: BTreeMap<TokenKeyId, Box<Hmac<Sha256>>>,
}

impl TokenKeys {
    /// Creates a ring of one key, which seals. The secret is 32 to 64 bytes from a random source.
    ///
    /// # Errors
    /// [`TokenKeyError::Length`] if the secret is not of that length.
    pub fn try_new(id: TokenKeyId, secret: &[u8]) -> Result<Self, TokenKeyError> {
        let ring = Ring {
            current: id,
            current_mac: keyed(secret)?,
            accepted: BTreeMap::new(),
        };
        Ok(Self {
            ring: RwLock::new(ring),
        })
    }

    /// Opens tokens under another key from now on.
    ///
    /// # Errors
    /// [`TokenKeyError::Length`] if the secret is not 32 to 64 bytes long; [`TokenKeyError::Exists`] if the
    /// ring has a key of this id.
    pub fn accept(&self, id: TokenKeyId, secret: &[u8]) -> Result<(), TokenKeyError> {
        let mac = keyed(secret)?;
        let mut ring = self.write();
        if ring.opening(id).is_some() {
            return Err(TokenKeyError::Exists(id));
        }
        ring.accepted.insert(id, mac);
        Ok(())
    }

    /// Seals tokens with this key from now on. The previous key still opens tokens.
    ///
    /// # Errors
    /// [`TokenKeyError::Unknown`] if the ring has no key of this id.
    pub fn seal_with(&self, id: TokenKeyId) -> Result<(), TokenKeyError> {
        let mut ring = self.write();
        if ring.current == id {
            return Ok(());
        }
        let mac = ring.accepted.remove(&id);
        let mac = mac.ok_or(TokenKeyError::Unknown(id))?;
        let old = std::mem::replace(&mut ring.current_mac, mac);
        let old_id = std::mem::replace(&mut ring.current, id);
        ring.accepted.insert(old_id, old);
        Ok(())
    }

    /// Forgets a key: tokens under it are refused from now on.
    ///
    /// # Errors
    /// [`TokenKeyError::Unknown`] if the ring has no key of this id; [`TokenKeyError::Current`] if it is the key
    /// that seals.
    pub fn retire(&self, id: TokenKeyId) -> Result<(), TokenKeyError> {
        let mut ring = self.write();
        if ring.current == id {
            return Err(TokenKeyError::Current(id));
        }
        let retired = ring.accepted.remove(&id);
        retired.map(drop).ok_or(TokenKeyError::Unknown(id))
    }

    /// Returns the id of the key that seals.
    #[must_use]
    pub fn current(&self) -> TokenKeyId {
        self.read().current
    }

    /// Returns the ids of the keys that open, in order, with the current key.
    #[must_use]
    pub fn ids(&self) -> Vec<TokenKeyId> {
        let ring = self.read();
        let mut ids: Vec<_> = ring.accepted.keys().copied().collect();
        ids.push(ring.current);
        ids.sort_unstable();
        ids
    }

    /// Returns the key that seals.
    pub(super) fn sealing(&self) -> (TokenKeyId, Hmac<Sha256>) {
        let ring = self.read();
        (ring.current, (*ring.current_mac).clone())
    }

    /// Returns the key of this id.
    pub(super) fn opening(&self, id: TokenKeyId) -> Option<Hmac<Sha256>> {
        self.read().opening(id).cloned()
    }

    fn read(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Ring> {
        self.ring.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn opening(&self, id: TokenKeyId) -> Option<&Hmac<Sha256>> {
        if id == self.current {
            return Some(&self.current_mac);
        }
        self.accepted.get(&id).map(|mac| &**mac)
    }
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKeys")
            .field("current", &self.current())
            .field("ids", &self.ids())
            .finish_non_exhaustive()
    }
}

const fn is_erased_on_drop<T: ZeroizeOnDrop>() {}

fn keyed(secret: &[u8]) -> Result<Box<Hmac<Sha256>>, TokenKeyError> {
    // The block state of an HMAC.
    const { is_erased_on_drop::<Sha256VarCore>() };
    let actual = secret.len();
    if !(MIN_TOKEN_KEY_BYTES..=MAX_TOKEN_KEY_BYTES).contains(&actual) {
        return Err(TokenKeyError::Length { actual });
    }
    let mac = Hmac::new_from_slice(secret);
    mac.map(Box::new)
        .map_err(|_| TokenKeyError::Length { actual })
}
