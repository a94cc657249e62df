//! IMAP connections through a proxy that ends TLS, draft-newman-email-deep-02 section 7.1, `tls`: the server gets the
//! client's octets as commands that proxy and server read alike, without any `tls` of the client.

use alloc::{collections::VecDeque, format, string::String, vec::Vec};
use core::mem;

use crate::{
    cipher::TlsCipher,
    error::{ErrorKind, ParseError},
    imap::{
        IdCommand, MAX_ID_COMMAND_BYTES, MAX_ID_VALUE_BYTES,
        command::{Head, line_end},
        has_literals,
        reader::{Piece, Pieces},
        string::{Announced, announced_at_end},
    },
    proxy::{Forwarded, InboundTls},
};

/// The longest line of a client that is forwarded, in bytes with CRLF. Literals may be longer.
pub const MAX_PROXY_COMMAND_BYTES: usize = 65_536;

/// The longest line of a server that is forwarded, in bytes with CRLF. Literals may be longer.
pub const MAX_PROXY_RESPONSE_BYTES: usize = 1_048_576;

/// The number of waiting octets of a client from which [`ImapProxy::may_receive`] returns `false`.
const MAX_WAITING_BYTES: usize = 65_536;

/// Commands that would change the encoding of the connection, so that the proxy could not read it any more.
const REFUSED: &[&str] = &["COMPRESS", "STARTTLS"];

/// A proxy between an IMAP client over TLS and a server in clear "over a fully private secure network" (section 7.1). The
/// proxy adds the `tls` of the client's connection to ID, and prevents clients from adding another.
///
/// Proxy and server read the client's octets alike, because
/// - the proxy parses the grammar strictly, and answers octets that do not follow it with `BAD` itself;
/// - the server has one command at a time, and gets the next one after it has answered;
/// - the server gets the octets of a literal after it has asked for them. Each literal is forwarded as one that waits,
///   also if the client's does not, so that the server need not support LITERAL+ (RFC 7888);
/// - a line of the client that is not a command is sent after the server has asked for it (`+`), and only if it is base64,
///   `*` or `DONE`;
/// - STARTTLS and COMPRESS are refused.
///
/// The proxy does no I/O: the caller feeds the octets of both sides in, and takes the octets for both sides out.
///
/// ```
/// use deep_latch::{TlsCipher, proxy::{ImapProxy, InboundTls}};
///
/// let cipher = TlsCipher::of_suite(0x1301);
/// let mut proxy = ImapProxy::new(Some(cipher), InboundTls::Remove);
/// proxy.server_sent(b"* OK hi\r\n")?;
/// assert_eq!(proxy.take_for_client(), b"* OK hi\r\n");
/// proxy.client_sent(b"a NOOP\r\nb ID (\"tls\" \"A_LIE\")\r\n")?;
/// assert_eq!(proxy.take_for_server(), b"a NOOP\r\n");
/// proxy.server_sent(b"a OK done\r\n")?;
/// assert_eq!(proxy.take_for_server(), b"b ID (\"tls\" \"TLS_AES_128_GCM_SHA256\")\r\n");
/// # Ok::<(), deep_latch::ParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImapProxy {
    tls: Option<TlsCipher<'static>>,
    inbound: InboundTls,
    client: Pieces,
    server: Responses,
    turn: Turn,
    /// The tag of the command that the server is processing.
    tag: Vec<u8>,
    /// The received part of an ID command.
    id: Option<Vec<u8>>,
    for_client: Vec<u8>,
    for_server: Vec<u8>,
    failed: Option<ParseError>,
}

/// The side that has to send next.
#[derive(Clone, Debug)]
enum Turn {
    /// The client: a command is expected.
    Command,
    /// The server: a request for the octets of a literal, or a refusal of the command, is expected.
    Literal(Announced),
    /// The client: the octets of a literal that the server asked for, and the rest of the command, are expected.
    Rest,
    /// The server: a request for the next of these parts of ID, or a refusal of the command, is expected.
    Parts(VecDeque<Vec<u8>>),
    /// The server: the answer to the command is expected.
    Answer {
        /// `true` if the server may ask for lines of the client.
        asks: bool,
    },
    /// The client: a line that the server asked for is expected.
    Line,
    /// The client: the rest of a command that the server refused is expected, which the client sends without waiting.
    Refused,
}

impl ImapProxy {
    /// Creates the proxy of a connection. `tls` is the cipher suite of the client's TLS connection, or `None` if
    /// that is in clear.
    #[must_use]
    pub fn new(tls: Option<TlsCipher<'static>>, inbound: InboundTls) -> Self {
        Self {
            tls,
            inbound,
            client: Pieces::default(),
            server: Responses::default(),
            turn: Turn::Command,
            tag: Vec::new(),
            id: None,
            for_client: Vec::new(),
            for_server: Vec::new(),
            failed: None,
        }
    }

    /// Takes octets of the client.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Limit`] if a line is too long, and another kind if the rest of a command that the server has a
    /// part of does not follow the grammar. The caller closes both connections.
    pub fn client_sent(&mut self, octets: &[u8]) -> Result<(), ParseError> {
        self.client.receive(octets);
        self.go_on()
    }

