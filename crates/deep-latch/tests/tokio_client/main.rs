//! Clients over real TLS on loopback, against servers that follow a script.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../play.rs"]
mod play;

mod certificates;
mod protocols;
mod transport;

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
    failure::{Action, CertificateFault, Stage},
    status::StatusUrl,
    store::{
        Account, LatchStore, LatchStoreError, LatchStoreErrorKind, MemoryLatchStore, StoreFuture,
    },
    verifier::{OnCertificateFailure, ServerJudge, ServerVerdicts},
};
use play::HOST;
use rustls::{
    HandshakeKind,
    crypto::ring,
    pki_types::{CertificateDer, UnixTime},
};
use test_support::pki::{Authority, Certificate};
use tokio::{
    io::{
        AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, BufStream,
    },
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// A certificate authority that the client trusts, and a server.
struct World {
    trusted: Authority,
    acceptor: TlsAcceptor,
}

impl World {
    /// The certificate is of this name; the client trusts its issuer, or another.
    fn of(name: &str, trusted: bool) -> Self {
        let (own, other) = (Authority::new("own"), Authority::new("other"));
        let provider = Arc::new(ring::default_provider());
        let identity = Certificate::server(&[name]).issue(&own);
        let config = identity.server_config(provider, rustls::DEFAULT_VERSIONS);
        Self {
            trusted: if trusted { own } else { other },
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }

    fn good() -> Self {
        Self::of(HOST, true)
    }

    fn connector(&self) -> LatchConnector {
        let provider = Arc::new(ring::default_provider());
        LatchConnector::new(provider.clone(), self.trusted.verifier(provider))
    }
}

/// A line that the server waits for, and what it says then. The first is said at once.
type Dialogue = &'static [(&'static str, &'static str)];

/// The lines of a client, and `true` if it closed TLS.
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

const POP_CLEAR: Dialogue = &[
    ("", "+OK hi\r\n"),
    ("CAPA", "+OK\r\nSTLS\r\n.\r\n"),
    ("STLS", "+OK\r\n"),
];
