//! The connections for async-imap and lettre, against servers whose octets come in pieces.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod play;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_imap::{Authenticator, types::UnsolicitedResponse};
use deep_latch::{
    DeepStatus, Facilities, Host, ImapClient, LatchRecord, LatchSession, SecurityTag, SmtpClient,
    client::{ClientError, ClientEvent, ClientOptions},
    connection::{ImapLoginError, LatchConnector, RunError, SmtpConnectionError},
    facts::Login,
    latch::Transition,
    store::{Account, LatchStore, MemoryLatchStore},
    verifier::OnCertificateFailure,
};
use lettre::{
    address::Envelope,
    transport::smtp::authentication::{Credentials, Mechanism},
};
use play::HOST;
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    RootCertStore, ServerConfig, client::WebPkiServerVerifier, crypto::ring,
    pki_types::PrivateKeyDer,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// A server's certificate, and a connector that trusts it.
struct World {
    acceptor: TlsAcceptor,
    connector: LatchConnector,
}

impl World {
    fn new() -> Self {
        Self::of(HOST)
    }

    fn of(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = certificate.self_signed(&key).unwrap().der().clone();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let pkix = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone());
        let connector = LatchConnector::new(provider, pkix.build().unwrap());
        Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            connector: connector.time_limit(Duration::from_secs(20)),
        }
    }
}

/// The server's octets, and the place where they are split. `TAG` is the tag of the line that it answers.
#[derive(Clone)]
struct Said(String, usize);

/// A line that the server waits for, and what it says then. The first is said at once.
type Dialogue = Vec<(&'static str, Said)>;

/// Serves one connection over TLS; what the client said.
async fn serve(world: &World, dialogue: Dialogue) -> (TcpStream, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap());
    let tcp = tcp.await.unwrap();
    let acceptor = world.acceptor.clone();
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(stream) = acceptor.accept(stream).await else {
            return Vec::new();
        };
        let mut stream = BufReader::new(stream);
        let mut lines = Vec::new();
        for (expected, answer) in dialogue {
            let mut tag = String::new();
            if !expected.is_empty() {
                let mut line = String::new();
                if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                    return lines;
                }
                let line = line.trim_end();
                line.split(' ').next().unwrap().clone_into(&mut tag);
                assert!(line.contains(expected), "{line}, not {expected}");
                lines.push(line.to_owned());
            }
            let Said(answer, at) = answer;
            let answer = answer.replace("TAG", &tag);
            let (first, second) = answer.split_at(at.min(answer.len()));
            for piece in [first, second]
                .into_iter()
                .filter(|piece| !piece.is_empty())
            {
                stream.write_all(piece.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
                // Each piece in a read of its own.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        let mut rest = String::new();
        while stream.read_line(&mut rest).await.unwrap_or(0) > 0 {
            lines.push(std::mem::take(&mut rest).trim_end().to_owned());
        }
        lines
    });
    (tcp, served)
}

fn whole(text: &str) -> Said {
    Said(text.to_owned(), 0)
}

fn cut(text: &str, at: usize) -> Said {
    Said(text.to_owned(), at)
}

fn silence() -> Said {
    whole("")
}

fn account() -> Account {
    Account::try_new("alice").unwrap()
}

async fn session(store: &dyn LatchStore) -> LatchSession {
    let host = Host::try_new(HOST).unwrap();
    let record = store.load(&account(), &host).await.unwrap();
    LatchSession::try_new(record, Facilities::new()).unwrap()
}

async fn imap(store: &dyn LatchStore) -> ImapClient {
    ImapClient::new(session(store).await, ClientOptions::default())
}

async fn kept(store: &dyn LatchStore) -> Vec<String> {
    let host = Host::try_new(HOST).unwrap();
    let record = store.load(&account(), &host).await.unwrap();
    record
        .latched()
        .map(|tag| tag.as_str().to_owned())
        .collect()
}

const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 DEEP ID] hi\r\n";
const ID: &str = "* ID (\"deep\" \"tls12 tls-cert\")\r\nTAG OK done\r\n";
const SELECTED: &str = "* 7 EXISTS\r\n* 0 RECENT\r\n* FLAGS ()\r\nTAG OK selected\r\n";

