//! The provider's host with its certificates, good and bad, and a client's machine: its trust anchors, its
//! account, its store of latches.

use std::sync::Arc;

use conformance::outcome::{Checked, Failure};
use deep_latch::{
    Facilities, Host, ImapClient, LatchRecord, LatchSession, MailProtocol, PopClient, SecurityTag,
    SmtpClient,
    client::{Client, ClientEvent, ClientOptions, TlsStart},
    connection::{LatchConnector, MailStream, Pause, Rewound, RunError},
    failure::{CertificateFailure, CertificateFault, LatchFailure},
    store::{Account, LatchStore, MemoryLatchStore},
    verifier::OnCertificateFailure,
};
use rustls::{ClientConfig, client::WebPkiServerVerifier, crypto::ring};
use test_support::pki::{self, Authority};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// The host that the account's configuration has.
pub(super) const HOST: &str = "mail.example.com";

/// The certificate that the provider's host presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Certificate {
    /// A certificate for this host, issued by the trusted authority.
    Good,
    /// A certificate for this host, issued by an authority that the client does not trust: an attacker's, or a
    /// mistake at renewal.
    AnotherAuthority,
    /// By the trusted authority, of another host.
    AnotherName,
    /// A certificate for this host, issued by the trusted authority, which expired in 2001.
    Expired,
}

impl Certificate {
    /// Returns the fault that a client reports if it refuses the certificate.
    pub(super) const fn fault(self) -> CertificateFault {
        match self {
            Self::AnotherName => CertificateFault::Identity,
            Self::Good | Self::AnotherAuthority | Self::Expired => CertificateFault::Chain,
        }
    }
}

/// The versions of TLS of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Versions {
    All,
    Tls12,
}

pub(super) struct World {
    trusted: Authority,
    other: Authority,
}

impl World {
    pub(super) fn new() -> Checked<Self> {
        Ok(Self {
            trusted: Authority::new("Trusted CA"),
            other: Authority::new("Other CA"),
        })
    }

    /// The server's side of TLS.
    pub(super) fn acceptor(
        &self,
        certificate: Certificate,
        versions: Versions,
    ) -> Checked<TlsAcceptor> {
        let host = pki::Certificate::server(&[HOST]);
        let identity = match certificate {
            Certificate::Good => host.issue(&self.trusted),
            Certificate::AnotherAuthority => host.issue(&self.other),
            Certificate::AnotherName => {
                pki::Certificate::server(&["mail.example.net"]).issue(&self.trusted)
            }
            Certificate::Expired => host.expired().issue(&self.trusted),
        };
        let versions = match versions {
            Versions::All => rustls::ALL_VERSIONS,
            Versions::Tls12 => &[&rustls::version::TLS12],
        };
        let config = identity.server_config(Arc::new(ring::default_provider()), versions);
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    pub(super) fn good(&self) -> Checked<TlsAcceptor> {
        self.acceptor(Certificate::Good, Versions::All)
    }

    /// The client's side of TLS, for clients that are not deep-latch's.
    pub(super) fn trusting(&self) -> Checked<ClientConfig> {
        let provider = Arc::new(ring::default_provider());
        Ok(self
            .trusted
            .client_config(provider, rustls::DEFAULT_VERSIONS))
    }

    pub(super) fn connector(&self) -> Checked<LatchConnector> {
        let provider = Arc::new(ring::default_provider());
        let roots = Arc::new(self.trusted.roots());
        let pkix = WebPkiServerVerifier::builder_with_provider(roots, provider.clone());
        Ok(LatchConnector::new(provider, pkix.build()?))
    }
}

/// A client's machine: one account, whose latches are kept between connections.
pub(super) struct Machine {
    pub(super) store: MemoryLatchStore,
    pub(super) account: Account,
    pub(super) host: Host,
    pub(super) connector: LatchConnector,
    pub(super) facilities: Facilities,
    pub(super) tls: TlsStart,
}

/// The outcome of a connection.
pub(super) struct Connected {
    pub(super) outcome: Result<(), RunError>,
    pub(super) events: Vec<ClientEvent>,
}

impl Machine {
    pub(super) fn new(world: &World) -> Checked<Self> {
        Ok(Self {
            store: MemoryLatchStore::default(),
            account: Account::try_new("alice@example.com")?,
            host: Host::try_new(HOST)?,
            connector: world.connector()?,
            facilities: Facilities::new(),
            tls: TlsStart::Implicit,
        })
    }

