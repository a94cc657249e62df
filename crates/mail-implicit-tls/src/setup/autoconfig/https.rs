//! Feature `autoconfig-fetch`: fetches of configuration files over https.
//!
//! The places of a mail domain are asked in parallel, within one deadline. A connection is made for each request, and
//! its server is verified by the same verifier as servers of mail: PKIX, and a DNS-ID of the host.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::join_all;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use rustls::crypto::CryptoProvider;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;

use super::{
    ClientConfig, Location,
    fetch::{Body, Fetch, FetchProblem, Step},
};
use crate::{
    account::{AccountId, AccountSetup, Host, Server},
    client::{Connector, after, handshake_cause, race},
    dns::{
        self, Resolve,
        host::{DaneUse, HostFailure, HostLookup},
    },
    failure::{Cause, TlsFailure},
    name::DomainName,
    service::Service,
    setup::{address::MailAddress, check},
    verifier::{ServerVerifier, Trust, client_config, server_name},
};

/// The port of https.
const PORT: u16 = 443;

/// The greatest length of the head of a response, in octets.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Fetches the configuration file of a mail domain.
///
/// ```no_run
/// # async fn example(connector: &mail_implicit_tls::client::Connector) -> Result<(), Box<dyn std::error::Error>> {
/// use mail_implicit_tls::{
///     privacy::PrivacyLevel,
///     setup::{address::MailAddress, autoconfig::https::Fetcher},
/// };
///
/// let user = MailAddress::parse("alice@example.org")?;
/// let fetched = Fetcher::new(connector).fetch(&user).await?;
/// let offers = fetched.config.offers(PrivacyLevel::High);
/// # Ok(())
/// # }
/// ```
pub struct Fetcher {
    provider: Arc<CryptoProvider>,
    trust: Arc<Trust>,
    resolver: Arc<dyn Resolve>,
    address: Option<SocketAddr>,
    tells_address: bool,
    deadline: Duration,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher")
            .field("tells_address", &self.tells_address)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// A file, and the place that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The file.
    pub config: ClientConfig,
    /// The place.
    pub location: Location,
}

/// The reason why one place gave no file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchFailure {
    /// The host's name would be longer than names may be.
    Name,
    /// No connection could be made, or the server is not verified.
    Connection(Cause),
    /// The response is not HTTP, or ended early.
    Http,
    /// The response has no file that can be used.
    Refused(FetchProblem),
    /// The time was over.
    Timeout,
}

/// The reasons why no place of a mail domain gave a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchError {
    /// The reason of each place.
    pub failures: Vec<(Location, FetchFailure)>,
}

impl Fetcher {
    /// Returns a fetcher with the provider, the trust anchors and the resolver of a connector.
    #[must_use]
    pub fn new(connector: &Connector) -> Self {
        let (provider, trust, resolver) = connector.parts();
        Self {
            provider,
            trust,
            resolver,
            address: None,
            tells_address: false,
            deadline: check::DEADLINE,
        }
    }

