//! Why text of the peer is refused, and what a lenient reading let through.

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
        match kind {
            ErrorKind::Expected => write!(f, "{field} expected")?,
            ErrorKind::Empty => write!(f, "{field}: nothing there")?,
            ErrorKind::Trailing => write!(f, "{field}: more follows")?,
            ErrorKind::ExtraSpace => write!(f, "{field}: a blank too many")?,
            ErrorKind::NotUri => write!(f, "{field}: not a URI")?,
            ErrorKind::NotHttps => write!(f, "{field}: the scheme is not https")?,
            ErrorKind::NoHost => write!(f, "{field}: no host")?,
            ErrorKind::Duplicate => write!(f, "{field}: twice")?,
            ErrorKind::Conflict => write!(f, "{field}: two spellings that differ")?,
            ErrorKind::Character => write!(f, "{field}: character outside the allowed ones")?,
            ErrorKind::Limit { limit } => write!(f, "{field}: more than {limit}")?,
        }
        write!(f, " at byte {offset}")
    }
}

impl core::error::Error for ParseError {}
