//! The errors of this crate: [`DecodeError`] for the peer's bytes, [`EncodeError`] for the caller's own values.

use core::fmt;

/// The kind of a [`DecodeError`]. The payloads are numbers; the peer's bytes are never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An item is longer than the structure that contains it.
    Truncated {
        /// The number of bytes that the item needs.
        needed: usize,
        /// The number of bytes that are left.
        left: usize,
    },
    /// Bytes follow the end of the outermost structure.
    TrailingBytes {
        /// The number of bytes.
        left: usize,
    },
    /// A vector that must not be empty is empty.
    Empty,
    /// An unsigned integer begins with a zero byte, so one key would have several identifiers.
    LeadingZero,
    /// An RSA modulus is not exactly 2048 bits long.
    ModulusSize {
        /// The length in bits.
        bits: usize,
    },
    /// An RSA modulus or public exponent is even.
    Even,
    /// An RSA public exponent is 1.
    ExponentTooSmall,
    /// A P-256 point has another length than the [`PointEncoding`](crate::PointEncoding) requires.
    PointLength {
        /// The length in bytes under the profile.
        expected: usize,
        /// The length in bytes that was read.
        actual: usize,
    },
    /// A P-256 point does not begin with 0x04, the mark of an uncompressed point.
    PointFormat {
        /// The octet that was read.
        actual: u8,
    },
    /// A P-256 point is not on the curve.
    PointNotOnCurve,
    /// A signature has another length than algorithm and profile require.
    SignatureLength {
        /// The length in bytes under algorithm and profile.
        expected: usize,
        /// The length in bytes that was read.
        actual: usize,
    },
    /// An ECDSA signature is not a strict DER `ECDSA-Sig-Value`.
    SignatureDer,
    /// The message contains no `TokenBinding`.
    NoTokenBinding,
    /// The message contains more `TokenBinding` structures than [`Limits`](crate::Limits) allow.
    TooManyTokenBindings {
        /// The limit.
        limit: usize,
    },
    /// The message is longer than [`Limits`](crate::Limits) allow.
    MessageTooLong {
        /// The limit in bytes.
        limit: usize,
        /// The length in bytes.
        actual: usize,
    },
    /// The extensions of one binding are longer than [`Limits`](crate::Limits) allow.
    ExtensionsTooLong {
        /// The limit in bytes.
        limit: usize,
        /// The length in bytes.
        actual: usize,
    },
    /// A second provided, or a second referred, binding.
    DuplicateTokenBindingType {
        /// The type's number.
        tokenbinding_type: u8,
    },
    /// The provided and the referred binding use the same key.
    SameKey,
    /// A stand-alone identifier under an algorithm whose key structure is not known.
    UnsupportedAlgorithm {
        /// `SignatureAndHashAlgorithm.hash`.
        hash: u8,
        /// `SignatureAndHashAlgorithm.signature`.
        signature: u8,
    },
}

