//! Connections whose latches are enforced, stored and reported.

use std::fmt;

use deep_latch::{
    Facilities, Host as LatchHost, ImapClient, LatchRecord, LatchSession, PopClient, SmtpClient,
    TlsCipher, TlsFacts,
    client::{Client, ClientError, ClientEvent, ClientOptions, TlsStart},
    connection::{Pause, RunError},
    facts::Login,
    failure::{CertificateFault, HandshakeFault},
    latch::{Event, Outcome},
    store::{Account as LatchAccount, LatchStore},
};
use tokio::time::{Instant, timeout_at};

use super::facts;
use crate::{
    account::{Account, Server},
    client::{Connection, Connector, Stream, after},
    dialogue::DialogueError,
    failure::{Action, Cause, Failure, Stage, StatusPage, TlsFailure},
    service::Protocol,
    verdict::{ChainVerdict, DaneVerdict, PinVerdict, Verdict},
};

/// Opens connections of accounts, enforces the latches of each host, stores new ones before the connection is used, and
/// reports to the server (draft-newman-email-deep-02 sections 5 and 7).
///
/// ```no_run
/// use deep_latch::store::LatchStore;
/// use mail_implicit_tls::{
///     account::{Account, Server},
///     client::{Connection, Connector},
///     deep::{LatchedConnector, LatchedFailure},
/// };
///
/// async fn connect(
///     connector: &Connector,
///     store: &dyn LatchStore,
///     account: &Account,
///     server: &Server,
/// ) -> Result<Connection, LatchedFailure> {
///     let mut latched = LatchedConnector::new(connector, store)
///         .connect(account, server)
///         .await?;
///     for event in latched.take_events() {
///         println!("{event}");
///     }
///     Ok(latched.into_connection())
/// }
/// ```
#[derive(Clone)]
pub struct LatchedConnector<'a> {
    connector: &'a Connector,
    store: &'a dyn LatchStore,
    facilities: Facilities,
    options: ClientOptions,
}

impl fmt::Debug for LatchedConnector<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LatchedConnector").finish_non_exhaustive()
    }
}

/// A connection on which the client may log in, and the latches of its host.
#[derive(Debug)]
pub struct Latched {
    connection: Connection,
    account: LatchAccount,
    /// `None` in clear text, if no tag is latched.
    client: Option<LatchClient>,
    record: LatchRecord,
    events: Vec<ClientEvent>,
}

#[derive(Debug)]
enum LatchClient {
    Imap(Box<ImapClient>),
    Pop(Box<PopClient>),
    Submission(Box<SmtpClient>),
}

/// The reason why there is no connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum LatchedFailure {
    /// The connection failed, and no latch of the host says anything about the cause.
    Connection(Box<Failure>),
    /// A latch of the host is not met, the dialogue about latches failed, or the store did.
    Latches(Box<RunError>),
    /// The store of latches has no form for the account's identifier or the host.
    Name,
}

impl LatchedFailure {
    /// Returns the actions that may be offered. The status page is the one that was recorded before this connection.
    #[must_use]
    pub fn actions(&self) -> Vec<Action> {
        match self {
            Self::Connection(failure) => failure.actions(),
            Self::Latches(error) => error.actions().into_iter().filter_map(action).collect(),
            Self::Name => vec![Action::WorkOffline],
        }
    }
}

/// Returns the action of deep-latch as one of this crate.
fn action(action: deep_latch::failure::Action) -> Option<Action> {
    match action {
        deep_latch::failure::Action::WorkOffline => Some(Action::WorkOffline),
        deep_latch::failure::Action::TryAgainLater => Some(Action::TryAgainLater),
        deep_latch::failure::Action::OpenStatusPage(url) => {
            let page = StatusPage::parse(url.as_str()).ok();
            page.map(Action::OpenStatusPage)
        }
    }
}

impl fmt::Display for LatchedFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(failure) => write!(f, "{failure}"),
            Self::Latches(error) => write!(f, "latches: {error}"),
            Self::Name => f.write_str("latches: account or host has no form in the store"),
        }
    }
}

impl std::error::Error for LatchedFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connection(failure) => Some(failure),
            Self::Latches(error) => Some(error),
            Self::Name => None,
        }
    }
}

impl<'a> LatchedConnector<'a> {
    /// Returns a connector with the draft's tags, which reports to servers without a name of the client.
    #[must_use]
    pub fn new(connector: &'a Connector, store: &'a dyn LatchStore) -> Self {
        Self {
            connector,
            store,
            facilities: Facilities::new(),
            options: ClientOptions::default(),
        }
    }

    /// Sets the tags that the client knows.
    #[must_use]
    pub fn with_facilities(mut self, facilities: Facilities) -> Self {
        self.facilities = facilities;
        self
    }

    /// Sets what the client says about itself, and how it reads. The way in which TLS begins is the service's.
    #[must_use]
    pub fn with_options(mut self, options: ClientOptions) -> Self {
        self.options = options;
        self
    }

