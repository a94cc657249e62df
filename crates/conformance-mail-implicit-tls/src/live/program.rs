//! The command `mail-tls`, and its runs over the signed tree: with servers of IMAP and Submission, and the files that it reads.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use conformance::{
    build_command,
    outcome::{Checked, Failure},
    process::directory,
};
use rustls::{DEFAULT_VERSIONS, ServerConfig};
use serde_json::Value;
use test_support::pki::{Authority, Identity};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, UdpSocket},
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::tree::{self, Tree};

/// Returns the reason for which the command cannot run over the tree, if there is one. Builds it, which may take longer than a
/// scenario.
pub(super) fn missing(root: &Path) -> Result<Option<String>, String> {
    match tree::missing() {
        Some(missing) => Ok(Some(missing)),
        None => built(root),
    }
}

/// Builds the command, which may take longer than a scenario. Returns the reason why this Rust cannot build it.
pub(super) fn built(root: &Path) -> Result<Option<String>, String> {
    match build_command(root, "mail-tls") {
        Ok(_) => Ok(None),
        Err(errors) if errors.contains("is not supported by the following package") => {
            Ok(Some("mail-tls needs Rust 1.94".to_owned()))
        }
        Err(errors) => Err(errors),
    }
}

/// Returns the command.
pub(super) fn program(root: &Path) -> PathBuf {
    conformance::built(root).join("mail-tls")
}

/// The target of the SRV records, in the signed zone.
pub(super) const HOST: &str = "server.good.test";

/// A digest of no key.
pub(super) const WRONG: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A listener, whose port the records need before it serves.
pub(super) struct Listening {
    listener: TcpListener,
    pub(super) port: u16,
}

impl Listening {
    async fn new() -> Checked<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// Greets on each connection, and answers each command with the same lines.
    fn serve(
        self,
        identity: &Identity,
        greeting: &'static str,
        reply: &'static str,
    ) -> JoinHandle<()> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config: ServerConfig = identity.server_config(provider, DEFAULT_VERSIONS);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = self.listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that refuses the certificate ends the handshake.
                    let Ok(stream) = acceptor.accept(tcp).await else {
                        return;
                    };
                    let mut stream = BufReader::new(stream);
                    let mut line = String::new();
                    let mut answer = greeting;
                    loop {
                        let sent = stream.write_all(answer.as_bytes()).await;
                        if sent.is_err() || stream.flush().await.is_err() {
                            return;
                        }
                        line.clear();
                        if !matches!(stream.read_line(&mut line).await, Ok(1..)) {
                            return;
                        }
                        answer = reply;
                    }
                });
            }
        })
    }
}

/// A server of IMAP and one of Submission, before the records that name their ports.
pub(super) struct Servers {
    pub(super) imap: Listening,
    pub(super) submission: Listening,
}

impl Servers {
    pub(super) async fn new() -> Checked<Self> {
        Ok(Self {
            imap: Listening::new().await?,
            submission: Listening::new().await?,
        })
    }

    /// Starts the tree with these zones, and the servers with their certificates. The command trusts `authority`.
    pub(super) async fn start(
        self,
        root: &Path,
        zones: &[(&str, &str)],
        [reading, submitting]: [&Identity; 2],
        authority: &Authority,
    ) -> Checked<World> {
        let tree = Tree::start_with(root, zones).await?;
        let serving = [
            self.imap.serve(
                reading,
                "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n",
                "* BAD\r\n",
            ),
            self.submission
                .serve(submitting, "220 ready\r\n", "250-hi\r\n250 AUTH PLAIN\r\n"),
        ];
        let files = directory()?;
        fs::write(files.path().join("anchors"), &tree.root_key)?;
        fs::write(files.path().join("roots.pem"), authority.pem())?;
        Ok(World {
            program: program(root),
            files,
            tree,
            _serving: serving,
        })
    }
}

/// Forwards questions to a server without the record that asks for DNSSEC, as some routers do.
async fn forward(socket: UdpSocket, to: SocketAddr) -> std::io::Result<()> {
    let mut octets = [0; 4096];
    loop {
        let (count, from) = socket.recv_from(&mut octets).await?;
        let asked = octets.get(..count).unwrap_or_default();
        let upstream = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        upstream.connect(to).await?;
        upstream.send(&without_opt(asked)).await?;
        let answered = timeout(PATIENCE, upstream.recv(&mut octets)).await;
        if let Ok(Ok(count)) = answered {
            let answer = octets.get(..count).unwrap_or_default();
            socket.send_to(answer, from).await?;
        }
    }
}

/// The time for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Returns a question without its additional records: the header, a name, a type and a class.
fn without_opt(asked: &[u8]) -> Vec<u8> {
    const HEADER: usize = 12;
    const TYPE_AND_CLASS: usize = 4;

    let mut end = HEADER;
    while let Some(length @ 1..) = asked.get(end) {
        end = end.saturating_add(usize::from(*length)).saturating_add(1);
    }
    end = end.saturating_add(1).saturating_add(TYPE_AND_CLASS);
    let mut question = asked.get(..end).unwrap_or(asked).to_vec();
    if let Some(additional) = question.get_mut(10..HEADER) {
        additional.fill(0);
    }
    question
}

/// The tree, the servers and the files of the command's runs.
pub(super) struct World {
    program: PathBuf,
    files: tempfile::TempDir,
    tree: Tree,
    _serving: [JoinHandle<()>; 2],
}

impl World {
    /// Starts a resolver that gives no DNSSEC, for as long as the runtime lasts.
    pub(super) async fn without_dnssec(&self) -> Checked<SocketAddr> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = socket.local_addr()?;
        tokio::spawn(forward(socket, self.tree.plain));
        Ok(address)
    }

    /// Runs the command with these arguments, and returns its exit code and the JSON that it prints. `trust` is the option
    /// that names the authorities.
    pub(super) async fn run(
        &self,
        arguments: &[&str],
        trust: &str,
    ) -> Checked<(Option<i32>, Value)> {
        self.run_by(self.tree.plain, arguments, trust).await
    }

    /// Runs the command with another resolver.
    pub(super) async fn run_by(
        &self,
        resolver: SocketAddr,
        arguments: &[&str],
        trust: &str,
    ) -> Checked<(Option<i32>, Value)> {
        let file = |name: &str| self.files.path().join(name);
        let mut command = Command::new(&self.program);
        command.args(arguments).args(["--json", "--timeout", "20"]);
        command.arg("--resolver").arg(resolver.to_string());
        command.arg("--anchors").arg(file("anchors"));
        command.arg(trust).arg(file("roots.pem"));
        let output = spawn_blocking(move || command.output()).await??;
        let errors = String::from_utf8_lossy(&output.stderr);
        let value = serde_json::from_slice(&output.stdout)
            .map_err(|error| Failure::new(format!("{arguments:?}: {error}: {errors}")))?;
        Ok((output.status.code(), value))
    }
}
