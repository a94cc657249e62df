//! [`Sign`]: a key that signs and need not be exported; and [`sign_message`], which builds the message
//! that a client sends.

use alloc::{vec, vec::Vec};
use core::fmt;

use crate::{
    alpn::Negotiated,
    error::EncodeError,
    id::TokenBindingId,
    key::{KeyParameters, PublicKey},
    message::owned::{TokenBinding, TokenBindingMessage},
    profile::EncodingProfile,
    registry::TokenBindingType,
    signature::Signature,
    tls_unique::{SignedOctets, TlsUnique},
};

/// A failure to sign with a key, to generate one, or to import one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignError {
    /// The key store or the random source failed.
    Backend,
    /// The imported value is not a key that this crate signs with: P-256, or RSA with a 2048-bit
    /// modulus.
    Key,
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Backend => "the key store or the random source failed",
            Self::Key => "neither a P-256 nor a 2048-bit RSA key",
        })
    }
}

impl core::error::Error for SignError {}

/// A Token Binding key. Implement it for an HSM, a TPM or a platform key store: the private key
/// never leaves it (popov-4-7, popov-9-1-1).
pub trait Sign {
    /// Returns the public key. It must not change: the identifier of the binding is made of it.
    fn public_key(&self) -> &PublicKey;

    /// Signs `octets` with ECDSA on P-256, or RSASSA-PKCS1-v1_5, and SHA-256.
    ///
    /// The octets are hashed once: give [`SignedOctets::as_bytes`] to a key store that hashes,
    /// [`SignedOctets::sha256`] to one that signs a digest. A key store that returns DER converts it by
    /// [`Signature::p256_from_der`]. The signature must be of the kind of [`public_key`](Self::public_key).
    ///
    /// # Errors
    /// [`SignError::Backend`] if the key store fails.
    fn sign(&self, octets: &SignedOctets) -> Result<Signature, SignError>;
}

/// The reason why [`sign_message`] returns no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageError {
    /// The key for the provided binding does not have the negotiated parameters.
    KeyParametersMismatch {
        /// The parameters that were negotiated.
        negotiated: KeyParameters,
    },
    /// The key's signature is of another kind than the key.
    SignatureKind,
    /// The key store failed.
    Sign(SignError),
    /// The message would break the draft, e.g. one key for both bindings.
    Encode(EncodeError),
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyParametersMismatch { negotiated } => {
                write!(f, "the key is not a {} key", negotiated.name())
            }
            Self::SignatureKind => f.write_str("the key returned a signature of another kind"),
            Self::Sign(_) => f.write_str("the key cannot sign"),
            Self::Encode(_) => f.write_str("the message cannot be encoded"),
        }
    }
}

impl core::error::Error for MessageError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Sign(error) => Some(error),
            Self::Encode(error) => Some(error),
            Self::KeyParametersMismatch { .. } | Self::SignatureKind => None,
        }
    }
}

/// Signs and returns the message that a client sends on a connection (draft-popov-token-binding-00 section 4).
///
/// - `negotiated` and `tls_unique` are those of the connection.
/// - `provided` is the key for this server; it must have the negotiated parameters.
/// - `referred` is, in federation, the key for another server; it may have other parameters.
/// - `profile` has the encodings that the server expects.
///
/// # Errors
/// [`MessageError::KeyParametersMismatch`] if `provided` has other parameters than negotiated;
/// [`MessageError::Encode`] if both keys are the same, or a key is invalid; [`MessageError::Sign`] if a key store
/// fails; [`MessageError::SignatureKind`] if it returns a signature of another kind than its key.
pub fn sign_message(
    negotiated: Negotiated,
    tls_unique: &TlsUnique,
    provided: &dyn Sign,
    referred: Option<&dyn Sign>,
    profile: EncodingProfile,
) -> Result<TokenBindingMessage, MessageError> {
    let octets = tls_unique.signed_octets();
    let negotiated = negotiated.key_parameters();
    if provided.public_key().parameters() != negotiated {
        // popov-4-6
        return Err(MessageError::KeyParametersMismatch { negotiated });
    }
    let mut bindings: Vec<TokenBinding> = vec![binding(
        TokenBindingType::PROVIDED,
        provided,
        &octets,
        profile,
    )?];
    if let Some(referred) = referred {
        bindings.push(binding(
            TokenBindingType::REFERRED,
            referred,
            &octets,
            profile,
        )?);
    }
    TokenBindingMessage::try_new(bindings, profile).map_err(MessageError::Encode)
}

fn binding(
    tokenbinding_type: TokenBindingType,
    key: &dyn Sign,
    octets: &SignedOctets,
    profile: EncodingProfile,
) -> Result<TokenBinding, MessageError> {
    let public_key = key.public_key();
    let id = TokenBindingId::try_new(tokenbinding_type, public_key, profile.point)
        .map_err(MessageError::Encode)?;
    let signature = key.sign(octets).map_err(MessageError::Sign)?;
    if signature.parameters() != public_key.parameters() {
        return Err(MessageError::SignatureKind);
    }
    let signature = signature.to_vec(profile.signature);
    Ok(TokenBinding::new(id, signature, Vec::new()))
}
