//! Feature `axum`: a listener for `axum::serve`.

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};

use crate::{
    acceptor::{TokenBindingAcceptor, TokenBindingStream},
    connection::TokenBindingConnection,
};

/// How long a handshake may take, unless set.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many handshakes are done at a time; more connections wait in the socket's backlog.
pub const MAX_HANDSHAKES: usize = 1024;

/// Accepts TLS connections for `axum::serve`, handshakes concurrently.
///
/// Serve `app.layer(TokenBindingLayer::new())` with
/// `into_make_service_with_connect_info::<TokenBindingConnection>()`: that is how the layer learns
/// the connection. With [`TokenBindingPeer`] in its place, handlers learn the client's address, too.
pub struct TokenBindingListener {
    listener: TcpListener,
    acceptor: TokenBindingAcceptor,
    timeout: Duration,
    slots: Arc<Semaphore>,
    handshakes: JoinSet<Option<(TokenBindingStream<TcpStream>, SocketAddr)>>,
}

impl TokenBindingListener {
    /// A listener on a bound socket.
    #[must_use]
    pub fn new(listener: TcpListener, acceptor: TokenBindingAcceptor) -> Self {
        Self {
            listener,
            acceptor,
            timeout: HANDSHAKE_TIMEOUT,
            slots: Arc::new(Semaphore::new(MAX_HANDSHAKES)),
            handshakes: JoinSet::new(),
        }
    }

    /// With another time for handshakes.
    #[must_use]
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl Listener for TokenBindingListener {
    type Io = TokenBindingStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                Some(done) = self.handshakes.join_next() => {
                    if let Ok(Some(accepted)) = done {
                        return accepted;
                    }
                }
                (permit, (stream, address)) = async {
                    let permit = self.slots.clone().acquire_owned().await;
                    // axum's own: waits and goes on when the process has no file descriptor left.
                    (permit, Listener::accept(&mut self.listener).await)
                } => {
                    let (acceptor, limit) = (self.acceptor.clone(), self.timeout);
                    self.handshakes.spawn(async move {
                        let _permit = permit;
                        let accepted = timeout(limit, acceptor.accept(stream)).await.ok()?.ok()?;
                        Some((accepted, address))
                    });
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, TokenBindingListener>> for TokenBindingConnection {
    fn connect_info(stream: IncomingStream<'_, TokenBindingListener>) -> Self {
        stream.io().connection().clone()
    }
}

/// axum's `ConnectInfo` of a client: its connection and its address.
#[derive(Clone, Debug)]
pub struct TokenBindingPeer {
    /// The connection's state.
    pub connection: TokenBindingConnection,
    /// Where the connection comes from.
    pub address: SocketAddr,
}

impl Connected<IncomingStream<'_, TokenBindingListener>> for TokenBindingPeer {
    fn connect_info(stream: IncomingStream<'_, TokenBindingListener>) -> Self {
        Self {
            connection: stream.io().connection().clone(),
            address: *stream.remote_addr(),
        }
    }
}

impl fmt::Debug for TokenBindingListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenBindingListener")
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}
