//! Sessions of Submission, RFC 6409 and draft-newman-email-deep-02 section 7.3, which are parsed to their end.

mod command;
mod commands;
mod content;
mod ehlo;
mod replies;
mod reply;

use std::{collections::VecDeque, mem};

use self::{content::Content, ehlo::Extensions, reply::Replies};
use super::{
    BackendFailure, ClientFacts, Event, ExternalLogin, GatewayError, GatewayErrorKind,
    GatewayOptions, GatewaySession, Mechanism, Refusal, Side,
};
use crate::dialogue::lines::Lines;

/// The longest command, with its CRLF. RFC 5321 section 4.5.3.1.4 has 512 octets, which extensions raise to some 1,200.
/// Postfix cuts lines that are longer than this; what a backend makes of the rest is not known.
pub const MAX_SUBMISSION_COMMAND_BYTES: usize = 2048;

/// The longest AUTH command and the longest response of an exchange, without CRLF (RFC 4954 section 4).
const MAX_AUTH_BYTES: usize = 12_288;

/// The most replies of the gateway itself, to commands that the backend does not receive. A client that needs more probes
/// or reports without end.
pub const MAX_OWN_REPLIES: usize = 20;

/// The number of waiting octets of a client from which `may_receive` returns `false`.
const MAX_WAITING_BYTES: usize = 65_536;

/// A session of Submission.
///
/// Gateway and backend read the client's octets alike, because
/// - the backend receives one command at a time, and the next one after its reply;
/// - only commands of RFC 5321 and its extensions are passed on, each as a line that the gateway parsed; never STARTTLS,
///   XCLIENT, XFORWARD or CLIENT. The gateway answers others itself;
/// - a message of DATA ends by CR LF, dot, CR LF alone. A bare CR or LF, or NUL, ends the session, and is not passed on;
/// - the octets of BDAT are counted. They are passed on only if the backend has CHUNKING and accepted a sender and a
///   recipient: a backend that refuses the command for another reason could read the octets as commands;
/// - lines of an AUTH exchange are passed on only after the backend asked for them, and only if they are base64 or `*`;
/// - a reply that was not asked for ends the session, unless it is 421.
///
/// CLIENT is answered by the gateway, and its report is an event.
///
/// ```
/// # use mail_implicit_tls::{
/// #     gateway::{ClientAddress, ClientFacts, GatewayOptions, GatewaySession, SessionId, SubmissionGateway},
/// #     server::ConnectionRecord, service::{Protocol, Service},
/// # };
/// # let record = ConnectionRecord::new(Service::SUBMISSIONS, "192.0.2.7:51234".parse()?);
/// # let facts = ClientFacts { record, local: "192.0.2.1:465".parse()?, session: SessionId(1) };
/// let options = GatewayOptions::try_new(Protocol::Submission, ClientAddress::ProxyV2)?;
/// let mut session = SubmissionGateway::new(&facts, &options);
/// session.backend_sent(b"220 mx.example.org ESMTP\r\n")?;
/// session.client_sent(b"EHLO client\r\nXCLIENT ADDR=192.0.2.1\r\nRSET\r\n")?;
/// assert_eq!(session.take_for_backend(), b"EHLO client\r\n");
/// session.backend_sent(b"250-mx.example.org\r\n250-STARTTLS\r\n250 XCLIENT ADDR\r\n")?;
/// assert_eq!(session.take_for_backend(), b"RSET\r\n");
/// let expected = "220 mx.example.org ESMTP\r\n250 mx.example.org\r\n502 Command not available\r\n";
/// assert_eq!(session.take_for_client(), expected.as_bytes());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SubmissionGateway {
    facts: ClientFacts,
    options: GatewayOptions,
    client: Lines,
    replies: Replies,
    turn: Turn,
    extensions: Extensions,
    transaction: Transaction,
    /// The client's name in EHLO or HELO.
    greeting: String,
    is_logged_in: bool,
    /// The number of commands before login.
    commands: usize,
    own_replies: usize,
    for_client: Vec<u8>,
    for_backend: Vec<u8>,
    events: VecDeque<Event>,
    failed: Option<GatewayError>,
}