/// Logs in with async-imap and looks into the mailbox; what it holds, what the client said, and the unsolicited
/// responses that async-imap got.
async fn read_mail(
    world: &World,
    store: &dyn LatchStore,
    dialogue: Dialogue,
) -> (u32, Vec<String>, Vec<UnsolicitedResponse>) {
    let (tcp, served) = serve(world, dialogue).await;
    let account = account();
    let connection = world
        .connector
        .connect_async_imap(imap(store).await, tcp, store, &account);
    let connection = connection.await.unwrap();
    let (mut session, _) = connection.login("alice", "x").await.unwrap();
    let mailbox = session.select("INBOX").await.unwrap();
    let mut unsolicited = Vec::new();
    while let Ok(response) = session.unsolicited_responses.try_recv() {
        unsolicited.push(response);
    }
    session.logout().await.unwrap();
    drop(session);
    (mailbox.exists, served.await.unwrap(), unsolicited)
}

#[tokio::test]
async fn asks_nothing_after_login_if_the_status_is_known() {
    let world = World::new();
    let login = "TAG OK in\r\n* 2 EXISTS\r\n";
    for at in 0..=login.len() + 2 {
        let store = MemoryLatchStore::default();
        let dialogue = vec![
            ("", whole(GREETING)),
            ("deep1 ID (", whole(ID)),
            ("LOGIN", cut(login, at)),
            ("SELECT", whole(SELECTED)),
            ("LOGOUT", whole("* BYE\r\nTAG OK\r\n")),
        ];
        let (exists, lines, _) = read_mail(&world, &store, dialogue).await;
        assert_eq!(exists, 7, "{at}");
        let words: Vec<_> = lines
            .iter()
            .filter_map(|line| line.split(' ').nth(1))
            .collect();
        assert_eq!(words, ["ID", "LOGIN", "SELECT", "LOGOUT"], "{at}");
        assert_eq!(kept(&store).await, ["tls-cert", "tls12"]);
    }
}

#[tokio::test]
async fn asks_through_async_imap_for_deep_after_login() {
    let world = World::new();
    // As it may come: in the answer to LOGIN, in CAPABILITY; with lines that straddle the reads.
    let login = "TAG OK in\r\n* 2 EXISTS\r\n";
    let capability = "* CAPABILITY IMAP4rev1 DEEP ID\r\nTAG OK done\r\n* 3 EXISTS\r\n";
    let id = "* 4 EXISTS\r\n* ID (\"deep\" \"tls12 tls-cert\")\r\nTAG OK done\r\n* 5 EXISTS\r\n";
    let longest = login.len().max(capability.len()).max(id.len()) + 2;
    for at in 0..=longest {
        let store = MemoryLatchStore::default();
        let dialogue = vec![
            ("", whole("* OK [CAPABILITY IMAP4rev1 ID] hi\r\n")),
            ("LOGIN", cut(login, at)),
            ("CAPABILITY", cut(capability, at)),
            ("ID (", cut(id, at)),
            ("SELECT", whole(SELECTED)),
            ("LOGOUT", whole("* BYE\r\nTAG OK\r\n")),
        ];
        let (exists, lines, unsolicited) = read_mail(&world, &store, dialogue).await;
        assert_eq!(exists, 7, "{at}");
        assert_eq!(lines.len(), 5, "{at}: {lines:?}");
        assert_eq!(kept(&store).await, ["tls-cert", "tls12"], "{at}");
        let counts: Vec<_> = unsolicited
            .iter()
            .filter_map(|response| match response {
                UnsolicitedResponse::Exists(count) => Some(*count),
                _ => None,
            })
            .collect();
        // No line is swallowed; those of SELECT are its own.
        assert!(
            [2, 3, 4].iter().all(|it| counts.contains(it)),
            "{at}: {counts:?}"
        );
    }
}

#[tokio::test]
async fn capabilities_in_the_answer_to_login_are_not_asked_for() {
    let world = World::new();
    for (code, latched) in [("DEEP ID", &["tls-cert", "tls12"][..]), ("ID", &[])] {
        let store = MemoryLatchStore::default();
        let login = format!("TAG OK [CAPABILITY IMAP4rev1 {code}] in\r\n");
        let mut dialogue = vec![
            ("", whole("* OK [CAPABILITY IMAP4rev1 ID] hi\r\n")),
            ("LOGIN", whole(&login)),
        ];
        if !latched.is_empty() {
            dialogue.push(("ID (", whole(ID)));
        }
        dialogue.push(("SELECT", whole(SELECTED)));
        dialogue.push(("LOGOUT", whole("* BYE\r\nTAG OK\r\n")));
        let (_, lines, _) = read_mail(&world, &store, dialogue).await;
        assert_eq!(
            lines.len(),
            3 + usize::from(!latched.is_empty()),
            "{lines:?}"
        );
        assert_eq!(kept(&store).await, latched);
    }
}

/// An authenticator of a mechanism that is said to vouch for the server.
struct Scram;

impl Authenticator for Scram {
    type Response = &'static str;

