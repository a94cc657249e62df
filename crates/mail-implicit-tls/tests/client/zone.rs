//! A zone with TLSA records, and a server that notes the names of SNI.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use mail_implicit_tls::dns::{
    Answer, AnswerFuture, Denial, DnsName, Dnssec, Question, Record, Records, Resolve, Tlsa,
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// The time to live of each record.
const DAY: Duration = Duration::from_secs(86_400);

/// Answers from a table, and what was asked. What is not in the table does not exist.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) answers: Mutex<BTreeMap<String, Answer>>,
    pub(crate) asked: Mutex<Vec<String>>,
}

impl Resolve for Table {
    fn lookup<'a>(&'a self, question: &'a Question) -> AnswerFuture<'a> {
        let key = question.to_string();
        let answer = self.answers.lock().unwrap().get(&key).cloned();
        self.asked.lock().unwrap().push(key);
        let none = Answer::Denied {
            denial: Denial::NoData,
            dnssec: Dnssec::Secure,
        };
        Box::pin(async move { answer.unwrap_or(none) })
    }
}

impl Table {
    pub(crate) fn set(&self, question: String, answer: Answer) {
        self.answers.lock().unwrap().insert(question, answer);
    }

    pub(crate) fn records(&self, question: String, owner: &str, dnssec: Dnssec, record: Record) {
        let records = Records {
            records: vec![record],
            owner: DnsName::parse(owner).unwrap(),
            dnssec,
            ttl: DAY,
        };
        self.set(question, Answer::Records(records));
    }

    pub(crate) fn address(&self, host: &str, owner: &str, dnssec: Dnssec) {
        let record = Record::Address(Ipv4Addr::LOCALHOST.into());
        self.records(format!("{host}. A"), owner, dnssec, record);
    }

    pub(crate) fn tlsa(&self, port: u16, host: &str, digest: [u8; 32]) {
        let owner = format!("_{port}._tcp.{host}.");
        let record = Record::Tlsa(Tlsa {
            usage: 3,
            selector: 0,
            matching_type: 1,
            association: digest.to_vec(),
        });
        self.records(format!("{owner} TLSA"), &owner, Dnssec::Secure, record);
    }

    /// Returns what was asked since the last call.
    pub(crate) fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.sort();
        asked
    }
}

/// Greets on each connection, and gives the names in SNI.
pub(crate) async fn serve(config: Arc<ServerConfig>) -> (u16, Arc<Mutex<Vec<Option<String>>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let names = Arc::new(Mutex::new(Vec::new()));
    let seen = names.clone();
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(config);
        while let Ok((tcp, _)) = listener.accept().await {
            // A client that refuses the certificate ends the handshake.
            let Ok(mut stream) = acceptor.accept(tcp).await else {
                continue;
            };
            let name = stream.get_ref().1.server_name().map(str::to_owned);
            seen.lock().unwrap().push(name);
            tokio::spawn(async move {
                let greeting = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n";
                let _ = stream.write_all(greeting).await;
                let _ = stream.flush().await;
                let _ = stream.read(&mut [0; 64]).await;
            });
        }
    });
    (port, names)
}

/// Accepts a connection, and returns it once the client's first octets are there.
pub(crate) async fn accept(listener: &TcpListener) -> TcpStream {
    let (tcp, _) = listener.accept().await.unwrap();
    assert_eq!(tcp.peek(&mut [0; 1]).await.unwrap(), 1);
    tcp
}

/// Makes the handshake, and greets if the client accepts the certificate.
pub(crate) async fn greet(acceptor: &TlsAcceptor, tcp: TcpStream) -> Option<TlsStream<TcpStream>> {
    let mut stream = acceptor.accept(tcp).await.ok()?;
    let greeting = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n";
    // A client that refuses the certificate is gone.
    let _ = stream.write_all(greeting).await;
    let _ = stream.flush().await;
    Some(stream)
}
