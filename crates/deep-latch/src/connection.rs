//! Connections over tokio: [`Client::run`] does what a client demands over a stream, and keeps its latches in a
//! [`LatchStore`]. With the feature `connector`, `LatchConnector` adds TLS of rustls; with `async-imap` and `lettre`, it
//! gives connections to these libraries.

#[cfg(feature = "async-imap")]
#[cfg_attr(docsrs, doc(cfg(feature = "async-imap")))]
mod async_imap;
#[cfg(feature = "connector")]
#[cfg_attr(docsrs, doc(cfg(feature = "connector")))]
mod connector;
#[cfg(feature = "lettre")]
#[cfg_attr(docsrs, doc(cfg(feature = "lettre")))]
mod lettre;
#[cfg(any(feature = "async-imap", feature = "lettre"))]
mod library;
#[cfg(any(feature = "async-imap", feature = "lettre"))]
mod time_limited;
#[cfg(feature = "async-imap")]
mod whole_lines;

use alloc::{vec, vec::Vec};
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use std::{error::Error, io};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

#[cfg(feature = "async-imap")]
#[cfg_attr(docsrs, doc(cfg(feature = "async-imap")))]
pub use self::async_imap::{ImapConnection, ImapLoginError, ImapStream};
#[cfg(feature = "connector")]
#[cfg_attr(docsrs, doc(cfg(feature = "connector")))]
pub use self::connector::{Dane, LatchConnector, MailStream};
#[cfg(feature = "lettre")]
#[cfg_attr(docsrs, doc(cfg(feature = "lettre")))]
pub use self::lettre::{SmtpConnection, SmtpConnectionError};
#[cfg(any(feature = "async-imap", feature = "lettre"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "async-imap", feature = "lettre"))))]
pub use self::time_limited::TimeLimited;
#[cfg(feature = "async-imap")]
#[cfg_attr(docsrs, doc(cfg(feature = "async-imap")))]
pub use self::whole_lines::WholeLines;

use crate::{
    client::{Client, ClientError, Demand, Protocol},
    failure::{Action, CertificateFailure, HandshakeFault, LatchFailure},
    latch::Outcome,
    store::{Account, LatchStore, LatchStoreError},
};

/// The size of the buffer for reading, in bytes.
const READ_BYTES: usize = 4096;

/// The state in which [`Client::run`] returns, and in which the caller has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Pause {
    /// The caller does the TLS handshake, then calls [`Client::handshake`], and [`Client::run`] again over the TLS
    /// stream.
    StartTls,
    /// The caller logs in, then calls [`Client::logged_in`], and [`Client::run`] again.
    LogIn,
    /// The caller uses the connection.
    Ready,
}

/// The reason why a connection failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// The connection lacks a latched facility. The failure has the actions that the user may be offered.
    Refused {
        /// The failure.
        failure: LatchFailure,
        /// The error of the TLS engine, if the handshake failed. Its text can come from an unverified server.
        handshake: Option<io::Error>,
    },
    /// The server's certificate is not accepted, and no latched tag concerns it.
    Certificate {
        /// The failure.
        failure: CertificateFailure,
        /// The error of the TLS engine, if the certificate ended the handshake.
        handshake: Option<io::Error>,
    },
    /// The server violated the protocol, refused a required command, or closed the connection.
    Client(ClientError),
    /// The handshake failed for a reason that concerns no latched tag.
    Handshake {
        /// The reason.
        fault: HandshakeFault,
        /// The error of the TLS engine.
        error: io::Error,
    },
    /// Reading or writing failed, or the connection broke during the handshake: a failure of the transport, which says
    /// nothing about the server.
    Io(io::Error),
    /// The server did not answer in time.
    TimedOut,
    /// The latches could not be stored: the connection must not be used.
    Store(LatchStoreError),
}

impl RunError {
    /// Returns the actions that a user may be offered. No action connects in spite of the failure.
    #[must_use]
    pub fn actions(&self) -> Vec<Action> {
        match self {
            Self::Refused { failure, .. } => failure.actions(),
            Self::Certificate { failure, .. } => failure.actions(),
            Self::Client(_)
            | Self::Handshake { .. }
            | Self::Io(_)
            | Self::TimedOut
            | Self::Store(_) => {
                vec![Action::WorkOffline, Action::TryAgainLater]
            }
        }
    }
}

/// The refusal of [`LatchSession::try_new`](crate::LatchSession::try_new), before there is a connection.
impl From<LatchFailure> for RunError {
    fn from(failure: LatchFailure) -> Self {
        let handshake = None;
        Self::Refused { failure, handshake }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { failure, .. } => failure.fmt(f),
            Self::Certificate { failure, .. } => failure.fmt(f),
            Self::Client(error) => error.fmt(f),
            Self::Handshake { error, .. } => write!(f, "the TLS handshake failed: {error}"),
            Self::Io(error) => error.fmt(f),
            Self::TimedOut => f.write_str("the server did not answer in time"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused { handshake, .. } | Self::Certificate { handshake, .. } => {
                Some(handshake.as_ref()?)
            }
            Self::Client(_) | Self::TimedOut => None,
            // Display writes the error itself.
            Self::Handshake { error, .. } | Self::Io(error) => error.source(),
            Self::Store(error) => error.source(),
        }
    }
}

