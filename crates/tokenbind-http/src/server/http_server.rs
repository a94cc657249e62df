//! Feature `hyper`: the loop that accepts connections and serves them.

use std::{
    error::Error,
    fmt,
    future::{Future, pending},
    io,
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use accept_loop::{AcceptLoop, AcceptedStream};
use http::Response;
use http_body::Body;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioExecutor;
use tokio::{net::TcpListener, time::timeout};
use tower_service::Service;

use crate::server::{
    acceptor::{Acceptor, Stream},
    peer::{Peer, Place},
    serve::{ConnectionSettings, Request, ServeError, serve},
};

/// The time limit of a handshake, the wait for the client's first octet included, unless set.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The time limit of requests under way when a server stops, unless set.
pub const SHUTDOWN_TIMEOUT: Duration = accept_loop::SHUTDOWN_TIMEOUT;

/// The number of connections at a time, unless set.
pub const MAX_CONNECTIONS: usize = accept_loop::MAX_CONNECTIONS;

/// The number of connections of one address, unless set.
pub const MAX_CONNECTIONS_PER_ADDRESS: usize = accept_loop::MAX_CONNECTIONS_PER_ADDRESS;

/// An event that an operator may want in a log. None of them ends the server.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The operating system refused to accept a connection; the server tries again after a pause.
    AcceptFailed(&'a io::Error),
    /// A connection was closed, because its address has the largest number of connections with requests.
    AddressFull(SocketAddr),
    /// A connection that had not sent a request was closed in favor of a later one.
    GaveWay(SocketAddr),
    /// A handshake failed.
    HandshakeFailed(SocketAddr, &'a io::Error),
    /// A handshake took too long.
    HandshakeTimedOut(SocketAddr),
    /// A connection failed, or was terminated.
    ConnectionFailed(SocketAddr, &'a ServeError),
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AcceptFailed(error) => accept_loop::Event::AcceptFailed(error).fmt(f),
            Self::AddressFull(peer) => accept_loop::Event::AddressFull(*peer).fmt(f),
            Self::GaveWay(peer) => accept_loop::Event::GaveWay(*peer).fmt(f),
            Self::HandshakeFailed(peer, error) => write!(f, "{peer}: handshake failed: {error}"),
            Self::HandshakeTimedOut(peer) => write!(f, "{peer}: handshake timed out"),
            Self::ConnectionFailed(peer, error) => write!(f, "{peer}: {error}"),
        }
    }
}

type Tell = Arc<dyn Fn(Event<'_>) + Send + Sync>;

/// A server that accepts TLS connections and serves them with any tower service, e.g. axum's `Router`, over
/// HTTP/1.1 or HTTP/2 as negotiated. Each request is checked as it arrives, and reaches the service with its
/// bindings and its [`Peer`] as extensions.
///
/// A server does not end on an error. The number of connections is limited in total and for each
/// address, where the /64 network of an IPv6 address counts as one. A connection beyond a limit
/// replaces one that has not sent a request: the oldest that has sent nothing, else the oldest. If all have sent
/// a request, the new connection waits until another ends, or is closed if the limit is that of its address. An upgraded connection counts until the application drops it.
#[derive(Clone)]
pub struct Server {
    acceptor: Acceptor,
    accept_loop: AcceptLoop,
    handshake_timeout: Duration,
    settings: ConnectionSettings,
    tell: Option<Tell>,
}

impl Server {
    /// Makes a server of this acceptor's connections.
    #[must_use]
    pub fn new(acceptor: Acceptor) -> Self {
        Self {
            acceptor,
            accept_loop: AcceptLoop::new(),
            handshake_timeout: HANDSHAKE_TIMEOUT,
            settings: ConnectionSettings::default(),
            tell: None,
        }
    }

    /// Sets the largest number of connections at a time; at least one.
    #[must_use]
    pub fn max_connections(mut self, total: usize) -> Self {
        self.accept_loop = self.accept_loop.max_connections(total);
        self
    }

    /// Sets the largest number of connections of one address; at least one. If a load balancer hides the clients'
    /// addresses, set this to the total.
    #[must_use]
    pub fn max_connections_per_address(mut self, per_address: usize) -> Self {
        self.accept_loop = self.accept_loop.max_connections_per_address(per_address);
        self
    }

    /// Sets the time limit of a handshake, the wait for the client's first octet included.
    #[must_use]
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Sets the time that a connection without a request is kept.
    #[must_use]
    pub const fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.idle_timeout = timeout;
        self
    }

    /// Sets the time limit of requests under way when the server stops.
    #[must_use]
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.accept_loop = self.accept_loop.shutdown_timeout(timeout);
        self
    }

    /// Changes hyper's settings of HTTP/1.1.
    #[must_use]
    pub fn http1(mut self, set: impl FnOnce(&mut http1::Builder)) -> Self {
        set(&mut self.settings.http1);
        self
    }

    /// Changes hyper's settings of HTTP/2.
    #[must_use]
    pub fn http2(mut self, set: impl FnOnce(&mut http2::Builder<TokioExecutor>)) -> Self {
        set(&mut self.settings.http2);
        self
    }

    /// Sets a function that is called with events, e.g. to log them.
    #[must_use]
    pub fn on_event(mut self, tell: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        self.tell = Some(Arc::new(tell));
        self
    }

    /// Serves all connections of a listener. Never returns; its connections end when it is dropped.
    pub async fn serve<S, B>(&self, listener: TcpListener, service: S)
    where
        S: Service<Request, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body + Default + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        self.serve_until(listener, service, pending()).await;
    }

    /// Serves all connections of a listener until `stop`. Then it accepts no more, ends connections
    /// without a request, answers the requests that have arrived, and returns. Returns the number of connections that
    /// were not finished in time, and were cut.
    pub async fn serve_until<S, B>(
        &self,
        listener: TcpListener,
        service: S,
        stop: impl Future<Output = ()>,
    ) -> usize
    where
        S: Service<Request, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body + Default + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let mut accept_loop = self.accept_loop.clone();
        if let Some(tell) = self.tell.clone() {
            accept_loop = accept_loop.on_event(move |event| match event {
                accept_loop::Event::AcceptFailed(error) => tell(Event::AcceptFailed(error)),
                accept_loop::Event::AddressFull(peer) => tell(Event::AddressFull(peer)),
                accept_loop::Event::GaveWay(peer) => tell(Event::GaveWay(peer)),
                _ => {}
            });
        }
        let server = Arc::new(self.clone());
        let handler = move |connection| {
            let (server, service) = (server.clone(), service.clone());
            async move { server.connection(connection, service).await }
        };
        accept_loop.serve_until(listener, handler, stop).await
    }

    /// Does the handshake of a connection and serves it.
    async fn connection<S, B>(&self, connection: accept_loop::Connection, service: S)
    where
        S: Service<Request, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body + Default + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (address, place) = (connection.address(), connection.place());
        let stop = connection.stopping();
        let handshake = timeout(self.handshake_timeout, self.handshake(connection));
        let stream = match handshake.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                return self.tell(Event::HandshakeFailed(address, &error));
            }
            Err(_elapsed) => return self.tell(Event::HandshakeTimedOut(address)),
        };
        let peer = Peer {
            connection: stream.connection().clone(),
            address,
        };
        let place = Place::new(peer, place);
        let served = serve(stream, service, &self.settings, Some(place), stop).await;
        if let Err(error) = served {
            self.tell(Event::ConnectionFailed(address, &error));
        }
    }

    async fn handshake(
        &self,
        connection: accept_loop::Connection,
    ) -> io::Result<Stream<AcceptedStream>> {
        connection.first_octet().await?;
        self.acceptor.accept(connection.into_stream()).await
    }

    fn tell(&self, event: Event<'_>) {
        if let Some(tell) = &self.tell {
            tell(event);
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("acceptor", &self.acceptor)
            .field("accept_loop", &self.accept_loop)
            .field("handshake_timeout", &self.handshake_timeout)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
