//! Feature `tokio`: accepts TLS connections, with Token Binding if the client supports it.

use std::{
    fmt,
    io::{Error, ErrorKind, IoSlice, Result},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokenbind_wire::Verify;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};

use crate::{
    server::{connection::Connection, state::Options, terminate::TerminateReason},
    tls::{MAX_CLIENT_HELLO_BYTES, ServerConfigs, is_http2},
    tls_unique::CaptureFuture,
};

type OnTerminate = Arc<dyn Fn(TerminateReason) + Send + Sync>;

/// An acceptor of TLS connections on any stream.
#[derive(Clone)]
pub struct Acceptor {
    configs: Arc<ServerConfigs>,
    verifier: Arc<dyn Verify + Send + Sync>,
    options: Options,
    on_terminate: Option<OnTerminate>,
}

impl Acceptor {
    /// Creates an acceptor that verifies signatures with the crypto provider of the configurations.
    #[must_use]
    pub fn new(configs: ServerConfigs) -> Self {
        Self {
            verifier: Arc::new(configs.verifier()),
            configs: Arc::new(configs),
            options: Options::default(),
            on_terminate: None,
        }
    }

    /// Sets other options.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Sets another verifier.
    #[must_use]
    pub fn with_verifier(mut self, verifier: Arc<dyn Verify + Send + Sync>) -> Self {
        self.verifier = verifier;
        self
    }

    /// Sets a function that is called once for each connection that is terminated, with the reason.
    #[must_use]
    pub fn on_terminate(
        mut self,
        report: impl Fn(TerminateReason) + Send + Sync + 'static,
    ) -> Self {
        self.on_terminate = Some(Arc::new(report));
        self
    }

    /// Does the handshake. Wrap it in a timeout.
    ///
    /// # Errors
    /// The error of the stream or of rustls if the handshake fails;
    /// [`SessionError`](crate::tls::SessionError) if the connection must not be used.
    pub async fn accept<IO>(&self, stream: IO) -> Result<Stream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let recorder = Recorder {
            stream,
            records: Some(Vec::new()),
        };
        let mut start =
            LazyConfigAcceptor::new(rustls::server::Acceptor::default(), recorder).await?;
        let records = start.io.records.take().unwrap_or_default();
        let (config, choice) = self.configs.choose_for(&records, start.client_hello());
        let (stream, capture) = CaptureFuture::starting(|| start.into_stream(config)).await;
        let stream = stream?;
        let session = self.configs.session(choice, stream.get_ref().1, &capture)?;
        let connection = Connection::new(session, self.verifier.clone(), self.options);
        let connection = match self.on_terminate.clone() {
            Some(report) => connection.on_terminate(move |reason| report(reason)),
            None => connection,
        };
        Ok(Stream { stream, connection })
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// A server's TLS stream, whose reads and writes fail once the connection is terminated.
#[derive(Debug)]
pub struct Stream<IO> {
    stream: TlsStream<Recorder<IO>>,
    connection: Connection,
}

impl<IO> Stream<IO> {
    /// Returns the connection's state, for a `server::Layer` or another handler of requests.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the stream that carries TLS, and the TLS connection.
    #[must_use]
    pub fn get_ref(&self) -> (&IO, &rustls::ServerConnection) {
        let (recorder, connection) = self.stream.get_ref();
        (&recorder.stream, connection)
    }

    /// Returns `true` if HTTP/2 was negotiated, with or without Token Binding.
    #[must_use]
    pub fn is_http2(&self) -> bool {
        is_http2(self.stream.get_ref().1)
    }

    fn open(&mut self) -> Result<Pin<&mut TlsStream<Recorder<IO>>>>
    where
        IO: Unpin,
    {
        if self.connection.is_terminated() {
            let reason = self.connection.terminate_reason();
            let kind = ErrorKind::ConnectionAborted;
            return Err(reason.map_or_else(|| kind.into(), |reason| Error::new(kind, reason)));
        }
        Ok(Pin::new(&mut self.stream))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        self.open()?.poll_read(context, buffer)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<IO> {
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

/// A stream that keeps a copy of what is read until `records` is taken.
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
            // Twice the limit leaves room for record headers; rustls refuses a longer message earlier.
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// A caller may read into a buffer that has octets already: they are no part of the record.
    #[tokio::test]
    async fn records_what_is_read_behind_the_octets_of_a_buffer() {
        let mut recorder = Recorder {
            stream: &b"hello"[..],
            records: Some(Vec::new()),
        };
        let mut space = [0; 100];
        let mut buffer = ReadBuf::new(&mut space);
        buffer.put_slice(b"earlier ");
        let read = poll_fn(|context| Pin::new(&mut recorder).poll_read(context, &mut buffer));
        read.await.unwrap();
        assert_eq!(buffer.filled(), b"earlier hello");
        assert_eq!(recorder.records.as_deref(), Some(&b"hello"[..]));
    }
}
