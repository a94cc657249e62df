//! An IMAP server on loopback, and the command that connects to it.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use deep_latch::{
    Host, LatchRecord, SecurityTag,
    store::{Account, FileLatchStore, LatchStore},
};
use rustls::DEFAULT_VERSIONS;
use tempfile::TempDir;
use test_support::pki::{Authority, Certificate};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    runtime::Runtime,
};
use tokio_rustls::TlsAcceptor;

pub(crate) const STATUS: &str = "tls12 tls-cert x-future <https://status.example.org/>";

pub(crate) const DEEP: &str = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN DEEP ID] hello\r\n";

pub(crate) static AUTHORITIES: AtomicUsize = AtomicUsize::new(0);

/// An IMAP server for `imap.example.org`, and a file with the authority that issued its certificate.
pub(crate) struct World {
    pub(crate) runtime: Runtime,
    /// For the hosts that may have a configuration file.
    pub(crate) web: TlsAcceptor,
    pub(crate) directory: TempDir,
    pub(crate) address: SocketAddr,
    /// The number of connections that the IMAP server accepted.
    pub(crate) accepted: Arc<AtomicUsize>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n")
    }

    /// A server with this greeting, which advertises a status to a client that asks for it.
    pub(crate) fn with(greeting: &'static str) -> Self {
        Self::with_names(greeting, &["imap.example.org"])
    }

    pub(crate) fn with_names(greeting: &'static str, names: &[&str]) -> Self {
        // Each authority has a name of its own.
        let name = format!("Root {}", AUTHORITIES.fetch_add(1, Ordering::Relaxed));
        let authority = Authority::new(&name);
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("roots.pem"), authority.pem()).unwrap();
        let acceptor_for = |names: &[&str]| {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let identity = Certificate::server(names).issue(&authority);
            let config = identity.server_config(provider, DEFAULT_VERSIONS);
            TlsAcceptor::from(Arc::new(config))
        };
        let web = acceptor_for(&["example.org", "autoconfig.example.org"]);
        let imaps = acceptor_for(names);
        let runtime = Runtime::new().unwrap();
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = accepted.clone();
        runtime.spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let acceptor = imaps.clone();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(tcp).await else {
                        return;
                    };
                    let mut stream = BufReader::new(stream);
                    stream.write_all(greeting.as_bytes()).await.unwrap();
                    stream.flush().await.unwrap();
                    let mut line = String::new();
                    while matches!(stream.read_line(&mut line).await, Ok(1..)) {
                        let tag = line.split(' ').next().unwrap();
                        // Nothing is reported.
                        assert!(!line.contains("tls"), "{line}");
                        let reply = match line.contains(" ID ") {
                            true => format!("* ID (\"deep\" \"{STATUS}\")\r\n{tag} OK\r\n"),
                            false => format!("* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n"),
                        };
                        stream.write_all(reply.as_bytes()).await.unwrap();
                        stream.flush().await.unwrap();
                        line.clear();
                    }
                });
            }
        });
        Self {
            runtime,
            web,
            directory,
            address,
            accepted,
        }
    }

    /// Writes a file of latches for `imap.example.org` and another host.
    pub(crate) fn latches(&self, tags: &[SecurityTag<'static>]) -> PathBuf {
        let path = self.directory.path().join("latches.json");
        let store = FileLatchStore::open_or_create(&path).unwrap();
        let account = Account::try_new("alice@example.org").unwrap();
        for host in ["imap.example.org", "mail.example.org"] {
            let host = Host::try_new(host).unwrap();
            let record = LatchRecord::preset(host, tags.iter().cloned());
            self.runtime
                .block_on(store.merge(&account, &record))
                .unwrap();
        }
        path
    }

    pub(crate) fn run(&self, host: &str, more: &[&str]) -> Output {
        self.run_with(host, more, &[])
    }

    pub(crate) fn run_with(
        &self,
        host: &str,
        more: &[&str],
        environment: &[(&str, &str)],
    ) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mail-tls"));
        command.args([
            "connect",
            "alice@example.org",
            "--host",
            host,
            "--service",
            "imaps",
            "--no-dane",
        ]);
        command.args([
            "--connect-to",
            "127.0.0.1",
            "--resolver",
            "127.0.0.1:1",
            "--timeout",
            "10",
            "--port",
        ]);
        command.arg(self.address.port().to_string()).args(more);
        command
            .arg("--roots")
            .arg(self.directory.path().join("roots.pem"))
            .envs(environment.iter().copied());
        command.output().unwrap()
    }
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}