    /// Opens a connection to a server of an account, up to the point where the client may log in, and with what the
    /// latches of the host require. The connector's deadline is one for the whole.
    ///
    /// # Errors
    /// Returns [`LatchedFailure::Latches`] if a latch is not met, whatever the account's level is, and
    /// [`LatchedFailure::Connection`] if the connection failed for another reason.
    pub async fn connect(
        &self,
        account: &Account,
        server: &Server,
    ) -> Result<Latched, LatchedFailure> {
        let host = LatchHost::try_new(&server.host.to_string());
        let name = LatchAccount::try_new(account.id().as_str());
        let (Ok(host), Ok(name)) = (host, name) else {
            return Err(LatchedFailure::Name);
        };
        let end = after(Instant::now(), self.connector.deadline());
        let record = match timeout_at(end, self.store.load(&name, &host)).await {
            Ok(record) => record.map_err(|error| failed(RunError::Store(error)))?,
            Err(_) => return Err(failed(RunError::TimedOut)),
        };
        // A latched tag that is unknown to this client refuses the connection before it is opened.
        let session = LatchSession::try_new(record, self.facilities.clone());
        let mut session = session.map_err(|failure| failed(failure.into()))?;
        let connected = self.connector.connect_until(account, server, end).await;
        let mut connection = match connected {
            Ok(connection) => connection,
            Err(failure) => {
                if let Some(event) = event(failure.cause()) {
                    let _ = session.step(event);
                    refused(&session)?;
                }
                return Err(LatchedFailure::Connection(Box::new(failure)));
            }
        };
        let Some(facts) = tls_facts(&connection) else {
            let _ = session.step(Event::NoTls);
            refused(&session)?;
            return Ok(Latched {
                record: session.record().clone(),
                connection,
                account: name,
                client: None,
                events: Vec::new(),
            });
        };
        let options = ClientOptions {
            tls: TlsStart::Implicit,
            ..self.options.clone()
        };
        connection.put_greeting_ahead();
        let dialogue = self.dialogue(session, options, facts, &mut connection, &name);
        let client = match timeout_at(end, dialogue).await {
            Ok(client) => client.map_err(failed)?,
            Err(_) => return Err(failed(RunError::TimedOut)),
        };
        let mut latched = Latched {
            record: client.record().clone(),
            connection,
            account: name,
            client: Some(client),
            events: Vec::new(),
        };
        latched.take_note();
        Ok(latched)
    }

    /// Runs the dialogue about latches with the server.
    async fn dialogue(
        &self,
        session: LatchSession,
        options: ClientOptions,
        facts: TlsFacts,
        connection: &mut Connection,
        account: &LatchAccount,
    ) -> Result<LatchClient, RunError> {
        let (store, ehlo) = (self.store, connection.ehlo().to_owned());
        let protocol = connection.service().protocol;
        let stream = connection.stream_mut();
        Ok(match protocol {
            Protocol::Imap => {
                let mut client = Box::new(ImapClient::new(session, options));
                begin(&mut client, facts, stream, store, account).await?;
                LatchClient::Imap(client)
            }
            Protocol::Pop => {
                let mut client = Box::new(PopClient::new(session, options));
                begin(&mut client, facts, stream, store, account).await?;
                LatchClient::Pop(client)
            }
            Protocol::Submission => {
                let client = SmtpClient::try_new(session, options, &ehlo);
                let client = client.map_err(|_| RunError::Client(ClientError::Misuse))?;
                let mut client = Box::new(client);
                begin(&mut client, facts, stream, store, account).await?;
                LatchClient::Submission(client)
            }
        })
    }
}

/// Runs a client on a connection that uses TLS already, up to the login.
async fn begin<P: deep_latch::client::Protocol>(
    client: &mut Client<P>,
    facts: TlsFacts,
    stream: &mut Stream,
    store: &dyn LatchStore,
    account: &LatchAccount,
) -> Result<(), RunError> {
    let mut pause = client.run(stream, store, account).await?;
    if pause == Pause::StartTls {
        client.handshake(facts);
        pause = client.run(stream, store, account).await?;
    }
    stream.put_ahead(client.take_leftover());
    match pause {
        Pause::LogIn | Pause::Ready => Ok(()),
        Pause::StartTls => Err(RunError::Client(ClientError::Misuse)),
    }
}

impl LatchClient {
    fn record(&self) -> &LatchRecord {
        match self {
            Self::Imap(client) => client.session().record(),
            Self::Pop(client) => client.session().record(),
            Self::Submission(client) => client.session().record(),
        }
    }

    fn take_events(&mut self) -> Vec<ClientEvent> {
        match self {
            Self::Imap(client) => client.take_events(),
            Self::Pop(client) => client.take_events(),
            Self::Submission(client) => client.take_events(),
        }
    }

    async fn logged_in(
        &mut self,
        login: Login,
        stream: &mut Stream,
        store: &dyn LatchStore,
        account: &LatchAccount,
    ) -> Result<(), RunError> {
        match self {
            Self::Imap(client) => finish(client, login, stream, store, account).await,
            Self::Pop(client) => finish(client, login, stream, store, account).await,
            Self::Submission(client) => finish(client, login, stream, store, account).await,
        }
    }
}

