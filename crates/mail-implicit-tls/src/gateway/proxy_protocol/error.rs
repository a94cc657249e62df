//! The errors of headers.

use std::fmt;

/// The reason why the begin of a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeaderErrorKind {
    /// A peer that is not listed sent a header.
    NotListed,
    /// A listed peer sent something else than a header.
    Missing,
    /// The header does not follow the grammar of version 1.
    Syntax,
    /// The header is longer than the limit.
    TooLong,
    /// The version, command, address family or transport is not one that a proxy may send here.
    NotSupported,
    /// An address, a field or a part of one does not fit in what encloses it.
    Truncated,
    /// A field has another length than its type permits, or is not UTF-8.
    Value,
    /// A field appears twice.
    Duplicate,
    /// The checksum differs.
    Checksum,
}

impl HeaderErrorKind {
    /// Returns the name of the kind, for vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotListed => "not-listed",
            Self::Missing => "missing",
            Self::Syntax => "syntax",
            Self::TooLong => "too-long",
            Self::NotSupported => "not-supported",
            Self::Truncated => "truncated",
            Self::Value => "value",
            Self::Duplicate => "duplicate",
            Self::Checksum => "checksum",
        }
    }
}

/// A begin of a connection that is refused: kind, field of `proxy-protocol.txt`, and offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HeaderError {
    kind: HeaderErrorKind,
    field: &'static str,
    offset: usize,
}

impl HeaderError {
    pub(super) const fn new(kind: HeaderErrorKind, field: &'static str, offset: usize) -> Self {
        Self {
            kind,
            field,
            offset,
        }
    }

    /// Returns the reason.
    #[must_use]
    pub const fn kind(self) -> HeaderErrorKind {
        self.kind
    }

    /// Returns the field.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }

    /// Returns the offset in octets from the begin of the connection.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.kind {
            HeaderErrorKind::NotListed => "the peer is not listed as a proxy",
            HeaderErrorKind::Missing => "header expected from this proxy",
            HeaderErrorKind::Syntax => "unexpected octet",
            HeaderErrorKind::TooLong => "header longer than the limit",
            HeaderErrorKind::NotSupported => "value not supported",
            HeaderErrorKind::Truncated => "end missing",
            HeaderErrorKind::Value => "value not valid for this field",
            HeaderErrorKind::Duplicate => "field appears twice",
            HeaderErrorKind::Checksum => "checksum differs",
        };
        write!(f, "{}: {problem} at byte {}", self.field, self.offset)
    }
}

impl std::error::Error for HeaderError {}

/// A field that cannot be written: its value is too long, or has a control character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HeaderEncodeError {
    field: &'static str,
    limit: usize,
}

impl HeaderEncodeError {
    pub(super) const fn new(field: &'static str, limit: usize) -> Self {
        Self { field, limit }
    }

    /// Returns the field.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }

    /// Returns the greatest length of the field in octets.
    #[must_use]
    pub const fn limit(self) -> usize {
        self.limit
    }
}

impl fmt::Display for HeaderEncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, limit } = self;
        write!(
            f,
            "{field}: at most {limit} octets without control characters expected"
        )
    }
}

impl std::error::Error for HeaderEncodeError {}
