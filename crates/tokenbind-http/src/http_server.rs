//! Feature `hyper`: the loop that accepts connections and serves them.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    future::{Future, pending},
    io::{self, ErrorKind, IoSlice},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::Response;
use http_body::Body;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioExecutor;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tower_service::Service;

use crate::{
    admission::{Admission, ConnectionId, Limits},
    server::{Acceptor, Connection, ConnectionSettings, Request, ServeError, Stream, serve},
};

/// How long a handshake may take, the client's first octet included, unless set.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long requests under way are waited for when a server is told to stop, unless set.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// How many connections a server keeps at a time, unless set.
pub const MAX_CONNECTIONS: usize = 10_000;

/// How many of them come from one address, unless set.
pub const MAX_CONNECTIONS_PER_ADDRESS: usize = 2_000;

/// How long the loop pauses when the operating system has no connection for it, e.g. since the process
/// has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A client of a [`Server`]: an extension of each of its requests.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The connection's state.
    pub connection: Connection,
    /// The address and port that the connection comes from.
    pub address: SocketAddr,
}

/// An event that an operator may want in a log. None of them ends the server.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The operating system has no connection; the server tries again after a pause.
    AcceptFailed(&'a io::Error),
    /// A connection was closed: all that the address may have are served.
    AddressFull(SocketAddr),
    /// A connection gave way to a later one before it sent a request.
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
            Self::AcceptFailed(error) => write!(f, "no connection can be accepted: {error}"),
            Self::AddressFull(peer) => write!(f, "{peer}: too many connections of this address"),
            Self::GaveWay(peer) => write!(f, "{peer}: gave way to a later connection"),
            Self::HandshakeFailed(peer, error) => write!(f, "{peer}: handshake failed: {error}"),
            Self::HandshakeTimedOut(peer) => write!(f, "{peer}: handshake timed out"),
            Self::ConnectionFailed(peer, error) => write!(f, "{peer}: {error}"),
        }
    }
}

