//! A web site on loopback: TLS with Token Binding, served by hand or by the crate's server, and a log of what its
//! application saw.

use std::{
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Extension, Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use conformance::outcome::Checked;
use http::{Extensions, Version};
use rustls::{HandshakeKind, ServerConfig, crypto::ring};
use test_support::pki::{Certificate, Identity};
use tokenbind_http::{
    ProvidedTokenBinding, ReferredTokenBinding,
    origin::Origin,
    server::{self, serve_connection},
    tls::{ServerConfigs, VersionPreference},
};
use tokenbind_wire::{TokenBindingAlpn, Verify};
use tokio::{net::TcpListener, task::AbortHandle, time::sleep};
use tower_layer::Layer;

/// The certificate of all sites, and its key.
pub(super) static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
    let certificate = Certificate::server(&["localhost", "127.0.0.1"]);
    certificate.common_name("Test").self_signed()
});

/// Which adapter serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Adapter {
    /// `serve_connection`, called by the site's own accept loop.
    Connection,
    /// `server::Server`.
    Server,
}

impl Adapter {
    pub(super) const BOTH: [Self; 2] = [Self::Connection, Self::Server];
}

/// The kind of session resumption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resumption {
    SessionIds,
    Tickets,
}

/// The setup of a site.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) alpn: Vec<TokenBindingAlpn>,
    pub(super) preference: VersionPreference,
    pub(super) resumption: Resumption,
    pub(super) adapter: Adapter,
    pub(super) options: server::Options,
    pub(super) verifier: Option<Arc<dyn Verify + Send + Sync>>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            alpn: TokenBindingAlpn::ALL.to_vec(),
            preference: VersionPreference::default(),
            resumption: Resumption::SessionIds,
            adapter: Adapter::Connection,
            options: server::Options::default(),
            verifier: None,
        }
    }
}

/// A request as the application received it. Identifiers and `tls_unique` are in hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) path: String,
    pub(super) version: Version,
    pub(super) provided: Option<String>,
    pub(super) referred: Option<String>,
    pub(super) tls_unique: Option<String>,
}

/// The record of a site so far.
#[derive(Default)]
pub(super) struct Log {
    seen: Mutex<Vec<Seen>>,
    refusals: Mutex<Vec<server::TerminateReason>>,
    handshakes: Mutex<Vec<Option<HandshakeKind>>>,
}

/// A running site; it stops when dropped.
pub(super) struct Site {
    port: u16,
    origin: Origin,
    log: Arc<Log>,
    task: AbortHandle,
}

impl Setup {
    pub(super) fn new(alpn: TokenBindingAlpn) -> Self {
        let alpn = vec![alpn];
        Self {
            alpn,
            ..Self::default()
        }
    }

    pub(super) fn acceptor(&self, log: &Arc<Log>) -> Checked<server::Acceptor> {
        let provider = ring::default_provider();
        let finish = |builder: rustls::ConfigBuilder<ServerConfig, _>| {
            let mut config = builder
                .with_no_client_auth()
                .with_single_cert(IDENTITY.chain(), IDENTITY.private_key())?;
            if self.resumption == Resumption::Tickets {
                config.ticketer = ring::Ticketer::new()?;
            }
            Ok(config)
        };
        let configs = ServerConfigs::build(provider, &self.alpn, self.preference, finish)?;
        let log = log.clone();
        let acceptor = server::Acceptor::new(configs)
            .with_options(self.options)
            .on_terminate(move |refusal| locked(&log.refusals).push(refusal));
        Ok(match &self.verifier {
            Some(verifier) => acceptor.with_verifier(verifier.clone()),
            None => acceptor,
        })
    }

    /// Starts a site that serves `routes`.
    pub(super) async fn start(&self, routes: Router) -> Checked<Site> {
        let log = Arc::new(Log::default());
        let acceptor = self.acceptor(&log)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let app = routes.layer(from_fn_with_state(log.clone(), record));
        let task = match self.adapter {
            Adapter::Connection => {
                tokio::spawn(serve_by_hand(listener, acceptor, app, log.clone()))
            }
            Adapter::Server => {
                let server = server::Server::new(acceptor);
                tokio::spawn(async move { server.serve(listener, app).await })
            }
        };
        let task = task.abort_handle();
        let origin = format!("https://localhost:{port}").parse()?;
        Ok(Site {
            port,
            origin,
            log,
            task,
        })
    }
}

async fn serve_by_hand(
    listener: TcpListener,
    acceptor: server::Acceptor,
    app: Router,
    log: Arc<Log>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, app, log) = (acceptor.clone(), app.clone(), log.clone());
        tokio::spawn(async move {
            // A handshake that fails, and a connection that is terminated, are the client's to see.
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let kind = stream.get_ref().1.handshake_kind();
            locked(&log.handshakes).push(kind);
            let app = Extension(stream.connection().clone()).layer(app);
            let _ended = serve_connection(stream, app).await;
        });
    }
}

/// Notes what the application below sees.
async fn record(State(log): State<Arc<Log>>, request: Request, next: Next) -> Response {
    let extensions = request.extensions();
    let seen = Seen {
        path: request.uri().path().to_owned(),
        version: request.version(),
        provided: provided(extensions),
        referred: extensions.get().map(referred),
        tls_unique: connection(extensions)
            .and_then(server::Connection::session)
            .map(|session| hex::encode(session.tls_unique.as_bytes())),
    };
    locked(&log.seen).push(seen);
    next.run(request).await
}

pub(super) fn provided(extensions: &Extensions) -> Option<String> {
    let provided = extensions.get::<ProvidedTokenBinding>()?;
    Some(hex::encode(provided.id().as_bytes()))
}

fn referred(referred: &ReferredTokenBinding) -> String {
    match referred {
        ReferredTokenBinding::Verified(id) => hex::encode(id.as_bytes()),
        ReferredTokenBinding::Unsupported(algorithm) => {
            format!("unsupported {}.{}", algorithm.hash.0, algorithm.signature.0)
        }
    }
}

fn connection(extensions: &Extensions) -> Option<&server::Connection> {
    let peer = extensions.get::<server::Peer>();
    peer.map(|peer| &peer.connection)
        .or_else(|| extensions.get())
}

impl Site {
    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    pub(super) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the requests that the application received since the last call.
    pub(super) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut locked(&self.log.seen))
    }

    /// Returns the requests that the application received since the last call, once there are `count`, or after 10
    /// seconds. Over HTTP/2 the application runs in a task of each request, which may begin after the client has
    /// noticed the end of the connection.
    pub(super) async fn seen_once(&self, count: usize) -> Vec<Seen> {
        for _ in 0..10_000 {
            if locked(&self.log.seen).len() >= count {
                break;
            }
            sleep(Duration::from_millis(1)).await;
        }
        self.seen()
    }

    /// Returns the reasons of connections that were terminated since the last call.
    pub(super) fn refusals(&self) -> Vec<server::TerminateReason> {
        std::mem::take(&mut locked(&self.log.refusals))
    }

    /// The handshakes since the last call; [`Adapter::Connection`] only.
    pub(super) fn handshakes(&self) -> Vec<Option<HandshakeKind>> {
        std::mem::take(&mut locked(&self.log.handshakes))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
