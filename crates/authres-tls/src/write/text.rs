//! The texts of a value to be written. Each text is checked when it is built, and stores the form in which it is
//! written. The function `shape` asks the reader's grammar for that form, so that the reader parses every
//! written text back to the same value.

use alloc::borrow::Cow;
use core::fmt;

use super::error::{WriteError, WriteErrorKind};
use crate::syntax::{Form, Rules, is_wsp};

/// A `Keyword` (RFC 5321 section 4.1.2), in lower case: a method, result, ptype or property.
///
/// ```
/// # use authres_tls::write::Keyword;
/// assert_eq!(Keyword::try_new("TLS")?.as_str(), "tls");
/// assert!(Keyword::try_new("tls=pass").is_err());
/// # Ok::<(), authres_tls::WriteError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Keyword(Cow<'static, str>);

impl Keyword {
    /// Returns a keyword in lower case. Keywords compare without regard to case.
    ///
    /// # Errors
    /// Returns [`WriteErrorKind::Empty`] if the text is empty, [`EndsWithHyphen`](WriteErrorKind::EndsWithHyphen) if
    /// it ends with a hyphen, and [`Keyword`](WriteErrorKind::Keyword) if it has other characters than ASCII
    /// letters, digits and hyphens.
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

    /// Returns the keyword.
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

/// A decoded value: an authserv-id, a reason or a pvalue. The value is any text without control characters; the
/// writer adds quotes and escapes where necessary.
///
/// The tab is allowed, because quoted-strings can contain it. C1 controls, U+2028 and U+2029 are refused, because
/// some readers treat them as line breaks.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Value {
    text: Cow<'static, str>,
    shape: Shape,
    /// The number of octets that need a backslash in a quoted-string.
    escapes: usize,
    non_ascii: Option<usize>,
}

/// The form in which a value can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Shape {
    /// A token.
    Token,
    /// `[ [ local-part ] "@" ] domain-name`, where the grammar allows that.
    Address,
    /// An address with a quoted local-part, whose spaces may be folded.
    QuotedLocalPart,
    /// Only a quoted-string.
    Quoted,
}

impl Value {
    /// Returns the value for a decoded text, without quotes and escapes.
    ///
    /// # Errors
    /// Returns [`WriteErrorKind::Control`] if the text has a control character other than the tab, or a line or
    /// paragraph separator.
    pub fn try_new(text: impl Into<Cow<'static, str>>) -> Result<Self, WriteError> {
        Self::checked(text.into(), "value")
    }

    pub(super) fn checked(
        text: Cow<'static, str>,
        field: &'static str,
    ) -> Result<Self, WriteError> {
        let non_ascii = printable(&text, field)?;
        let shape = shape(&text);
        let escapes = Delimiters::QUOTED_STRING.escapes(&text);
        Ok(Self {
            text,
            shape,
            escapes,
            non_ascii,
        })
    }

    /// Returns the decoded value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns `true` if the value is written without quotes. `address` is `true` where the grammar allows addresses.
    pub(super) fn is_unquoted(&self, address: bool) -> bool {
        match self.shape {
            Shape::Token => true,
            Shape::Address | Shape::QuotedLocalPart => address,
            Shape::Quoted => false,
        }
    }

    /// Returns `true` if the value is written unchanged and has places to fold.
    pub(super) fn has_quoted_local_part(&self) -> bool {
        self.shape == Shape::QuotedLocalPart
    }

    /// Returns `true` if the value may follow a `=` and a line break: after white space, an address that begins like a
    /// property is read as a property.
    pub(super) fn may_begin_line(&self) -> bool {
        !Rules::lenient().begins_property(self.text.as_bytes())
    }

    /// Returns the number of octets when the value is written on one line.
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

/// A comment's text without the parentheses around it. Parentheses inside, balanced or not, are escaped.
///
/// The characters that a [`Value`] refuses are refused here as well.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CommentBuf {
    text: Cow<'static, str>,
    escapes: usize,
    non_ascii: Option<usize>,
}

impl CommentBuf {
    /// Returns a comment with this decoded text, without parentheses around it and without escapes.
    ///
    /// # Errors
    /// Returns [`WriteErrorKind::Control`] if the text has a control character other than the tab, or a line or
    /// paragraph separator.
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

    /// Returns the text.
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

/// The delimiters around a text, and the characters that are escaped in it.
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
    /// No delimiters: the text has its own quotes and escapes.
    pub(super) const NONE: Self = Self {
        open: "",
        close: "",
        escaped: [0; 3],
    };

    /// Returns the offset of the first space or tab from `start` on before which a new line may begin. In a text with
    /// its own escapes, a space after a backslash is not such a place.
    pub(super) fn next_space(self, text: &str, start: usize) -> usize {
        let own_escapes = self.open.is_empty();
        let (mut escaped, mut after_space) = (false, false);
        for (at, octet) in text.bytes().enumerate() {
            if at >= start && is_wsp(octet) && !escaped && !after_space {
                return at;
            }
            // In a run of spaces only the first one is such a place; an escaped one would end the line.
            after_space = is_wsp(octet);
            escaped = own_escapes && octet == b'\\' && !escaped;
        }
        text.len()
    }