/// The side that has to send next, and what.
#[derive(Debug)]
enum Turn {
    /// The backend: its greeting.
    Greeting,
    /// The backend: the reply to the gateway's own EHLO.
    Introduction,
    /// The backend: the greeting after XCLIENT.
    Xclient,
    /// The client: a command.
    Command,
    /// The backend: the reply to a command.
    Reply(Expected),
    /// The client: a response of an AUTH exchange.
    Response(Mechanism),
    /// The client: the response of EXTERNAL, which the gateway asked for.
    External,
    /// The client: the message of DATA.
    Content(Content),
    /// The client: the octets of BDAT.
    Chunk {
        left: u64,
        last: bool,
        /// The code of a reply that came before the end of the octets.
        code: Option<u16>,
    },
    /// The client: the octets of BDAT that the backend does not receive, and the gateway's reply to the command.
    Skipped(u64, OwnReply),
    /// Neither side: the session has ended.
    Over,
}

/// The command whose reply is expected.
#[derive(Debug)]
enum Expected {
    Ehlo,
    Helo,
    Mail {
        utf8: bool,
    },
    Rcpt,
    Rset,
    Data,
    /// The end of the message of DATA.
    Message,
    /// BDAT or BURL.
    Chunk {
        last: bool,
    },
    Auth(Mechanism),
    /// AUTH of the gateway, for a client that has a certificate.
    Mapped,
    /// `*` of the gateway, in an AUTH exchange.
    Cancelled(Mechanism),
    Quit,
    Other,
}

/// A mail transaction, as far as the backend accepted it.
#[derive(Clone, Copy, Debug, Default)]
struct Transaction {
    has_sender: bool,
    has_recipient: bool,
    /// `true` if the backend has a part of the message.
    has_begun: bool,
    utf8: bool,
}

/// A reply of the gateway itself.
#[derive(Clone, Copy, Debug)]
struct OwnReply {
    code: u16,
    /// Class, subject and detail of RFC 3463.
    enhanced: &'static str,
    text: &'static str,
}

impl OwnReply {
    const fn new(code: u16, enhanced: &'static str, text: &'static str) -> Self {
        Self {
            code,
            enhanced,
            text,
        }
    }
}

impl SubmissionGateway {
    /// Creates the session of a client.
    #[must_use]
    pub fn new(facts: &ClientFacts, options: &GatewayOptions) -> Self {
        Self {
            facts: facts.clone(),
            options: options.clone(),
            client: Lines::default(),
            replies: Replies::default(),
            turn: Turn::Greeting,
            extensions: Extensions::default(),
            transaction: Transaction::default(),
            greeting: String::new(),
            is_logged_in: false,
            commands: 0,
            own_replies: 0,
            for_client: Vec::new(),
            for_backend: Vec::new(),
            events: VecDeque::new(),
            failed: None,
        }
    }

    /// Returns the identity of the client's certificate and the login for it, if the gateway has one.
    fn mapped(&self) -> Option<(&str, &ExternalLogin)> {
        let identity = self.facts.record.client.as_deref()?;
        let login = self.options.external();
        (!matches!(login, ExternalLogin::Unavailable)).then_some((identity, login))
    }

