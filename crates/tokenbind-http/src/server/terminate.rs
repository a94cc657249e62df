//! The reasons to terminate a connection.

use std::fmt;

use tokenbind_wire as wire;

use crate::header::{HeaderError, HeaderErrorKind};

/// The field of an error about the header itself.
const HEADER: &str = "Token-Binding";

/// The kind of a [`TerminateReason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TerminateKind {
    /// The header is not exactly one canonical base64url value.
    Header(HeaderErrorKind),
    /// The message in the header, or its absence, breaks the protocol.
    Message(wire::TerminateKind),
    /// balfanz-2-1: a later request lacks the header.
    MissingInLaterRequest,
    /// balfanz-2-4: a later request provides another key than the first.
    ProvidedKeyChanged,
    /// popov-3-2: the requests are of another application protocol than the one negotiated.
    ApplicationProtocol,
    /// The field is in a trailer, where no message of Token Binding is defined.
    Trailer,
    /// popov-5-2: HTTP/2 refused the first request before it could be checked: it is malformed, or its
    /// fields are too long.
    UnreadableFirstRequest,
}

impl TerminateKind {
    /// Returns the kind's name as it appears in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header(kind) => kind.name(),
            Self::Message(kind) => kind.name(),
            Self::MissingInLaterRequest => "missing-in-later-request",
            Self::ProvidedKeyChanged => "provided-key-changed",
            Self::ApplicationProtocol => "application-protocol",
            Self::Trailer => "trailer",
            Self::UnreadableFirstRequest => "unreadable-first-request",
        }
    }
}

/// The reason to terminate a connection: kind, field as the drafts spell it, and offset in the
/// header's value or in the message that the value encodes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TerminateReason {
    kind: TerminateKind,
    field: &'static str,
    offset: usize,
    message: Option<wire::TerminateReason>,
}

impl TerminateReason {
    pub(crate) const fn new(kind: TerminateKind, field: &'static str) -> Self {
        Self {
            kind,
            field,
            offset: 0,
            message: None,
        }
    }

    /// A reason about the header as a whole.
    pub(crate) const fn header(kind: TerminateKind) -> Self {
        Self::new(kind, HEADER)
    }

    /// popov-5-3: a message, though Token Binding was not negotiated.
    pub(crate) const NOT_NEGOTIATED: Self = Self::new(
        TerminateKind::Message(wire::TerminateKind::NotNegotiated),
        "TokenBindingMessage",
    );

    /// Returns the kind of the reason.
    #[must_use]
    pub const fn kind(self) -> TerminateKind {
        self.kind
    }

    /// Returns the field that the reason is about.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }

    /// Returns the offset in bytes: from the start of the header's value if [`kind`](Self::kind) is
    /// about the header, else from the start of the message.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }
}

impl From<wire::TerminateReason> for TerminateReason {
    fn from(reason: wire::TerminateReason) -> Self {
        Self {
            kind: TerminateKind::Message(reason.kind()),
            field: reason.field(),
            offset: reason.offset(),
            message: Some(reason),
        }
    }
}

impl From<HeaderError> for TerminateReason {
    fn from(error: HeaderError) -> Self {
        Self {
            offset: error.offset(),
            ..Self::header(TerminateKind::Header(error.kind()))
        }
    }
}

impl fmt::Display for TerminateReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match (self.message, self.kind) {
            (Some(reason), _) => return reason.fmt(f),
            (None, TerminateKind::Header(kind)) => kind.text(),
            (None, TerminateKind::Message(wire::TerminateKind::NotNegotiated)) => {
                "sent, but Token Binding was not negotiated"
            }
            (None, TerminateKind::Message(kind)) => kind.name(),
            (None, TerminateKind::MissingInLaterRequest) => "missing in a request after the first",
            (None, TerminateKind::ProvidedKeyChanged) => {
                "the provided key is not that of the first request"
            }
            (None, TerminateKind::ApplicationProtocol) => {
                "the requests are not of the negotiated protocol"
            }
            (None, TerminateKind::Trailer) => "present in a trailer",
            (None, TerminateKind::UnreadableFirstRequest) => {
                "the first request is malformed or too long"
            }
        };
        write!(f, "{}: {text} at byte {}", self.field, self.offset)
    }
}

impl fmt::Debug for TerminateReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TerminateReason({self})")
    }
}

impl std::error::Error for TerminateReason {}
