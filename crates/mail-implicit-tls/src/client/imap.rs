//! Feature `async-imap`: a connection as a client of `async-imap`.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{AdapterError, Connection, Stream, library::Timed};
use crate::service::Protocol;

/// The number of octets of a line that are held back.
const MAX_HELD_BYTES: usize = 8192;

/// The stream of a client of `async-imap`. It gives whole lines, since the parser of `async-imap` rejects some lines
/// that are cut. A response ends with a line, so no caller waits for octets that are held back; the rest of a line of
/// more than 8 KiB is not held back.
#[derive(Debug)]
pub struct ImapStream {
    stream: Timed,
    held: Vec<u8>,
    /// The number of octets that may be given away.
    whole: usize,
    ended: bool,
}

impl ImapStream {
    /// Returns the stream beneath.
    #[must_use]
    pub const fn get_ref(&self) -> &Stream {
        self.stream.get_ref()
    }
}

impl AsyncRead for ImapStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.whole == 0 && !this.ended {
            let mut octets = [0; 4096];
            let mut read = ReadBuf::new(&mut octets);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut read))?;
            this.ended = read.filled().is_empty();
            this.held.extend_from_slice(read.filled());
            let line = this.held.iter().rposition(|octet| *octet == b'\n');
            this.whole = match line {
                _ if this.ended || this.held.len() > MAX_HELD_BYTES => this.held.len(),
                Some(end) => end.saturating_add(1),
                None => 0,
            };
        }
        let length = this.whole.min(buffer.remaining());
        buffer.put_slice(this.held.get(..length).unwrap_or_default());
        this.held.drain(..length);
        this.whole = this.whole.saturating_sub(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ImapStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

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
        Ok(::async_imap::Client::new(ImapStream {
            stream: Timed::new(self.stream, limit),
            held: Vec::new(),
            whole: 0,
            ended: false,
        }))
    }
}
