//! `TokenBindingMessage`, `TokenBinding` and `Extension` (draft-popov-token-binding-00 section 4), owned.

use alloc::vec::Vec;

use super::{
    EXTENSION_DATA, EXTENSIONS, ExtensionRef, TOKENBINDINGS, TokenBindingMessageRef,
    TokenBindingRef,
};
use crate::{
    codec::put_u16_vector,
    error::{DecodeError, EncodeError, EncodeErrorKind, ErrorKind},
    id::TokenBindingId,
    profile::{DecodeOptions, EncodingProfile},
    registry::ExtensionType,
    signature::SIGNATURE,
};

impl TokenBindingRef<'_> {
    fn into_owned(self) -> TokenBinding {
        TokenBinding {
            id: self.id.into_owned(),
            signature: self.signature.to_vec(),
            extensions: self.extensions.map(Extension::from).collect(),
        }
    }
}

impl TokenBindingMessageRef<'_> {
    /// Returns the owned form, which encodes to the same bytes.
    #[must_use]
    pub fn into_owned(self) -> TokenBindingMessage {
        TokenBindingMessage {
            token_bindings: self
                .token_bindings
                .into_iter()
                .map(TokenBindingRef::into_owned)
                .collect(),
            unreadable: self.unreadable.map(|tail| tail.bytes.to_vec()),
        }
    }
}

/// `Extension`, draft-popov-token-binding-00 section 4, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Extension {
    /// The type.
    pub extension_type: ExtensionType,
    /// The data, at most 65535 bytes.
    pub extension_data: Vec<u8>,
}

impl From<ExtensionRef<'_>> for Extension {
    fn from(extension: ExtensionRef<'_>) -> Self {
        Self {
            extension_type: extension.extension_type,
            extension_data: extension.extension_data.to_vec(),
        }
    }
}

/// `TokenBinding`, draft-popov-token-binding-00 section 4, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBinding {
    id: TokenBindingId,
    signature: Vec<u8>,
    extensions: Vec<Extension>,
}

impl TokenBinding {
    /// Returns a binding of these parts. [`sign_message`](crate::sign_message) signs and builds in one step.
    #[must_use]
    pub const fn new(id: TokenBindingId, signature: Vec<u8>, extensions: Vec<Extension>) -> Self {
        Self {
            id,
            signature,
            extensions,
        }
    }

    /// Returns `tokenbindingid`.
    #[must_use]
    pub const fn id(&self) -> &TokenBindingId {
        &self.id
    }

    /// Returns `signature`, in the encoding of the wire.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Returns `extensions`.
    #[must_use]
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(self.id.as_bytes());
        put_u16_vector(out, SIGNATURE, &self.signature)?;
        let mut extensions = Vec::new();
        for extension in &self.extensions {
            extensions.push(extension.extension_type.0);
            put_u16_vector(&mut extensions, EXTENSION_DATA, &extension.extension_data)?;
        }
        put_u16_vector(out, EXTENSIONS, &extensions)
    }
}

/// `TokenBindingMessage`, draft-popov-token-binding-00 section 4, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBindingMessage {
    token_bindings: Vec<TokenBinding>,
    unreadable: Option<Vec<u8>>,
}

impl TokenBindingMessage {
    /// Returns a message of these bindings.
    ///
    /// # Errors
    /// [`EncodeErrorKind::Invalid`] if the message would break a rule that decoding enforces, e.g. no binding, a
    /// malformed signature, one key twice; [`EncodeErrorKind::TooLong`] if a vector is too long.
    pub fn try_new(
        token_bindings: Vec<TokenBinding>,
        profile: EncodingProfile,
    ) -> Result<Self, EncodeError> {
        let message = Self {
            token_bindings,
            unreadable: None,
        };
        TokenBindingMessageRef::from_bytes(&message.to_vec()?, profile)?;
        Ok(message)
    }

    /// Reads a message that is all of `bytes`.
    ///
    /// # Errors
    /// As [`TokenBindingMessageRef::from_bytes`].
    pub fn from_bytes(
        bytes: &[u8],
        options: impl Into<DecodeOptions>,
    ) -> Result<Self, DecodeError> {
        TokenBindingMessageRef::from_bytes(bytes, options).map(TokenBindingMessageRef::into_owned)
    }

    /// Returns the bindings that could be read.
    #[must_use]
    pub fn token_bindings(&self) -> &[TokenBinding] {
        &self.token_bindings
    }

    /// Returns the octets that could not be read, if any, the type of the binding first.
    #[must_use]
    pub fn unreadable(&self) -> Option<&[u8]> {
        self.unreadable.as_deref()
    }

    /// Returns the encoding. A message has exactly one.
    ///
    /// # Errors
    /// [`EncodeErrorKind::TooLong`] if a vector is longer than its length prefix can express.
    pub fn to_vec(&self) -> Result<Vec<u8>, EncodeError> {
        let mut body = Vec::new();
        for binding in &self.token_bindings {
            binding.put(&mut body)?;
        }
        body.extend_from_slice(self.unreadable.as_deref().unwrap_or_default());
        if body.is_empty() {
            let kind = EncodeErrorKind::Invalid(ErrorKind::NoTokenBinding);
            return Err(EncodeError::new(kind, TOKENBINDINGS));
        }
        let mut out = Vec::with_capacity(body.len().saturating_add(2));
        put_u16_vector(&mut out, TOKENBINDINGS, &body)?;
        Ok(out)
    }
}
