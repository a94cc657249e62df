//! The octets between a client and its backend, with back-pressure: octets of a side are read only once those before
//! them have been written to the other side.
//!
//! A relay that has nothing to do has no buffer: octets are read into one of the thread, and only those that the other
//! side does not take at once are kept.

use std::{
    cell::Cell,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use super::{Event, GatewayError, GatewaySession};

/// The size of the buffer of a thread: four records of TLS, which rustls takes at once.
const SCRATCH_BYTES: usize = 65_536;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Calls a function with the buffer of the thread.
fn with_scratch<T>(call: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH.with(|scratch| {
        let mut octets = scratch.take();
        octets.resize(SCRATCH_BYTES, 0);
        let returned = call(&mut octets);
        scratch.set(octets);
        returned
    })
}

/// The octets that a side did not take yet.
#[derive(Debug, Default)]
struct Outgoing {
    octets: Vec<u8>,
    sent: usize,
    /// Octets were written and not flushed.
    is_unflushed: bool,
}

impl Outgoing {
    fn is_empty(&self) -> bool {
        self.octets.is_empty() && !self.is_unflushed
    }

    fn push(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// Writes and flushes. Ready once nothing is left.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        mut to: impl AsyncWrite + Unpin,
    ) -> Poll<io::Result<()>> {
        while let Some(rest) = self.octets.get(self.sent..).filter(|it| !it.is_empty()) {
            let count = ready!(Pin::new(&mut to).poll_write(cx, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent = self.sent.saturating_add(count);
            self.is_unflushed = true;
        }
        self.octets = Vec::new();
        self.sent = 0;
        if self.is_unflushed {
            ready!(Pin::new(&mut to).poll_flush(cx))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes octets as far as they are taken, and keeps the rest.
    fn send(
        &mut self,
        cx: &mut Context<'_>,
        mut to: impl AsyncWrite + Unpin,
        mut octets: &[u8],
    ) -> io::Result<()> {
        while !octets.is_empty() {
            match Pin::new(&mut to).poll_write(cx, octets)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(count) => {
                    octets = octets.get(count..).unwrap_or_default();
                    self.is_unflushed = true;
                }
                Poll::Pending => break,
            }
        }
        self.push(octets);
        Ok(())
    }
}

/// One direction of a relay, and the reading half of the side that it comes from.
#[derive(Debug, Default)]
struct Direction {
    outgoing: Outgoing,
    count: u64,
    /// The side that it comes from sends no more.
    is_ended: bool,
    /// The side that it goes to knows that.
    is_shut: bool,
}

/// A step of a relay that its owner must know about.
#[derive(Debug)]
pub(super) enum Step {
    /// The session has an event.
    Event(Event),
    /// A side did not follow its protocol.
    Violation(GatewayError),
    /// The session became a pipe.
    Pipe,
    /// The session is over, and its last octets have been sent.
    Over,
    /// The client sends no more.
    ClientEnded,
    /// The backend closed its connection, and its last octets have been sent.
    BackendEnded,
    /// The connection to the client is broken.
    ClientFailed(io::Error),
    /// The connection to the backend is broken.
    BackendFailed(io::Error),
}

/// The two connections of a session.
#[derive(Debug)]
pub(super) struct Relay<C, B> {
    client: C,
    backend: B,
    to_client: Direction,
    to_backend: Direction,
    last: Instant,
}

/// The octets that a relay has carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// The number of octets of the client.
    pub from_client: u64,
    /// The number of octets of the backend.
    pub from_backend: u64,
}

/// Reads octets into the buffer of the thread, and feeds them to a function. Returns `None` at the end.
fn poll_fed<T>(
    cx: &mut Context<'_>,
    mut from: impl AsyncRead + Unpin,
    feed: impl FnOnce(&mut Context<'_>, &[u8]) -> T,
) -> Poll<io::Result<Option<(usize, T)>>> {
    with_scratch(|scratch| {
        let mut buffer = ReadBuf::new(scratch);
        ready!(Pin::new(&mut from).poll_read(cx, &mut buffer))?;
        let octets = buffer.filled();
        Poll::Ready(Ok(match octets.len() {
            0 => None,
            count => Some((count, feed(cx, octets))),
        }))
    })
}

impl Direction {
    /// Returns `true` if the side that it comes from may be read: the other one took all octets before.
    fn is_free(&self) -> bool {
        !self.is_ended && self.outgoing.is_empty()
    }

    /// Returns `true` if the side that it comes from has ended, and the other one took all its octets.
    fn is_over(&self) -> bool {
        self.is_ended && self.outgoing.is_empty()
    }

    fn carried(&mut self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.count = self.count.saturating_add(count);
    }

    /// Carries octets from one side to the other. Ready with the octets' fate, or with `None` at the end.
    fn poll_carry(
        &mut self,
        cx: &mut Context<'_>,
        from: impl AsyncRead + Unpin,
        to: impl AsyncWrite + Unpin,
    ) -> Poll<io::Result<Option<io::Result<()>>>> {
        let outgoing = &mut self.outgoing;
        let fed = ready!(poll_fed(cx, from, |cx, octets| outgoing.send(cx, to, octets)))?;
        Poll::Ready(Ok(match fed {
            None => {
                self.is_ended = true;
                None
            }
            Some((count, sent)) => {
                self.carried(count);
                Some(sent)
            }
        }))
    }

    /// Reads octets into a session. Ready with the session's answer, or with `None` at the end.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        from: impl AsyncRead + Unpin,
        receive: impl FnOnce(&[u8]) -> Result<(), GatewayError>,
    ) -> Poll<io::Result<Option<Result<(), GatewayError>>>> {
        let fed = ready!(poll_fed(cx, from, |_, octets| receive(octets)))?;
        Poll::Ready(Ok(match fed {
            None => {
                self.is_ended = true;
                None
            }
            Some((count, answer)) => {
                self.carried(count);
                Some(answer)
            }
        }))
    }
}

impl<C, B> Relay<C, B>
where
    C: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    pub(super) fn new(client: C, backend: B) -> Self {
        Self {
            client,
            backend,
            to_client: Direction::default(),
            to_backend: Direction::default(),
            last: Instant::now(),
        }
    }

    /// Returns the time at which octets were carried last.
    pub(super) const fn last(&self) -> Instant {
        self.last
    }

    pub(super) const fn carried(&self) -> Carried {
        Carried {
            from_client: self.to_backend.count,
            from_backend: self.to_client.count,
        }
    }

    /// Carries octets through a session until there is a step.
    pub(super) async fn next(&mut self, session: &mut dyn GatewaySession) -> Step {
        poll_fn(|cx| self.poll_session(cx, session)).await
    }

    /// Carries octets unchanged until a connection ends or breaks.
    pub(super) async fn pipe(&mut self) -> Step {
        poll_fn(|cx| self.poll_pipe(cx)).await
    }

    /// Sends what is left for the client, and ends its connection with the close alert of TLS.
    pub(super) async fn end(&mut self, rest: &[u8]) -> io::Result<()> {
        let Self {
            client, to_client, ..
        } = self;
        to_client.outgoing.push(rest);
        poll_fn(|cx| {
            ready!(to_client.outgoing.poll_send(cx, &mut *client))?;
            Pin::new(&mut *client).poll_shutdown(cx)
        })
        .await
    }

    /// Writes what is left for both sides, and tells the backend that the client has ended. Returns `true` if nothing is
    /// left.
    fn poll_outgoing(&mut self, cx: &mut Context<'_>) -> Result<bool, Step> {
        let to_client = self.to_client.outgoing.poll_send(cx, &mut self.client);
        let to_backend = self.to_backend.outgoing.poll_send(cx, &mut self.backend);
        let is_sent = to_client.is_ready() && to_backend.is_ready();
        if let Poll::Ready(Err(error)) = to_client {
            return Err(Step::ClientFailed(error));
        }
        if let Poll::Ready(Err(error)) = to_backend {
            return Err(Step::BackendFailed(error));
        }
        if self.to_backend.is_over() && !self.to_backend.is_shut {
            // The backend may still answer. A failure is noticed when its end is read.
            self.to_backend.is_shut = Pin::new(&mut self.backend).poll_shutdown(cx).is_ready();
        }
        Ok(is_sent)
    }

    fn poll_pipe(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        loop {
            if let Err(step) = self.poll_outgoing(cx) {
                return Poll::Ready(step);
            }
            if self.to_client.is_over() {
                return Poll::Ready(Step::BackendEnded);
            }
            let mut is_moved = false;
            if self.to_backend.is_free() {
                let (from, to) = (&mut self.client, &mut self.backend);
                match self.to_backend.poll_carry(cx, from, to) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(Some(Ok(())))) => is_moved = true,
                    Poll::Ready(Ok(None)) => return Poll::Ready(Step::ClientEnded),
                    Poll::Ready(Ok(Some(Err(error)))) => {
                        return Poll::Ready(Step::BackendFailed(error));
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Step::ClientFailed(error)),
                }
            }
            if self.to_client.is_free() {
                let (from, to) = (&mut self.backend, &mut self.client);
                match self.to_client.poll_carry(cx, from, to) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(None | Some(Ok(())))) => is_moved = true,
                    Poll::Ready(Ok(Some(Err(error)))) => {
                        return Poll::Ready(Step::ClientFailed(error));
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Step::BackendFailed(error)),
                }
            }
            if !is_moved {
                return Poll::Pending;
            }
            self.last = Instant::now();
        }
    }

    fn poll_session(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut dyn GatewaySession,
    ) -> Poll<Step> {
        loop {
            // An event comes before the octets that it is about: the answer to a failed login may be delayed.
            if let Some(event) = session.next_event() {
                return Poll::Ready(Step::Event(event));
            }
            self.to_client.outgoing.push(&session.take_for_client());
            self.to_backend.outgoing.push(&session.take_for_backend());
            let is_sent = match self.poll_outgoing(cx) {
                Err(step) => return Poll::Ready(step),
                Ok(is_sent) => is_sent,
            };
            if session.is_over() {
                return match is_sent {
                    true => Poll::Ready(Step::Over),
                    false => Poll::Pending,
                };
            }
            if session.is_pipe() {
                return Poll::Ready(Step::Pipe);
            }
            if self.to_client.is_over() {
                return Poll::Ready(Step::BackendEnded);
            }
            let mut is_moved = false;
            if self.to_backend.is_free() && session.may_receive() {
                let receive = |octets: &[u8]| session.client_sent(octets);
                match self.to_backend.poll_receive(cx, &mut self.client, receive) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(Some(Ok(())))) => is_moved = true,
                    Poll::Ready(Ok(Some(Err(error)))) => {
                        return Poll::Ready(Step::Violation(error));
                    }
                    Poll::Ready(Ok(None)) => return Poll::Ready(Step::ClientEnded),
                    Poll::Ready(Err(error)) => return Poll::Ready(Step::ClientFailed(error)),
                }
            }
            if self.to_client.is_free() {
                let receive = |octets: &[u8]| session.backend_sent(octets);
                match self.to_client.poll_receive(cx, &mut self.backend, receive) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(None | Some(Ok(())))) => is_moved = true,
                    Poll::Ready(Ok(Some(Err(error)))) => {
                        return Poll::Ready(Step::Violation(error));
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Step::BackendFailed(error)),
                }
            }
            if !is_moved {
                return Poll::Pending;
            }
            self.last = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests;
