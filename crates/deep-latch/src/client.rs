//! The client's side of a connection, without I/O: the caller feeds the server's bytes in and does what the client
//! demands.
//! The dialogues are in the modules [`imap`](crate::imap), [`pop`](crate::pop) and [`smtp`](crate::smtp).

pub(crate) mod core;
mod error;
mod event;
pub(crate) mod lines;

use ::core::mem;
use alloc::{string::String, vec::Vec};

use self::core::{Core, Dialogue, Opening, Phase, Queued};
pub use {error::ClientError, event::ClientEvent};

use crate::{
    facts::{Login, TlsFacts},
    failure::{CertificateFailure, HandshakeFault, LatchFailure},
    latch::{Event, LatchSession, Outcome},
    report::FieldNames,
    status::StatusOptions,
};

/// The way TLS begins on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TlsStart {
    /// TLS begins with the connection ("Implicit TLS", draft-newman-email-deep-02 section 4): ports 993, 995 and 465.
    #[default]
    Implicit,
    /// TLS begins by STARTTLS or STLS. If the server does not offer it, the connection fails.
    StartTls,
    /// TLS begins by STARTTLS or STLS if the server offers it. Otherwise the session is in clear, as section 3.3
    /// allows for an account of low privacy assurance, unless a tag is latched or tls10 or tls12 is advertised.
    StartTlsIfOffered,
}

/// The options of a client: the data that it reports, and the leniency of its parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// The way TLS begins.
    pub tls: TlsStart,
    /// `name` of the client software, for the server. Section 12 gives reasons not to send it.
    pub name: Option<String>,
    /// `version` of the client software, for the server.
    pub version: Option<String>,
    /// Reports latched tags and failures to the server (sections 7.1 and 7.3), over TLS only.
    pub report: bool,
    /// The names of the fields of a report.
    pub field_names: FieldNames,
    /// The leniency with which the server's status is parsed.
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

/// The action that a client demands of its caller.
///
/// [`Client::demand`] returns the same demand until the caller has met it by the method that each variant names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Demand {
    /// Read from the connection, then call [`Client::receive`] or [`Client::end_of_input`].
    Receive,
    /// Send these bytes to the server, then call [`Client::sent`].
    Send(Vec<u8>),
    /// Store the record of [`Client::session`], then call [`Client::stored`]. If that fails, close the connection.
    Store,
    /// Do the TLS handshake, then call [`Client::handshake`] or [`Client::handshake_failed`].
    StartTls,
    /// Log in over the connection, then call [`Client::logged_in`]. If the server requires no login, the caller
    /// uses the connection from here on.
    LogIn,
    /// Use the connection. The client demands nothing more.
    Ready,
    /// Close the connection: it lacks a latched facility.
    Refused(LatchFailure),
    /// Close the connection and send nothing: the server's certificate is not accepted. No latch was involved.
    RefusedCertificate(CertificateFailure),
}

/// A protocol of a [`Client`]. The trait is sealed: its implementations are [`Imap`](crate::imap::Imap),
/// [`Pop`](crate::pop::Pop) and [`Smtp`](crate::smtp::Smtp).
pub trait Protocol: Dialogue {}

