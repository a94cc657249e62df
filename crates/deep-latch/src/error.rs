//! Errors: text that is refused, text that is accepted with a warning, and values that cannot be written.

use core::fmt;

/// The reason why a text is refused. Payloads are numbers; the text is never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text has another character or word than the grammar expects at this place.
    Expected,
    /// The text is empty or ends where the grammar expects more.
    Empty,
    /// The text continues where the grammar ends.
    Trailing,
    /// Two spaces in sequence, or a space at the beginning or the end.
    ExtraSpace,
    /// The URL is not a URI of RFC 3986.
    NotUri,
    /// The URL has another scheme than https.
    NotHttps,
    /// The https URL has no host.
    NoHost,
    /// A field appears twice.
    Duplicate,
    /// Two spellings of one field have different values.
    Conflict,
    /// A control character, or a character outside ASCII, that the grammar does not allow.
    Character,
    /// The text exceeds a limit.
    Limit {
        /// The limit.
        limit: usize,
    },
}

impl ErrorKind {
    /// Returns the kind's name in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::Empty => "empty",
            Self::Trailing => "trailing",
            Self::ExtraSpace => "extra-space",
            Self::NotUri => "not-uri",
            Self::NotHttps => "not-https",
            Self::NoHost => "no-host",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Character => "character",
            Self::Limit { .. } => "limit",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expected => "unexpected character",
            Self::Empty => "empty",
            Self::Trailing => "unexpected text after the end",
            Self::ExtraSpace => "unexpected space",
            Self::NotUri => "not a URI",
            Self::NotHttps => "the scheme is not https",
            Self::NoHost => "no host",
            Self::Duplicate => "duplicate",
            Self::Conflict => "two spellings with different values",
            Self::Character => "character that is not allowed",
            Self::Limit { limit } => return write!(f, "more than {limit}"),
        })
    }
}

/// A text that is refused: kind, field in the draft's spelling, and byte offset in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    kind: ErrorKind,
    field: &'static str,
    offset: usize,
}

impl ParseError {
    pub(crate) const fn new(kind: ErrorKind, field: &'static str, offset: usize) -> Self {
        Self {
            kind,
            field,
            offset,
        }
    }

    /// Returns the same error for a longer text that has `before` more bytes at its beginning.
    pub(crate) const fn moved(self, before: usize) -> Self {
        let Self {
            kind,
            field,
            offset,
        } = self;
        Self::new(kind, field, offset.saturating_add(before))
    }

    /// Returns the reason.
    #[must_use]
    pub const fn kind(self) -> ErrorKind {
        self.kind
    }

    /// Returns the field, in the draft's spelling.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }

    /// Returns the place, in bytes from the start of the text.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            field,
            offset,
        } = self;
        write!(f, "{field}: {kind} at byte {offset}")
    }
}

impl core::error::Error for ParseError {}

/// The reason why a value of the caller cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeErrorKind {
    /// The value, or the list of values, is empty.
    Empty,
    /// The name is in the list already.
    Duplicate,
    /// The value has a character that the protocol cannot carry.
    Character,
    /// The value, or the line with it, exceeds a limit.
    Limit {
        /// The limit.
        limit: usize,
    },
}

impl EncodeErrorKind {
    /// Returns the kind's name in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Duplicate => "duplicate",
            Self::Character => "character",
            Self::Limit { .. } => "limit",
        }
    }
}

impl fmt::Display for EncodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty"),
            Self::Duplicate => f.write_str("duplicate"),
            Self::Character => f.write_str("character that the protocol cannot carry"),
            Self::Limit { limit } => write!(f, "more than {limit}"),
        }
    }
}

/// A value of the caller that cannot be written: kind, and field in the draft's spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeError {
    kind: EncodeErrorKind,
    field: &'static str,
}

impl EncodeError {
    pub(crate) const fn new(kind: EncodeErrorKind, field: &'static str) -> Self {
        Self { kind, field }
    }

    /// Returns the reason.
    #[must_use]
    pub const fn kind(self) -> EncodeErrorKind {
        self.kind
    }

    /// Returns the field, in the draft's spelling.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, field } = self;
        write!(f, "{field}: {kind}")
    }
}

impl core::error::Error for EncodeError {}
