//! Commands as a server or a proxy receives them, draft-newman-email-deep-02 section 7.1, RFC 3501 and RFC 2971: a reader
//! that finds commands and their literals in the octets of a connection.

use alloc::{string::String, vec::Vec};
use core::ops::Range;

use crate::{
    error::{ErrorKind, ParseError},
    imap::{
        MAX_ID_VALUE_BYTES,
        command::{CommandGrammar, is_continuation, line_end, tag_of},
        string::Announced,
    },
};

/// The longest command that [`CommandReader::new`] waits for, in bytes. RFC 2971 allows 30 pairs of 30 and
/// 1024 octets in ID, which are less than 33 000.
pub const MAX_ID_COMMAND_BYTES: usize = 40_000;

const COMMAND: &str = "command";

/// The state of a connection's commands, as far as its octets were received.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Received<'a> {
    /// The next command is not complete: the caller reads more octets.
    Incomplete,
    /// The client waits for `+` (a command continuation request, RFC 3501 section 7.5) before it sends a literal: the
    /// caller sends one, and reads more octets.
    Continue,
    /// A command, with its literals and its CRLF.
    Command(&'a [u8]),
    /// A line that cannot be a command, with its CRLF: `DONE`, which ends IDLE, a response of AUTHENTICATE, or an empty
    /// line.
    Line(&'a [u8]),
}

/// A reader of the commands that a client sends: lines, and the literals in them (RFC 3501 section 4.3, RFC 7888). The
/// work is linear in the octets, whatever their division.
///
/// A literal is accepted only where the grammar has a string. A command whose arguments are not separated by
/// single spaces, or that has CR, LF or NUL where the grammar does not have them, is refused: another reader could find
/// other commands in it. After an error the reader continues after the next CRLF, except after [`ErrorKind::Limit`].
///
/// ```
/// use deep_latch::imap::{CommandReader, Received};
///
/// let mut reader = CommandReader::new();
/// reader.receive(b"a001 ID ({4}\r\n");
/// assert_eq!(reader.next_command()?, Received::Continue);
/// reader.receive(b"name NIL)\r\na002 NOOP\r\na003 NO");
/// let id = b"a001 ID ({4}\r\nname NIL)\r\n";
/// assert_eq!(reader.next_command()?, Received::Command(id));
/// assert_eq!(reader.next_command()?, Received::Command(b"a002 NOOP\r\n"));
/// assert_eq!(reader.next_command()?, Received::Incomplete);
/// # Ok::<(), deep_latch::ParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CommandReader {
    pieces: Pieces,
    max_command: usize,
    max_literal: usize,
    command: Vec<u8>,
    /// The command was returned, or refused: the next begins.
    over: bool,
    failed: Option<ParseError>,
}

impl Default for CommandReader {
    fn default() -> Self {
        Self::new()
    }
}

impl CommandReader {
    /// Creates a reader for commands up to [`MAX_ID_COMMAND_BYTES`] whose literals have up to
    /// [`MAX_ID_VALUE_BYTES`]. Commands that carry messages are longer.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limits(MAX_ID_COMMAND_BYTES, MAX_ID_VALUE_BYTES)
    }

    /// Creates a reader for commands of at most `max_command` bytes, with literals of at most `max_literal` bytes.
    #[must_use]
    pub fn with_limits(max_command: usize, max_literal: usize) -> Self {
        Self {
            pieces: Pieces::default(),
            max_command,
            max_literal,
            command: Vec::new(),
            over: false,
            failed: None,
        }
    }

    /// Takes octets of the client. The caller then calls [`next_command`](Self::next_command) until that returns
    /// [`Received::Incomplete`].
    pub fn receive(&mut self, octets: &[u8]) {
        self.pieces.receive(octets);
    }

    /// Returns the next command.
    ///
    /// # Errors
    /// Returns an error if the octets do not follow the grammar, and [`ErrorKind::Limit`] if a literal or the command
    /// exceeds its limit. Offsets are from the beginning of the command, whose tag [`tag`](Self::tag) returns.
    pub fn next_command(&mut self) -> Result<Received<'_>, ParseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if core::mem::take(&mut self.over) {
            self.command.clear();
        }
        loop {
            let left = self.max_command.saturating_sub(self.command.len());
            let piece = match self.pieces.next_piece(left) {
                Ok(piece) => piece,
                Err(error) => {
                    let before = self.command.len();
                    return Err(self.refuse(error.moved(before)));
                }
            };
            match piece {
                Piece::None => return Ok(Received::Incomplete),
                Piece::Waiting => return Ok(Received::Continue),
                Piece::Literal(octets) => self.command.extend_from_slice(octets),
                Piece::Line(line) => {
                    self.command.clear();
                    self.command.extend_from_slice(line.as_bytes());
                    self.command.extend_from_slice(b"\r\n");
                    self.over = true;
                    return Ok(Received::Line(&self.command));
                }
                Piece::Text { text, literal, .. } => {
                    self.command.extend_from_slice(text.as_bytes());
                    let end = self.command.len();
                    self.command.extend_from_slice(b"\r\n");
                    let Some(literal) = literal else {
                        self.over = true;
                        return Ok(Received::Command(&self.command));
                    };
                    let limit = self.max_literal;
                    if literal.length > limit {
                        let kind = ErrorKind::Limit { limit };
                        return Err(self.refuse(ParseError::new(kind, "literal", end)));
                    }
                    let limit = self.max_command;
                    if literal.length > limit.saturating_sub(self.command.len()) {
                        let kind = ErrorKind::Limit { limit };
                        return Err(self.refuse(ParseError::new(kind, COMMAND, limit)));
                    }
                }
            }
        }
    }

    /// Returns the tag of the command that is being read, or that was returned or refused last, for an
    /// answer of `BAD`.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.pieces.tag()
    }

    /// Returns the number of octets that were received and belong neither to a returned command nor to the part that was
    /// read of the next one. After STARTTLS the number must be 0: an attacker could have added octets.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.pieces.waiting()
    }

    fn refuse(&mut self, error: ParseError) -> ParseError {
        self.over = true;
        if matches!(error.kind(), ErrorKind::Limit { .. }) {
            let limit = self.max_command;
            let error = match error.field() {
                COMMAND => ParseError::new(ErrorKind::Limit { limit }, COMMAND, limit),
                _ => error,
            };
            self.failed = Some(error);
            return error;
        }
        error
    }
}