    fn process(&mut self, _: &[u8]) -> Self::Response {
        "x"
    }
}

#[tokio::test]
async fn records_the_status_after_a_login_that_authenticates_the_server() {
    // The certificate is of another name.
    let world = World::of("other.example.com");
    let connector = world
        .connector
        .clone()
        .on_certificate_failure(OnCertificateFailure::GoOn);
    let store = MemoryLatchStore::default();
    let status = "* ID (\"deep\" \"tls12 <https://a.example/>\")\r\nTAG OK done\r\n";
    let dialogue = vec![
        ("", whole(GREETING)),
        ("deep1 ID (", whole(status)),
        ("AUTHENTICATE", whole("+ eA==\r\n")),
        ("eA==", whole("A0001 OK in\r\n")),
    ];
    let (tcp, served) = serve(&world, dialogue).await;
    let account = account();
    let connection = connector.connect_async_imap(imap(&store).await, tcp, &store, &account);
    let connection = connection.await.unwrap();
    assert_eq!(connection.client().greeting(), GREETING.as_bytes());
    let done = connection.authenticate("SCRAM-SHA-1-PLUS", Scram, Login::ScramPlus);
    let (session, events) = done.await.unwrap();
    drop(session);
    let status = DeepStatus::parse("tls12 <https://a.example/>").unwrap();
    let recorded = ClientEvent::Transition(Transition::Recorded(status));
    assert_eq!(events.last(), Some(&recorded), "{events:?}");
    assert_eq!(served.await.unwrap().len(), 3);
}

