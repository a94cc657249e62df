//! Feature `tokio`: connects with TLS and offers Token Binding.

use std::{fmt, io, sync::Arc};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    client::{ClientBinding, ClientState},
    configs::client_session,
    origin::Origin,
    tls_unique::CaptureFuture,
};

/// Does TLS handshakes for a client, with a configuration of [`client_config`](crate::client_config).
#[derive(Clone)]
pub struct TokenBindingConnector {
    config: Arc<ClientConfig>,
    state: Arc<ClientState>,
}

/// A client's TLS connection and its state.
#[derive(Debug)]
pub struct ConnectedStream<IO> {
    /// The stream.
    pub stream: TlsStream<IO>,
    /// Writes the header of each request.
    pub binding: Arc<ClientBinding>,
}

impl<IO> ConnectedStream<IO> {
    /// Whether HTTP/2 was negotiated, with or without Token Binding.
    #[must_use]
    pub fn is_http2(&self) -> bool {
        let chosen = self.stream.get_ref().1.alpn_protocol();
        chosen.is_some_and(|chosen| chosen == b"h2" || chosen.starts_with(b"h2_tb_"))
    }
}

impl TokenBindingConnector {
    /// A connector for this client. TLS sessions are those of `state`, so that a reset drops them: the `resumption` of
    /// `config` is not used, see `ClientOptions::tls_sessions`.
    #[must_use]
    pub const fn new(config: Arc<ClientConfig>, state: Arc<ClientState>) -> Self {
        Self { config, state }
    }

    /// The client.
    #[must_use]
    pub const fn state(&self) -> &Arc<ClientState> {
        &self.state
    }

    /// Does the handshake on a stream to `origin`'s host, and checks what the server chose.
    ///
    /// If keys are reset during the handshake, the connection is returned and sends nothing
    /// ([`ClientError::KeysReset`](crate::ClientError::KeysReset)): it may have resumed a session from before.
    ///
    /// # Errors
    /// When the handshake fails, or the server chose what it must not.
    pub async fn connect<IO>(&self, origin: Origin, stream: IO) -> io::Result<ConnectedStream<IO>>
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
        let binding = Arc::new(self.state.opened(opening, origin, session));
        Ok(ConnectedStream { stream, binding })
    }
}

impl fmt::Debug for TokenBindingConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenBindingConnector")
            .finish_non_exhaustive()
    }
}
