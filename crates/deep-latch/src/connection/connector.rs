//! Connections over TLS of rustls, which begins with the connection or by STARTTLS, up to the login of the caller.

use alloc::{boxed::Box, sync::Arc};
use core::{
    fmt,
    num::NonZeroUsize,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use std::{error::Error, io, sync::Mutex};

use lru::LruCache;
use rustls::{
    ClientConfig,
    client::danger::ServerCertVerifier,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    client::{Client, ClientError, Protocol},
    connection::{Pause, Rewound, RunError},
    facts::{DaneVerdict, Login, TlsFacts},
    failure::HandshakeFault,
    host::Host,
    latch::{Outcome, Requirements},
    store::{Account, LatchStore},
    verifier::{DeferredServerVerifier, OnCertificateFailure, ServerJudge},
};

/// A function that returns the verdict of TLSA records on a server's certificates, the first of which is its own. The
/// caller has looked up the records before the connection (RFC 6698, DNSSEC).
pub type Dane = Arc<dyn Fn(&[CertificateDer<'_>]) -> DaneVerdict + Send + Sync>;

/// A connector of clients over TLS of rustls, with the requirements of each host's latches.
#[derive(Clone)]
pub struct LatchConnector {
    provider: Arc<CryptoProvider>,
    pkix: Arc<dyn ServerCertVerifier>,
    on_failure: OnCertificateFailure,
    dane: Option<Dane>,
    judge: Option<Arc<dyn ServerJudge>>,
    prepared: Arc<Mutex<LruCache<(Account, Host), Prepared>>>,
    time_limit: Duration,
}

/// The configuration of TLS for a host of an account. Sessions are resumed within it.
#[derive(Clone)]
struct Prepared {
    requirements: Requirements,
    verifier: Arc<DeferredServerVerifier>,
    config: Arc<ClientConfig>,
}

/// The number of hosts, each of one account, whose sessions are resumed: those that were connected to last.
const MAX_PREPARED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);

fn nothing_prepared() -> Arc<Mutex<LruCache<(Account, Host), Prepared>>> {
    Arc::new(Mutex::new(LruCache::new(MAX_PREPARED)))
}

/// The default time limit for connecting, and for each later step.
const TIME_LIMIT: Duration = Duration::from_secs(30);

impl fmt::Debug for LatchConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LatchConnector").finish_non_exhaustive()
    }
}

/// A stream that may be over TLS.
#[derive(Debug)]
pub enum MailStream<S> {
    /// A stream in clear: only with [`TlsStart::StartTlsIfOffered`](crate::client::TlsStart::StartTlsIfOffered).
    Clear(S),
    /// A stream over TLS.
    Tls(Box<TlsStream<S>>),
}

impl LatchConnector {
    /// Creates a connector with a crypto provider and a verifier of PKIX, e.g. rustls's `WebPkiServerVerifier`.
    #[must_use]
    pub fn new(provider: Arc<CryptoProvider>, pkix: Arc<dyn ServerCertVerifier>) -> Self {
        Self {
            provider,
            pkix,
            on_failure: OnCertificateFailure::Abort,
            dane: None,
            judge: None,
            prepared: nothing_prepared(),
            time_limit: TIME_LIMIT,
        }
    }

    /// Sets the time limit for [`connect`](Self::connect), and for each later step of this crate on the connection. The
    /// default is 30 seconds.
    #[must_use]
    pub const fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Sets the outcome for a certificate that is not verified, if no latch requires a verified one.
    #[must_use]
    pub fn on_certificate_failure(mut self, on_failure: OnCertificateFailure) -> Self {
        self.on_failure = on_failure;
        self.prepared = nothing_prepared();
        self
    }

    /// Sets a judge of servers, which then gives the verdicts of the facts. The verifier of PKIX should follow the same
    /// rules.
    #[must_use]
    pub fn judge(mut self, judge: Arc<dyn ServerJudge>) -> Self {
        self.judge = Some(judge);
        self.prepared = nothing_prepared();
        self
    }

