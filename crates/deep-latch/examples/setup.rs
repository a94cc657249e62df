//! The setup of the examples: the server, the trusted authorities, and the store of latches.

use std::{
    error::Error, net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration,
};

use deep_latch::{
    Facilities, Host, LatchSession,
    client::{ClientEvent, ClientOptions, TlsStart},
    connection::{LatchConnector, RunError},
    failure::Action,
    store::{Account, FileLatchStore, LatchStore},
};
use rustls::{
    RootCertStore,
    client::WebPkiServerVerifier,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::{net::TcpStream, time::timeout};

/// The time limit for connecting, and for each step up to the login.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub(crate) struct Common {
    /// Address of the server
    #[arg(long)]
    pub(crate) server: SocketAddr,
    /// Name of the server, which its certificate must have
    #[arg(long)]
    host: String,
    /// Certificates of the authorities to trust, in PEM
    #[arg(long)]
    ca: PathBuf,
    /// File of the latches
    #[arg(long)]
    latches: PathBuf,
    /// Create the file if it does not exist
    #[arg(long)]
    create: bool,
    /// Begin TLS by STARTTLS instead of with the connection
    #[arg(long)]
    starttls: bool,
    /// Name of the user
    #[arg(long)]
    pub(crate) user: String,
    /// Password of the user
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
                // A lost file is an error, not a store without latches.
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

    /// Creates a session from the stored latches. If the store fails, there is no connection.
    pub(crate) async fn session(&self) -> Result<LatchSession, Box<dyn Error>> {
        let record = self.store.load(&self.account, &self.host).await?;
        // A latched tag that is unknown here refuses the connection before it is opened.
        let session = LatchSession::try_new(record, Facilities::new());
        Ok(session.map_err(RunError::from)?)
    }

    pub(crate) const fn connector(&self) -> &LatchConnector {
        &self.connector
    }

    pub(crate) async fn tcp(&self) -> Result<TcpStream, RunError> {
        let tcp = timeout(PATIENCE, TcpStream::connect(self.server)).await;
        tcp.map_err(|_| RunError::TimedOut)?.map_err(RunError::Io)
    }

    /// Prints events.
    pub(crate) fn print(&self, events: Vec<ClientEvent>) {
        for event in events {
            println!("{}: {event}", self.host);
        }
    }
}

/// Prints the failure and the actions of the user. Only a latch that failed, or a certificate that is refused, is a
/// sign of an attacker; a broken connection is not.
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
            "An attacker may be reading your mail, or the provider made a mistake.",
        ),
        RunError::Certificate { .. } => (
            1,
            "The server did not prove its identity. No data was sent to it.",
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
