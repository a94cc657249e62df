//! Connections of the monitor, which shows the facts of a handshake also where a later step fails.

use tokio::time::Instant;

use super::Connector;
use crate::{
    account::{Account, Server},
    client::{
        Connection, Handshake,
        deadline::{Progress, Reached, after},
    },
    failure::Failure,
    name::DomainName,
};

impl Connector {
    /// Sets the domain of inbound mail, whose secure MX record names the servers.
    pub(crate) fn with_next_hop(mut self, domain: Option<DomainName>) -> Self {
        self.next_hop = domain;
        self
    }

    /// Opens a connection as [`connect`](Self::connect) does, and returns the facts of its handshake too, if there was one
    /// after which the client accepts the server.
    pub(crate) async fn observe(
        &self,
        account: &Account,
        server: &Server,
    ) -> (Result<Connection, Failure>, Option<Handshake>) {
        let mut progress = Progress {
            deadline: after(Instant::now(), self.deadline),
            reached: Reached::new(),
        };
        let connected = self.connect_noting(account, server, &mut progress).await;
        (connected, progress.reached.tls)
    }
}
