//! The state of a connection that the dialogues of all protocols share. The core owns the phase; [`Next`]
//! informs a dialogue about its next part.

use alloc::{collections::VecDeque, string::String, vec::Vec};

use super::{ClientError, ClientEvent, ClientOptions, TlsStart};
use crate::{
    error::{ErrorKind, ParseError},
    facts::{DaneVerdict, Login},
    latch::{Event, LatchSession, Outcome},
    report::ClientReport,
    status::{DeepStatus, Diagnostic},
    tag::SecurityTag,
};

/// The status that a server advertises, if it advertises one; or the error of a malformed one.
pub(crate) type Advertised = Result<Option<DeepStatus<'static>>, ParseError>;

/// The next part of a dialogue, after an event that may refuse the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Next {
    /// The connection is not refused.
    Continue,
    /// The connection is refused, and the failure may be reported.
    Report,
    /// The connection is refused, and is closed without a report.
    Close,
}

/// The beginning of a dialogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The server's greeting is expected.
    Greeting,
    /// TLS began by STARTTLS or STLS: no greeting follows.
    AfterStartTls,
}

/// The status of one line of the answer to CAPA or EHLO.
pub(crate) struct Keyword {
    pub(crate) status: DeepStatus<'static>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Keyword {
    /// Parses a line. Returns `None` for the line of another capability, also if it is not UTF-8.
    pub(crate) fn parse<'l>(
        line: &'l [u8],
        parse: impl FnOnce(&'l str) -> Result<Option<Self>, ParseError>,
    ) -> Result<Option<Self>, ParseError> {
        match core::str::from_utf8(line) {
            Ok(line) => parse(line),
            Err(error) => {
                let keyword = line.get(..4).unwrap_or_default();
                if keyword.eq_ignore_ascii_case(b"DEEP") {
                    let at = error.valid_up_to();
                    return Err(ParseError::new(ErrorKind::Character, "deep-status", at));
                }
                Ok(None)
            }
        }
    }
}

/// The differences between the protocols. A method that fails ends the connection.
pub trait Dialogue {
    /// Begins a connection, or its TLS session.
    fn begin(&mut self, core: &mut Core, opening: Opening) -> Result<(), ClientError>;

    /// Takes one octet of the server.
    fn receive(&mut self, core: &mut Core, octet: u8) -> Result<(), ClientError>;

    /// Continues after the login, or reports that the connection is refused.
    fn logged_in(&mut self, core: &mut Core) -> Result<(), ClientError>;
}

/// The state that the dialogues share.
#[derive(Clone, Debug)]
pub struct Core {
    pub(super) session: LatchSession,
    pub(super) options: ClientOptions,
    pub(super) phase: Phase,
    pub(super) queue: VecDeque<Queued>,
    pub(super) events: Vec<ClientEvent>,
    /// The bytes that were read and not processed: they wait until the response before them is answered.
    pub(super) input: VecDeque<u8>,
    /// `true` after the end of the input.
    pub(super) ended: bool,
    /// The server's first response.
    pub(super) greeting: Vec<u8>,
    /// The capabilities that the server listed last, before or after TLS began.
    pub(super) capabilities: Vec<String>,
    /// The bytes that were read and belong to the caller. They precede the input.
    pub(super) given_back: Vec<u8>,
    /// A status was advertised over TLS.
    pub(super) has_status: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Queued {
    Send(Vec<u8>),
    Store,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Receiving,
    StartTls,
    LogIn,
    Ready,
    Refused,
    Failed(ClientError),
}

impl Core {
    pub(super) const fn new(session: LatchSession, options: ClientOptions, phase: Phase) -> Self {
        Self {
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
        }
    }

    pub(crate) const fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// Returns `true` if the connection is refused, so that only the report may follow.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.session.outcome(), Outcome::Refuse(_))
    }

    /// Returns `true` if the connection is over TLS.
    pub(crate) const fn over_tls(&self) -> bool {
        self.session.facts().tls.is_some()
    }

    /// Returns `true` if the client logged in.
    pub(crate) const fn is_logged_in(&self) -> bool {
        self.session.facts().login.is_some()
    }

    pub(crate) fn send(&mut self, bytes: impl Into<Vec<u8>>) {
        self.queue.push_back(Queued::Send(bytes.into()));
        self.phase = Phase::Receiving;
    }

    /// Sends a last command, and closes the connection without waiting for the answer.
    pub(crate) fn send_last(&mut self, command: &[u8]) {
        self.queue.push_back(Queued::Send(command.to_vec()));
        self.phase = Phase::Refused;
    }

    /// Closes the connection without a report: the protocol has no way to send one.
    pub(crate) fn close_unreported(&mut self) {
        self.note(ClientEvent::NotReported);
        self.phase = Phase::Refused;
    }

    pub(crate) fn note(&mut self, event: ClientEvent) {
        self.events.push(event);
    }

    /// Begins TLS on the connection.
    pub(crate) const fn start_tls(&mut self) {
        self.phase = Phase::StartTls;
    }

    /// Continues without TLS, if the options and the latches allow that.
    pub(crate) fn no_tls(&mut self) -> Result<Next, ClientError> {
        match self.step(Event::NoTls) {
            Outcome::Continue if self.options.tls == TlsStart::StartTlsIfOffered => {
                Ok(Next::Continue)
            }
            Outcome::Refuse(_) => {
                self.phase = Phase::Refused;
                Ok(Next::Close)
            }
            _ => Err(ClientError::NoTls),
        }
    }

    /// Gives the connection to the caller without TLS, if the options and the latches allow that.
    pub(crate) fn hand_over_without_tls(&mut self) -> Result<(), ClientError> {
        match self.no_tls()? {
            Next::Continue => self.hand_over(),
            Next::Report | Next::Close => {}
        }
        Ok(())
    }

