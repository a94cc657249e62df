//! An IMAP server on loopback whose certificate can be replaced, a name server that advertises it, and the command.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Command, Output},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustls::{DEFAULT_VERSIONS, ServerConfig};
use tempfile::TempDir;
use test_support::pki::{Authority, Certificate, Identity, rcgen::date_time_ymd};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    runtime::Runtime,
};
use tokio_rustls::TlsAcceptor;

use crate::name_server;

pub(crate) const HOST: &str = "imap.example.org";

pub(crate) const DAY: u64 = 24 * 3_600;

static AUTHORITIES: AtomicUsize = AtomicUsize::new(0);

/// The servers of `example.org`.
pub(crate) struct World {
    pub(crate) runtime: Runtime,
    pub(crate) directory: TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) dns: SocketAddr,
    pub(crate) now: u64,
    authority: Authority,
    config: Arc<Mutex<Arc<ServerConfig>>>,
}

impl World {
    /// Returns servers with a certificate of 90 days of which this number is left.
    pub(crate) fn with_days_left(days: i64) -> Self {
        // Each authority has a name of its own.
        let number = AUTHORITIES.fetch_add(1, Ordering::Relaxed);
        let authority = Authority::new(&format!("Root {number}"));
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("roots.pem"), authority.pem()).unwrap();
        fs::write(directory.path().join("anchors"), name_server::ANCHORS).unwrap();
        let runtime = Runtime::new().unwrap();
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let dns = name_server::serve(&runtime, vec![(HOST, address.port())]);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = now.as_secs();
        let first = issue(&authority, now, days);
        let config = Arc::new(Mutex::new(config(&first)));
        let world = Self {
            runtime,
            directory,
            address,
            dns,
            now,
            authority,
            config,
        };
        world.serve(listener);
        world
    }

    fn serve(&self, listener: TcpListener) {
        let config = self.config.clone();
        self.runtime.spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let acceptor = TlsAcceptor::from(config.lock().unwrap().clone());
                tokio::spawn(async move {
                    let stream = acceptor.accept(tcp).await.ok()?;
                    let mut stream = BufReader::new(stream);
                    let greeting = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN DEEP ID] hi\r\n";
                    stream.write_all(greeting).await.ok()?;
                    stream.flush().await.ok()?;
                    let mut line = String::new();
                    while stream.read_line(&mut line).await.ok()? > 0 {
                        let tag = line.split(' ').next()?;
                        let status = "tls10 tls-cert <https://status.example.org/>";
                        let reply = match line.contains(" ID ") {
                            true => format!("* ID (\"deep\" \"{status}\")\r\n{tag} OK\r\n"),
                            false => format!("* CAPABILITY IMAP4rev1 DEEP ID\r\n{tag} OK\r\n"),
                        };
                        stream.write_all(reply.as_bytes()).await.ok()?;
                        stream.flush().await.ok()?;
                        line.clear();
                    }
                    Some(())
                });
            }
        });
    }

    /// Issues a certificate of 90 days of which this number is left.
    pub(crate) fn issue(&self, days: i64) -> Identity {
        issue(&self.authority, self.now, days)
    }

    /// Lets the server send another certificate.
    pub(crate) fn replace(&self, identity: &Identity) {
        *self.config.lock().unwrap() = config(identity);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Returns the command for the domain.
    pub(crate) fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mail-tls"));
        command.args(["monitor", "example.org", "--timeout", "10"]);
        command.arg("--resolver").arg(self.dns.to_string());
        command.arg("--anchors").arg(self.path("anchors"));
        command.arg("--ca").arg(self.path("roots.pem")).args(more);
        command
    }

    pub(crate) fn run(&self, more: &[&str]) -> Output {
        self.command(more).output().unwrap()
    }

    /// Returns the name of the server in findings.
    pub(crate) fn server(&self) -> String {
        format!("imaps {HOST}:{}", self.address.port())
    }
}

fn issue(authority: &Authority, now: u64, days: i64) -> Identity {
    let until = now.checked_add_signed(days * 24 * 3_600).unwrap();
    // The name of the domain, since the SRV record is not signed.
    let certificate = Certificate::server(&["example.org"]).change(|params| {
        let epoch = date_time_ymd(1970, 1, 1);
        params.not_before = epoch + Duration::from_secs(until - 90 * DAY);
        params.not_after = epoch + Duration::from_secs(until);
    });
    certificate.issue(authority)
}

fn config(identity: &Identity) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Arc::new(identity.server_config(provider, DEFAULT_VERSIONS))
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}
