//! The events of a client, for a log and for the user.

use alloc::string::String;
use core::fmt;

use crate::{error::ParseError, latch::Transition, status::Diagnostic};

/// An event of a connection, for a log and for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// A decision of the latch machine.
    Transition(Transition),
    /// A text that "MUST be presented to the user" (`[ALERT]`, RFC 3501 section 7.1), from a response that the
    /// caller does not get. Control characters are removed.
    Alert {
        /// The server's text. Before TLS anyone on the network path may have written it.
        text: String,
        /// `true` if the text came over TLS.
        over_tls: bool,
    },
    /// A deviation in the server's status that [`ClientOptions::status`](super::ClientOptions::status) allows.
    Leniency(Diagnostic),
    /// The server's status is malformed and is treated as absent.
    UnreadableStatus(ParseError),
    /// A report was sent to the server: the latched tags, or the tags that failed.
    Reported {
        /// `true` if the server answered OK, or 250.
        accepted: bool,
    },
    /// A failure was not reported, or the server did not acknowledge the report; or nothing was reported because
    /// the protocol cannot carry the client's name or version.
    NotReported,
}

impl fmt::Display for ClientEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transition(transition) => transition.fmt(f),
            Self::Alert { text, .. } => write!(f, "alert of the server: {text}"),
            Self::Leniency(what) => write!(f, "status accepted with a warning: {what}"),
            Self::UnreadableStatus(error) => write!(f, "malformed status ignored: {error}"),
            Self::Reported { accepted: true } => f.write_str("report accepted by the server"),
            Self::Reported { accepted: false } => f.write_str("report refused by the server"),
            Self::NotReported => f.write_str("no report acknowledged by the server"),
        }
    }
}
