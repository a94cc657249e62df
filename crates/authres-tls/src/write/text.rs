//! The texts of a value that is to be written: each is checked when it is built, and knows how it is
//! written.

use alloc::borrow::Cow;
use core::fmt;

use super::error::{WriteError, WriteErrorKind};
use crate::{syntax::Rules, text::Form};

/// A `Keyword` (RFC 5321 section 4.1.2), in lower case: a method, result, ptype or property.
///
/// ```
/// # use authres_tls::Keyword;
/// assert_eq!(Keyword::try_new("TLS")?.as_str(), "tls");
/// assert!(Keyword::try_new("tls=pass").is_err());
/// # Ok::<(), authres_tls::WriteError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Keyword(Cow<'static, str>);

impl Keyword {
    /// Keywords compare without regard to case, and are written in lower case.
    ///
    /// # Errors
    /// When it is empty, ends with a hyphen, or has other characters than ASCII letters, digits and
    /// hyphens.
    pub fn try_new(text: impl Into<Cow<'static, str>>) -> Result<Self, WriteError> {
        Self::checked(text.into(), "Keyword")
    }

    pub(super) fn checked(
        mut text: Cow<'static, str>,
        field: &'static str,
    ) -> Result<Self, WriteError> {
        let is_ldh = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'-';
        let refuse = |kind, offset| Err(WriteError::new(kind, field, offset));
        if let Some(offset) = text.bytes().position(|octet| !is_ldh(&octet)) {
            return refuse(WriteErrorKind::Keyword, offset);
        }
        match text.as_bytes() {
            [] => return refuse(WriteErrorKind::Empty, 0),
            [before @ .., b'-'] => return refuse(WriteErrorKind::EndsWithHyphen, before.len()),
            _ => {}
        }
        if text.bytes().any(|octet| octet.is_ascii_uppercase()) {
            text.to_mut().make_ascii_lowercase();
        }
        Ok(Self(text))
    }

    /// The keyword.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A value as it is meant: an authserv-id, a reason, a pvalue. Any text without control characters;
/// the writer adds quotes and escapes where they are needed.
///
/// The tab is let through, which quoted-strings may have. Not so C1 controls, U+2028 and U+2029,
/// which some readers take for line breaks.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Value {
    text: Cow<'static, str>,
    shape: Shape,
    /// How many octets need a backslash before them in a quoted-string.
    escapes: usize,
    non_ascii: Option<usize>,
}

/// How a value may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Shape {
    /// As a token.
    Token,
    /// As `[ [ local-part ] "@" ] domain-name`, where the grammar has that.
    Address,
    /// As a quoted-string only.
    Quoted,
}

impl Value {
    /// The value as it is meant, without quotes and escapes.
    ///
    /// # Errors
    /// When it has a control character other than the tab, or a line or paragraph separator.
    pub fn try_new(text: impl Into<Cow<'static, str>>) -> Result<Self, WriteError> {
        Self::checked(text.into(), "value")
    }

    pub(super) fn checked(
        text: Cow<'static, str>,
        field: &'static str,
    ) -> Result<Self, WriteError> {
        let non_ascii = printable(&text, field)?;
        let shape = match non_ascii {
            None => shape(&text),
            Some(_) => Shape::Quoted,
        };
        let escapes = Delimiters::QUOTED_STRING.escapes(&text);
        Ok(Self {
            text,
            shape,
            escapes,
            non_ascii,
        })
    }

    /// The value as it is meant.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is written as it is. `address`: where the grammar has addresses.
    pub(super) fn is_unquoted(&self, address: bool) -> bool {
        match self.shape {
            Shape::Token => true,
            Shape::Address => address,
            Shape::Quoted => false,
        }
    }

    /// Octets when written on one line.
    pub(super) fn written_len(&self, address: bool) -> usize {
        if self.is_unquoted(address) {
            self.text.len()
        } else {
            written_len(&self.text, self.escapes)
        }
    }

