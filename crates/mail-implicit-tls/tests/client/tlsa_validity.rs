//! The validity of TLSA records while a connector is kept, by a clock that the test moves.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use mail_implicit_tls::{
    account::{AccountSetup, Host, Server},
    dns::{
        Answer, AnswerFuture, DnsName, Dnssec, LookupFailure, Question, Record, RecordKind,
        Records, Resolve, Tlsa, host::HostFailure,
    },
    failure::Cause,
    service::Service,
    verdict::{CertificateUsage, DaneVerdict},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::{
    serving::{GREETING, cause, listener},
    site::{self, HOST, Site},
};

/// The last second in which the signature of the TLSA record is valid.
const EXPIRATION: u64 = 1_000;

/// The records of the first connection do not count for the second, though it would resume the first's session.
#[tokio::test]
async fn refuses_a_server_whose_records_are_no_longer_signed() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let config = site.server_config();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let config = config.clone();
            tokio::spawn(async move {
                let mut stream = TlsAcceptor::from(config).accept(tcp).await.unwrap();
                stream.write_all(GREETING).await.unwrap();
                let mut octets = [0; 64];
                while let Ok(count @ 1..) = stream.read(&mut octets).await {
                    stream.write_all(&octets[..count]).await.unwrap();
                    stream.flush().await.unwrap();
                }
            });
        }
    });
    let resolver = Arc::new(Signed {
        clock: AtomicU64::new(0),
        certificate: site.server().certificate().to_vec(),
    });
    let server = Server::new(Service::IMAPS, Host::parse(HOST).unwrap()).with_port(port);
    let account = AccountSetup::new(site::id("alice"))
        .dane(true)
        .server(server.clone())
        .build()
        .unwrap();
    let connector = site.connector().with_resolver(resolver.clone());
    let mut streams = Vec::new();
    for (clock, is_resumed) in [(0, false), (EXPIRATION, true)] {
        resolver.clock.store(clock, Ordering::Relaxed);
        let connection = connector.connect(&account, &server).await.unwrap();
        assert_eq!(
            connection.verdict().unwrap().dane,
            DaneVerdict::Matches {
                usage: CertificateUsage::DaneEe,
                covers_identity: false,
            }
        );
        assert_eq!(connection.is_resumed(), is_resumed);
        streams.push(connection.into_stream());
    }
    resolver.clock.store(EXPIRATION + 1, Ordering::Relaxed);
    let bogus = Cause::Lookup(HostFailure::Tlsa(LookupFailure::Bogus));
    for _ in 0..2 {
        assert_eq!(cause(&connector, &account, &server).await, bogus);
    }
    // The sessions that were established go on.
    for stream in &mut streams {
        stream.write_all(b"a NOOP").await.unwrap();
        stream.flush().await.unwrap();
        let mut echo = [0; 6];
        stream.read_exact(&mut echo).await.unwrap();
        assert_eq!(&echo, b"a NOOP");
    }
}

/// A validating resolver of one host, whose TLSA record has a TTL of a day and a signature that expires earlier.
struct Signed {
    clock: AtomicU64,
    certificate: Vec<u8>,
}

impl Resolve for Signed {
    fn lookup<'a>(&'a self, question: &'a Question) -> AnswerFuture<'a> {
        let record = match question.kind {
            RecordKind::A => Record::Address([127, 0, 0, 1].into()),
            RecordKind::Tlsa if self.clock.load(Ordering::Relaxed) <= EXPIRATION => {
                Record::Tlsa(Tlsa {
                    usage: 3,
                    selector: 0,
                    matching_type: 0,
                    association: self.certificate.clone(),
                })
            }
            RecordKind::Tlsa => {
                return Box::pin(async { Answer::Failed(LookupFailure::Bogus) });
            }
            _ => return Box::pin(async { Answer::Failed(LookupFailure::ServerFailure) }),
        };
        let answer = Answer::Records(Records {
            records: vec![record],
            owner: DnsName::clone(&question.name),
            dnssec: Dnssec::Secure,
            ttl: Duration::from_secs(86_400),
        });
        Box::pin(async move { answer })
    }
}
