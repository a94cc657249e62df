//! Feature `lettre`: a connection as one of `lettre`.

use std::{io, net::SocketAddr, time::Duration};

use deep_latch::connection::TimeLimited;
use lettre::transport::smtp::{
    client::{AsyncSmtpConnection, AsyncTokioStream},
    extension::ClientId,
};

use super::{AdapterError, Connection, Stream};
use crate::service::Protocol;

impl AsyncTokioStream for Stream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp().peer_addr()
    }
}

impl Connection {
    /// Returns the connection as one of `lettre`, which may log in. `lettre` says EHLO again, with the same name.
    ///
    /// No read and no write of `lettre`'s may take longer than `limit`. At the end call
    /// [`abort`](AsyncSmtpConnection::abort), which sends QUIT and then the TLS close alert.
    ///
    /// # Errors
    /// Returns [`AdapterError::Service`] for another protocol than Submission, and [`AdapterError::Lettre`] if
    /// `lettre` or the server refuses it.
    pub async fn into_lettre(self, limit: Duration) -> Result<AsyncSmtpConnection, AdapterError> {
        if self.service.protocol != Protocol::Submission {
            return Err(AdapterError::Service {
                expected: Protocol::Submission,
                found: self.service,
            });
        }
        let hello = ClientId::Domain(self.ehlo.clone());
        let stream = TimeLimited::new(self.into_stream_with_greeting(), limit);
        AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello)
            .await
            .map_err(AdapterError::Lettre)
    }
}
