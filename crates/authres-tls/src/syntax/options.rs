//! Options of parsing: the mode, the characters, the line breaks, the limits.

/// The treatment of a value that deviates from the grammar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// RFC 8601 section 2.2 exactly: a value that deviates is refused as a whole.
    #[default]
    Strict,
    /// Known deviations of existing writers are accepted, result by result, and each one is listed as a
    /// [`Diagnostic`](crate::syntax::Diagnostic). Control characters, a bare CR, a bare LF that does not fold,
    /// and unclosed comments or quoted-strings are still refused, because results can be forged with them.
    Lenient,
}

/// The options of parsing a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The treatment of a value that deviates from the grammar.
    pub mode: Mode,
    /// UTF-8 is accepted in comments, quoted-strings, local-parts and domain-names, as RFC 6532 and RFC 8616
    /// specify for internationalized messages.
    pub utf8: bool,
    /// A bare LF before white space, or at the end of the value, counts as a line break, as CRLF does.
    /// Milters, pipes and maildirs deliver fields with such line breaks.
    pub bare_lf: bool,
    /// The limits.
    pub limits: Limits,
}

impl Options {
    /// Returns the options of the strict reading: RFC 8601 exactly.
    #[must_use]
    pub const fn strict() -> Self {
        Self {
            mode: Mode::Strict,
            utf8: false,
            bare_lf: false,
            limits: Limits::DEFAULT,
        }
    }

    /// Returns the options of the lenient reading, which accepts known deviations of existing writers.
    #[must_use]
    pub const fn lenient() -> Self {
        Self {
            mode: Mode::Lenient,
            utf8: false,
            bare_lf: false,
            limits: Limits::DEFAULT,
        }
    }

    /// Sets if UTF-8 is accepted (RFC 6532).
    #[must_use]
    pub const fn with_utf8(mut self, utf8: bool) -> Self {
        self.utf8 = utf8;
        self
    }

    /// Sets if a bare LF is accepted as a line break.
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

    /// Sets the limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// Limits of a value. A value that exceeds one is refused and never truncated. The grammar itself has no limits.
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
    /// Depth of nested comments.
    pub comment_depth: usize,
    /// Diagnostics of a lenient reading.
    pub diagnostics: usize,
}

impl Limits {
    /// Limits about a hundred times as large as values seen in practice.
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