    /// Records that the server treats the connection as logged in.
    pub(crate) fn logged_in_already(&mut self) -> Result<Next, ClientError> {
        match self.step(Event::LoggedIn(Login::Done)) {
            Outcome::Continue => Ok(Next::Continue),
            Outcome::Refuse(_) => Ok(Next::Report),
            _ => Err(ClientError::NoTls),
        }
    }

    /// Records the status of one line of the answer to CAPA or EHLO. A second DEEP line makes the status unreadable.
    pub(crate) fn keyword(
        &mut self,
        status: &mut Advertised,
        read: Result<Option<Keyword>, ParseError>,
    ) {
        let read = match read {
            Ok(None) => return,
            Ok(Some(keyword)) => {
                let diagnostics = keyword.diagnostics.into_iter().map(ClientEvent::Leniency);
                self.events.extend(diagnostics);
                Ok(Some(keyword.status))
            }
            Err(error) => Err(error),
        };
        *status = match status {
            Ok(None) => read,
            _ => Err(ParseError::new(ErrorKind::Duplicate, "DEEP", 0)),
        };
    }

    /// Records the status that the server advertises in clear, before STARTTLS. The status may require TLS;
    /// [`no_tls`](Self::no_tls) gives the outcome if TLS is not available.
    pub(crate) fn status_in_clear(&mut self, status: Advertised) {
        let (Outcome::Continue
        | Outcome::StartTls
        | Outcome::Refuse(_)
        | Outcome::RefuseCertificate(_)
        | Outcome::Over) = self.advertised(&status);
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

    /// Records the status that the server advertises.
    pub(crate) fn status(&mut self, status: Advertised) -> Result<Next, ClientError> {
        self.has_status = self.over_tls() && matches!(status, Ok(Some(_)));
        match self.advertised(&status) {
            Outcome::Continue => Ok(Next::Continue),
            Outcome::Refuse(_) if self.over_tls() => Ok(Next::Report),
            Outcome::Refuse(_) => Ok(Next::Close),
            // Advertised in clear, and TLS is not available.
            Outcome::StartTls => match self.no_tls()? {
                Next::Continue => Err(ClientError::NoTls),
                next => Ok(next),
            },
            Outcome::RefuseCertificate(_) | Outcome::Over => Err(ClientError::NoTls),
        }
    }

    /// Returns `true` if the server advertised a status over TLS. The latch machine judges it again after login.
    pub(crate) const fn has_status(&self) -> bool {
        self.has_status
    }

    /// Keeps the server's first response, or a line of it.
    pub(crate) fn greeted(&mut self, line: &[u8]) {
        self.greeting.extend_from_slice(line);
        self.greeting.extend_from_slice(b"\r\n");
    }

    /// Drops the list of capabilities: the server sends a new one.
    pub(crate) fn forget_capabilities(&mut self) {
        self.capabilities.clear();
    }

    /// Adds a line or a word of the server's list of capabilities.
    pub(crate) fn has_capability(&mut self, capability: &[u8]) {
        let capability = String::from_utf8_lossy(capability);
        self.capabilities.push(capability.into_owned());
    }

    /// Keeps a response to no command of this client: the caller reads it next.
    pub(crate) fn give_back(&mut self, response: &[&[u8]]) {
        for part in response {
            self.given_back.extend_from_slice(part);
        }
    }

    /// Keeps a text for the user.
    pub(crate) fn alert(&mut self, text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        let text = text.chars().filter(|next| !next.is_control()).collect();
        let over_tls = self.over_tls();
        self.note(ClientEvent::Alert { text, over_tls });
    }

    /// Gives the connection to the caller.
    pub(crate) fn hand_over(&mut self) {
        self.phase = if self.is_logged_in() {
            Phase::Ready
        } else {
            Phase::LogIn
        };
    }

    /// Returns the report for the server: the tags that failed, or else the latched tags and the other supported ones.
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
                // A client that does not check TLSA records does not support their tag.
                let tls = self.session.facts().tls;
                let dane = tls.is_some_and(|tls| tls.dane != DaneVerdict::NotChecked);
                let supported = |tag: &SecurityTag<'_>| dane || *tag != SecurityTag::TLS_DANE_TLSA;
                let not_latched = self.session.not_latched().filter(supported);
                report.security_tags = not_latched.map(SecurityTag::into_owned).collect();
            }
        }
        report
    }

    pub(super) fn step(&mut self, event: Event<'_>) -> Outcome {
        let step = self.session.step(event);
        if step.changes_record() {
            self.queue.push_back(Queued::Store);
        }
        let events = step.transitions.into_iter().map(ClientEvent::Transition);
        self.events.extend(events);
        step.outcome
    }

    pub(super) fn check(&mut self, checked: Result<(), ClientError>) {
        if let Err(error) = checked {
            self.fail(error);
        }
    }

    /// Ends the connection with an error. Nothing more is sent. Latches that were set are still stored, and a
    /// refusal stays a refusal.
    pub(super) fn fail(&mut self, error: ClientError) {
        self.queue.retain(|queued| matches!(queued, Queued::Store));
        if self.is_refused() {
            self.note(ClientEvent::NotReported);
            self.phase = Phase::Refused;
        } else if !matches!(self.session.outcome(), Outcome::RefuseCertificate(_)) {
            self.phase = Phase::Failed(error);
        }
    }

    pub(super) fn out_of_turn(&mut self) {
        if !matches!(self.phase, Phase::Refused | Phase::Failed(_)) {
            self.fail(ClientError::Misuse);
        }
    }
}
