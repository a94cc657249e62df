//! A text in a value, as written and decoded: raw, unfolded, collapsed.

use crate::slice;
use alloc::{borrow::Cow, string::String, vec::Vec};
use core::{fmt, ops::Range};

/// The place of a part: a range of bytes, counted from the start of the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub(crate) const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// Returns the offset of the first byte.
    #[must_use]
    pub fn start(self) -> usize {
        usize::try_from(self.start).unwrap_or(usize::MAX)
    }

    /// Returns the offset after the last byte.
    #[must_use]
    pub fn end(self) -> usize {
        usize::try_from(self.end).unwrap_or(usize::MAX)
    }

    /// Returns the place as a range.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start()..self.end()
    }

    /// Returns `true` if the range is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// Returns the range from the start of this one to the end of the other.
    pub(crate) const fn to(self, other: Self) -> Self {
        Self::new(self.start, other.end)
    }

    pub(crate) fn of(self, input: &[u8]) -> &[u8] {
        slice::range(input, self.range())
    }
}

/// The form in which a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// A token, a keyword or a number.
    Token,
    /// A quoted-string.
    QuotedString,
    /// `[ [ local-part ] "@" ] domain-name`
    Address,
    /// A comment.
    Comment,
    /// Another form: a lenient reading accepted the text before the next white space, `;`, comment or quote.
    Unquoted,
}

/// A text in a value. The text borrows from the value, never from the tree.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<'a> {
    raw: &'a [u8],
    span: Span,
    form: Form,
    plain: bool,
}

impl<'a> Text<'a> {
    pub(crate) fn new(input: &'a [u8], span: Span, form: Form, plain: bool) -> Self {
        let raw = span.of(input);
        Self {
            raw,
            span,
            form,
            plain,
        }
    }

    /// Returns the bytes as written, with quotes, parentheses and folds.
    #[must_use]
    pub const fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// Returns the place of these bytes.
    #[must_use]
    pub const fn span(self) -> Span {
        self.span
    }

    /// Returns the form in which the text is written.
    #[must_use]
    pub const fn form(self) -> Form {
        self.form
    }

    /// Returns the decoded text: without quotes or parentheses, escapes and folds; white space is kept. In an
    /// address, the comments and white space between its parts are removed.
    #[must_use]
    pub fn unfolded_bytes(self) -> Cow<'a, [u8]> {
        let inner = match self.form {
            Form::QuotedString | Form::Comment => slice::inside(self.raw),
            _ => self.raw,
        };
        if self.plain {
            Cow::Borrowed(inner)
        } else if self.form == Form::Address {
            Cow::Owned(joined(inner))
        } else {
            Cow::Owned(unescaped(inner))
        }
    }

    /// Returns [`unfolded_bytes`](Self::unfolded_bytes) as text. Octets that are not UTF-8, which only a lenient
    /// reading accepts, become U+FFFD.
    #[must_use]
    pub fn unfolded(self) -> Cow<'a, str> {
        match self.unfolded_bytes() {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Cow::Owned(text),
                Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
            },
        }
    }

    /// Returns the decoded text with each run of spaces and tabs as one space, and without white space at the
    /// ends. Folding can leave white space that the writer did not intend.
    #[must_use]
    pub fn collapsed(self) -> Cow<'a, str> {
        let unfolded = self.unfolded();
        let is_space = |c: char| c == ' ' || c == '\t';
        let untidy = unfolded.contains('\t')
            || unfolded.contains("  ")
            || unfolded.starts_with(' ')
            || unfolded.ends_with(' ');
        if !untidy {
            return unfolded;
        }
        let mut collapsed = String::with_capacity(unfolded.len());
        for word in unfolded.split(is_space).filter(|word| !word.is_empty()) {
            if !collapsed.is_empty() {
                collapsed.push(' ');
            }
            collapsed.push_str(word);
        }
        Cow::Owned(collapsed)
    }

    /// Returns `true` if the decoded text equals `other` without regard to the case of ASCII letters, as keywords
    /// compare.
    #[must_use]
    pub fn eq_ignore_case(self, other: &str) -> bool {
        if self.plain {
            return self.unfolded_bytes().eq_ignore_ascii_case(other.as_bytes());
        }
        self.unfolded().eq_ignore_ascii_case(other)
    }
}

impl fmt::Display for Text<'_> {
    /// Writes the unfolded text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.unfolded())
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text")
            .field("value", &self.unfolded())
            .field("form", &self.form)
            .field("start", &self.span.start)
            .field("end", &self.span.end)
            .finish()
    }
}

/// Decodes quoted-pairs and removes line breaks. The white space after a line break is kept.
fn unescaped(inner: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(inner.len());
    let mut octets = inner.iter();
    while let Some(octet) = octets.next() {
        match octet {
            b'\\' => out.extend(octets.next()),
            b'\r' | b'\n' => {}
            octet => out.push(*octet),
        }
    }
    out
}

/// Returns an address without the CFWS between its parts. A quoted local-part keeps its quotes and escapes.
fn joined(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut octets = raw.iter();
    while let Some(octet) = octets.next() {
        match octet {
            b'\\' => {
                let next = octets.next();
                if depth == 0 {
                    out.push(*octet);
                    out.extend(next);
                }
            }
            b'\r' | b'\n' => {}
            b'"' if depth == 0 => {
                quoted = !quoted;
                out.push(*octet);
            }
            octet if quoted => out.push(*octet),
            b'(' => depth = depth.saturating_add(1),
            b')' => depth = depth.saturating_sub(1),
            b' ' | b'\t' => {}
            octet if depth == 0 => out.push(*octet),
            _ => {}
        }
    }
    out
}
