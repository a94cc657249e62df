//! Errors of parsing a value, and the diagnostics of a lenient reading.

use core::fmt;

/// The fault of a value. Payloads are numbers; an error never contains the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The value contains only white space and comments.
    Empty,
    /// Another text appears where this field is expected.
    Expected,
    /// A keyword ends with a hyphen.
    EndsWithHyphen,
    /// White space or a comment is expected before this field.
    MissingCfws,
    /// No result follows a `;`.
    EmptyResinfo,
    /// `none` appears together with results.
    NoneMixed,
    /// No domain-name of at least two labels follows an `@`.
    DomainName,
    /// A comment is not closed.
    UnclosedComment,
    /// A quoted-string is not closed.
    UnclosedQuotedString,
    /// A control character, CR or LF where the grammar does not allow it.
    Control,
    /// A line break that is a bare LF, which [`bare_lf`](crate::Options::bare_lf) accepts.
    BareLf,
    /// A character outside ASCII, or under [`utf8`](crate::Options::utf8) an octet that is not
    /// UTF-8.
    NonAscii,
    /// The value exceeds a limit of [`Limits`](crate::syntax::Limits).
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
            Self::Empty => "empty",
            Self::Expected => "expected",
            Self::EndsWithHyphen => "ends-with-hyphen",
            Self::MissingCfws => "missing-cfws",
            Self::EmptyResinfo => "empty-resinfo",
            Self::NoneMixed => "none-mixed",
            Self::DomainName => "domain-name",
            Self::UnclosedComment => "unclosed-comment",
            Self::UnclosedQuotedString => "unclosed-quoted-string",
            Self::Control => "control",
            Self::BareLf => "bare-lf",
            Self::NonAscii => "non-ascii",
            Self::Limit { .. } => "limit",
        }
    }
}

/// The error of a value that cannot be parsed: kind, field as RFC 8601 spells it, and byte offset in the value.
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

    /// Returns the kind of the fault.
    #[must_use]
    pub const fn kind(self) -> ErrorKind {
        self.kind
    }

    /// Returns the field that has the fault, as the grammar spells it.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }

    /// Returns the byte offset in the value.
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
            ErrorKind::Empty => write!(f, "{field}: empty")?,
            ErrorKind::Expected => write!(f, "{field} expected")?,
            ErrorKind::EndsWithHyphen => write!(f, "{field} ends with a hyphen")?,
            ErrorKind::MissingCfws => write!(f, "{field}: white space missing before it")?,
            ErrorKind::EmptyResinfo => write!(f, "{field}: no result after the semicolon")?,
            ErrorKind::NoneMixed => write!(f, "{field}: \"none\" together with results")?,
            ErrorKind::DomainName => {
                write!(f, "{field}: not a domain name of at least two labels")?
            }
            ErrorKind::UnclosedComment => write!(f, "{field}: not closed")?,
            ErrorKind::UnclosedQuotedString => write!(f, "{field}: not closed")?,
            ErrorKind::Control => write!(f, "{field}: control character")?,
            ErrorKind::BareLf => write!(
                f,
                "{field}: a line ends with LF where CRLF is expected (Options::with_bare_lf accepts it)"
            )?,
            ErrorKind::NonAscii => write!(f, "{field}: character not allowed")?,
            ErrorKind::Limit { limit } => write!(f, "{field}: exceeds the limit of {limit}")?,
        }
        write!(f, " at byte {offset}")
    }
}

impl core::error::Error for ParseError {}

/// The kind of a deviation that a lenient reading accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiagnosticKind {
    /// The authserv-id is neither a token nor a quoted-string; it is what appears before the next
    /// space or `;`. Or text follows a quoted-string directly.
    MalformedAuthservId,
    /// There is no authserv-id: the value begins with a result. The id is empty.
    MissingAuthservId,
    /// Other text between authserv-id or version and the first `;` or result was skipped.
    JunkAfterAuthservId,
    /// There is no `;` between authserv-id and the first result.
    MissingSemicolon,
    /// Text in the place of a result has no method and result word and was skipped. The payload is its fault.
    BadResinfo(ErrorKind),
    /// Text in a result cannot be parsed and was skipped. The payload is its fault. Method, result and the
    /// properties that can be parsed were kept.
    JunkInResinfo(ErrorKind),
    /// White space is missing between a reason and the property that follows.
    MissingCfws,
    /// The method follows names and full stops, e.g. `gateway.spf`.
    DottedMethod,
    /// A `method-version` is not a number.
    MalformedMethodVersion,
    /// No text appears between the `=` and the next property, the `;` or the end. The value is empty.
    EmptyValue,
    /// `;;`
    EmptyResinfo,
    /// A `;` at the end.
    TrailingSemicolon,
    /// `none` together with results. The `none` was skipped.
    NoneMixed,
    /// `_` in a keyword.
    UnderscoreInKeyword,
    /// A keyword that ends with a hyphen.
    KeywordEndsWithHyphen,
    /// `key=value`, where there should be `ptype.property=value`.
    UndottedPair,
    /// A value without quotes contains special characters. Its end is assumed at the next white space, `;`,
    /// comment or quote.
    UnquotedTspecials,
    /// A line break that is a bare LF, as milters deliver it.
    BareLfFold,
    /// Characters outside ASCII.
    NonAscii,
}

impl DiagnosticKind {
    /// Returns the kind's name in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MalformedAuthservId => "malformed-authserv-id",
            Self::MissingAuthservId => "missing-authserv-id",
            Self::JunkAfterAuthservId => "junk-after-authserv-id",
            Self::MissingSemicolon => "missing-semicolon",
            Self::BadResinfo(_) => "bad-resinfo",
            Self::JunkInResinfo(_) => "junk-in-resinfo",
            Self::MissingCfws => "missing-cfws",
            Self::DottedMethod => "dotted-method",
            Self::MalformedMethodVersion => "malformed-method-version",
            Self::EmptyValue => "empty-value",
            Self::EmptyResinfo => "empty-resinfo",
            Self::TrailingSemicolon => "trailing-semicolon",
            Self::NoneMixed => "none-mixed",
            Self::UnderscoreInKeyword => "underscore-in-keyword",
            Self::KeywordEndsWithHyphen => "keyword-ends-hyphen",
            Self::UndottedPair => "undotted-pair",
            Self::UnquotedTspecials => "unquoted-tspecials",
            Self::BareLfFold => "bare-lf-fold",
            Self::NonAscii => "non-ascii",
        }
    }
}

impl DiagnosticKind {
    /// Returns the fault of the text that was skipped, if any text was skipped.
    #[must_use]
    pub const fn why(self) -> Option<ErrorKind> {
        match self {
            Self::BadResinfo(why) | Self::JunkInResinfo(why) => Some(why),
            _ => None,
        }
    }
}

/// A deviation that a lenient reading accepted, and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    kind: DiagnosticKind,
    field: &'static str,
    offset: usize,
}

impl Diagnostic {
    pub(crate) const fn new(kind: DiagnosticKind, field: &'static str, offset: usize) -> Self {
        Self {
            kind,
            field,
            offset,
        }
    }

    /// Returns the kind of the deviation.
    #[must_use]
    pub const fn kind(self) -> DiagnosticKind {
        self.kind
    }

    /// Returns the field that deviates, as the grammar spells it. For a result that was skipped, this is the
    /// field that could not be parsed.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }

    /// Returns the byte offset in the value.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.field)?;
        if let Some(why) = self.kind.why() {
            write!(f, " {}", why.name())?;
        }
        write!(f, " at byte {}", self.offset)
    }
}
