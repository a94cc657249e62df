//! Feature `client`: private connections of an account in one call (draft-newman-email-deep-02 sections 3 and 4).

#[cfg(feature = "async-imap")]
mod imap;
#[cfg(any(feature = "async-imap", feature = "lettre"))]
mod library;
pub(crate) mod race;
#[cfg(feature = "lettre")]
mod smtp;
mod stream;

use std::{
    collections::HashMap,
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use rustls::{
    AlertDescription, ClientConfig, HandshakeKind,
    client::ResolvesClientCert,
    crypto::CryptoProvider,
    pki_types::{ServerName, UnixTime},
    sign::CertifiedKey,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;

#[cfg(feature = "async-imap")]
pub use self::imap::ImapStream;
#[cfg(any(feature = "async-imap", feature = "lettre"))]
pub use self::library::AdapterError;
use self::stream::Sniffed;
pub use self::stream::{Closed, Ending, Stream};
use crate::{
    account::{Account, AccountId, Host, HostSource, Server},
    dane::{DaneRules, TlsaJudge},
    dialogue::{Capabilities, Demand, Dialogue, Greeting, Ready},
    dns::{
        self, Answer, AnswerFuture, DnsName, Dnssec, LookupFailure, Question, Record, RecordKind,
        Records, Resolve,
        host::{DaneUse, HostLookup, TlsaRecords},
    },
    failure::{Cause, Failure, Stage, TlsFailure},
    privacy::{Indication, PrivacyLevel, ProtocolVersion},
    service::{Protocol, Security, Service},
    verdict::{ChainProblem, ChainVerdict, Verdict},
    verifier::{ServerVerifier, Trust, client_config, server_name, verdict_of},
};

/// The time that a connection may take from the first question to the DNS until the client may log in.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Opens connections to the servers of accounts.
///
/// Keep one as long as the application runs: sessions of TLS are resumed within it, each account's apart.
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
    certificates: HashMap<(AccountId, Host), Arc<CertifiedKey>>,
    prepared: Mutex<HashMap<ServerKey, Arc<Prepared>>>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// An account and a server of it.
type ServerKey = (AccountId, Service, Host, u16);

/// The verifier and the configuration of one server of one account, for connections with the same TLSA records.
struct Prepared {
    account: Account,
    server: Server,
    tlsa: TlsaRecords,
    verifier: Arc<ServerVerifier>,
    config: Arc<ClientConfig>,
}

/// A connection on which the client may log in.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    service: Service,
    greeting: Greeting,
    capabilities: Capabilities,
    verdict: Option<Verdict>,
    peer: Option<SocketAddr>,
    #[cfg(any(feature = "deep", feature = "lettre"))]
    ehlo: String,
}

impl Connector {
    /// Returns a connector with these trust anchors. Addresses are those of the system's resolver, so that DANE is
    /// not used; [`with_resolver`](Self::with_resolver) sets a resolver that validates.
    #[must_use]
    pub fn new(provider: Arc<CryptoProvider>, trust: Arc<Trust>) -> Self {
        Self {
            provider,
            trust,
            resolver: Arc::new(SystemResolver),
            dane: DaneRules::default(),
            deadline: DEADLINE,
            ehlo: None,
            offers_alpn: false,
            needs_authentication: true,
            certificates: HashMap::new(),
            prepared: Mutex::default(),
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
        self.prepared = Mutex::default();
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
        self.prepared = Mutex::default();
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
        self.prepared = Mutex::default();
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
        let failure = |cause| {
            let failure = Failure::new(server.service, server.host.to_string(), cause);
            match account.status_page() {
                Some(page) => failure.with_status_page(page.clone()),
                None => failure,
            }
        };
        let begin = Instant::now();
        let end = end.min(after(begin, self.deadline));
        // Half of the time is left for a second attempt, where there may be one.
        let may_repeat = account.low().clear_text_fallback;
        let time = end.saturating_duration_since(begin);
        let time = time.checked_div(if may_repeat { 2 } else { 1 });
        let mut progress = Progress {
            deadline: after(begin, time.unwrap_or_default()),
            stage: Stage::Lookup,
        };
        let first = self
            .attempt(account, server, server.service, server.port, &mut progress)
            .await;
        let cause = match first {
            Ok(connection) => return Ok(connection),
            Err(cause) => cause,
        };
        if !permits_clear_text(account, server, &cause) {
            return Err(failure(cause));
        }
        // newman-3-3: "MUST implement code to reconnect without TLS if TLS negotiation fails for reasons other than
        // certificate validity".
        let (clear, port) = clear_text_sibling(server);
        progress.deadline = end;
        let second = self
            .attempt(account, server, clear, port, &mut progress)
            .await;
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
        let attempt = self.open(account, server, service, port, &mut progress.stage);
        match timeout_at(deadline, attempt).await {
            Ok(result) => result,
            Err(_) => Err(Cause::Timeout(progress.stage)),
        }
    }

    async fn open(
        &self,
        account: &Account,
        server: &Server,
        service: Service,
        port: u16,
        stage: &mut Stage,
    ) -> Result<Connection, Cause> {
        if service.security == Security::Clear && !account.low().clear_text_fallback {
            return Err(Cause::ClearText);
        }
        *stage = Stage::Lookup;
        let (addresses, tlsa) = self.look_up(account, server, service, port).await?;
        *stage = Stage::Connect;
        let tcp = race::connect(&addresses, port)
            .await
            .map_err(|error| Cause::Connect(error.kind()))?;
        let peer = tcp.peer_addr().ok();
        // Commands before login are short and wait for replies.
        let _ = tcp.set_nodelay(true);
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
            *stage = Stage::Handshake;
            let (encrypted, judged) = handshake(stream, &prepared).await?;
            stream = encrypted;
            verdict = Some(judged);
        }
        *stage = Stage::Greeting;
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
                        Ok(count) => dialogue.receive(octets.get(..count).unwrap_or_default()),
                        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                            dialogue.closed()
                        }
                        Err(error) => return Err(Cause::Connect(error.kind())),
                    }
                }
                Demand::StartTls => {
                    *stage = Stage::Handshake;
                    let (encrypted, judged) = handshake(stream, &prepared).await?;
                    stream = encrypted;
                    verdict = Some(judged);
                    dialogue.encrypted();
                    *stage = Stage::Greeting;
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
    ) -> Result<(Vec<IpAddr>, TlsaRecords), Cause> {
        let name = match (&server.host, server.address) {
            (Host::Address(address), None) => {
                return Ok((vec![*address], TlsaRecords::NotRequested));
            }
            (Host::Address(_), Some(address)) => {
                return Ok((vec![address], TlsaRecords::NotRequested));
            }
            (Host::Name(name), _) => name.clone(),
        };
        // RFC 7673 section 3.1: behind an insecure SRV record there is no DANE.
        let is_sourced = server.source != HostSource::InsecureSrv;
        let wanted = account.uses_dane() && service.uses_tls() && is_sourced;
        if let (Some(address), false) = (server.address, wanted) {
            return Ok((vec![address], TlsaRecords::NotRequested));
        }
        let usage = if wanted {
            DaneUse::Lookup
        } else {
            DaneUse::Never
        };
        let host = dns::run(&*self.resolver, HostLookup::new(name, port, usage))
            .await
            .map_err(Cause::Lookup)?;
        let addresses = server
            .address
            .map_or(host.addresses, |address| vec![address]);
        Ok((addresses, host.tlsa.in_order()))
    }

    /// Returns the verifier and configuration of a server, the same ones until the account or the TLSA records change.
    /// Connections that are open keep theirs.
    fn prepare(
        &self,
        account: &Account,
        server: &Server,
        tlsa: TlsaRecords,
    ) -> Result<Arc<Prepared>, Cause> {
        let key = (
            account.id().clone(),
            server.service,
            server.host.clone(),
            server.port,
        );
        let mut prepared = self.prepared.lock().unwrap_or_else(|it| it.into_inner());
        if let Some(known) = prepared.get(&key)
            && known.account == *account
            && known.server == *server
            && known.tlsa == tlsa
        {
            return Ok(known.clone());
        }
        let verifier = ServerVerifier::new(account, server, self.trust.clone(), &self.provider);
        let judge = TlsaJudge::new(tlsa.clone(), self.dane);
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
        let new = Arc::new(Prepared {
            account: account.clone(),
            server: server.clone(),
            tlsa,
            verifier,
            config: Arc::new(config),
        });
        prepared.insert(key, new.clone());
        Ok(new)
    }
}