impl ErrorKind {
    /// Returns the name of the kind in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated { .. } => "truncated",
            Self::TrailingBytes { .. } => "trailing-bytes",
            Self::Empty => "empty",
            Self::LeadingZero => "leading-zero",
            Self::ModulusSize { .. } => "modulus-size",
            Self::Even => "even",
            Self::ExponentTooSmall => "exponent-too-small",
            Self::PointLength { .. } => "point-length",
            Self::PointFormat { .. } => "point-format",
            Self::PointNotOnCurve => "point-not-on-curve",
            Self::SignatureLength { .. } => "signature-length",
            Self::SignatureDer => "signature-der",
            Self::NoTokenBinding => "no-token-binding",
            Self::TooManyTokenBindings { .. } => "too-many-token-bindings",
            Self::MessageTooLong { .. } => "message-too-long",
            Self::ExtensionsTooLong { .. } => "extensions-too-long",
            Self::DuplicateTokenBindingType { .. } => "duplicate-token-binding-type",
            Self::SameKey => "same-key",
            Self::UnsupportedAlgorithm { .. } => "unsupported-algorithm",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { needed, left } => write!(f, "{needed} bytes needed but {left} left"),
            Self::TrailingBytes { left } => write!(f, "{left} bytes after the end"),
            Self::Empty => f.write_str("empty"),
            Self::LeadingZero => f.write_str("leading zero"),
            Self::ModulusSize { bits } => write!(f, "{bits} bits instead of 2048"),
            Self::Even => f.write_str("even"),
            Self::ExponentTooSmall => f.write_str("less than 3"),
            Self::PointLength { expected, actual } | Self::SignatureLength { expected, actual } => {
                write!(f, "{actual} bytes instead of {expected}")
            }
            Self::PointFormat { actual } => write!(f, "point format {actual} instead of 4"),
            Self::PointNotOnCurve => f.write_str("point not on secp256r1"),
            Self::SignatureDer => f.write_str("not a strict DER ECDSA-Sig-Value"),
            Self::NoTokenBinding => f.write_str("no TokenBinding"),
            Self::TooManyTokenBindings { limit } => write!(f, "more than {limit} TokenBindings"),
            Self::MessageTooLong { limit, actual } | Self::ExtensionsTooLong { limit, actual } => {
                write!(f, "{actual} bytes where at most {limit} are allowed")
            }
            Self::DuplicateTokenBindingType { tokenbinding_type } => {
                write!(f, "second binding of type {tokenbinding_type}")
            }
            Self::SameKey => f.write_str("provided and referred binding use the same key"),
            Self::UnsupportedAlgorithm { hash, signature } => {
                write!(f, "algorithm {{{hash}, {signature}}} is not known")
            }
        }
    }
}

/// A breach of the draft in the peer's bytes: kind, field in the draft's spelling, byte offset from the
/// first byte of the outermost input.
///
/// The offset of an error about a value is that of the value's first byte: for a vector, the byte after its
/// length prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    kind: ErrorKind,
    field: &'static str,
    offset: usize,
}

impl DecodeError {
    pub(crate) const fn new(kind: ErrorKind, field: &'static str, offset: usize) -> Self {
        Self {
            kind,
            field,
            offset,
        }
    }

    /// Returns the kind.
    #[must_use]
    pub const fn kind(self) -> ErrorKind {
        self.kind
    }

    /// Returns the field in the draft's spelling, e.g. `TokenBinding.signature`.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }

    /// Returns the place in bytes from the start of the input.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} at byte {}", self.field, self.kind, self.offset)
    }
}

impl core::error::Error for DecodeError {}

/// The kind of an [`EncodeError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeErrorKind {
    /// A vector is longer than its length prefix can express.
    TooLong {
        /// The draft's limit in bytes.
        limit: usize,
        /// The length in bytes.
        actual: usize,
    },
    /// The value breaks a rule that decoding enforces as well.
    Invalid(ErrorKind),
}

/// A value of the caller's own that cannot be encoded. A peer never causes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeError {
    kind: EncodeErrorKind,
    field: &'static str,
}

impl EncodeError {
    pub(crate) const fn new(kind: EncodeErrorKind, field: &'static str) -> Self {
        Self { kind, field }
    }

    /// Returns the kind.
    #[must_use]
    pub const fn kind(self) -> EncodeErrorKind {
        self.kind
    }

    /// Returns the field in the draft's spelling.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }
}

impl From<DecodeError> for EncodeError {
    fn from(error: DecodeError) -> Self {
        Self::new(EncodeErrorKind::Invalid(error.kind()), error.field())
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            EncodeErrorKind::TooLong { limit, actual } => {
                write!(
                    f,
                    "{}: {actual} bytes where at most {limit} fit",
                    self.field
                )
            }
            EncodeErrorKind::Invalid(kind) => write!(f, "{}: {kind}", self.field),
        }
    }
}

impl core::error::Error for EncodeError {}
