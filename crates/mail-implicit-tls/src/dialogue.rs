//! The dialogue from the server's greeting to the point where the client may log in: greeting, capabilities, and the
//! upgrade to TLS where the service is upgraded (draft-newman-email-deep-02 sections 4.1 to 4.3; RFC 2595, 3207, 3501).
//!
//! [`Dialogue`] does no I/O. The caller asks for [`Dialogue::demand`] and does what it demands, hands over what the
//! server sends with [`Dialogue::receive`], and says when TLS is established.

mod capabilities;
pub(crate) mod imap;
pub(crate) mod lines;
mod pop;
mod smtp;

use std::{collections::VecDeque, fmt};

pub use self::capabilities::Capabilities;
use self::lines::Lines;
use crate::service::{Protocol, Security, Service};

/// The greatest length of a line of the server, in octets. RFC 5321 section 4.5.3.1.5 has 512, RFC 2449 section 4 the
/// same; capability lines of IMAP are longer.
pub const MAX_LINE_BYTES: usize = 8192;

/// The greatest number of octets that the server may send before the client may log in.
pub const MAX_DIALOGUE_BYTES: usize = 65_536;

/// The greatest number of lines of one reply.
pub const MAX_REPLY_LINES: usize = 256;

/// The domain of `EHLO` unless the caller sets one: an address literal that says nothing about the client
/// (RFC 5321 section 4.1.4).
const EHLO: &str = "[127.0.0.1]";

/// The dialogue with one server.
#[derive(Debug)]
pub struct Dialogue {
    protocol: Protocol,
    security: Security,
    ehlo: String,
    needs_authentication: bool,
    encrypted: bool,
    buffer: Lines,
    received: usize,
    step: Step,
    demands: VecDeque<Demand>,
    lines: Vec<String>,
    greeting: Option<Greeting>,
    failed: Option<DialogueError>,
}

/// The reply that is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Greeting,
    Capabilities,
    Upgrade,
    /// The caller makes the TLS handshake.
    Handshake,
    Done,
}

/// The next action of the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Demand {
    /// Send these octets.
    Send(Vec<u8>),
    /// Receive octets and hand them over.
    Receive,
    /// Make the TLS handshake on the connection, then call [`Dialogue::encrypted`].
    StartTls,
    /// The client may log in, or use the connection as it is.
    Done(Box<Ready>),
}

/// The state of a connection on which the client may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The greeting. After `STARTTLS` it is the one that was sent in clear text.
    pub greeting: Greeting,
    /// The capabilities, as the server advertises them in the state that the connection has now.
    pub capabilities: Capabilities,
    /// Octets that the server sent after that and that belong to what the client does next.
    pub rest: Vec<u8>,
}

/// The greeting of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// `true` for `* PREAUTH`: the server accepts the client's certificate, and the connection is in the
    /// authenticated state (section 4.2).
    pub authenticated: bool,
    /// `true` if the greeting came within TLS. What came in clear text, such as an `[ALERT]` or the timestamp of
    /// APOP, may be another's.
    pub encrypted: bool,
    /// The lines, without line ends. They are the peer's octets: escape them before they are shown.
    pub lines: Vec<String>,
}

/// A reply by which a dialogue ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DialogueError {
    /// The server refuses the connection: `* BYE`, `-ERR`, 421, 554.
    Refused,
    /// A reply is not one that the protocol permits here.
    Unexpected,
    /// A line has NUL, a bare CR or a bare LF.
    Octet,
    /// A line, a reply or the whole dialogue is longer than the limits.
    TooLong,
    /// The server does not advertise `STARTTLS`.
    NoStartTls,
    /// The server refuses `STARTTLS`.
    StartTlsRefused,
    /// Octets followed the reply to `STARTTLS`, which an attacker may have put there.
    Injected,
    /// The greeting in clear text is `* PREAUTH`, which leaves no way to begin TLS.
    PreauthInClear,
    /// The server offers no authentication, which a submission server must (RFC 6409).
    NoAuthentication,
    /// The server closed the connection.
    Closed,
}

