//! One connection of a client, without I/O: bytes of the server go in, and what to do next comes out. What
//! IMAP, POP and SMTP have in common; their dialogues are in modules of their own.

use alloc::{collections::VecDeque, string::String, vec::Vec};
use core::{fmt, mem};

use crate::{
    error::{ErrorKind, ParseError},
    facts::{DaneVerdict, Login, TlsFacts},
    failure::{CertificateFailure, HandshakeFault, LatchFailure},
    latch::{Event, LatchSession, Outcome, Transition},
    report::{ClientReport, FieldNames},
    status::{DeepStatus, Diagnostic, StatusOptions},
    tag::SecurityTag,
};

/// How TLS begins on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TlsStart {
    /// At once ("Implicit TLS", draft-newman-email-deep-02 section 4): ports 993, 995 and 465.
    #[default]
    Implicit,
    /// By STARTTLS or STLS. Where it is not to be had, there is no session.
    StartTls,
    /// By STARTTLS or STLS where it is offered; where it is not, the session is in clear, as section 3.3
    /// allows for an account of low privacy assurance, unless a tag is latched or tls10 or tls12 advertised.
    StartTlsIfOffered,
}

/// What a client says of itself, and how it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// How TLS begins.
    pub tls: TlsStart,
    /// `name` of the client software, for the server. Section 12 says why a user may not want it sent.
    pub name: Option<String>,
    /// `version` of the client software, for the server.
    pub version: Option<String>,
    /// Whether the server is told what is latched, and what failed (section 7.1 and 7.3). Only over TLS.
    pub report: bool,
    /// How the fields of a report are spelt.
    pub field_names: FieldNames,
    /// How the server's status is read.
    pub status: StatusOptions,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            tls: TlsStart::default(),
            name: None,
            version: None,
            report: true,
            field_names: FieldNames::default(),
            status: StatusOptions::default(),
        }
    }
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Demand {
    /// Read from the connection: [`Client::receive`], or [`Client::end_of_input`].
    Receive,
    /// Send these bytes.
    Send(Vec<u8>),
    /// Store the record of [`Client::session`]. If that fails, do not go on.
    Store,
    /// Do the TLS handshake: [`Client::handshake`], or [`Client::handshake_failed`].
    StartTls,
    /// The connection is the caller's, to log in: then [`Client::logged_in`]. A server that takes no login
    /// is used from here on.
    LogIn,
    /// The connection is the caller's, for good.
    Ready,
    /// Close the connection: a latched facility is not there.
    Refused(LatchFailure),
    /// Close the connection without a word: the server's certificate is not accepted. No latch was involved.
    RefusedCertificate(CertificateFailure),
}

/// Why a connection is of no use. Close it; nothing was latched by what caused this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientError {
    /// The server closed the connection.
    EndOfInput,
    /// The server's bytes are not of the protocol, or there are too many of them. The offset is from the
    /// start of the response.
    Malformed(ParseError),
    /// The server said something that is not due, e.g. answered what nobody asked.
    Unexpected,
    /// The server takes leave: BYE, or 421.
    Closing,
    /// The server logged the client in of itself (`PREAUTH`), and the caller has no use for that.
    LoggedIn,
    /// The server refused what the client cannot go on without.
    Rejected,
    /// More followed in clear behind the answer to STARTTLS or STLS: somebody put it there, for the client to
    /// read it as if it came over TLS.
    Injected,
    /// The session would be in clear, and the server takes no login in clear (`LOGINDISABLED`).
    LoginDisabled,
    /// There is no TLS to be had, or none as the server itself advertised it in clear; and no tag was latched
    /// yet.
    NoTls,
    /// The TLS handshake failed for a reason that no latched tag says anything of.
    HandshakeFailed(HandshakeFault),
    /// The caller called what was not demanded.
    Misuse,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndOfInput => "the server closed the connection",
            Self::Malformed(error) => return write!(f, "not a response: {error}"),
            Self::Unexpected => "the server said what was not due",
            Self::Closing => "the server takes leave",
            Self::LoggedIn => "the server needs no login",
            Self::Rejected => "the server refused",
            Self::Injected => "more followed in clear behind the answer to STARTTLS",
            Self::LoginDisabled => "the server takes no login in clear, and has no TLS",
            Self::NoTls => "there is no TLS to be had",
            Self::HandshakeFailed(fault) => return write!(f, "the TLS handshake failed: {fault}"),
            Self::Misuse => "the client was called out of turn",
        })
    }
}

