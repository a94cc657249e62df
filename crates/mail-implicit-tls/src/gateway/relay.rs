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
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, timeout_at},
};

use super::{Event, GatewayError, GatewaySession};
use crate::client::after;

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

/// The client's side of a relay.
pub(super) trait ClientSide: AsyncRead + AsyncWrite + Unpin {
    /// Returns the number of octets that the network has taken, those of TLS included.
    fn written(&self) -> u64;
}

/// The octets that a side did not take yet.
#[derive(Debug, Default)]
struct Outgoing {
    octets: Vec<u8>,
    sent: usize,
    /// Octets were written and not flushed.
    is_unflushed: bool,
    /// The side took octets since this was last asked.
    is_moved: bool,
    /// The error since which the side takes no more: octets for it are dropped.
    broken: Option<io::ErrorKind>,
}

impl Outgoing {
    fn is_empty(&self) -> bool {
        self.octets.is_empty() && !self.is_unflushed
    }

    fn push(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// Takes note that the side takes no more.
    fn broke(&mut self, kind: io::ErrorKind) {
        *self = Self {
            broken: self.broken.or(Some(kind)),
            ..Self::default()
        };
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
            self.is_moved = true;
        }
        self.octets = Vec::new();
        self.sent = 0;
        if self.is_unflushed {
            ready!(Pin::new(&mut to).poll_flush(cx))?;
            self.is_unflushed = false;
            self.is_moved = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes and flushes, and drops what is left after an error. Returns `true` if nothing is left.
    fn send_rest(&mut self, cx: &mut Context<'_>, to: impl AsyncWrite + Unpin) -> bool {
        if self.broken.is_some() {
            self.octets = Vec::new();
            return true;
        }
        match self.poll_send(cx, to) {
            Poll::Pending => false,
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(error)) => {
                self.broke(error.kind());
                true
            }
        }
    }

    /// Writes octets as far as they are taken, and keeps the rest.
    fn send(&mut self, cx: &mut Context<'_>, mut to: impl AsyncWrite + Unpin, mut octets: &[u8]) {
        while !octets.is_empty() && self.broken.is_none() {
            match Pin::new(&mut to).poll_write(cx, octets) {
                Poll::Ready(Ok(0)) => self.broke(io::ErrorKind::WriteZero),
                Poll::Ready(Ok(count)) => {
                    octets = octets.get(count..).unwrap_or_default();
                    self.is_unflushed = true;
                }
                Poll::Ready(Err(error)) => self.broke(error.kind()),
                Poll::Pending => return self.push(octets),
            }
        }
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
    /// The client sends no more, or the backend takes no more. The backend may still answer what it has.
    Ending,
    /// The backend closed its connection. Its last octets are those of the relay's end.
    BackendEnded,
    /// The client broke its connection by octets that are not TLS.
    ClientFailed(io::ErrorKind),
    /// The connection to the backend is broken. Its last octets are those of the relay's end.
    BackendFailed(io::ErrorKind),
}

/// The two connections of a session.
#[derive(Debug)]
pub(super) struct Relay<C, B> {
    client: C,
    backend: B,
    to_client: Direction,
    to_backend: Direction,
    last: Instant,
    /// The number of octets that the client's network had taken at that time.
    written: u64,
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

    /// Carries octets from one side to the other. Ready with `false` at the end.
    fn poll_carry(
        &mut self,
        cx: &mut Context<'_>,
        from: impl AsyncRead + Unpin,
        to: impl AsyncWrite + Unpin,
    ) -> Poll<io::Result<bool>> {
        let outgoing = &mut self.outgoing;
        let fed = ready!(poll_fed(cx, from, |cx, octets| outgoing.send(cx, to, octets)))?;
        Poll::Ready(Ok(match fed {
            None => {
                self.is_ended = true;
                false
            }
            Some((count, ())) => {
                self.carried(count);
                true
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

/// Returns `true` for an error of a connection that is gone: what its side sent before counts.
const fn is_gone(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::TimedOut
    )
}

impl<C, B> Relay<C, B>
where
    C: ClientSide,
    B: AsyncRead + AsyncWrite + Unpin,
{
    pub(super) fn new(client: C, backend: B) -> Self {
        Self {
            written: client.written(),
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

    /// Returns the error since which the client takes no more.
    pub(super) const fn client_broke(&self) -> Option<io::ErrorKind> {
        self.to_client.outgoing.broken
    }

    /// Sends what is left for the client, and ends its connection with the close alert of TLS. Returns once the client has
    /// taken all, has taken nothing for the time `patience`, or at `until`; `true` if it was waited for.
    ///
    /// Octets of the client are read and dropped meanwhile: a client that writes before it reads does not block.
    pub(super) async fn end(&mut self, rest: &[u8], patience: Duration, until: Instant) -> bool {
        self.to_client.outgoing.push(rest);
        self.last = Instant::now();
        self.patiently(patience, until, Self::poll_end).await
    }

    /// Reads octets of the client up to its own end, and drops them, after [`end`](Self::end): the system resets a
    /// connection that is closed while octets wait to be read, with all that the client did not receive yet. Returns if none
    /// arrive for the time `patience`, and at `until`.
    pub(super) async fn close(&mut self, patience: Duration, until: Instant) {
        if self.to_client.is_shut {
            self.last = Instant::now();
            self.patiently(patience, until, Self::poll_closed).await;
        }
    }

    /// Polls until it is ready, until there was no progress for the time `patience`, or until `until`. Returns `true` if it
    /// was not ready at once.
    async fn patiently(
        &mut self,
        patience: Duration,
        until: Instant,
        poll: fn(&mut Self, &mut Context<'_>) -> Poll<()>,
    ) -> bool {
        let mut polls = 0_usize;
        loop {
            let deadline = after(self.last, patience).min(until);
            let polled = poll_fn(|cx| {
                polls = polls.saturating_add(1);
                poll(self, cx)
            });
            let is_ready = timeout_at(deadline, polled).await.is_ok();
            if is_ready || Instant::now() >= after(self.last, patience).min(until) {
                return polls > 1;
            }
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_sent = self.to_client.outgoing.send_rest(cx, &mut self.client);
        if is_sent && self.client_broke().is_none() {
            match Pin::new(&mut self.client).poll_shutdown(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.to_client.is_shut = true,
                Poll::Ready(Err(error)) => self.to_client.outgoing.broke(error.kind()),
            }
        }
        self.note_progress();
        if self.to_client.is_shut || self.client_broke().is_some() {
            return Poll::Ready(());
        }
        self.drop_octets(cx);
        Poll::Pending
    }

    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.drop_octets(cx) {
            self.last = Instant::now();
        }
        match self.to_backend.is_ended {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Reads octets of the client, and drops them. Returns `true` if there were some.
    fn drop_octets(&mut self, cx: &mut Context<'_>) -> bool {
        let mut are_some = false;
        while !self.to_backend.is_ended {
            match poll_fed(cx, &mut self.client, |_, _| ()) {
                Poll::Pending => break,
                Poll::Ready(Ok(Some(_))) => are_some = true,
                Poll::Ready(Ok(None) | Err(_)) => self.to_backend.is_ended = true,
            }
        }
        are_some
    }

    /// Takes note of the time if a side took octets.
    fn note_progress(&mut self) {
        let mut is_moved = false;
        for direction in [&mut self.to_client, &mut self.to_backend] {
            is_moved |= std::mem::take(&mut direction.outgoing.is_moved);
        }
        let written = self.client.written();
        if is_moved || written != self.written {
            self.written = written;
            self.last = Instant::now();
        }
    }

    /// Writes what is left for both sides, and tells the backend that the client has ended if it can have no more octets of
    /// it. Returns `true` if nothing is left.
    fn poll_outgoing(&mut self, cx: &mut Context<'_>, has_all: bool) -> bool {
        let to_client = self.to_client.outgoing.send_rest(cx, &mut self.client);
        let to_backend = self.to_backend.outgoing.send_rest(cx, &mut self.backend);
        self.note_progress();
        let is_broken = self.to_backend.outgoing.broken.is_some();
        if has_all && self.to_backend.is_over() && !self.to_backend.is_shut && !is_broken {
            // The backend may still answer. A failure is noticed when its end is read.
            self.to_backend.is_shut = Pin::new(&mut self.backend).poll_shutdown(cx).is_ready();
        }
        to_client && to_backend
    }

    /// Returns `true` if the client may be read: the backend takes its octets, and took those before.
    fn reads_client(&self) -> bool {
        self.to_backend.is_free() && self.to_backend.outgoing.broken.is_none()
    }

    /// Returns `true` once if the backend takes no more.
    fn backend_broke(&mut self) -> bool {
        let is_broken = self.to_backend.outgoing.broken.is_some();
        is_broken && !std::mem::replace(&mut self.to_backend.is_shut, is_broken)
    }

    /// Returns the step after the end of the backend. What the backend sent before an error that writing to it had counts,
    /// so the error is returned only then.
    fn backend_ended(&mut self, read: Option<io::ErrorKind>) -> Step {
        self.to_client.is_ended = true;
        match self.to_backend.outgoing.broken.or(read) {
            Some(kind) => Step::BackendFailed(kind),
            None => Step::BackendEnded,
        }
    }

    /// Returns the step after an error of reading from the client.
    fn client_failed(&mut self, kind: io::ErrorKind) -> Step {
        self.to_client.outgoing.broke(kind);
        if !is_gone(kind) {
            return Step::ClientFailed(kind);
        }
        self.client_ended()
    }

    fn client_ended(&mut self) -> Step {
        self.to_backend.is_ended = true;
        self.last = Instant::now();
        Step::Ending
    }

    fn poll_pipe(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        loop {
            self.poll_outgoing(cx, true);
            if self.backend_broke() {
                return Poll::Ready(Step::Ending);
            }
            let mut is_moved = false;
            if self.reads_client() {
                let (from, to) = (&mut self.client, &mut self.backend);
                match self.to_backend.poll_carry(cx, from, to) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(true)) => is_moved = true,
                    Poll::Ready(Ok(false)) => return Poll::Ready(self.client_ended()),
                    Poll::Ready(Err(error)) => {
                        return Poll::Ready(self.client_failed(error.kind()));
                    }
                }
            }
            if self.to_client.is_free() {
                let (from, to) = (&mut self.backend, &mut self.client);
                match self.to_client.poll_carry(cx, from, to) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(true)) => is_moved = true,
                    Poll::Ready(Ok(false)) => return Poll::Ready(self.backend_ended(None)),
                    Poll::Ready(Err(error)) => {
                        return Poll::Ready(self.backend_ended(Some(error.kind())));
                    }
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
            let is_sent = self.poll_outgoing(cx, session.awaits_client());
            if self.backend_broke() {
                return Poll::Ready(Step::Ending);
            }
            if session.is_over() {
                return match is_sent {
                    true => Poll::Ready(Step::Over),
                    false => Poll::Pending,
                };
            }
            if session.is_pipe() {
                return Poll::Ready(Step::Pipe);
            }
            let mut is_moved = false;
            if self.reads_client() && session.may_receive() {
                let receive = |octets: &[u8]| session.client_sent(octets);
                match self.to_backend.poll_receive(cx, &mut self.client, receive) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(Some(Ok(())))) => is_moved = true,
                    Poll::Ready(Ok(Some(Err(error)))) => {
                        return Poll::Ready(Step::Violation(error));
                    }
                    Poll::Ready(Ok(None)) => return Poll::Ready(self.client_ended()),
                    Poll::Ready(Err(error)) => {
                        return Poll::Ready(self.client_failed(error.kind()));
                    }
                }
            }
            if self.to_client.is_free() {
                let receive = |octets: &[u8]| session.backend_sent(octets);
                match self.to_client.poll_receive(cx, &mut self.backend, receive) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(Some(Ok(())))) => is_moved = true,
                    Poll::Ready(Ok(Some(Err(error)))) => {
                        return Poll::Ready(Step::Violation(error));
                    }
                    Poll::Ready(Ok(None)) => return Poll::Ready(self.backend_ended(None)),
                    Poll::Ready(Err(error)) => {
                        return Poll::Ready(self.backend_ended(Some(error.kind())));
                    }
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
