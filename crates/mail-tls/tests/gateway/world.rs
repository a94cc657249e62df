//! A gateway as a process, its files, a backend, and clients.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ClientConnection, StreamOwned,
    crypto::ring::default_provider,
    pki_types::{ServerName, UnixTime},
    time_provider::TimeProvider,
};
use tempfile::TempDir;
use test_support::pki::{Authority, Certificate, Identity};

pub(crate) const HOST: &str = "imap.example.org";

/// Waits until a function returns a value.
pub(crate) fn soon<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < end, "{what} expected");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The files of a gateway, and the authority of its certificate.
pub(crate) struct Files {
    pub(crate) directory: TempDir,
    pub(crate) authority: Authority,
}

impl Files {
    pub(crate) fn new() -> Self {
        let files = Self {
            directory: tempfile::tempdir().unwrap(),
            authority: Authority::new("Gateway"),
        };
        files.install(&Certificate::server(&[HOST]).issue(&files.authority));
        files
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a certificate and its key.
    pub(crate) fn install(&self, identity: &Identity) {
        fs::write(self.path("key.pem"), identity.key_pem()).unwrap();
        fs::write(self.path("chain.pem"), identity.pem()).unwrap();
    }

    /// Writes a configuration of one service of IMAP, with more text at the end.
    pub(crate) fn configure(&self, listen: &str, backend: SocketAddr, more: &str) -> PathBuf {
        let text = format!(
            "name = \"{HOST}\"\n\
             certificate = [{{ chain = \"chain.pem\", key = \"key.pem\" }}]\n\
             [[service]]\n\
             kind = \"imaps\"\n\
             listen = [\"{listen}\"]\n\
             backend = [{{ host = \"{}\", port = {} }}]\n\
             {more}",
            backend.ip(),
            backend.port()
        );
        let path = self.path("gateway.toml");
        fs::write(&path, text).unwrap();
        path
    }

    /// Returns the configuration of a client without a certificate.
    fn client_config(&self) -> ClientConfig {
        ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.authority.roots())
            .with_no_client_auth()
    }

    /// Writes a text as configuration.
    pub(crate) fn write(&self, text: &str) -> PathBuf {
        let path = self.path("gateway.toml");
        fs::write(&path, text).unwrap();
        path
    }
}

pub(crate) fn command(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mail-tls"));
    command.arg("gateway").arg("--config").arg(config);
    command
}

/// Runs the command with `--check`.
pub(crate) fn check(config: &Path) -> Output {
    command(config).arg("--check").output().unwrap()
}

pub(crate) fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

/// A gateway that runs. It is killed when dropped.
pub(crate) struct Gateway {
    pub(crate) child: Child,
    out: BufReader<ChildStdout>,
    lines: Vec<String>,
    log: Arc<Mutex<String>>,
}

impl Gateway {
    pub(crate) fn start(config: &Path) -> Self {
        Self::run(&mut command(config))
    }

    pub(crate) fn run(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = child.stderr.take().unwrap();
        let gateway = Self::of(child);
        gateway.keep_log(errors);
        gateway
    }

