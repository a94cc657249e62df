//! Clients over real TLS on loopback, against servers that follow a script.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod play;

use std::{
    io::ErrorKind as IoErrorKind,
    sync::{Arc, Mutex},
    time::Duration,
};

use deep_latch::{
    Facilities, Host, ImapClient, LatchRecord, LatchSession, PopClient, SecurityTag, SmtpClient,
    client::{Client, ClientError, ClientOptions, Demand, Protocol, TlsStart},
    connection::{LatchConnector, MailStream, Pause, Rewound, RunError},
    facts::{CertificateUsage, ChainVerdict, DaneVerdict, IdentityVerdict, Login},
    failure::{Action, CertificateFault, Stage}, status::StatusUrl,
    store::{Account, LatchStore, LatchStoreError, LatchStoreErrorKind, MemoryLatchStore, StoreFuture},
    verifier::{OnCertificateFailure, ServerJudge, ServerVerdicts},
};
use play::HOST;
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::{
    HandshakeKind, RootCertStore, ServerConfig,
    client::WebPkiServerVerifier,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime},
};
use tokio::{
    io::{
        AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, BufStream,
    },
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// A certificate authority that the client trusts, and a server's certificate of it.
struct World {
    roots: Arc<RootCertStore>,
    acceptor: TlsAcceptor,
}

impl World {
    /// The certificate is of this name; the client trusts its issuer, or another.
    fn of(name: &str, trusted: bool) -> Self {
        let authority = |of: &str| {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            let common_name = rcgen::DnType::CommonName;
            params.distinguished_name.push(common_name, of);
            let certificate = params.self_signed(&key).unwrap().der().clone();
            (Issuer::new(params, key), certificate)
        };
        let (issuer, own) = authority("own");
        let (_, other) = authority("other");
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = certificate.signed_by(&key, &issuer).unwrap().der().clone();
        let mut roots = RootCertStore::empty();
        roots.add(if trusted { own } else { other }).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        Self {
            roots: Arc::new(roots),
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }

    fn good() -> Self {
        Self::of(HOST, true)
    }

    fn connector(&self) -> LatchConnector {
        let provider = Arc::new(ring::default_provider());
        let pkix =
            WebPkiServerVerifier::builder_with_provider(self.roots.clone(), provider.clone());
        LatchConnector::new(provider, pkix.build().unwrap())
    }
}

/// A line that the server waits for, and what it says then. The first is said at once.
type Dialogue = &'static [(&'static str, &'static str)];

/// What a client of a server said, and whether it took leave of TLS.
#[derive(Debug, PartialEq, Eq)]
struct Heard {
    lines: Vec<String>,
    end: Result<(), IoErrorKind>,
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    dialogue: Dialogue,
    lines: &mut Vec<String>,
) {
    for (expected, answer) in dialogue {
        if !expected.is_empty() {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            assert!(line.starts_with(expected), "{line}");
            lines.push(line.trim_end().to_owned());
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }
}

/// Serves one connection: in clear, and then over TLS.
async fn serve(
    acceptor: Option<TlsAcceptor>,
    clear: Dialogue,
    tls: Dialogue,
) -> (TcpStream, JoinHandle<Option<Heard>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap());
    let tcp = tcp.await.unwrap();
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut lines = Vec::new();
        let mut stream = BufReader::new(stream);
        converse(&mut stream, clear, &mut lines).await;
        let Some(acceptor) = acceptor else {
            return Some(Heard { lines, end: Ok(()) });
        };
        let stream = acceptor.accept(stream.into_inner()).await.ok()?;
        let mut stream = BufReader::new(stream);
        converse(&mut stream, tls, &mut lines).await;
        let mut rest = String::new();
        let end = stream.read_to_string(&mut rest).await;
        lines.extend(rest.lines().map(str::to_owned));
        let end = end.map(drop).map_err(|error| error.kind());
        Some(Heard { lines, end })
    });
    (tcp, served)
}

fn account() -> Account {
    Account::try_new("alice").unwrap()
}

fn host() -> Host {
    Host::try_new(HOST).unwrap()
}

async fn session(store: &dyn LatchStore) -> LatchSession {
    let record = store.load(&account(), &host()).await.unwrap();
    LatchSession::try_new(record, Facilities::new()).unwrap()
}