impl fmt::Display for DialogueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "the server refuses the connection",
            Self::Unexpected => "the server's reply is not one that the protocol permits",
            Self::Octet => "the server's reply has NUL or an incomplete line end",
            Self::TooLong => "the server's reply is longer than the limits",
            Self::NoStartTls => "the server does not offer STARTTLS",
            Self::StartTlsRefused => "the server refuses STARTTLS",
            Self::Injected => "data followed the server's reply to STARTTLS",
            Self::PreauthInClear => "the server claims that the client is logged in before TLS",
            Self::NoAuthentication => "the server offers no authentication",
            Self::Closed => "the server closed the connection before the client could log in",
        })
    }
}

impl std::error::Error for DialogueError {}

/// The tag of IMAP commands that are sent before `STARTTLS` and for it.
const CLEAR_TAG: &str = "c";

/// The tag of IMAP's `CAPABILITY` within TLS, and of it alone.
const TLS_TAG: &str = "t";

impl Dialogue {
    /// Returns the dialogue with a server of this service. For implicit TLS it begins after the handshake.
    #[must_use]
    pub fn new(service: Service) -> Self {
        Self {
            protocol: service.protocol,
            security: service.security,
            ehlo: EHLO.to_owned(),
            needs_authentication: service.protocol == Protocol::Submission,
            encrypted: service.security == Security::Implicit,
            buffer: Lines::default(),
            received: 0,
            step: Step::Greeting,
            demands: VecDeque::new(),
            lines: Vec::new(),
            greeting: None,
            failed: None,
        }
    }

    /// Returns the domain or address literal of `EHLO`.
    #[must_use]
    pub fn ehlo(&self) -> &str {
        &self.ehlo
    }

    /// Sets the domain or address literal of `EHLO`. A text with another octet than printable ASCII is ignored.
    #[must_use]
    pub fn with_ehlo(mut self, ehlo: &str) -> Self {
        if !ehlo.is_empty()
            && ehlo.len() <= 255
            && ehlo.bytes().all(|octet| octet.is_ascii_graphic())
        {
            ehlo.clone_into(&mut self.ehlo);
        }
        self
    }

    /// Accepts a submission server that offers no authentication, such as one that knows the client's address.
    #[must_use]
    pub const fn accept_without_authentication(mut self) -> Self {
        self.needs_authentication = false;
        self
    }

