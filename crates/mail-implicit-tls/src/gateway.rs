//! Feature `gateway`: sessions of a gateway that ends TLS before mail servers of any make (draft-newman-email-deep-02
//! sections 7.1 to 7.3 and 9.2).
//!
//! A session is between one client and one backend. It does no I/O: the caller feeds the octets of both sides in, and
//! sends the octets for both sides. The backend receives no command that the session did not parse, and only commands
//! that are permitted through a gateway. After login, sessions of IMAP and POP become pipes of octets; a session of
//! Submission is parsed to its end.
//!
//! No password is kept, and no event has octets of a peer but the report of a client, which is parsed.

mod backend;
mod backends;
mod error;
mod event;
mod facts;
mod greeting;
mod imap;
mod inbound;
mod notice;
mod options;
mod penalty;
mod places;
mod pop;
mod probe;
pub mod proxy_protocol;
mod relay;
mod running;
mod serving;
mod shared;
mod source;
mod submission;
pub mod xclient;

use std::fmt;

pub use self::{
    backend::{Backend, OpenFailure},
    backends::{BackendHealth, BackendNotice, Backends, Balance},
    error::{GatewayError, GatewayErrorKind, Side},
    event::{BackendFailure, Event, Mechanism, Refusal},
    facts::{ClientFacts, SessionId},
    imap::ImapGateway,
    notice::{Notice, Observer, RefusalReason, SessionEnd},
    options::{AfterLogin, ClientAddress, ExternalLogin, GatewayOptions, MasterUser, OptionsError},
    penalty::PenaltyRules,
    places::{LimitReached, SessionLimits},
    pop::{MAX_POP_COMMAND_BYTES, PopGateway},
    probe::Probed,
    relay::Carried,
    serving::{CurrentService, GatewayService},
    shared::{SessionTimes, Shared},
    submission::{MAX_OWN_REPLIES, MAX_SUBMISSION_COMMAND_BYTES, SubmissionGateway},
};

/// A session between a client and a backend.
pub trait GatewaySession: fmt::Debug + Send {
    /// Takes octets of the client.
    ///
    /// # Errors
    /// Returns an error if one of the sides does not follow its protocol. The caller sends the octets that are left for
    /// the client, and closes both connections.
    fn client_sent(&mut self, octets: &[u8]) -> Result<(), GatewayError>;

    /// Takes octets of the backend.
    ///
    /// # Errors
    /// Returns an error if one of the sides does not follow its protocol. The caller sends the octets that are left for
    /// the client, and closes both connections.
    fn backend_sent(&mut self, octets: &[u8]) -> Result<(), GatewayError>;

    /// Returns the octets to be sent to the client.
    #[must_use]
    fn take_for_client(&mut self) -> Vec<u8>;

    /// Returns the octets to be sent to the backend.
    #[must_use]
    fn take_for_backend(&mut self) -> Vec<u8>;

    /// Returns `true` if the client's octets should be read: few enough wait for the backend's answers.
    #[must_use]
    fn may_receive(&self) -> bool;

    /// Returns `true` if the session needs more octets of the client to continue. After the client's end the caller closes the
    /// sending side to the backend only then, and not while a command waits for the reply to the one before.
    #[must_use]
    fn awaits_client(&self) -> bool;

    /// Returns `true` if the session became a pipe: the caller takes the octets for both sides and the events, and then
    /// copies octets without the session, which it can drop.
    #[must_use]
    fn is_pipe(&self) -> bool;

    /// Returns `true` if the session has ended: the caller sends the octets that are left, and closes both connections.
    #[must_use]
    fn is_over(&self) -> bool;

    /// Returns the next event.
    #[must_use]
    fn next_event(&mut self) -> Option<Event>;

    /// Ends the session because the backend is not available. Before login the client receives the protocol's words for
    /// it (`* BYE [UNAVAILABLE]`, RFC 5530; `-ERR [SYS/TEMP]`, RFC 3206; `421`, RFC 5321), after login nothing: a line
    /// could appear within a response.
    fn backend_failed(&mut self, failure: BackendFailure);
}
