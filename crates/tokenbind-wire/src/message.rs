//! `TokenBindingMessage`, `TokenBinding` and `Extension` (draft-popov-token-binding-00 section 4),
//! borrowed. `message/owned.rs` has the owned ones.

pub(crate) mod owned;

use alloc::vec::Vec;
use core::fmt;

use nom::Offset;

use crate::{
    codec::{Failure, Parsed, uint8, vector_u16, whole},
    error::{DecodeError, ErrorKind},
    id::{Head, ID, TYPE, TokenBindingIdRef, head},
    profile::{DecodeOptions, Limits},
    registry::{ExtensionType, SignatureAndHashAlgorithm, TokenBindingType},
    signature::{KeyAndSignature, SIGNATURE},
};

pub(crate) const MESSAGE: &str = "TokenBindingMessage";
pub(crate) const TOKENBINDINGS: &str = "TokenBindingMessage.tokenbindings";
const EXTENSIONS: &str = "TokenBinding.extensions";
const EXTENSION_TYPE: &str = "Extension.extension_type";
const EXTENSION_DATA: &str = "Extension.extension_data";

/// `Extension`, draft-popov-token-binding-00 section 4, borrowed. No type is registered: all are
/// ignored, and kept.
///
/// ```text
/// struct {
///     ExtensionType extension_type;
///     opaque extension_data<0..2^16-1>;
/// } Extension;
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ExtensionRef<'a> {
    extension_type: ExtensionType,
    extension_data: &'a [u8],
}

impl<'a> ExtensionRef<'a> {
    /// Returns the type.
    #[must_use]
    pub const fn extension_type(self) -> ExtensionType {
        self.extension_type
    }

    /// Returns the data, 0 to 65535 bytes.
    #[must_use]
    pub const fn extension_data(self) -> &'a [u8] {
        self.extension_data
    }
}

impl fmt::Debug for ExtensionRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extension")
            .field("extension_type", &self.extension_type)
            .field("extension_data_bytes", &self.extension_data.len())
            .finish()
    }
}

#[inline]
fn extension(input: &[u8]) -> Parsed<'_, ExtensionRef<'_>> {
    let (rest, extension_type) = uint8(input, EXTENSION_TYPE)?;
    let (rest, extension_data) = vector_u16(rest, EXTENSION_DATA)?;
    let extension = ExtensionRef {
        extension_type: ExtensionType(extension_type),
        extension_data,
    };
    Ok((rest, extension))
}

/// The extensions of one binding, an iterator. Their structure was checked when the message was read.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Extensions<'a> {
    bytes: &'a [u8],
}

impl<'a> Extensions<'a> {
    fn checked(bytes: &'a [u8]) -> Result<Self, nom::Err<Failure<'a>>> {
        let mut rest = bytes;
        while !rest.is_empty() {
            (rest, _) = extension(rest)?;
        }
        Ok(Self { bytes })
    }

    /// Returns the octets of the list in the message, without the length prefix.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = ExtensionRef<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (rest, extension) = extension(self.bytes).ok()?;
        self.bytes = rest;
        Some(extension)
    }
}

impl fmt::Debug for Extensions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

/// `TokenBinding`, draft-popov-token-binding-00 section 4, borrowed. Its structure is checked, its
/// signature is not verified. In a binding of unknown type only the lengths are checked: key and signature may be
/// any octets.
///
/// ```text
/// struct {
///     TokenBindingID tokenbindingid;
///     opaque signature<0..2^16-1>;
///     Extension extensions<0..2^16-1>;
/// } TokenBinding;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBindingRef<'a> {
    id: TokenBindingIdRef<'a>,
    signature: &'a [u8],
    key_and_signature: Option<KeyAndSignature<'a>>,
    extensions: Extensions<'a>,
}