impl core::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Malformed(error) => Some(error),
            _ => None,
        }
    }
}

/// What happened, for a log and for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The latch machine changed, or did not.
    Transition(Transition),
    /// The server sent text that "MUST be presented to the user" (`[ALERT]`, RFC 3501 section 7.1), in a response
    /// that is not given to the caller. Control characters are taken out.
    Alert {
        /// The server's text. Before TLS anybody may have written it.
        text: String,
        /// Whether it came over TLS.
        over_tls: bool,
    },
    /// A lenient reading of the status let this through.
    Leniency(Diagnostic),
    /// The server's status cannot be read, and counts as none.
    UnreadableStatus(ParseError),
    /// The server was told what is latched, or what failed; and whether it said that it took it.
    Reported {
        /// Whether it answered OK, or 250.
        accepted: bool,
    },
    /// The server was not told what failed, or it is not known whether it was; or it was told nothing because
    /// the client's name or version cannot be said in this protocol.
    NotReported,
}

impl fmt::Display for ClientEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transition(transition) => transition.fmt(f),
            Self::Alert { text, .. } => write!(f, "the server says: {text}"),
            Self::Leniency(what) => write!(f, "let through: {what}"),
            Self::UnreadableStatus(error) => write!(f, "status not read: {error}"),
            Self::Reported { accepted: true } => f.write_str("reported"),
            Self::Reported { accepted: false } => f.write_str("reported, but not accepted"),
            Self::NotReported => f.write_str("not reported"),
        }
    }
}

/// A protocol that a [`Client`] speaks: [`Imap`](crate::Imap), [`Pop`](crate::Pop) or
/// [`Smtp`](crate::Smtp).
pub trait Protocol: Dialogue {}

/// What the protocols do differently.
pub trait Dialogue {
    /// A connection, or its TLS session, begins.
    fn begin(&mut self, core: &mut Core, greeting: bool) -> Result<(), ClientError>;

    /// The server sent this.
    fn receive(&mut self, core: &mut Core, octet: u8) -> Result<(), ClientError>;

    /// The client logged in: goes on, or reports that it is refused.
    fn logged_in(&mut self, core: &mut Core) -> Result<(), ClientError>;
}

/// The status that a server advertises; none; or one that cannot be read.
pub(crate) type Advertised = Result<Option<DeepStatus<'static>>, ParseError>;

/// A reader of one line of the answer to CAPA or EHLO.
type KeywordReader = for<'a> fn(
    &'a str,
    StatusOptions,
    &mut dyn FnMut(Diagnostic),
) -> Result<Option<DeepStatus<'a>>, ParseError>;

/// One connection of a client, from before its first byte until the caller logs in, and, if the caller comes
/// back, from after that until all is latched that may be.
///
/// It does what [`demand`](Self::demand) demands, until that is [`Demand::Ready`], [`Demand::Refused`] or an
/// error. How the server's bytes are cut makes no difference. Nothing is sent after a failure but the
/// report of it (draft-newman-email-deep-02 section 7.1), and that only over TLS.
///
/// Features `tokio` and `tokio-rustls` do what it demands; this is how another stream or TLS engine does:
///
/// ```
/// use deep_latch::{
///     Action, Client, Demand, HandshakeFault, LatchRecord, Login, Protocol, TlsFacts,
/// };
/// # use std::error::Error;
///
/// /// What an application has.
/// trait Connection {
///     fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Box<dyn Error>>;
///     fn write(&mut self, bytes: &[u8]) -> Result<(), Box<dyn Error>>;
///     fn start_tls(&mut self) -> Result<TlsFacts, HandshakeFault>;
///     fn log_in(&mut self, already_read: Vec<u8>) -> Result<Login, Box<dyn Error>>;
///     fn store(&mut self, record: &LatchRecord) -> Result<(), Box<dyn Error>>;
/// }
///
/// /// Brings a connection to where it can be used; or says why not, and what the user may be offered.
/// fn establish<P: Protocol>(
///     client: &mut Client<P>,
///     connection: &mut impl Connection,
/// ) -> Result<Result<(), Vec<Action>>, Box<dyn Error>> {
///     let mut buffer = [0; 4096];
///     loop {
///         match client.demand()? {
///             Demand::Receive => match connection.read(&mut buffer)? {
///                 0 => client.end_of_input(),
///                 length => client.receive(&buffer[..length]),
///             },
///             Demand::Send(bytes) => connection.write(&bytes)?,
///             Demand::Store => connection.store(client.session().record())?,
///             Demand::StartTls => match connection.start_tls() {
///                 Ok(facts) => client.handshake(facts),
///                 Err(fault) => client.handshake_failed(fault),
///             },
///             Demand::LogIn => {
///                 let login = connection.log_in(client.take_leftover())?;
///                 client.logged_in(login);
///             }
///             Demand::Ready => return Ok(Ok(())),
///             Demand::Refused(failure) => return Ok(Err(failure.actions())),
///             Demand::RefusedCertificate(failure) => return Ok(Err(failure.actions())),
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Client<P> {
    core: Core,
    protocol: P,
}

