//! Lines of responses.

use alloc::vec::Vec;
use core::mem;

use super::ClientError;
use crate::error::{ErrorKind, ParseError};

/// A reader of lines that end with CR LF.
#[derive(Clone, Debug, Default)]
pub(crate) struct LineReader {
    line: Vec<u8>,
}

impl LineReader {
    /// Takes one octet. Returns the line, without CR LF, once it is complete.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Limit`] for a line of more than `limit` bytes with CR LF, and [`ErrorKind::Character`]
    /// for a CR, LF or NUL within it.
    pub(crate) fn push(
        &mut self,
        octet: u8,
        field: &'static str,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, ClientError> {
        let offset = self.line.len();
        let refuse =
            |kind, offset| Err(ClientError::Malformed(ParseError::new(kind, field, offset)));
        if offset >= limit {
            return refuse(ErrorKind::Limit { limit }, offset);
        }
        match (self.line.last(), octet) {
            (Some(b'\r'), b'\n') => {
                self.line.pop();
                return Ok(Some(mem::take(&mut self.line)));
            }
            (Some(b'\r'), _) => return refuse(ErrorKind::Character, offset.saturating_sub(1)),
            (_, b'\n' | 0) => return refuse(ErrorKind::Character, offset),
            _ => self.line.push(octet),
        }
        Ok(None)
    }
}
