//! A gateway on loopback, its backends, and its clients.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use accept_loop::AcceptLoop;
use mail_implicit_tls::{
    account::{Host, Server},
    dns::Resolve,
    gateway::{
        Backend, Backends, Balance, ClientAddress, CurrentService, GatewayOptions, GatewayService,
        Notice, Observer, PenaltyRules, SessionLimits, SessionTimes, Shared,
        proxy_protocol::Networks,
    },
    name::DomainName,
    server::{Acceptor, CertificateSet, Certificates, UnknownName},
    service::Service,
};
use rustls::{
    ClientConfig,
    pki_types::{ServerName, UnixTime},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::site::{HOST, Site};

pub(crate) const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n";

/// The notices of a gateway, as a line each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    pub(crate) fn observer(&self) -> Observer {
        let told = self.0.clone();
        Arc::new(move |notice: &Notice<'_>| {
            let line = match notice {
                Notice::Accept(event) => format!("accept {event}"),
                Notice::Refused { reason, .. } => format!("refused {}", reason.name()),
                Notice::Started(client) => format!("started {}", client.record.peer.ip()),
                Notice::Delayed { time, .. } => format!("delayed {}", time.as_millis()),
                Notice::Backend {
                    backend, notice, ..
                } => format!("backend {} {notice:?}", backend.server().port),
                Notice::Opened { backend, .. } => format!("opened {}", backend.server().port),
                Notice::Session { event, delay, .. } => {
                    format!("session {event:?} {}", delay.as_millis())
                }
                Notice::Ended { end, .. } => format!("ended {}", end.name()),
                _ => "other".to_owned(),
            };
            told.lock().unwrap().push(line);
        })
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Waits for a line with this beginning.
    pub(crate) async fn wait(&self, beginning: &str) -> String {
        let found = async {
            loop {
                let found = self
                    .lines()
                    .into_iter()
                    .find(|it| it.starts_with(beginning));
                if let Some(found) = found {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let found = timeout(Duration::from_secs(60), found).await;
        found.unwrap_or_else(|_| panic!("{beginning:?} expected in {:?}", self.lines()))
    }
}

/// The settings of a gateway.
pub(crate) struct Setup {
    pub(crate) service: Service,
    pub(crate) backends: Vec<Backend>,
    pub(crate) balance: Balance,
    pub(crate) address: ClientAddress,
    pub(crate) proxies: Networks,
    pub(crate) limits: SessionLimits,
    pub(crate) penalty: PenaltyRules,
    /// The networks without limits and delays of a client.
    pub(crate) trusted: Networks,
    pub(crate) times: SessionTimes,
    /// The time limit of the handshake.
    pub(crate) handshake: Duration,
    /// Messages receive a Received field.
    pub(crate) received: bool,
    /// The resolver of the backends' names and TLSA records.
    pub(crate) resolver: Option<Arc<dyn Resolve>>,
}

impl Setup {
    pub(crate) fn imaps(backends: &[SocketAddr]) -> Self {
        let backend = |address: &SocketAddr| clear(Service::IMAP_CLEAR, *address);
        Self::new(Service::IMAPS, backends.iter().map(backend).collect())
    }

    pub(crate) fn new(service: Service, backends: Vec<Backend>) -> Self {
        Self {
            service,
            backends,
            balance: Balance::First,
            address: ClientAddress::None,
            proxies: Networks::default(),
            limits: SessionLimits::default(),
            penalty: PenaltyRules::default(),
            trusted: Networks::default(),
            times: SessionTimes {
                connect: Duration::from_secs(2),
                ..SessionTimes::default()
            },
            handshake: Duration::from_secs(30),
            received: false,
            resolver: None,
        }
    }
}

/// Returns a backend in clear text.
pub(crate) fn clear(service: Service, address: SocketAddr) -> Backend {
    let host = Host::parse(&address.ip().to_string()).unwrap();
    Backend::try_new(Server::new(service, host).with_port(address.port()), false).unwrap()
}

/// A gateway that runs until it is dropped.
pub(crate) struct World {
    pub(crate) site: Site,
    pub(crate) address: SocketAddr,
    pub(crate) told: Told,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) task: JoinHandle<usize>,
}

impl World {
    pub(crate) async fn start(setup: Setup) -> Self {
        Self::start_at(Site::new(), setup).await
    }

    pub(crate) async fn start_at(site: Site, setup: Setup) -> Self {
        let certificates = Arc::new(Certificates::new(UnknownName::FirstCertificate));
        let own = site.server();
        let chain = vec![(vec![own.certificate()], own.private_key())];
        let set = CertificateSet::check(chain, &site.provider(), UnixTime::now()).unwrap();
        certificates.replace(set);
        let acceptor = Acceptor::new(setup.service, certificates, site.provider()).unwrap();
        let acceptor = acceptor.with_handshake_timeout(setup.handshake);
        let mut connector = site.connector();
        if let Some(resolver) = setup.resolver {
            connector = connector.with_resolver(resolver);
        }
        let told = Told::default();
        let shared = Shared::new(connector, setup.limits, setup.penalty, 7, told.observer());
        shared.trust(setup.trusted);
        let mut options = GatewayOptions::try_new(setup.service.protocol, setup.address).unwrap();
        if setup.received {
            let by = DomainName::parse("gw.example.org").unwrap();
            options = options.with_received(by, || 1_404_208_800);
        }
        let backends = Backends::new(setup.backends, setup.balance);
        let service = GatewayService::new(acceptor, backends, options, shared)
            .with_proxies(setup.proxies)
            .with_times(setup.times);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            let stop = async {
                let _ = stopped.wait_for(|it| *it).await;
            };
            let current = CurrentService::new(service);
            current.serve_until(listener, AcceptLoop::new(), stop).await
        });
        Self {
            site,
            address,
            told,
            stop,
            task,
        }
    }

    /// Connects as a client over TLS.
    pub(crate) async fn connect(&self) -> Client {
        let tcp = TcpStream::connect(self.address).await.unwrap();
        self.handshake(tcp).await
    }

    /// Makes the handshake of a client on a TCP connection.
    pub(crate) async fn handshake(&self, tcp: TcpStream) -> Client {
        let config = ClientConfig::builder_with_provider(self.site.provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.site.roots())
            .with_no_client_auth();
        let name = ServerName::try_from(HOST).unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp);
        Client {
            stream: stream.await.unwrap(),
            octets: Vec::new(),
        }
    }
}