/// What the dialogues share.
#[derive(Clone, Debug)]
pub struct Core {
    session: LatchSession,
    options: ClientOptions,
    phase: Phase,
    queue: VecDeque<Queued>,
    events: Vec<ClientEvent>,
    /// What was read and is not looked at yet: that waits until what came before it is answered.
    input: VecDeque<u8>,
    /// Nothing more will be read.
    ended: bool,
    /// The server's first response.
    greeting: Vec<u8>,
    /// What the server listed last, on this side of TLS.
    capabilities: Vec<String>,
    /// What was read, and is for the caller: it comes before the input.
    given_back: Vec<u8>,
    /// A status was advertised over TLS.
    has_status: bool,
}

#[derive(Clone, Debug)]
enum Queued {
    Send(Vec<u8>),
    Store,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Receiving,
    StartTls,
    LogIn,
    Ready,
    Refused,
    Failed(ClientError),
}

impl<P: Protocol> Client<P> {
    pub(crate) fn start(session: LatchSession, options: ClientOptions, protocol: P) -> Self {
        let implicit = options.tls == TlsStart::Implicit;
        let refused = !matches!(session.outcome(), Outcome::Continue | Outcome::StartTls);
        let phase = match (refused, implicit) {
            (true, _) => Phase::Refused,
            (false, true) => Phase::StartTls,
            (false, false) => Phase::Receiving,
        };
        let mut client = Self {
            core: Core {
                session,
                options,
                phase,
                queue: VecDeque::new(),
                events: Vec::new(),
                input: VecDeque::new(),
                ended: false,
                greeting: Vec::new(),
                capabilities: Vec::new(),
                given_back: Vec::new(),
                has_status: false,
            },
            protocol,
        };
        if phase == Phase::Receiving {
            let begun = client.protocol.begin(&mut client.core, true);
            client.core.check(begun);
        }
        client
    }

    /// What is to be done next. The same again until it is done, but for [`Demand::Send`] and
    /// [`Demand::Store`], which come once.
    ///
    /// # Errors
    /// When the connection is of no use. To try again, begin another.
    pub fn demand(&mut self) -> Result<Demand, ClientError> {
        loop {
            match self.core.queue.pop_front() {
                Some(Queued::Send(bytes)) => return Ok(Demand::Send(bytes)),
                Some(Queued::Store) => return Ok(Demand::Store),
                None => {}
            }
            match self.core.phase {
                Phase::Failed(error) => return Err(error),
                Phase::Refused => {
                    return match self.core.session.outcome() {
                        Outcome::Refuse(failure) => Ok(Demand::Refused(failure)),
                        Outcome::RefuseCertificate(failure) => {
                            Ok(Demand::RefusedCertificate(failure))
                        }
                        // Of a session that was over before it came here.
                        _ => Err(ClientError::Misuse),
                    };
                }
                Phase::Receiving => match self.core.input.pop_front() {
                    Some(octet) => {
                        let received = self.protocol.receive(&mut self.core, octet);
                        self.core.check(received);
                    }
                    None if self.core.ended => self.core.fail(ClientError::EndOfInput),
                    None => return Ok(Demand::Receive),
                },
                Phase::StartTls if !self.core.input.is_empty() => {
                    self.core.fail(ClientError::Injected);
                }
                Phase::StartTls if self.core.ended => {
                    self.handshake_failed(HandshakeFault::Transport);
                }
                Phase::StartTls => return Ok(Demand::StartTls),
                Phase::LogIn | Phase::Ready if self.core.ended => {
                    self.core.fail(ClientError::EndOfInput);
                }
                Phase::LogIn => return Ok(Demand::LogIn),
                Phase::Ready => return Ok(Demand::Ready),
            }
        }
    }

