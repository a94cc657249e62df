//! `TokenBindingID` (draft-popov-token-binding-00 sections 4 and 6), borrowed and owned.

use alloc::vec::Vec;
use core::{
    fmt,
    hash::{Hash, Hasher},
};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    codec::{Failure, Parsed, uint8, whole},
    error::{DecodeError, EncodeError, ErrorKind},
    key::{KeyParameters, PublicKey, PublicKeyRef, key_of_checked_id, public_key, skipped_key},
    profile::{EncodingProfile, PointEncoding},
    registry::{
        HashAlgorithm, NamedCurve, SignatureAlgorithm, SignatureAndHashAlgorithm, TokenBindingType,
    },
};

pub(crate) const ID: &str = "TokenBindingID";
pub(crate) const TYPE: &str = "TokenBindingID.tokenbinding_type";
pub(crate) const ALGORITHM: &str = "TokenBindingID.algorithm";

/// `TokenBindingID`, draft-popov-token-binding-00 sections 4 and 6, borrowed: the literal bytes and the key, checked.
///
/// ```text
/// struct {
///     TokenBindingType tokenbinding_type;
///     SignatureAndHashAlgorithm algorithm;
///     select (algorithm.signature) {
///         case rsa: RSAPublicKey rsapubkey;
///         case ecdsap256: ECDSAParams ecdsapubkey;
///     }
/// } TokenBindingID;
/// ```
///
/// Equality takes the same time for all identifiers of one length.
#[derive(Clone, Copy)]
pub struct TokenBindingIdRef<'a> {
    bytes: &'a [u8],
    tokenbinding_type: TokenBindingType,
    algorithm: SignatureAndHashAlgorithm,
    key: PublicKeyRef<'a>,
}

