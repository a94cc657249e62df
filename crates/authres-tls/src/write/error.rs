//! Why a value cannot be written: only the caller's own texts and options cause it.

use core::fmt;

/// What is wrong with what was to be written. Payloads are numbers; the text is never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteErrorKind {
    /// Nothing there: a keyword, or the authserv-id.
    Empty,
    /// A character that no keyword has.
    Keyword,
    /// A keyword ends with a hyphen.
    EndsWithHyphen,
    /// CR, LF, NUL or another control character but the tab, or a line or paragraph separator.
    Control,
    /// A character outside ASCII without [`utf8`](crate::WriteOptions::utf8).
    NonAscii,
    /// What was read is not UTF-8.
    NotUtf8,
    /// An instance that is not in 1..=50.
    Instance,
    /// What was read has a number larger than a `u32`.
    Number,
    /// What was read has a version that this crate does not know.
    UnsupportedVersion,
    /// What was read has a property without a ptype.
    MissingPtype,
    /// Without a blank where it could be folded, a line would be longer than the hard limit.
    LineTooLong {
        /// The limit.
        limit: usize,
    },
    /// More than [`Limits`](crate::Limits) allow.
    Limit {
        /// The limit.
        limit: usize,
    },
}

impl WriteErrorKind {
    /// The kind's name as it stands in conformance vectors and logs.
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

/// A value cannot be written: kind, field as RFC 8601 spells it, which of them, and the byte offset in
/// its text.
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

    /// In this result.
    pub(super) const fn in_result(mut self, result: usize) -> Self {
        self.result = Some(result);
        self
    }

    /// In this property or comment.
    pub(crate) const fn at_index(mut self, index: usize) -> Self {
        self.index = Some(index);
        self
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(self) -> WriteErrorKind {
        self.kind
    }

    /// In which field, in the grammar's spelling.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }

    /// In which result, counted from 0; `None` outside results, and while a result is being built.
    #[must_use]
    pub const fn result(self) -> Option<usize> {
        self.result
    }

    /// In which property or comment of the result, or comment of the header, counted from 0; `None` if
    /// the field is neither, and while it is being built.
    #[must_use]
    pub const fn index(self) -> Option<usize> {
        self.index
    }

    /// Where, in bytes from the start of the field's own text.
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
            WriteErrorKind::Empty => f.write_str("nothing there")?,
            WriteErrorKind::Keyword => f.write_str("not a character of a keyword")?,
            WriteErrorKind::EndsWithHyphen => f.write_str("ends with a hyphen")?,
            WriteErrorKind::Control => f.write_str("control character or line separator")?,
            WriteErrorKind::NonAscii => f.write_str("character outside ASCII")?,
            WriteErrorKind::NotUtf8 => f.write_str("not UTF-8")?,
            WriteErrorKind::Instance => f.write_str("not a number from 1 to 50")?,
            WriteErrorKind::Number => f.write_str("number too large")?,
            WriteErrorKind::UnsupportedVersion => f.write_str("not version 1")?,
            WriteErrorKind::MissingPtype => f.write_str("property without a ptype")?,
            WriteErrorKind::LineTooLong { limit } => {
                write!(f, "no blank to fold at within a line of {limit} octets")?;
            }
            WriteErrorKind::Limit { limit } => write!(f, "more than {limit}")?,
        }
        write!(f, " at byte {}", self.offset)
    }
}

impl core::error::Error for WriteError {}
