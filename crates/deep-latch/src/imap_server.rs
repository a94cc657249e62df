//! The ID command as a server receives it, draft-newman-email-deep-02 section 7.1 and RFC 2971: found in the
//! octets of a connection, with its literals, and taken apart.

use crate::{
    error::{ErrorKind, ParseError},
    imap::{IdParameters, MAX_ID_VALUE_BYTES},
};

/// The longest command that is waited for, in bytes. RFC 2971 allows 30 pairs of 30 and 1024 octets in ID,
/// which are less than 33 000.
pub const MAX_ID_COMMAND_BYTES: usize = 40_000;

/// What the octets that a client has sent so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Received<'a> {
    /// Not yet a command: read more.
    Incomplete,
    /// The client waits for `+` (a command continuation request, RFC 3501 section 7.5) before it sends a
    /// literal: write one, and read more.
    Continue,
    /// A command, and what follows it.
    Command {
        /// The command, with its literals and its CRLF.
        command: &'a [u8],
        /// What the client sent behind it already.
        rest: &'a [u8],
    },
}

/// Finds the first command in what a client has sent: a line, and the literals in it (RFC 3501 section 4.3,
/// RFC 7888), which may be of [`MAX_ID_VALUE_BYTES`] each. For servers that have no reader of commands of
/// their own; it is for ID, and commands that carry messages are longer.
///
/// Ask again only when more has come: [`Received::Continue`] stands for one continuation request.
///
/// ```
/// use deep_latch::{Received, receive_command};
///
/// assert_eq!(receive_command(b"a001 ID ({4}\r\n")?, Received::Continue);
/// let octets = b"a001 ID ({4}\r\nname NIL)\r\na002 NOOP\r\n";
/// let (command, rest) = octets.split_at(octets.len() - 11);
/// assert_eq!(receive_command(octets)?, Received::Command { command, rest });
/// # Ok::<(), deep_latch::ParseError>(())
/// ```
///
/// # Errors
/// When a literal or the command is longer than is allowed. Then the server cannot tell where the next
/// command begins, and closes the connection.
pub fn receive_command(octets: &[u8]) -> Result<Received<'_>, ParseError> {
    let mut at = 0_usize;
    loop {
        let rest = octets.get(at..).unwrap_or_default();
        let Some(length) = rest.windows(2).position(|two| two == b"\r\n") else {
            return match octets.len() > MAX_ID_COMMAND_BYTES {
                true => Err(too_long()),
                false => Ok(Received::Incomplete),
            };
        };
        let end = at.saturating_add(length).saturating_add(2);
        if end > MAX_ID_COMMAND_BYTES {
            return Err(too_long());
        }
        let line = rest.get(..length).unwrap_or_default();
        let Some((brace, length, waits)) = literal(line) else {
            let (command, rest) = octets.split_at_checked(end).unwrap_or((octets, b""));
            return Ok(Received::Command { command, rest });
        };
        if length > MAX_ID_VALUE_BYTES {
            let kind = ErrorKind::Limit {
                limit: MAX_ID_VALUE_BYTES,
            };
            return Err(ParseError::new(kind, "literal", at.saturating_add(brace)));
        }
        if octets.len() == end && waits {
            return Ok(Received::Continue);
        }
        at = end.saturating_add(length);
        if octets.len() < at {
            return Ok(Received::Incomplete);
        }
    }
}

fn too_long() -> ParseError {
    let limit = MAX_ID_COMMAND_BYTES;
    ParseError::new(ErrorKind::Limit { limit }, "command", limit)
}

/// The literal that a line ends with: where its brace is, how long it is, and whether the client waits.
fn literal(line: &[u8]) -> Option<(usize, usize, bool)> {
    let inner = line.strip_suffix(b"}")?;
    let brace = inner.iter().rposition(|octet| *octet == b'{')?;
    let inner = inner.get(brace..)?.strip_prefix(b"{")?;
    let (digits, waits) = match inner.strip_suffix(b"+") {
        Some(digits) => (digits, false),
        None => (inner, true),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // A number that does not fit is past the limit too.
    let digits = core::str::from_utf8(digits).ok()?;
    Some((brace, digits.parse().unwrap_or(usize::MAX), waits))
}

/// An ID command: `tag SP "ID" SP id_params_list CRLF`, RFC 2971 section 4.
#[derive(Clone, Debug)]
pub struct IdCommand<'a> {
    tag: &'a str,
    start: &'a [u8],
    list: &'a [u8],
}

impl<'a> IdCommand<'a> {
    /// Takes a whole command apart, from its tag to its CRLF. Nothing when it is another command.
    ///
    /// # Errors
    /// When it is no command, since its tag is none or there is no CRLF.
    pub fn parse(command: &'a [u8]) -> Result<Option<Self>, ParseError> {
        let expected = |field, offset| Err(ParseError::new(ErrorKind::Expected, field, offset));
        let Some(line) = command.strip_suffix(b"\r\n") else {
            return expected("CRLF", command.len());
        };
        let length = line.iter().position(|octet| !is_tag_char(*octet));
        let length = length.unwrap_or(line.len());
        let (tag, behind) = line.split_at_checked(length).unwrap_or((line, b""));
        let Some((tag, behind)) = core::str::from_utf8(tag)
            .ok()
            .filter(|tag| !tag.is_empty())
            .zip(behind.strip_prefix(b" "))
        else {
            return expected("tag", length);
        };
        let Some((name, list)) = behind.split_at_checked(2) else {
            return Ok(None);
        };
        let list = match list {
            _ if !name.eq_ignore_ascii_case(b"ID") => return Ok(None),
            b"" => b"",
            list => match list.strip_prefix(b" ") {
                Some(list) => list,
                None => return Ok(None),
            },
        };
        let start = line.len().saturating_sub(list.len());
        let start = line.get(..start).unwrap_or_default();
        Ok(Some(Self { tag, start, list }))
    }

    /// The command's tag, for the response.
    #[must_use]
    pub const fn tag(&self) -> &'a str {
        self.tag
    }

    /// The octets of its argument.
    pub(crate) const fn list(&self) -> &'a [u8] {
        self.list
    }

    /// Its argument.
    ///
    /// # Errors
    /// When it is no `id_params_list`, which IMAP answers with BAD. The offset is that in the command.
    pub fn parameters(&self) -> Result<IdParameters<'a>, ParseError> {
        IdParameters::parse(self.list).map_err(|error| self.moved(error))
    }

    /// An error in the argument, as one in the command.
    pub(crate) const fn moved(&self, error: ParseError) -> ParseError {
        error.moved(self.start.len())
    }

    /// What stands before the argument.
    pub(crate) const fn start(&self) -> &'a [u8] {
        self.start
    }
}

/// `tag = 1*<any ASTRING-CHAR except "+">`, RFC 3501 section 9
const fn is_tag_char(octet: u8) -> bool {
    octet.is_ascii_graphic()
        && !matches!(
            octet,
            b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b'+'
        )
}