#[tokio::test]
async fn returns_errors_for_a_refused_login_and_for_preauth() {
    let world = World::new();
    let store = MemoryLatchStore::default();
    let account = account();
    let dialogue = vec![
        ("", whole(GREETING)),
        ("deep1 ID (", whole(ID)),
        ("LOGIN", whole("TAG NO who\r\n")),
    ];
    let (tcp, _) = serve(&world, dialogue).await;
    let connection = world
        .connector
        .connect_async_imap(imap(&store).await, tcp, &store, &account);
    match connection.await.unwrap().login("alice", "x").await {
        Err(ImapLoginError::Imap(async_imap::error::Error::No(_))) => {}
        other => panic!("{other:?}"),
    }
    let dialogue = vec![
        ("", whole("* PREAUTH [CAPABILITY IMAP4rev1 DEEP ID] hi\r\n")),
        ("deep1 ID (", whole(ID)),
    ];
    let (tcp, _) = serve(&world, dialogue).await;
    let connection = world
        .connector
        .connect_async_imap(imap(&store).await, tcp, &store, &account);
    match connection.await {
        Err(RunError::Client(ClientError::LoggedIn)) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn limits_the_time_of_a_silent_server() {
    let world = World::new();
    let connector = world
        .connector
        .clone()
        .time_limit(Duration::from_millis(300));
    let store = MemoryLatchStore::default();
    let account = account();
    let began = Instant::now();
    // Before the greeting; before the answer to LOGIN; before that to what is asked after it.
    for dialogue in [
        vec![("never", silence())],
        vec![
            ("", whole("* OK [CAPABILITY IMAP4rev1] hi\r\n")),
            ("LOGIN", silence()),
            ("never", silence()),
        ],
        vec![
            ("", whole("* OK [CAPABILITY IMAP4rev1] hi\r\n")),
            ("LOGIN", whole("TAG OK in\r\n")),
            ("CAPABILITY", silence()),
            ("never", silence()),
        ],
    ] {
        let (tcp, served) = serve(&world, dialogue).await;
        let connection = connector.connect_async_imap(imap(&store).await, tcp, &store, &account);
        let error = match connection.await {
            Err(error) => error,
            Ok(connection) => match connection.login("alice", "x").await {
                Err(ImapLoginError::Run(error)) => error,
                other => panic!("{other:?}"),
            },
        };
        assert!(matches!(error, RunError::TimedOut), "{error:?}");
        served.abort();
    }
    // And one that does not take the report of a failure is refused still.
    let unverified = World::of("other.example.com");
    let record = LatchRecord::preset(Host::try_new(HOST).unwrap(), [SecurityTag::TLS_CERT]);
    store.merge(&account, &record).await.unwrap();
    let connector = unverified
        .connector
        .clone()
        .time_limit(Duration::from_millis(300));
    let (tcp, served) = serve(&unverified, vec![("never", silence())]).await;
    let connection = connector.connect_async_imap(imap(&store).await, tcp, &store, &account);
    match connection.await {
        Err(RunError::Refused { failure, .. }) => {
            assert_eq!(failure.tags(), [SecurityTag::TLS_CERT]);
        }
        other => panic!("{other:?}"),
    }
    served.abort();
    assert!(began.elapsed() < Duration::from_secs(15));
}

const EHLO: &str = "250-mail.example.com\r\n250-AUTH PLAIN\r\n250 DEEP tls12 tls-cert\r\n";

fn submission(greeting: Said, rest: Dialogue) -> Dialogue {
    let mut dialogue = vec![
        ("", greeting),
        ("EHLO client.example.com", whole(EHLO)),
        ("CLIENT", whole("250 OK\r\n")),
        ("EHLO client.example.com", whole(EHLO)),
    ];
    dialogue.extend(rest);
    dialogue
}

async fn smtp(store: &dyn LatchStore) -> SmtpClient {
    let session = session(store).await;
    SmtpClient::try_new(session, ClientOptions::default(), "client.example.com").unwrap()
}

#[tokio::test]
async fn gives_lettre_the_greeting_and_sends_mail() {
    let world = World::new();
    let greeting = "220-mail.example.com ESMTP\r\n220 ready\r\n";
    for at in 0..=greeting.len() {
        let store = MemoryLatchStore::default();
        let account = account();
        let dialogue = submission(
            cut(greeting, at),
            vec![
                ("AUTH PLAIN", whole("235 in\r\n")),
                ("MAIL FROM", whole("250 OK\r\n")),
                ("RCPT TO", whole("250 OK\r\n")),
                ("DATA", whole("354 go\r\n")),
                ("hello", whole("")),
                (".", whole("250 taken\r\n")),
                ("QUIT", whole("221 bye\r\n")),
            ],
        );
        let (tcp, served) = serve(&world, dialogue).await;
        let connection = world
            .connector
            .connect_lettre(smtp(&store).await, tcp, &store, &account);
        let connection = connection.await.unwrap();
        assert_eq!(connection.client().greeting(), greeting.as_bytes());
        let capabilities: Vec<_> = connection.client().capabilities().collect();
        assert_eq!(capabilities, ["AUTH PLAIN", "DEEP tls12 tls-cert"]);
        let credentials = Credentials::new("alice".to_owned(), "x".to_owned());
        let (mut smtp, events) = connection
            .auth(&[Mechanism::Plain], &credentials)
            .await
            .unwrap();
        assert!(events.contains(&ClientEvent::Reported { accepted: true }));
        let from = "alice@example.com".parse().unwrap();
        let envelope = Envelope::new(Some(from), vec!["bob@example.com".parse().unwrap()]);
        let sent = smtp.send(&envelope.unwrap(), b"hello").await.unwrap();
        assert!(sent.is_positive());
        smtp.quit().await.unwrap();
        drop(smtp);
        assert_eq!(served.await.unwrap().len(), 10);
        assert_eq!(kept(&store).await, ["tls-cert", "tls12"]);
    }
}

#[tokio::test]
async fn limits_the_time_of_each_command_of_lettre() {
    let world = World::new();
    let store = MemoryLatchStore::default();
    let account = account();
    let connector = world
        .connector
        .clone()
        .time_limit(Duration::from_millis(300));
    let dialogue = submission(
        whole("220 hi\r\n"),
        vec![
            ("AUTH PLAIN", whole("235 in\r\n")),
            ("NOOP", silence()),
            ("never", silence()),
        ],
    );
    let (tcp, served) = serve(&world, dialogue).await;
    let connection = connector.connect_lettre(smtp(&store).await, tcp, &store, &account);
    let credentials = Credentials::new("alice".to_owned(), "x".to_owned());
    let connection = connection.await.unwrap();
    let (mut smtp, _) = connection
        .auth(&[Mechanism::Plain], &credentials)
        .await
        .unwrap();
    let began = Instant::now();
    assert!(!smtp.test_connected().await);
    assert!(began.elapsed() < Duration::from_secs(5));
    served.abort();

    // Nor does the login.
    let dialogue = submission(
        whole("220 hi\r\n"),
        vec![("AUTH PLAIN", silence()), ("never", silence())],
    );
    let (tcp, served) = serve(&world, dialogue).await;
    let connection = connector.connect_lettre(smtp_of(&store).await, tcp, &store, &account);
    let connection = connection.await.unwrap();
    match connection.auth(&[Mechanism::Plain], &credentials).await {
        Err(SmtpConnectionError::Run(RunError::TimedOut) | SmtpConnectionError::Smtp(_)) => {}
        Ok(_) => panic!("logged in"),
        Err(other) => panic!("{other:?}"),
    }
    served.abort();
}

async fn smtp_of(store: &dyn LatchStore) -> SmtpClient {
    smtp(store).await
}