/// Makes the TLS handshake and judges the server, on a resumed session too.
async fn handshake(stream: Stream, prepared: &Prepared) -> Result<(Stream, Verdict), Cause> {
    let tcp = stream
        .into_clear()
        .ok_or(Cause::Tls(TlsFailure::Configuration))?;
    // RFC 7671 section 7: with DANE, SNI is the base domain.
    let name = match &prepared.tlsa {
        TlsaRecords::Records { base, .. } => ServerName::try_from(base.as_str().to_owned()).ok(),
        _ => server_name(&prepared.server).ok(),
    };
    let name = name.ok_or(Cause::Tls(TlsFailure::Configuration))?;
    let connector = TlsConnector::from(prepared.config.clone());
    let is_implicit = prepared.server.service.security == Security::Implicit;
    let encrypted = match connector.connect(name, tcp).into_fallible().await {
        Ok(encrypted) => encrypted,
        Err((_, tcp)) if is_implicit && tcp.speaks_clear_text() => {
            return Err(Cause::SpeaksClearText);
        }
        Err((error, _)) => return Err(handshake_cause(&error)),
    };
    // rustls does not verify a resumed session, and the certificate may have expired since.
    let (end_entity, intermediates) = encrypted
        .get_ref()
        .1
        .peer_certificates()
        .and_then(<[_]>::split_first)
        .ok_or(Cause::Tls(TlsFailure::Protocol))?;
    let verdict = prepared
        .verifier
        .judge(end_entity, intermediates, UnixTime::now());
    if !prepared.verifier.accepts(&verdict) {
        return Err(Cause::NotVerified(Box::new(verdict)));
    }
    Ok((Stream::tls(encrypted), verdict))
}

