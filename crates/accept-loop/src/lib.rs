#![doc = include_str!("../README.md")]

mod admission;
mod stream;

use std::{
    convert::Infallible,
    fmt,
    future::{Future, pending},
    io::{self, ErrorKind},
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use self::admission::{Admission, ConnectionId, Limits};
pub use self::stream::AcceptedStream;

/// The time for which connections are waited for when the loop stops, unless set.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// The number of connections at a time, unless set.
pub const MAX_CONNECTIONS: usize = 10_000;

/// The number of connections of one address, unless set.
pub const MAX_CONNECTIONS_PER_ADDRESS: usize = 2_000;

/// The pause after an error of the operating system, e.g. since the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// An event that an operator may want in a log. No event ends the loop.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The operating system gave an error instead of a connection; the loop tries again.
    AcceptFailed(&'a io::Error),
    /// A connection was closed: all connections that its address may have are served.
    AddressFull(SocketAddr),
    /// A connection gave way to a later one before it was served.
    GaveWay(SocketAddr),
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AcceptFailed(error) => write!(f, "no connection can be accepted: {error}"),
            Self::AddressFull(peer) => write!(f, "{peer}: too many connections of this address"),
            Self::GaveWay(peer) => write!(f, "{peer}: gave way to a later connection"),
        }
    }
}

type Tell = Arc<dyn Fn(Event<'_>) + Send + Sync>;

/// The loop and its limits. Streams of its connections have the option `TCP_NODELAY`.
#[derive(Clone)]
pub struct AcceptLoop {
    limits: Limits,
    shutdown_timeout: Duration,
    tell: Option<Tell>,
}

impl fmt::Debug for AcceptLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptLoop")
            .field("limits", &self.limits)
            .field("shutdown_timeout", &self.shutdown_timeout)
            .finish_non_exhaustive()
    }
}

impl Default for AcceptLoop {
    fn default() -> Self {
        Self::new()
    }
}

impl AcceptLoop {
    /// Returns a loop with the default limits.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            limits: Limits {
                total: MAX_CONNECTIONS,
                per_address: MAX_CONNECTIONS_PER_ADDRESS,
            },
            shutdown_timeout: SHUTDOWN_TIMEOUT,
            tell: None,
        }
    }

    /// Sets the number of connections at a time; at least one.
    #[must_use]
    pub const fn max_connections(mut self, total: usize) -> Self {
        self.limits.total = total;
        self
    }

    /// Sets the number of connections of one address; at least one. A server behind a load balancer that hides the
    /// clients' addresses sets this as high as the total.
    #[must_use]
    pub const fn max_connections_per_address(mut self, per_address: usize) -> Self {
        self.limits.per_address = per_address;
        self
    }

    /// Sets the time for which connections are waited for when the loop stops.
    #[must_use]
    pub const fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// Calls this function with events, e.g. for a log.
    #[must_use]
    pub fn on_event(mut self, tell: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        self.tell = Some(Arc::new(tell));
        self
    }

    /// Serves all connections of a listener. Never returns; its connections end when it is dropped.
    pub async fn serve<H, F>(&self, listener: TcpListener, handler: H)
    where
        H: Fn(Connection) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        self.serve_until(listener, handler, pending()).await;
    }

    /// Serves all connections of a listener until `stop`. Then it accepts no more, ends those that are not served,
    /// tells the others by [`Connection::stopping`], and waits for them.
    ///
    /// Returns the number of connections that were not finished in time, and were cut.
    pub async fn serve_until<H, F>(
        &self,
        listener: TcpListener,
        handler: H,
        stop: impl Future<Output = ()>,
    ) -> usize
    where
        H: Fn(Connection) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
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
            // Short replies are sent without delay, if the option can be set: TLS 1.3 has its tickets before the first reply, for
            // whose acknowledgement it would wait.
            let _set = stream.set_nodelay(true);
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
            let served = handler(Connection {
                id,
                connections: connections.clone(),
                stream: AcceptedStream::new(stream, slot),
                address,
                stopped: stopped.clone(),
            });
            let accept_loop = self.clone();
            tasks.spawn(async move {
                tokio::select! {
                    biased;
                    _gave_way = gave_way => accept_loop.tell(Event::GaveWay(address)),
                    () = served => {}
                }
            });
        }
        drop(listener);
        connections.lock().end_handshakes();
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

    fn tell(&self, event: Event<'_>) {
        if let Some(tell) = &self.tell {
            tell(event);
        }
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

/// A connection that was accepted. Its place is kept until its stream is dropped.
#[derive(Debug)]
pub struct Connection {
    id: ConnectionId,
    connections: Arc<Connections>,
    stream: AcceptedStream,
    address: SocketAddr,
    stopped: watch::Receiver<bool>,
}

impl Connection {
    /// Returns the address of the client.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the client's first octet, which stays to be read. From then on the connection counts as one with a
    /// handshake, and gives way after those that sent nothing.
    ///
    /// # Errors
    /// Returns the error of the stream, or [`ErrorKind::UnexpectedEof`] if the client closed it.
    pub async fn first_octet(&self) -> io::Result<()> {
        if self.stream.tcp().peek(&mut [0]).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.connections.lock().begins_handshake(self.id);
        Ok(())
    }

    /// Notes that the connection is served, e.g. since its handshake is finished: it does not give way any more.
    pub fn is_served(&self) {
        self.connections.lock().is_served(self.id);
    }

    /// Returns a future that is ready when the loop stops. A connection that is served should end soon after.
    pub fn stopping(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stopped = self.stopped.clone();
        async move {
            // An error means that the loop is gone.
            let _stopped = stopped.wait_for(|stopped| *stopped).await;
        }
    }

    /// Returns the handle by which the application can note later that the connection is served.
    #[must_use]
    pub fn place(&self) -> Place {
        Place {
            id: self.id,
            connections: self.connections.clone(),
        }
    }

    /// Returns the stream.
    #[must_use]
    pub const fn stream(&self) -> &AcceptedStream {
        &self.stream
    }

    /// Returns the stream, to read and write.
    pub const fn stream_mut(&mut self) -> &mut AcceptedStream {
        &mut self.stream
    }

    /// Returns the stream, which keeps the connection's place.
    #[must_use]
    pub fn into_stream(self) -> AcceptedStream {
        self.stream
    }
}

/// The place of a connection, for a handshake that takes the stream.
#[derive(Clone, Debug)]
pub struct Place {
    id: ConnectionId,
    connections: Arc<Connections>,
}

impl Place {
    /// Notes that the connection is served, e.g. since its handshake is finished: it does not give way any more.
    pub fn is_served(&self) {
        self.connections.lock().is_served(self.id);
    }
}

/// The connections of a loop.
struct Connections {
    admission: Mutex<Admission<oneshot::Sender<Infallible>>>,
    /// A connection ended.
    freed: Notify,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
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

/// The place of a connection, given back when its stream is dropped.
#[derive(Debug)]
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
