//! The responses of a server, a line at a time, with the literals in them.

mod long_line;

use alloc::{string::String, vec::Vec};
use core::mem;

use self::long_line::LongLine;
use crate::{
    error::{ErrorKind, ParseError},
    imap::{begins_other_data, command::line_end, has_literals, string::announced_at_end},
    rules,
};

const FIELD: &str = "response";

/// The longest line of a server that the proxy reads as a whole, in bytes with CRLF. Literals may be longer, and so may
/// untagged responses that the proxy has no part in, such as the answer to SEARCH of a large mailbox.
pub const MAX_PROXY_RESPONSE_BYTES: usize = 1_048_576;

/// The length from which a line that the proxy has no part in is passed on as it comes.
const STREAMED_FROM: usize = 4_096;

/// A part of a server's octets: a line with its CRLF, a part of a long line, or octets of a literal.
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
    /// `true` if the response is one that the proxy has no part in, whatever its length.
    is_data: bool,
    /// The long line of which a part was returned.
    line: Option<LongLine>,
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

    /// Returns the next part. Long lines of data are returned in parts if `streams`.
    pub(super) fn next_part(&mut self, streams: bool) -> Result<Option<Part<'_>>, ParseError> {
        let begins = !self.within;
        if self.line.is_some() || self.is_long(streams) {
            self.within = true;
            return self.next_of_line(begins);
        }
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
        let end = line_end(rest, self.scanned);
        let known = text_length(rest, end);
        if begins {
            self.is_data = begins_other_data(rest.get(..known).unwrap_or_default());
        }
        let end = end.map_err(|at| ParseError::new(ErrorKind::Character, FIELD, at))?;
        let Some(end) = end else {
            self.scanned = known;
            limited(rest.len(), MAX_PROXY_RESPONSE_BYTES, FIELD)?;
            return Ok(None);
        };
        limited(end, MAX_PROXY_RESPONSE_BYTES, FIELD)?;
        self.scanned = 0;
        let after = end.saturating_add(2);
        self.taken = start.saturating_add(after);
        let octets = rest.get(..after).unwrap_or_default();
        let text = String::from_utf8_lossy(octets.get(..end).unwrap_or_default());
        let mut announced = None;
        if !begins || has_literals(text.as_bytes()) {
            (announced, _) = rules::prefix(&text, FIELD, announced_at_end)?;
        }
        self.literal = announced.map_or(0, |literal| literal.length);
        self.within = announced.is_some();
        Ok(Some(Part {
            octets,
            begins,
            ends: !self.within,
        }))
    }

    /// Begins a long line, if the next line is one that is passed on as it comes.
    fn is_long(&mut self, streams: bool) -> bool {
        let rest = self.input.get(self.taken..).unwrap_or_default();
        if !streams || self.literal > 0 || rest.len() < STREAMED_FROM {
            return false;
        }
        let known = text_length(rest, line_end(rest, self.scanned));
        // What was searched is not searched again.
        self.scanned = known;
        let begin = rest.get(..STREAMED_FROM).unwrap_or_default();
        let is_data = match self.within {
            true => self.is_data,
            false => begins_other_data(begin),
        };
        if known < STREAMED_FROM || !is_data {
            return false;
        }
        self.is_data = true;
        self.scanned = 0;
        self.line = Some(LongLine::default());
        true
    }

    /// Returns the next part of a long line: its text as far as it was received, and at last its CRLF.
    fn next_of_line(&mut self, begins: bool) -> Result<Option<Part<'_>>, ParseError> {
        let Some(line) = &mut self.line else {
            return Ok(None);
        };
        let start = self.taken;
        let rest = self.input.get(start..).unwrap_or_default();
        let end = line_end(rest, 0);
        let text = rest.get(..text_length(rest, end)).unwrap_or_default();
        let mut ends = false;
        let mut length = line.read(text);
        if length == 0 {
            let error = |kind, field| ParseError::new(kind, field, line.passed);
            match end {
                _ if !text.is_empty() => return Err(error(ErrorKind::Expected, "string")),
                Err(_) => return Err(error(ErrorKind::Character, FIELD)),
                Ok(None) => return Ok(None),
                Ok(Some(_)) => {}
            }
            let announced = line.end();
            let announced = announced.ok_or(error(ErrorKind::Expected, "string"))?;
            self.literal = announced.unwrap_or_default();
            self.within = announced.is_some();
            self.line = None;
            ends = !self.within;
            length = 2;
        }
        self.taken = start.saturating_add(length);
        Ok(Some(Part {
            octets: rest.get(..length).unwrap_or_default(),
            begins,
            ends,
        }))
    }
}

/// Returns the number of octets that are known to be the text of a line: up to its end, or up to an octet that no line has.
/// CR at the end may be the first half of CRLF.
fn text_length(octets: &[u8], end: Result<Option<usize>, usize>) -> usize {
    let half = usize::from(octets.ends_with(b"\r"));
    match end {
        Ok(Some(at)) | Err(at) => at,
        Ok(None) => octets.len().saturating_sub(half),
    }
}

pub(super) fn limited(length: usize, limit: usize, field: &'static str) -> Result<(), ParseError> {
    match length > limit {
        true => Err(ParseError::new(ErrorKind::Limit { limit }, field, limit)),
        false => Ok(()),
    }
}
