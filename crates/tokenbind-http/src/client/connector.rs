//! Feature `tokio`: connects with TLS and offers Token Binding.

use std::{fmt, io, sync::Arc};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    client::{connection::Connection, state::State},
    origin::Origin,
    tls::{client_session, is_http2},
    tls_unique::CaptureFuture,
};

/// A connector that does TLS handshakes for a client, with a configuration of
/// [`client_config`](crate::tls::client_config).
#[derive(Clone)]
pub struct Connector {
    config: Arc<ClientConfig>,
    state: Arc<State>,
}

/// A client's TLS stream and the state of its connection.
#[derive(Debug)]
pub struct Stream<IO> {
    /// The TLS stream.
    pub stream: TlsStream<IO>,
    /// The connection's state, which writes the header of each request.
    pub connection: Arc<Connection>,
}

impl<IO> Stream<IO> {
    /// Returns `true` if HTTP/2 was negotiated, with or without Token Binding.
    #[must_use]
    pub fn is_http2(&self) -> bool {
        is_http2(self.stream.get_ref().1)
    }
}

impl Connector {
    /// Creates a connector for this client. TLS sessions are those of `state`, so that a reset drops them: the
    /// `resumption` of `config` is not used, see [`Options::tls_sessions`](super::Options::tls_sessions).
    #[must_use]
    pub const fn new(config: Arc<ClientConfig>, state: Arc<State>) -> Self {
        Self { config, state }
    }

    /// Returns the client's state.
    #[must_use]
    pub const fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Does the handshake on a stream to `origin`'s host, and checks what the server chose.
    ///
    /// If keys are reset during the handshake, the connection is returned and sends nothing
    /// ([`ClientError::KeysReset`](super::ClientError::KeysReset)): it may have resumed a session from before.
    ///
    /// # Errors
    /// The error of the stream or of rustls if the handshake fails;
    /// [`SessionError`](crate::tls::SessionError) if the server chose what it must not.
    pub async fn connect<IO>(&self, origin: Origin, stream: IO) -> io::Result<Stream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let host = origin.host().trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let opening = self.state.opening();
        let config = Arc::new(self.state.tls_config(&self.config));
        let connector = TlsConnector::from(config.clone());
        let handshake = CaptureFuture::starting(|| connector.connect(name, stream));
        let (stream, capture) = handshake.await;
        let stream = stream?;
        let session = client_session(stream.get_ref().1, &config, &capture)?;
        let connection = Arc::new(self.state.opened(opening, origin, session));
        Ok(Stream { stream, connection })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}