fn options(tls: TlsStart) -> ClientOptions {
    ClientOptions {
        tls,
        ..ClientOptions::default()
    }
}

/// A store in which these tags are latched.
async fn latched(tags: &[&'static str]) -> MemoryLatchStore {
    let store = MemoryLatchStore::default();
    let tags = tags.iter().map(|tag| SecurityTag::parse(tag).unwrap());
    let record = LatchRecord::preset(host(), tags);
    store.merge(&account(), &record).await.unwrap();
    store
}

async fn kept(store: &dyn LatchStore) -> (Vec<String>, Option<String>) {
    let record = store.load(&account(), &host()).await.unwrap();
    let latched = record.latched().map(|tag| tag.as_str().to_owned());
    let status = record.status().map(|status| status.as_str().to_owned());
    (latched.collect(), status)
}

/// The record as a store may keep it: the latches, and nothing of the status.
fn strings(tags: &[&str]) -> Vec<String> {
    tags.iter().map(|tag| (*tag).to_owned()).collect()
}

type Stream = Rewound<MailStream<TcpStream>>;

async fn connect<P: Protocol>(
    world: &World,
    client: &mut Client<P>,
    tcp: TcpStream,
    store: &dyn LatchStore,
) -> Result<(Pause, Stream), RunError> {
    let connector = world.connector();
    connector.connect(client, tcp, store, &account()).await
}

const IMAP: Dialogue = &[
    ("", "* OK [CAPABILITY IMAP4rev1 DEEP ID] hi\r\n"),
    (
        "deep1 ID (",
        "* ID (\"deep\" \"tls12 tls-cert <https://a.example/>\")\r\ndeep1 OK\r\n* 3 EXISTS\r\n",
    ),
    ("a LOGIN alice", "a OK\r\n"),
];

#[tokio::test]
async fn imap_latches_logs_in_and_latches_what_is_advertised_after_login_alone() {
    const AFTER: Dialogue = &[
        ("", "* OK [CAPABILITY IMAP4rev1 ID] hi\r\n* 3 EXISTS\r\n"),
        ("a LOGIN alice", "a OK\r\n"),
        (
            "deep1 CAPABILITY",
            "* 4 EXISTS\r\n* CAPABILITY IMAP4rev1 DEEP ID\r\ndeep1 OK\r\n",
        ),
        (
            "deep2 ID (",
            "* ID (\"deep\" \"tls10\")\r\n* 5 EXISTS\r\ndeep2 OK\r\n* OK [ALERT] hi ",
        ),
        ("b NOOP", "there\r\n"),
    ];
    for (dialogue, before, after) in [
        (IMAP, &["tls-cert", "tls12"][..], &["tls-cert", "tls12"][..]),
        (AFTER, &[], &["tls10"]),
    ] {
        let world = World::good();
        let store = MemoryLatchStore::default();
        let mut client = ImapClient::new(session(&store).await, options(TlsStart::Implicit));
        let (tcp, served) = serve(Some(world.acceptor.clone()), &[], dialogue).await;
        let connector = world.connector();
        let account = account();
        let connected = connector.connect(&mut client, tcp, &store, &account);
        let (pause, mut stream) = connected.await.unwrap();
        assert_eq!(pause, Pause::LogIn);
        assert_eq!(kept(&store).await.0, before);
        stream.write_all(b"a LOGIN alice x\r\n").await.unwrap();
        stream.flush().await.unwrap();
        // What the server said too early is not lost.
        for expected in ["* 3 EXISTS\r\n", "a OK\r\n"] {
            let mut line = vec![0; expected.len()];
            stream.read_exact(&mut line).await.unwrap();
            assert_eq!(str::from_utf8(&line), Ok(expected));
        }
        let logged_in =
            connector.logged_in(&mut client, Login::Done, &mut stream, &store, &account);
        logged_in.await.unwrap();
        assert_eq!(kept(&store).await.0, after);
        if dialogue.len() > 3 {
            // Nor is what it says in between, and a line that is cut.
            stream.write_all(b"b NOOP\r\n").await.unwrap();
            stream.flush().await.unwrap();
            let expected = "* 4 EXISTS\r\n* 5 EXISTS\r\n* OK [ALERT] hi there\r\n";
            let mut lines = vec![0; expected.len()];
            stream.read_exact(&mut lines).await.unwrap();
            assert_eq!(str::from_utf8(&lines), Ok(expected));
        }
        stream.shutdown().await.unwrap();
        let heard = served.await.unwrap().unwrap();
        assert_eq!(heard.end, Ok(()));
        assert_eq!(heard.lines.len(), dialogue.len() - 1);
    }
}

#[tokio::test]
async fn a_stream_is_rewound_behind_what_was_not_read_of_it() {
    let mut stream = Rewound::new(b"cd".to_vec(), &b"ef"[..]);
    let mut octets = [0; 1];
    stream.read_exact(&mut octets).await.unwrap();
    stream.rewind(b"ab".to_vec());
    stream.rewind(Vec::new());
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!((octets, &*text), (*b"c", "abdef"));
}

const POP_CLEAR: Dialogue = &[
    ("", "+OK hi\r\n"),
    ("CAPA", "+OK\r\nSTLS\r\n.\r\n"),
    ("STLS", "+OK\r\n"),
];

#[tokio::test]
async fn pop_latches_over_stls() {
    let world = World::good();
    let store = MemoryLatchStore::default();
    let mut client = PopClient::new(session(&store).await, options(TlsStart::StartTls));
    let tls = &[("CAPA", "+OK\r\nDEEP tls12\r\n.\r\n")];
    let (tcp, _) = serve(Some(world.acceptor.clone()), POP_CLEAR, tls).await;
    let (pause, _) = connect(&world, &mut client, tcp, &store).await.unwrap();
    assert_eq!(pause, Pause::LogIn);
    assert_eq!(kept(&store).await.0, ["tls12"]);
}

#[tokio::test]
async fn smtp_latches_over_starttls_and_tells() {
    let world = World::good();
    let store = MemoryLatchStore::default();
    let session = session(&store).await;
    let mut client =
        SmtpClient::try_new(session, options(TlsStart::StartTls), "[127.0.0.1]").unwrap();
    let clear = &[
        ("", "220 hi\r\n"),
        (
            "EHLO [127.0.0.1]",
            "250-a\r\n250-DEEP tls12\r\n250 STARTTLS\r\n",
        ),
        ("STARTTLS", "220 go\r\n"),
    ];
    let tls = &[
        ("EHLO", "250-a\r\n250 DEEP tls12\r\n"),
        (
            "CLIENT latch=tls12 security-tags=tls10,tls-cert",
            "250 OK\r\n",
        ),
    ];
    let (tcp, _) = serve(Some(world.acceptor.clone()), clear, tls).await;
    let (pause, _) = connect(&world, &mut client, tcp, &store).await.unwrap();
    assert_eq!(pause, Pause::LogIn);
    assert_eq!(kept(&store).await.0, ["tls12"]);
}

/// Connects an account with a connector over POP, and returns the kind of the handshake.
async fn handshake_kind(
    world: &World,
    connector: &LatchConnector,
    account: &str,
    store: &dyn LatchStore,
) -> Option<HandshakeKind> {
    let account = Account::try_new(account).unwrap();
    let record = store.load(&account, &host()).await.unwrap();
    let session = LatchSession::try_new(record, Facilities::new()).unwrap();
    let mut client = PopClient::new(session, options(TlsStart::Implicit));
    let tls = &[("", "+OK hi\r\n"), ("CAPA", "+OK\r\nDEEP tls12\r\n.\r\n")];
    let (tcp, _) = serve(Some(world.acceptor.clone()), &[], tls).await;
    let (_, stream) = connector
        .connect(&mut client, tcp, store, &account)
        .await
        .unwrap();
    match stream.get_ref() {
        MailStream::Tls(stream) => stream.get_ref().1.handshake_kind(),
        MailStream::Clear(_) => None,
    }
}

#[tokio::test]
async fn resumes_sessions_of_the_same_account_and_latches() {
    let world = World::good();
    let (connector, store) = (world.connector(), MemoryLatchStore::default());
    let kind = async |account| handshake_kind(&world, &connector, account, &store).await;
    let (full, resumed) = (Some(HandshakeKind::Full), Some(HandshakeKind::Resumed));
    assert_eq!(kind("alice").await, full);
    // tls12 was latched, so the configuration is another.
    assert_eq!(kind("alice").await, full);
    assert_eq!(kind("alice").await, resumed);
    assert_eq!(kind("bob").await, full);
    assert_eq!(kind("alice").await, resumed);
    let lax = connector.clone();
    let lax = lax.on_certificate_failure(OnCertificateFailure::GoOn);
    assert_eq!(handshake_kind(&world, &lax, "alice", &store).await, full);
}

/// Judges all servers alike.
#[derive(Debug)]
struct Judge(ServerVerdicts);

impl ServerJudge for Judge {
    fn judge(
        &self,
        _: &Host,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> ServerVerdicts {
        self.0
    }
}

#[tokio::test]
async fn takes_the_facts_from_a_judge() {
    let world = World::good();
    let latches = async |verdicts, tag| {
        let store = MemoryLatchStore::default();
        let connector = world.connector().judge(Arc::new(Judge(verdicts)));
        let mut client = PopClient::new(session(&store).await, options(TlsStart::Implicit));
        let tls = &[
            ("", "+OK hi\r\n"),
            ("CAPA", "+OK\r\nDEEP tls-cert tls-dane-tlsa\r\n.\r\n"),
        ];
        let (tcp, _) = serve(Some(world.acceptor.clone()), &[], tls).await;
        let account = account();
        let connected = connector.connect(&mut client, tcp, &store, &account);
        assert!(connected.await.is_ok());
        assert_eq!(kept(&store).await.0, strings(tag));
    };
    let named = ServerVerdicts {
        chain: ChainVerdict::Trusted,
        identity: IdentityVerdict::Matches,
        dane: DaneVerdict::NotChecked,
    };
    latches(named, &["tls-cert"]).await;
    let usage = CertificateUsage::DaneTa;
    let dane = DaneVerdict::Matches(usage);
    let both = ServerVerdicts { dane, ..named };
    latches(both, &["tls-cert", "tls-dane-tlsa"]).await;
    let private = ServerVerdicts {
        chain: ChainVerdict::Refused,
        ..both
    };
    latches(private, &["tls-dane-tlsa"]).await;
    latches(ServerVerdicts::default(), &[]).await;
}

#[tokio::test]
async fn a_certificate_that_is_not_verified_is_reported_and_the_connection_closed() {
    for world in [World::of(HOST, false), World::of("other.example.com", true)] {
        let store = latched(&["tls-cert"]).await;
        let mut client = ImapClient::new(session(&store).await, options(TlsStart::Implicit));
        let (tcp, served) = serve(Some(world.acceptor.clone()), &[], &IMAP[..2]).await;
        match connect(&world, &mut client, tcp, &store).await {
            Err(RunError::Refused { failure, handshake }) => {
                assert_eq!(failure.tags(), [SecurityTag::TLS_CERT]);
                assert_eq!(failure.stage(), Stage::Handshake);
                assert!(handshake.is_none());
            }
            other => panic!("{other:?}"),
        }
        let heard = served.await.unwrap().unwrap();
        let lines = strings(&["deep1 ID (\"latch-fail\" \"tls-cert\")", "deep2 LOGOUT"]);
        // With the alert that closes TLS.
        assert_eq!(heard, Heard { lines, end: Ok(()) });
        assert_eq!(kept(&store).await.0, ["tls-cert"]);
    }
}

#[tokio::test]
async fn without_a_latch_the_caller_says_whether_the_certificate_must_be_verified() {
    let world = World::of(HOST, false);
    let store = MemoryLatchStore::default();
    let mut client = ImapClient::new(session(&store).await, options(TlsStart::Implicit));
    let (tcp, _) = serve(Some(world.acceptor.clone()), &[], &IMAP[..2]).await;
    match connect(&world, &mut client, tcp, &store).await {
        Err(RunError::Certificate { failure, handshake }) => {
            assert_eq!(failure.fault(), CertificateFault::Chain);
            let error = handshake.unwrap();
            assert!(error.to_string().contains("UnknownIssuer"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(client.demand(), Ok(Demand::RefusedCertificate(_))));

    let connector = world.connector();
    let connector = connector.on_certificate_failure(OnCertificateFailure::GoOn);
    let mut client = ImapClient::new(session(&store).await, options(TlsStart::Implicit));
    let (tcp, _) = serve(Some(world.acceptor.clone()), &[], &IMAP[..2]).await;
    let account = account();
    let connected = connector.connect(&mut client, tcp, &store, &account);
    let (pause, _) = connected.await.unwrap();
    assert_eq!(pause, Pause::LogIn);
    // Only what may latch without authentication, and no status.
    assert_eq!(kept(&store).await, (strings(&["tls12"]), None));
}

#[tokio::test]
async fn tlsa_records_are_the_callers_to_look_at() {
    let world = World::of(HOST, false);
    let store = latched(&["tls-dane-tlsa"]).await;
    let seen = Arc::new(Mutex::new(0));
    for (verdict, good) in [
        (DaneVerdict::Matches(CertificateUsage::DaneEe), true),
        (DaneVerdict::Differs, false),
    ] {
        let counted = seen.clone();
        let connector =
            world
                .connector()
                .dane(Arc::new(move |certificates: &[CertificateDer<'_>]| {
                    *counted.lock().unwrap() += certificates.len();
                    verdict
                }));
        let mut client = PopClient::new(session(&store).await, options(TlsStart::Implicit));
        let tls = &[("", "+OK hi\r\n"), ("CAPA", "+OK\r\n.\r\n")];
        let (tcp, _) = serve(Some(world.acceptor.clone()), &[], tls).await;
        let connected = connector
            .connect(&mut client, tcp, &store, &account())
            .await;
        match connected {
            Ok((pause, _)) => assert_eq!((pause, good), (Pause::LogIn, true)),
            Err(RunError::Refused { failure, .. }) => {
                let tags = [SecurityTag::TLS_DANE_TLSA];
                assert_eq!((failure.tags(), good), (&tags[..], false));
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(*seen.lock().unwrap(), 2);
}

#[tokio::test]
async fn a_handshake_that_fails_on_a_latched_host_offers_the_recorded_url() {
    let world = World::good();
    let store = MemoryLatchStore::default();
    let mut client = ImapClient::new(session(&store).await, options(TlsStart::Implicit));
    let (tcp, _) = serve(Some(world.acceptor.clone()), &[], &IMAP[..2]).await;
    assert!(connect(&world, &mut client, tcp, &store).await.is_ok());
    // A server that speaks something else.
    let mut client = ImapClient::new(session(&store).await, options(TlsStart::Implicit));
    let (tcp, _) = serve(None, &[("", "* OK hi\r\n"), ("\u{16}", "")], &[]).await;
    match connect(&world, &mut client, tcp, &store).await {
        Err(RunError::Refused { failure, handshake }) => {
            assert_eq!(failure.stage(), Stage::HandshakeFailed);
            assert!(!failure.may_report());
            let url = StatusUrl::parse("https://a.example/").unwrap();
            let page = Action::OpenStatusPage(url);
            assert_eq!(failure.actions().last(), Some(&page));
            assert!(handshake.is_some());
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_put_behind_the_answer_to_stls_fails() {
    let world = World::good();
    let store = MemoryLatchStore::default();
    let clear = &[
        ("", "+OK hi\r\n"),
        ("CAPA", "+OK\r\nSTLS\r\n.\r\n"),
        ("STLS", "+OK\r\n+OK\r\nDEEP x\r\n.\r\n"),
    ];
    let (tcp, _) = serve(Some(world.acceptor.clone()), clear, &[]).await;
    let mut client = PopClient::new(session(&store).await, options(TlsStart::StartTls));
    match connect(&world, &mut client, tcp, &store).await {
        Err(RunError::Client(ClientError::Injected)) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_goes_away_is_an_error() {
    let world = World::good();
    let store = MemoryLatchStore::default();
    let mut client = PopClient::new(session(&store).await, options(TlsStart::StartTls));
    let (tcp, _) = serve(None, &POP_CLEAR[..1], &[]).await;
    match connect(&world, &mut client, tcp, &store).await {
        // By a reset when what the client said was not read.
        Err(RunError::Client(ClientError::EndOfInput) | RunError::Io(_)) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn in_clear_only_when_the_caller_says_so() {
    let world = World::good();
    let store = MemoryLatchStore::default();
    let clear = &[("", "+OK hi\r\n"), ("CAPA", "+OK\r\n.\r\n")];
    for tls in [TlsStart::StartTls, TlsStart::StartTlsIfOffered] {
        let mut client = PopClient::new(session(&store).await, options(tls));
        let (tcp, _) = serve(None, clear, &[]).await;
        match (tls, connect(&world, &mut client, tcp, &store).await) {
            (TlsStart::StartTls, Err(RunError::Client(ClientError::NoTls))) => {}
            (TlsStart::StartTlsIfOffered, Ok((Pause::LogIn, stream))) => {
                assert!(matches!(stream.get_ref(), MailStream::Clear(_)));
            }
            (_, other) => panic!("{other:?}"),
        }
    }
}

/// A store that is full.
struct Full;

impl LatchStore for Full {
    fn load<'a>(
        &'a self,
        _: &'a Account,
        host: &'a Host,
    ) -> StoreFuture<'a, Result<LatchRecord, LatchStoreError>> {
        Box::pin(async { Ok(LatchRecord::new(host.clone())) })
    }

    fn merge<'a>(
        &'a self,
        _: &'a Account,
        _: &'a LatchRecord,
    ) -> StoreFuture<'a, Result<LatchRecord, LatchStoreError>> {
        Box::pin(async { Err(LatchStoreErrorKind::Unavailable.into()) })
    }

    fn delete_account<'a>(
        &'a self,
        _: &'a Account,
    ) -> StoreFuture<'a, Result<u64, LatchStoreError>> {
        Box::pin(async { Err(LatchStoreErrorKind::Unavailable.into()) })
    }

    fn list<'a>(
        &'a self,
        _: &'a Account,
        _: Option<&'a Host>,
    ) -> StoreFuture<'a, Result<Vec<LatchRecord>, LatchStoreError>> {
        Box::pin(async { Err(LatchStoreErrorKind::Unavailable.into()) })
    }
}

#[tokio::test]
async fn what_cannot_be_stored_ends_the_connection_before_login() {
    let world = World::good();
    let mut client = ImapClient::new(session(&Full).await, options(TlsStart::Implicit));
    let (tcp, served) = serve(Some(world.acceptor.clone()), &[], &IMAP[..2]).await;
    match connect(&world, &mut client, tcp, &Full).await {
        Err(RunError::Store(error)) => {
            assert_eq!(error.kind(), LatchStoreErrorKind::Unavailable);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(served.await.unwrap().unwrap().lines.len(), 1);
}

#[tokio::test]
async fn what_is_sent_is_flushed() {
    let store = MemoryLatchStore::default();
    let (ours, mut theirs) = tokio::io::duplex(1024);
    let mut stream = BufStream::new(ours);
    let mut client = PopClient::new(session(&store).await, options(TlsStart::Implicit));
    client.handshake(play::GOOD);
    theirs.write_all(b"+OK hi\r\n").await.unwrap();
    let served = tokio::spawn(async move {
        let mut said = [0; 6];
        theirs.read_exact(&mut said).await.unwrap();
        theirs.write_all(b"+OK\r\n.\r\n").await.unwrap();
        said
    });
    let account = account();
    let pause = client.run(&mut stream, &store, &account);
    let pause = timeout(Duration::from_secs(20), pause).await.unwrap();
    assert_eq!(pause.unwrap(), Pause::LogIn);
    assert_eq!(&served.await.unwrap(), b"CAPA\r\n");
}

#[tokio::test]
async fn a_report_that_cannot_be_sent_is_a_refusal_all_the_same() {
    let store = latched(&["tls-cert"]).await;
    let (ours, mut theirs) = tokio::io::duplex(1024);
    theirs.write_all(b"220 hi\r\n").await.unwrap();
    drop(theirs);
    let session = session(&store).await;
    let options = options(TlsStart::Implicit);
    let mut client = SmtpClient::try_new(session, options, "client.example.com").unwrap();
    client.handshake(play::UNVERIFIED);
    let mut stream = ours;
    match client.run(&mut stream, &store, &account()).await {
        Err(RunError::Refused { failure, handshake }) => {
            assert_eq!(failure.tags(), [SecurityTag::TLS_CERT]);
            assert!(handshake.is_none());
        }
        other => panic!("{other:?}"),
    }
}
