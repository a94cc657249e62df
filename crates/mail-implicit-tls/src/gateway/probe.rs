//! A look at what clients would be offered with a backend, without a client.

mod offer;

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout_at},
};

use self::offer::Offer;
use super::{
    Backend, ClientAddress, ClientFacts, GatewayOptions, GatewaySession, OpenFailure, SessionId,
    proxy_protocol::Header, running::session,
};
use crate::{
    client::{Connector, Stream, after},
    failure::Cause,
    privacy::ProtocolVersion,
    server::ConnectionRecord,
    service::{Protocol, Service},
};

/// The longest answer that is read.
const MAX_ANSWER_BYTES: usize = 65_536;

/// The offer of a backend, as clients of the gateway would see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probed {
    /// The lines of the greeting and of the answer to `CAPABILITY`, `CAPA` or `EHLO`. Octets other than printable ASCII are
    /// escaped.
    pub offered: Vec<String>,
    /// The SASL mechanisms with channel binding that the backend offers, and clients do not see (RFC 5802 section 6).
    pub plus: Vec<String>,
    /// `true` if clients are offered a way to log in.
    pub has_login: bool,
}

impl Backend {
    /// Opens a connection, passes the greeting and the answer to the question for capabilities through a session, as a
    /// client of `service` would see them, and closes the connection. There is no login.
    ///
    /// # Errors
    /// Returns the failure of the connection, or of the answer.
    pub async fn probe(
        &self,
        connector: &Connector,
        options: &GatewayOptions,
        service: Service,
        time: Duration,
    ) -> Result<Probed, OpenFailure> {
        let facts = facts(service);
        let first = match options.address() {
            ClientAddress::ProxyV2 => Header::of_client(&facts)
                .to_vec()
                .map_err(|_| OpenFailure::Refuses)?,
            _ => Vec::new(),
        };
        let (stream, greeting) = self.open(connector, &first, time).await?;
        let mut probe = Probe {
            stream,
            session: session(&facts, options),
            raw: Vec::new(),
            offered: Vec::new(),
        };
        let deadline = after(Instant::now(), time);
        let asked = timeout_at(deadline, probe.ask(service.protocol, &greeting)).await;
        asked.unwrap_or(Err(OpenFailure::Silent))?;
        // The answers are complete; a connection that breaks now has no effect on them.
        let _ = timeout_at(deadline, probe.leave(service.protocol)).await;
        Ok(probe.found(service.protocol))
    }
}

/// Returns the facts of a client that does not exist.
fn facts(service: Service) -> ClientFacts {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, service.default_port()));
    ClientFacts {
        record: ConnectionRecord {
            version: Some(ProtocolVersion::TLS1_3),
            // TLS_AES_128_GCM_SHA256
            cipher_suite: Some(0x1301),
            ..ConnectionRecord::new(service, address)
        },
        local: address,
        session: SessionId(0),
    }
}

/// A dialogue with a backend.
struct Probe {
    stream: Stream,
    session: Box<dyn GatewaySession>,
    /// The octets of the backend.
    raw: Vec<u8>,
    /// The octets for a client.
    offered: Vec<u8>,
}

impl Probe {
    async fn ask(&mut self, protocol: Protocol, greeting: &[u8]) -> Result<(), OpenFailure> {
        self.receive(greeting)?;
        self.until(|offered| is_complete(protocol, true, offered))
            .await?;
        let begin = self.offered.len();
        let question: &[u8] = match protocol {
            Protocol::Imap => b"a CAPABILITY\r\n",
            Protocol::Pop => b"CAPA\r\n",
            Protocol::Submission => b"EHLO localhost\r\n",
        };
        self.send(question)?;
        let answer =
            |offered: &[u8]| is_complete(protocol, false, offered.get(begin..).unwrap_or_default());
        self.until(answer).await
    }

    async fn leave(&mut self, protocol: Protocol) -> Result<(), OpenFailure> {
        let begin = self.offered.len();
        self.send(match protocol {
            Protocol::Imap => b"a LOGOUT\r\n",
            Protocol::Pop | Protocol::Submission => b"QUIT\r\n",
        })?;
        let left = self.until(|offered| offered.len() > begin).await;
        self.offered.truncate(begin);
        left
    }

    fn send(&mut self, octets: &[u8]) -> Result<(), OpenFailure> {
        self.session
            .client_sent(octets)
            .map_err(OpenFailure::Session)
    }

    fn receive(&mut self, octets: &[u8]) -> Result<(), OpenFailure> {
        self.raw.extend_from_slice(octets);
        self.session
            .backend_sent(octets)
            .map_err(OpenFailure::Session)
    }

    /// Carries octets until those for the client are complete.
    async fn until(&mut self, is_complete: impl Fn(&[u8]) -> bool) -> Result<(), OpenFailure> {
        let broken = |error: std::io::Error| OpenFailure::Connection(Cause::Connect(error.kind()));
        loop {
            self.offered.extend(self.session.take_for_client());
            let for_backend = self.session.take_for_backend();
            self.stream.write_all(&for_backend).await.map_err(broken)?;
            self.stream.flush().await.map_err(broken)?;
            if is_complete(&self.offered) {
                return Ok(());
            }
            if self.session.is_over() || self.raw.len() > MAX_ANSWER_BYTES {
                return Err(OpenFailure::Refuses);
            }
            let mut octets = [0; 4096];
            match self.stream.read(&mut octets).await.map_err(broken)? {
                0 => return Err(OpenFailure::Closed),
                count => self.receive(octets.get(..count).unwrap_or_default())?,
            }
        }
    }

    fn found(self, protocol: Protocol) -> Probed {
        let shown = |octets: &[u8]| -> Vec<String> {
            let text = octets.escape_ascii().to_string();
            text.split("\\r\\n")
                .filter(|line| !line.is_empty())
                .map(|line| line.replace("\\\"", "\""))
                .collect()
        };
        let (raw, offered) = (
            Offer::read(protocol, &self.raw),
            Offer::read(protocol, &self.offered),
        );
        Probed {
            has_login: offered.has_login(&raw),
            offered: shown(&self.offered),
            plus: raw.plus(),
        }
    }
}

/// Returns `true` if a greeting or an answer is complete.
fn is_complete(protocol: Protocol, is_greeting: bool, octets: &[u8]) -> bool {
    if !octets.ends_with(b"\r\n") {
        return false;
    }
    match protocol {
        Protocol::Imap if is_greeting => true,
        Protocol::Imap => last_line(octets).starts_with(b"a "),
        Protocol::Pop if is_greeting || octets.starts_with(b"-") => true,
        Protocol::Pop => last_line(octets) == b".",
        Protocol::Submission => last_line(octets).get(3) != Some(&b'-'),
    }
}

fn last_line(octets: &[u8]) -> &[u8] {
    let octets = octets.strip_suffix(b"\r\n").unwrap_or(octets);
    let begin = octets.iter().rposition(|&octet| octet == b'\n');
    let begin = begin.map_or(0, |at| at.saturating_add(1));
    octets.get(begin..).unwrap_or_default()
}
