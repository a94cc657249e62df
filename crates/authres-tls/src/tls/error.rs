//! Why the value of a property cannot be read.

use core::fmt;

use crate::syntax::Span;

use super::TlsProperty;

/// What is wrong with a value. Payloads are numbers; the text is never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueErrorKind {
    /// Something else stands where this is due.
    Expected,
    /// A backslash with nothing behind it that it may escape.
    BadEscape,
    /// A character that has to be escaped and is not.
    Unescaped,
    /// A control character.
    Control,
    /// What the escapes make is not UTF-8.
    NotUtf8,
    /// A quote that does not end.
    Unclosed,
    /// Not an IP address.
    Address,
    /// Not of its ASN.1 structure.
    Malformed,
    /// Not an algorithm of fingerprints.
    UnknownAlgorithm,
    /// Not as long as a fingerprint of the algorithm it names.
    Length,
    /// More than is possible.
    Limit {
        /// The limit.
        limit: usize,
    },
}

impl ValueErrorKind {
    /// The kind's name as it stands in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::BadEscape => "bad-escape",
            Self::Unescaped => "unescaped",
            Self::Control => "control",
            Self::NotUtf8 => "not-utf8",
            Self::Unclosed => "unclosed",
            Self::Address => "address",
            Self::Malformed => "malformed",
            Self::UnknownAlgorithm => "unknown-algorithm",
            Self::Length => "length",
            Self::Limit { .. } => "limit",
        }
    }
}

/// A value cannot be read: kind, field as its specification spells it, and byte offset in the text that
/// was given. What it says stays at hand as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueError {
    kind: ValueErrorKind,
    field: &'static str,
    offset: usize,
}

impl ValueError {
    pub(crate) const fn new(kind: ValueErrorKind, field: &'static str, offset: usize) -> Self {
        Self {
            kind,
            field,
            offset,
        }
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(self) -> ValueErrorKind {
        self.kind
    }

    /// In which field.
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

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            field,
            offset,
        } = self;
        match kind {
            ValueErrorKind::Expected => write!(f, "{field} expected")?,
            ValueErrorKind::BadEscape => write!(f, "{field}: not an escape")?,
            ValueErrorKind::Unescaped => write!(f, "{field}: character not escaped")?,
            ValueErrorKind::Control => write!(f, "{field}: control character")?,
            ValueErrorKind::NotUtf8 => write!(f, "{field}: not UTF-8")?,
            ValueErrorKind::Unclosed => write!(f, "{field}: a quote does not end")?,
            ValueErrorKind::Address => write!(f, "{field}: not an address")?,
            ValueErrorKind::Malformed => write!(f, "{field}: malformed")?,
            ValueErrorKind::UnknownAlgorithm => write!(f, "{field}: unknown algorithm")?,
            ValueErrorKind::Length => write!(f, "{field}: of another length")?,
            ValueErrorKind::Limit { limit } => write!(f, "{field}: more than {limit}")?,
        }
        write!(f, " at byte {offset}")
    }
}

impl core::error::Error for ValueError {}

/// A property stands twice in one result: neither can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConflictError {
    property: TlsProperty,
    first: Span,
    second: Span,
}

impl ConflictError {
    pub(crate) const fn new(property: TlsProperty, first: Span, second: Span) -> Self {
        Self {
            property,
            first,
            second,
        }
    }

    /// Which.
    #[must_use]
    pub const fn property(self) -> TlsProperty {
        self.property
    }

    /// Where the value stands first.
    #[must_use]
    pub const fn first(self) -> Span {
        self.first
    }

    /// Where it stands again.
    #[must_use]
    pub const fn second(self) -> Span {
        self.second
    }
}

impl fmt::Display for ConflictError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = (self.first.start(), self.second.start());
        write!(f, "{}: at byte {first} and at byte {second}", self.property)
    }
}

impl core::error::Error for ConflictError {}

/// A property cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PropertyError {
    /// It stands twice.
    Conflict(ConflictError),
    /// Its value cannot be read; the offset counts in
    /// [`Text::collapsed`](crate::Text::collapsed).
    Value(ValueError),
}

impl fmt::Display for PropertyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict(error) => error.fmt(f),
            Self::Value(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for PropertyError {}

impl From<ConflictError> for PropertyError {
    fn from(error: ConflictError) -> Self {
        Self::Conflict(error)
    }
}

impl From<ValueError> for PropertyError {
    fn from(error: ValueError) -> Self {
        Self::Value(error)
    }
}

/// An error that remembers its place as what was left of the text there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ValueFailure {
    kind: ValueErrorKind,
    field: &'static str,
    left: usize,
}

impl ValueFailure {
    /// `at` begins where the error is to point.
    pub(crate) const fn new(kind: ValueErrorKind, field: &'static str, at: &[u8]) -> Self {
        let left = at.len();
        Self { kind, field, left }
    }

    pub(crate) const fn error(self) -> nom::Err<Self> {
        nom::Err::Error(self)
    }

    /// The error in a text of this many bytes.
    pub(crate) const fn locate(self, length: usize) -> ValueError {
        ValueError::new(self.kind, self.field, length.saturating_sub(self.left))
    }
}

impl nom::error::ParseError<&[u8]> for ValueFailure {
    fn from_error_kind(input: &[u8], _: nom::error::ErrorKind) -> Self {
        Self::new(ValueErrorKind::Expected, "", input)
    }

    fn append(_: &[u8], _: nom::error::ErrorKind, other: Self) -> Self {
        other
    }
}

/// What a rule returns: what is left, and what it read.
pub(crate) type ReadValue<'a, O = &'a [u8]> = nom::IResult<&'a [u8], O, ValueFailure>;

/// Runs a rule over the whole of a text.
pub(crate) fn read_all<'a, O>(
    text: &'a str,
    field: &'static str,
    rule: impl FnOnce(&'a [u8]) -> ReadValue<'a, O>,
) -> Result<O, ValueError> {
    match rule(text.as_bytes()) {
        Ok(([], value)) => Ok(value),
        Ok((rest, _)) => {
            Err(ValueFailure::new(ValueErrorKind::Expected, field, rest).locate(text.len()))
        }
        Err(nom::Err::Error(failure) | nom::Err::Failure(failure)) => {
            Err(failure.locate(text.len()))
        }
        // The rules are of `nom`'s complete kind, which never ask for more.
        Err(nom::Err::Incomplete(_)) => {
            Err(ValueError::new(ValueErrorKind::Expected, field, text.len()))
        }
    }
}
