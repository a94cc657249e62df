//! Feature `hyper`: the connector as a service for hyper-util.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::connect::{self, Connected, HttpConnector},
    rt::TokioIo,
};
use tokio::net::TcpStream;
use tower_service::Service;

use crate::{
    client::{
        connection::Connection,
        connector::{Connector, Stream},
        request_error::RequestError,
        state::State,
    },
    origin::Origin,
};

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A connector for hyper-util: a service from a URI to a stream, over TCP. The pools of
/// `hyper_util::client::pool` accept it.
#[derive(Clone, Debug)]
pub struct HttpsConnector {
    tcp: HttpConnector,
    tls: Connector,
}

impl HttpsConnector {
    /// Creates a connector over hyper-util's connector for TCP.
    #[must_use]
    pub fn new(tls: Connector) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Self { tcp, tls }
    }

    /// Creates a connector over this one for TCP, e.g. with a timeout or a local address. `tcp` must not enforce
    /// `http`.
    #[must_use]
    pub const fn with_tcp(tcp: HttpConnector, tls: Connector) -> Self {
        Self { tcp, tls }
    }
}

impl HttpsConnector {
    /// Returns the client's state.
    #[must_use]
    pub const fn state(&self) -> &Arc<State> {
        self.tls.state()
    }
}

impl Service<Uri> for HttpsConnector {
    type Response = HttpsStream;
    type Error = RequestError;
    type Future = BoxFuture<Result<HttpsStream, RequestError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), RequestError>> {
        let ready = self.tcp.poll_ready(context);
        ready.map_err(|error| RequestError::Connect(io::Error::other(error)))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let tls = self.tls.clone();
        let origin = uri.to_string().parse::<Origin>();
        let tcp = self.tcp.call(uri);
        Box::pin(async move {
            let origin = origin.map_err(RequestError::Origin)?;
            let tcp = tcp
                .await
                .map_err(|error| RequestError::Connect(io::Error::other(error)))?;
            let connected = tls.connect(origin, tcp.into_inner()).await;
            let connected = connected.map_err(RequestError::Connect)?;
            let http2 = connected.is_http2();
            let Stream { stream, connection } = connected;
            let stream = TokioIo::new(stream);
            Ok(HttpsStream {
                stream,
                connection,
                http2,
            })
        })
    }
}

/// A connection of [`HttpsConnector`]. Its [`Connection`] is also an extra of hyper-util's
/// [`Connected`].
#[derive(Debug)]
pub struct HttpsStream {
    stream: TokioIo<tokio_rustls::client::TlsStream<TcpStream>>,
    connection: Arc<Connection>,
    http2: bool,
}

impl HttpsStream {
    /// Returns the connection's state.
    #[must_use]
    pub const fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Returns `true` if HTTP/2 was negotiated.
    pub(super) const fn is_http2(&self) -> bool {
        self.http2
    }
}

impl connect::Connection for HttpsStream {
    fn connected(&self) -> Connected {
        let connected = Connected::new().extra(self.connection.clone());
        if self.http2 {
            connected.negotiated_h2()
        } else {
            connected
        }
    }
}

impl Read for HttpsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for HttpsStream {
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
}
