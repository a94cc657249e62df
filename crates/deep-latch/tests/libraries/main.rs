//! The connections for async-imap and lettre, against servers whose octets come in pieces.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../play.rs"]
mod play;

mod imap;
mod submission;

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
use rustls::crypto::ring;
use test_support::pki::{Authority, Certificate};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// A server, and a connector that trusts its authority.
struct World {
    acceptor: TlsAcceptor,
    connector: LatchConnector,
}

impl World {
    fn new() -> Self {
        Self::of(HOST)
    }

    fn of(name: &str) -> Self {
        let authority = Authority::new("trusted");
        let provider = Arc::new(ring::default_provider());
        let identity = Certificate::server(&[name]).issue(&authority);
        let config = identity.server_config(provider.clone(), rustls::DEFAULT_VERSIONS);
        let connector = LatchConnector::new(provider.clone(), authority.verifier(provider));
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

async fn kept(store: &dyn LatchStore) -> Vec<String> {
    let host = Host::try_new(HOST).unwrap();
    let record = store.load(&account(), &host).await.unwrap();
    record
        .latched()
        .map(|tag| tag.as_str().to_owned())
        .collect()
}
