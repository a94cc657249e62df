//! A stream whose reads and writes have a time limit.

use alloc::boxed::Box;
use core::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use std::io;

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// A stream whose reads and writes have a time limit, for libraries that set none.
#[derive(Debug)]
pub struct TimeLimited<S> {
    stream: S,
    limit: Duration,
    sleep: Pin<Box<Sleep>>,
    /// `true` while the time runs.
    waits: bool,
}

impl<S> TimeLimited<S> {
    /// Wraps a stream. A read or write that takes longer than `limit` fails with
    /// [`TimedOut`](io::ErrorKind::TimedOut).
    #[must_use]
    pub fn new(stream: S, limit: Duration) -> Self {
        Self {
            stream,
            limit,
            sleep: Box::pin(sleep(limit)),
            waits: false,
        }
    }

    /// Returns the underlying stream.
    #[must_use]
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Checks the time limit if the stream is not ready.
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
            // A time that the clock cannot represent is no limit.
            let Some(end) = Instant::now().checked_add(self.limit) else {
                return Poll::Pending;
            };
            self.sleep.as_mut().reset(end);
            self.waits = true;
        }
        ready!(self.sleep.as_mut().poll(context));
        self.waits = false;
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TimeLimited<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.timed(context, polled)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TimeLimited<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
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
