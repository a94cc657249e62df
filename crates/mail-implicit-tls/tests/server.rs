//! The acceptor with clients that behave well and badly.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "support/site.rs"]
mod site;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use accept_loop::{AcceptLoop, AcceptedStream};
use mail_implicit_tls::{
    account::{Host, Server},
    client::Connector,
    name::DomainName,
    privacy::{PrivacyLevel, ProtocolVersion},
    received::{CipherSuite, Client, Group, Received, Stamp, Transmission},
    server::{
        AcceptError, Acceptor, AcceptorError, CertificateError, CertificateSet, Certificates,
        CloseReason, MapCertificate, Session, UnknownName,
    },
    service::{Protocol, Security, Service},
};
use rustls::{
    ClientConfig, HandshakeKind, SignatureScheme,
    client::ResolvesClientCert,
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::WebPkiClientVerifier,
    sign::CertifiedKey,
};
use test_support::pki::Identity;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;

use self::site::{HOST, Site, account_of};

/// A server that greets, answers each line with `OK`, and is stopped when dropped.
struct Running {
    address: SocketAddr,
    certificates: Arc<Certificates>,
    refused: Arc<Mutex<Vec<String>>>,
    records: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<usize>,
}

impl Running {
    async fn start(acceptor: Acceptor, accept_loop: AcceptLoop) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let certificates = acceptor.certificates().clone();
        let refused = Arc::new(Mutex::new(Vec::new()));
        let records = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = oneshot::channel::<()>();
        let note = {
            let refused = refused.clone();
            move |_: SocketAddr, error: &AcceptError| {
                refused.lock().unwrap().push(error.to_string())
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

    async fn of(service: Service, site: &Site) -> Self {
        Self::start(acceptor(service, site), AcceptLoop::new()).await
    }

    async fn stop(mut self) -> usize {
        drop(self.stop.take());
        self.task.await.unwrap()
    }

    fn server(&self, service: Service) -> Server {
        let host = Host::parse(HOST).unwrap();
        Server::new(service, host)
            .with_port(self.address.port())
            .with_address(self.address.ip())
    }
}

async fn echo(session: Session<AcceptedStream>, records: Arc<Mutex<Vec<String>>>) {
    records.lock().unwrap().push(session.record().to_string());
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

fn set(site: &Site, identities: &[&Identity]) -> Result<CertificateSet, CertificateError> {
    let chains = identities
        .iter()
        .map(|it| (vec![it.certificate()], it.private_key()))
        .collect();
    CertificateSet::check(chains, &site.provider(), UnixTime::now())
}

fn acceptor(service: Service, site: &Site) -> Acceptor {
    let certificates = Arc::new(Certificates::new(UnknownName::FirstCertificate));
    certificates.replace(set(site, &[site.server()]).unwrap());
    Acceptor::new(service, certificates, site.provider())
        .unwrap()
        .with_name("mail.example")
}

async fn connect(
    site: &Site,
    running: &Running,
    service: Service,
) -> mail_implicit_tls::client::Connection {
    connect_by(&site.connector(), running, service).await
}

async fn connect_by(
    connector: &Connector,
    running: &Running,
    service: Service,
) -> mail_implicit_tls::client::Connection {
    let server = running.server(service);
    connector
        .connect(&account_of("alice", &server), &server)
        .await
        .unwrap()
}

/// Makes a TLS connection with a client of rustls itself.
async fn raw(
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

const IMPLICIT: [Service; 3] = [Service::IMAPS, Service::POP3S, Service::SUBMISSIONS];
const UPGRADED: [Service; 3] = [
    Service::IMAP_STARTTLS,
    Service::POP3_STARTTLS,
    Service::SUBMISSION_STARTTLS,
];

#[tokio::test]
async fn serves_the_crates_own_client_on_all_services() {
    let site = Site::new();
    for service in IMPLICIT.into_iter().chain(UPGRADED) {
        let running = Running::of(service, &site).await;
        let connection = connect(&site, &running, service).await;
        assert_eq!(connection.indication().level(), Some(PrivacyLevel::High));
        assert_eq!(connection.version(), Some(ProtocolVersion::TLS1_3));
        let mut stream = connection.into_stream();
        stream.write_all(b"PING\r\n").await.unwrap();
        stream.flush().await.unwrap();
        let mut pong = [0; 6];
        stream.read_exact(&mut pong).await.unwrap();
        assert_eq!(&pong, b"PONG\r\n");
        stream.shutdown().await.unwrap();
        assert_eq!(running.refused.lock().unwrap().as_slice(), [""; 0]);
        let record = running.records.lock().unwrap()[0].clone();
        assert!(
            record.starts_with(&format!("service={service} peer=127.0.0.1:")),
            "{record}"
        );
        assert!(
            record.contains(" tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 group="),
            "{record}"
        );
        assert!(record.ends_with(&format!(" sni={HOST}")), "{record}");
        assert_eq!(running.stop().await, 0);
    }
}

#[tokio::test]
async fn sends_a_close_alert() {
    let site = Site::new();
    let running = Running::of(Service::IMAPS, &site).await;
    let mut stream = connect(&site, &running, Service::IMAPS).await.into_stream();
    stream.shutdown().await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(
        stream.closed(),
        Some(mail_implicit_tls::client::Closed::Clean)
    );
}

#[tokio::test]
async fn serves_its_application_protocol_and_clients_without_one() {
    let site = Site::new();
    for (service, own) in [
        (Service::IMAPS, b"imap".as_slice()),
        (Service::POP3S, b"pop3"),
        (Service::SUBMISSIONS, b"smtp"),
    ] {
        let running = Running::of(service, &site).await;
        for (offer, accepted) in [
            (vec![], Some(None)),
            (vec![own], Some(Some(own))),
            (vec![b"http/1.1".as_slice(), own], Some(Some(own))),
            (vec![b"h2".as_slice(), b"http/1.1"], None),
            (vec![b"ftp".as_slice()], None),
        ] {
            match (raw(&site, &running, HOST, &offer).await, accepted) {
                (Ok(stream), Some(expected)) => {
                    assert_eq!(stream.get_ref().1.alpn_protocol(), expected)
                }
                (Err(error), None) => assert!(
                    error.to_string().contains("NoApplicationProtocol"),
                    "{error}"
                ),
                (result, _) => panic!("{service}, {offer:?}: {:?}", result.err()),
            }
        }
    }
}

/// Makes a session over a stream in memory. Returns it with the client's side.
async fn session(
    acceptor: &Acceptor,
    site: &Site,
    upgrade: &[u8],
) -> (
    Session<DuplexStream>,
    tokio_rustls::client::TlsStream<DuplexStream>,
) {
    let (near, mut far) = tokio::io::duplex(65_536);
    let peer = SocketAddr::from(([192, 0, 2, 1], 40_000));
    let config = ClientConfig::builder_with_provider(site.provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(site.roots())
        .with_no_client_auth();
    let connect = async {
        if !upgrade.is_empty() {
            far.write_all(upgrade).await.unwrap();
            // The greeting and the reply to the upgrade, of one line each.
            let mut lines = 0;
            while lines < 2 {
                lines += usize::from(far.read_u8().await.unwrap() == b'\n');
            }
        }
        let name = ServerName::try_from(HOST).unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, far)
            .await
            .unwrap()
    };
    let (session, client) = tokio::join!(acceptor.accept(near, peer), connect);
    (session.unwrap(), client)
}

/// ALPACA: also in the first line after `STARTTLS`.
#[tokio::test]
async fn ends_a_session_that_speaks_http() {
    let site = Site::new();
    for (service, upgrade) in
        IMPLICIT
            .into_iter()
            .map(|service| (service, ""))
            .chain(
                UPGRADED
                    .into_iter()
                    .zip(["a STARTTLS\r\n", "STLS\r\n", "STARTTLS\r\n"]),
            )
    {
        let acceptor = acceptor(service, &site);
        for request in [
            "GET / HTTP/1.1\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\n\r\na NOOP\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ] {
            for pieces in [1, 3, 100] {
                let (session, mut client) = session(&acceptor, &site, upgrade.as_bytes()).await;
                let mut stream = session.into_stream();
                for piece in request.as_bytes().chunks(pieces) {
                    client.write_all(piece).await.unwrap();
                    client.flush().await.unwrap();
                }
                let mut read = Vec::new();
                let error =
                    tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut read))
                        .await
                        .unwrap()
                        .unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                assert_eq!(error.to_string(), "the client sent an HTTP request");
                // No line of it reached the application.
                assert!(
                    request.as_bytes().starts_with(&read) && read.len() < 12,
                    "{read:?}"
                );
            }
        }
        // Mail commands are no requests, and later lines are not examined: a message may have any.
        for line in [
            "a GET\r\n",
            "GETA x\r\n",
            "PRI\r\nGET / HTTP/1.1\r\n",
            "a NOOP longer than the part that is examined\r\nGET / HTTP/1.1\r\n",
        ] {
            let (session, mut client) = session(&acceptor, &site, upgrade.as_bytes()).await;
            let mut stream = session.into_stream();
            client.write_all(line.as_bytes()).await.unwrap();
            client.shutdown().await.unwrap();
            let mut read = String::new();
            stream.read_to_string(&mut read).await.unwrap();
            assert_eq!(read, line);
        }
    }
    let running = Running::of(Service::SUBMISSION_STARTTLS, &site).await;
    let mut tcp = TcpStream::connect(running.address).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let mut all = String::new();
    tcp.read_to_string(&mut all).await.unwrap();
    assert_eq!(all, "220 mail.example ESMTP\r\n");
    assert_eq!(
        running.refused.lock().unwrap().as_slice(),
        [CloseReason::Http.to_string()]
    );
}

#[tokio::test]
async fn advertises_no_starttls_without_certificate() {
    let site = Site::new();
    let certificates = Arc::new(Certificates::new(UnknownName::FirstCertificate));
    let acceptor =
        Acceptor::new(Service::SUBMISSION_STARTTLS, certificates, site.provider()).unwrap();
    let running = Running::start(acceptor, AcceptLoop::new()).await;
    let mut tcp = TcpStream::connect(running.address).await.unwrap();
    tcp.write_all(b"EHLO a\r\nSTARTTLS\r\nQUIT\r\n")
        .await
        .unwrap();
    let mut all = String::new();
    tcp.read_to_string(&mut all).await.unwrap();
    assert_eq!(
        all,
        "220 localhost ESMTP\r\n250-localhost\r\n250 ENHANCEDSTATUSCODES\r\n454 4.7.0 TLS is not available\r\n\
         221 2.0.0 closing\r\n"
    );
    // Once there is one, it works.
    running
        .certificates
        .replace(set(&site, &[site.server()]).unwrap());
    connect(&site, &running, Service::SUBMISSION_STARTTLS).await;
}

#[tokio::test]
async fn closes_on_octets_after_starttls() {
    let site = Site::new();
    let running = Running::of(Service::SUBMISSION_STARTTLS, &site).await;
    let mut tcp = TcpStream::connect(running.address).await.unwrap();
    tcp.write_all(b"EHLO a\r\nSTARTTLS\r\nRSET\r\n")
        .await
        .unwrap();
    let mut all = String::new();
    tcp.read_to_string(&mut all).await.unwrap();
    assert!(
        !all.contains("220 2.0.0") && !all.contains("250 2.0.0 OK"),
        "{all}"
    );
    assert_eq!(
        running.refused.lock().unwrap().as_slice(),
        [CloseReason::Injected.to_string()]
    );
}

struct ByName;

impl MapCertificate for ByName {
    fn identity(&self, chain: &[CertificateDer<'_>]) -> Option<String> {
        let octets = chain.first()?;
        let has = |name: &[u8]| octets.windows(name.len()).any(|window| window == name);
        has(b"alice").then(|| "alice".to_owned())
    }
}

#[tokio::test]
async fn maps_certificates_of_clients_and_lets_the_others_in_without() {
    let site = Site::new();
    let stranger = Site::new();
    let roots = Arc::new(site.roots());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, site.provider())
        .build()
        .unwrap();
    let acceptor = acceptor(Service::IMAPS, &site)
        .with_client_certificates(verifier, Arc::new(ByName))
        .unwrap();
    let running = Running::start(acceptor, AcceptLoop::new()).await;
    for (certificate, expected) in [
        (None, ""),
        (Some(site.client("alice")), "alice"),
        (Some(site.client("mallory")), ""),
        (Some(stranger.client("alice")), ""),
    ] {
        let server = running.server(Service::IMAPS);
        let account = account_of("alice", &server);
        let connector = match certificate {
            Some(key) => site.connector().with_client_certificate(
                account.id().clone(),
                server.host.clone(),
                key,
            ),
            None => site.connector(),
        };
        let connection = connect_by(&connector, &running, Service::IMAPS).await;
        let greeting = format!("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] {expected}");
        assert_eq!(connection.greeting().lines, [greeting]);
    }
}

/// A client's certificates, with the number of requests for one.
#[derive(Debug)]
struct Counting(AtomicUsize);

impl ResolvesClientCert for Counting {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Section 9.1.1: "Servers MUST NOT request a client certificate during the TLS handshake unless the server is
/// configured to accept some client certificates as sufficient". rustls asks the client's resolver if, and only if, a
/// `CertificateRequest` was received.
#[tokio::test]
async fn requests_certificates_only_if_some_are_sufficient_to_log_in() {
    let site = Site::new();
    for service in IMPLICIT.into_iter().chain([Service::IMAP_STARTTLS]) {
        for maps in [false, true] {
            let mut acceptor = acceptor(service, &site);
            if maps {
                let roots = Arc::new(site.roots());
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, site.provider());
                acceptor = acceptor
                    .with_client_certificates(verifier.build().unwrap(), Arc::new(ByName))
                    .unwrap();
            }
            let running = Running::start(acceptor, AcceptLoop::new()).await;
            for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
                let requests = Arc::new(Counting(AtomicUsize::new(0)));
                let config = ClientConfig::builder_with_provider(site.provider())
                    .with_protocol_versions(&[version])
                    .unwrap()
                    .with_root_certificates(site.roots())
                    .with_client_cert_resolver(requests.clone());
                let mut tcp = TcpStream::connect(running.address).await.unwrap();
                if service.security == Security::StartTls {
                    tcp.write_all(b"a STARTTLS\r\n").await.unwrap();
                    let mut last = [0; 1];
                    for end in [b'\n'; 2] {
                        while last[0] != end {
                            tcp.read_exact(&mut last).await.unwrap();
                        }
                        last = [0];
                    }
                }
                let name = ServerName::try_from(HOST).unwrap();
                let stream = TlsConnector::from(Arc::new(config))
                    .connect(name, tcp)
                    .await
                    .unwrap();
                assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
                let requested = requests.0.load(Ordering::Relaxed);
                assert_eq!(requested, usize::from(maps), "{service}, {version:?}");
            }
        }
    }
}

#[tokio::test]
async fn replaces_certificates_without_dropping_connections() {
    let site = Site::new();
    let running = Running::of(Service::IMAPS, &site).await;
    let mut old = connect(&site, &running, Service::IMAPS).await.into_stream();
    let other = site.issue(&["other.example.org"]);
    running.certificates.replace(set(&site, &[&other]).unwrap());
    old.write_all(b"PING\r\n").await.unwrap();
    old.flush().await.unwrap();
    let mut pong = [0; 6];
    old.read_exact(&mut pong).await.unwrap();
    let new = raw(&site, &running, "other.example.org", &[])
        .await
        .unwrap();
    assert_eq!(
        new.get_ref().1.peer_certificates().unwrap()[0],
        other.certificate()
    );
    assert!(raw(&site, &running, HOST, &[]).await.is_err());
}

#[tokio::test]
async fn chooses_certificates_by_name() {
    let site = Site::new();
    let [first, wildcard] = [
        site.issue(&["a.example.org"]),
        site.issue(&["*.b.example.org"]),
    ];
    for unknown in [UnknownName::FirstCertificate, UnknownName::Refuse] {
        let certificates = Arc::new(Certificates::new(unknown));
        certificates.replace(set(&site, &[&first, &wildcard]).unwrap());
        let acceptor = Acceptor::new(Service::IMAPS, certificates, site.provider()).unwrap();
        let running = Running::start(acceptor, AcceptLoop::new()).await;
        for (name, expected) in [
            ("a.example.org", &first),
            ("x.b.example.org", &wildcard),
            ("A.Example.ORG", &first),
        ] {
            let stream = raw(&site, &running, name, &[]).await.unwrap();
            assert_eq!(
                stream.get_ref().1.peer_certificates().unwrap()[0],
                expected.certificate()
            );
        }
        let error = raw(&site, &running, "c.example.org", &[])
            .await
            .unwrap_err()
            .to_string();
        match unknown {
            UnknownName::FirstCertificate => {
                assert!(error.contains("not valid for name"), "{error}")
            }
            UnknownName::Refuse => assert!(error.contains("alert"), "{error}"),
        }
    }
}

#[tokio::test]
async fn keeps_certificates_that_cannot_be_replaced() {
    let site = Site::new();
    let other = site.issue(&[HOST]);
    let check =
        |chains| CertificateSet::check(chains, &site.provider(), UnixTime::now()).map(|_| ());
    let good = site.server();
    for (chains, error) in [
        (vec![], CertificateError::Empty),
        (vec![(vec![], good.private_key())], CertificateError::Empty),
        (
            vec![(vec![good.certificate()], other.private_key())],
            CertificateError::OtherKey,
        ),
        (
            vec![(
                vec![CertificateDer::from(vec![0x30, 0x03, 1, 2])],
                good.private_key(),
            )],
            CertificateError::Malformed,
        ),
        (
            vec![(vec![site.expired().certificate()], good.private_key())],
            CertificateError::Dates,
        ),
        (
            vec![(vec![site.root(), good.certificate()], good.private_key())],
            CertificateError::Order,
        ),
        (
            vec![(
                vec![good.certificate(), other.certificate()],
                good.private_key(),
            )],
            CertificateError::Chain,
        ),
    ] {
        assert_eq!(check(chains), Err(error));
    }
    assert_eq!(
        check(vec![(
            vec![good.certificate(), site.root()],
            good.private_key()
        )]),
        Ok(())
    );
    let set = set(&site, &[good]).unwrap();
    let in_force = set.not_after();
    let certificates = Certificates::new(UnknownName::FirstCertificate);
    assert!(certificates.is_empty() && certificates.not_after().is_none());
    certificates.replace(set);
    assert_eq!(certificates.not_after(), Some(in_force));
}

#[tokio::test]
async fn closes_clients_that_are_silent_or_slow() {
    let site = Site::new();
    for service in [Service::IMAPS, Service::IMAP_STARTTLS] {
        let acceptor = acceptor(service, &site).with_handshake_timeout(Duration::from_millis(200));
        let running = Running::start(acceptor, AcceptLoop::new()).await;
        let mut silent = TcpStream::connect(running.address).await.unwrap();
        let mut slow = TcpStream::connect(running.address).await.unwrap();
        slow.write_all(
            &[22, 3, 1][..if service.security == Security::Implicit {
                3
            } else {
                0
            }],
        )
        .await
        .unwrap();
        let _ = silent.read_to_end(&mut Vec::new()).await;
        let _ = slow.read_to_end(&mut Vec::new()).await;
        let expected = vec![AcceptError::Timeout.to_string(); 2];
        assert_eq!(running.refused.lock().unwrap().as_slice(), expected);
    }
}

#[tokio::test]
async fn serves_others_beside_silent_connections() {
    let site = Site::new();
    let accept_loop = AcceptLoop::new()
        .max_connections(8)
        .max_connections_per_address(8);
    let running = Running::start(acceptor(Service::IMAPS, &site), accept_loop).await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(running.address).await.unwrap());
    }
    let connection = connect(&site, &running, Service::IMAPS).await;
    assert_eq!(connection.indication().level(), Some(PrivacyLevel::High));
}

