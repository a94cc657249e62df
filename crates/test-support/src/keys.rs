//! Keys and verifiers of `tokenbind-wire` whose behaviour a test chooses: counting, failing, or without an
//! algorithm.
//!
//! ```
//! use std::sync::atomic::{AtomicUsize, Ordering};
//! use test_support::keys::VerifyWith;
//! use tokenbind_wire::{KeyParameters, SignatureInvalid};
//!
//! let count = AtomicUsize::new(0);
//! let refusing = VerifyWith::new(&[KeyParameters::P256], |_| {
//!     count.fetch_add(1, Ordering::Relaxed);
//!     Err(SignatureInvalid)
//! });
//! # let _ = refusing;
//! ```

use tokenbind_wire::{
    KeyParameters, PublicKey, Sign, SignError, Signature, SignatureInvalid, SignedOctets, Verify,
};

/// A signature to verify, with its key and octets.
#[derive(Clone, Copy)]
pub enum Signed<'a> {
    /// The arguments of [`Verify::verify_p256`].
    P256 {
        /// X and Y of the key's point.
        coordinates: &'a [u8; 64],
        /// The octets that were signed.
        octets: &'a SignedOctets,
        /// r and s.
        signature: &'a [u8; 64],
    },
    /// The arguments of [`Verify::verify_rsa2048`].
    Rsa2048 {
        /// The key's modulus.
        modulus: &'a [u8],
        /// The key's public exponent.
        publicexponent: &'a [u8],
        /// The octets that were signed.
        octets: &'a SignedOctets,
        /// The signature.
        signature: &'a [u8; 256],
    },
}

impl Signed<'_> {
    /// Verifies the signature with another verifier.
    ///
    /// # Errors
    /// Returns [`SignatureInvalid`] if the verifier does.
    pub fn verify(self, verifier: &(impl Verify + ?Sized)) -> Result<(), SignatureInvalid> {
        match self {
            Self::P256 {
                coordinates,
                octets,
                signature,
            } => verifier.verify_p256(coordinates, octets, signature),
            Self::Rsa2048 {
                modulus,
                publicexponent,
                octets,
                signature,
            } => verifier.verify_rsa2048(modulus, publicexponent, octets, signature),
        }
    }
}

/// A verifier that supports the listed parameters, and calls a function for each signature.
pub struct VerifyWith<F> {
    supported: Vec<KeyParameters>,
    verify: F,
}

impl<F: Fn(Signed<'_>) -> Result<(), SignatureInvalid>> VerifyWith<F> {
    /// Makes a verifier. `verify` is also called for parameters that are not listed.
    pub fn new(supported: &[KeyParameters], verify: F) -> Self {
        Self {
            supported: supported.to_vec(),
            verify,
        }
    }
}

impl<F: Fn(Signed<'_>) -> Result<(), SignatureInvalid>> Verify for VerifyWith<F> {
    fn supports(&self, parameters: KeyParameters) -> bool {
        self.supported.contains(&parameters)
    }

    fn verify_p256(
        &self,
        coordinates: &[u8; 64],
        octets: &SignedOctets,
        signature: &[u8; 64],
    ) -> Result<(), SignatureInvalid> {
        (self.verify)(Signed::P256 {
            coordinates,
            octets,
            signature,
        })
    }

    fn verify_rsa2048(
        &self,
        modulus: &[u8],
        publicexponent: &[u8],
        octets: &SignedOctets,
        signature: &[u8; 256],
    ) -> Result<(), SignatureInvalid> {
        (self.verify)(Signed::Rsa2048 {
            modulus,
            publicexponent,
            octets,
            signature,
        })
    }
}

/// A key that calls a function for each signature.
pub struct SignWith<F> {
    public_key: PublicKey,
    sign: F,
}

impl<F: Fn(&SignedOctets) -> Result<Signature, SignError>> SignWith<F> {
    /// Makes a key with a public key.
    pub const fn new(public_key: PublicKey, sign: F) -> Self {
        Self { public_key, sign }
    }
}

impl<F: Fn(&SignedOctets) -> Result<Signature, SignError>> Sign for SignWith<F> {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn sign(&self, octets: &SignedOctets) -> Result<Signature, SignError> {
        (self.sign)(octets)
    }
}
