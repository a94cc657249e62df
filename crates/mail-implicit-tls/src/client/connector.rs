//! The connector: lookup, TCP, TLS and the dialogue before login, within one deadline (sections 3 and 4).

#[cfg(feature = "monitor")]
mod observe;
#[cfg(feature = "gateway")]
mod reach;

use std::{collections::HashMap, fmt, io, net::IpAddr, sync::Arc, time::Duration};

use rustls::{crypto::CryptoProvider, sign::CertifiedKey};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout_at},
};

use super::{
    connection::Connection,
    deadline::{DEADLINE, Progress, Reached, after},
    handshake::handshake,
    pool::Pool,
    prepared::{OnRequest, Prepared, alpn},
    race,
    stream::{Sniffed, Stream},
    system_resolver::SystemResolver,
};
use crate::{
    account::{Account, AccountId, Host, HostSource, Server},
    dane::{DaneRules, TlsaJudge},
    dialogue::{Demand, Dialogue, Ready},
    dns::{
        self, LookupFailure, Resolve,
        host::{DaneUse, HostLookup, TlsaRecords},
    },
    failure::{Cause, Failure, Stage, TlsFailure},
    service::{Security, Service},
    verifier::{ServerVerifier, Trust, client_config},
};

/// Opens connections to the servers of accounts.
///
/// Keep one as long as the application runs: sessions of TLS are resumed within it, each account's apart, those of the
/// [`MAX_RESUMED_SERVERS`](super::MAX_RESUMED_SERVERS) servers that were connected to last.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
///
/// use mail_implicit_tls::{
///     account::{Account, AccountId, AccountSetup, Host, Server},
///     client::Connector,
///     service::Service,
///     verifier::Trust,
/// };
///
/// let provider = Arc::new(rustls::crypto::ring::default_provider());
/// let connector = Connector::new(provider, Arc::new(Trust::in_certificates([])?));
/// let account = AccountSetup::new(AccountId::try_new("alice@example.org")?)
///     .server(Server::new(Service::IMAPS, Host::parse("imap.example.org")?))
///     .build()?;
/// for server in account.servers() {
///     match connector.connect(&account, server).await {
///         Ok(connection) => println!("{server}: {}", connection.indication()),
///         Err(failure) => println!("{failure}; you may: {:?}", failure.actions()),
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct Connector {
    provider: Arc<CryptoProvider>,
    trust: Arc<Trust>,
    resolver: Arc<dyn Resolve>,
    dane: DaneRules,
    deadline: Duration,
    ehlo: Option<String>,
    offers_alpn: bool,
    needs_authentication: bool,
    /// The domain of inbound mail, whose MX record names the servers.
    #[cfg(feature = "monitor")]
    next_hop: Option<crate::name::DomainName>,
    certificates: HashMap<(AccountId, Host), Arc<CertifiedKey>>,
    prepared: Pool,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl Connector {
    /// Returns a connector with these trust anchors. Addresses are those of the system's resolver, so that DANE is
    /// not used; [`with_resolver`](Self::with_resolver) sets a resolver that validates.
    #[must_use]
    pub fn new(provider: Arc<CryptoProvider>, trust: Arc<Trust>) -> Self {
        Self {
            provider,
            trust,
            resolver: Arc::new(SystemResolver::default()),
            dane: DaneRules::default(),
            deadline: DEADLINE,
            ehlo: None,
            offers_alpn: false,
            needs_authentication: true,
            #[cfg(feature = "monitor")]
            next_hop: None,
            certificates: HashMap::new(),
            prepared: Pool::default(),
        }
    }

    /// Sets the resolver.
    #[must_use]
    pub fn with_resolver(mut self, resolver: Arc<dyn Resolve>) -> Self {
        self.resolver = resolver;
        self
    }

    /// Sets the reading of DANE.
    #[must_use]
    pub fn with_dane_rules(mut self, rules: DaneRules) -> Self {
        self.dane = rules;
        self.prepared = Pool::default();
        self
    }

    /// Sets the time that a connection may take over all its steps.
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets the domain or address literal of `EHLO`.
    #[must_use]
    pub fn with_ehlo(mut self, ehlo: impl Into<String>) -> Self {
        self.ehlo = Some(ehlo.into());
        self
    }

    /// Offers `imap` or `pop3` as application protocol (RFC 7301). The default is to offer none, since some
    /// providers end the handshake at any offer. A refusal is not answered by another attempt without it.
    #[must_use]
    pub fn offer_alpn(mut self) -> Self {
        self.offers_alpn = true;
        self.prepared = Pool::default();
        self
    }

    /// Accepts a submission server that offers no authentication, such as one that knows the client's address.
    #[must_use]
    pub const fn accept_submission_without_authentication(mut self) -> Self {
        self.needs_authentication = false;
        self
    }

    /// Sets the certificate that the user wants to use with a host, on connections of this account. It is sent only
    /// if the server requests one (section 9.1.1).
    #[must_use]
    pub fn with_client_certificate(
        mut self,
        account: AccountId,
        host: Host,
        key: Arc<CertifiedKey>,
    ) -> Self {
        self.certificates.insert((account, host), key);
        self.prepared = Pool::default();
        self
    }

    /// Returns the parts that connections of other protocols need: provider, trust anchors and resolver.
    #[cfg(feature = "autoconfig-fetch")]
    pub(crate) fn parts(&self) -> (Arc<CryptoProvider>, Arc<Trust>, Arc<dyn Resolve>) {
        (
            self.provider.clone(),
            self.trust.clone(),
            self.resolver.clone(),
        )
    }

    /// Opens a connection to a server of an account, up to the point where the client may log in.
    ///
    /// At the high privacy level the connection uses TLS, and the server is verified. At the low level, what
    /// [`LowPrivacy`](crate::account::LowPrivacy) of the account permits is done, and
    /// [`Connection::indication`] tells it.
    ///
    /// # Errors
    /// Returns the cause and the actions that may be offered to the user. Nothing was sent to the server that an
    /// attacker could use: no password, and no command in clear text but for capabilities and `STARTTLS`.
    pub async fn connect(&self, account: &Account, server: &Server) -> Result<Connection, Failure> {
        let end = after(Instant::now(), self.deadline);
        self.connect_until(account, server, end).await
    }

    #[cfg(feature = "deep")]
    pub(crate) const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Opens a connection before a time that may be earlier than the connector's deadline.
    pub(crate) async fn connect_until(
        &self,
        account: &Account,
        server: &Server,
        end: Instant,
    ) -> Result<Connection, Failure> {
        let mut progress = Progress {
            deadline: end,
            reached: Reached::new(),
        };
        self.connect_noting(account, server, &mut progress).await
    }

    /// Opens a connection before the deadline of `progress`, which notes the point that the last attempt reached.
    async fn connect_noting(
        &self,
        account: &Account,
        server: &Server,
        progress: &mut Progress,
    ) -> Result<Connection, Failure> {
        let failure = |cause| {
            let failure = Failure::new(server.service, server.host.to_string(), cause);
            match account.status_page() {
                Some(page) => failure.with_status_page(page.clone()),
                None => failure,
            }
        };
        let begin = Instant::now();
        let end = progress.deadline.min(after(begin, self.deadline));
        // Half of the time is left for a second attempt, where there may be one.
        let may_repeat = account.low().clear_text_fallback;
        let time = end.saturating_duration_since(begin);
        let time = time.checked_div(if may_repeat { 2 } else { 1 });
        progress.deadline = after(begin, time.unwrap_or_default());
        let first = self
            .attempt(account, server, server.service, server.port, progress)
            .await;
        let cause = match first {
            Ok(connection) => return Ok(connection),
            Err(cause) => cause,
        };
        if !account.permits_clear_text(server, &cause) {
            return Err(failure(cause));
        }
        // newman-3-3: "MUST implement code to reconnect without TLS if TLS negotiation fails for reasons other than
        // certificate validity".
        let (clear, port) = server.clear_text_sibling();
        progress.deadline = end;
        let second = self.attempt(account, server, clear, port, progress).await;
        second.map_err(|_| failure(cause))
    }

    /// Makes one attempt within the deadline.
    async fn attempt(
        &self,
        account: &Account,
        server: &Server,
        service: Service,
        port: u16,
        progress: &mut Progress,
    ) -> Result<Connection, Cause> {
        let deadline = progress.deadline;
        let attempt = self.open(account, server, service, port, &[], &mut progress.reached);
        match timeout_at(deadline, attempt).await {
            Ok(result) => result,
            Err(_) => Err(Cause::Timeout(progress.reached.stage)),
        }
    }

    /// Opens a connection. `first` is sent before anything else.
    async fn open(
        &self,
        account: &Account,
        server: &Server,
        service: Service,
        port: u16,
        first: &[u8],
        reached: &mut Reached,
    ) -> Result<Connection, Cause> {
        if service.security == Security::Clear && !account.low().clear_text_fallback {
            return Err(Cause::ClearText);
        }
        reached.stage = Stage::Lookup;
        let (addresses, tlsa) = self.look_up(account, server, service, port).await?;
        reached.stage = Stage::Connect;
        let tcp = addresses.connect(port, first).await?;
        let peer = tcp.peer_addr().ok();
        let prepared = self.prepare(account, server, tlsa)?;
        let mut dialogue = Dialogue::new(service);
        if let Some(ehlo) = &self.ehlo {
            dialogue = dialogue.with_ehlo(ehlo);
        }
        if !self.needs_authentication {
            dialogue = dialogue.accept_without_authentication();
        }
        let mut stream = Stream::clear(Sniffed::new(tcp));
        let mut verdict = None;
        if service.security == Security::Implicit {
            reached.stage = Stage::Handshake;
            let (encrypted, judged) = handshake(stream, &prepared).await?;
            reached.encrypted(&encrypted, &judged);
            stream = encrypted;
            verdict = Some(judged);
        }
        reached.stage = match service.security {
            Security::Implicit => Stage::Encrypted,
            Security::StartTls | Security::Clear => Stage::Greeting,
        };
        let ready = loop {
            match dialogue.demand().map_err(Cause::Dialogue)? {
                Demand::Done(ready) => break ready,
                Demand::Send(octets) => {
                    let sent = async {
                        stream.write_all(&octets).await?;
                        stream.flush().await
                    };
                    sent.await.map_err(|error| Cause::Connect(error.kind()))?;
                    dialogue.sent();
                }
                Demand::Receive => {
                    let mut octets = [0; 4096];
                    match stream.read(&mut octets).await {
                        Ok(0) => dialogue.closed(),
                        Ok(count) => {
                            if reached.stage == Stage::Greeting {
                                reached.stage = Stage::Replies;
                            }
                            dialogue.receive(octets.get(..count).unwrap_or_default());
                        }
                        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                            dialogue.closed()
                        }
                        Err(error) => return Err(Cause::Connect(error.kind())),
                    }
                }
                Demand::StartTls => {
                    reached.stage = Stage::Handshake;
                    let (encrypted, judged) = handshake(stream, &prepared).await?;
                    reached.encrypted(&encrypted, &judged);
                    stream = encrypted;
                    verdict = Some(judged);
                    dialogue.encrypted();
                    reached.stage = Stage::Encrypted;
                }
            }
        };
        let Ready {
            greeting,
            capabilities,
            rest,
        } = *ready;
        stream.put_ahead(rest);
        Ok(Connection {
            stream,
            service,
            greeting,
            capabilities,
            verdict,
            peer,
            #[cfg(any(feature = "deep", feature = "lettre"))]
            ehlo: dialogue.ehlo().to_owned(),
        })
    }

    /// Looks up the addresses and the TLSA records.
    async fn look_up(
        &self,
        account: &Account,
        server: &Server,
        service: Service,
        port: u16,
    ) -> Result<(Addresses, TlsaRecords), Cause> {
        let known = |address| Ok((Addresses::of(address), TlsaRecords::NotRequested));
        let name = match (&server.host, server.address) {
            (Host::Address(address), None) => return known(*address),
            (Host::Address(_), Some(address)) => return known(address),
            (Host::Name(name), _) => name.clone(),
        };
        // RFC 7673 section 3.1: behind an insecure SRV record there is no DANE.
        let is_sourced = server.source != HostSource::InsecureSrv;
        let wanted = account.uses_dane() && service.uses_tls() && is_sourced;
        if let (Some(address), false) = (server.address, wanted) {
            return known(address);
        }
        let usage = if wanted {
            DaneUse::Lookup
        } else {
            DaneUse::Never
        };
        let host = dns::run(&*self.resolver, HostLookup::new(name, port, usage))
            .await
            .map_err(Cause::Lookup)?;
        let found = Addresses {
            all: host.addresses,
            are_all: host.failed_family != Some(LookupFailure::NoResources),
        };
        let addresses = server.address.map_or(found, Addresses::of);
        Ok((addresses, host.tlsa.in_order()))
    }

    /// Returns the verifier and configuration of a server, the same ones until the account or the TLSA records change, or
    /// [`MAX_RESUMED_SERVERS`](super::MAX_RESUMED_SERVERS) others were connected to. Connections that are open keep theirs.
    fn prepare(
        &self,
        account: &Account,
        server: &Server,
        tlsa: TlsaRecords,
    ) -> Result<Arc<Prepared>, Cause> {
        self.prepared.get_or_make(account, server, tlsa, |tlsa| {
            let verifier = ServerVerifier::new(account, server, self.trust.clone(), &self.provider);
            let judge = TlsaJudge::new(tlsa.clone(), self.dane);
            #[cfg(feature = "monitor")]
            let judge = judge.with_next_hop(self.next_hop.clone());
            let verifier = Arc::new(verifier.with_dane(Arc::new(judge)));
            let mut config = client_config(self.provider.clone(), verifier.clone())
                .map_err(|_| Cause::Tls(TlsFailure::Configuration))?;
            if let Some(key) = self
                .certificates
                .get(&(account.id().clone(), server.host.clone()))
            {
                config.client_auth_cert_resolver = Arc::new(OnRequest(key.clone()));
            }
            if self.offers_alpn {
                config.alpn_protocols = alpn(server.service.protocol)
                    .map(<[u8]>::to_vec)
                    .into_iter()
                    .collect();
            }
            Ok(Prepared {
                account: account.clone(),
                server: server.clone(),
                tlsa,
                verifier,
                config: Arc::new(config),
            })
        })
    }
}

/// The addresses of a server.
struct Addresses {
    all: Vec<IpAddr>,
    /// `false` if this machine lacked what the lookup of other addresses needs.
    are_all: bool,
}

impl Addresses {
    fn of(address: IpAddr) -> Self {
        Self {
            all: vec![address],
            are_all: true,
        }
    }

    /// Connects to the first address that answers, and sends the first octets.
    async fn connect(&self, port: u16, first: &[u8]) -> Result<TcpStream, Cause> {
        let connected = async {
            let mut tcp = race::connect(&self.all, port).await?;
            // Commands before login are short and wait for replies.
            let _ = tcp.set_nodelay(true);
            tcp.write_all(first).await?;
            Ok(tcp)
        };
        connected.await.map_err(|error: io::Error| {
            match self.are_all {
                true => Cause::of_connecting(&error),
                // The server may listen at an address that was not found.
                false => Cause::NoResources,
            }
        })
    }
}
