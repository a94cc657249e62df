//! The stream of a connection, which keeps its place for as long as its descriptor is open.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::Slot;

/// A TCP stream that keeps the place of its connection among the limits.
#[derive(Debug)]
pub struct AcceptedStream {
    stream: TcpStream,
    _slot: Slot,
}

impl AcceptedStream {
    pub(crate) const fn new(stream: TcpStream, slot: Slot) -> Self {
        Self {
            stream,
            _slot: slot,
        }
    }

    /// Returns the TCP stream.
    #[must_use]
    pub const fn tcp(&self) -> &TcpStream {
        &self.stream
    }
}

impl AsyncRead for AcceptedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for AcceptedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
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
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use crate::{AcceptLoop, Connection};

    #[tokio::test]
    async fn sends_without_delay() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, mut options) = tokio::sync::mpsc::channel(1);
        let serve = move |connection: Connection| {
            let sender = sender.clone();
            async move {
                let option = connection.stream().tcp().nodelay().ok();
                sender.send(option).await.unwrap();
            }
        };
        let accept_loop = AcceptLoop::new();
        tokio::select! {
            () = accept_loop.serve(listener, serve) => panic!("the loop ended"),
            option = async {
                let _client = tokio::net::TcpStream::connect(address).await.unwrap();
                options.recv().await
            } => assert_eq!(option, Some(Some(true))),
        }
    }
}
