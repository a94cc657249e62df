//! A running gateway: it accepts the connections of a service within the limits, and hands each over to its session.

use std::sync::Arc;

use accept_loop::{AcceptLoop, Connection};
use arc_swap::ArcSwap;
use tokio::{
    net::TcpListener,
    time::{Instant, timeout},
};

use super::{
    Backends, ClientFacts, GatewayOptions, Notice, RefusalReason, SessionTimes, Shared,
    backends::Opening,
    inbound::arrive,
    proxy_protocol::Networks,
    running::{CLOSE_TIMEOUT, ClientStream, Running, Started},
    shared::Served,
    source::Source,
};
use crate::{
    server::{AcceptError, Acceptor},
    service::Security,
};

/// The service of a listener, which can be replaced while the listener runs: sessions keep the one that they began with.
#[derive(Debug)]
pub struct CurrentService(ArcSwap<GatewayService>);

impl CurrentService {
    /// Returns the service of a listener.
    #[must_use]
    pub fn new(service: GatewayService) -> Self {
        Self(ArcSwap::from_pointee(service))
    }

    /// Replaces the service for connections from now on.
    pub fn replace(&self, service: GatewayService) {
        self.0.store(Arc::new(service));
    }

    /// Serves the connections of a listener until `stop`. Then clients that are not logged in receive the protocol's words
    /// for it, and the others have the time of [`SessionTimes::drain`].
    ///
    /// Returns the number of sessions that were cut because they did not end in time.
    pub async fn serve_until(
        &self,
        listener: TcpListener,
        accept_loop: AcceptLoop,
        stop: impl Future<Output = ()>,
    ) -> usize {
        let service = self.0.load();
        let drain = service.served.times.drain.saturating_add(CLOSE_TIMEOUT);
        let shared = service.served.shared.clone();
        drop(service);
        let accept_loop = accept_loop
            .shutdown_timeout(drain.saturating_add(CLOSE_TIMEOUT))
            .on_event(move |event| shared.tell(&Notice::Accept(&event)));
        let serve = |connection: Connection| {
            let service = self.0.load_full();
            async move { service.serve(connection).await }
        };
        accept_loop.serve_until(listener, serve, stop).await
    }
}

/// A service of a gateway.
#[derive(Clone, Debug)]
pub struct GatewayService {
    acceptor: Acceptor,
    proxies: Arc<Networks>,
    served: Served,
}

impl GatewayService {
    /// Returns a service: its acceptor, its backends, and the options of its sessions.
    #[must_use]
    pub fn new(
        acceptor: Acceptor,
        backends: Arc<Backends>,
        options: GatewayOptions,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            acceptor,
            proxies: Arc::default(),
            served: Served {
                backends,
                options: Arc::new(options),
                times: SessionTimes::default(),
                shared,
            },
        }
    }

    /// Expects a header of the PROXY protocol at the beginning of each connection from these networks, and takes the
    /// client's address from it. A header from another address is not accepted.
    #[must_use]
    pub fn with_proxies(mut self, networks: Networks) -> Self {
        self.proxies = Arc::new(networks);
        self
    }

    /// Sets the time limits.
    #[must_use]
    pub const fn with_times(mut self, times: SessionTimes) -> Self {
        self.served.times = times;
        self
    }

    /// Returns the backends.
    #[must_use]
    pub const fn backends(&self) -> &Arc<Backends> {
        &self.served.backends
    }

    /// Connects to all backends, so that their health is known without a client, and closes the connections that succeed.
    pub async fn check_backends(&self) {
        self.check(true).await;
    }

    /// Connects to the backends to which the last connection failed, or to which there was none for a minute, and closes the
    /// connections that succeed.
    pub async fn recheck_backends(&self) {
        self.check(false).await;
    }

    async fn check(&self, all: bool) {
        let Served {
            backends,
            options,
            times,
            shared,
        } = &self.served;
        let opening = Opening::new(&shared.connector, options.address(), times.connect);
        let service = self.acceptor.service();
        backends
            .check(&opening, all, |backend, notice| {
                shared.tell(&Notice::Backend {
                    service,
                    backend,
                    notice,
                });
            })
            .await;
    }

    /// Serves one connection. What is needed before login only is in a box of its own, so that a session that is logged
    /// in has no memory for it.
    async fn serve(self: Arc<Self>, connection: Connection) {
        let stopping = connection.stopping();
        let stopping = Box::pin(stopping);
        let Some((started, stream)) = Box::pin(self.arrive(connection)).await else {
            return;
        };
        let mut running = Running::new(self.served.clone(), started, stopping);
        drop(self);
        let Some(mut relay) = Box::pin(running.log_in(stream)).await else {
            return;
        };
        let end = running.pipe(&mut relay).await;
        running.end(&mut relay, &[], end).await;
    }

    /// Makes the handshake with a client within the limits.
    async fn arrive(&self, connection: Connection) -> Option<(Started, ClientStream)> {
        let peer = connection.address();
        let place = connection.place();
        let refused = |peer, reason| {
            self.served.shared.tell(&Notice::Refused {
                service: self.acceptor.service(),
                peer,
                reason: &reason,
            });
        };
        let time = self.acceptor.handshake_timeout();
        let sends_first = self.acceptor.service().security == Security::Implicit;
        let arrival = timeout(time, arrive(connection, &self.proxies, sends_first)).await;
        let arrival = match arrival {
            Ok(Ok(arrival)) => arrival,
            Ok(Err(reason)) => {
                refused(peer, reason);
                return None;
            }
            Err(_) => {
                refused(peer, RefusalReason::Accept(AcceptError::Timeout));
                return None;
            }
        };
        let client = arrival.client;
        let shared = &self.served.shared;
        let is_trusted = shared.trusted.load().contains(client.ip());
        let held = match shared.places.take(client.ip(), is_trusted) {
            Ok(held) => held,
            Err(limit) => {
                refused(client, RefusalReason::Limit(limit));
                return None;
            }
        };
        let accepted = timeout(time, self.acceptor.handshake(arrival.stream, client)).await;
        let session = match accepted.unwrap_or(Err(AcceptError::Timeout)) {
            Ok(session) => session,
            Err(error) => {
                refused(client, RefusalReason::Accept(error));
                return None;
            }
        };
        place.is_served();
        let facts = ClientFacts {
            record: session.record().clone(),
            local: arrival.local,
            session: self.served.shared.next_session(),
        };
        self.served.shared.tell(&Notice::Started(&facts));
        let started = Started {
            facts: Box::new(facts),
            source: Source::of(client.ip()),
            is_trusted,
            place: held,
            begin: Instant::now(),
        };
        Some((started, session.into_stream()))
    }
}