    /// Returns the next demand. The same demand is returned until it is done: [`Demand::Send`] until
    /// [`sent`](Self::sent), [`Demand::StartTls`] until [`encrypted`](Self::encrypted).
    ///
    /// # Errors
    /// Returns the reason if the dialogue ended. The connection must be closed.
    pub fn demand(&mut self) -> Result<Demand, DialogueError> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        if let Some(demand) = self.demands.front() {
            return Ok(demand.clone());
        }
        Ok(match self.step {
            Step::Handshake => Demand::StartTls,
            Step::Greeting | Step::Capabilities | Step::Upgrade | Step::Done => Demand::Receive,
        })
    }

    /// Takes note that the octets of [`Demand::Send`] were sent.
    pub fn sent(&mut self) {
        if matches!(self.demands.front(), Some(Demand::Send(_))) {
            self.demands.pop_front();
        }
    }

    /// Takes octets of the server. A reply to a command that is not [`sent`](Self::sent) yet ends the dialogue.
    pub fn receive(&mut self, octets: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        self.received = self.received.saturating_add(octets.len());
        self.buffer.extend(octets);
        if self.step != Step::Done && self.received > MAX_DIALOGUE_BYTES {
            self.failed = Some(DialogueError::TooLong);
            return;
        }
        // A command that is queued and not sent has no reply yet, in whatever pieces the octets come.
        if matches!(self.demands.front(), Some(Demand::Send(_))) && self.is_early() {
            self.failed = Some(DialogueError::Unexpected);
            return;
        }
        if let Err(error) = self.advance() {
            self.failed = Some(error);
        }
    }

    /// Returns `true` if the buffer has what can only be a reply. IMAP's untagged responses may come at any time.
    fn is_early(&self) -> bool {
        match self.protocol {
            Protocol::Imap => self
                .buffer
                .begins()
                .any(|line| !line.starts_with(b"* ") && !b"* ".starts_with(line)),
            Protocol::Pop | Protocol::Submission => !self.buffer.unread().is_empty(),
        }
    }

    /// Takes note that the handshake is complete. The state from before it is forgotten.
    pub fn encrypted(&mut self) {
        if self.step == Step::Handshake && self.failed.is_none() {
            self.encrypted = true;
            self.failed = self.ask_capabilities().err();
        }
    }

    /// Takes note that the server closed the connection.
    pub fn closed(&mut self) {
        self.failed = self.failed.or(Some(DialogueError::Closed));
    }

    fn advance(&mut self) -> Result<(), DialogueError> {
        // newman-3-1, RFC 3207 section 6: nothing of clear text reaches the protocol within TLS.
        if self.step == Step::Handshake && !self.buffer.unread().is_empty() {
            return Err(DialogueError::Injected);
        }
        while !matches!(self.step, Step::Handshake | Step::Done) {
            let Some(line) = self.line()? else {
                return Ok(());
            };
            self.reply(line)?;
            if self.step == Step::Handshake && !self.buffer.unread().is_empty() {
                return Err(DialogueError::Injected);
            }
        }
        Ok(())
    }

    /// Takes a line out of the buffer.
    fn line(&mut self) -> Result<Option<String>, DialogueError> {
        let Some(line) = self.buffer.next_line() else {
            let is_long = self.buffer.unread().len() > MAX_LINE_BYTES;
            return match (is_long, self.buffer.has_bad_octet()) {
                (true, _) => Err(DialogueError::TooLong),
                (_, true) => Err(DialogueError::Octet),
                _ => Ok(None),
            };
        };
        // Without the line feed.
        if line.len() > MAX_LINE_BYTES.saturating_add(1) {
            return Err(DialogueError::TooLong);
        }
        let line = line.strip_suffix(b"\r\n").ok_or(DialogueError::Octet)?;
        if line.iter().any(|octet| matches!(octet, 0 | b'\r' | b'\n')) {
            return Err(DialogueError::Octet);
        }
        Ok(Some(String::from_utf8_lossy(line).into_owned()))
    }

    fn reply(&mut self, line: String) -> Result<(), DialogueError> {
        if self.lines.len() >= MAX_REPLY_LINES {
            return Err(DialogueError::TooLong);
        }
        match self.protocol {
            Protocol::Imap => self.imap(line),
            Protocol::Pop => self.pop(line),
            Protocol::Submission => self.smtp(line),
        }
    }

    fn ask_capabilities(&mut self) -> Result<(), DialogueError> {
        self.lines.clear();
        self.step = Step::Capabilities;
        let command = match self.protocol {
            Protocol::Imap if self.encrypted => format!("{TLS_TAG} CAPABILITY\r\n"),
            Protocol::Imap => format!("{CLEAR_TAG} CAPABILITY\r\n"),
            Protocol::Pop => "CAPA\r\n".to_owned(),
            Protocol::Submission => format!("EHLO {}\r\n", self.ehlo),
        };
        self.command(command)
    }

    /// Queues a command. What the server sent ahead of it is no reply to it.
    fn command(&mut self, command: String) -> Result<(), DialogueError> {
        if self.is_early() {
            return Err(DialogueError::Unexpected);
        }
        self.demands.push_back(Demand::Send(command.into_bytes()));
        Ok(())
    }

    fn capabilities(&mut self, items: Vec<String>) -> Result<(), DialogueError> {
        let capabilities = Capabilities::new(self.protocol, items);
        if self.security == Security::StartTls && !self.encrypted {
            if !capabilities.has_starttls() {
                return Err(DialogueError::NoStartTls);
            }
            self.lines.clear();
            self.step = Step::Upgrade;
            return self.command(match self.protocol {
                Protocol::Imap => format!("{CLEAR_TAG} STARTTLS\r\n"),
                Protocol::Pop => "STLS\r\n".to_owned(),
                Protocol::Submission => "STARTTLS\r\n".to_owned(),
            });
        }
        if self.needs_authentication && capabilities.mechanisms().is_empty() {
            return Err(DialogueError::NoAuthentication);
        }
        let greeting = self.greeting.clone().ok_or(DialogueError::Unexpected)?;
        self.step = Step::Done;
        let rest = self.buffer.take();
        self.demands.push_back(Demand::Done(Box::new(Ready {
            greeting,
            capabilities,
            rest,
        })));
        Ok(())
    }

    fn begin_tls(&mut self) -> Result<(), DialogueError> {
        self.lines.clear();
        self.step = Step::Handshake;
        Ok(())
    }
}
