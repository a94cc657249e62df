//! What the examples share: where the server is, whom to trust, and where latches are kept.

use std::{
    error::Error, net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration,
};

use deep_latch::{
    Facilities, Host, LatchSession, client::{ClientEvent, ClientOptions, TlsStart},
    connection::{LatchConnector, RunError}, failure::Action,
    store::{Account, FileLatchStore, LatchStore},
};
use rustls::{
    RootCertStore,
    client::WebPkiServerVerifier,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::{net::TcpStream, time::timeout};

/// How long connecting may take, and each step up to the login.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub(crate) struct Common {
    /// Where the server is
    #[arg(long)]
    pub(crate) server: SocketAddr,
    /// The server's name, which its certificate must have
    #[arg(long)]
    host: String,
    /// Certificates of the authorities to trust, in PEM
    #[arg(long)]
    ca: PathBuf,
    /// The file that keeps latches
    #[arg(long)]
    latches: PathBuf,
    /// Make that file if it is not there
    #[arg(long)]
    create: bool,
    /// TLS by STARTTLS instead of at once
    #[arg(long)]
    starttls: bool,
    /// Whom to log in
    #[arg(long)]
    pub(crate) user: String,
    /// The password
    #[arg(long)]
    pub(crate) password: String,
}

pub(crate) struct Setup {
    server: SocketAddr,
    host: Host,
    starttls: bool,
    connector: LatchConnector,
    store: FileLatchStore,
    account: Account,
}

impl Setup {
    pub(crate) fn try_new(arguments: &Common) -> Result<Self, Box<dyn Error>> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&arguments.ca)? {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(ring::default_provider());
        let pkix = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()?;
        Ok(Self {
            server: arguments.server,
            host: Host::try_new(&arguments.host)?,
            starttls: arguments.starttls,
            connector: LatchConnector::new(provider, pkix).time_limit(PATIENCE),
            store: match arguments.create {
                true => FileLatchStore::open_or_create(&arguments.latches)?,
                // A file that was lost is no file without latches.
                false => FileLatchStore::open(&arguments.latches)?,
            },
            account: Account::try_new(&arguments.user)?,
        })
    }

    pub(crate) fn store(&self) -> &dyn LatchStore {
        &self.store
    }

    pub(crate) const fn account(&self) -> &Account {
        &self.account
    }

    pub(crate) fn options(&self) -> ClientOptions {
        ClientOptions {
            tls: match self.starttls {
                true => TlsStart::StartTls,
                false => TlsStart::Implicit,
            },
            name: Some(env!("CARGO_CRATE_NAME").to_owned()),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            ..ClientOptions::default()
        }
    }

    /// Begins with what was kept. A store that cannot tell is no reason to go on without.
    pub(crate) async fn session(&self) -> Result<LatchSession, Box<dyn Error>> {
        let record = self.store.load(&self.account, &self.host).await?;
        // A latched tag that is unknown here refuses the connection before it is opened.
        Ok(LatchSession::try_new(record, Facilities::new())?)
    }

    pub(crate) const fn connector(&self) -> &LatchConnector {
        &self.connector
    }

    pub(crate) async fn tcp(&self) -> Result<TcpStream, RunError> {
        let tcp = timeout(PATIENCE, TcpStream::connect(self.server)).await;
        tcp.map_err(|_| RunError::TimedOut)?.map_err(RunError::Io)
    }

    /// Shows what happened.
    pub(crate) fn print(&self, events: Vec<ClientEvent>) {
        for event in events {
            println!("{}: {event}", self.host);
        }
    }
}

/// Tells a user how it ended, and what can be done. To connect all the same is not among it. Only a latch that
/// failed, or a certificate that is refused, is a sign that somebody may be between; a connection that broke is
/// not.
pub(crate) fn exit(outcome: Result<(), Box<dyn Error>>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    eprintln!("error: {error}");
    let Some(error) = error.downcast_ref::<RunError>() else {
        return ExitCode::from(2);
    };
    let (code, advice) = match error {
        RunError::Refused { .. } => (
            1,
            "Somebody may be reading your mail, or the provider made a mistake.",
        ),
        RunError::Certificate { .. } => (
            1,
            "The server did not prove who it is. Nothing was sent to it.",
        ),
        _ => (2, "The server cannot be used now."),
    };
    if let RunError::Refused { handshake, .. } | RunError::Certificate { handshake, .. } = error
        && let Some(handshake) = handshake
    {
        eprintln!("the TLS handshake failed: {handshake}");
    }
    eprintln!("{advice} You can");
    for action in error.actions() {
        match action {
            Action::WorkOffline => eprintln!("- work offline"),
            Action::TryAgainLater => eprintln!("- try again later"),
            Action::OpenStatusPage(url) => eprintln!("- read {url}"),
        }
    }
    ExitCode::from(code)
}
