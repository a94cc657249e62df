//! The responses of a server, a line at a time, with the literals in them.

use alloc::{string::String, vec::Vec};
use core::mem;

use crate::{
    error::{ErrorKind, ParseError},
    imap::{command::line_end, has_literals, string::announced_at_end},
    rules,
};

/// The longest line of a server that is forwarded, in bytes with CRLF. Literals may be longer.
pub const MAX_PROXY_RESPONSE_BYTES: usize = 1_048_576;

/// A part of a server's octets: a line with its CRLF, or octets of a literal.
pub(super) struct Part<'a> {
    pub(super) octets: &'a [u8],
    /// `true` if a response begins here.
    pub(super) begins: bool,
    /// `true` if the response ends here.
    pub(super) ends: bool,
}

/// A reader of responses.
#[derive(Clone, Debug, Default)]
pub(super) struct Responses {
    input: Vec<u8>,
    taken: usize,
    scanned: usize,
    /// The number of octets of a literal that were not received yet.
    literal: usize,
    /// `true` if the response continues with a line after a literal.
    within: bool,
}

impl Responses {
    pub(super) fn receive(&mut self, octets: &[u8]) {
        self.input.drain(..self.taken);
        self.taken = 0;
        self.input.extend_from_slice(octets);
    }

    /// Returns `true` if a part of a response was returned, and its end was not.
    pub(super) const fn is_within(&self) -> bool {
        self.within
    }

    /// Takes the octets that were received and not returned.
    pub(super) fn take_rest(&mut self) -> Vec<u8> {
        let Self {
            mut input, taken, ..
        } = mem::take(self);
        input.drain(..taken);
        input
    }

    pub(super) fn next_part(&mut self) -> Result<Option<Part<'_>>, ParseError> {
        const FIELD: &str = "response";
        let start = self.taken;
        let rest = self.input.get(start..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        if self.literal > 0 {
            let octets = rest.get(..self.literal).unwrap_or(rest);
            self.literal = self.literal.saturating_sub(octets.len());
            self.taken = start.saturating_add(octets.len());
            return Ok(Some(Part {
                octets,
                begins: false,
                ends: false,
            }));
        }
        let end = line_end(rest, self.scanned)
            .map_err(|at| ParseError::new(ErrorKind::Character, FIELD, at))?;
        let Some(end) = end else {
            let half = usize::from(rest.ends_with(b"\r"));
            self.scanned = rest.len().saturating_sub(half);
            limited(rest.len(), MAX_PROXY_RESPONSE_BYTES, FIELD)?;
            return Ok(None);
        };
        limited(end, MAX_PROXY_RESPONSE_BYTES, FIELD)?;
        self.scanned = 0;
        let after = end.saturating_add(2);
        self.taken = start.saturating_add(after);
        let octets = rest.get(..after).unwrap_or_default();
        let text = String::from_utf8_lossy(octets.get(..end).unwrap_or_default());
        let begins = !mem::take(&mut self.within);
        if !begins || has_literals(text.as_bytes()) {
            let (literal, _) = rules::prefix(&text, FIELD, announced_at_end)?;
            if let Some(literal) = literal {
                self.literal = literal.length;
                self.within = true;
            }
        }
        Ok(Some(Part {
            octets,
            begins,
            ends: !self.within,
        }))
    }
}

pub(super) fn limited(length: usize, limit: usize, field: &'static str) -> Result<(), ParseError> {
    match length > limit {
        true => Err(ParseError::new(ErrorKind::Limit { limit }, field, limit)),
        false => Ok(()),
    }
}
