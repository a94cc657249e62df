//! The stream of a connection: what the server sent ahead, TLS or clear text, and how it ended (section 4.4).

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// The number of octets that identify a server's protocol.
const SNIFFED_BYTES: usize = 5;

/// A TCP stream that keeps the first octets it received.
#[derive(Debug)]
pub(super) struct Sniffed {
    tcp: TcpStream,
    first: Vec<u8>,
    /// `true` if the server announced TLS in clear text, so that other octets are an attacker's.
    is_upgraded: bool,
}

impl Sniffed {
    pub(super) const fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            first: Vec::new(),
            is_upgraded: false,
        }
    }

    /// Returns the stream after the reply to `STARTTLS`. The first octet that is not TLS is an error.
    pub(super) fn upgraded(self) -> Self {
        Self {
            is_upgraded: true,
            ..Self::new(self.tcp)
        }
    }

    /// Returns `true` if the first octets are not TLS though the server announced it.
    pub(super) fn is_injected(&self) -> bool {
        self.is_upgraded && !self.begins_with_tls()
    }

    /// Returns `true` if the first octets can be the beginning of a record of TLS (RFC 8446 section 5.1).
    pub(super) fn begins_with_tls(&self) -> bool {
        match self.first.as_slice() {
            [] => true,
            [content] => is_content_type(*content),
            [content, major, ..] => is_content_type(*content) && *major == 3,
        }
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Returns `true` if the first octets are the greeting of a mail server and not a record of TLS.
    pub(super) fn speaks_clear_text(&self) -> bool {
        let first = self.first.as_slice();
        [b"* ".as_slice(), b"+OK", b"-ERR", b"220", b"421", b"554"]
            .iter()
            .any(|start| first.starts_with(start))
    }
}

impl AsyncRead for Sniffed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled = buf.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(cx, buf))?;
        let wanted = SNIFFED_BYTES.saturating_sub(self.first.len());
        if wanted > 0 {
            let new = buf.filled().get(filled..).unwrap_or_default();
            let new = new.iter().take(wanted).copied().collect::<Vec<_>>();
            self.first.extend(new);
            if self.is_injected() {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Sniffed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// Returns `true` for `change_cipher_spec`, `alert`, `handshake`, `application_data` and `heartbeat`.
const fn is_content_type(octet: u8) -> bool {
    matches!(octet, 20..=24)
}

/// The end of a connection, as the server made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Closed {
    /// The server sent a TLS close alert: nothing is missing.
    Clean,
    /// The connection ended without one, or was in clear text: what was received may be incomplete.
    Truncated,
}

/// Tells how a connection ended, while a library owns its stream.
#[derive(Clone, Debug, Default)]
pub struct Ending(Arc<EndingState>);

#[derive(Debug, Default)]
struct EndingState {
    closed: OnceLock<Closed>,
    /// `true` once the protocol ended the session.
    is_expected: AtomicBool,
}

impl Ending {
    /// Returns the end of the connection, once reading reached it.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.0.closed.get().copied()
    }

    /// Takes note that the protocol ended the session: the server sent `* BYE`, 221, or `+OK` as the reply to `QUIT`.
    ///
    /// No octet can be missing after that, so an end of TCP without a close alert of TLS is the end of the file for
    /// the reader, and no error. [`closed`](Self::closed) returns [`Closed::Truncated`] nevertheless.
    pub fn expect(&self) {
        self.0.is_expected.store(true, Ordering::Relaxed);
    }

    fn is_expected(&self) -> bool {
        self.0.is_expected.load(Ordering::Relaxed)
    }

    /// Sets the end. The first one counts.
    fn set(&self, closed: Closed) {
        let _ = self.0.closed.set(closed);
    }
}

/// The octets of a connection on which the client may log in.
///
/// Reading begins with the octets that the server sent ahead, if any. Call
/// [`shutdown`](tokio::io::AsyncWriteExt::shutdown) when the session is over: it sends the TLS close alert before TCP
/// ends, and does not wait for the server's (section 4.4). A stream that is dropped sends the alert if the system takes
/// it at once.
#[derive(Debug)]
pub struct Stream {
    inner: Inner,
    ahead: Vec<u8>,
    ending: Ending,
}

#[derive(Debug)]
enum Inner {
    Clear(Sniffed),
    Tls(Box<Encrypted>),
}

/// A TLS stream that sends a close alert when it is dropped, since libraries drop their streams without a shutdown.
#[derive(Debug)]
struct Encrypted(TlsStream<Sniffed>);

