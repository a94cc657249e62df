//! Events for logs and counters.

use alloc::{string::String, vec::Vec};

use crate::{
    strip::{Disguise, Removal, StripReason},
    tls::TlsResult,
};

/// A field that was removed, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Removed {
    /// The reason.
    pub reason: StripReason,
    /// The disguise of the field, if only some readers see it.
    pub disguise: Option<Disguise>,
}

impl From<&Removal> for Removed {
    fn from(removal: &Removal) -> Self {
        Self {
            reason: removal.reason,
            disguise: removal.disguise,
        }
    }
}

/// The reason for which the filter fails on a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The header exceeds the limit.
    HeaderTooLong,
    /// The field cannot be written.
    Field,
}

impl Failure {
    /// Returns the name that conformance vectors and logs use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HeaderTooLong => "header-too-long",
            Self::Field => "field",
        }
    }
}

/// The end of the work on a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A field with this result was inserted.
    Added(TlsResult),
    /// No field was inserted, as configured for this client.
    NotAdded,
    /// The message was not changed, as configured for this client, e.g. a trusted one.
    Unchanged,
    /// The filter failed, and replied as configured.
    Failed(Failure),
}

/// A message that passed the filter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageReport {
    /// The queue id, if the MTA sent one of at most 64 visible ASCII characters.
    pub queue_id: Option<String>,
    /// The outcome.
    pub outcome: Outcome,
    /// The fields that were removed, in the order of the header.
    pub removed: Vec<Removed>,
}

/// An event for logs and counters. No event contains octets of the client, except the queue id that the MTA made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The options were negotiated, with this version.
    Negotiated(u32),
    /// A message ended.
    Message(MessageReport),
    /// The MTA abandoned a message.
    Aborted,
}
