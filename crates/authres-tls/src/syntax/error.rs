//! Why a value is refused, and what a lenient reading let through.

use core::fmt;

/// What is wrong with the bytes. Payloads are numbers; the bytes are never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Nothing but white space and comments.
    Empty,
    /// Something else stands where this is due.
    Expected,
    /// A keyword ends with a hyphen.
    EndsWithHyphen,
    /// White space or a comment is due.
    MissingCfws,
    /// After `;` comes no result.
    EmptyResinfo,
    /// `none` beside results.
    NoneMixed,
    /// After `@` comes no domain-name of at least two labels.
    DomainName,
    /// A comment does not end.
    UnclosedComment,
    /// A quoted-string does not end.
    UnclosedQuotedString,
    /// A control character, CR or LF where none may be.
    Control,
    /// A line break that is a bare LF, which [`bare_lf`](crate::Options::bare_lf) accepts.
    BareLf,
    /// A character outside ASCII, or under [`utf8`](crate::Options::utf8) an octet that is not
    /// UTF-8.
    NonAscii,
    /// More than [`Limits`](crate::Limits) allow.
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

/// A value is refused: kind, field as RFC 8601 spells it, and byte offset in the value.
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

    /// What is wrong.
    #[must_use]
    pub const fn kind(self) -> ErrorKind {
        self.kind
    }

    /// In which field, in the grammar's spelling.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }

    /// Where, in bytes from the start of the value.
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
            ErrorKind::Empty => write!(f, "{field}: nothing there")?,
            ErrorKind::Expected => write!(f, "{field} expected")?,
            ErrorKind::EndsWithHyphen => write!(f, "{field} ends with a hyphen")?,
            ErrorKind::MissingCfws => write!(f, "{field}: white space missing before it")?,
            ErrorKind::EmptyResinfo => write!(f, "{field}: no result after the semicolon")?,
            ErrorKind::NoneMixed => write!(f, "{field}: none beside results")?,
            ErrorKind::DomainName => write!(f, "{field}: not a domain name of two labels")?,
            ErrorKind::UnclosedComment => write!(f, "{field} does not end")?,
            ErrorKind::UnclosedQuotedString => write!(f, "{field} does not end")?,
            ErrorKind::Control => write!(f, "{field}: control character")?,
            ErrorKind::BareLf => write!(
                f,
                "{field}: a line ends with LF where CRLF is expected (Options::with_bare_lf accepts it)"
            )?,
            ErrorKind::NonAscii => write!(f, "{field}: character outside the allowed ones")?,
            ErrorKind::Limit { limit } => write!(f, "{field}: more than {limit}")?,
        }
        write!(f, " at byte {offset}")
    }
}

impl core::error::Error for ParseError {}

/// What a lenient reading let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiagnosticKind {
    /// The authserv-id is neither a token nor a quoted-string; it is what appears before the next
    /// space or `;`. Or something is glued to a quoted-string.
    MalformedAuthservId,
    /// There is no authserv-id: the value begins with a result. The id is empty.
    MissingAuthservId,
    /// Something stands between authserv-id and version, and the first `;` or result. It was skipped.
    JunkAfterAuthservId,
    /// There is no `;` between authserv-id and the first result.
    MissingSemicolon,
    /// Something in the place of a result has no method and result word and was skipped; why.
    BadResinfo(ErrorKind),
    /// Something in a result cannot be read and was skipped; why. Method, result and the properties that
    /// can be read were kept.
    JunkInResinfo(ErrorKind),
    /// No white space between a reason and the property that follows.
    MissingCfws,
    /// A method behind names and full stops, e.g. `gateway.spf`.
    DottedMethod,
    /// A `method-version` that is no number.
    MalformedMethodVersion,
    /// Nothing between the `=` and the next property, the `;` or the end. The value is empty.
    EmptyValue,
    /// `;;`
    EmptyResinfo,
    /// A `;` at the end.
    TrailingSemicolon,
    /// `none` beside results. It was passed over.
    NoneMixed,
    /// `_` in a keyword.
    UnderscoreInKeyword,
    /// A keyword that ends with a hyphen.
    KeywordEndsWithHyphen,
    /// `key=value`, where there should be `ptype.property=value`.
    UndottedPair,
    /// A value without quotes although there are special characters in it; it is what stands before
    /// the next blank, `;`, comment or quote.
    UnquotedTspecials,
    /// A line break that is a bare LF, as milters hand it over.
    BareLfFold,
    /// Characters outside ASCII.
    NonAscii,
}

impl DiagnosticKind {
    /// The kind's name as it stands in conformance vectors and logs.
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
    /// The error of what was skipped, if something was.
    #[must_use]
    pub const fn why(self) -> Option<ErrorKind> {
        match self {
            Self::BadResinfo(why) | Self::JunkInResinfo(why) => Some(why),
            _ => None,
        }
    }
}

/// One thing that a lenient reading let through, and where.
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

    /// What was let through.
    #[must_use]
    pub const fn kind(self) -> DiagnosticKind {
        self.kind
    }

    /// In which field, in the grammar's spelling; for a result that was passed over, the field that
    /// could not be read.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }

    /// Where, in bytes from the start of the value.
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