/// A client of the gateway.
pub(crate) struct Client {
    pub(crate) stream: TlsStream<TcpStream>,
    octets: Vec<u8>,
}

impl Client {
    pub(crate) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Sends octets, unless the gateway has closed the connection.
    pub(crate) async fn send_octets(&mut self, octets: &[u8]) {
        let _ = self.stream.write_all(octets).await;
        let _ = self.stream.flush().await;
    }

    /// Returns the next line, without its end.
    pub(crate) async fn line(&mut self) -> String {
        let line = async {
            loop {
                if let Some(end) = self.octets.windows(2).position(|it| it == b"\r\n") {
                    let rest = self.octets.split_off(end + 2);
                    let line = std::mem::replace(&mut self.octets, rest);
                    return String::from_utf8(line[..end].to_vec()).unwrap();
                }
                let read = self.stream.read_buf(&mut self.octets).await.unwrap();
                assert!(read > 0, "a line expected after {:?}", self.octets);
            }
        };
        timeout(Duration::from_secs(60), line).await.unwrap()
    }

    /// Returns all octets up to the end, which must be one with the close alert of TLS.
    pub(crate) async fn rest(&mut self) -> String {
        let read = self.stream.read_to_end(&mut self.octets);
        timeout(Duration::from_secs(60), read)
            .await
            .unwrap()
            .unwrap();
        String::from_utf8(std::mem::take(&mut self.octets)).unwrap()
    }

    /// Logs in. The backend must be [`Backend`]'s double.
    pub(crate) async fn log_in(&mut self) {
        assert!(self.line().await.starts_with("* OK"));
        self.send("a LOGIN alice right\r\n").await;
        let answer = self.line().await;
        assert!(answer.starts_with("a OK"), "{answer}");
    }
}

/// An IMAP server in clear text. The password is `right`; after login it answers each line with its text.
pub(crate) struct ImapDouble {
    pub(crate) address: SocketAddr,
    /// The lines that it received, of all connections, beginning with what came before the first line of IMAP.
    pub(crate) received: Arc<Mutex<Vec<String>>>,
    pub(crate) task: JoinHandle<()>,
}

impl ImapDouble {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        Self::at(listener)
    }

    pub(crate) fn at(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let received = Arc::<Mutex<Vec<String>>>::default();
        let lines = received.clone();
        let task = tokio::spawn(async move {
            let mut sessions = tokio::task::JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                sessions.spawn(imap(tcp, lines.clone()));
            }
        });
        Self {
            address,
            received,
            task,
        }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }
}

impl Drop for ImapDouble {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves one connection of IMAP.
pub(crate) async fn imap<S>(mut stream: S, lines: Arc<Mutex<Vec<String>>>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut octets = Vec::new();
    if stream.write_all(GREETING.as_bytes()).await.is_err() {
        return;
    }
    let _ = stream.flush().await;
    let mut is_logged_in = false;
    loop {
        while let Some(end) = octets.iter().position(|it| *it == b'\n') {
            let rest = octets.split_off(end + 1);
            let line = String::from_utf8_lossy(&octets).trim_end().to_owned();
            octets = rest;
            lines.lock().unwrap().push(line.clone());
            let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
            let upper = command.to_ascii_uppercase();
            let reply = if upper.starts_with("LOGIN") {
                let is_right = command.ends_with("right") || command.ends_with("\"right\"");
                is_logged_in |= is_right;
                match is_right {
                    true => format!("{tag} OK [CAPABILITY IMAP4rev1 IDLE] in\r\n"),
                    false => format!("{tag} NO [AUTHENTICATIONFAILED] no\r\n"),
                }
            } else if upper.starts_with("ID") {
                format!("* ID NIL\r\n{tag} OK done\r\n")
            } else if upper.starts_with("CAPABILITY") {
                format!("* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n{tag} OK done\r\n")
            } else if upper.starts_with("LOGOUT") {
                format!("* BYE\r\n{tag} OK bye\r\n")
            } else if upper.starts_with("DIE") {
                // In the middle of a literal.
                let _ = stream.write_all(b"* 1 FETCH (BODY[] {100}\r\nabc").await;
                return;
            } else if is_logged_in {
                format!("{tag} OK {command}\r\n")
            } else {
                format!("{tag} BAD what\r\n")
            };
            if stream.write_all(reply.as_bytes()).await.is_err() {
                return;
            }
            let _ = stream.flush().await;
            if upper.starts_with("LOGOUT") {
                return;
            }
        }
        match stream.read_buf(&mut octets).await {
            Ok(1..) => {}
            _ => return,
        }
    }
}

/// Returns an address on which nothing listens.
pub(crate) async fn nowhere() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    listener.local_addr().unwrap()
}

/// Returns a listener, whose connections a function serves.
pub(crate) async fn serve<F, T>(serve: F) -> SocketAddr
where
    F: Fn(TcpStream) -> T + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(serve(tcp));
        }
    });
    address
}