    /// Takes what was read, however it was cut. What stands behind the last response that is due is for
    /// [`take_leftover`](Self::take_leftover).
    pub fn receive(&mut self, bytes: &[u8]) {
        match self.core.phase {
            Phase::Receiving => self.core.input.extend(bytes),
            _ if bytes.is_empty() => {}
            Phase::StartTls => self.core.fail(ClientError::Injected),
            _ => self.core.out_of_turn(),
        }
    }

    /// The server closed the connection. That is an error always.
    pub const fn end_of_input(&mut self) {
        self.core.ended = true;
    }

    /// The TLS handshake is complete.
    pub fn handshake(&mut self, facts: TlsFacts) {
        if self.core.phase != Phase::StartTls || !self.core.input.is_empty() {
            return self.core.out_of_turn();
        }
        let outcome = self.core.step(Event::Handshake(facts));
        let begun = match (&outcome, self.core.options.report) {
            (Outcome::Continue, _) | (Outcome::Refuse(_), true) => {
                self.core.phase = Phase::Receiving;
                self.core.capabilities.clear();
                self.core.given_back.clear();
                let greeting = self.core.options.tls == TlsStart::Implicit;
                self.protocol.begin(&mut self.core, greeting)
            }
            (Outcome::Refuse(_), false) | (Outcome::RefuseCertificate(_), _) => {
                self.core.phase = Phase::Refused;
                Ok(())
            }
            // Not what the server advertised in clear.
            _ => Err(ClientError::NoTls),
        };
        self.core.check(begun);
    }

    /// Reports that the TLS handshake failed, or that there was no connection for it. The reason decides
    /// whether a latched facility is not there, the certificate is refused, or nothing is known.
    pub fn handshake_failed(&mut self, fault: HandshakeFault) {
        if self.core.phase != Phase::StartTls {
            return self.core.out_of_turn();
        }
        match self.core.step(Event::HandshakeFailed(fault)) {
            Outcome::Refuse(_) | Outcome::RefuseCertificate(_) => {
                self.core.phase = Phase::Refused;
            }
            _ => self.core.fail(ClientError::HandshakeFailed(fault)),
        }
    }

    /// The caller logged in, and leaves the connection to this client once more.
    pub fn logged_in(&mut self, login: Login) {
        let untaken = !self.core.input.is_empty() || !self.core.given_back.is_empty();
        if self.core.phase != Phase::LogIn || untaken {
            return self.core.out_of_turn();
        }
        let outcome = self.core.step(Event::LoggedIn(login));
        let begun = match (&outcome, self.core.options.report) {
            (Outcome::Continue, _) | (Outcome::Refuse(_), true) => {
                self.protocol.logged_in(&mut self.core)
            }
            (Outcome::Refuse(_), false) => {
                self.core.phase = Phase::Refused;
                Ok(())
            }
            _ => Err(ClientError::NoTls),
        };
        self.core.check(begun);
    }

    /// The bytes that were read and are not for this client, once [`Demand::LogIn`] or [`Demand::Ready`] is
    /// reached: they come before what is read next. Mostly there are none. What IMAP says unasked is among them,
    /// also between the responses that were asked for.
    #[must_use]
    pub fn take_leftover(&mut self) -> Vec<u8> {
        match self.core.phase {
            Phase::LogIn | Phase::Ready => {
                let mut leftover = mem::take(&mut self.core.given_back);
                leftover.extend(mem::take(&mut self.core.input));
                leftover
            }
            _ => Vec::new(),
        }
    }

    /// Returns the server's first response, with its line breaks: POP's has the timestamp that APOP needs, and a
    /// library that is given the connection may wait for one. It came in clear if TLS began by STARTTLS. Empty
    /// before it has come.
    #[must_use]
    pub fn greeting(&self) -> &[u8] {
        &self.core.greeting
    }

    /// Returns what the server listed: capabilities of IMAP, lines of the answer to CAPA or EHLO. Those of before
    /// TLS are not among them once TLS began.
    pub fn capabilities(&self) -> impl Iterator<Item = &str> {
        self.core.capabilities.iter().map(String::as_str)
    }

    pub(crate) const fn protocol_mut(&mut self) -> &mut P {
        &mut self.protocol
    }

    pub(crate) const fn protocol(&self) -> &P {
        &self.protocol
    }

    /// The latch machine of the connection: its record is what is to be stored, its requirements are for the
    /// TLS engine.
    #[must_use]
    pub const fn session(&self) -> &LatchSession {
        &self.core.session
    }

