//! The configuration of a filter.

use super::{command::MAX_PACKET, message::MAX_HEADER};
use crate::{Border, facts::milter::Mta};

/// The reply to a message for which the filter itself fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnFailure {
    /// The client shall send the message again later.
    #[default]
    TemporaryFailure,
    /// The message continues unchanged. Forged fields stay.
    Accept,
}

/// The configuration of a filter.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MilterSettings {
    /// The work on messages.
    pub border: Border,
    /// The MTA. If it is not set, the macro `v` decides: text that begins with `Postfix` is Postfix, and anything else is
    /// Sendmail, whose macros say more about a certificate before it counts as verified.
    pub mta: Option<Mta>,
    /// The reply where the filter fails.
    pub on_failure: OnFailure,
    /// The longest packet in octets.
    pub max_packet: usize,
    /// The longest header of a message in octets.
    pub max_header: usize,
}

impl MilterSettings {
    /// Returns settings with the default limits.
    #[must_use]
    pub const fn new(border: Border) -> Self {
        Self {
            border,
            mta: None,
            on_failure: OnFailure::TemporaryFailure,
            max_packet: MAX_PACKET,
            max_header: MAX_HEADER,
        }
    }
}
