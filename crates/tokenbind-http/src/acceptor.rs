//! Feature `tokio`: accepts TLS connections, with Token Binding for the clients that can.

use std::{
    fmt,
    io::{Error, ErrorKind, IoSlice, Result},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use rustls::server::Acceptor;
use tokenbind_wire::Verify;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};

use crate::{
    client_hello::MAX_CLIENT_HELLO_BYTES,
    configs::ServerConfigs,
    connection::{OnTerminate, TokenBindingConnection},
    server::{Refusal, ServerOptions},
    tls_unique::CaptureFuture,
};

/// Accepts TLS connections on any stream.
#[derive(Clone)]
pub struct TokenBindingAcceptor {
    configs: Arc<ServerConfigs>,
    verifier: Arc<dyn Verify + Send + Sync>,
    options: ServerOptions,
    on_terminate: Option<OnTerminate>,
}

impl TokenBindingAcceptor {
    /// An acceptor that verifies signatures with the configurations' own provider.
    #[must_use]
    pub fn new(configs: ServerConfigs) -> Self {
        Self {
            verifier: Arc::new(configs.verifier()),
            configs: Arc::new(configs),
            options: ServerOptions::default(),
            on_terminate: None,
        }
    }

    /// With other options.
    #[must_use]
    pub fn with_options(mut self, options: ServerOptions) -> Self {
        self.options = options;
        self
    }

    /// With another verifier.
    #[must_use]
    pub fn with_verifier(mut self, verifier: Arc<dyn Verify + Send + Sync>) -> Self {
        self.verifier = verifier;
        self
    }

    /// Calls this once for each connection that is terminated, with the reason.
    #[must_use]
    pub fn on_terminate(mut self, tell: impl Fn(Refusal) + Send + Sync + 'static) -> Self {
        self.on_terminate = Some(Arc::new(tell));
        self
    }

    /// Does the handshake. Wrap it in a timeout.
    ///
    /// # Errors
    /// When the handshake fails, or must not be used.
    pub async fn accept<IO>(&self, stream: IO) -> Result<TokenBindingStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let recorder = Recorder {
            stream,
            records: Some(Vec::new()),
        };
        let mut start = LazyConfigAcceptor::new(Acceptor::default(), recorder).await?;
        let records = start.io.records.take().unwrap_or_default();
        let (config, choice) = self.configs.choose_for(&records, start.client_hello());
        let (stream, capture) = CaptureFuture::starting(|| start.into_stream(config)).await;
        let stream = stream?;
        let session = self.configs.session(choice, stream.get_ref().1, &capture)?;
        let connection = TokenBindingConnection::new(
            session,
            self.verifier.clone(),
            self.options,
            self.on_terminate.clone(),
        );
        Ok(TokenBindingStream { stream, connection })
    }
}

impl fmt::Debug for TokenBindingAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenBindingAcceptor")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// A server's TLS stream that fails to read and write once Token Binding says to terminate.
#[derive(Debug)]
pub struct TokenBindingStream<IO> {
    stream: TlsStream<Recorder<IO>>,
    connection: TokenBindingConnection,
}

impl<IO> TokenBindingStream<IO> {
    /// The connection's state, for a `TokenBindingLayer` or a handler of one's own.
    #[must_use]
    pub const fn connection(&self) -> &TokenBindingConnection {
        &self.connection
    }

    /// The stream below TLS, and the TLS connection.
    #[must_use]
    pub fn get_ref(&self) -> (&IO, &rustls::ServerConnection) {
        let (recorder, connection) = self.stream.get_ref();
        (&recorder.stream, connection)
    }

    /// Whether HTTP/2 was negotiated, with or without Token Binding.
    #[must_use]
    pub fn is_http2(&self) -> bool {
        let chosen = self.stream.get_ref().1.alpn_protocol();
        chosen.is_some_and(|chosen| chosen == b"h2" || chosen.starts_with(b"h2_tb_"))
    }

    fn open(&mut self) -> Result<Pin<&mut TlsStream<Recorder<IO>>>>
    where
        IO: Unpin,
    {
        if self.connection.is_terminated() {
            let reason = self.connection.refusal();
            let kind = ErrorKind::ConnectionAborted;
            return Err(reason.map_or_else(|| kind.into(), |reason| Error::new(kind, reason)));
        }
        Ok(Pin::new(&mut self.stream))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for TokenBindingStream<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        self.open()?.poll_read(context, buffer)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TokenBindingStream<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<Result<usize>> {
        self.open()?.poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.open()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        self.open()?.poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Passes a stream through, and keeps what is read until it is told to stop.
#[derive(Debug)]
struct Recorder<IO> {
    stream: IO,
    records: Option<Vec<u8>>,
}

impl<IO: AsyncRead + Unpin> AsyncRead for Recorder<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if let (Some(records), Some(new)) = (&mut self.records, buffer.filled().get(before..)) {
            // Record headers come on top of the message; rustls ends a longer one before that.
            if records.len().saturating_add(new.len()) > MAX_CLIENT_HELLO_BYTES.saturating_mul(2) {
                return Poll::Ready(Err(ErrorKind::InvalidData.into()));
            }
            records.extend_from_slice(new);
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Recorder<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