impl Drop for Encrypted {
    fn drop(&mut self) {
        let (tcp, connection) = self.0.get_mut();
        // After `shutdown` it does nothing.
        connection.send_close_notify();
        let mut writer = TryWriter(tcp.tcp());
        while connection.wants_write() {
            match connection.write_tls(&mut writer) {
                Ok(count) if count > 0 => {}
                _ => break,
            }
        }
    }
}

/// Writes what the system takes at once.
struct TryWriter<'a>(&'a TcpStream);

impl io::Write for TryWriter<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.try_write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream {
    pub(super) fn clear(tcp: Sniffed) -> Self {
        Self {
            inner: Inner::Clear(tcp),
            ahead: Vec::new(),
            ending: Ending::default(),
        }
    }

    pub(super) fn tls(stream: TlsStream<Sniffed>) -> Self {
        Self {
            inner: Inner::Tls(Box::new(Encrypted(stream))),
            ahead: Vec::new(),
            ending: Ending::default(),
        }
    }

    /// Puts octets before those that are still to be read.
    pub(crate) fn put_ahead(&mut self, mut octets: Vec<u8>) {
        octets.append(&mut self.ahead);
        self.ahead = octets;
    }

    /// Returns the connection of rustls, or nothing in clear text.
    #[must_use]
    pub fn tls_connection(&self) -> Option<&rustls::ClientConnection> {
        match &self.inner {
            Inner::Clear(_) => None,
            Inner::Tls(stream) => Some(stream.0.get_ref().1),
        }
    }

    /// Returns the TCP stream below.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        match &self.inner {
            Inner::Clear(tcp) => tcp.tcp(),
            Inner::Tls(stream) => stream.0.get_ref().0.tcp(),
        }
    }

    /// Returns the end of the connection, once reading reached it.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.ending.closed()
    }

    /// Returns a handle that tells the end of the connection after the stream was handed to a library.
    #[must_use]
    pub fn ending(&self) -> Ending {
        self.ending.clone()
    }

    pub(super) fn into_clear(self) -> Option<Sniffed> {
        match self.inner {
            Inner::Clear(tcp) => Some(tcp),
            Inner::Tls(_) => None,
        }
    }
}

impl AsyncRead for Stream {
    /// Reads. The end without a close alert of TLS is [`io::ErrorKind::UnexpectedEof`], unless
    /// [`Ending::expect`] was called; [`Stream::closed`] tells it from other errors.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if !self.ahead.is_empty() {
            let count = self.ahead.len().min(buf.remaining());
            let rest = self.ahead.split_off(count);
            let ahead = std::mem::replace(&mut self.ahead, rest);
            buf.put_slice(&ahead);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let (read, end) = match &mut self.inner {
            Inner::Clear(tcp) => (ready!(Pin::new(tcp).poll_read(cx, buf)), Closed::Truncated),
            Inner::Tls(stream) => (
                ready!(Pin::new(&mut stream.0).poll_read(cx, buf)),
                Closed::Clean,
            ),
        };
        match &read {
            Ok(()) if buf.filled().len() == before => self.ending.set(end),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.ending.set(Closed::Truncated);
                if self.ending.is_expected() {
                    return Poll::Ready(Ok(()));
                }
            }
            _ => {}
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.inner {
            Inner::Clear(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Inner::Tls(stream) => Pin::new(&mut stream.0).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Clear(tcp) => Pin::new(tcp).poll_flush(cx),
            Inner::Tls(stream) => Pin::new(&mut stream.0).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Clear(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Inner::Tls(stream) => Pin::new(&mut stream.0).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, net::Ipv4Addr};

    use tokio::{io::AsyncWriteExt, net::TcpListener};

    use super::*;

    /// A caller may read into a buffer that has octets already: they are not the server's first ones.
    #[tokio::test]
    async fn keeps_the_first_octets_that_are_read_behind_those_of_a_buffer() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await;
        let (mut far, _) = listener.accept().await.unwrap();
        let mut stream = Sniffed::new(near.unwrap()).upgraded();
        let mut space = [0; 100];
        let mut buffer = ReadBuf::new(&mut space);
        buffer.put_slice(b"* OK earlier");
        for (sent, first) in [
            (&b"\x16\x03"[..], &b"\x16\x03"[..]),
            (b"\x03\x00\x7afg", b"\x16\x03\x03\x00\x7a"),
            (b"* OK", b"\x16\x03\x03\x00\x7a"),
        ] {
            far.write_all(sent).await.unwrap();
            let read = poll_fn(|context| Pin::new(&mut stream).poll_read(context, &mut buffer));
            read.await.unwrap();
            assert_eq!(stream.first, first);
            assert!(buffer.filled().ends_with(sent));
        }
        assert!(!stream.is_injected() && !stream.speaks_clear_text());
    }
}
