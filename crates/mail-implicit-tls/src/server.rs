//! Feature `server`: accepts connections of mail clients with the draft's rules built in (draft-newman-email-deep-02
//! sections 4, 9.1, 9.1.1 and 9.2).
//!
//! [`Acceptor`] makes the TLS handshake, at once or after `STARTTLS`, and hands over a [`Session`]. The application
//! serves IMAP, POP or Submission on it; before TLS only capability discovery and the upgrade are possible.

mod before_tls;
mod certificates;
mod session;

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use accept_loop::{AcceptLoop, AcceptedStream, Connection};
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, UnixTime},
    server::{
        ProducesTickets,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

pub use self::{
    before_tls::{Answer, BeforeTls, CloseReason, MAX_COMMAND_BYTES, MAX_COMMANDS},
    certificates::{CertificateChain, CertificateError, CertificateSet, Certificates, UnknownName},
    session::{ConnectionRecord, Session, SessionStream},
};
use crate::service::{Protocol, Security, Service};

/// The time that a handshake may take, with the dialogue before it, unless set.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// Maps the certificate of a client to an identity that may log in.
pub trait MapCertificate: Send + Sync {
    /// Returns the authorization identity of the holder of a certificate, or `None` if the certificate does not
    /// permit to log in.
    ///
    /// `chain` was verified with the verifier that was given to [`Acceptor::with_client_certificates`]; the client's
    /// own certificate is first.
    fn identity(&self, chain: &[CertificateDer<'_>]) -> Option<String>;
}

/// Accepts the connections of one service.
#[derive(Clone)]
pub struct Acceptor {
    service: Service,
    name: String,
    certificates: Arc<Certificates>,
    config: Arc<ServerConfig>,
    clients: Option<Clients>,
    handshake_timeout: Duration,
}

#[derive(Clone)]
struct Clients {
    verifier: Arc<dyn ClientCertVerifier>,
    map: Arc<dyn MapCertificate>,
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("service", &self.service)
            .field("name", &self.name)
            .field("handshake_timeout", &self.handshake_timeout)
            .finish_non_exhaustive()
    }
}

/// The reason why a connection was not accepted.
#[derive(Debug)]
#[non_exhaustive]
pub enum AcceptError {
    /// The handshake, or the dialogue before it, was not complete in time.
    Timeout,
    /// The dialogue before TLS ended.
    BeforeTls(CloseReason),
    /// The TLS handshake failed.
    Tls(io::Error),
    /// The connection failed.
    Io(io::Error),
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("the TLS handshake was not complete in time"),
            Self::BeforeTls(reason) => write!(f, "{reason}"),
            Self::Tls(error) => write!(f, "TLS handshake failed: {error}"),
            Self::Io(error) => write!(f, "connection failed: {error}"),
        }
    }
}

impl std::error::Error for AcceptError {}

/// A reason why there is no acceptor.
#[derive(Debug)]
#[non_exhaustive]
pub enum AcceptorError {
    /// The service is one in clear text.
    ClearText,
    /// The crypto provider supports neither TLS 1.2 nor 1.3.
    Provider(Error),
}

impl fmt::Display for AcceptorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClearText => {
                f.write_str("service: one with TLS expected but one in clear text found")
            }
            Self::Provider(error) => write!(f, "crypto provider: {error}"),
        }
    }
}

impl std::error::Error for AcceptorError {}

/// Returns the application protocols that a client may offer (RFC 7301). A client that offers only others, as a
/// browser does, is refused, so that its requests cannot reach a mail server (ALPACA; RFC 9325 section 3.8).
/// Submission has no registered name; `smtp` is what clients offer.
const fn alpn(protocol: Protocol) -> &'static [u8] {
    match protocol {
        Protocol::Imap => b"imap",
        Protocol::Pop => b"pop3",
        Protocol::Submission => b"smtp",
    }
}

impl Acceptor {
    /// Returns the acceptor of a service. It has no certificate until [`Certificates::replace`] is called; until
    /// then it does not advertise `STARTTLS` (section 9.2).
    ///
    /// # Errors
    /// Returns [`AcceptorError::ClearText`] for a service without TLS, and [`AcceptorError::Provider`] if the
    /// provider cannot be used.
    pub fn new(
        service: Service,
        certificates: Arc<Certificates>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, AcceptorError> {
        if service.security == Security::Clear {
            return Err(AcceptorError::ClearText);
        }
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(AcceptorError::Provider)?
            .with_no_client_auth()
            .with_cert_resolver(certificates.clone());
        config.alpn_protocols = vec![alpn(service.protocol).to_vec()];
        Ok(Self {
            service,
            name: "localhost".to_owned(),
            certificates,
            config: Arc::new(config),
            clients: None,
            handshake_timeout: HANDSHAKE_TIMEOUT,
        })
    }

    /// Sets the host name of greetings before TLS.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Resumes sessions by tickets, which the clients keep (RFC 8446 section 4.6.1). Without this, the server keeps the
    /// last 256 sessions. The crypto provider has the keys of tickets, and changes them.
    #[must_use]
    pub fn with_tickets(mut self, tickets: Arc<dyn ProducesTickets>) -> Self {
        let mut config = ServerConfig::clone(&self.config);
        config.ticketer = tickets;
        self.config = Arc::new(config);
        self
    }

    /// Sets the time that a handshake may take, with the dialogue before it.
    #[must_use]
    pub const fn with_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Requests certificates of clients, which the mapping can accept as sufficient to log in. Without this, no
    /// certificate is requested (section 9.1.1).
    ///
    /// A certificate that is not verified, or that the mapping does not know, does not end the connection: the client
    /// may log in by other means.
    ///
    /// # Errors
    /// Returns [`AcceptorError::Provider`] if the provider cannot be used.
    pub fn with_client_certificates(
        mut self,
        verifier: Arc<dyn ClientCertVerifier>,
        map: Arc<dyn MapCertificate>,
    ) -> Result<Self, AcceptorError> {
        let mut config = ServerConfig::builder_with_provider(self.config.crypto_provider().clone())
            .with_safe_default_protocol_versions()
            .map_err(AcceptorError::Provider)?
            .with_client_cert_verifier(Arc::new(Requesting(verifier.clone())))
            .with_cert_resolver(self.certificates.clone());
        config
            .alpn_protocols
            .clone_from(&self.config.alpn_protocols);
        config.ticketer = self.config.ticketer.clone();
        self.config = Arc::new(config);
        self.clients = Some(Clients { verifier, map });
        Ok(self)
    }

    /// Returns the service.
    #[must_use]
    pub const fn service(&self) -> Service {
        self.service
    }

    /// Returns the time that a handshake may take.
    #[must_use]
    pub const fn handshake_timeout(&self) -> Duration {
        self.handshake_timeout
    }

    /// Returns the certificates.
    #[must_use]
    pub const fn certificates(&self) -> &Arc<Certificates> {
        &self.certificates
    }

    /// Accepts a connection: the dialogue before TLS, if the service has one, and the handshake.
    ///
    /// # Errors
    /// Returns the reason why the connection was not accepted. It must be closed.
    pub async fn accept<S>(&self, stream: S, peer: SocketAddr) -> Result<Session<S>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let accepted = timeout(self.handshake_timeout, self.handshake(stream, peer)).await;
        accepted.unwrap_or(Err(AcceptError::Timeout))
    }

