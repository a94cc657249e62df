//! Feature `async-imap`: a connection as a client of `async-imap`.

use std::time::Duration;

use deep_latch::connection::{TimeLimited, WholeLines};

use super::{AdapterError, Connection, Stream};
use crate::service::Protocol;

/// The stream of a client of `async-imap`.
pub type ImapStream = WholeLines<TimeLimited<Stream>>;

impl Connection {
    /// Returns the connection as a client of `async-imap`, which may log in.
    ///
    /// No read and no write may then take longer than `limit`. A session that idles (RFC 2177) waits for the server:
    /// give it a limit above the time of its `IDLE`.
    ///
    /// # Errors
    /// Returns [`AdapterError::Service`] for another protocol than IMAP, and [`AdapterError::LoggedIn`] after
    /// `PREAUTH`.
    pub fn into_async_imap(
        self,
        limit: Duration,
    ) -> Result<::async_imap::Client<ImapStream>, AdapterError> {
        if self.service.protocol != Protocol::Imap {
            return Err(AdapterError::Service {
                expected: Protocol::Imap,
                found: self.service,
            });
        }
        if self.greeting.authenticated {
            return Err(AdapterError::LoggedIn);
        }
        let stream = TimeLimited::new(self.stream, limit);
        Ok(::async_imap::Client::new(WholeLines::new(stream)))
    }
}
