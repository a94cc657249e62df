//! The time that a connection may take over all its steps.

use std::time::Duration;

use tokio::time::Instant;

#[cfg(feature = "monitor")]
use super::handshake::Handshake;
use super::stream::Stream;
use crate::{failure::Stage, verdict::Verdict};

/// The time that a connection may take from the first question to the DNS until the client may log in.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The deadline of a connection, and the point that it reached.
pub(super) struct Progress {
    pub(super) deadline: Instant,
    pub(super) reached: Reached,
}

/// The point that a connection reached.
pub(super) struct Reached {
    pub(super) stage: Stage,
    /// The facts of the handshake, which stay if a later stage fails.
    #[cfg(feature = "monitor")]
    pub(super) tls: Option<Handshake>,
}

impl Reached {
    pub(super) const fn new() -> Self {
        Self {
            stage: Stage::Lookup,
            #[cfg(feature = "monitor")]
            tls: None,
        }
    }

    /// Notes a handshake after which the client accepts the server.
    pub(super) fn encrypted(&mut self, stream: &Stream, verdict: &Verdict) {
        #[cfg(feature = "monitor")]
        {
            self.tls = Handshake::of(stream, verdict);
        }
        #[cfg(not(feature = "monitor"))]
        let _ = (stream, verdict);
    }
}

/// Returns the time after another; a time too far to express is a day away.
pub(crate) fn after(begin: Instant, time: Duration) -> Instant {
    const DAY: Duration = Duration::from_secs(86_400);
    begin.checked_add(time.min(DAY)).unwrap_or(begin)
}