/// The deadline of a connection, and the stage that it reached.
struct Progress {
    deadline: Instant,
    stage: Stage,
}

/// Returns the time after another; a time too far to express is a day away.
pub(crate) fn after(begin: Instant, time: Duration) -> Instant {
    const DAY: Duration = Duration::from_secs(86_400);
    begin.checked_add(time.min(DAY)).unwrap_or(begin)
}

/// Returns `true` if the account permits to connect again in clear text after this cause.
fn permits_clear_text(account: &Account, server: &Server, cause: &Cause) -> bool {
    account.level() == PrivacyLevel::Low
        && account.low().clear_text_fallback
        && server.service.security != Security::Clear
        && cause.is_tls_negotiation()
}

/// Returns the service and the port of an attempt without TLS: the clear port of the protocol after implicit TLS, whose
/// port has no clear text, and the same port after `STARTTLS`.
const fn clear_text_sibling(server: &Server) -> (Service, u16) {
    let clear = Service::new(server.service.protocol, Security::Clear);
    match server.service.security {
        Security::Implicit => (clear, clear.default_port()),
        Security::StartTls | Security::Clear => (clear, server.port),
    }
}

/// Returns the application protocol of a protocol (RFC 7301, registry of ALPN). Submission has none.
const fn alpn(protocol: Protocol) -> Option<&'static [u8]> {
    match protocol {
        Protocol::Imap => Some(b"imap"),
        Protocol::Pop => Some(b"pop3"),
        Protocol::Submission => None,
    }
}

