//! A stream that gives whole lines.

use alloc::vec::Vec;
use core::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use std::io;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most octets of a line that are held back.
const MAX_HELD_BYTES: usize = 8192;

/// A stream for `async-imap`. It gives whole lines, since the parser of `async-imap` takes some partial lines for malformed
/// ones: `* I`, if the rest of `* ID` is in the next read. A response ends with a line, so a session never waits for octets
/// that are held back. A line of more than 8 KiB is given in parts.
#[derive(Debug)]
pub struct WholeLines<S> {
    stream: S,
    held: Vec<u8>,
    /// The number of held octets that may be given.
    whole: usize,
    ended: bool,
}

impl<S> WholeLines<S> {
    /// Wraps a stream.
    #[must_use]
    pub const fn new(stream: S) -> Self {
        Self {
            stream,
            held: Vec::new(),
            whole: 0,
            ended: false,
        }
    }

    /// Returns the underlying stream.
    #[must_use]
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WholeLines<S> {
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

impl<S: AsyncWrite + Unpin> AsyncWrite for WholeLines<S> {
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
