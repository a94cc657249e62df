//! Security tokens and their digests.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::token_store::error::{TokenStoreError, TokenStoreErrorKind};

/// A new security token: 256 random bits, base64url without padding, 43 characters.
///
/// The store keeps the digest only. The token is erased when it is dropped, and is not printed.
pub struct SecurityToken(Zeroizing<String>);

impl SecurityToken {
    /// Generates a token.
    ///
    /// # Errors
    /// [`TokenStoreErrorKind::Random`] if the random source fails.
    pub fn generate() -> Result<Self, TokenStoreError> {
        let mut random = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *random).map_err(|_| TokenStoreErrorKind::Random)?;
        // Enough capacity, so that a reallocation leaves no copy behind.
        let mut text = Zeroizing::new(String::with_capacity(43));
        URL_SAFE_NO_PAD.encode_string(*random, &mut text);
        Ok(Self(text))
    }

    /// Returns the token, for the client.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the digest, by which a store finds the token.
    #[must_use]
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for SecurityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurityToken").finish_non_exhaustive()
    }
}

/// The SHA-256 of a security token, by which a store finds the token. A digest cannot be used as the token.
///
/// The digest is not a password hash: a token that an application makes itself must have 128 random bits or
/// more. Then the duration of a search for the digest reveals nothing useful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Returns the digest of a token, whose bytes must be those that the client presents.
    #[must_use]
    pub fn of(presented: &[u8]) -> Self {
        Self(Sha256::digest(presented).into())
    }

    /// Creates a digest that was kept elsewhere.
    #[must_use]
    pub const fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// Returns the 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
