//! IMAP connections through a proxy that ends TLS, draft-newman-email-deep-02 section 7.1, `tls`: the server gets the
//! client's octets as commands that proxy and server read alike, without any `tls` of the client.

mod commands;
mod replies;

use alloc::{boxed::Box, collections::VecDeque, format, string::String, vec::Vec};
use core::mem;

use super::{
    InboundTls,
    front::{Front, FrontRules, ProxyEvent, ProxySide},
    responses::Responses,
};
use crate::{
    cipher::TlsCipher,
    error::{ErrorKind, ParseError},
    imap::{reader::Pieces, string::Announced},
};

/// The longest line of a client that is forwarded, in bytes with CRLF. Literals may be longer.
pub const MAX_PROXY_COMMAND_BYTES: usize = 65_536;

/// The longest literal of a client that is forwarded, in bytes. Some servers count in 32 bits, and would read the octets after
/// the number without its upper bits as commands.
pub const MAX_PROXY_LITERAL_BYTES: usize = 2_147_483_647;

/// The number of waiting octets of a client from which [`ImapProxy::may_receive`] returns `false`: more than the longest
/// line, since nothing else ends a line that is too long.
const MAX_WAITING_BYTES: usize = MAX_PROXY_COMMAND_BYTES.saturating_add(1);

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
/// The server's untagged responses are limited if the proxy may have to read them: those with capabilities, ID or text for
/// people. Others are passed on as they come; before login, by the public side of a server, within the same limit.
///
/// [`ImapProxy::front`] creates a proxy that is also the public side of the server: it advertises DEEP in place of the
/// server, observes logins, and lets only the commands pass before login that it knows.
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
    front: Option<Box<Front>>,
    /// The command that is forwarded after the proxy's own.
    held: Option<Held>,
    /// The answer to ID that is expected, if the proxy has a part in it.
    answer: Option<IdAnswer>,
    /// `true` if the connection is a pipe.
    piped: bool,
    failed_side: ProxySide,
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
    /// The client: the rest of a command that was refused is expected, which the client sends without waiting.
    Refused,
    /// The client: a response of SASL EXTERNAL is expected, which the proxy asked for.
    External,
}

/// A command that waits for the answer to the proxy's own.
#[derive(Clone, Debug)]
enum Held {
    /// The first part of the client's command, up to a literal.
    Client {
        tag: Vec<u8>,
        text: String,
        literal: Option<Announced>,
        asks: bool,
    },
    /// The parts of a command of the proxy in place of the client's.
    Parts {
        tag: Vec<u8>,
        parts: VecDeque<Vec<u8>>,
    },
}