    /// That of a user who once chose low privacy assurance (section 3.3).
    pub(super) fn careless(world: &World) -> Checked<Self> {
        let machine = Self::new(world)?;
        let connector = machine
            .connector
            .on_certificate_failure(OnCertificateFailure::GoOn);
        Ok(Self {
            connector,
            ..machine
        })
    }

    pub(super) async fn record(&self) -> Checked<LatchRecord> {
        Ok(self.store.load(&self.account, &self.host).await?)
    }

    /// The latched tags.
    pub(super) async fn latched(&self) -> Checked<Vec<String>> {
        let record = self.record().await?;
        Ok(record
            .latched()
            .map(|tag| tag.as_str().to_owned())
            .collect())
    }

    pub(super) async fn session(&self) -> Checked<LatchSession> {
        Ok(LatchSession::try_new(
            self.record().await?,
            self.facilities.clone(),
        )?)
    }

    fn options(&self) -> ClientOptions {
        ClientOptions {
            tls: self.tls,
            name: Some("DemoMail".to_owned()),
            version: Some("1.5".to_owned()),
            ..ClientOptions::default()
        }
    }

    /// Connects until login, logs in if the server lets it, and closes the session.
    pub(super) async fn connect(
        &self,
        protocol: MailProtocol,
        tcp: TcpStream,
    ) -> Checked<Connected> {
        let (session, options) = (self.session().await?, self.options());
        match protocol {
            MailProtocol::Imap => self.run(ImapClient::new(session, options), tcp).await,
            MailProtocol::Pop => self.run(PopClient::new(session, options), tcp).await,
            MailProtocol::Smtp => {
                let client = SmtpClient::try_new(session, options, "client.example.com")?;
                self.run(client, tcp).await
            }
        }
    }

    async fn run<P: deep_latch::client::Protocol>(
        &self,
        mut client: Client<P>,
        tcp: TcpStream,
    ) -> Checked<Connected> {
        let run = self
            .connector
            .connect(&mut client, tcp, &self.store, &self.account)
            .await;
        let outcome = match run {
            Ok((Pause::LogIn, stream)) => {
                close(stream).await?;
                Ok(())
            }
            Ok((pause, _)) => return Err(Failure::new(format!("{pause:?} instead of login"))),
            Err(error) => Err(error),
        };
        let events = client.take_events();
        Ok(Connected { outcome, events })
    }
}

async fn close(mut stream: Rewound<MailStream<TcpStream>>) -> Checked<()> {
    // Without another word: the scenarios look at what was said before login.
    Ok(tokio::io::AsyncWriteExt::shutdown(&mut stream).await?)
}

impl Connected {
    /// Checks that the connection was refused for these tags.
    pub(super) fn refused(&self, tags: &[SecurityTag<'_>]) -> Checked<&LatchFailure> {
        match &self.outcome {
            Err(RunError::Refused { failure, .. }) if failure.tags() == tags => Ok(failure),
            Err(error) => Err(Failure::new(format!(
                "{error:?} instead of a refusal for {tags:?}"
            ))),
            Ok(()) => Err(Failure::new("a session instead of a refusal")),
        }
    }

    /// Checks that the connection was refused for its certificate, and that no latch was named.
    pub(super) fn refused_certificate(&self) -> Checked<&CertificateFailure> {
        match &self.outcome {
            Err(RunError::Certificate { failure, .. }) => Ok(failure),
            other => Err(Failure::new(format!(
                "{other:?} instead of a certificate that is refused"
            ))),
        }
    }

    /// Checks that the connection reached login.
    pub(super) fn accepted(&self) -> Checked<()> {
        match &self.outcome {
            Ok(()) => Ok(()),
            Err(error) => Err(Failure::new(format!("{error:?} instead of a session"))),
        }
    }
}