async fn finish<P: deep_latch::client::Protocol>(
    client: &mut Client<P>,
    login: Login,
    stream: &mut Stream,
    store: &dyn LatchStore,
    account: &LatchAccount,
) -> Result<(), RunError> {
    client.logged_in(login);
    let pause = client.run(stream, store, account).await?;
    stream.put_ahead(client.take_leftover());
    match pause {
        Pause::Ready => Ok(()),
        Pause::StartTls | Pause::LogIn => Err(RunError::Client(ClientError::Misuse)),
    }
}

impl Latched {
    /// Returns the connection.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the stream, on which the client logs in.
    pub const fn stream(&mut self) -> &mut Stream {
        self.connection.stream_mut()
    }

    /// Returns the latches of the host, as they are stored.
    #[must_use]
    pub const fn record(&self) -> &LatchRecord {
        &self.record
    }

    /// Takes what happened since the last call: tags that were latched or not, and reports.
    #[must_use]
    pub fn take_events(&mut self) -> Vec<ClientEvent> {
        std::mem::take(&mut self.events)
    }

    /// Takes note of a login, asks for what is advertised after it alone, and stores what is latched then. Set a time
    /// limit over the call.
    ///
    /// The stream must give what the server sent after the reply to the login.
    ///
    /// # Errors
    /// Returns [`LatchedFailure::Latches`]; the connection must be closed.
    pub async fn logged_in(
        &mut self,
        login: Login,
        store: &dyn LatchStore,
    ) -> Result<(), LatchedFailure> {
        let Some(client) = &mut self.client else {
            return Ok(());
        };
        let stream = self.connection.stream_mut();
        let logged_in = client.logged_in(login, stream, store, &self.account).await;
        self.take_note();
        logged_in.map_err(failed)
    }

    /// Returns the connection.
    #[must_use]
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    fn take_note(&mut self) {
        if let Some(client) = &mut self.client {
            self.events.append(&mut client.take_events());
            self.record = client.record().clone();
        }
    }
}

fn failed(error: RunError) -> LatchedFailure {
    LatchedFailure::Latches(Box::new(error))
}

/// Returns an error if a latch is not met.
fn refused(session: &LatchSession) -> Result<(), LatchedFailure> {
    match session.outcome() {
        Outcome::Refuse(failure) => Err(failed(failure.into())),
        _ => Ok(()),
    }
}

/// Returns the facts of a connection, or nothing in clear text.
pub(crate) fn tls_facts(connection: &Connection) -> Option<TlsFacts> {
    let verdicts = facts(connection.verdict()?);
    Some(TlsFacts {
        version: deep_latch::facts::ProtocolVersion(connection.version()?.0),
        strength_bits: connection
            .cipher_suite()
            .and_then(|suite| TlsCipher::from_number(suite).strength_bits()),
        chain: verdicts.chain,
        identity: verdicts.identity,
        dane: verdicts.dane,
    })
}

/// Returns what a failure says about latches, or nothing if that is nothing.
fn event(cause: &Cause) -> Option<Event<'static>> {
    /// The alerts `handshake_failure`, `protocol_version` and `insufficient_security`.
    const NO_COMMON_GROUND: [u8; 3] = [40, 70, 71];

    let fault = match cause {
        Cause::Dialogue(DialogueError::NoStartTls | DialogueError::StartTlsRefused) => {
            return Some(Event::NoTls);
        }
        Cause::NotVerified(verdict) => HandshakeFault::Certificate(certificate_fault(verdict)),
        Cause::SpeaksClearText => HandshakeFault::Negotiation,
        Cause::Timeout(Stage::Handshake) => HandshakeFault::Transport,
        Cause::Tls(failure) => match failure {
            TlsFailure::Version
            | TlsFailure::Incompatible
            | TlsFailure::NotTls
            | TlsFailure::Protocol => HandshakeFault::Negotiation,
            TlsFailure::Alert(alert) if NO_COMMON_GROUND.contains(alert) => {
                HandshakeFault::Negotiation
            }
            TlsFailure::Alert(_) => HandshakeFault::Server,
            TlsFailure::Closed => HandshakeFault::Transport,
            TlsFailure::Configuration => HandshakeFault::Local,
        },
        Cause::Lookup(_)
        | Cause::Connect(_)
        | Cause::NoResources
        | Cause::Timeout(_)
        | Cause::Dialogue(_)
        | Cause::ClearText => return None,
    };
    Some(Event::HandshakeFailed(fault))
}

const fn certificate_fault(verdict: &Verdict) -> CertificateFault {
    match (&verdict.dane, &verdict.chain, verdict.pin) {
        (DaneVerdict::Differs(_), _, _) => CertificateFault::Dane,
        (_, ChainVerdict::Trusted, PinVerdict::NotPinned) => CertificateFault::Identity,
        _ => CertificateFault::Chain,
    }
}