    pub(super) const fn escapes(&self) -> usize {
        self.escapes
    }

    pub(super) const fn non_ascii(&self) -> Option<usize> {
        self.non_ascii
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Value").field(&self.text).finish()
    }
}

/// A comment's text without its parentheses. It may have any, balanced or not: they are escaped.
///
/// What it may not have is as with [`Value`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CommentBuf {
    text: Cow<'static, str>,
    escapes: usize,
    non_ascii: Option<usize>,
}

impl CommentBuf {
    /// The text without parentheses around it, and without escapes.
    ///
    /// # Errors
    /// When it has a control character other than the tab, or a line or paragraph separator.
    pub fn try_new(text: impl Into<Cow<'static, str>>) -> Result<Self, WriteError> {
        let text = text.into();
        let non_ascii = printable(&text, "comment")?;
        let escapes = Delimiters::COMMENT.escapes(&text);
        Ok(Self {
            text,
            escapes,
            non_ascii,
        })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn written_len(&self) -> usize {
        written_len(&self.text, self.escapes)
    }

    pub(super) const fn escapes(&self) -> usize {
        self.escapes
    }

    pub(super) const fn non_ascii(&self) -> Option<usize> {
        self.non_ascii
    }
}

impl fmt::Display for CommentBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for CommentBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CommentBuf").field(&self.text).finish()
    }
}

fn written_len(text: &str, escapes: usize) -> usize {
    text.len().saturating_add(escapes).saturating_add(2)
}

/// What stands around a text, and what is escaped in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delimiters {
    pub(super) open: &'static str,
    pub(super) close: &'static str,
    escaped: [u8; 3],
}

impl Delimiters {
    pub(super) const QUOTED_STRING: Self = Self {
        open: "\"",
        close: "\"",
        escaped: *b"\"\\\\",
    };
    pub(super) const COMMENT: Self = Self {
        open: "(",
        close: ")",
        escaped: *b"()\\",
    };

    fn is_escaped(self, octet: u8) -> bool {
        let [first, second, third] = self.escaped;
        // Without branches, so that many octets are looked at together.
        (octet == first) | (octet == second) | (octet == third)
    }

    /// How many octets of the text are escaped.
    pub(super) fn escapes(self, text: &str) -> usize {
        text.bytes().filter(|octet| self.is_escaped(*octet)).count()
    }

    /// The text up to the first octet that is escaped, and from it on.
    pub(super) fn split(self, text: &str) -> Option<(&str, &str)> {
        let at = text.bytes().position(|octet| self.is_escaped(octet))?;
        text.split_at_checked(at)
    }
}

/// That no character of the text could end a line; and where it leaves ASCII.
fn printable(text: &str, field: &'static str) -> Result<Option<usize>, WriteError> {
    let is_plain = |octet: u8| matches!(octet, b'\t' | b' '..=b'~');
    if text.bytes().fold(true, |all, octet| all & is_plain(octet)) {
        return Ok(None);
    }
    let breaks = |c: char| c.is_control() && c != '\t' || matches!(c, '\u{2028}' | '\u{2029}');
    match text.find(breaks) {
        Some(offset) => Err(WriteError::new(WriteErrorKind::Control, field, offset)),
        None => Ok(text.bytes().position(|octet| !octet.is_ascii())),
    }
}

/// Of an ASCII text. What could be taken for the start of something longer is quoted: a token that
/// ends with a full stop and the property behind it can be an obsolete local-part (RFC 5322 section
/// 4.4), and a quoted local-part looks like the end of the value to readers that do not know it.
fn shape(text: &str) -> Shape {
    if text.starts_with('"') || text.ends_with('.') {
        return Shape::Quoted;
    }
    match Rules::lenient().pvalue(text.as_bytes()) {
        Ok(([], (Form::Token, _))) => Shape::Token,
        Ok(([], (Form::Address, true))) => Shape::Address,
        _ => Shape::Quoted,
    }
}