/// The client's side of a connection, from before its first byte until the caller logs in. If the caller calls
/// [`logged_in`](Self::logged_in), the client also latches the tags that are known after login only.
///
/// The caller does what [`demand`](Self::demand) returns until that is [`Demand::Ready`], [`Demand::Refused`], or an
/// error. The server's bytes may be split in any way. After a failure nothing is sent but the report of it
/// (draft-newman-email-deep-02 section 7.1), and that over TLS only.
///
/// The features `stream` and `connector` do this for tokio and rustls. Another stream or TLS engine is used like this:
///
/// ```
/// use deep_latch::{
///     LatchRecord, TlsFacts,
///     client::{Client, Demand, Protocol},
///     facts::Login,
///     failure::{Action, HandshakeFault},
/// };
/// # use std::error::Error;
///
/// /// The application's connection.
/// trait Connection {
///     fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Box<dyn Error>>;
///     fn write(&mut self, bytes: &[u8]) -> Result<(), Box<dyn Error>>;
///     fn start_tls(&mut self) -> Result<TlsFacts, HandshakeFault>;
///     fn log_in(&mut self, already_read: Vec<u8>) -> Result<Login, Box<dyn Error>>;
///     fn store(&mut self, record: &LatchRecord) -> Result<(), Box<dyn Error>>;
/// }
///
/// /// Establishes a connection. Returns the actions that the user may be offered if it is refused.
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
///             Demand::Send(bytes) => {
///                 connection.write(&bytes)?;
///                 client.sent();
///             }
///             Demand::Store => {
///                 connection.store(client.session().record())?;
///                 client.stored();
///             }
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
            core: Core::new(session, options, phase),
            protocol,
        };
        if phase == Phase::Receiving {
            let begun = client.protocol.begin(&mut client.core, Opening::Greeting);
            client.core.check(begun);
        }
        client
    }

    /// Returns the next action. It is the same until the caller has met it.
    ///
    /// # Errors
    /// Returns the reason why the connection cannot be used. To try again, begin another connection.
    pub fn demand(&mut self) -> Result<Demand, ClientError> {
        loop {
            match self.core.queue.front() {
                Some(Queued::Send(bytes)) => return Ok(Demand::Send(bytes.clone())),
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
                        // The caller's session had ended before.
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

    /// Records that the bytes of [`Demand::Send`] were sent.
    pub fn sent(&mut self) {
        match self.core.queue.front() {
            Some(Queued::Send(_)) => drop(self.core.queue.pop_front()),
            Some(Queued::Store) | None => self.core.out_of_turn(),
        }
    }

    /// Records that the record was stored, as [`Demand::Store`] demands.
    pub fn stored(&mut self) {
        match self.core.queue.front() {
            Some(Queued::Store) => drop(self.core.queue.pop_front()),
            Some(Queued::Send(_)) | None => self.core.out_of_turn(),
        }
    }

    /// Takes bytes of the server, split in any way. Bytes after the last expected response are for
    /// [`take_leftover`](Self::take_leftover).
    pub fn receive(&mut self, bytes: &[u8]) {
        match self.core.phase {
            Phase::Receiving => self.core.input.extend(bytes),
            _ if bytes.is_empty() => {}
            Phase::StartTls => self.core.fail(ClientError::Injected),
            _ => self.core.out_of_turn(),
        }
    }

    /// Records that the server closed the connection, which is always an error.
    pub const fn end_of_input(&mut self) {
        self.core.ended = true;
    }

    /// Records that the TLS handshake is complete, with the facts of its session.
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
                let opening = match self.core.options.tls {
                    TlsStart::Implicit => Opening::Greeting,
                    TlsStart::StartTls | TlsStart::StartTlsIfOffered => Opening::AfterStartTls,
                };
                self.protocol.begin(&mut self.core, opening)
            }
            (Outcome::Refuse(_), false) | (Outcome::RefuseCertificate(_), _) => {
                self.core.phase = Phase::Refused;
                Ok(())
            }
            // The session lacks a facility that the server advertised in clear.
            _ => Err(ClientError::NoTls),
        };
        self.core.check(begun);
    }

    /// Records that the TLS handshake failed, or that there was no connection for it. The reason decides between a
    /// missing latched facility, a refused certificate, and a failure that says nothing about the server.
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

    /// Records that the caller logged in, and gives the connection back to the client.
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

    /// Returns the bytes that were read and belong to the caller, once [`Demand::LogIn`] or [`Demand::Ready`] is
    /// reached. They precede the bytes that are read next. They contain the unsolicited responses of IMAP, also
    /// those between the responses that the client asked for.
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

    /// Returns the server's first response, with its line breaks; empty before it was received. POP's has the
    /// timestamp for APOP, and a library that gets the connection may wait for a greeting. It came in clear if TLS
    /// began by STARTTLS.
    #[must_use]
    pub fn greeting(&self) -> &[u8] {
        &self.core.greeting
    }

    /// Returns the capabilities that the server listed: words of IMAP, lines of the answer to CAPA or EHLO. A list
    /// from before TLS is dropped when TLS begins.
    pub fn capabilities(&self) -> impl Iterator<Item = &str> {
        self.core.capabilities.iter().map(String::as_str)
    }

    pub(crate) const fn protocol_mut(&mut self) -> &mut P {
        &mut self.protocol
    }

    pub(crate) const fn protocol(&self) -> &P {
        &self.protocol
    }

    /// Returns the latch machine of the connection: its record is to be stored, its requirements are for the TLS
    /// engine.
    #[must_use]
    pub const fn session(&self) -> &LatchSession {
        &self.core.session
    }

    /// Returns the events since the last call.
    #[must_use]
    pub fn take_events(&mut self) -> Vec<ClientEvent> {
        mem::take(&mut self.core.events)
    }
}