type Tell = Arc<dyn Fn(Event<'_>) + Send + Sync>;

/// Accepts TLS connections and serves them, HTTP/1.1 or HTTP/2 as negotiated, with any tower service,
/// e.g. axum's `Router`. Each request is checked as it arrives, and reaches the service with its
/// bindings and its [`Peer`] as extensions.
///
/// A server does not end on an error. The number of connections is limited in total and for each
/// address, where the /64 network of an IPv6 address counts as one. A connection that gets beyond a
/// limit takes the place of one that has not sent a request: of the oldest that has sent nothing, else of
/// the oldest. If all have, it waits until one ends, or is closed if the limit is
/// that of its address. An upgraded connection counts until the application drops it.
#[derive(Clone)]
pub struct Server {
    acceptor: Acceptor,
    limits: Limits,
    handshake_timeout: Duration,
    shutdown_timeout: Duration,
    settings: ConnectionSettings,
    tell: Option<Tell>,
}

impl Server {
    /// Makes a server of this acceptor's connections.
    #[must_use]
    pub fn new(acceptor: Acceptor) -> Self {
        Self {
            acceptor,
            limits: Limits {
                total: MAX_CONNECTIONS,
                per_address: MAX_CONNECTIONS_PER_ADDRESS,
            },
            handshake_timeout: HANDSHAKE_TIMEOUT,
            shutdown_timeout: SHUTDOWN_TIMEOUT,
            settings: ConnectionSettings::default(),
            tell: None,
        }
    }

    /// Sets how many connections are kept at a time; at least one.
    #[must_use]
    pub const fn max_connections(mut self, total: usize) -> Self {
        self.limits.total = total;
        self
    }

    /// Sets how many of them come from one address; at least one. A server behind a load balancer
    /// that hides its clients' addresses sets this as high as the total.
    #[must_use]
    pub const fn max_connections_per_address(mut self, per_address: usize) -> Self {
        self.limits.per_address = per_address;
        self
    }

    /// Sets how long a handshake may take, the client's first octet included.
    #[must_use]
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Sets how long a connection without a request is kept.
    #[must_use]
    pub const fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.idle_timeout = timeout;
        self
    }

    /// Sets how long requests under way are waited for when the server is told to stop.
    #[must_use]
    pub const fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
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

    /// Calls this with events, e.g. for a log.
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
        let server = Arc::new(self.clone());
        let connections = Arc::new(Connections::new(self.limits));
        let (stopping, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            let (stream, address) = tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = self.accept(&listener, &connections) => accepted,
            };
            while tasks.try_join_next().is_some() {}
            let (held, gave_way) = oneshot::channel();
            let admitted = connections.lock().admit(address.ip(), held);
            let Ok(id) = admitted else {
                self.tell(Event::AddressFull(address));
                continue;
            };
            let slot = Slot {
                id,
                connections: connections.clone(),
            };
            let (server, service) = (server.clone(), service.clone());
            let mut stopped = stopped.clone();
            tasks.spawn(async move {
                let stop = async move {
                    // The sender outlives the tasks.
                    let _stopped = stopped.wait_for(|stopped| *stopped).await;
                };
                tokio::select! {
                    biased;
                    _gave_way = gave_way => server.tell(Event::GaveWay(address)),
                    () = server.connection(stream, address, slot, service, stop) => {}
                }
            });
        }
        drop(listener);
        connections.lock().end_waiting();
        stopping.send_replace(true);
        let finished = async { while tasks.join_next().await.is_some() {} };
        let in_time = timeout(self.shutdown_timeout, finished).await.is_ok();
        if in_time { 0 } else { tasks.len() }
    }

    /// Returns the next connection once there is room for it.
    async fn accept(
        &self,
        listener: &TcpListener,
        connections: &Connections,
    ) -> (TcpStream, SocketAddr) {
        loop {
            match listener.accept().await {
                Ok(accepted) => {
                    while !connections.lock().has_room() {
                        connections.freed.notified().await;
                    }
                    return accepted;
                }
                Err(error) => {
                    self.tell(Event::AcceptFailed(&error));
                    if is_of_the_connection(&error) {
                        continue;
                    }
                    connections.lock().make_room();
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Does the handshake of a connection and serves it.
    async fn connection<S, B>(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        slot: Slot,
        service: S,
        stop: impl Future<Output = ()>,
    ) where
        S: Service<Request, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body + Default + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (id, connections) = (slot.id, slot.connections.clone());
        let handshake = timeout(self.handshake_timeout, self.handshake(stream, slot));
        let stream = match handshake.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                return self.tell(Event::HandshakeFailed(address, &error));
            }
            Err(_elapsed) => return self.tell(Event::HandshakeTimedOut(address)),
        };
        let place = Place {
            peer: Peer {
                connection: stream.connection().clone(),
                address,
            },
            has_asked: AtomicBool::new(false),
            id,
            connections,
        };
        let served = serve(stream, service, &self.settings, Some(place), stop).await;
        if let Err(error) = served {
            self.tell(Event::ConnectionFailed(address, &error));
        }
    }

    async fn handshake(&self, stream: TcpStream, slot: Slot) -> io::Result<Stream<AcceptedStream>> {
        // Small frames of HTTP/2 are not held back. Where that cannot be set, they are.
        let _set = stream.set_nodelay(true);
        if stream.peek(&mut [0]).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        slot.connections.lock().begins_handshake(slot.id);
        let stream = AcceptedStream {
            stream,
            _slot: slot,
        };
        self.acceptor.accept(stream).await
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
            .field("limits", &self.limits)
            .field("handshake_timeout", &self.handshake_timeout)
            .field("shutdown_timeout", &self.shutdown_timeout)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Returns `true` if the error is one connection's, which is gone: there may be another at once.
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
    )
}

/// A server's connections.
struct Connections {
    admission: Mutex<Admission<oneshot::Sender<Infallible>>>,
    /// One of them ended.
    freed: Notify,
}

impl Connections {
    fn new(limits: Limits) -> Self {
        Self {
            admission: Mutex::new(Admission::new(limits)),
            freed: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Admission<oneshot::Sender<Infallible>>> {
        self.admission
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a connection among those of the server.
struct Slot {
    id: ConnectionId,
    connections: Arc<Connections>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.lock().ended(self.id);
        self.connections.freed.notify_one();
    }
}

/// A connection below its service.
pub(crate) struct Place {
    peer: Peer,
    has_asked: AtomicBool,
    id: ConnectionId,
    connections: Arc<Connections>,
}

impl Place {
    /// Notes a request, the first of which secures the connection's place; the client it comes from.
    pub(crate) fn asks(&self) -> &Peer {
        if !self.has_asked.swap(true, Ordering::Relaxed) {
            self.connections.lock().is_served(self.id);
        }
        &self.peer
    }
}

/// A stream that keeps its place for as long as its descriptor is open.
struct AcceptedStream {
    stream: TcpStream,
    _slot: Slot,
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