    /// Starts a gateway whose log is not read, and returns the end of the log's pipe.
    pub(crate) fn unread(config: &Path) -> (Self, ChildStderr) {
        let mut child = command(config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = child.stderr.take().unwrap();
        (Self::of(child), errors)
    }

    fn of(mut child: Child) -> Self {
        Self {
            out: BufReader::new(child.stdout.take().unwrap()),
            child,
            lines: Vec::new(),
            log: Arc::default(),
        }
    }

    fn keep_log(&self, mut errors: ChildStderr) {
        let kept = self.log.clone();
        thread::spawn(move || {
            let mut octets = [0; 4096];
            while let Ok(count @ 1..) = errors.read(&mut octets) {
                let text = String::from_utf8_lossy(&octets[..count]).into_owned();
                kept.lock().unwrap().push_str(&text);
            }
        });
    }

    /// Waits for the line about a listener, and returns its address. Lines about others are kept: the order is not fixed.
    pub(crate) fn listening(&mut self, what: &str) -> SocketAddr {
        self.listening_on(what, 1)[0]
    }

    /// Waits for the lines about this number of listeners, and returns their addresses in any order.
    pub(crate) fn listening_on(&mut self, what: &str, number: usize) -> Vec<SocketAddr> {
        let beginning = format!("listening: {what} ");
        loop {
            let lines = self.lines.iter();
            let addresses: Vec<_> = lines
                .filter_map(|it| it.strip_prefix(&beginning))
                .map(|address| address.trim_end().parse().unwrap())
                .collect();
            if addresses.len() >= number {
                return addresses;
            }
            let mut line = String::new();
            let count = self.out.read_line(&mut line).unwrap();
            assert!(count > 0, "no listener for {what}: {}", self.log());
            self.lines.push(line);
        }
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a text in the log.
    pub(crate) fn logged(&self, wanted: &str) -> String {
        let what = || format!("{wanted:?} in {}", self.log());
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let log = self.log();
            if let Some(line) = log.lines().find(|line| line.contains(wanted)) {
                return line.to_owned();
            }
            assert!(Instant::now() < end, "{}", what());
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for the end of the process, and returns its exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A clock in the middle of the year 2000.
#[derive(Debug)]
struct In2000;

impl TimeProvider for In2000 {
    fn current_time(&self) -> Option<UnixTime> {
        let middle = Duration::from_secs(962_409_600);
        Some(UnixTime::since_unix_epoch(middle))
    }
}

/// A client over TLS.
pub(crate) struct Client(pub(crate) BufReader<StreamOwned<ClientConnection, TcpStream>>);

impl Client {
    pub(crate) fn connect(files: &Files, address: SocketAddr) -> Self {
        Self::with_name(files, address, HOST).unwrap()
    }

    /// Connects, and asks for a name.
    pub(crate) fn with_name(
        files: &Files,
        address: SocketAddr,
        name: &'static str,
    ) -> std::io::Result<Self> {
        Self::with_config(files.client_config(), address, name)
    }

    /// Connects with a certificate of the client.
    pub(crate) fn with_certificate(
        files: &Files,
        address: SocketAddr,
        name: &'static str,
        identity: &Identity,
    ) -> Self {
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(files.authority.roots())
            .with_client_auth_cert(identity.chain(), identity.private_key())
            .unwrap();
        Self::with_config(config, address, name).unwrap()
    }

    fn with_config(
        config: ClientConfig,
        address: SocketAddr,
        name: &'static str,
    ) -> std::io::Result<Self> {
        Self::handshake(config, TcpStream::connect(address)?, name)
    }

    /// Makes the handshake on a connection that began in clear text.
    pub(crate) fn over(files: &Files, tcp: TcpStream) -> std::io::Result<Self> {
        Self::handshake(files.client_config(), tcp, HOST)
    }

    fn handshake(
        config: ClientConfig,
        tcp: TcpStream,
        name: &'static str,
    ) -> std::io::Result<Self> {
        let name = ServerName::try_from(name).unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        if tcp.read_timeout()?.is_none() {
            tcp.set_read_timeout(Some(Duration::from_secs(15)))?;
        }
        let mut stream = StreamOwned::new(connection, tcp);
        stream.conn.complete_io(&mut stream.sock)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Connects with a clock of the year 2000, in which certificates are valid that expired.
    pub(crate) fn in_2000(
        files: &Files,
        address: SocketAddr,
        name: &'static str,
    ) -> std::io::Result<Self> {
        let mut config = files.client_config();
        config.time_provider = Arc::new(In2000);
        Self::with_config(config, address, name)
    }

    /// Returns the certificate that the gateway shows.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        self.0.get_ref().conn.peer_certificates().unwrap()[0].to_vec()
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
        self.0.get_mut().flush().unwrap();
    }

    /// Sends a line and returns the next one.
    pub(crate) fn ask(&mut self, text: &str) -> String {
        self.send(text);
        self.line()
    }

    /// Returns all up to the close alert of TLS.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).unwrap();
        rest
    }
}

/// An IMAP server in clear text. The password is `right`.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    pub(crate) received: Arc<Mutex<Vec<String>>>,
}

impl Backend {
    pub(crate) fn start() -> Self {
        Self::with("IMAP4rev1 SASL-IR AUTH=PLAIN ID")
    }

    /// Starts a server with these capabilities.
    pub(crate) fn with(capabilities: &'static str) -> Self {
        Self::serve(TcpListener::bind("127.0.0.1:0").unwrap(), capabilities)
    }

    /// Starts a server on a listener.
    pub(crate) fn at(listener: TcpListener) -> Self {
        Self::serve(listener, "IMAP4rev1 AUTH=PLAIN")
    }

    fn serve(listener: TcpListener, capabilities: &'static str) -> Self {
        let address = listener.local_addr().unwrap();
        let received = Arc::<Mutex<Vec<String>>>::default();
        let lines = received.clone();
        thread::spawn(move || {
            for tcp in listener.incoming() {
                let (tcp, lines) = (tcp.unwrap(), lines.clone());
                thread::spawn(move || imap(tcp, capabilities, &lines));
            }
        });
        Self { address, received }
    }
}

fn imap(tcp: TcpStream, capabilities: &str, lines: &Mutex<Vec<String>>) {
    let mut writer = tcp.try_clone().unwrap();
    let greeting = format!("* OK [CAPABILITY {capabilities}] ready\r\n");
    if writer.write_all(greeting.as_bytes()).is_err() {
        return;
    }
    for line in BufReader::new(tcp).split(b'\n') {
        let Ok(line) = line else { return };
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        lines.lock().unwrap().push(line.clone());
        let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
        let upper = command.to_ascii_uppercase();
        let reply = if upper.starts_with("LOGIN") {
            match command.ends_with("right") || command.ends_with("\"right\"") {
                true => format!("{tag} OK in\r\n"),
                false => format!("{tag} NO [AUTHENTICATIONFAILED] no\r\n"),
            }
        } else if upper.starts_with("ID") {
            format!("* ID NIL\r\n{tag} OK done\r\n")
        } else if upper.starts_with("CAPABILITY") {
            format!("* CAPABILITY {capabilities}\r\n{tag} OK done\r\n")
        } else if upper.starts_with("LOGOUT") {
            format!("* BYE\r\n{tag} OK bye\r\n")
        } else {
            format!("{tag} OK {command}\r\n")
        };
        if writer.write_all(reply.as_bytes()).is_err() {
            return;
        }
        if upper.starts_with("LOGOUT") {
            let _ = writer.shutdown(Shutdown::Both);
        }
    }
}

/// Sends a request of HTTP, and returns the response.
pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    let mut tcp = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    tcp.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    tcp.read_to_string(&mut response).unwrap();
    response
}