pub(crate) fn handshake_cause(error: &io::Error) -> Cause {
    let rustls = error
        .get_ref()
        .and_then(|error| error.downcast_ref::<rustls::Error>());
    if let Some(verdict) = rustls.and_then(verdict_of) {
        return Cause::NotVerified(Box::new(verdict.clone()));
    }
    match rustls.and_then(certificate_problem) {
        Some(problem) => Cause::NotVerified(Box::new(Verdict {
            chain: ChainVerdict::Refused(vec![problem]),
            ..Verdict::default()
        })),
        None => Cause::Tls(tls_failure(error)),
    }
}

/// Returns what is wrong with a server's certificate or its key that rustls found by itself.
const fn certificate_problem(error: &rustls::Error) -> Option<ChainProblem> {
    use rustls::{CertificateError, Error};

    match error {
        Error::NoCertificatesPresented => Some(ChainProblem::NoCertificate),
        Error::InvalidCertificate(CertificateError::BadSignature) => Some(ChainProblem::Signature),
        Error::InvalidCertificate(CertificateError::BadEncoding) => Some(ChainProblem::Malformed),
        Error::InvalidCertificate(_) => Some(ChainProblem::Other),
        _ => None,
    }
}

fn tls_failure(error: &io::Error) -> TlsFailure {
    use rustls::{Error, PeerIncompatible};

    let Some(rustls) = error
        .get_ref()
        .and_then(|error| error.downcast_ref::<Error>())
    else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => TlsFailure::Closed,
            _ => TlsFailure::Protocol,
        };
    };
    match rustls {
        Error::AlertReceived(AlertDescription::ProtocolVersion) => TlsFailure::Version,
        Error::AlertReceived(AlertDescription::CloseNotify) => TlsFailure::Closed,
        Error::AlertReceived(alert) => TlsFailure::Alert(u8::from(*alert)),
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => TlsFailure::Version,
        Error::PeerIncompatible(_) => TlsFailure::Incompatible,
        Error::InvalidMessage(_) => TlsFailure::NotTls,
        _ => TlsFailure::Protocol,
    }
}

/// A client certificate that is sent to a server that requests one, and to no other.
#[derive(Debug)]
struct OnRequest(Arc<CertifiedKey>);

