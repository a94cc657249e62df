//! Errors of the values of properties.

use core::fmt;

use crate::syntax::Span;

use super::TlsProperty;

/// The fault of a value. Payloads are numbers; an error never contains the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueErrorKind {
    /// Another text appears where this field is expected.
    Expected,
    /// A backslash is not followed by a character that can be escaped.
    BadEscape,
    /// A character that must be escaped is not escaped.
    Unescaped,
    /// A control character.
    Control,
    /// The decoded value is not UTF-8.
    NotUtf8,
    /// A quote is not closed.
    Unclosed,
    /// The text is not an IP address.
    Address,
    /// The octets do not have the expected ASN.1 structure.
    Malformed,
    /// The name is not one of a fingerprint algorithm.
    UnknownAlgorithm,
    /// The length does not match the named algorithm.
    Length,
    /// The value exceeds a limit.
    Limit {
        /// The limit.
        limit: usize,
    },
}

impl ValueErrorKind {
    /// Returns the kind's name in conformance vectors and logs.
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

/// The error of a value that cannot be parsed: kind, field as its specification spells it, and byte offset in the
/// text that was passed. The text of the property is still available.
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

    /// Returns the kind of the fault.
    #[must_use]
    pub const fn kind(self) -> ValueErrorKind {
        self.kind
    }

    /// Returns the field that has the fault.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }

    /// Returns the byte offset in the text.
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
            ValueErrorKind::BadEscape => write!(f, "{field}: invalid escape")?,
            ValueErrorKind::Unescaped => write!(f, "{field}: character not escaped")?,
            ValueErrorKind::Control => write!(f, "{field}: control character")?,
            ValueErrorKind::NotUtf8 => write!(f, "{field}: not UTF-8")?,
            ValueErrorKind::Unclosed => write!(f, "{field}: quote not closed")?,
            ValueErrorKind::Address => write!(f, "{field}: not an IP address")?,
            ValueErrorKind::Malformed => write!(f, "{field}: malformed")?,
            ValueErrorKind::UnknownAlgorithm => write!(f, "{field}: unknown algorithm")?,
            ValueErrorKind::Length => write!(f, "{field}: length does not match the algorithm")?,
            ValueErrorKind::Limit { limit } => write!(f, "{field}: exceeds the limit of {limit}")?,
        }
        write!(f, " at byte {offset}")
    }
}

impl core::error::Error for ValueError {}

/// The error of a property that appears twice in one result: neither value can be relied on.
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

    /// Returns the property.
    #[must_use]
    pub const fn property(self) -> TlsProperty {
        self.property
    }

    /// Returns the place of the first value.
    #[must_use]
    pub const fn first(self) -> Span {
        self.first
    }

    /// Returns the place of the second value.
    #[must_use]
    pub const fn second(self) -> Span {
        self.second
    }
}

impl fmt::Display for ConflictError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = (self.first.start(), self.second.start());
        write!(
            f,
            "{}: duplicate at byte {first} and at byte {second}",
            self.property
        )
    }
}

impl core::error::Error for ConflictError {}

/// The error of a property that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PropertyError {
    /// The property appears twice.
    Conflict(ConflictError),
    /// The value cannot be parsed. The offset is one in
    /// [`Text::collapsed`](crate::syntax::Text::collapsed).
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

/// An error that stores its place as the number of octets that were left of the text.
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

    /// Returns the error for a text of this many bytes.
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

/// The output of a rule: the rest of the text, and the part that was read.
pub(crate) type ReadValue<'a, O = &'a [u8]> = nom::IResult<&'a [u8], O, ValueFailure>;

/// Reads a whole text with a rule.
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
        // The rules are of `nom`'s complete kind, which never returns `Incomplete`.
        Err(nom::Err::Incomplete(_)) => {
            Err(ValueError::new(ValueErrorKind::Expected, field, text.len()))
        }
    }
}