    /// Returns the configuration for a host of an account. It is reused for the same latches, so that only its own sessions
    /// are resumed.
    fn prepared(
        &self,
        account: &Account,
        host: &Host,
        requirements: Requirements,
    ) -> Result<Prepared, rustls::Error> {
        let key = (account.clone(), host.clone());
        let mut prepared = self.prepared.lock().unwrap_or_else(|it| it.into_inner());
        if let Some(known) = prepared.get(&key)
            && known.requirements == requirements
        {
            return Ok(known.clone());
        }
        let pkix = self.pkix.clone();
        let mut verifier = DeferredServerVerifier::new(pkix, &requirements, self.on_failure);
        if let Some(judge) = &self.judge {
            verifier = verifier.with_judge(judge.clone());
        }
        let verifier = Arc::new(verifier);
        let config = verifier
            .clone()
            .client_config(self.provider.clone(), &requirements)?;
        let new = Prepared {
            requirements,
            verifier,
            config: Arc::new(config),
        };
        prepared.put(key, new.clone());
        Ok(new)
    }

    /// Sets the check of TLSA records. Without it DANE counts as not checked. A server whose records contradict its
    /// certificate is refused, regardless of latches, unless
    /// [`Facilities::on_tlsa_mismatch`](crate::Facilities::on_tlsa_mismatch) allows it.
    #[must_use]
    pub fn dane(mut self, dane: Dane) -> Self {
        self.dane = Some(dane);
        self
    }

    /// Runs a client over a TCP connection to its host until the caller has to log in, or, if the server requires no login
    /// (`PREAUTH`), until the connection is ready. Returns the state, and the stream to continue with. After the login the
    /// caller calls [`logged_in`](Self::logged_in) with the same stream.
    ///
    /// The runtime must have its timers enabled. The connection fails after the [`time_limit`](Self::time_limit).
    ///
    /// ```no_run
    /// # use deep_latch::{
    /// #     Facilities, Host, ImapClient, LatchSession,
    /// #     client::ClientOptions,
    /// #     connection::{LatchConnector, Pause},
    /// #     facts::Login,
    /// #     store::{Account, LatchStore},
    /// # };
    /// # async fn log_in(stream: &mut (impl tokio::io::AsyncWrite + Unpin)) {}
    /// # async fn f(
    /// #     connector: LatchConnector,
    /// #     store: &dyn LatchStore,
    /// #     account: &Account,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let host = Host::try_new("imap.example.com")?;
    /// let session = LatchSession::try_new(store.load(account, &host).await?, Facilities::new())?;
    /// let mut client = ImapClient::new(session, ClientOptions::default());
    /// let tcp = tokio::net::TcpStream::connect((host.as_str(), 993)).await?;
    /// let (pause, mut stream) = connector.connect(&mut client, tcp, store, account).await?;
    /// if pause == Pause::LogIn {
    ///     log_in(&mut stream).await;
    ///     connector.logged_in(&mut client, Login::Done, &mut stream, store, account).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`RunError::Refused`] or [`RunError::Certificate`] if the connection is refused, and other variants if it
    /// failed.
    pub async fn connect<P, S>(
        &self,
        client: &mut Client<P>,
        tcp: S,
        store: &dyn LatchStore,
        account: &Account,
    ) -> Result<(Pause, Rewound<MailStream<S>>), RunError>
    where
        P: Protocol,
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let step = self.connect_untimed(client, tcp, store, account);
        let done = within(self.time_limit, step).await;
        done.unwrap_or_else(|TimedOut| Err(timed_out(client)))
    }

    /// Takes the connection back after a login over this stream, asks for a status that is advertised after login only,
    /// and stores the latches. Bytes that belong to the caller are put back into the stream.
    ///
    /// The stream must give everything that the server sent after its answer to the login: a library must not have read
    /// ahead.
    ///
    /// # Errors
    /// Returns [`RunError::Refused`] or [`RunError::Certificate`] if the connection is refused, and other variants if it
    /// failed.
    pub async fn logged_in<P, S>(
        &self,
        client: &mut Client<P>,
        login: Login,
        stream: &mut Rewound<MailStream<S>>,
        store: &dyn LatchStore,
        account: &Account,
    ) -> Result<(), RunError>
    where
        P: Protocol,
        S: AsyncRead + AsyncWrite + Unpin,
    {
        client.logged_in(login);
        let done = within(self.time_limit, client.run(stream, store, account)).await;
        let pause = done.unwrap_or_else(|TimedOut| Err(timed_out(client)))?;
        stream.rewind(client.take_leftover());
        match pause {
            Pause::Ready => Ok(()),
            Pause::StartTls | Pause::LogIn => Err(RunError::Client(ClientError::Misuse)),
        }
    }

    /// Returns the time limit of a step.
    #[cfg(any(feature = "async-imap", feature = "lettre"))]
    pub(crate) const fn limit(&self) -> Duration {
        self.time_limit
    }

    async fn connect_untimed<P, S>(
        &self,
        client: &mut Client<P>,
        mut tcp: S,
        store: &dyn LatchStore,
        account: &Account,
    ) -> Result<(Pause, Rewound<MailStream<S>>), RunError>
    where
        P: Protocol,
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut pause = client.run(&mut tcp, store, account).await?;
        let mut stream = MailStream::Clear(tcp);
        if pause == Pause::StartTls {
            let tls = self.handshake(client, stream, account).await;
            let (tls, facts) = match tls {
                Ok(tls) => tls,
                Err(Failed { fault, error }) => {
                    client.handshake_failed(fault);
                    return Err(failed(client, fault, error));
                }
            };
            client.handshake(facts);
            stream = MailStream::Tls(tls.into());
            pause = client.run(&mut stream, store, account).await?;
        }
        if pause == Pause::StartTls {
            return Err(RunError::Client(ClientError::Misuse));
        }
        Ok((pause, Rewound::new(client.take_leftover(), stream)))
    }

    async fn handshake<P: Protocol, S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        client: &Client<P>,
        stream: MailStream<S>,
        account: &Account,
    ) -> Result<(TlsStream<S>, TlsFacts), Failed> {
        let MailStream::Clear(tcp) = stream else {
            return Err(Failed::local("TLS within TLS"));
        };
        let session = client.session();
        let host = session.record().host();
        let prepared = self.prepared(account, host, session.requirements());
        let Prepared {
            verifier, config, ..
        } = prepared.map_err(Failed::local)?;
        let name = ServerName::try_from(host.as_str()).map_err(Failed::local)?;
        let connector = TlsConnector::from(config);
        let tls = connector.connect(name.to_owned(), tcp).await;
        let tls = tls.map_err(|error| Failed {
            fault: HandshakeFault::from(&error),
            error,
        })?;
        let (_, connection) = tls.get_ref();
        let certificates = connection.peer_certificates().unwrap_or_default();
        let dane = self.dane.as_ref();
        let dane = dane.map_or(DaneVerdict::NotChecked, |dane| dane(certificates));
        let facts = verifier.facts(connection, host, UnixTime::now(), dane);
        Ok((tls, facts.map_err(Failed::local)?))
    }
}