impl<'a> TokenBindingRef<'a> {
    /// Returns `tokenbindingid`.
    #[must_use]
    pub const fn id(self) -> TokenBindingIdRef<'a> {
        self.id
    }

    /// Returns `signature`, in the encoding of the wire.
    #[must_use]
    pub const fn signature(self) -> &'a [u8] {
        self.signature
    }

    /// Returns `extensions`.
    #[must_use]
    pub const fn extensions(self) -> Extensions<'a> {
        self.extensions
    }

    /// Returns key and signature as decoding has checked them, if the draft knows their parameters.
    pub(crate) const fn key_and_signature(self) -> Option<KeyAndSignature<'a>> {
        self.key_and_signature
    }
}

fn token_binding<'a>(
    head: Head<'a>,
    key: &'a [u8],
    options: &DecodeOptions,
) -> Option<Parsed<'a, TokenBindingRef<'a>>> {
    // popov-8-1: of a type that is not known only the lengths are read. It may be of other rules.
    let known = head.tokenbinding_type.name().is_some();
    let id = if known {
        head.id(key, options.profile.point)?
    } else {
        head.skipped_id(key)?
    };
    Some(id.and_then(|(rest, id)| {
        let (rest, signature) = vector_u16(rest, SIGNATURE)?;
        let key_and_signature =
            KeyAndSignature::from_wire(id, signature, options.profile.signature)
                .map_err(Failure::fatal)?;
        let (rest, extensions) = vector_u16(rest, EXTENSIONS)?;
        let (limit, actual) = (options.limits.extension_bytes, extensions.len());
        if actual > limit {
            let kind = ErrorKind::ExtensionsTooLong { limit, actual };
            return Err(Failure::new(kind, EXTENSIONS, extensions).fatal());
        }
        let extensions = Extensions::checked(extensions)?;
        let binding = TokenBindingRef {
            id,
            signature,
            key_and_signature,
            extensions,
        };
        Ok((rest, binding))
    }))
}

/// The rest of a message that begins with a binding under an unknown signature algorithm. No length precedes the key
/// of a binding, so neither this binding nor those after it can be read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UnreadableTail<'a> {
    tokenbinding_type: TokenBindingType,
    algorithm: SignatureAndHashAlgorithm,
    bytes: &'a [u8],
}

impl<'a> UnreadableTail<'a> {
    /// Returns the type of the first binding in the tail.
    #[must_use]
    pub const fn tokenbinding_type(self) -> TokenBindingType {
        self.tokenbinding_type
    }

    /// Returns the algorithm that is not known.
    #[must_use]
    pub const fn algorithm(self) -> SignatureAndHashAlgorithm {
        self.algorithm
    }

    /// Returns the octets of the tail, the type first.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }
}

impl fmt::Debug for UnreadableTail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnreadableTail")
            .field("tokenbinding_type", &self.tokenbinding_type)
            .field("algorithm", &self.algorithm)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// `TokenBindingMessage`, draft-popov-token-binding-00 section 4, borrowed.
///
/// ```text
/// struct {
///     TokenBinding tokenbindings<0..2^16-1>;
/// } TokenBindingMessage;
/// ```
///
/// The structure is checked: at least one binding, at most one provided and one referred binding, and these
/// of different keys. No signature is verified: [`establish`](crate::establish) does that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBindingMessageRef<'a> {
    bytes: &'a [u8],
    token_bindings: Vec<TokenBindingRef<'a>>,
    unreadable: Option<UnreadableTail<'a>>,
}

impl<'a> TokenBindingMessageRef<'a> {
    /// Reads a message that is all of `bytes`. `options` are an [`EncodingProfile`](crate::EncodingProfile), or [`DecodeOptions`] with lower
    /// limits.
    ///
    /// # Errors
    /// [`ErrorKind::MessageTooLong`], [`ErrorKind::TooManyTokenBindings`] and [`ErrorKind::ExtensionsTooLong`] for
    /// limits, otherwise the kind of the malformed field.
    pub fn from_bytes(
        bytes: &'a [u8],
        options: impl Into<DecodeOptions>,
    ) -> Result<Self, DecodeError> {
        let options = options.into();
        let (limit, actual) = (options.limits.message_bytes, bytes.len());
        if actual > limit {
            let kind = ErrorKind::MessageTooLong { limit, actual };
            return Err(DecodeError::new(kind, MESSAGE, limit));
        }
        whole(bytes, MESSAGE, |input| {
            let (rest, tokenbindings) = vector_u16(input, TOKENBINDINGS)?;
            let message = Self::read(bytes, tokenbindings, &options)?;
            Ok((rest, message))
        })
    }

