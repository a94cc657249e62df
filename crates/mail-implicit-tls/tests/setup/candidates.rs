//! Candidates on loopback, and a resolver that knows their hosts.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc, time::Duration};

use mail_implicit_tls::{
    account::{AccountSetup, LowPrivacy},
    client::Connector,
    dns::{
        Answer, AnswerFuture, Denial, DnsName, Dnssec, Question, Record, RecordKind, Records,
        Resolve,
    },
    failure::Cause,
    name::DomainName,
    service::Service,
    setup::{
        Candidate, Offer, Offers, Source,
        check::{CheckedOffers, Outcome},
    },
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::site::{self, Site};

pub(crate) const GREETING: &[u8] = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n";
pub(crate) const TIME: Duration = Duration::from_secs(10);

/// A resolver that knows the answers to some questions; a name without one does not exist.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) answers: BTreeMap<String, Answer>,
    /// Questions that are never answered.
    pub(crate) silent: Vec<String>,
}

impl Known {
    /// All of these hosts are on loopback.
    pub(crate) fn hosts(hosts: &[&str]) -> Self {
        let mut known = Self::default();
        for host in hosts {
            let address = Record::Address(Ipv4Addr::LOCALHOST.into());
            known.add(host, RecordKind::A, vec![address]);
        }
        known
    }

    pub(crate) fn add(&mut self, name: &str, kind: RecordKind, records: Vec<Record>) {
        let owner = DnsName::parse(name).unwrap();
        let question = Question {
            name: owner.clone(),
            kind,
        };
        let records = Records {
            records,
            owner,
            dnssec: Dnssec::Secure,
            ttl: Duration::from_secs(60),
        };
        self.answers
            .insert(question.to_string(), Answer::Records(records));
    }
}

impl Resolve for Known {
    fn lookup<'a>(&'a self, question: &'a Question) -> AnswerFuture<'a> {
        Box::pin(async {
            let question = question.to_string();
            if self.silent.contains(&question) {
                std::future::pending::<()>().await;
            }
            let none = Answer::Denied {
                denial: Denial::NoName,
                dnssec: Dnssec::Secure,
            };
            self.answers.get(&question).cloned().unwrap_or(none)
        })
    }
}

pub(crate) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

pub(crate) fn candidate(service: Service, host: &str, port: u16) -> Candidate {
    let source = Source::Srv(Dnssec::Secure);
    Candidate::new(service, name(host), port, name("example.org"), source)
}

pub(crate) fn offers(imap: Vec<Candidate>, clear: Vec<Candidate>) -> Offers {
    let none = Offer::NotAdvertised(Dnssec::Secure);
    Offers {
        imap: Offer::Candidates {
            candidates: imap,
            clear,
            refused: Vec::new(),
        },
        pop: none.clone(),
        submission: none,
    }
}

pub(crate) fn high() -> AccountSetup {
    AccountSetup::new(site::id("alice@example.org"))
}

pub(crate) fn low() -> AccountSetup {
    high().low(LowPrivacy {
        ignore_certificate: true,
        clear_text_fallback: true,
    })
}

pub(crate) fn connector(site: &Site, known: Known) -> Connector {
    site.connector().with_resolver(Arc::new(known))
}

/// Accepts connections, greets on each within TLS, and returns the port.
pub(crate) async fn serve(config: Arc<ServerConfig>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let acceptor = TlsAcceptor::from(config.clone());
            tokio::spawn(async move {
                let mut stream = acceptor.accept(tcp).await?;
                stream.write_all(GREETING).await?;
                stream.flush().await?;
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await
            });
        }
    });
    port
}

/// Accepts connections and says this in clear text on each.
pub(crate) async fn serve_clear(octets: &'static [u8]) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                tcp.write_all(octets).await?;
                tcp.read_to_end(&mut Vec::new()).await
            });
        }
    });
    port
}

/// Accepts one connection, upgrades it by STARTTLS, and answers one command after it.
pub(crate) async fn serve_starttls(config: Arc<ServerConfig>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let greeting = b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n";
        tcp.write_all(greeting).await.unwrap();
        tcp.read_exact(&mut [0; 12]).await.unwrap();
        tcp.write_all(b"c OK go\r\n").await.unwrap();
        let mut stream = TlsAcceptor::from(config).accept(tcp).await.unwrap();
        let mut command = Vec::new();
        while !command.ends_with(b"\r\n") {
            command.push(stream.read_u8().await.unwrap());
        }
        let tag = String::from_utf8(command).unwrap();
        let tag = tag.split(' ').next().unwrap();
        let reply = format!("* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n{tag} OK done\r\n");
        stream.write_all(reply.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        stream.read_to_end(&mut Vec::new()).await
    });
    port
}

/// Returns the causes of failure of the IMAP candidates; nothing for one that is ready.
pub(crate) fn causes(checked: &CheckedOffers) -> Vec<Option<Cause>> {
    let cause = |outcome: &Outcome| match outcome {
        Outcome::Ready(_) => None,
        Outcome::Failed(failure) => Some(failure.cause().clone()),
        other => panic!("{other:?}"),
    };
    checked.imap.iter().map(|it| cause(&it.outcome)).collect()
}