    fn go_on(&mut self) -> Result<(), GatewayError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let done = self.advance();
        if let Err(error) = done {
            self.failed = Some(error);
            self.end_by(error);
        }
        done
    }

    /// Does what the octets of both sides permit.
    fn advance(&mut self) -> Result<(), GatewayError> {
        loop {
            if matches!(self.turn, Turn::Over) {
                return Ok(());
            }
            if let Some(reply) = self.replies.next_reply()? {
                self.replied(reply)?;
                continue;
            }
            let advanced = match self.turn {
                Turn::Command | Turn::Response(_) | Turn::External => self.line()?,
                Turn::Content(_) => self.content()?,
                Turn::Chunk { .. } => self.chunk(),
                Turn::Skipped(..) => self.skip(),
                _ => false,
            };
            if !advanced {
                return Ok(());
            }
        }
    }

    /// Ends the session because of an error of one of the sides.
    fn end_by(&mut self, error: GatewayError) {
        let in_message = matches!(self.turn, Turn::Content(_));
        let reply = match (error.side(), error.kind()) {
            (Side::Client, kind) => {
                self.events.push_back(Event::Refused(Refusal::Syntax));
                Some(match kind {
                    // Not 421, after which the client would send the message again.
                    _ if in_message => OwnReply::new(550, "5.5.2", "CR LF expected, without NUL"),
                    GatewayErrorKind::TooLong => OwnReply::new(500, "5.5.6", "Line too long"),
                    GatewayErrorKind::Octet => OwnReply::new(500, "5.5.2", "Octet not permitted"),
                    _ => OwnReply::new(501, "5.5.4", "Syntax error in parameters"),
                })
            }
            // The client's next octets could be read after a line that is not the backend's.
            (Side::Backend, _) if self.is_logged_in => None,
            (Side::Backend, _) => Some(OwnReply::new(421, "4.3.0", "Service not available")),
        };
        if let Some(reply) = reply {
            self.say(reply);
        }
        self.end();
    }

    fn end(&mut self) {
        self.turn = Turn::Over;
        self.client = Lines::default();
        self.events.push_back(Event::Closed);
    }

    /// Appends a reply of the gateway.
    fn say(&mut self, reply: OwnReply) {
        let OwnReply {
            code,
            enhanced,
            text,
        } = reply;
        let line = match self.extensions.enhanced_status_codes {
            true => format!("{code} {enhanced} {text}\r\n"),
            false => format!("{code} {text}\r\n"),
        };
        self.for_client.extend_from_slice(line.as_bytes());
    }

    fn send(&mut self, line: &[u8], expected: Expected) {
        self.for_backend.extend_from_slice(line);
        self.for_backend.extend_from_slice(b"\r\n");
        self.turn = Turn::Reply(expected);
    }
}

impl GatewaySession for SubmissionGateway {
    fn client_sent(&mut self, octets: &[u8]) -> Result<(), GatewayError> {
        if !matches!(self.turn, Turn::Over) {
            self.client.extend(octets);
        }
        self.go_on()
    }

    fn backend_sent(&mut self, octets: &[u8]) -> Result<(), GatewayError> {
        if !matches!(self.turn, Turn::Over) {
            self.replies.extend(octets);
        }
        self.go_on()
    }

    fn take_for_client(&mut self) -> Vec<u8> {
        mem::take(&mut self.for_client)
    }

    fn take_for_backend(&mut self) -> Vec<u8> {
        mem::take(&mut self.for_backend)
    }

    fn may_receive(&self) -> bool {
        !self.is_over() && self.client.unread().len() < MAX_WAITING_BYTES
    }

    fn awaits_client(&self) -> bool {
        match self.turn {
            Turn::Command | Turn::Response(_) | Turn::External | Turn::Content(_) => true,
            Turn::Chunk { .. } | Turn::Skipped(..) => true,
            Turn::Greeting | Turn::Introduction | Turn::Xclient | Turn::Reply(_) => false,
            Turn::Over => false,
        }
    }

    /// Returns `false`: a session of Submission is parsed to its end.
    fn is_pipe(&self) -> bool {
        false
    }

    fn is_over(&self) -> bool {
        matches!(self.turn, Turn::Over)
    }

    fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn backend_failed(&mut self, failure: BackendFailure) {
        if self.is_over() {
            return;
        }
        if !self.is_logged_in {
            self.say(OwnReply::new(421, "4.3.2", failure.text()));
        }
        self.end();
    }
}