    fn read(
        bytes: &'a [u8],
        tokenbindings: &'a [u8],
        options: &DecodeOptions,
    ) -> Result<Self, nom::Err<Failure<'a>>> {
        let refuse = |kind, field, at| Err(Failure::new(kind, field, at).fatal());
        if tokenbindings.is_empty() {
            // popov-4-1: at least one TokenBinding.
            return refuse(ErrorKind::NoTokenBinding, TOKENBINDINGS, tokenbindings);
        }
        let mut message = Self {
            bytes,
            token_bindings: Vec::new(),
            unreadable: None,
        };
        let mut rest = tokenbindings;
        while !rest.is_empty() {
            let limit = options.limits.token_bindings;
            if message.token_bindings.len() >= limit {
                return refuse(
                    ErrorKind::TooManyTokenBindings { limit },
                    TOKENBINDINGS,
                    rest,
                );
            }
            let (key, head) = head(rest)?;
            let tokenbinding_type = head.tokenbinding_type;
            if tokenbinding_type.name().is_some() && message.first(tokenbinding_type).is_some() {
                let kind = ErrorKind::DuplicateTokenBindingType {
                    tokenbinding_type: tokenbinding_type.0,
                };
                return refuse(kind, TYPE, rest);
            }
            match token_binding(head, key, options) {
                Some(parsed) => {
                    let (after, binding) = parsed?;
                    message.token_bindings.push(binding);
                    rest = after;
                }
                None => {
                    message.unreadable = Some(UnreadableTail {
                        tokenbinding_type,
                        algorithm: head.algorithm,
                        bytes: rest,
                    });
                    break;
                }
            }
        }
        match (message.provided(), message.referred()) {
            (Some(provided), Some(referred)) if provided.id.same_key(referred.id) => {
                let provided_first =
                    bytes.offset(provided.id.as_bytes()) < bytes.offset(referred.id.as_bytes());
                let later = if provided_first { referred } else { provided };
                refuse(ErrorKind::SameKey, ID, later.id.as_bytes())
            }
            _ => Ok(message),
        }
    }

    /// Returns the bindings that could be read, in the order of the message, unknown types included.
    #[must_use]
    pub fn token_bindings(&self) -> &[TokenBindingRef<'a>] {
        &self.token_bindings
    }

    /// Returns the part that could not be read, if any.
    #[must_use]
    pub const fn unreadable(&self) -> Option<UnreadableTail<'a>> {
        self.unreadable
    }

    /// Returns the binding of type `provided_token_binding`.
    #[must_use]
    pub fn provided(&self) -> Option<TokenBindingRef<'a>> {
        self.first(TokenBindingType::PROVIDED)
    }

    /// Returns the binding of type `referred_token_binding`.
    #[must_use]
    pub fn referred(&self) -> Option<TokenBindingRef<'a>> {
        self.first(TokenBindingType::REFERRED)
    }

    fn first(&self, tokenbinding_type: TokenBindingType) -> Option<TokenBindingRef<'a>> {
        let of_type =
            |binding: &&TokenBindingRef<'a>| binding.id.tokenbinding_type() == tokenbinding_type;
        self.token_bindings.iter().find(of_type).copied()
    }

    /// Returns the octets of the message.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the offset of `part`, a slice that this message returned, in bytes from the start of the message.
    #[must_use]
    pub fn offset_of(&self, part: &'a [u8]) -> usize {
        self.bytes.offset(part)
    }
}

const _: () = assert!(Limits::MAX_MESSAGE_BYTES == Limits::MAX_EXTENSION_BYTES + 2);