impl ResolvesClientCert for OnRequest {
    fn resolve(
        &self,
        _hints: &[&[u8]],
        schemes: &[rustls::SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.0.key.choose_scheme(schemes).map(|_| self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl Connection {
    /// Returns the service that was used: the server's, or its clear-text sibling.
    #[must_use]
    pub const fn service(&self) -> Service {
        self.service
    }

    /// Returns the privacy that the connection has.
    #[must_use]
    pub fn indication(&self) -> Indication {
        match (&self.verdict, self.version()) {
            (Some(verdict), Some(version)) => Indication::of_tls(verdict, version),
            _ => Indication::clear(),
        }
    }

    /// Returns the verdict about the server, or nothing in clear text.
    pub const fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// Returns the version of TLS, or nothing in clear text.
    #[must_use]
    pub fn version(&self) -> Option<ProtocolVersion> {
        let version = self.stream.tls_connection()?.protocol_version()?;
        Some(ProtocolVersion(u16::from(version)))
    }

    /// Returns the registered number of the cipher suite, or nothing in clear text.
    #[must_use]
    pub fn cipher_suite(&self) -> Option<u16> {
        let suite = self.stream.tls_connection()?.negotiated_cipher_suite()?;
        Some(u16::from(suite.suite()))
    }

    /// Returns the registered number of the group of the key exchange, or nothing if there was none.
    #[must_use]
    pub fn group(&self) -> Option<u16> {
        let group = self
            .stream
            .tls_connection()?
            .negotiated_key_exchange_group()?;
        Some(u16::from(group.name()))
    }

    /// Returns `true` if the session was resumed.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        let connection = self.stream.tls_connection();
        connection.and_then(|it| it.handshake_kind()) == Some(HandshakeKind::Resumed)
    }

    /// Returns the greeting.
    #[must_use]
    pub const fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Returns the capabilities that the server advertises now.
    #[must_use]
    pub const fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Returns the address of the server.
    #[must_use]
    pub const fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Returns a handle that tells how the connection ended, for the time when a library owns the stream.
    #[must_use]
    pub fn ending(&self) -> Ending {
        self.stream.ending()
    }

    /// Returns the stream, on which the server's greeting was read.
    #[must_use]
    pub fn into_stream(self) -> Stream {
        self.stream
    }

    /// Returns the stream for a library that reads the greeting itself. The stream begins with the greeting, if it
    /// came within TLS; a greeting that came in clear text is replaced by one without a text.
    #[must_use]
    pub fn into_stream_with_greeting(mut self) -> Stream {
        self.put_greeting_ahead();
        self.stream
    }

    /// Puts the greeting before the octets that are still to be read.
    pub(crate) fn put_greeting_ahead(&mut self) {
        let empty = [empty_greeting(self.service.protocol).to_owned()];
        let lines = match self.greeting.encrypted {
            true => self.greeting.lines.as_slice(),
            false => &empty,
        };
        let mut greeting = Vec::new();
        for line in lines {
            greeting.extend_from_slice(line.as_bytes());
            greeting.extend_from_slice(b"\r\n");
        }
        self.stream.put_ahead(greeting);
    }

    #[cfg(feature = "deep")]
    pub(crate) const fn stream_mut(&mut self) -> &mut Stream {
        &mut self.stream
    }

    #[cfg(feature = "deep")]
    pub(crate) fn ehlo(&self) -> &str {
        &self.ehlo
    }
}

const fn empty_greeting(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Imap => "* OK ready",
        Protocol::Pop => "+OK ready",
        Protocol::Submission => "220 ready",
    }
}

/// The system's resolver, which gives addresses and does not validate.
#[derive(Clone, Copy, Debug, Default)]
struct SystemResolver;

impl SystemResolver {
    async fn addresses(question: &Question) -> Answer {
        let found = tokio::net::lookup_host((question.name.as_str(), 0)).await;
        // The system does not tell a host without addresses from a failure.
        let Ok(found) = found else {
            return Answer::Failed(LookupFailure::Unreachable);
        };
        let wants_v6 = question.kind == RecordKind::Aaaa;
        let fits = |address: &IpAddr| address.is_ipv6() == wants_v6;
        let records: Vec<_> = found
            .map(|it| it.ip())
            .filter(fits)
            .map(Record::Address)
            .collect();
        match records.is_empty() {
            true => Answer::Denied {
                denial: dns::Denial::NoData,
                dnssec: Dnssec::Insecure,
            },
            false => Answer::Records(Records {
                records,
                owner: DnsName::clone(&question.name),
                dnssec: Dnssec::Insecure,
                ttl: Duration::ZERO,
            }),
        }
    }
}

impl Resolve for SystemResolver {
    fn lookup<'a>(&'a self, question: &'a Question) -> AnswerFuture<'a> {
        Box::pin(async move {
            match question.kind {
                RecordKind::A | RecordKind::Aaaa => Self::addresses(question).await,
                RecordKind::Cname | RecordKind::Srv | RecordKind::Tlsa => {
                    Answer::Failed(LookupFailure::Unreachable)
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialogue::DialogueError;

    fn server(service: Service) -> Server {
        let host = Host::Address(std::net::Ipv4Addr::LOCALHOST.into());
        Server::new(service, host)
    }

    /// Section 3.3: the clear-text sibling of each service.
    #[test]
    fn falls_back_to_the_clear_port_of_the_protocol() {
        for (service, clear, port) in [
            (Service::IMAPS, Service::IMAP_CLEAR, 143),
            (Service::POP3S, Service::POP3_CLEAR, 110),
            (Service::SUBMISSIONS, Service::SUBMISSION_CLEAR, 587),
            (Service::IMAP_STARTTLS, Service::IMAP_CLEAR, 143),
            (Service::POP3_STARTTLS, Service::POP3_CLEAR, 110),
            (Service::SUBMISSION_STARTTLS, Service::SUBMISSION_CLEAR, 587),
        ] {
            assert_eq!(clear_text_sibling(&server(service)), (clear, port));
            // Another port than the registered one is kept only if clear text is spoken on it.
            let port = match service.security {
                Security::Implicit => port,
                _ => 10_143,
            };
            let other = server(service).with_port(10_143);
            assert_eq!(clear_text_sibling(&other), (clear, port));
        }
    }

    /// Section 3.3: a fault of the certificate is no failure of the negotiation, whichever side reports it.
    #[test]
    fn takes_faults_of_the_certificate_for_no_failure_of_tls() {
        use rustls::{CertificateError, Error};

        for (error, problem) in [
            (Error::NoCertificatesPresented, ChainProblem::NoCertificate),
            (
                CertificateError::BadSignature.into(),
                ChainProblem::Signature,
            ),
            (
                CertificateError::BadEncoding.into(),
                ChainProblem::Malformed,
            ),
            (CertificateError::Revoked.into(), ChainProblem::Other),
        ] {
            let refused = Verdict {
                chain: ChainVerdict::Refused(vec![problem]),
                ..Verdict::default()
            };
            let cause = handshake_cause(&io::Error::other(error));
            assert_eq!(cause, Cause::NotVerified(Box::new(refused)));
        }
    }

    #[test]
    fn permits_clear_text_after_failures_of_tls_only() {
        use crate::account::LowPrivacy;

        let of = server;
        let server = of(Service::IMAPS);
        let account = |low: Option<LowPrivacy>| {
            let setup = crate::account::AccountSetup::new(AccountId::try_new("alice").unwrap());
            let setup = match low {
                Some(low) => setup.low(low),
                None => setup,
            };
            setup.server(server.clone()).build().unwrap()
        };
        let high = account(None);
        let low = |clear_text_fallback| {
            account(Some(LowPrivacy {
                ignore_certificate: true,
                clear_text_fallback,
            }))
        };
        let refused = Verdict::default();
        for (cause, expected) in [
            (Cause::SpeaksClearText, true),
            (Cause::Tls(TlsFailure::Version), true),
            (Cause::Tls(TlsFailure::Closed), true),
            (Cause::Tls(TlsFailure::Configuration), false),
            (Cause::Timeout(Stage::Handshake), true),
            (Cause::Dialogue(DialogueError::NoStartTls), true),
            (Cause::Dialogue(DialogueError::StartTlsRefused), true),
            (Cause::NotVerified(refused.into()), false),
            (Cause::Dialogue(DialogueError::Injected), false),
            (Cause::Dialogue(DialogueError::PreauthInClear), false),
            (Cause::Dialogue(DialogueError::Refused), false),
            (Cause::Dialogue(DialogueError::Closed), false),
            (Cause::Timeout(Stage::Lookup), false),
            (Cause::Timeout(Stage::Connect), false),
            (Cause::Timeout(Stage::Greeting), false),
            (Cause::Connect(io::ErrorKind::ConnectionRefused), false),
            (Cause::ClearText, false),
        ] {
            let permits = |account: &Account| permits_clear_text(account, &server, &cause);
            assert_eq!(permits(&low(true)), expected, "{cause:?}");
            assert!(!permits(&low(false)), "{cause:?}");
            // A connection in clear text is not repeated.
            let clear = of(Service::IMAP_CLEAR);
            assert!(!permits_clear_text(&low(true), &clear, &cause));
            assert!(!permits(&high), "{cause:?}");
        }
    }
}
