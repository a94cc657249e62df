//! The fields of a message's header (RFC 5322 section 2.2), parsed only as far as needed to find one.

use crate::slice;
use core::ops::Range;

/// A field of a message's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    name: &'a [u8],
    value: &'a [u8],
    span: Range<usize>,
}

impl<'a> Field<'a> {
    /// Returns the name, without white space before the colon.
    #[must_use]
    pub const fn name(&self) -> &'a [u8] {
        self.name
    }

    /// Returns the field body: the octets after the colon, with folds, without the line break at the end.
    #[must_use]
    pub const fn value(&self) -> &'a [u8] {
        self.value
    }

    /// Returns the place of the whole field in the message, with the line break at its end.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

/// Returns the fields of a message up to the empty line. Lines end in CRLF or LF. A line that is not a field is
/// skipped, e.g. the `From ` line of an mbox.
pub fn fields(message: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut offset = 0;
    core::iter::from_fn(move || {
        loop {
            let start = offset;
            let rest = message.get(start..)?;
            if rest.is_empty() || rest.starts_with(b"\r\n") || rest.starts_with(b"\n") {
                return None;
            }
            let length = field_length(rest);
            offset = start.saturating_add(length);
            let line = message.get(start..offset)?;
            let Some(colon) = line.iter().position(|octet| *octet == b':') else {
                continue;
            };
            let name = line.get(..colon)?.trim_ascii_end();
            if name.is_empty() || name.iter().any(|octet| !octet.is_ascii_graphic()) {
                continue;
            }
            let value = line.get(colon.saturating_add(1)..)?;
            let value = value.strip_suffix(b"\n").unwrap_or(value);
            return Some(Field {
                name,
                value: value.strip_suffix(b"\r").unwrap_or(value),
                span: start..offset,
            });
        }
    })
}

/// Returns the length up to the first line break that no white space follows.
fn field_length(rest: &[u8]) -> usize {
    let mut from = 0_usize;
    loop {
        let line = slice::from(rest, from);
        let Some(end) = line.iter().position(|octet| *octet == b'\n') else {
            return rest.len();
        };
        from = from.saturating_add(end).saturating_add(1);
        if !matches!(rest.get(from), Some(b' ' | b'\t')) {
            return from;
        }
    }
}
