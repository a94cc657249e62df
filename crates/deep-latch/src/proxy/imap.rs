//! A connection through a proxy that ends TLS, draft-newman-email-deep-02 section 7.1, `tls`: what the client
//! says comes to the server as commands that both read alike, and no `tls` of the client is among them.

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

/// The longest line of a client that is brought to the server, in bytes with CRLF. Literals are longer.
pub const MAX_PROXY_COMMAND_BYTES: usize = 65_536;

/// The longest line of a server that is brought to the client, in bytes with CRLF. Literals are longer.
pub const MAX_PROXY_RESPONSE_BYTES: usize = 1_048_576;

/// How many octets of a client may wait before [`ImapProxy::may_receive`] says no.
const MAX_WAITING_BYTES: usize = 65_536;

/// Commands that would change how the server reads what follows, so that nobody in between could read it.
const REFUSED: &[&str] = &["COMPRESS", "STARTTLS"];

/// What stands between an IMAP client over TLS and a server in clear "over a fully private secure network"
/// (section 7.1): it adds the `tls` of the client's connection to ID, and lets no client add another.
///
/// What a client sends means to the server what the proxy took it for, since
/// - the proxy reads the grammar strictly and answers what is not of it with `BAD` itself;
/// - one command is with the server at a time, and the next is sent when that is answered;
/// - the octets of a literal are sent when the server has asked for them. It comes to the server as one that
///   waits, also where the client's does not, so the server need not have LITERAL+ (RFC 7888);
/// - a line of the client that is no command is sent when the server has asked for it (`+`), and only if it is
///   base64, `*` or `DONE`;
/// - STARTTLS and COMPRESS are refused.
///
/// It does no I/O: octets of both sides go in, and octets for both come out.
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
    /// The tag of the command that the server has.
    tag: Vec<u8>,
    /// An ID command as far as it has come.
    id: Option<Vec<u8>>,
    for_client: Vec<u8>,
    for_server: Vec<u8>,
    failed: Option<ParseError>,
}

/// Whose turn it is.
#[derive(Clone, Debug)]
enum Turn {
    /// The client's: a command is due.
    Command,
    /// The server's: it is to ask for the octets of a literal, or to refuse the command.
    Literal(Announced),
    /// The client's: the octets of a literal that the server asked for, and the rest of the command.
    Rest,
    /// The server's: it is to ask for the next of these parts of ID, or to refuse the command.
    Parts(VecDeque<Vec<u8>>),
    /// The server's: it has the whole command.
    Answer {
        /// It may ask for lines of the client.
        asks: bool,
    },
    /// The client's: a line that the server asked for.
    Line,
    /// The client's, which sends the rest of a command that the server refused without waiting.
    Refused,
}

impl ImapProxy {
    /// Creates the proxy of a connection. `tls` is the cipher suite of the client's TLS connection; nothing if
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
    /// When the octets are too many for a line, or end a command that the server has a part of otherwise than
    /// the grammar does. Close both connections.
    pub fn client_sent(&mut self, octets: &[u8]) -> Result<(), ParseError> {
        self.client.receive(octets);
        self.go_on()
    }

    /// Takes octets of the server.
    ///
    /// # Errors
    /// When the octets are not responses, or as [`client_sent`](Self::client_sent). Close both connections.
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

    /// Returns `true` if the client's octets should be read: not too many wait for the server's answers.
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
                    // The client sends what it has announced all the same.
                    Turn::Literal(literal) if !literal.waits => Turn::Refused,
                    Turn::Literal(_) => {
                        self.client.abandon();
                        Turn::Command
                    }
                    // Whether it reads the rest of the command as such is not known.
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
                    // What it would read next is not known.
                    _ => return Err(unexpected("continue-req")),
                };
            }
            if forwards {
                self.for_client.extend_from_slice(line);
            }
            // The client's octets mean what they mean after this response.
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
                // The server has nothing of it.
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
                // The client was to send a line, and sends a command.
                (Turn::Line, _) => return Err(unexpected("base64")),
                (Turn::Refused, Piece::Text { literal: None, .. }) => self.turn = Turn::Command,
                // The client knows by now that it is refused.
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
                (_, Piece::Line(_)) => self.for_client.extend_from_slice(b"* BAD no command\r\n"),
                (_, Piece::Waiting) => self.for_client.extend_from_slice(b"+ go on\r\n"),
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
                            let answer = format!("{} NO not through this proxy\r\n", head.tag);
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
            // It was read as ID a piece at a time.
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

/// A part of a command, with its literal as one that waits.
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

/// Whether a response completes the command with this tag.
fn is_tagged(line: &[u8], tag: &[u8]) -> bool {
    let rest = line.strip_prefix(tag);
    !tag.is_empty() && rest.is_some_and(|rest| rest.first() == Some(&b' '))
}

/// What a server sent: lines with their CRLF, and the octets of literals between them.
enum Response<'a> {
    Line(&'a [u8]),
    Octets(&'a [u8]),
}

/// Reads responses a line at a time.
#[derive(Clone, Debug, Default)]
struct Responses {
    input: Vec<u8>,
    taken: usize,
    scanned: usize,
    /// How much of a literal is to come.
    literal: usize,
    /// The line goes on behind a literal.
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