    fn is_escaped(self, octet: u8) -> bool {
        let [first, second, third] = self.escaped;
        // Without branches, so that the compiler can compare many octets at once.
        (octet == first) | (octet == second) | (octet == third)
    }

    /// Returns the number of octets in the text that are escaped.
    pub(super) fn escapes(self, text: &str) -> usize {
        text.bytes().filter(|octet| self.is_escaped(*octet)).count()
    }

    /// Splits the text before the first octet that is escaped.
    pub(super) fn split(self, text: &str) -> Option<(&str, &str)> {
        let at = text.bytes().position(|octet| self.is_escaped(octet))?;
        text.split_at_checked(at)
    }
}

/// Checks that no character of the text ends a line for any reader. Returns the offset of the first octet outside
/// ASCII.
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

/// Returns the form for a text, by the reader's own grammar. A text that could be read as the start of a longer one
/// is quoted: a token that ends with a full stop and the property after it can be an obsolete local-part (RFC 5322
/// section 4.4).
fn shape(text: &str) -> Shape {
    if text.ends_with('.') || !has_plain_characters(text) {
        return Shape::Quoted;
    }
    let rules = Rules::lenient();
    if text.starts_with('"') {
        let address = || {
            let (rest, _) = rules.quoted_string(text.as_bytes()).ok()?;
            let (b'@', domain) = rest.split_first()? else {
                return None;
            };
            rules.domain_name(domain).filter(|rest| rest.is_empty())
        };
        return address().map_or(Shape::Quoted, |_| Shape::QuotedLocalPart);
    }
    match rules.pvalue(text.as_bytes()) {
        Ok(([], (Form::Token, _))) => Shape::Token,
        Ok(([], (Form::Address, true))) => Shape::Address,
        _ => Shape::Quoted,
    }
}

/// Returns `true` if the characters outside ASCII can be part of an e-mail identity (RFC 6531, RFC 8616), and no reader
/// could read it as a space or as punctuation. After the last `@` it must be of U-labels.
fn has_plain_characters(text: &str) -> bool {
    let (local_part, domain) = match text.rsplit_once('@') {
        Some((local_part, domain)) => (local_part, domain),
        None => ("", text),
    };
    let local_part = local_part.chars();
    let in_local_part = |c: char| c.is_ascii() || !is_space_or_punctuation(c);
    let in_domain = |c: char| c.is_ascii() || is_of_label(c);
    local_part.clone().all(in_local_part) && domain.chars().all(in_domain)
}

/// A character of a U-label: a letter, a digit, or in the blocks from Hebrew to Myanmar and among the
/// combining diacritics a mark, which the standard library cannot tell.
fn is_of_label(c: char) -> bool {
    let is_mark = matches!(
        c,
        '\u{300}'..='\u{36f}'
            | '\u{591}'..='\u{5bd}'
            | '\u{610}'..='\u{61a}'
            | '\u{64b}'..='\u{65f}'
            | '\u{900}'..='\u{963}'
            | '\u{966}'..='\u{df3}'
            | '\u{e01}'..='\u{e4e}'
            | '\u{e81}'..='\u{ecf}'
            | '\u{f71}'..='\u{f84}'
            | '\u{102b}'..='\u{103e}'
    );
    !is_space_or_punctuation(c) && (c.is_alphanumeric() || is_mark)
}

/// Spaces, and the blocks of symbols and punctuation that look like them or like ASCII's: Latin-1's signs,
/// General Punctuation, CJK Symbols and Punctuation, the compatibility and full-width forms, Specials, Tags.
fn is_space_or_punctuation(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '\u{80}'..='\u{a9}'
                | '\u{ab}'..='\u{b4}'
                | '\u{b6}'..='\u{b9}'
                | '\u{bb}'..='\u{bf}'
                | '\u{34f}'
                | '\u{37e}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{1680}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{2000}'..='\u{206f}'
                | '\u{2e00}'..='\u{2e7f}'
                | '\u{3000}'..='\u{3004}'
                | '\u{3008}'..='\u{3020}'
                | '\u{3030}'
                | '\u{3164}'
                | '\u{e000}'..='\u{f8ff}'
                | '\u{fe00}'..='\u{fe6f}'
                | '\u{feff}'..='\u{ff0f}'
                | '\u{ff1a}'..='\u{ff20}'
                | '\u{ff3b}'..='\u{ff40}'
                | '\u{ff5b}'..='\u{ff65}'
                | '\u{ffa0}'
                | '\u{ffe0}'..='\u{ffff}'
                | '\u{e0000}'..='\u{10ffff}'
        )
}
