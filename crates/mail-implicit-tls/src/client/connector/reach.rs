//! Connections of a gateway to its backends: without the dialogue before login, which is the client's.

use tokio::time::{Instant, timeout_at};

use super::Connector;
use crate::{
    account::{Account, Server},
    client::{
        deadline::Reached,
        handshake::handshake,
        stream::{Sniffed, Stream},
    },
    failure::{Cause, Stage},
    service::Security,
};

impl Connector {
    /// Opens a connection to a backend, and sends `first` on it before anything else, TLS included. The first octets that
    /// are read are the greeting; it has no text if the connection was upgraded by `STARTTLS`.
    ///
    /// # Errors
    /// Returns the cause. A service with TLS never falls back to clear text.
    pub(crate) async fn reach(
        &self,
        account: &Account,
        server: &Server,
        first: &[u8],
        deadline: Instant,
    ) -> Result<Stream, Cause> {
        let mut reached = Reached::new();
        let reach = self.reach_stages(account, server, first, &mut reached);
        match timeout_at(deadline, reach).await {
            Ok(stream) => stream,
            Err(_) => Err(Cause::Timeout(reached.stage)),
        }
    }

    async fn reach_stages(
        &self,
        account: &Account,
        server: &Server,
        first: &[u8],
        reached: &mut Reached,
    ) -> Result<Stream, Cause> {
        let (service, port) = (server.service, server.port);
        if service.security == Security::StartTls {
            let opened = self.open(account, server, service, port, first, reached);
            return Ok(opened.await?.into_stream_with_greeting());
        }
        let (addresses, tlsa) = self.look_up(account, server, service, port).await?;
        reached.stage = Stage::Connect;
        let tcp = addresses.connect(port, first).await?;
        let stream = Stream::clear(Sniffed::new(tcp));
        if service.security == Security::Clear {
            return Ok(stream);
        }
        let prepared = self.prepare(account, server, tlsa)?;
        reached.stage = Stage::Handshake;
        let (stream, _) = handshake(stream, &prepared).await?;
        Ok(stream)
    }
}