    pub(crate) async fn handshake<S>(
        &self,
        mut stream: S,
        peer: SocketAddr,
    ) -> Result<Session<S>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if self.service.security == Security::StartTls {
            self.before_tls(&mut stream).await?;
        }
        let acceptor = TlsAcceptor::from(self.config.clone());
        let encrypted = acceptor.accept(stream).await.map_err(AcceptError::Tls)?;
        let client = self.client(encrypted.get_ref().1.peer_certificates());
        Ok(Session::new(self.service, peer, encrypted, client))
    }

    /// Runs the dialogue with the client until it begins TLS.
    async fn before_tls<S>(&self, stream: &mut S) -> Result<(), AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let can_start_tls = !self.certificates.is_empty();
        let (mut dialogue, greeting) =
            BeforeTls::new(self.service.protocol, &self.name, can_start_tls);
        send(stream, &greeting).await?;
        let mut octets = [0; MAX_COMMAND_BYTES];
        loop {
            let count = stream.read(&mut octets).await.map_err(AcceptError::Io)?;
            if count == 0 {
                return Err(AcceptError::BeforeTls(CloseReason::Quit));
            }
            match dialogue.receive(octets.get(..count).unwrap_or_default()) {
                Answer::Send(reply) => send(stream, &reply).await?,
                Answer::StartTls(reply) => return send(stream, &reply).await,
                Answer::Close(reply, reason) => {
                    send(stream, &reply).await?;
                    let _ = stream.shutdown().await;
                    return Err(AcceptError::BeforeTls(reason));
                }
            }
        }
    }

    /// Returns the identity of a client's certificate, if it is verified and mapped.
    fn client(&self, chain: Option<&[CertificateDer<'_>]>) -> Option<String> {
        let clients = self.clients.as_ref()?;
        let chain = chain?;
        let (own, intermediates) = chain.split_first()?;
        clients
            .verifier
            .verify_client_cert(own, intermediates, UnixTime::now())
            .ok()?;
        clients.map.identity(chain)
    }

    /// Serves the connections of a listener until `stop`, each with `handler`, within the limits of `accept_loop`.
    ///
    /// `refused` receives connections that were not accepted, e.g. for a log. Returns the number of sessions that
    /// were cut because they did not end in time.
    pub async fn serve_until<H, F>(
        &self,
        listener: TcpListener,
        accept_loop: &AcceptLoop,
        handler: H,
        refused: impl Fn(SocketAddr, &AcceptError) + Clone + Send + Sync + 'static,
        stop: impl Future<Output = ()>,
    ) -> usize
    where
        H: Fn(Session<AcceptedStream>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let serve = |connection: Connection| {
            let (acceptor, handler, refused) = (self.clone(), handler.clone(), refused.clone());
            async move {
                let peer = connection.address();
                match acceptor.place(connection, peer).await {
                    Ok(session) => handler(session).await,
                    Err(error) => refused(peer, &error),
                }
            }
        };
        accept_loop.serve_until(listener, serve, stop).await
    }

    /// Accepts a connection of the loop, and tells the loop its stage.
    async fn place(
        &self,
        connection: Connection,
        peer: SocketAddr,
    ) -> Result<Session<AcceptedStream>, AcceptError> {
        let place = connection.place();
        let accept = async {
            // A service that is upgraded sends its greeting first.
            if self.service.security == Security::Implicit {
                connection.first_octet().await.map_err(AcceptError::Io)?;
            }
            self.handshake(connection.into_stream(), peer).await
        };
        let session = timeout(self.handshake_timeout, accept)
            .await
            .unwrap_or(Err(AcceptError::Timeout))?;
        place.is_served();
        Ok(session)
    }
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, octets: &[u8]) -> Result<(), AcceptError> {
    stream.write_all(octets).await.map_err(AcceptError::Io)?;
    stream.flush().await.map_err(AcceptError::Io)
}

/// Requests a certificate and lets the handshake finish whatever the client sends. The certificate is verified after
/// it, by the verifier within.
#[derive(Debug)]
struct Requesting(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Requesting {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
