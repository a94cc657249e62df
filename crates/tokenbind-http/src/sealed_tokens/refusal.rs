//! The reasons to refuse a sealed token.

use std::fmt;

use tokenbind_wire::token::DiscardReason;

use crate::sealed_tokens::keys::TokenKeyId;

/// The kind of a [`TokenRefusal`]. The payloads are numbers; the peer's bytes are never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenRefusalKind {
    /// The text is empty.
    Empty,
    /// The text or the payload is longer than its limit.
    TooLong {
        /// The limit in bytes.
        limit: usize,
        /// The length in bytes.
        actual: usize,
    },
    /// An octet is not of the base64url alphabet, which has no padding here.
    Alphabet,
    /// No number of bytes encodes to this number of characters.
    Length,
    /// The last character has unused bits that are not zero: the text is not canonical.
    TrailingBits,
    /// The token is of a version that this crate does not know.
    Version {
        /// The version in the token.
        actual: u8,
    },
    /// An item is longer than the rest of the token.
    Truncated {
        /// Bytes the item needs.
        needed: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// The key is not in the ring: it is unknown or was retired.
    UnknownKey {
        /// The id in the token.
        key: TokenKeyId,
    },
    /// The MAC does not match the octets, the purpose and the key.
    MacMismatch,
    /// The MAC matches, but the binding is of an unknown kind.
    UnknownBinding {
        /// The octet in the token.
        actual: u8,
    },
    /// The MAC matches, but the expiry is after [`MAX_EXPIRES_SECS`](super::MAX_EXPIRES_SECS).
    ExpiryRange,
    /// The MAC matches, but bytes follow the payload.
    TrailingBytes {
        /// The number of bytes.
        left: usize,
    },
    /// The token has expired.
    Expired,
    /// The clock is not between the years 1970 and 9999: expiry cannot be decided.
    Clock,
    /// Section 7: the token is not bound to the key of this connection.
    Discarded(DiscardReason),
    /// The request has more than one cookie of this name. Any host of the domain may have set them, so that the
    /// application's own cannot be identified.
    DuplicateCookie,
}

impl TokenRefusalKind {
    /// Returns the kind's name as it appears in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong { .. } => "too-long",
            Self::Alphabet => "alphabet",
            Self::Length => "length",
            Self::TrailingBits => "trailing-bits",
            Self::Version { .. } => "version",
            Self::Truncated { .. } => "truncated",
            Self::UnknownKey { .. } => "unknown-key",
            Self::MacMismatch => "mac-mismatch",
            Self::UnknownBinding { .. } => "unknown-binding",
            Self::ExpiryRange => "expiry-range",
            Self::TrailingBytes { .. } => "trailing-bytes",
            Self::Expired => "expired",
            Self::Clock => "clock",
            Self::Discarded(reason) => reason.name(),
            Self::DuplicateCookie => "duplicate-cookie",
        }
    }
}

/// The reason to discard a token: kind, field, and offset in the text if the field is `SealedToken`
/// or `Cookie`, else in the octets it encodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenRefusal {
    kind: TokenRefusalKind,
    field: &'static str,
    offset: usize,
}

impl TokenRefusal {
    pub(crate) const fn new(kind: TokenRefusalKind, field: &'static str, offset: usize) -> Self {
        Self {
            kind,
            field,
            offset,
        }
    }

    /// Returns the kind of the refusal.
    #[must_use]
    pub const fn kind(self) -> TokenRefusalKind {
        self.kind
    }

    /// Returns the field that the refusal is about.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }

    /// Returns the offset in bytes.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }
}

impl fmt::Display for TokenRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (field, kind, offset) = (self.field, self.kind.name(), self.offset);
        write!(f, "{field}: {kind} at byte {offset}")
    }
}

impl std::error::Error for TokenRefusal {}
