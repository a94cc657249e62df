//! A server that runs until it is dropped, and clients that connect to it.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use accept_loop::{AcceptLoop, AcceptedStream};
use mail_implicit_tls::{
    account::{Host, Server},
    client::{Connection, Connector},
    server::{
        AcceptError, Acceptor, CertificateError as ChainError, CertificateSet, Certificates,
        CloseReason, ConnectionRecord, Session, UnknownName,
    },
    service::{Protocol, Security, Service},
};
use rustls::{
    ClientConfig,
    pki_types::{ServerName, UnixTime},
};
use test_support::pki::Identity;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;

use crate::site::{HOST, Site, account_of};

/// The reason of a refusal, as a value to compare.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Refusal {
    Timeout,
    BeforeTls(CloseReason),
    Tls(Option<rustls::Error>),
    Io(io::ErrorKind),
}

impl Refusal {
    pub(crate) fn of(error: &AcceptError) -> Self {
        match error {
            AcceptError::Timeout => Self::Timeout,
            AcceptError::BeforeTls(reason) => Self::BeforeTls(*reason),
            AcceptError::Tls(error) => Self::Tls(tls_error(error)),
            AcceptError::Io(error) => Self::Io(error.kind()),
            other => panic!("{other}"),
        }
    }
}

/// Returns the error of rustls within one of the stream.
pub(crate) fn tls_error(error: &io::Error) -> Option<rustls::Error> {
    error.get_ref()?.downcast_ref::<rustls::Error>().cloned()
}

/// A server that greets, answers each line with `OK`, and is stopped when dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) certificates: Arc<Certificates>,
    pub(crate) refused: Arc<Mutex<Vec<Refusal>>>,
    pub(crate) records: Arc<Mutex<Vec<ConnectionRecord>>>,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) task: JoinHandle<usize>,
}

impl Running {
    pub(crate) async fn start(acceptor: Acceptor, accept_loop: AcceptLoop) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let certificates = acceptor.certificates().clone();
        let refused = Arc::new(Mutex::new(Vec::new()));
        let records = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = oneshot::channel::<()>();
        let note = {
            let refused = refused.clone();
            move |_: SocketAddr, error: &AcceptError| {
                refused.lock().unwrap().push(Refusal::of(error));
            }
        };
        let serve = {
            let records = records.clone();
            move |session| echo(session, records.clone())
        };
        let task = tokio::spawn(async move {
            let stop = async {
                let _ = stopped.await;
            };
            acceptor
                .serve_until(listener, &accept_loop, serve, note, stop)
                .await
        });
        Self {
            address,
            certificates,
            refused,
            records,
            stop: Some(stop),
            task,
        }
    }

    pub(crate) async fn of(service: Service, site: &Site) -> Self {
        Self::start(acceptor(service, site), AcceptLoop::new()).await
    }

    pub(crate) async fn stop(mut self) -> usize {
        drop(self.stop.take());
        self.task.await.unwrap()
    }

    pub(crate) fn server(&self, service: Service) -> Server {
        let host = Host::parse(HOST).unwrap();
        Server::new(service, host)
            .with_port(self.address.port())
            .with_address(self.address.ip())
    }
}

pub(crate) async fn echo(
    session: Session<AcceptedStream>,
    records: Arc<Mutex<Vec<ConnectionRecord>>>,
) {
    records.lock().unwrap().push(session.record().clone());
    let (greeting, service) = (
        session.client().map(str::to_owned),
        session.record().service,
    );
    let mut stream = session.into_stream();
    let client = greeting.unwrap_or_default();
    let greeting = match service.protocol {
        Protocol::Imap => format!("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] {client}\r\n"),
        Protocol::Pop => format!("+OK {client}\r\n"),
        Protocol::Submission => format!("220 {client}\r\n"),
    };
    if service.security == Security::Implicit {
        let _ = stream.write_all(greeting.as_bytes()).await;
        let _ = stream.flush().await;
    }
    let mut octets = [0; 512];
    while let Ok(count @ 1..) = stream.read(&mut octets).await {
        let reply: &[u8] = match service.protocol {
            Protocol::Imap => b"* CAPABILITY IMAP4rev1 X-TLS\r\nt OK\r\n",
            Protocol::Pop => b"+OK\r\nX-TLS\r\n.\r\n",
            Protocol::Submission => b"250-hi\r\n250-X-TLS\r\n250 AUTH PLAIN\r\n",
        };
        let reply = if octets[..count].starts_with(b"PING") {
            b"PONG\r\n"
        } else {
            reply
        };
        if stream.write_all(reply).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
    let _ = stream.shutdown().await;
}

pub(crate) fn set(site: &Site, identities: &[&Identity]) -> Result<CertificateSet, ChainError> {
    let chains = identities
        .iter()
        .map(|it| (vec![it.certificate()], it.private_key()))
        .collect();
    CertificateSet::check(chains, &site.provider(), UnixTime::now())
}

pub(crate) fn acceptor(service: Service, site: &Site) -> Acceptor {
    let certificates = Arc::new(Certificates::new(UnknownName::FirstCertificate));
    certificates.replace(set(site, &[site.server()]).unwrap());
    Acceptor::new(service, certificates, site.provider())
        .unwrap()
        .with_name("mail.example")
}

pub(crate) async fn connect(site: &Site, running: &Running, service: Service) -> Connection {
    connect_by(&site.connector(), running, service).await
}

pub(crate) async fn connect_by(
    connector: &Connector,
    running: &Running,
    service: Service,
) -> Connection {
    let server = running.server(service);
    connector
        .connect(&account_of("alice", &server), &server)
        .await
        .unwrap()
}

/// Makes a TLS connection with a client of rustls itself.
pub(crate) async fn raw(
    site: &Site,
    running: &Running,
    name: &'static str,
    alpn: &[&[u8]],
) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut config = ClientConfig::builder_with_provider(site.provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(site.roots())
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|id| id.to_vec()).collect();
    let tcp = TcpStream::connect(running.address).await?;
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from(name).unwrap(), tcp)
        .await
}

pub(crate) const IMPLICIT: [Service; 3] = [Service::IMAPS, Service::POP3S, Service::SUBMISSIONS];
pub(crate) const UPGRADED: [Service; 3] = [
    Service::IMAP_STARTTLS,
    Service::POP3_STARTTLS,
    Service::SUBMISSION_STARTTLS,
];
