//! A response of an IMAP server: its lines with the literals in them, and the parts that all responses have.

use alloc::{string::String, vec::Vec};

use crate::{
    client::{ClientError, lines::LineReader},
    error::{ErrorKind, ParseError},
    imap::string::{Announced, announced_at_end},
    rules,
};

/// The longest line of a response, in bytes with CR LF. Most responses before login are far shorter, but a list of
/// ID may have 30 pairs of 30 and 1024 bytes (RFC 2971 section 3.3).
pub const MAX_IMAP_LINE_BYTES: usize = 36_000;

/// The longest literal in a response, in bytes: that of a value of ID (RFC 2971 section 3.3).
pub const MAX_IMAP_LITERAL_BYTES: usize = 1024;

/// The longest response, in bytes with literals.
pub const MAX_IMAP_RESPONSE_BYTES: usize = 65_536;

/// Returns the error about a response.
pub(super) const fn malformed(kind: ErrorKind, field: &'static str, offset: usize) -> ClientError {
    ClientError::Malformed(ParseError::new(kind, field, offset))
}

/// Splits a text at its first space.
pub(super) fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = text.splitn(2, |octet| *octet == b' ');
    let first = parts.next().unwrap_or_default();
    (first, parts.next().unwrap_or_default())
}

/// Returns the text after `[ALERT]`, which the user must see.
pub(super) fn alert(text: &[u8]) -> Option<&[u8]> {
    let code = code(text).filter(|code| code.eq_ignore_ascii_case(b"ALERT"))?;
    let text = text.get(code.len().saturating_add(2)..)?;
    Some(text.strip_prefix(b" ").unwrap_or(text))
}

/// Returns the response code at the beginning of `text`, without its brackets.
pub(super) fn code(text: &[u8]) -> Option<&[u8]> {
    let inside = text.strip_prefix(b"[")?;
    let end = inside.iter().position(|octet| *octet == b']')?;
    inside.get(..end)
}

/// A reader of responses: lines, and the literals in them.
#[derive(Clone, Debug, Default)]
pub(super) struct ResponseReader {
    /// The complete lines and literals of the response.
    response: Vec<u8>,
    /// The number of octets of a literal that were not received yet.
    literal: usize,
    line: LineReader,
}

impl ResponseReader {
    pub(super) fn push(&mut self, octet: u8) -> Result<Option<Vec<u8>>, ClientError> {
        if self.literal > 0 {
            self.literal = self.literal.saturating_sub(1);
            self.response.push(octet);
            return Ok(None);
        }
        let line = self.line.push(octet, "response", MAX_IMAP_LINE_BYTES);
        let Some(line) = line? else {
            return Ok(None);
        };
        let begins = self.response.is_empty();
        let before = self.response.len();
        self.response.extend_from_slice(&line);
        let literal = match !begins || has_literals(&line) {
            true => literal_of(&line).map_err(|error| error.moved(before)),
            false => Ok(None),
        };
        if let Some(Announced { length, .. }) = literal.map_err(ClientError::Malformed)? {
            let limit = MAX_IMAP_LITERAL_BYTES;
            if length > limit {
                let kind = ErrorKind::Limit { limit };
                return Err(malformed(kind, "literal", self.response.len()));
            }
            self.response.extend_from_slice(b"\r\n");
            self.literal = length;
            let limit = MAX_IMAP_RESPONSE_BYTES;
            if self.response.len().saturating_add(length) > limit {
                let kind = ErrorKind::Limit { limit };
                return Err(malformed(kind, "response", self.response.len()));
            }
            return Ok(None);
        }
        Ok(Some(core::mem::take(&mut self.response)))
    }
}

/// Returns the literal that the end of a line of a response announces.
fn literal_of(line: &[u8]) -> Result<Option<Announced>, ParseError> {
    // Octets that are not UTF-8 are not part of the announcement of a literal.
    let line = String::from_utf8_lossy(line);
    let (literal, _) = rules::prefix(&line, "response", announced_at_end)?;
    Ok(literal)
}

/// Returns `true` if a response that begins like this can have literals: responses with text for people cannot.
pub(crate) fn has_literals(line: &[u8]) -> bool {
    let mut words = line.splitn(3, |octet| *octet == b' ');
    let first = words.next();
    let name = words.next().unwrap_or_default();
    let text = [&b"OK"[..], b"NO", b"BAD", b"BYE", b"PREAUTH"];
    first == Some(b"*") && !text.iter().any(|it| name.eq_ignore_ascii_case(it))
}
