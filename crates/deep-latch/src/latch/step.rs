//! Events of a connection, and the result of each: the decision and the changes.

use alloc::vec::Vec;
use core::fmt;

use crate::{
    facility::Authentication,
    facts::{Login, ProtocolVersion, TlsFacts},
    failure::{CertificateFailure, CertificateFault, HandshakeFault, LatchFailure, Stage},
    status::DeepStatus,
    tag::SecurityTag,
};

/// The requirements of a host's latches for a connection, known before it is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// TLS is required, from the beginning or by STARTTLS.
    pub tls: bool,
    /// The earliest version of TLS that the TLS engine may offer.
    pub min_version: Option<ProtocolVersion>,
    /// A certificate of this host that PKIX verifies is required.
    pub pkix: bool,
    /// A certificate of this host that DANE verifies is required.
    pub dane: bool,
}

/// An event of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The server does not offer TLS, or refuses STARTTLS.
    NoTls,
    /// The TLS handshake failed, or there was no connection for it. The failure concerns the latched tags that the
    /// reason contradicts: all tags if TLS could not be negotiated, the tags of the certificate if that was refused,
    /// and no tag if the connection broke.
    HandshakeFailed(HandshakeFault),
    /// The TLS handshake is complete.
    Handshake(TlsFacts),
    /// The server advertised its status: in clear or over TLS, as the connection is at this moment.
    Status(&'a DeepStatus<'a>),
    /// The server advertises no status, or a malformed one.
    NoStatus,
    /// The client logged in, or the server treats it as logged in by its certificate (`PREAUTH` in IMAP).
    LoggedIn(Login),
}

/// The decision about a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// The client may continue.
    Continue,
    /// The client must begin TLS before anything else. It must not log in, and must drop everything that the server
    /// sent so far.
    StartTls,
    /// The client must close the connection: it lacks a latched facility. Over TLS the failure may be reported to the
    /// server before ([`LatchFailure::may_report`]).
    Refuse(LatchFailure),
    /// The client must close the connection and send nothing: the server's certificate is not accepted. No latch was
    /// involved.
    RefuseCertificate(CertificateFailure),
    /// The connection failed, or lacks a facility that the server itself advertised in clear; no latch was involved.
    /// [`Transition::HandshakeFailed`] and [`Transition::NotNegotiated`] distinguish the two.
    Over,
}

/// The basis on which a tag was latched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Basis {
    /// The server, which is not authenticated, advertised the tag after the facility was negotiated. Only tls10 and
    /// tls12 are latched on this basis.
    Negotiated,
    /// The server was authenticated.
    Authenticated(Authentication),
}

/// The reason why an advertised tag was not latched, or a status not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The tag or status was advertised in clear.
    InClear,
    /// The server is not authenticated.
    ServerNotAuthenticated,
    /// The connection does not achieve the tag.
    NotAchieved,
    /// The tag is unknown to this client.
    Unknown,
    /// The connection is refused already (example 2 of section 7.1).
    Refused,
}

/// A change of a step, or the reason why there was none: for a log, and for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transition {
    /// A tag is latched from now on.
    Latched(SecurityTag<'static>, Basis),
    /// An advertised tag is not latched.
    NotLatched(SecurityTag<'static>, Reason),
    /// The status is recorded with the host.
    Recorded(DeepStatus<'static>),
    /// An advertised status is not recorded.
    NotRecorded(Reason),
    /// The host, which is authenticated, advertises no status any more. Latches and the recorded status stay.
    Withdrawn,
    /// The connection is refused for these latched tags.
    Refused(Stage, Vec<SecurityTag<'static>>),
    /// The connection is refused for the server's certificate, which concerns no latched tag.
    CertificateRefused(CertificateFault),
    /// The handshake failed for a reason that concerns no latched tag.
    HandshakeFailed(HandshakeFault),
    /// The server advertised these of tls10 and tls12 in clear, and they were not negotiated: the
    /// connection is not used (section 5.1).
    NotNegotiated(Vec<SecurityTag<'static>>),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InClear => "advertised in clear",
            Self::ServerNotAuthenticated => "the server is not authenticated",
            Self::NotAchieved => "not achieved",
            Self::Unknown => "not known to this client",
            Self::Refused => "the connection is refused",
        })
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latched(tag, Basis::Negotiated) => write!(f, "{tag} latched: negotiated"),
            Self::Latched(tag, Basis::Authenticated(by)) => {
                let by = match by {
                    Authentication::Pkix => "PKIX",
                    Authentication::Dane => "DANE",
                    Authentication::ScramPlus => "SCRAM with channel binding",
                };
                write!(f, "{tag} latched: server authenticated by {by}")
            }
            Self::NotLatched(tag, reason) => write!(f, "{tag} not latched: {reason}"),
            Self::Recorded(status) => write!(f, "status recorded: {status}"),
            Self::NotRecorded(reason) => write!(f, "status not recorded: {reason}"),
            Self::Withdrawn => {
                f.write_str("the server advertises no status any more; latches stay")
            }
            Self::Refused(stage, tags) => {
                let stage = match stage {
                    Stage::Connecting => "before connecting",
                    Stage::NoTls => "no TLS",
                    Stage::HandshakeFailed => "the handshake failed",
                    Stage::Handshake => "after the handshake",
                    Stage::Login => "after login",
                };
                write!(f, "refused ({stage}):")?;
                tags.iter().try_for_each(|tag| write!(f, " {tag}"))
            }
            Self::CertificateRefused(fault) => write!(f, "refused: {fault}"),
            Self::HandshakeFailed(fault) => write!(f, "the handshake failed: {fault}"),
            Self::NotNegotiated(tags) => {
                f.write_str("advertised in clear, and not negotiated:")?;
                tags.iter().try_for_each(|tag| write!(f, " {tag}"))
            }
        }
    }
}

/// The result of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Step {
    /// The decision.
    pub outcome: Outcome,
    /// The changes. If a tag was latched or a status recorded, the record must be stored before the connection is used
    /// further.
    pub transitions: Vec<Transition>,
}

impl Step {
    pub(super) const fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            transitions: Vec::new(),
        }
    }

    /// Returns `true` if the record changed and must be stored.
    #[must_use]
    pub fn changes_record(&self) -> bool {
        let changes = |transition: &Transition| {
            matches!(
                transition,
                Transition::Latched(..) | Transition::Recorded(_)
            )
        };
        self.transitions.iter().any(changes)
    }
}
