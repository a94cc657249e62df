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

/// `TokenBindingID`, draft-popov-token-binding-00 section 6, borrowed: the literal bytes, checked.
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
    /// Reads an identifier that is all of `bytes`.
    ///
    /// An unknown hash or curve is kept: see [`key_parameters`](Self::key_parameters).
    ///
    /// # Errors
    /// What is malformed, and where. An unknown `algorithm.signature` cannot be read: its key
    /// structure is not known.
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

    /// The literal identifier: type, algorithm, key.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The type of the binding.
    #[must_use]
    pub const fn tokenbinding_type(self) -> TokenBindingType {
        self.tokenbinding_type
    }

    /// The algorithm.
    #[must_use]
    pub const fn algorithm(self) -> SignatureAndHashAlgorithm {
        self.algorithm
    }

    /// The bytes after the type: the same for the provided and the referred identifier of one
    /// key, so it is what parties of a federation compare.
    #[must_use]
    pub fn key_id(self) -> &'a [u8] {
        self.bytes.get(1..).unwrap_or_default()
    }

    /// The key. In a binding of unknown type it is as it stands in the message, not checked.
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

    /// SHA-256 of the literal identifier.
    #[must_use]
    pub fn sha256(self) -> [u8; 32] {
        Sha256::digest(self.bytes).into()
    }

    /// SHA-256 of [`key_id`](Self::key_id).
    #[must_use]
    pub fn key_id_sha256(self) -> [u8; 32] {
        Sha256::digest(self.key_id()).into()
    }

    /// Whether both identifiers are of the same key, whatever their types. Constant time.
    #[must_use]
    pub fn same_key(self, other: TokenBindingIdRef<'_>) -> bool {
        self.key_id().ct_eq(other.key_id()).into()
    }

    /// Returns the identifier as one that a connection can be checked by, if its type is
    /// `provided_token_binding`. A referred identifier names a key that the client shows to another server
    /// (popov-7-3).
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

/// The first three bytes of an identifier, read before it is known whether the key can be.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    /// The input from the type byte on.
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
    /// Reads the key that follows; nothing if its structure is not known.
    pub(crate) fn id(
        self,
        key: &'a [u8],
        point: PointEncoding,
    ) -> Option<Parsed<'a, TokenBindingIdRef<'a>>> {
        let parsed = public_key(key, self.algorithm.signature, point)?;
        Some(parsed.map(|(rest, key)| (rest, self.until(rest, key))))
    }

    /// Reads only the lengths of the key that follows; nothing if its structure is not known.
    pub(crate) fn skipped_id(self, key: &'a [u8]) -> Option<Parsed<'a, TokenBindingIdRef<'a>>> {
        let parsed = skipped_key(key, self.algorithm.signature)?;
        Some(parsed.map(|(rest, key)| (rest, self.until(rest, key))))
    }

    /// The identifier that ends where `rest` begins.
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
/// It is a long-lived identifier of a person's client: `Debug` does not print the key.
#[derive(Clone)]
pub struct TokenBindingId {
    bytes: Vec<u8>,
    tokenbinding_type: TokenBindingType,
    algorithm: SignatureAndHashAlgorithm,
}

impl TokenBindingId {
    /// The identifier of `key` in a binding of this type.
    ///
    /// # Errors
    /// When the key breaks one of the rules that decoding enforces, e.g. a point off the curve.
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

    /// The borrowed view, which has the accessors.
    #[must_use]
    pub fn view(&self) -> TokenBindingIdRef<'_> {
        TokenBindingIdRef {
            bytes: &self.bytes,
            tokenbinding_type: self.tokenbinding_type,
            algorithm: self.algorithm,
            key: key_of_checked_id(&self.bytes, self.algorithm.signature),
        }
    }

    /// Returns the identifier as one that a connection can be checked by: see [`TokenBindingIdRef::provided`].
    #[must_use]
    pub fn provided(&self) -> Option<ProvidedIdRef<'_>> {
        self.view().provided()
    }

    /// The literal identifier.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes after the type: see [`TokenBindingIdRef::key_id`].
    #[must_use]
    pub fn key_id(&self) -> &[u8] {
        self.view().key_id()
    }

    /// SHA-256 of the literal identifier.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.view().sha256()
    }

    /// SHA-256 of [`key_id`](Self::key_id).
    #[must_use]
    pub fn key_id_sha256(&self) -> [u8; 32] {
        self.view().key_id_sha256()
    }

    /// The identifier of the same key in a binding of another type.
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