impl<'a> TokenBindingIdRef<'a> {
    /// Reads an identifier that is all of `bytes`. `profile` is an [`EncodingProfile`], or a [`PointEncoding`] alone:
    /// an identifier has no signature.
    ///
    /// An unknown hash or curve is kept: see [`key_parameters`](Self::key_parameters).
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedAlgorithm`] for an unknown `algorithm.signature`, whose key structure is not known;
    /// [`ErrorKind::TrailingBytes`] if bytes follow the identifier; otherwise the kind of the malformed field.
    pub fn from_bytes(
        bytes: &'a [u8],
        profile: impl Into<EncodingProfile>,
    ) -> Result<Self, DecodeError> {
        let point = profile.into().point;
        whole(bytes, ID, |input| {
            let (key, head) = head(input)?;
            head.id(key, point)
                .unwrap_or_else(|| Err(head.unsupported().fatal()))
        })
    }

    /// Returns the literal identifier: type, algorithm, key.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the type of the binding.
    #[must_use]
    pub const fn tokenbinding_type(self) -> TokenBindingType {
        self.tokenbinding_type
    }

    /// Returns the algorithm.
    #[must_use]
    pub const fn algorithm(self) -> SignatureAndHashAlgorithm {
        self.algorithm
    }

    /// Returns the bytes after the type. They are the same for the provided and the referred identifier of one
    /// key, so the parties of a federation compare them.
    #[must_use]
    pub fn key_id(self) -> &'a [u8] {
        self.bytes.get(1..).unwrap_or_default()
    }

    /// Returns the key. In a binding of unknown type the key is that of the message, not checked.
    #[must_use]
    pub const fn key(self) -> PublicKeyRef<'a> {
        self.key
    }

    /// Returns which of the draft's key parameters the identifier has, if any: an unknown hash or curve
    /// has none, and neither has an unknown type, whose key is not checked in a message.
    #[must_use]
    pub fn key_parameters(self) -> Option<KeyParameters> {
        self.tokenbinding_type.name()?;
        match self.algorithm {
            SignatureAndHashAlgorithm::RSA_SHA256 => Some(KeyParameters::Rsa2048),
            SignatureAndHashAlgorithm::ECDSA_P256_SHA256 => match self.key {
                PublicKeyRef::Ecdsa(key) if key.namedcurve() == NamedCurve::SECP256R1 => {
                    Some(KeyParameters::P256)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns SHA-256 of the literal identifier.
    #[must_use]
    pub fn sha256(self) -> [u8; 32] {
        Sha256::digest(self.bytes).into()
    }

    /// Returns SHA-256 of [`key_id`](Self::key_id).
    #[must_use]
    pub fn key_id_sha256(self) -> [u8; 32] {
        Sha256::digest(self.key_id()).into()
    }

    /// Returns `true` if both identifiers are of the same key, whatever their types. Takes constant time.
    #[must_use]
    pub fn same_key(self, other: TokenBindingIdRef<'_>) -> bool {
        self.key_id().ct_eq(other.key_id()).into()
    }

    /// Returns the identifier as the kind that tokens are checked against, or `None` if its type is not
    /// `provided_token_binding`. A referred identifier is that of a key for another server (popov-7-3).
    #[must_use]
    pub fn provided(self) -> Option<ProvidedIdRef<'a>> {
        (self.tokenbinding_type == TokenBindingType::PROVIDED).then_some(ProvidedIdRef(self))
    }

    /// Returns the owned form.
    ///
    /// The name is not `to_owned`: on a reference to this type that would be [`ToOwned::to_owned`], which returns
    /// another borrowed form.
    ///
    /// [`ToOwned::to_owned`]: alloc::borrow::ToOwned::to_owned
    #[must_use]
    pub fn into_owned(self) -> TokenBindingId {
        TokenBindingId {
            bytes: self.bytes.to_vec(),
            tokenbinding_type: self.tokenbinding_type,
            algorithm: self.algorithm,
        }
    }
}

/// A `TokenBindingID` of type `provided_token_binding`, borrowed: the only kind that security tokens are checked
/// against (draft-popov-token-binding-00 section 7). [`TokenBindingIdRef::provided`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProvidedIdRef<'a>(TokenBindingIdRef<'a>);

impl<'a> ProvidedIdRef<'a> {
    /// Returns the identifier.
    #[must_use]
    pub const fn id(self) -> TokenBindingIdRef<'a> {
        self.0
    }
}

/// The first three bytes of an identifier. They decide whether the key can be read.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    /// The input from the byte of the type on.
    pub(crate) start: &'a [u8],
    pub(crate) tokenbinding_type: TokenBindingType,
    pub(crate) algorithm: SignatureAndHashAlgorithm,
}

/// Reads `tokenbinding_type` and `algorithm`.
pub(crate) fn head(start: &[u8]) -> Parsed<'_, Head<'_>> {
    let (rest, tokenbinding_type) = uint8(start, TYPE)?;
    let algorithm_start = rest;
    let truncated = |_| {
        let (needed, left) = (2, algorithm_start.len());
        Failure::new(
            ErrorKind::Truncated { needed, left },
            ALGORITHM,
            algorithm_start,
        )
        .fatal()
    };
    let (rest, hash) = uint8(rest, ALGORITHM).map_err(truncated)?;
    let (rest, signature) = uint8(rest, ALGORITHM).map_err(truncated)?;
    let head = Head {
        start,
        tokenbinding_type: TokenBindingType(tokenbinding_type),
        algorithm: SignatureAndHashAlgorithm::new(
            HashAlgorithm(hash),
            SignatureAlgorithm(signature),
        ),
    };
    Ok((rest, head))
}

impl<'a> Head<'a> {
    /// Reads the key that follows. Returns `None` if its structure is not known.
    pub(crate) fn id(
        self,
        key: &'a [u8],
        point: PointEncoding,
    ) -> Option<Parsed<'a, TokenBindingIdRef<'a>>> {
        let parsed = public_key(key, self.algorithm.signature, point)?;
        Some(parsed.map(|(rest, key)| (rest, self.until(rest, key))))
    }

    /// Reads the key that follows without checking more than its lengths. Returns `None` if its structure is not known.
    pub(crate) fn skipped_id(self, key: &'a [u8]) -> Option<Parsed<'a, TokenBindingIdRef<'a>>> {
        let parsed = skipped_key(key, self.algorithm.signature)?;
        Some(parsed.map(|(rest, key)| (rest, self.until(rest, key))))
    }

    /// Returns the identifier that ends at the beginning of `rest`.
    fn until(self, rest: &[u8], key: PublicKeyRef<'a>) -> TokenBindingIdRef<'a> {
        let length = self.start.len().saturating_sub(rest.len());
        TokenBindingIdRef {
            bytes: self.start.get(..length).unwrap_or_default(),
            tokenbinding_type: self.tokenbinding_type,
            algorithm: self.algorithm,
            key,
        }
    }

    fn unsupported(self) -> Failure<'a> {
        let SignatureAndHashAlgorithm { hash, signature } = self.algorithm;
        let kind = ErrorKind::UnsupportedAlgorithm {
            hash: hash.0,
            signature: signature.0,
        };
        Failure::new(kind, ALGORITHM, self.start.get(1..).unwrap_or_default())
    }
}

impl PartialEq for TokenBindingIdRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes.ct_eq(other.bytes).into()
    }
}

impl Eq for TokenBindingIdRef<'_> {}

impl fmt::Debug for TokenBindingIdRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenBindingID")
            .field("tokenbinding_type", &self.tokenbinding_type)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// `TokenBindingID`, draft-popov-token-binding-00 section 6, owned.
///
/// The value identifies a person's client for a long time, so `Debug` does not print the key.
#[derive(Clone)]
pub struct TokenBindingId {
    bytes: Vec<u8>,
    tokenbinding_type: TokenBindingType,
    algorithm: SignatureAndHashAlgorithm,
}

impl TokenBindingId {
    /// Returns the identifier of `key` in a binding of this type. `profile` is an [`EncodingProfile`], or a
    /// [`PointEncoding`] alone.
    ///
    /// # Errors
    /// [`EncodeErrorKind::Invalid`](crate::EncodeErrorKind::Invalid) if the key breaks a rule that decoding enforces,
    /// e.g. a point off the curve, and [`EncodeErrorKind::TooLong`](crate::EncodeErrorKind::TooLong) if a number is
    /// longer than its length prefix can express.
    pub fn try_new(
        tokenbinding_type: TokenBindingType,
        key: &PublicKey,
        profile: impl Into<EncodingProfile>,
    ) -> Result<Self, EncodeError> {
        let profile = profile.into();
        let algorithm = key.parameters().algorithm();
        let mut bytes = Vec::with_capacity(272);
        bytes.extend([tokenbinding_type.0, algorithm.hash.0, algorithm.signature.0]);
        key.put(&mut bytes, profile.point)?;
        TokenBindingIdRef::from_bytes(&bytes, profile)?;
        Ok(Self {
            bytes,
            tokenbinding_type,
            algorithm,
        })
    }

    /// Reads an identifier that is all of `bytes`.
    ///
    /// # Errors
    /// As [`TokenBindingIdRef::from_bytes`].
    pub fn from_bytes(
        bytes: &[u8],
        profile: impl Into<EncodingProfile>,
    ) -> Result<Self, DecodeError> {
        TokenBindingIdRef::from_bytes(bytes, profile).map(TokenBindingIdRef::into_owned)
    }

    /// Returns the borrowed form, which has all accessors.
    #[must_use]
    pub fn view(&self) -> TokenBindingIdRef<'_> {
        TokenBindingIdRef {
            bytes: &self.bytes,
            tokenbinding_type: self.tokenbinding_type,
            algorithm: self.algorithm,
            key: key_of_checked_id(&self.bytes, self.algorithm.signature),
        }
    }

    /// Returns the identifier as the kind that tokens are checked against: see [`TokenBindingIdRef::provided`].
    #[must_use]
    pub fn provided(&self) -> Option<ProvidedIdRef<'_>> {
        self.view().provided()
    }

    /// Returns the literal identifier.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the bytes after the type: see [`TokenBindingIdRef::key_id`].
    #[must_use]
    pub fn key_id(&self) -> &[u8] {
        self.view().key_id()
    }

    /// Returns SHA-256 of the literal identifier.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.view().sha256()
    }

    /// Returns SHA-256 of [`key_id`](Self::key_id).
    #[must_use]
    pub fn key_id_sha256(&self) -> [u8; 32] {
        self.view().key_id_sha256()
    }

    /// Returns the identifier of the same key in a binding of another type.
    #[must_use]
    pub fn with_type(mut self, tokenbinding_type: TokenBindingType) -> Self {
        if let Some(first) = self.bytes.first_mut() {
            *first = tokenbinding_type.0;
        }
        self.tokenbinding_type = tokenbinding_type;
        self
    }
}

impl PartialEq for TokenBindingId {
    fn eq(&self, other: &Self) -> bool {
        self.view() == other.view()
    }
}

impl Eq for TokenBindingId {}

impl Hash for TokenBindingId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

impl AsRef<[u8]> for TokenBindingId {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for TokenBindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

#[cfg(feature = "serde")]
mod serialized {
    //! `{"point": "x962", "id": "<base64url without padding>"}`; in binary formats `id` is bytes.

    use alloc::{string::String, vec::Vec};

    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use super::{PointEncoding, PublicKeyRef, TokenBindingId};

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form<B> {
        point: PointEncoding,
        id: B,
    }

    impl TokenBindingId {
        fn point_encoding(&self) -> PointEncoding {
            match self.view().key() {
                PublicKeyRef::Ecdsa(key) if key.point().len() == 64 => PointEncoding::Bare64,
                _ => PointEncoding::X962,
            }
        }
    }

    impl Serialize for TokenBindingId {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let point = self.point_encoding();
            if serializer.is_human_readable() {
                let id = URL_SAFE_NO_PAD.encode(&self.bytes);
                Form { point, id }.serialize(serializer)
            } else {
                let id = &self.bytes;
                Form { point, id }.serialize(serializer)
            }
        }
    }

    impl<'de> Deserialize<'de> for TokenBindingId {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let (point, bytes) = if deserializer.is_human_readable() {
                let Form::<String> { point, id } = Form::deserialize(deserializer)?;
                let bytes = URL_SAFE_NO_PAD.decode(id).map_err(|_| {
                    D::Error::custom("TokenBindingID: not base64url without padding")
                })?;
                (point, bytes)
            } else {
                let Form::<Vec<u8>> { point, id } = Form::deserialize(deserializer)?;
                (point, id)
            };
            Self::from_bytes(&bytes, point).map_err(D::Error::custom)
        }
    }
}
