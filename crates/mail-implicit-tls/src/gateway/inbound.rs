//! The beginning of an accepted connection, with the header of a listed proxy.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use accept_loop::{AcceptedStream, Connection};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::{
    RefusalReason,
    proxy_protocol::{Networks, Opened, Opening},
    relay::ClientSide,
};
use crate::server::SessionStream;

/// The octets of a header that are read at once.
const READ_BYTES: usize = 512;

/// A stream whose first octets were read already.
#[derive(Debug)]
pub(super) struct Ahead<S> {
    ahead: Vec<u8>,
    stream: S,
    /// The number of octets that the stream has taken.
    written: u64,
}

/// A connection whose header, if it must have one, was read.
pub(super) struct Arrival {
    pub(super) stream: Ahead<AcceptedStream>,
    /// The address of the client.
    pub(super) client: SocketAddr,
    /// The address that the client connected to.
    pub(super) local: SocketAddr,
}

/// Waits for the first octet of a client that sends first, and reads the header of a listed proxy.
pub(super) async fn arrive(
    connection: Connection,
    networks: &Networks,
    sends_first: bool,
) -> Result<Arrival, RefusalReason> {
    let mut opening = Opening::new(connection.address(), networks);
    let broken = |error: io::Error| RefusalReason::Broken(error.kind());
    if sends_first || opening.is_listed() {
        connection.first_octet().await.map_err(broken)?;
    }
    let local = connection.stream().tcp().local_addr().map_err(broken)?;
    let peer = connection.address();
    let mut stream = connection.into_stream();
    if !opening.is_listed() {
        return Ok(Arrival {
            stream: Ahead::new(Vec::new(), stream),
            client: SocketAddr::new(peer.ip().to_canonical(), peer.port()),
            local,
        });
    }
    let mut octets = [0; READ_BYTES];
    loop {
        let count = stream.read(&mut octets).await.map_err(broken)?;
        if count == 0 {
            return Err(broken(io::ErrorKind::UnexpectedEof.into()));
        }
        let received = opening.receive(octets.get(..count).unwrap_or_default());
        if let Opened::Complete {
            client,
            header,
            rest,
        } = received.map_err(RefusalReason::ProxyHeader)?
        {
            let addresses = header.and_then(|header| header.addresses);
            return Ok(Arrival {
                stream: Ahead::new(rest, stream),
                client,
                local: addresses.map_or(local, |addresses| addresses.destination),
            });
        }
    }
}

impl<S> Ahead<S> {
    const fn new(ahead: Vec<u8>, stream: S) -> Self {
        Self {
            ahead,
            stream,
            written: 0,
        }
    }

    fn took(&mut self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(count)) = written {
            let count = u64::try_from(*count).unwrap_or(u64::MAX);
            self.written = self.written.saturating_add(count);
        }
    }
}

impl ClientSide for SessionStream<Ahead<AcceptedStream>> {
    fn written(&self) -> u64 {
        self.io().written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Ahead<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let count = self.ahead.len().min(buf.remaining());
        let rest = self.ahead.split_off(count);
        buf.put_slice(&std::mem::replace(&mut self.ahead, rest));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Ahead<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.took(&written);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.took(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn gives_the_octets_that_were_read_first() {
        let mut stream = Ahead::new(b"abc".to_vec(), &b"def"[..]);
        let mut two = [0; 2];
        assert_eq!(stream.read(&mut two).await.unwrap(), 2);
        assert_eq!(&two, b"ab");
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "cdef");
    }
}