    /// Sets the address to connect to in place of the addresses of the hosts, whose names are verified nevertheless.
    #[must_use]
    pub const fn with_address(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Sets the time that the fetch may take, for all places and redirects together.
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sends the user's address with each first request, as `emailaddress`. The default is not to send it: few
    /// providers need it, and a host learns from it who sets up an account.
    #[must_use]
    pub const fn tell_address(mut self) -> Self {
        self.tells_address = true;
        self
    }

    /// Fetches the file. If several places have one, the file is that of the first in [`Location::ALL`].
    ///
    /// # Errors
    /// Returns the reason of each place if no place has a file that can be used.
    pub async fn fetch(&self, user: &MailAddress) -> Result<Fetched, FetchError> {
        let end = after(Instant::now(), self.deadline);
        let places = Location::ALL.map(async |location| {
            let fetched = timeout_at(end, self.fetch_from(location, user)).await;
            (location, fetched.unwrap_or(Err(FetchFailure::Timeout)))
        });
        let mut failures = Vec::new();
        for (location, fetched) in join_all(places).await {
            match fetched {
                Ok(config) => return Ok(Fetched { config, location }),
                Err(failure) => failures.push((location, failure)),
            }
        }
        Err(FetchError { failures })
    }

    async fn fetch_from(
        &self,
        location: Location,
        user: &MailAddress,
    ) -> Result<ClientConfig, FetchFailure> {
        let mut fetch = Fetch::new(location, user).ok_or(FetchFailure::Name)?;
        if self.tells_address {
            fetch = fetch.tell_address();
        }
        // Ends after `MAX_REDIRECTS`.
        loop {
            let stream = self
                .connect(fetch.host())
                .await
                .map_err(FetchFailure::Connection)?;
            match exchange(stream, fetch).await? {
                Received::File(body) => return body.finish().map_err(FetchFailure::Refused),
                Received::Redirect(next) => fetch = next,
            }
        }
    }

    /// Returns the port of all hosts.
    fn port(&self) -> u16 {
        self.address.map_or(PORT, |address| address.port())
    }

    /// Opens a connection to a host and verifies it.
    pub(crate) async fn connect(
        &self,
        host: &DomainName,
    ) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static, Cause> {
        let addresses = match self.address {
            Some(address) => vec![address.ip()],
            None => {
                let lookup = HostLookup::new(host.clone(), PORT, DaneUse::Never);
                let found = dns::run(&*self.resolver, lookup).await;
                found.map_err(Cause::Lookup)?.addresses
            }
        };
        let tcp = race::connect(&addresses, self.port())
            .await
            .map_err(|error| Cause::of_connecting(&error))?;
        let unusable = || Cause::Tls(TlsFailure::Configuration);
        // An account expects the DNS-ID of a host that its user typed, whatever the service is.
        let server = Server::new(Service::IMAPS, Host::Name(host.clone()));
        let account = AccountId::try_new("autoconfig")
            .and_then(|id| AccountSetup::new(id).server(server.clone()).build())
            .map_err(|_| unusable())?;
        let verifier = ServerVerifier::new(&account, &server, self.trust.clone(), &self.provider);
        let mut config =
            client_config(self.provider.clone(), Arc::new(verifier)).map_err(|_| unusable())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let name = server_name(&server).map_err(|_| unusable())?;
        TlsConnector::from(Arc::new(config))
            .connect(name, tcp)
            .await
            .map_err(|error| handshake_cause(&error))
    }
}

enum Received {
    File(Body),
    Redirect(Fetch),
}

/// Sends the request and receives the response.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    fetch: Fetch,
) -> Result<Received, FetchFailure> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| FetchFailure::Http)?;
    let request = Request::get(fetch.target())
        .header(header::HOST, fetch.host().as_str())
        .header(header::ACCEPT, "application/xml, text/xml")
        .header(header::ACCEPT_ENCODING, "identity")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| FetchFailure::Http)?;
    let response = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|_| FetchFailure::Http)?;
        let (head, mut incoming) = response.into_parts();
        let fields = head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        let step = fetch.head(head.status.as_u16(), fields);
        let mut body = match step.map_err(FetchFailure::Refused)? {
            Step::Redirect(next) => return Ok(Received::Redirect(next)),
            Step::Body(body) => body,
        };
        while let Some(frame) = incoming.frame().await {
            if let Ok(octets) = frame.map_err(|_| FetchFailure::Http)?.into_data() {
                body.push(&octets).map_err(FetchFailure::Refused)?;
            }
        }
        Ok(Received::File(body))
    };
    let drive = async {
        // How the connection ends shows in the response.
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        result = response => result,
        () = drive => Err(FetchFailure::Http),
    }
}

impl FetchError {
    /// Returns `true` if each place stated that it has no file, or has no address, so that another source may be used.
    /// Anything else may be the work of an attacker.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        let is_absent = |failure: &FetchFailure| {
            matches!(
                failure,
                FetchFailure::Name
                    | FetchFailure::Connection(Cause::Lookup(HostFailure::NoAddress))
                    | FetchFailure::Refused(FetchProblem::NotFound)
            )
        };
        self.failures.iter().all(|(_, failure)| is_absent(failure))
    }
}

impl fmt::Display for FetchFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("the name of the host would be too long"),
            Self::Connection(cause) => cause.fmt(f),
            Self::Http => f.write_str("the response is not HTTP or ended early"),
            Self::Refused(problem) => problem.fmt(f),
            Self::Timeout => f.write_str("no file came in time"),
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no configuration file")?;
        for (index, (location, failure)) in self.failures.iter().enumerate() {
            let separator = if index == 0 { ':' } else { ';' };
            write!(f, "{separator} {location}: {failure}")?;
        }
        Ok(())
    }
}

impl std::error::Error for FetchFailure {}

impl std::error::Error for FetchError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connects_to_port_443_unless_an_address_is_set() {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let trust = Arc::new(Trust::in_certificates([]).unwrap());
        let fetcher = Fetcher::new(&Connector::new(provider, trust));
        assert_eq!(fetcher.port(), 443);
        let other = fetcher.with_address(([127, 0, 0, 1], 8443).into());
        assert_eq!(other.port(), 8443);
    }
}
