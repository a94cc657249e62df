//! How a value is written: which characters, how long its lines, which limits.

use crate::syntax::Limits;

/// What a line should not exceed (RFC 5322 section 2.1.1), in octets without its CRLF.
pub const SOFT_LINE_LIMIT: usize = 78;
/// What a line must not exceed (RFC 5322 section 2.1.1), in octets without its CRLF.
pub const HARD_LINE_LIMIT: usize = 998;

/// What a line begins with after a fold between two parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Indent {
    /// A tab.
    #[default]
    Tab,
    /// A space.
    Space,
}

impl Indent {
    pub(super) const fn line_break(self) -> &'static str {
        match self {
            Self::Tab => "\r\n\t",
            Self::Space => "\r\n ",
        }
    }
}

/// How a value is written.
///
/// Folds are CRLF and white space, and there is no other CR or LF in what is written: who hands it to
/// a milter may replace each CRLF by LF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// UTF-8 in comments and quoted-strings, for internationalized messages (RFC 6532).
    pub utf8: bool,
    /// Lines are kept within this where there is a place to fold, in octets without CRLF.
    pub soft_limit: usize,
    /// A line that would be longer is an error, in octets without CRLF.
    pub hard_limit: usize,
    /// How many octets stand before the value on its first line; by default those of
    /// `Authentication-Results: `, or of `ARC-Authentication-Results: ` before an instance.
    pub first_line: Option<usize>,
    /// What a line begins with.
    pub indent: Indent,
    /// Each result begins a line. On by default.
    pub result_per_line: bool,
    /// The limits: within the default ones, what is written can be read by default.
    pub limits: Limits,
}

impl WriteOptions {
    /// RFC 5322's lines, each result on its own, in ASCII.
    pub const DEFAULT: Self = Self {
        utf8: false,
        soft_limit: SOFT_LINE_LIMIT,
        hard_limit: HARD_LINE_LIMIT,
        first_line: None,
        indent: Indent::Tab,
        result_per_line: true,
        limits: Limits::DEFAULT,
    };

    /// One line, however long, for who folds it later.
    #[must_use]
    pub const fn unfolded() -> Self {
        Self {
            soft_limit: usize::MAX,
            hard_limit: usize::MAX,
            result_per_line: false,
            ..Self::DEFAULT
        }
    }

    /// With or without UTF-8 (RFC 6532).
    #[must_use]
    pub const fn with_utf8(mut self, utf8: bool) -> Self {
        self.utf8 = utf8;
        self
    }
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}