    /// What happened since this was called last.
    #[must_use]
    pub fn take_events(&mut self) -> Vec<ClientEvent> {
        mem::take(&mut self.core.events)
    }
}

impl Core {
    pub(crate) const fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// Whether the connection is refused, and only the report is due.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.session.outcome(), Outcome::Refuse(_))
    }

    /// Whether the connection is over TLS.
    pub(crate) const fn over_tls(&self) -> bool {
        self.session.facts().tls.is_some()
    }

    /// Whether the client logged in.
    pub(crate) const fn is_logged_in(&self) -> bool {
        self.session.facts().login.is_some()
    }

    pub(crate) fn send(&mut self, bytes: impl Into<Vec<u8>>) {
        self.queue.push_back(Queued::Send(bytes.into()));
        self.phase = Phase::Receiving;
    }

    /// Sends a last command, and closes: nobody waits for the answer.
    pub(crate) fn take_leave(&mut self, command: &[u8]) {
        self.queue.push_back(Queued::Send(command.to_vec()));
        self.phase = Phase::Refused;
    }

    /// Closes without a word: there is no way to tell the server.
    pub(crate) fn close_untold(&mut self) {
        self.note(ClientEvent::NotReported);
        self.phase = Phase::Refused;
    }

    pub(crate) fn note(&mut self, event: ClientEvent) {
        self.events.push(event);
    }

    /// The connection changes to TLS.
    pub(crate) const fn start_tls(&mut self) {
        self.phase = Phase::StartTls;
    }

    /// There is no TLS: goes on in clear where that is allowed. Whether it does.
    pub(crate) fn no_tls(&mut self) -> Result<bool, ClientError> {
        match self.step(Event::NoTls) {
            Outcome::Continue if self.options.tls == TlsStart::StartTlsIfOffered => Ok(true),
            Outcome::Refuse(_) => {
                self.phase = Phase::Refused;
                Ok(false)
            }
            _ => Err(ClientError::NoTls),
        }
    }

    /// There is no TLS: the connection is the caller's in clear, where that is allowed.
    pub(crate) fn hand_over_without_tls(&mut self) -> Result<(), ClientError> {
        if self.no_tls()? {
            self.hand_over();
        }
        Ok(())
    }

    /// The server logged the client in of itself. Whether the connection goes on.
    pub(crate) fn logged_in_already(&mut self) -> Result<bool, ClientError> {
        match self.step(Event::LoggedIn(Login::Done)) {
            Outcome::Continue => Ok(true),
            Outcome::Refuse(_) => Ok(false),
            _ => Err(ClientError::NoTls),
        }
    }

    /// One line of the answer to CAPA or EHLO. Two lines of DEEP are none that can be read.
    pub(crate) fn keyword(&mut self, line: &[u8], status: &mut Advertised, read: KeywordReader) {
        let options = self.options.status;
        let read = match core::str::from_utf8(line) {
            Ok(line) => read(line, options, &mut |what| {
                self.events.push(ClientEvent::Leniency(what));
            })
            .map(|status| status.map(DeepStatus::into_owned)),
            Err(error) => {
                let deep = line.get(..4).unwrap_or_default();
                match deep.eq_ignore_ascii_case(b"DEEP") {
                    true => {
                        let at = error.valid_up_to();
                        Err(ParseError::new(ErrorKind::Character, "deep-status", at))
                    }
                    // Of another capability.
                    false => Ok(None),
                }
            }
        };
        match (&status, read) {
            (_, Ok(None)) => {}
            (Ok(None), read) => *status = read,
            _ => *status = Err(ParseError::new(ErrorKind::Duplicate, "DEEP", 0)),
        }
    }

    /// What the server advertises in clear, before STARTTLS: it may demand that.
    pub(crate) fn status_in_clear(&mut self, status: Advertised) {
        // When there is no TLS to be had, `no_tls` says what that comes to.
        let _ = self.advertised(&status);
    }

    fn advertised(&mut self, status: &Advertised) -> Outcome {
        match status {
            Ok(Some(status)) => self.step(Event::Status(status)),
            Ok(None) => self.step(Event::NoStatus),
            Err(error) => {
                self.note(ClientEvent::UnreadableStatus(*error));
                self.step(Event::NoStatus)
            }
        }
    }

    /// What the server advertises is known. Whether the connection goes on.
    pub(crate) fn status(&mut self, status: Advertised) -> Result<bool, ClientError> {
        self.has_status = self.over_tls() && matches!(status, Ok(Some(_)));
        match self.advertised(&status) {
            Outcome::Continue => Ok(true),
            Outcome::Refuse(_) => Ok(false),
            // Advertised in clear, and there is no TLS to be had.
            Outcome::StartTls => match self.no_tls() {
                Ok(_) => Ok(false),
                Err(error) => Err(error),
            },
            Outcome::RefuseCertificate(_) | Outcome::Over => Err(ClientError::NoTls),
        }
    }

    /// Whether the server advertised a status over TLS. The latch machine judges it anew after login.
    pub(crate) const fn has_status(&self) -> bool {
        self.has_status
    }

    /// The server's first response, or a line of it.
    pub(crate) fn greeted(&mut self, line: &[u8]) {
        self.greeting.extend_from_slice(line);
        self.greeting.extend_from_slice(b"\r\n");
    }

    /// The server lists what it has anew.
    pub(crate) fn forget_capabilities(&mut self) {
        self.capabilities.clear();
    }

    /// A line, or a word, of what the server lists.
    pub(crate) fn has_capability(&mut self, capability: &[u8]) {
        let capability = String::from_utf8_lossy(capability);
        self.capabilities.push(capability.into_owned());
    }

    /// A response that nobody here asked for: the caller reads it next.
    pub(crate) fn give_back(&mut self, response: &[&[u8]]) {
        for part in response {
            self.given_back.extend_from_slice(part);
        }
    }

    /// Text for the user.
    pub(crate) fn alert(&mut self, text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        let text = text.chars().filter(|next| !next.is_control()).collect();
        let over_tls = self.over_tls();
        self.note(ClientEvent::Alert { text, over_tls });
    }

    /// The connection is the caller's.
    pub(crate) fn hand_over(&mut self) {
        self.phase = if self.is_logged_in() {
            Phase::Ready
        } else {
            Phase::LogIn
        };
    }

    /// What the server is told now: what failed, or else what is latched and what is not.
    pub(crate) fn report(&self) -> ClientReport {
        let mut report = ClientReport {
            name: self.options.name.clone(),
            version: self.options.version.clone(),
            ..ClientReport::default()
        };
        match self.session.outcome() {
            _ if !self.options.report => {}
            Outcome::Refuse(failure) => report.latch_fail = failure.tags().to_vec(),
            _ => {
                report.latch = self.session.record().latched().cloned().collect();
                // A client that does not look for TLSA records does not support what they bring.
                let tls = self.session.facts().tls;
                let dane = tls.is_some_and(|tls| tls.dane != DaneVerdict::NotChecked);
                let supported = |tag: &SecurityTag<'_>| dane || *tag != SecurityTag::TLS_DANE_TLSA;
                let not_latched = self.session.not_latched().filter(supported);
                report.security_tags = not_latched.map(SecurityTag::into_owned).collect();
            }
        }
        report
    }

    fn step(&mut self, event: Event<'_>) -> Outcome {
        let step = self.session.step(event);
        if step.changes_record() {
            self.queue.push_back(Queued::Store);
        }
        let events = step.transitions.into_iter().map(ClientEvent::Transition);
        self.events.extend(events);
        step.outcome
    }

    fn check(&mut self, checked: Result<(), ClientError>) {
        if let Err(error) = checked {
            self.fail(error);
        }
    }

    /// Nothing is sent any more. What was latched before is stored all the same; and a refusal stays one.
    fn fail(&mut self, error: ClientError) {
        self.queue.retain(|queued| matches!(queued, Queued::Store));
        if self.is_refused() {
            self.note(ClientEvent::NotReported);
            self.phase = Phase::Refused;
        } else if !matches!(self.session.outcome(), Outcome::RefuseCertificate(_)) {
            self.phase = Phase::Failed(error);
        }
    }

    fn out_of_turn(&mut self) {
        if !matches!(self.phase, Phase::Refused | Phase::Failed(_)) {
            self.fail(ClientError::Misuse);
        }
    }
}

/// Reads lines that end with CR LF.
#[derive(Clone, Debug, Default)]
pub(crate) struct LineReader {
    line: Vec<u8>,
}

impl LineReader {
    /// Takes one octet. A line that is complete, without CR LF.
    ///
    /// # Errors
    /// When the line is longer than `limit`, with CR LF; when CR, LF or NUL stand in it.
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
