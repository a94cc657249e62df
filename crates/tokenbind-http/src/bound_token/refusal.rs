//! Why a sealed token is refused.

use std::fmt;

use tokenbind_wire::token::DiscardReason;

use crate::bound_token::keys::TokenKeyId;

/// What is wrong with a sealed token. The payloads are numbers; the peer's bytes are never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenRefusalKind {
    /// There is no character.
    Empty,
    /// The text or the payload is longer than its limit.
    TooLong {
        /// The limit in bytes.
        limit: usize,
        /// The length in bytes.
        actual: usize,
    },
    /// An octet is not of the base64url alphabet; padding is not used.
    Alphabet,
    /// The number of characters is one that no number of bytes encodes to.
    Length,
    /// The last character has bits that stand for nothing: the text is not canonical.
    TrailingBits,
    /// The token is of a version this crate does not know.
    Version {
        /// The version that was met.
        actual: u8,
    },
    /// An item does not fit in what encloses it.
    Truncated {
        /// Bytes the item needs.
        needed: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// The key is not in the ring: never was, or was retired.
    UnknownKey {
        /// Its id.
        key: TokenKeyId,
    },
    /// The MAC is not that of these octets, in this purpose, under this key.
    MacMismatch,
    /// The MAC is right, but the binding is of an unknown kind.
    UnknownBinding {
        /// The octet that was met.
        actual: u8,
    },
    /// The MAC is right, but the expiry is after [`MAX_EXPIRES_SECS`](crate::MAX_EXPIRES_SECS).
    ExpiryRange,
    /// The MAC is right, but bytes follow the payload.
    TrailingBytes {
        /// How many.
        left: usize,
    },
    /// It has expired.
    Expired,
    /// The clock is not between the years 1970 and 9999: what has expired cannot be said.
    Clock,
    /// Section 7: it is not bound to the key of this connection.
    Discarded(DiscardReason),
    /// More than one cookie of the name. Which of them the application wrote cannot be said, as
    /// any host of the domain may have set the others.
    DuplicateCookie,
}

impl TokenRefusalKind {
    /// The kind's name as it stands in conformance vectors and logs.
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

    /// What is wrong.
    #[must_use]
    pub const fn kind(self) -> TokenRefusalKind {
        self.kind
    }

    /// In which field.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }

    /// Where, in bytes.
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
