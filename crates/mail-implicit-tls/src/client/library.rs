//! The common parts of the adapters for libraries: a stream with a time limit, and their errors.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

use super::Stream;
use crate::service::{Protocol, Service};

/// The reason why a connection was not handed to a library.
#[derive(Debug)]
#[non_exhaustive]
pub enum AdapterError {
    /// The connection is one of another protocol than the library's.
    Service {
        /// The protocol of the library.
        expected: Protocol,
        /// The service of the connection.
        found: Service,
    },
    /// The server accepted the client's certificate (`PREAUTH`), for which `async-imap` has no session:
    /// [`Connection::into_stream`](super::Connection::into_stream) gives the stream.
    LoggedIn,
    /// `lettre` or the server refused it, or it took too long.
    #[cfg(feature = "lettre")]
    Lettre(lettre::transport::smtp::Error),
}

impl fmt::Display for AdapterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service { expected, found } => {
                write!(f, "service: {expected:?} expected but {found} found")
            }
            Self::LoggedIn => f.write_str("greeting: OK expected but PREAUTH found"),
            #[cfg(feature = "lettre")]
            Self::Lettre(error) => write!(f, "lettre: {error}"),
        }
    }
}

impl std::error::Error for AdapterError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            #[cfg(feature = "lettre")]
            Self::Lettre(error) => Some(error),
            _ => None,
        }
    }
}

/// A stream of which no read and no write takes longer than its limit.
#[derive(Debug)]
pub(super) struct Timed {
    stream: Stream,
    limit: Duration,
    sleep: Pin<Box<Sleep>>,
    waits: bool,
}

impl Timed {
    pub(super) fn new(stream: Stream, limit: Duration) -> Self {
        Self {
            stream,
            limit,
            sleep: Box::pin(sleep(limit)),
            waits: false,
        }
    }

    pub(super) const fn get_ref(&self) -> &Stream {
        &self.stream
    }

    /// Lets the time run while the stream is not ready.
    fn timed<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.waits = false;
            return polled;
        }
        if !self.waits {
            self.waits = true;
            // A time beyond what the clock has is no limit.
            let Some(end) = Instant::now().checked_add(self.limit) else {
                self.waits = false;
                return Poll::Pending;
            };
            self.sleep.as_mut().reset(end);
        }
        ready!(self.sleep.as_mut().poll(context));
        self.waits = false;
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.timed(context, polled)
    }
}

impl AsyncWrite for Timed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, octets);
        self.timed(context, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.timed(context, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.timed(context, polled)
    }
}