    /// Takes octets of the server.
    ///
    /// # Errors
    /// Returns an error if the octets are not responses, or an error of [`client_sent`](Self::client_sent). The caller
    /// closes both connections.
    pub fn server_sent(&mut self, octets: &[u8]) -> Result<(), ParseError> {
        self.server.receive(octets);
        self.go_on()
    }

    /// Returns the octets to be sent to the server.
    #[must_use]
    pub fn take_for_server(&mut self) -> Vec<u8> {
        mem::take(&mut self.for_server)
    }

    /// Returns the octets to be sent to the client.
    #[must_use]
    pub fn take_for_client(&mut self) -> Vec<u8> {
        mem::take(&mut self.for_client)
    }

    /// Returns `true` if the client's octets should be read: few enough wait for the server's answers.
    #[must_use]
    pub fn may_receive(&self) -> bool {
        self.client.waiting() < MAX_WAITING_BYTES
    }

    fn go_on(&mut self) -> Result<(), ParseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let done = self.responses().and_then(|()| self.commands());
        if let Err(error) = done {
            self.failed = Some(error);
        }
        done
    }

    fn responses(&mut self) -> Result<(), ParseError> {
        while let Some(response) = self.server.next_response()? {
            let line = match response {
                Response::Line(line) => line,
                Response::Octets(octets) => {
                    self.for_client.extend_from_slice(octets);
                    continue;
                }
            };
            let mut forwards = true;
            if is_tagged(line, &self.tag) {
                self.turn = match mem::replace(&mut self.turn, Turn::Command) {
                    // The client sends the announced literal in any case.
                    Turn::Literal(literal) if !literal.waits => Turn::Refused,
                    Turn::Literal(_) => {
                        self.client.abandon();
                        Turn::Command
                    }
                    // It is not known whether the server reads the rest of the command as such.
                    Turn::Rest => return Err(unexpected("response-tagged")),
                    Turn::Refused => Turn::Refused,
                    _ => Turn::Command,
                };
            } else if line.first() == Some(&b'+') {
                (self.turn, forwards) = match mem::replace(&mut self.turn, Turn::Command) {
                    Turn::Literal(literal) => (Turn::Rest, literal.waits),
                    Turn::Parts(mut parts) => {
                        self.for_server
                            .extend(parts.pop_front().unwrap_or_default());
                        let turn = match parts.is_empty() {
                            true => Turn::Answer { asks: false },
                            false => Turn::Parts(parts),
                        };
                        (turn, false)
                    }
                    Turn::Answer { asks: true } => (Turn::Line, true),
                    // It is not known what the server would read next.
                    _ => return Err(unexpected("continue-req")),
                };
            }
            if forwards {
                self.for_client.extend_from_slice(line);
            }
            // The response decides the meaning of the client's octets.
            self.commands()?;
        }
        Ok(())
    }

    fn commands(&mut self) -> Result<(), ParseError> {
        while matches!(
            self.turn,
            Turn::Command | Turn::Rest | Turn::Line | Turn::Refused
        ) {
            let begins = matches!(self.turn, Turn::Command) && self.id.is_none();
            let piece = match self.client.next_piece(MAX_PROXY_COMMAND_BYTES) {
                Ok(Piece::None) => return Ok(()),
                Ok(piece) => piece,
                // The server has no part of the command.
                Err(error) if matches!(self.turn, Turn::Command | Turn::Refused) => {
                    if matches!(error.kind(), ErrorKind::Limit { .. }) {
                        return Err(error);
                    }
                    let refused = matches!(self.turn, Turn::Refused);
                    self.turn = Turn::Command;
                    self.id = None;
                    if !refused {
                        let tag = self.client.tag().unwrap_or("*");
                        let answer = format!("{tag} BAD {error}\r\n");
                        self.for_client.extend_from_slice(answer.as_bytes());
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            match (&mut self.turn, piece) {
                (Turn::Line, Piece::Line(line)) => {
                    self.for_server.extend_from_slice(line.as_bytes());
                    self.for_server.extend_from_slice(b"\r\n");
                    self.turn = Turn::Answer { asks: true };
                }
                // A line is expected, not a command.
                (Turn::Line, _) => return Err(unexpected("base64")),
                (Turn::Refused, Piece::Text { literal: None, .. }) => self.turn = Turn::Command,
                // The client has received the refusal.
                (Turn::Refused, Piece::Waiting) => {
                    self.client.abandon();
                    self.turn = Turn::Command;
                }
                (Turn::Refused, _) => {}
                (Turn::Rest, Piece::Literal(octets)) => self.for_server.extend_from_slice(octets),
                (Turn::Rest, Piece::Text { text, literal, .. }) => {
                    self.turn = forward_text(&mut self.for_server, text, literal, false);
                }
                // The server's own request was forwarded.
                (Turn::Rest, _) => {}
                (_, Piece::Line(_)) => self
                    .for_client
                    .extend_from_slice(b"* BAD not a command\r\n"),
                (_, Piece::Waiting) => self.for_client.extend_from_slice(b"+ ready\r\n"),
                (_, Piece::Literal(octets)) => {
                    if let Some(id) = &mut self.id {
                        id.extend_from_slice(octets);
                    }
                }
                (_, Piece::Text { text, literal, .. }) => {
                    if begins {
                        let head = Head::parse(text)?;
                        self.tag = head.tag.into();
                        if REFUSED.iter().any(|name| head.is(name)) {
                            let answer =
                                format!("{} NO not available through this proxy\r\n", head.tag);
                            self.for_client.extend_from_slice(answer.as_bytes());
                            continue;
                        }
                        if !head.is("ID") {
                            let asks = ["AUTHENTICATE", "IDLE"].iter().any(|name| head.is(name));
                            self.turn = forward_text(&mut self.for_server, text, literal, asks);
                            continue;
                        }
                    }
                    let mut id = self.id.take().unwrap_or_default();
                    id.extend_from_slice(text.as_bytes());
                    id.extend_from_slice(b"\r\n");
                    let length = literal.map_or(0, |literal| literal.length);
                    limited(length, MAX_ID_VALUE_BYTES, "literal")?;
                    limited(
                        id.len().saturating_add(length),
                        MAX_ID_COMMAND_BYTES,
                        "command",
                    )?;
                    match literal {
                        Some(_) => self.id = Some(id),
                        None => self.forward_id(&id),
                    }
                }
                (_, Piece::None) => {}
            }
        }
        Ok(())
    }

    fn forward_id(&mut self, command: &[u8]) {
        let forwarded = match IdCommand::parse(command) {
            Ok(Some(command)) => Forwarded::of_id(&command, self.tls.as_ref(), self.inbound)
                .map_err(|error| format!("{} BAD ID: {error}\r\n", command.tag())),
            // The pieces were parsed as ID before.
            Ok(None) => Err(String::from("* BAD ID\r\n")),
            Err(error) => Err(format!(
                "{} BAD {error}\r\n",
                self.client.tag().unwrap_or("*")
            )),
        };
        match forwarded {
            Ok(forwarded) => {
                let mut parts = forwarded.parts().map(<[u8]>::to_vec);
                self.for_server.extend(parts.next().unwrap_or_default());
                let parts: VecDeque<_> = parts.collect();
                self.turn = match parts.is_empty() {
                    true => Turn::Answer { asks: false },
                    false => Turn::Parts(parts),
                };
            }
            Err(answer) => self.for_client.extend_from_slice(answer.as_bytes()),
        }
    }
}

/// Forwards a part of a command, with its literal as one that waits.
fn forward_text(
    for_server: &mut Vec<u8>,
    text: &str,
    literal: Option<Announced>,
    asks: bool,
) -> Turn {
    let Some(literal) = literal else {
        for_server.extend_from_slice(text.as_bytes());
        for_server.extend_from_slice(b"\r\n");
        return Turn::Answer { asks };
    };
    let brace = text.rfind('{').unwrap_or(text.len());
    for_server.extend_from_slice(text.get(..brace).unwrap_or(text).as_bytes());
    for_server.extend_from_slice(format!("{{{}}}\r\n", literal.length).as_bytes());
    Turn::Literal(literal)
}

fn limited(length: usize, limit: usize, field: &'static str) -> Result<(), ParseError> {
    match length > limit {
        true => Err(ParseError::new(ErrorKind::Limit { limit }, field, limit)),
        false => Ok(()),
    }
}

const fn unexpected(field: &'static str) -> ParseError {
    ParseError::new(ErrorKind::Expected, field, 0)
}

/// Returns `true` if a response completes the command with this tag.
fn is_tagged(line: &[u8], tag: &[u8]) -> bool {
    let rest = line.strip_prefix(tag);
    !tag.is_empty() && rest.is_some_and(|rest| rest.first() == Some(&b' '))
}

/// A part of a server's octets: a line with its CRLF, or the octets of a literal or of the lines after it.
enum Response<'a> {
    Line(&'a [u8]),
    Octets(&'a [u8]),
}

/// A reader of responses, a line at a time.
#[derive(Clone, Debug, Default)]
struct Responses {
    input: Vec<u8>,
    taken: usize,
    scanned: usize,
    /// The number of octets of a literal that were not received yet.
    literal: usize,
    /// `true` if the line continues after a literal.
    within: bool,
}

impl Responses {
    fn receive(&mut self, octets: &[u8]) {
        self.input.drain(..self.taken);
        self.taken = 0;
        self.input.extend_from_slice(octets);
    }

    fn next_response(&mut self) -> Result<Option<Response<'_>>, ParseError> {
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
            return Ok(Some(Response::Octets(octets)));
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
        let line = rest.get(..after).unwrap_or_default();
        let text = String::from_utf8_lossy(line.get(..end).unwrap_or_default());
        let first = !mem::take(&mut self.within);
        if !first || has_literals(text.as_bytes()) {
            let (literal, _) = crate::rules::prefix(&text, FIELD, announced_at_end)?;
            if let Some(literal) = literal {
                self.literal = literal.length;
                self.within = true;
            }
        }
        Ok(Some(match first {
            true => Response::Line(line),
            false => Response::Octets(line),
        }))
    }
}
