//! Replies of a backend, which are passed on only when they are complete.

use deep_latch::smtp::{MAX_SMTP_LINE_BYTES, MAX_SMTP_LINES, ReplyLine};

use crate::{
    dialogue::lines::Lines,
    gateway::{GatewayError, GatewayErrorKind, Side},
};

const FIELD: &str = "Reply-line";

/// A reader of replies.
#[derive(Debug, Default)]
pub(super) struct Replies {
    lines: Lines,
    /// The lines of the reply that is not complete.
    begun: Option<Reply>,
}

/// A reply: its code, and the text of each line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) texts: Vec<Vec<u8>>,
    /// `true` if the last line is a code alone, without a space.
    is_bare: bool,
}

impl Replies {
    pub(super) fn extend(&mut self, octets: &[u8]) {
        self.lines.extend(octets);
    }

    /// Returns the next complete reply.
    pub(super) fn next_reply(&mut self) -> Result<Option<Reply>, GatewayError> {
        let error = |kind, at| Err(GatewayError::new(Side::Backend, kind, FIELD, at));
        loop {
            let Some(line) = self.lines.next_line() else {
                if self.lines.unread().len() > MAX_SMTP_LINE_BYTES {
                    return error(GatewayErrorKind::TooLong, MAX_SMTP_LINE_BYTES);
                }
                return match self.lines.has_bad_octet() {
                    true => error(GatewayErrorKind::Octet, 0),
                    false => Ok(None),
                };
            };
            if line.len() > MAX_SMTP_LINE_BYTES {
                return error(GatewayErrorKind::TooLong, MAX_SMTP_LINE_BYTES);
            }
            let text = line.strip_suffix(b"\r\n").unwrap_or(line);
            let bad = |octet: &u8| matches!(octet, 0 | b'\r' | b'\n');
            if let Some(at) = text.iter().position(bad) {
                return error(GatewayErrorKind::Octet, at);
            }
            let read = ReplyLine::parse(text)
                .map_err(|error| GatewayError::of_side(Side::Backend, error))?;
            let mut reply = self.begun.take().unwrap_or(Reply {
                code: read.code(),
                texts: Vec::new(),
                is_bare: false,
            });
            if reply.code != read.code() {
                return error(GatewayErrorKind::Syntax, 0);
            }
            if reply.texts.len() >= MAX_SMTP_LINES {
                return error(GatewayErrorKind::TooLong, 0);
            }
            reply.texts.push(read.text().to_vec());
            reply.is_bare = text.len() == 3;
            if !read.has_more() {
                return Ok(Some(reply));
            }
            self.begun = Some(reply);
        }
    }
}

impl Reply {
    /// Writes the reply, each line with its CRLF.
    pub(super) fn write_to(&self, octets: &mut Vec<u8>) {
        let last = self.texts.len().saturating_sub(1);
        for (index, text) in self.texts.iter().enumerate() {
            octets.extend_from_slice(self.code.to_string().as_bytes());
            if index < last {
                octets.push(b'-');
            } else if !self.is_bare || !text.is_empty() {
                octets.push(b' ');
            }
            octets.extend_from_slice(text);
            octets.extend_from_slice(b"\r\n");
        }
    }
}
