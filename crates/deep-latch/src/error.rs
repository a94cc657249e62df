//! Why text of the peer is refused, what a lenient reading let through, and why a value cannot be written.

use core::fmt;

/// What is wrong with the text. Payloads are numbers; the text is never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Something else stands where this is due.
    Expected,
    /// Nothing stands where this is due.
    Empty,
    /// More follows where it should end.
    Trailing,
    /// Two blanks, or one at the beginning or the end.
    ExtraSpace,
    /// Not a URI of RFC 3986.
    NotUri,
    /// A URI of another scheme than https.
    NotHttps,
    /// An https URI without a host.
    NoHost,
    /// The same field twice.
    Duplicate,
    /// Two spellings of the same field, with different values.
    Conflict,
    /// A control character, or one outside ASCII, where none may be.
    Character,
    /// More than is allowed.
    Limit {
        /// The limit.
        limit: usize,
    },
}

impl ErrorKind {
    /// The kind's name as it stands in conformance vectors and logs.
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
            Self::Expected => "something else stands there",
            Self::Empty => "nothing there",
            Self::Trailing => "more follows",
            Self::ExtraSpace => "a blank too many",
            Self::NotUri => "not a URI",
            Self::NotHttps => "the scheme is not https",
            Self::NoHost => "no host",
            Self::Duplicate => "twice",
            Self::Conflict => "two spellings that differ",
            Self::Character => "character outside the allowed ones",
            Self::Limit { limit } => return write!(f, "more than {limit}"),
        })
    }
}

/// Text is refused: kind, field as the draft spells it, and byte offset in the text.
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

    /// The same error in a text that this one stands in, `before` bytes behind its beginning.
    pub(crate) const fn moved(self, before: usize) -> Self {
        let Self {
            kind,
            field,
            offset,
        } = self;
        Self::new(kind, field, offset.saturating_add(before))
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(self) -> ErrorKind {
        self.kind
    }

    /// In which field, in the draft's spelling.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }

    /// Where, in bytes from the start of the text.
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

/// The caller's own value cannot be written: kind, and the field as the draft spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeError {
    kind: ErrorKind,
    field: &'static str,
}

impl EncodeError {
    pub(crate) const fn new(kind: ErrorKind, field: &'static str) -> Self {
        Self { kind, field }
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(self) -> ErrorKind {
        self.kind
    }

    /// In which field, in the draft's spelling.
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