/// A part of a client's octets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// No more piece before more octets are received.
    None,
    /// No more piece before the client gets a continuation request.
    Waiting,
    /// A line that is not part of a command.
    Line(&'a str),
    /// The text of a command up to a literal, or to its end, without CRLF.
    Text {
        /// The text.
        text: &'a str,
        /// `true` if the text begins the command.
        first: bool,
        /// The literal that follows; `None` at the command's end.
        literal: Option<Announced>,
    },
    /// Octets of a literal.
    Literal(&'a [u8]),
}

/// Reads commands a piece at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pieces {
    input: Vec<u8>,
    /// The number of octets of the input that were taken, and the number of octets after them that were searched for the
    /// end of a line.
    taken: usize,
    scanned: usize,
    grammar: CommandGrammar,
    /// A command has begun.
    within: bool,
    literal: Option<Literal>,
    passed: usize,
    /// `true` if the refused text extends to the next CRLF.
    skipping: bool,
    /// `true` if lines are ASCII.
    ascii_only: bool,
    /// `true` if any literal may have NUL.
    nul_in_literals: bool,
    /// `true` if the last error was an octet that no line or literal has there, and not only an error of the grammar.
    bad_octet: bool,
    tag: Option<String>,
}

#[derive(Clone, Copy, Debug)]
struct Literal {
    left: usize,
    may_have_nul: bool,
    /// `true` if the client waits, and did not get a continuation request yet.
    waits: bool,
}

impl Pieces {
    pub(crate) fn receive(&mut self, octets: &[u8]) {
        self.input.drain(..self.taken);
        self.taken = 0;
        self.input.extend_from_slice(octets);
    }

    /// Sets the octets of lines: ASCII only, or UTF-8.
    pub(crate) const fn set_ascii_only(&mut self, ascii_only: bool) {
        self.ascii_only = ascii_only;
    }

    /// Permits NUL in all literals, and not only in those of RFC 3516: they are counted.
    pub(crate) const fn set_nul_in_literals(&mut self, nul_in_literals: bool) {
        self.nul_in_literals = nul_in_literals;
    }

    /// Returns the tag of the command that began last, if it has one.
    pub(crate) fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Returns the number of octets that were received and not taken.
    pub(crate) fn waiting(&self) -> usize {
        self.input.len().saturating_sub(self.taken)
    }

    /// Ends the command that is being read, with the rest of its literal: the client must not send that.
    pub(crate) fn abandon(&mut self) {
        self.literal = None;
        self.within = false;
    }

