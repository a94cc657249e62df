//! The time that a connection may take over all its steps.

use std::time::Duration;

use tokio::time::Instant;

use crate::failure::Stage;

/// The time that a connection may take from the first question to the DNS until the client may log in.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The deadline of a connection, and the stage that it reached.
pub(super) struct Progress {
    pub(super) deadline: Instant,
    pub(super) stage: Stage,
}

/// Returns the time after another; a time too far to express is a day away.
pub(crate) fn after(begin: Instant, time: Duration) -> Instant {
    const DAY: Duration = Duration::from_secs(86_400);
    begin.checked_add(time.min(DAY)).unwrap_or(begin)
}
