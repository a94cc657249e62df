//! Errors of writing a value. Only the caller's own texts and options cause them.

use core::fmt;

/// The fault of a text that cannot be written. Payloads are numbers; an error never contains the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteErrorKind {
    /// A keyword or the authserv-id is empty.
    Empty,
    /// A character is not allowed in a keyword.
    Keyword,
    /// A keyword ends with a hyphen.
    EndsWithHyphen,
    /// A text contains CR, LF, NUL or another control character except the tab, or a line or paragraph separator.
    Control,
    /// A text contains a character outside ASCII without [`utf8`](crate::WriteOptions::utf8).
    NonAscii,
    /// The parsed text is not UTF-8.
    NotUtf8,
    /// The instance is not in 1..=50.
    Instance,
    /// A parsed number does not fit into a `u32`.
    Number,
    /// This crate does not know the version of the parsed value.
    UnsupportedVersion,
    /// A parsed property has no ptype.
    MissingPtype,
    /// A line would be longer than the hard limit, and has no space at which it could be folded.
    LineTooLong {
        /// The limit.
        limit: usize,
    },
    /// The value exceeds a limit of [`Limits`](crate::syntax::Limits).
    Limit {
        /// The limit.
        limit: usize,
    },
}

impl WriteErrorKind {
    /// Returns the kind's name in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Keyword => "keyword",
            Self::EndsWithHyphen => "ends-with-hyphen",
            Self::Control => "control",
            Self::NonAscii => "non-ascii",
            Self::NotUtf8 => "not-utf8",
            Self::Instance => "instance",
            Self::Number => "number",
            Self::UnsupportedVersion => "unsupported-version",
            Self::MissingPtype => "missing-ptype",
            Self::LineTooLong { .. } => "line-too-long",
            Self::Limit { .. } => "limit",
        }
    }
}

/// The error of a value that cannot be written: kind, field as RFC 8601 spells it, index of the result and of the
/// part, and byte offset in its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteError {
    kind: WriteErrorKind,
    field: &'static str,
    result: Option<usize>,
    index: Option<usize>,
    offset: usize,
}

impl WriteError {
    pub(super) const fn new(kind: WriteErrorKind, field: &'static str, offset: usize) -> Self {
        Self {
            kind,
            field,
            result: None,
            index: None,
            offset,
        }
    }

    /// Adds the index of the result.
    pub(super) const fn in_result(mut self, result: usize) -> Self {
        self.result = Some(result);
        self
    }

    /// Adds the index of the property or comment.
    pub(crate) const fn at_index(mut self, index: usize) -> Self {
        self.index = Some(index);
        self
    }

    /// Returns the kind of the fault.
    #[must_use]
    pub const fn kind(self) -> WriteErrorKind {
        self.kind
    }

    /// Returns the field that has the fault, as the grammar spells it.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }

    /// Returns the index of the result, counted from 0. `None` outside results, and while a result is built.
    #[must_use]
    pub const fn result(self) -> Option<usize> {
        self.result
    }

    /// Returns the index of the property or comment in the result, or of the comment in the header, counted from 0.
    /// `None` for other fields, and while the part is built.
    #[must_use]
    pub const fn index(self) -> Option<usize> {
        self.index
    }

    /// Returns the byte offset in the field's own text.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(result) = self.result {
            write!(f, "resinfo[{result}].")?;
        }
        f.write_str(self.field)?;
        if let Some(index) = self.index {
            write!(f, "[{index}]")?;
        }
        f.write_str(": ")?;
        match self.kind {
            WriteErrorKind::Empty => f.write_str("empty")?,
            WriteErrorKind::Keyword => f.write_str("character not allowed in a keyword")?,
            WriteErrorKind::EndsWithHyphen => f.write_str("ends with a hyphen")?,
            WriteErrorKind::Control => f.write_str("control character or line separator")?,
            WriteErrorKind::NonAscii => f.write_str("character outside ASCII")?,
            WriteErrorKind::NotUtf8 => f.write_str("not UTF-8")?,
            WriteErrorKind::Instance => f.write_str("not in the range 1 to 50")?,
            WriteErrorKind::Number => f.write_str("number too large")?,
            WriteErrorKind::UnsupportedVersion => f.write_str("unsupported version")?,
            WriteErrorKind::MissingPtype => f.write_str("property without a ptype")?,
            WriteErrorKind::LineTooLong { limit } => {
                write!(f, "no space to fold at within a line of {limit} octets")?;
            }
            WriteErrorKind::Limit { limit } => write!(f, "exceeds the limit of {limit}")?,
        }
        write!(f, " at byte {}", self.offset)
    }
}

impl core::error::Error for WriteError {}
