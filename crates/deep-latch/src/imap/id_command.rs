//! The ID command as a server or a proxy receives it, RFC 2971 and draft-newman-email-deep-02 section 7.1.

use crate::{
    error::{ErrorKind, ParseError},
    imap::{
        IdParameters,
        command::{CommandGrammar, Head, line_end},
    },
};

const COMMAND: &str = "command";

/// An ID command, RFC 2971 section 4.
///
/// ```abnf
/// id-command = tag SP "ID" SP id_params_list CRLF
/// ```
#[derive(Clone, Debug)]
pub struct IdCommand<'a> {
    tag: &'a str,
    start: &'a [u8],
    list: &'a [u8],
}

impl<'a> IdCommand<'a> {
    /// Parses a whole command, from its tag to its CRLF. Returns `None` for another command.
    ///
    /// # Errors
    /// Returns an error if the octets are not one command of the grammar that [`CommandReader`](super::CommandReader)
    /// reads, also if they are ID with spaces, tabs or other octets that the grammar does not have there. A proxy must not
    /// forward them: the server may find ID in them.
    pub fn parse(command: &'a [u8]) -> Result<Option<Self>, ParseError> {
        let line = complete(command)?;
        let Ok(head) = Head::parse(line) else {
            return Ok(None);
        };
        if !head.is("ID") {
            return Ok(None);
        }
        let separator = usize::from(!head.rest.is_empty());
        let length = line.len().saturating_sub(head.rest.len());
        let (start, list) = command
            .split_at_checked(length.saturating_add(separator))
            .unwrap_or((command, b""));
        let list = list.strip_suffix(b"\r\n").unwrap_or(list);
        let tag = head.tag;
        Ok(Some(Self { tag, start, list }))
    }

    /// Returns the command's tag, for the response.
    #[must_use]
    pub const fn tag(&self) -> &'a str {
        self.tag
    }

    /// Returns the octets of the argument.
    pub(crate) const fn list(&self) -> &'a [u8] {
        self.list
    }

    /// Parses the argument.
    ///
    /// # Errors
    /// Returns an error if the argument is not an `id_params_list`, which IMAP answers with BAD. The offset is that in
    /// the command.
    pub fn parameters(&self) -> Result<IdParameters<'a>, ParseError> {
        IdParameters::parse(self.list).map_err(|error| self.moved(error))
    }

    /// Returns an error in the argument as one in the command.
    pub(crate) const fn moved(&self, error: ParseError) -> ParseError {
        error.moved(self.start.len())
    }

    /// Returns the octets before the argument.
    pub(crate) const fn start(&self) -> &'a [u8] {
        self.start
    }
}

/// Checks that `command` is exactly one command, and returns its first line without its CRLF.
fn complete(command: &[u8]) -> Result<&str, ParseError> {
    let mut grammar = CommandGrammar::default();
    let mut first = None;
    let mut at = 0_usize;
    loop {
        let error = |kind, field, offset| Err(ParseError::new(kind, field, offset));
        let end = match line_end(command, at) {
            Ok(Some(end)) => end,
            Ok(None) => return error(ErrorKind::Expected, "CRLF", command.len()),
            Err(at) => return error(ErrorKind::Character, COMMAND, at),
        };
        let text = command.get(at..end).unwrap_or_default();
        let text = str::from_utf8(text).map_err(|error| {
            let at = at.saturating_add(error.valid_up_to());
            ParseError::new(ErrorKind::Character, COMMAND, at)
        })?;
        let literal = grammar.part(text).map_err(|error| error.moved(at))?;
        let line = *first.get_or_insert(text);
        at = end.saturating_add(2);
        let Some(literal) = literal else {
            return match command.len() == at {
                true => Ok(line),
                false => error(ErrorKind::Trailing, COMMAND, at),
            };
        };
        let rest = command.get(at..).unwrap_or_default();
        let Some(octets) = rest.get(..literal.length) else {
            return error(ErrorKind::Expected, "literal", command.len());
        };
        if let Some(nul) = octets.iter().position(|octet| *octet == 0)
            && !literal.may_have_nul
        {
            return error(ErrorKind::Character, "literal", at.saturating_add(nul));
        }
        at = at.saturating_add(literal.length);
    }
}
