//! A piece of a value as it is written, and what it means: raw, unfolded, collapsed.

use crate::slice;
use alloc::{borrow::Cow, string::String, vec::Vec};
use core::{fmt, ops::Range};

/// Where something stands: bytes from the start of the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub(crate) const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// The first byte.
    #[must_use]
    pub fn start(self) -> usize {
        usize::try_from(self.start).unwrap_or(usize::MAX)
    }

    /// The byte after the last.
    #[must_use]
    pub fn end(self) -> usize {
        usize::try_from(self.end).unwrap_or(usize::MAX)
    }

    /// As a range.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start()..self.end()
    }

    /// Whether it holds nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// From the start of this to the end of the other.
    pub(crate) const fn to(self, other: Self) -> Self {
        Self::new(self.start, other.end)
    }

    pub(crate) fn of(self, input: &[u8]) -> &[u8] {
        slice::range(input, self.range())
    }
}

/// How a piece of text is written.
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
    /// None of these: a lenient reading took what stands before the next blank.
    Unquoted,
}

/// A piece of a value. It borrows from the value, never from the tree.
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

    /// The bytes as they are written, with quotes, parentheses and folds.
    #[must_use]
    pub const fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// Where they stand.
    #[must_use]
    pub const fn span(self) -> Span {
        self.span
    }

    /// How they are written.
    #[must_use]
    pub const fn form(self) -> Form {
        self.form
    }

    /// The value: without quotes or parentheses, escapes and folds undone, blanks as they are. Of an
    /// address without the comments and blanks between its parts.
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

    /// [`unfolded_bytes`](Self::unfolded_bytes) as text; what is not UTF-8 becomes U+FFFD, which only
    /// a lenient reading can meet.
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

    /// The value with each run of blanks as one space, and none at the ends: folding leaves blanks
    /// behind that the writer did not mean.
    #[must_use]
    pub fn collapsed(self) -> Cow<'a, str> {
        let unfolded = self.unfolded();
        let blank = |c: char| c == ' ' || c == '\t';
        let untidy = unfolded.contains('\t')
            || unfolded.contains("  ")
            || unfolded.starts_with(' ')
            || unfolded.ends_with(' ');
        if !untidy {
            return unfolded;
        }
        let mut collapsed = String::with_capacity(unfolded.len());
        for word in unfolded.split(blank).filter(|word| !word.is_empty()) {
            if !collapsed.is_empty() {
                collapsed.push(' ');
            }
            collapsed.push_str(word);
        }
        Cow::Owned(collapsed)
    }

    /// Whether the value is this text but for the case of ASCII letters, as keywords compare.
    #[must_use]
    pub fn eq_ignore_case(self, other: &str) -> bool {
        if self.plain {
            return self.unfolded_bytes().eq_ignore_ascii_case(other.as_bytes());
        }
        self.unfolded().eq_ignore_ascii_case(other)
    }
}

impl fmt::Display for Text<'_> {
    /// The unfolded value.
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

/// Undoes quoted-pairs, and takes out line breaks: the white space after them stays.
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

/// An address without the CFWS between its parts; a quoted local-part keeps its quotes and escapes.
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