/// The state of the server's answer to ID.
#[derive(Clone, Debug, Default)]
struct IdAnswer {
    /// The untagged response as far as it was received.
    received: Option<Vec<u8>>,
    /// `true` if the client has the untagged response.
    given: bool,
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
            front: None,
            held: None,
            answer: None,
            piped: false,
            failed_side: ProxySide::Server,
            for_client: Vec::new(),
            for_server: Vec::new(),
            failed: None,
        }
    }

    /// Creates the proxy of a connection to a server whose public side the proxy is. A `tls` of the client is removed, and
    /// so are the fields by which proxies report a client's address.
    ///
    /// ```
    /// use deep_latch::proxy::{FrontRules, ImapProxy};
    ///
    /// let mut proxy = ImapProxy::front(None, FrontRules::default());
    /// proxy.server_sent(b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED AUTH=PLAIN] hi\r\n")?;
    /// assert_eq!(proxy.take_for_client(), b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n");
    /// proxy.client_sent(b"a SELECT INBOX\r\nb LOGIN alice secret\r\n")?;
    /// assert_eq!(proxy.take_for_client(), b"a BAD not available before login\r\n");
    /// assert_eq!(proxy.take_for_server(), b"b LOGIN alice secret\r\n");
    /// proxy.server_sent(b"b OK [CAPABILITY IMAP4rev1] logged in\r\n")?;
    /// assert!(proxy.is_pipe());
    /// # Ok::<(), deep_latch::ParseError>(())
    /// ```
    #[must_use]
    pub fn front(tls: Option<TlsCipher<'static>>, rules: FrontRules) -> Self {
        Self {
            front: Some(Box::new(Front::new(rules, tls.clone()))),
            ..Self::new(tls, InboundTls::Remove)
        }
    }

    /// Takes octets of the client.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Limit`] if a line is too long, and another kind if the rest of a command that the server has a
    /// part of does not follow the grammar. The caller closes both connections, after the client has received what is there
    /// for it: the public side of a server adds `* BYE` with the reason, unless a response is incomplete.
    pub fn client_sent(&mut self, octets: &[u8]) -> Result<(), ParseError> {
        if self.piped {
            self.for_server.extend_from_slice(octets);
            return Ok(());
        }
        if self.is_over() {
            return Ok(());
        }
        self.client.receive(octets);
        self.go_on()
    }

    /// Takes octets of the server.
    ///
    /// # Errors
    /// Returns an error if the octets are not responses, or an error of [`client_sent`](Self::client_sent). The caller
    /// closes both connections.
    pub fn server_sent(&mut self, octets: &[u8]) -> Result<(), ParseError> {
        if self.piped {
            self.for_client.extend_from_slice(octets);
            return Ok(());
        }
        if self.is_over() {
            return Ok(());
        }
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

    /// Returns `true` if the proxy needs more octets of the client to continue. After the client's end the caller closes the
    /// sending side to the server only then, and not while a command waits for the answer to the one before.
    #[must_use]
    pub fn awaits_client(&self) -> bool {
        self.piped || self.reads_client()
    }

    /// Returns the next event of a proxy that is the public side of a server.
    #[must_use]
    pub fn next_event(&mut self) -> Option<ProxyEvent> {
        self.front.as_mut()?.next_event()
    }

    /// Returns `true` if the connection became a pipe after login: the caller takes the octets for both sides and the
    /// events, and then copies octets without the proxy.
    #[must_use]
    pub const fn is_pipe(&self) -> bool {
        self.piped
    }

    /// Returns `true` if the connection has ended: the caller sends the octets for the client, and closes both connections.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.front.as_ref().is_some_and(|front| front.is_over())
    }

    /// Returns the side that caused the error, after one.
    #[must_use]
    pub const fn failed_side(&self) -> ProxySide {
        self.failed_side
    }

    /// Ends the connection because the server is not available. Before login the client receives `* BYE` with the code
    /// UNAVAILABLE (RFC 5530) and the text, unless it received one before; afterwards it receives no line. After an error
    /// nothing happens.
    pub fn server_failed(&mut self, text: &str) {
        if self.failed.is_some() {
            return;
        }
        self.piped = false;
        let front = self.front.as_ref();
        if front.is_some_and(|front| !front.is_authenticated()) {
            self.take_leave(&format!("[UNAVAILABLE] {text}"));
        }
        if let Some(front) = &mut self.front {
            front.end();
        }
    }

    fn go_on(&mut self) -> Result<(), ParseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let done = self.responses().and_then(|()| self.commands());
        if let Err(error) = done {
            self.failed = Some(error);
            match self.failed_side {
                ProxySide::Client => self.take_leave(&format!("{error}")),
                ProxySide::Server => {
                    self.take_leave("[UNAVAILABLE] the server cannot be understood")
                }
            }
        }
        done
    }

    /// Sends the client `* BYE`, if no response is incomplete.
    fn take_leave(&mut self, text: &str) {
        let may_speak = self.front.as_ref().is_some_and(|front| front.may_speak());
        if may_speak && !self.server.is_within() {
            let line = format!("* BYE {text}\r\n");
            self.for_client.extend_from_slice(line.as_bytes());
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

const fn unexpected(field: &'static str) -> ParseError {
    ParseError::new(ErrorKind::Expected, field, 0)
}
