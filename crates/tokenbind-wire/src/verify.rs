//! [`Verify`]: the part of a cryptographic backend in reading messages.

use core::fmt;

use crate::{
    key::KeyParameters, message::TokenBindingRef, signature::KeyAndSignature,
    tls_unique::SignedOctets,
};

/// A signature that is not of that key over those octets.
///
/// The error has no details on purpose: they would help an attacker only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureInvalid;

impl fmt::Display for SignatureInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenBinding.signature: not valid")
    }
}

impl core::error::Error for SignatureInvalid {}

/// A backend that verifies the two kinds of signatures.
///
/// The values have one fixed form, whatever the [`EncodingProfile`](crate::EncodingProfile), and decoding has checked
/// them. [`establish`](crate::establish) calls a method only if [`supports`](Self::supports) returned `true` for its
/// parameters, at most twice for a message, the provided binding first.
///
/// Features have two implementations: `RustCrypto` (feature `rustcrypto`, pure Rust) and `PkiTypes` (feature
/// `pki-types`, the provider of rustls), which is several times faster.
pub trait Verify {
    /// Returns `true` if the backend can verify signatures of these parameters.
    ///
    /// If not, a connection that negotiated them is terminated, and a referred binding under them is
    /// [unsupported](crate::Referred::Unsupported). The answer must not change during a connection.
    fn supports(&self, parameters: KeyParameters) -> bool;

    /// Verifies an ECDSA signature on P-256 over SHA-256 of `octets`.
    ///
    /// - `coordinates` are X and Y of a point on the curve, 32 bytes each, big-endian.
    /// - `octets` are hashed once: see [`SignedOctets::sha256`].
    /// - `signature` is r and s, 32 bytes each, big-endian. They may be zero, or above the order of the curve: the
    ///   backend must reject such values.
    ///
    /// # Errors
    /// [`SignatureInvalid`] if the signature does not verify, whatever the reason.
    fn verify_p256(
        &self,
        coordinates: &[u8; 64],
        octets: &SignedOctets,
        signature: &[u8; 64],
    ) -> Result<(), SignatureInvalid>;

    /// Verifies an RSASSA-PKCS1-v1_5 signature over SHA-256 of `octets`.
    ///
    /// - `modulus` has exactly 2048 bits and is odd: 256 bytes, big-endian.
    /// - `publicexponent` is odd, at least 3, without leading zeros; it has up to 255 bytes. A backend may reject one
    ///   that is longer than it supports.
    /// - `octets` are hashed once: see [`SignedOctets::sha256`].
    /// - `signature` is the signature of 256 bytes, big-endian; it may be greater than the modulus.
    ///
    /// # Errors
    /// [`SignatureInvalid`] if the signature does not verify, whatever the reason.
    fn verify_rsa2048(
        &self,
        modulus: &[u8],
        publicexponent: &[u8],
        octets: &SignedOctets,
        signature: &[u8; 256],
    ) -> Result<(), SignatureInvalid>;
}

/// Verifies the signature of one binding, with the values that decoding has checked.
pub(crate) fn verify_binding<V: Verify + ?Sized>(
    verifier: &V,
    binding: TokenBindingRef<'_>,
    octets: &SignedOctets,
) -> Result<(), SignatureInvalid> {
    match binding.key_and_signature() {
        Some(KeyAndSignature::P256 {
            coordinates,
            signature,
        }) => verifier.verify_p256(coordinates, octets, &signature),
        Some(KeyAndSignature::Rsa2048 { key, signature }) => {
            verifier.verify_rsa2048(key.modulus(), key.publicexponent(), octets, signature)
        }
        None => Err(SignatureInvalid),
    }
}
