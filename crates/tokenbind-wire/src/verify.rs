//! [`Verify`]: what a cryptographic backend does for this crate when it reads.

use core::fmt;

use crate::{
    key::KeyParameters, message::TokenBindingRef, signature::KeyAndSignature,
    tls_unique::SignedOctets,
};

/// The signature is not by that key over those octets.
///
/// It says no more on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureInvalid;

impl fmt::Display for SignatureInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenBinding.signature: not valid")
    }
}

impl core::error::Error for SignatureInvalid {}

/// A backend that verifies the two kinds of signatures. Values come in one fixed form, whatever the
/// [`EncodingProfile`](crate::EncodingProfile).
pub trait Verify {
    /// Whether the backend can verify signatures of these parameters.
    fn supports(&self, parameters: KeyParameters) -> bool;

    /// Verifies an ECDSA signature on P-256 over SHA-256 of `octets`. `coordinates` is X and Y, a
    /// point that is on the curve; `signature` is r and s.
    ///
    /// # Errors
    /// When the signature does not verify, whatever the reason.
    fn verify_p256(
        &self,
        coordinates: &[u8; 64],
        octets: &SignedOctets,
        signature: &[u8; 64],
    ) -> Result<(), SignatureInvalid>;

    /// Verifies an RSASSA-PKCS1-v1_5 signature over SHA-256 of `octets`. The modulus has 2048 bits,
    /// the exponent is odd and at least 3 and may be longer than the backend is willing to use.
    ///
    /// # Errors
    /// When the signature does not verify, whatever the reason.
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
