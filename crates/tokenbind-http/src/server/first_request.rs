//! Feature `hyper`: holds an HTTP/2 connection after its first request until that one was checked.
//!
//! hyper does not hand over all requests: the library below it answers those whose fields are too long with 431, and
//! resets the streams of malformed ones. If that happens to the first, the second would be checked as the first
//! (popov-5-2).

use std::{
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::server::{acceptor::Stream, connection::Connection};

/// The number of octets that precede a client's first frame.
const PREFACE_BYTES: u32 = 24;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// The number of times that hyper may try to read or write before it hands over a request that it has read. hyper
/// hands it over before it reads again; the rest is tolerance.
const MAX_TURNS: u8 = 16;

/// Finds the end of the first request's head.
#[derive(Debug)]
struct HeadScanner {
    /// Octets to skip before the next frame's head.
    skip: u32,
    frame_head: [u8; 9],
    /// The number of octets in `frame_head`.
    filled: usize,
    /// The head ends after the `skip` octets.
    is_last: bool,
}

impl HeadScanner {
    const fn new() -> Self {
        Self {
            skip: PREFACE_BYTES,
            frame_head: [0; 9],
            filled: 0,
            is_last: false,
        }
    }

    /// Takes the next octets. Returns how many of them belong to the head, if its end is among them.
    fn scan(&mut self, octets: &[u8]) -> Option<usize> {
        for (offset, octet) in octets.iter().enumerate() {
            if self.skip > 0 {
                self.skip = self.skip.saturating_sub(1);
            } else if let Some(place) = self.frame_head.get_mut(self.filled) {
                *place = *octet;
                self.filled = self.filled.saturating_add(1);
                if self.filled == self.frame_head.len() {
                    let [high, middle, low, kind, flags, ..] = self.frame_head;
                    self.filled = 0;
                    self.skip = u32::from_be_bytes([0, high, middle, low]);
                    self.is_last =
                        matches!(kind, HEADERS | CONTINUATION) && flags & END_HEADERS != 0;
                }
            }
            if self.is_last && self.skip == 0 {
                return Some(offset.saturating_add(1));
            }
        }
        None
    }
}

#[derive(Debug)]
enum State {
    /// The first request's head is not read.
    Scanning(HeadScanner),
    /// The head is read; these octets came after it.
    Holding { after: Vec<u8>, turns: u8 },
    /// The first request was handed over; these octets are still to be read, from this offset.
    Open { after: Vec<u8>, offset: usize },
}

/// A connection whose first request is handed over before anything after it is read, or anything is written. If it
/// is not handed over, the connection is terminated.
#[derive(Debug)]
pub(crate) struct FirstRequestFirst<S> {
    stream: S,
    connection: Connection,
    handed_over: Arc<AtomicBool>,
    state: State,
}

impl<IO> FirstRequestFirst<Stream<IO>> {
    /// Holds the connection if Token Binding was negotiated for HTTP/2 on it, until `handed_over` is set.
    pub(crate) fn new(stream: Stream<IO>, handed_over: Arc<AtomicBool>) -> Self {
        let connection = stream.connection().clone();
        let state = if stream.is_http2() && connection.session().is_some() {
            State::Scanning(HeadScanner::new())
        } else {
            State::Open {
                after: Vec::new(),
                offset: 0,
            }
        };
        Self {
            stream,
            connection,
            handed_over,
            state,
        }
    }
}

impl<S> FirstRequestFirst<S> {
    /// Returns ready unless the first request is about to be handed over.
    fn poll_open(&mut self, context: &Context<'_>) -> Poll<io::Result<()>> {
        let State::Holding { after, turns } = &mut self.state else {
            return Poll::Ready(Ok(()));
        };
        if self.handed_over.load(Ordering::Acquire) {
            let (after, offset) = (std::mem::take(after), 0);
            self.state = State::Open { after, offset };
            return Poll::Ready(Ok(()));
        }
        if *turns == MAX_TURNS {
            let reason = self.connection.not_handed_over();
            return Poll::Ready(Err(io::Error::new(ErrorKind::ConnectionAborted, reason)));
        }
        *turns = turns.saturating_add(1);
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FirstRequestFirst<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.poll_open(context))?;
        if let State::Open { after, offset } = &mut this.state
            && let Some(rest) = after.get(*offset..).filter(|rest| !rest.is_empty())
        {
            let length = rest.len().min(buffer.remaining());
            buffer.put_slice(rest.get(..length).unwrap_or_default());
            *offset = offset.saturating_add(length);
            if *offset == after.len() {
                *after = Vec::new();
                *offset = 0;
            }
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        if let State::Scanning(scanner) = &mut this.state
            && let Some(new) = buffer.filled().get(before..)
            && let Some(end) = scanner.scan(new)
        {
            let after = new.get(end..).unwrap_or_default().to_vec();
            buffer.set_filled(before.saturating_add(end));
            this.state = State::Holding { after, turns: 0 };
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FirstRequestFirst<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(context))?;
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(context))?;
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokenbind_wire::{KeyParameters, SignatureInvalid, SignedOctets, Verify};

    use super::*;
    use crate::server::Options;

    /// Verifies nothing.
    struct Never;

    impl Verify for Never {
        fn supports(&self, _: KeyParameters) -> bool {
            false
        }

        fn verify_p256(
            &self,
            _: &[u8; 64],
            _: &SignedOctets,
            _: &[u8; 64],
        ) -> Result<(), SignatureInvalid> {
            Err(SignatureInvalid)
        }

        fn verify_rsa2048(
            &self,
            _: &[u8],
            _: &[u8],
            _: &SignedOctets,
            _: &[u8; 256],
        ) -> Result<(), SignatureInvalid> {
            Err(SignatureInvalid)
        }
    }

    /// A caller may read into a buffer that has octets already: they belong to no frame.
    #[tokio::test]
    async fn reads_behind_the_octets_of_a_buffer() {
        // The preface, a HEADERS frame of two octets that ends the head, and a frame after it.
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let head = b"\x00\x00\x02\x01\x04\x00\x00\x00\x01ab";
        let octets = [&preface[..], head, b"after"].concat();
        let handed_over = Arc::new(AtomicBool::new(false));
        let mut stream = FirstRequestFirst {
            stream: octets.as_slice(),
            connection: Connection::new(None, Arc::new(Never), Options::default()),
            handed_over: handed_over.clone(),
            state: State::Scanning(HeadScanner::new()),
        };
        let mut space = [0; 100];
        let mut buffer = ReadBuf::new(&mut space);
        buffer.put_slice(b"earlier");
        let read = poll_fn(|context| Pin::new(&mut stream).poll_read(context, &mut buffer)).await;
        read.unwrap();
        assert_eq!(buffer.filled(), [b"earlier", &preface[..], head].concat());
        handed_over.store(true, Ordering::Release);
        let read = poll_fn(|context| Pin::new(&mut stream).poll_read(context, &mut buffer)).await;
        read.unwrap();
        assert_eq!(
            buffer.filled(),
            [b"earlier", &preface[..], head, b"after"].concat()
        );
    }
}
