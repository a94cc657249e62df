//! Options of writing: the characters, the length of lines, the limits.

use crate::syntax::Limits;

/// The length that a line should not exceed (RFC 5322 section 2.1.1), in octets without its CRLF.
pub const SOFT_LINE_LIMIT: usize = 78;
/// The length that a line must not exceed (RFC 5322 section 2.1.1), in octets without its CRLF.
pub const HARD_LINE_LIMIT: usize = 998;

/// The first character of a line after a fold between two parts.
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

/// The options of writing a value.
///
/// Folds are CRLF and white space, and the written value contains no other CR or LF. For a milter, each CRLF can
/// therefore be replaced by LF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// UTF-8 is written in comments and quoted-strings, for internationalized messages (RFC 6532).
    pub utf8: bool,
    /// Lines are kept within this where there is a place to fold, in octets without CRLF.
    pub soft_limit: usize,
    /// A line that would be longer is an error, in octets without CRLF.
    pub hard_limit: usize,
    /// The number of octets before the value on its first line. The default is the length of
    /// `Authentication-Results: `, or of `ARC-Authentication-Results: ` before an instance.
    pub first_line: Option<usize>,
    /// The first character of a line after a fold.
    pub indent: Indent,
    /// Each result begins a line. On by default.
    pub result_per_line: bool,
    /// The limits. A value within the default limits can be parsed with the default limits.
    pub limits: Limits,
}

impl WriteOptions {
    /// The lines of RFC 5322, each result on its own line, in ASCII.
    pub const DEFAULT: Self = Self {
        utf8: false,
        soft_limit: SOFT_LINE_LIMIT,
        hard_limit: HARD_LINE_LIMIT,
        first_line: None,
        indent: Indent::Tab,
        result_per_line: true,
        limits: Limits::DEFAULT,
    };

    /// Returns options for a single line of any length, for callers that fold it later.
    #[must_use]
    pub const fn unfolded() -> Self {
        Self {
            soft_limit: usize::MAX,
            hard_limit: usize::MAX,
            result_per_line: false,
            ..Self::DEFAULT
        }
    }

    /// Sets if UTF-8 is written (RFC 6532).
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