#[tokio::test]
async fn never_accepts_early_data_and_resumes() {
    let site = Site::new();
    let running = Running::of(Service::IMAPS, &site).await;
    let connector = site.connector();
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let connection = connect_by(&connector, &running, Service::IMAPS).await;
        let mut stream = connection.into_stream();
        let tls = stream.tls_connection().unwrap();
        assert!(!tls.is_early_data_accepted());
        kinds.push(tls.handshake_kind());
        stream.shutdown().await.unwrap();
    }
    assert_eq!(kinds[1], Some(HandshakeKind::Resumed));
    let records = running.records.lock().unwrap().clone();
    let resumed: Vec<_> = records.iter().map(|it| it.ends_with(" resumed")).collect();
    assert_eq!(resumed, [false, true]);
}

#[test]
fn refuses_a_service_in_clear_text() {
    let site = Site::new();
    for service in [
        Service::IMAP_CLEAR,
        Service::POP3_CLEAR,
        Service::SUBMISSION_CLEAR,
    ] {
        let certificates = Arc::new(Certificates::new(UnknownName::FirstCertificate));
        let refused = Acceptor::new(service, certificates, site.provider());
        assert!(matches!(refused, Err(AcceptorError::ClearText)));
    }
}

/// RFC 9325 section 3.8, also after `STARTTLS`; the record tells who offered the protocol.
#[tokio::test]
async fn refuses_other_application_protocols_after_an_upgrade() {
    let site = Site::new();
    let acceptor = acceptor(Service::IMAP_STARTTLS, &site);
    let peer = SocketAddr::from(([192, 0, 2, 1], 40_000));
    for (offer, accepted) in [
        (vec![], Some(false)),
        (vec![b"imap".as_slice()], Some(true)),
        (vec![b"h2".as_slice(), b"http/1.1"], None),
    ] {
        let (near, mut far) = tokio::io::duplex(65_536);
        let mut config = ClientConfig::builder_with_provider(site.provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(site.roots())
            .with_no_client_auth();
        config.alpn_protocols = offer.iter().map(|id| id.to_vec()).collect();
        let connect = async {
            far.write_all(b"a STARTTLS\r\n").await.unwrap();
            let mut lines = 0;
            while lines < 2 {
                lines += usize::from(far.read_u8().await.unwrap() == b'\n');
            }
            let name = ServerName::try_from(HOST).unwrap();
            let connector = TlsConnector::from(Arc::new(config));
            connector.connect(name, far).await
        };
        let (session, client) = tokio::join!(acceptor.accept(near, peer), connect);
        match accepted {
            Some(alpn) => {
                let protocol = client
                    .unwrap()
                    .get_ref()
                    .1
                    .alpn_protocol()
                    .map(<[u8]>::to_vec);
                assert_eq!(protocol, alpn.then(|| b"imap".to_vec()));
                assert_eq!(session.unwrap().record().alpn, alpn);
            }
            None => {
                assert!(matches!(session, Err(AcceptError::Tls(_))));
                let error = client.err().unwrap().to_string();
                assert_eq!(error, "received fatal alert: NoApplicationProtocol");
            }
        }
    }
}

/// RUSTSEC-2024-0336. An alert before the keys is unauthenticated: as a warning it does not end the handshake.
#[tokio::test]
async fn ends_a_handshake_in_which_the_client_closes_tls() {
    let site = Site::new();
    for (service, upgrade) in [
        (Service::IMAPS, b"".as_slice()),
        (Service::SUBMISSION_STARTTLS, b"STARTTLS\r\n"),
    ] {
        let acceptor = acceptor(service, &site).with_handshake_timeout(Duration::from_millis(500));
        let running = Running::start(acceptor, AcceptLoop::new()).await;
        for (level, expected) in [
            (1, "the TLS handshake was not complete in time"),
            (2, "TLS handshake failed: received fatal alert: CloseNotify"),
        ] {
            let mut tcp = TcpStream::connect(running.address).await.unwrap();
            if !upgrade.is_empty() {
                tcp.write_all(upgrade).await.unwrap();
                const REPLIES: &[u8] = b"220 mail.example ESMTP\r\n220 2.0.0 begin TLS\r\n";
                let mut replies = [0; REPLIES.len()];
                tcp.read_exact(&mut replies).await.unwrap();
                assert_eq!(replies, REPLIES);
            }
            tcp.write_all(&[21, 3, 3, 0, 2, level, 0]).await.unwrap();
            let _ = tcp.read_to_end(&mut Vec::new()).await;
            // Others are served meanwhile and after.
            connect(&site, &running, service).await;
            let refused = std::mem::take(&mut *running.refused.lock().unwrap());
            assert_eq!(refused, [expected]);
        }
    }
}

/// Section 6: the field of a submission server, from what it knows of the connection.
#[tokio::test]
async fn writes_a_received_field_from_the_record_of_a_connection() {
    let site = Site::new();
    let by = DomainName::parse("mail.example").unwrap();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let acceptor = acceptor(Service::SUBMISSIONS, &site);
        let (near, far) = tokio::io::duplex(65_536);
        let peer = SocketAddr::from(([192, 0, 2, 1], 40_000));
        let config = ClientConfig::builder_with_provider(site.provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(site.roots())
            .with_no_client_auth();
        let name = ServerName::try_from(HOST).unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let connect = connector.connect(name, far);
        let (session, client) = tokio::join!(acceptor.accept(near, peer), connect);
        let mut client = client.unwrap();
        client.write_all(b"EHLO client.example\r\n").await.unwrap();
        client.flush().await.unwrap();
        let session = session.unwrap();
        let record = session.record().clone();
        let mut stream = session.into_stream();
        let mut command = [0; 21];
        stream.read_exact(&mut command).await.unwrap();
        let ehlo = std::str::from_utf8(&command[5..19]).unwrap();

        let (suite, group) = record.tls_clause().unwrap();
        let transmission = Transmission {
            tls: true,
            authenticated: true,
            ..Transmission::ESMTP
        };
        let sender = Client::greeting(ehlo, record.peer.ip());
        let field = Stamp::try_new(sender, &by, 1_404_208_800)
            .unwrap()
            .with(transmission)
            .tls(&suite, group.as_ref())
            .to_string();
        // What the client negotiated.
        let (_, tls) = client.get_ref();
        let suite = u16::from(tls.negotiated_cipher_suite().unwrap().suite());
        let group = u16::from(tls.negotiated_key_exchange_group().unwrap().name());
        let (suite, group) = (
            CipherSuite::from_number(suite),
            Group::from_number(group).unwrap(),
        );
        assert_eq!(
            field,
            format!(
                "Received: from client.example ([192.0.2.1])\r\n\tby mail.example with ESMTPSA\r\n\t\
                 tls {suite} group {group};\r\n\tTue, 1 Jul 2014 10:00:00 +0000\r\n"
            )
        );
        let read = Received::parse(field.strip_prefix("Received:").unwrap()).unwrap();
        assert_eq!(read.tls(), Ok(Some(suite)));
        assert_eq!(read.group(), Ok(Some(group)));
    }
}

#[test]
fn prints_the_number_of_a_group_without_a_registered_name() {
    let record = mail_implicit_tls::server::ConnectionRecord {
        service: Service::IMAPS,
        peer: (Ipv4Addr::LOCALHOST, 1).into(),
        version: None,
        cipher_suite: None,
        group: Some(0xff0e),
        server_name: None,
        alpn: false,
        resumed: false,
        client: None,
    };
    assert_eq!(
        record.to_string(),
        "service=imaps peer=127.0.0.1:1 group=0xff0e"
    );
    assert_eq!(record.tls_clause(), None);
}