/// Clients over streams of tokio.
#[cfg_attr(docsrs, doc(cfg(feature = "stream")))]
impl<P: Protocol> Client<P> {
    /// Does what the client demands over a stream, until the caller has to act. A refused connection is closed: a
    /// failure is reported first, then TLS is closed (section 4.4).
    ///
    /// The method has no time limit: use `tokio::time::timeout` around it. When the time is over, use the outcome of
    /// [`session`](Self::session): a server that is slow to take the report of a failure does not undo the failure.
    ///
    /// After the login the stream must give everything that the server sent after its answer to the login. A library
    /// that reads ahead may hold a part of that; the features `async-imap` and `lettre` send the commands through
    /// such libraries instead. Bytes that belong to the caller and were read here are in
    /// [`take_leftover`](Self::take_leftover).
    ///
    /// ```
    /// # use deep_latch::{ImapClient, TlsFacts, connection::{Pause, RunError}, facts::Login};
    /// # use deep_latch::store::{Account, LatchStore};
    /// # async fn f<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    /// #     mut client: ImapClient,
    /// #     store: &dyn LatchStore,
    /// #     account: &Account,
    /// #     mut stream: S,
    /// #     handshake: impl AsyncFnOnce(&mut S) -> TlsFacts,
    /// #     log_in: impl AsyncFnOnce(&mut S),
    /// # ) -> Result<(), RunError> {
    /// // TLS begins with the connection.
    /// assert_eq!(client.run(&mut stream, store, account).await?, Pause::StartTls);
    /// client.handshake(handshake(&mut stream).await);
    /// assert_eq!(client.run(&mut stream, store, account).await?, Pause::LogIn);
    /// log_in(&mut stream).await;
    /// client.logged_in(Login::Done);
    /// assert_eq!(client.run(&mut stream, store, account).await?, Pause::Ready);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`RunError::Refused`] or [`RunError::Certificate`] if the connection is refused, [`RunError::Store`] if
    /// the store failed, and the other variants if the connection failed.
    pub async fn run<S>(
        &mut self,
        stream: &mut S,
        store: &dyn LatchStore,
        account: &Account,
    ) -> Result<Pause, RunError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut buffer = Vec::new();
        loop {
            let done = match self.demand().map_err(RunError::Client)? {
                Demand::StartTls => return Ok(Pause::StartTls),
                Demand::LogIn => return Ok(Pause::LogIn),
                Demand::Ready => return Ok(Pause::Ready),
                Demand::Refused(failure) => {
                    // The result of closing makes no difference.
                    let _ = stream.shutdown().await;
                    let handshake = None;
                    return Err(RunError::Refused { failure, handshake });
                }
                Demand::RefusedCertificate(failure) => {
                    let _ = stream.shutdown().await;
                    let handshake = None;
                    return Err(RunError::Certificate { failure, handshake });
                }
                Demand::Store => {
                    let stored = store.merge(account, self.session().record());
                    stored.await.map_err(RunError::Store)?;
                    self.stored();
                    continue;
                }
                Demand::Send(bytes) => send(stream, &bytes).await.map(|()| self.sent()),
                Demand::Receive => {
                    buffer.resize(READ_BYTES, 0);
                    stream.read(&mut buffer).await.map(|length| {
                        self.receive(buffer.get(..length).unwrap_or_default());
                        if length == 0 {
                            self.end_of_input();
                        }
                    })
                }
            };
            if let Err(error) = done {
                // A report that cannot be sent changes nothing.
                let handshake = None;
                return Err(match self.session().outcome() {
                    Outcome::Refuse(failure) => RunError::Refused { failure, handshake },
                    _ => RunError::Io(error),
                });
            }
        }
    }
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// A stream with bytes that are read before the stream's own: [`Client::take_leftover`], or a greeting that the client has
/// read and that a library waits for.
#[derive(Debug)]
pub struct Rewound<S> {
    before: io::Cursor<Vec<u8>>,
    stream: S,
}

impl<S> Rewound<S> {
    /// Creates a stream with these bytes before it.
    #[must_use]
    pub const fn new(before: Vec<u8>, stream: S) -> Self {
        Self {
            before: io::Cursor::new(before),
            stream,
        }
    }

    /// Puts bytes before the bytes that are read next: [`Client::take_leftover`] after login.
    pub fn rewind(&mut self, mut before: Vec<u8>) {
        if before.is_empty() {
            return;
        }
        let read = usize::try_from(self.before.position()).unwrap_or(usize::MAX);
        before.extend_from_slice(self.before.get_ref().get(read..).unwrap_or_default());
        self.before = io::Cursor::new(before);
    }

    /// Returns the stream, without the bytes before it that were not read.
    #[must_use]
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { before, stream } = &mut *self;
        let filled = buffer.filled().len();
        let read = Pin::new(before).poll_read(context, buffer);
        if buffer.filled().len() > filled || buffer.remaining() == 0 {
            return read;
        }
        Pin::new(stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