    /// Returns the next piece. A line may have `max_line` bytes with its CRLF. Offsets of errors are from the
    /// beginning of the piece.
    pub(crate) fn next_piece(&mut self, max_line: usize) -> Result<Piece<'_>, ParseError> {
        let Some(literal) = self.literal else {
            return self.line(max_line);
        };
        let waiting = self.waiting();
        if waiting == 0 {
            let waits = false;
            self.literal = Some(Literal { waits, ..literal });
            return Ok(match literal.waits {
                true => Piece::Waiting,
                false => Piece::None,
            });
        }
        if literal.left == 0 {
            self.literal = None;
            return self.line(max_line);
        }
        let mut length = literal.left.min(waiting);
        let octets = self.taken..self.taken.saturating_add(length);
        let nul = (self.input.get(octets))
            .filter(|_| !literal.may_have_nul)
            .and_then(|octets| octets.iter().position(|octet| *octet == 0));
        match nul {
            Some(0) => {
                self.skip();
                return Err(ParseError::new(ErrorKind::Character, "literal", 0));
            }
            // The octets before it belong to the literal, whatever their division.
            Some(at) => length = at,
            None => {}
        }
        let end = self.taken.saturating_add(length);
        let octets = self.taken..end;
        self.passed = self.passed.saturating_add(length);
        let left = literal.left.saturating_sub(length);
        self.literal = (left > 0).then_some(Literal {
            left,
            waits: false,
            ..literal
        });
        self.taken = end;
        Ok(Piece::Literal(self.input.get(octets).unwrap_or_default()))
    }

    /// Returns the number of octets of the last literal that were returned: errors in it are from its next octet.
    pub(crate) const fn passed(&self) -> usize {
        self.passed
    }

    fn line(&mut self, max_line: usize) -> Result<Piece<'_>, ParseError> {
        self.passed = 0;
        let Some(line) = self.whole_line(max_line)? else {
            return Ok(Piece::None);
        };
        let first = !core::mem::take(&mut self.within);
        let octets = self.input.get(line).unwrap_or_default();
        if first {
            self.tag = tag_of(octets).map(Into::into);
        }
        self.bad_octet = true;
        let text = text_of(octets, self.ascii_only)?;
        self.bad_octet = false;
        if first {
            self.grammar = CommandGrammar::default();
            if is_continuation(text) {
                return Ok(Piece::Line(text));
            }
        }
        let literal = self.grammar.part(text)?;
        self.within = literal.is_some();
        self.literal = literal.map(|literal| Literal {
            left: literal.length,
            may_have_nul: literal.may_have_nul || self.nul_in_literals,
            waits: literal.waits,
        });
        Ok(Piece::Text {
            text,
            first,
            literal,
        })
    }

    /// Returns the next line, without CRLF, where the server asked for one: no command begins there, whatever the line is.
    pub(crate) fn next_answer(&mut self, max_line: usize) -> Result<Option<&str>, ParseError> {
        let Some(line) = self.whole_line(max_line)? else {
            return Ok(None);
        };
        let octets = self.input.get(line).unwrap_or_default();
        text_of(octets, self.ascii_only).map(Some)
    }

    /// Takes the octets that were received and not taken.
    pub(crate) fn take_rest(&mut self) -> Vec<u8> {
        let Self {
            mut input, taken, ..
        } = core::mem::take(self);
        input.drain(..taken);
        input
    }

    /// Returns `true` if the last error was an octet that no line or literal has there: CR, LF, NUL, or one outside of
    /// ASCII or UTF-8.
    pub(crate) const fn has_bad_octet(&self) -> bool {
        self.bad_octet
    }

    /// Finds the next line. Returns the place of its text, which has no CR, LF and NUL.
    fn whole_line(&mut self, max_line: usize) -> Result<Option<Range<usize>>, ParseError> {
        let too_long = || {
            let kind = ErrorKind::Limit { limit: max_line };
            Err(ParseError::new(kind, COMMAND, max_line))
        };
        let start = loop {
            let rest = self.input.get(self.taken..).unwrap_or_default();
            match line_end(rest, self.scanned) {
                Ok(None) => {
                    // CR may be the first half of CRLF.
                    let half = usize::from(rest.ends_with(b"\r"));
                    self.scanned = rest.len().saturating_sub(half);
                    if self.skipping {
                        self.taken = self.taken.saturating_add(self.scanned);
                        self.scanned = 0;
                    } else if rest.len() > max_line {
                        return too_long();
                    }
                    return Ok(None);
                }
                Ok(Some(end)) => {
                    let start = self.taken;
                    self.taken = start.saturating_add(end).saturating_add(2);
                    self.scanned = 0;
                    if !core::mem::take(&mut self.skipping) {
                        break start;
                    }
                }
                Err(at) if self.skipping => self.scanned = at.saturating_add(1),
                Err(at) => {
                    if !self.within {
                        self.tag = tag_of(rest).map(Into::into);
                    }
                    self.skip();
                    return Err(ParseError::new(ErrorKind::Character, COMMAND, at));
                }
            }
        };
        if self.taken.saturating_sub(start) > max_line {
            return too_long();
        }
        Ok(Some(start..self.taken.saturating_sub(2)))
    }

    /// Ends the command that is being read, with the rest of its line.
    fn skip(&mut self) {
        self.abandon();
        self.skipping = true;
        self.bad_octet = true;
    }
}

fn text_of(octets: &[u8], ascii_only: bool) -> Result<&str, ParseError> {
    let error = |at| ParseError::new(ErrorKind::Character, COMMAND, at);
    match octets.iter().position(|octet| !octet.is_ascii()) {
        Some(at) if ascii_only => Err(error(at)),
        _ => str::from_utf8(octets).map_err(|it| error(it.valid_up_to())),
    }
}
