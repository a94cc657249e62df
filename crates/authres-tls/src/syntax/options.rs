//! How a value is read: which mode, which characters, which limits.

/// What is done with a value that breaks the grammar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// RFC 8601 section 2.2 exactly: the whole value is refused.
    #[default]
    Strict,
    /// What real writers got wrong is read, result by result, and each thing let through is listed as
    /// a [`Diagnostic`](crate::Diagnostic). Control characters, bare CR or LF, and comments or
    /// quoted-strings that do not end are refused all the same: they are how results are forged.
    Lenient,
}

/// How a value is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What is done with a value that breaks the grammar.
    pub mode: Mode,
    /// UTF-8 in comments, quoted-strings, local-parts and domain-names, as RFC 6532 and RFC 8616
    /// have it for internationalized messages.
    pub utf8: bool,
    /// A bare LF before white space, or at the end of the value, counts as a line break, as CRLF does.
    /// Milters, pipes and maildirs hand fields over with such line breaks.
    pub bare_lf: bool,
    /// The limits.
    pub limits: Limits,
}

impl Options {
    /// RFC 8601 exactly.
    #[must_use]
    pub const fn strict() -> Self {
        Self {
            mode: Mode::Strict,
            utf8: false,
            bare_lf: false,
            limits: Limits::DEFAULT,
        }
    }

    /// What real writers get wrong is read too.
    #[must_use]
    pub const fn lenient() -> Self {
        Self {
            mode: Mode::Lenient,
            utf8: false,
            bare_lf: false,
            limits: Limits::DEFAULT,
        }
    }

    /// With or without UTF-8 (RFC 6532).
    #[must_use]
    pub const fn with_utf8(mut self, utf8: bool) -> Self {
        self.utf8 = utf8;
        self
    }

    /// With or without line breaks that are a bare LF.
    ///
    /// ```
    /// # use authres_tls::{AuthenticationResults, Options, syntax::ErrorKind};
    /// let value = b"mx.example.org;\n\tspf=pass smtp.mailfrom=a.example";
    /// let error = AuthenticationResults::parse(value, &Options::strict()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::BareLf);
    /// let header = AuthenticationResults::parse(value, &Options::strict().with_bare_lf(true))?;
    /// assert_eq!(header.results().len(), 1);
    /// # Ok::<(), authres_tls::ParseError>(())
    /// ```
    #[must_use]
    pub const fn with_bare_lf(mut self, bare_lf: bool) -> Self {
        self.bare_lf = bare_lf;
        self
    }

    /// With other limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// Beyond these a value is refused, never cut short. A message header has no limits of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a value.
    pub bytes: u32,
    /// Results.
    pub results: usize,
    /// Properties of all results together.
    pub properties: usize,
    /// Comments.
    pub comments: usize,
    /// How deep comments nest.
    pub comment_depth: usize,
    /// Diagnostics of a lenient reading.
    pub diagnostics: usize,
}

impl Limits {
    /// Room for any value met in practice, by a factor of a hundred.
    pub const DEFAULT: Self = Self {
        bytes: 1 << 20,
        results: 4096,
        properties: 16384,
        comments: 16384,
        comment_depth: 16384,
        diagnostics: 16384,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
