//! One handshake of a server or of a client, in order.

use std::{fmt, sync::Arc};

use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use tokenbind_wire::Session;

use crate::{
    tls::{
        client_hello::Choice,
        configs::{ServerConfigs, SessionError, client_session},
    },
    tls_unique::Capture,
};

/// The negotiation on one connection of a server.
///
/// [`ServerConfigs::negotiate`] chooses the configuration. Make the connection and do its handshake
/// inside [`drive`](Self::drive). Then [`finish`](Self::finish) returns the result, once.
///
/// ```
/// use rustls::{Error, ServerConnection};
/// use tokenbind_http::tls::ServerConfigs;
/// use tokenbind_wire::Session;
///
/// /// `records` are those that the client's connection begins with.
/// fn accept(
///     configs: &ServerConfigs,
///     records: &[u8],
///     handshake: impl FnOnce(&mut ServerConnection) -> Result<(), Error>,
/// ) -> Result<(ServerConnection, Option<Session>), Box<dyn std::error::Error>> {
///     let mut negotiation = configs.negotiate(records);
///     let connection = negotiation.drive(|config| {
///         let mut connection = ServerConnection::new(config.clone())?;
///         handshake(&mut connection)?;
///         Ok::<_, Error>(connection)
///     })?;
///     let session = negotiation.finish(&connection)?;
///     Ok((connection, session))
/// }
/// ```
#[must_use]
pub struct ServerNegotiation<'c> {
    configs: &'c ServerConfigs,
    config: Arc<ServerConfig>,
    choice: Choice,
    capture: Capture,
}

impl ServerConfigs {
    /// Begins the negotiation with a client whose connection begins with these TLS records.
    pub fn negotiate(&self, records: &[u8]) -> ServerNegotiation<'_> {
        let (config, choice) = self.choose(records);
        ServerNegotiation {
            configs: self,
            config,
            choice,
            capture: Capture::new(),
        }
    }
}

impl ServerNegotiation<'_> {
    /// Returns the choice of the configuration.
    pub const fn choice(&self) -> Choice {
        self.choice
    }

    /// Runs `drive`, which makes the connection from the chosen configuration, or reads and writes for
    /// it. It must not drive another connection. Call this method as often as the handshake needs.
    pub fn drive<R>(&mut self, drive: impl FnOnce(&Arc<ServerConfig>) -> R) -> R {
        let config = &self.config;
        self.capture.scope(|| drive(config))
    }

    /// Returns what the finished handshake negotiated; `None` without Token Binding.
    ///
    /// # Errors
    /// As [`ServerConfigs::session`]: close the connection.
    pub fn finish(self, connection: &ServerConnection) -> Result<Option<Session>, SessionError> {
        self.configs.session(self.choice, connection, &self.capture)
    }
}

impl fmt::Debug for ServerNegotiation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerNegotiation")
            .field("choice", &self.choice)
            .field("capture", &self.capture)
            .finish_non_exhaustive()
    }
}

/// The negotiation on one connection of a client.
///
/// Make the connection and do its handshake inside [`drive`](Self::drive). Then
/// [`finish`](Self::finish) returns the result, once.
#[must_use]
pub struct ClientNegotiation {
    config: Arc<ClientConfig>,
    capture: Capture,
}

impl ClientNegotiation {
    /// Begins a negotiation with this configuration, which is that of
    /// [`client_config`](crate::tls::client_config).
    pub fn new(config: Arc<ClientConfig>) -> Self {
        let capture = Capture::new();
        Self { config, capture }
    }

    /// Runs `drive`, which makes the connection from the configuration, or reads and writes for it. It
    /// must not drive another connection. Call this method as often as the handshake needs.
    pub fn drive<R>(&mut self, drive: impl FnOnce(&Arc<ClientConfig>) -> R) -> R {
        let config = &self.config;
        self.capture.scope(|| drive(config))
    }

    /// Returns what the finished handshake negotiated; `None` without Token Binding.
    ///
    /// # Errors
    /// As [`client_session`](crate::tls::client_session): close the connection.
    pub fn finish(self, connection: &ClientConnection) -> Result<Option<Session>, SessionError> {
        client_session(connection, &self.config, &self.capture)
    }
}

impl fmt::Debug for ClientNegotiation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientNegotiation")
            .field("capture", &self.capture)
            .finish_non_exhaustive()
    }
}