/// The time limit of a step was exceeded.
pub(crate) struct TimedOut;

pub(crate) async fn within<T>(
    limit: Duration,
    step: impl Future<Output = T>,
) -> Result<T, TimedOut> {
    tokio::time::timeout(limit, step)
        .await
        .map_err(|_| TimedOut)
}

/// Returns the error for an exceeded time limit: a server that is slow to take the report of a failure does not undo the
/// failure.
pub(crate) fn timed_out<P: Protocol>(client: &Client<P>) -> RunError {
    match client.session().outcome() {
        Outcome::Refuse(failure) => RunError::Refused {
            failure,
            handshake: None,
        },
        _ => RunError::TimedOut,
    }
}

/// A handshake that failed: its reason, and the error of the TLS engine.
struct Failed {
    fault: HandshakeFault,
    error: io::Error,
}

impl Failed {
    fn local(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            fault: HandshakeFault::Local,
            error: io::Error::other(error),
        }
    }
}

fn failed<P: Protocol>(client: &Client<P>, fault: HandshakeFault, error: io::Error) -> RunError {
    match client.session().outcome() {
        Outcome::Refuse(failure) => RunError::Refused {
            failure,
            handshake: Some(error),
        },
        Outcome::RefuseCertificate(failure) => RunError::Certificate {
            failure,
            handshake: Some(error),
        },
        _ if fault == HandshakeFault::Transport => RunError::Io(error),
        _ => RunError::Handshake { fault, error },
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for MailStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Clear(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for MailStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Clear(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Clear(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Clear(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
