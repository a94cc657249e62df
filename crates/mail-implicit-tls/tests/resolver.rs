//! The resolvers against a name server on loopback that gives prepared answers, also those that no proper server
//! gives.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use domain::base::{
    Message, MessageBuilder, Name, Rtype,
    iana::{Class, Rcode},
    rdata::UnknownRecordData,
};
use mail_implicit_tls::dns::{
    Answer, Denial, DnsName, Dnssec, LookupFailure, Question, Record, RecordKind, Records, Resolve,
    Srv, Tlsa,
    anchors::TrustAnchors,
    hickory::HickoryResolver,
    resolver::{LoopbackResolver, ResolverError, ValidatingResolver},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
};

const HOST: &str = "imap.example.org.";

/// A record as it is sent.
#[derive(Clone)]
struct Sent {
    owner: String,
    class: Class,
    kind: Rtype,
    ttl: u32,
    data: Vec<u8>,
}

fn sent(owner: &str, kind: Rtype, ttl: u32, data: &[u8]) -> Sent {
    Sent {
        owner: owner.to_owned(),
        class: Class::IN,
        kind,
        ttl,
        data: data.to_vec(),
    }
}

fn a(owner: &str, last: u8) -> Sent {
    sent(owner, Rtype::A, 300, &[192, 0, 2, last])
}

/// A name as it is in a record, without compression.
fn wire(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split_terminator('.') {
        wire.push(u8::try_from(label.len()).unwrap());
        wire.extend(label.bytes());
    }
    wire.push(0);
    wire
}

fn alias(owner: &str, target: &str, ttl: u32) -> Sent {
    sent(owner, Rtype::CNAME, ttl, &wire(target))
}

/// The answer of a server.
#[derive(Clone)]
struct Reply {
    code: Rcode,
    authentic: bool,
    records: Vec<Sent>,
    /// The question in the answer, in place of the one that was asked.
    question: Option<(String, Rtype)>,
}

impl Reply {
    fn of(records: &[Sent]) -> Self {
        Self {
            code: Rcode::NOERROR,
            authentic: true,
            records: records.to_vec(),
            question: None,
        }
    }

    fn code(code: Rcode) -> Self {
        Self {
            code,
            ..Self::of(&[])
        }
    }

    fn to(&self, asked: &Message<&[u8]>) -> Vec<u8> {
        let mut builder = MessageBuilder::new_vec();
        let header = builder.header_mut();
        header.set_id(asked.header().id());
        header.set_qr(true);
        header.set_rd(true);
        header.set_ra(true);
        header.set_ad(self.authentic);
        header.set_rcode(self.code);
        let mut builder = builder.question();
        match &self.question {
            None => builder.push(asked.sole_question().unwrap()).unwrap(),
            Some((name, kind)) => builder
                .push((name.parse::<Name<Vec<u8>>>().unwrap(), *kind))
                .unwrap(),
        }
        let mut builder = builder.answer();
        for record in &self.records {
            let owner: Name<Vec<u8>> = record.owner.parse().unwrap();
            let data = UnknownRecordData::from_octets(record.kind, record.data.clone()).unwrap();
            builder
                .push((owner, record.class, record.ttl, data))
                .unwrap();
        }
        builder.finish()
    }
}

/// The size of an answer over UDP.
const UDP_BYTES: usize = 1232;

/// Answers each question so, until the test ends: over UDP, and over TCP what is too long for that.
async fn server(reply: Reply) -> SocketAddr {
    let (tcp, udp) = loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            break (tcp, udp);
        }
    };
    let address = udp.local_addr().unwrap();
    let truncated = Reply {
        records: Vec::new(),
        ..reply.clone()
    };
    let long = reply.clone();
    tokio::spawn(async move {
        let mut octets = [0; 4096];
        while let Ok((count, from)) = udp.recv_from(&mut octets).await {
            let asked = Message::from_octets(&octets[..count]).unwrap();
            let mut answer = reply.to(&asked);
            if answer.len() > UDP_BYTES {
                answer = truncated.to(&asked);
                // TC
                answer[2] |= 2;
            }
            let _ = udp.send_to(&answer, from).await;
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let long = long.clone();
            tokio::spawn(async move {
                while let Ok(length) = stream.read_u16().await {
                    let mut octets = vec![0; length.into()];
                    stream.read_exact(&mut octets).await.unwrap();
                    let answer = long.to(&Message::from_octets(octets.as_slice()).unwrap());
                    let length = u16::try_from(answer.len()).unwrap();
                    stream.write_u16(length).await.unwrap();
                    stream.write_all(&answer).await.unwrap();
                }
            });
        }
    });
    address
}

const PATIENCE: Duration = Duration::from_secs(2);

fn question(kind: RecordKind) -> Question {
    let name = DnsName::parse(HOST).unwrap();
    Question { name, kind }
}

/// Asks a resolver that trusts the AD bit.
async fn ask(kind: RecordKind, reply: Reply) -> Answer {
    let resolver = LoopbackResolver::new(server(reply).await).unwrap();
    let resolver = resolver.with_timeout(PATIENCE);
    resolver.lookup(&question(kind)).await
}

fn found(owner: &str, ttl: u64, dnssec: Dnssec, records: Vec<Record>) -> Answer {
    Answer::Records(Records {
        records,
        owner: DnsName::parse(owner).unwrap(),
        dnssec,
        ttl: Duration::from_secs(ttl),
    })
}

fn address(last: u8) -> Record {
    Record::Address(Ipv4Addr::new(192, 0, 2, last).into())
}

fn denied(denial: Denial, dnssec: Dnssec) -> Answer {
    Answer::Denied { denial, dnssec }
}

const MALFORMED: Answer = Answer::Failed(LookupFailure::Malformed);

#[tokio::test]
async fn takes_every_code_but_two_for_a_failure() {
    for (code, failure) in [
        (Rcode::FORMERR, LookupFailure::Code),
        (Rcode::SERVFAIL, LookupFailure::ServerFailure),
        (Rcode::NOTIMP, LookupFailure::Code),
        (Rcode::REFUSED, LookupFailure::Refused),
        (Rcode::YXDOMAIN, LookupFailure::Code),
        (Rcode::NOTAUTH, LookupFailure::Code),
    ] {
        let server = server(Reply::code(code)).await;
        let anchors = TrustAnchors::iana();
        let resolvers: [(&str, Arc<dyn Resolve>); 3] = [
            ("AD", Arc::new(LoopbackResolver::new(server).unwrap())),
            (
                "domain",
                Arc::new(ValidatingResolver::new(server, &anchors)),
            ),
            (
                "hickory",
                Arc::new(HickoryResolver::new(server, &anchors).unwrap()),
            ),
        ];
        for (what, resolver) in resolvers {
            for kind in [RecordKind::A, RecordKind::Tlsa, RecordKind::Srv] {
                let answer = resolver.lookup(&question(kind)).await;
                assert_eq!(answer, Answer::Failed(failure), "{code} {kind} {what}");
            }
        }
    }
}

#[tokio::test]
async fn trusts_the_authentic_data_bit() {
    for (authentic, dnssec) in [(true, Dnssec::Secure), (false, Dnssec::Insecure)] {
        let reply = |code, records: &[Sent]| Reply {
            code,
            authentic,
            ..Reply::of(records)
        };
        let answer = ask(RecordKind::A, reply(Rcode::NOERROR, &[a(HOST, 1)])).await;
        assert_eq!(answer, found(HOST, 300, dnssec, vec![address(1)]));
        let answer = ask(RecordKind::A, reply(Rcode::NOERROR, &[])).await;
        assert_eq!(answer, denied(Denial::NoData, dnssec));
        let answer = ask(RecordKind::A, reply(Rcode::NXDOMAIN, &[])).await;
        assert_eq!(answer, denied(Denial::NoName, dnssec));
    }
}

#[tokio::test]
async fn finds_nothing_secure_without_signatures() {
    let resolver = ValidatingResolver::new(
        server(Reply::of(&[a(HOST, 1)])).await,
        &TrustAnchors::iana(),
    );
    let resolver = resolver.with_timeout(PATIENCE);
    let answer = resolver.lookup(&question(RecordKind::A)).await;
    assert_eq!(answer, Answer::Failed(LookupFailure::Bogus));
}

#[tokio::test]
async fn reads_the_records_of_each_kind() {
    let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let mut srv_data = vec![0, 1, 0, 2, 3, 0xe1];
    srv_data.extend(wire("Mail.Example.org"));
    for (kind, record, right) in [
        (
            RecordKind::Aaaa,
            sent(HOST, Rtype::AAAA, 7, &v6.octets()),
            Record::Address(v6.into()),
        ),
        (
            RecordKind::Srv,
            sent(HOST, Rtype::SRV, 7, &srv_data),
            Record::Srv(Srv {
                priority: 1,
                weight: 2,
                port: 993,
                target: DnsName::parse("mail.example.org").unwrap(),
            }),
        ),
        (
            RecordKind::Srv,
            sent(HOST, Rtype::SRV, 7, &[0; 7]),
            Record::Srv(Srv {
                priority: 0,
                weight: 0,
                port: 0,
                target: DnsName::ROOT,
            }),
        ),
        (
            RecordKind::Tlsa,
            sent(HOST, Rtype::TLSA, 7, &[3, 1, 2, 9, 8]),
            Record::Tlsa(Tlsa {
                usage: 3,
                selector: 1,
                matching_type: 2,
                association: vec![9, 8],
            }),
        ),
        (
            RecordKind::Tlsa,
            sent(HOST, Rtype::TLSA, 7, &[3, 1, 2]),
            Record::Tlsa(Tlsa {
                usage: 3,
                selector: 1,
                matching_type: 2,
                association: Vec::new(),
            }),
        ),
        (
            RecordKind::Cname,
            alias(HOST, "other.example.org", 7),
            Record::Alias(DnsName::parse("other.example.org").unwrap()),
        ),
    ] {
        let answer = ask(kind, Reply::of(&[record])).await;
        assert_eq!(answer, found(HOST, 7, Dnssec::Secure, vec![right]));
    }
}

#[tokio::test]
async fn rejects_records_that_cannot_be_read() {
    for (kind, record) in [
        (RecordKind::A, sent(HOST, Rtype::A, 7, &[192, 0, 2])),
        (RecordKind::Tlsa, sent(HOST, Rtype::TLSA, 7, &[3, 1])),
        (RecordKind::Srv, sent(HOST, Rtype::SRV, 7, &[0; 6])),
        (RecordKind::Srv, {
            let data = [&[0; 6][..], &wire("a b.example.org")].concat();
            sent(HOST, Rtype::SRV, 7, &data)
        }),
        (RecordKind::Cname, alias(HOST, "a b.example.org", 7)),
    ] {
        assert_eq!(ask(kind, Reply::of(&[record])).await, MALFORMED, "{kind}");
    }
    // One of two that is wrong.
    let records = [a(HOST, 1), sent(HOST, Rtype::A, 7, &[192, 0, 2])];
    assert_eq!(ask(RecordKind::A, Reply::of(&records)).await, MALFORMED);
}

#[tokio::test]
async fn follows_aliases_to_their_end() {
    let (b, c) = ("b.example.org.", "c.example.org.");
    // In any order, with records that do not belong to the end, and the shortest time to live.
    let [mut chaos, mut elsewhere] = [a(c, 9), alias(HOST, "evil.example.org.", 1)];
    for record in [&mut chaos, &mut elsewhere] {
        record.class = Class::CH;
    }
    let records = [
        a(c, 1),
        a(b, 2),
        alias(b, c, 20),
        a(HOST, 3),
        chaos,
        elsewhere,
        sent(c, Rtype::TXT, 1, b"\x01x"),
        a(c, 4),
        alias("elsewhere.example.org.", HOST, 1),
        alias(HOST, b, 40),
    ];
    let answer = ask(RecordKind::A, Reply::of(&records)).await;
    let right = vec![address(1), address(4)];
    assert_eq!(answer, found(c, 20, Dnssec::Secure, right));
    // Names are the same in upper and lower case.
    let records = [alias("IMAP.example.ORG.", "B.example.org.", 40), a(b, 1)];
    let answer = ask(RecordKind::A, Reply::of(&records)).await;
    assert_eq!(answer, found(b, 40, Dnssec::Secure, vec![address(1)]));
    // The end has no records, or does not exist.
    let records = [alias(HOST, b, 40)];
    let answer = ask(RecordKind::A, Reply::of(&records)).await;
    assert_eq!(answer, denied(Denial::NoData, Dnssec::Secure));
    let reply = Reply {
        code: Rcode::NXDOMAIN,
        ..Reply::of(&records)
    };
    let answer = ask(RecordKind::A, reply).await;
    assert_eq!(answer, denied(Denial::NoName, Dnssec::Secure));
}

#[tokio::test]
async fn follows_no_alias_for_a_question_about_the_alias() {
    let b = "b.example.org.";
    let records = [alias(HOST, b, 40), alias(b, "c.example.org.", 20)];
    let answer = ask(RecordKind::Cname, Reply::of(&records)).await;
    let right = Record::Alias(DnsName::parse(b).unwrap());
    assert_eq!(answer, found(HOST, 40, Dnssec::Secure, vec![right]));
}

/// Without the alias such an answer would be a denial, which turns DANE off.
#[tokio::test]
async fn rejects_aliases_that_cannot_be_followed() {
    let (b, c) = ("b.example.org.", "c.example.org.");
    for records in [
        vec![alias(HOST, "a b.example.org", 40)],
        vec![alias(HOST, b, 40), alias(b, "a b.example.org", 40)],
        vec![sent(HOST, Rtype::CNAME, 40, &[3, b'a'])],
        vec![alias(HOST, b, 40), alias(HOST, c, 40), a(b, 1), a(c, 1)],
    ] {
        let answer = ask(RecordKind::Tlsa, Reply::of(&records)).await;
        assert_eq!(answer, MALFORMED);
    }
    let chain = |aliases: u8| {
        let mut records: Vec<_> = (1..=aliases)
            .map(|n| {
                let owner = match n {
                    1 => HOST.to_owned(),
                    n => format!("n{n}.example.org."),
                };
                alias(
                    &owner,
                    &format!("n{}.example.org.", n.saturating_add(1)),
                    40,
                )
            })
            .collect();
        records.push(a(
            &format!("n{}.example.org.", aliases.saturating_add(1)),
            1,
        ));
        Reply::of(&records)
    };
    let answer = ask(RecordKind::A, chain(8)).await;
    let right = found("n9.example.org", 40, Dnssec::Secure, vec![address(1)]);
    assert_eq!(answer, right);
    let aliases = Answer::Failed(LookupFailure::Aliases);
    assert_eq!(ask(RecordKind::A, chain(9)).await, aliases);
    let circle = [alias(HOST, b, 40), alias(b, HOST, 40)];
    assert_eq!(ask(RecordKind::A, Reply::of(&circle)).await, aliases);
}

#[tokio::test]
async fn rejects_answers_that_contradict_themselves() {
    let reply = Reply {
        code: Rcode::NXDOMAIN,
        ..Reply::of(&[a(HOST, 1)])
    };
    assert_eq!(ask(RecordKind::A, reply).await, MALFORMED);
    // An answer to another question is none.
    for question in [("evil.example.org.", Rtype::A), (HOST, Rtype::AAAA)] {
        let (name, kind) = question;
        let reply = Reply {
            question: Some((name.to_owned(), kind)),
            ..Reply::of(&[a(HOST, 1)])
        };
        let answer = ask(RecordKind::A, reply).await;
        let failures = [LookupFailure::Malformed, LookupFailure::Timeout];
        assert!(
            matches!(answer, Answer::Failed(failure) if failures.contains(&failure)),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn limits_the_records_that_come_over_tcp() {
    let many = |count: u8| Reply::of(&(0..count).map(|n| a(HOST, n)).collect::<Vec<_>>());
    let answer = ask(RecordKind::A, many(128)).await;
    let right = (0..128).map(address).collect();
    assert_eq!(answer, found(HOST, 300, Dnssec::Secure, right));
    let answer = ask(RecordKind::A, many(129)).await;
    assert_eq!(answer, Answer::Failed(LookupFailure::TooLarge));
}

#[tokio::test]
async fn ends_after_its_time() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let server = silent.local_addr().unwrap();
    let time = Duration::from_millis(200);
    let anchors = TrustAnchors::iana();
    let resolvers: [Arc<dyn Resolve>; 3] = [
        Arc::new(LoopbackResolver::new(server).unwrap().with_timeout(time)),
        Arc::new(ValidatingResolver::new(server, &anchors).with_timeout(time)),
        Arc::new(
            HickoryResolver::new(server, &anchors)
                .unwrap()
                .with_timeout(time),
        ),
    ];
    for resolver in resolvers {
        let begin = std::time::Instant::now();
        let answer = resolver.lookup(&question(RecordKind::A)).await;
        assert_eq!(answer, Answer::Failed(LookupFailure::Timeout));
        let elapsed = begin.elapsed();
        assert!(elapsed >= time && elapsed < PATIENCE, "{elapsed:?}");
    }
}

#[tokio::test]
async fn trusts_a_resolver_on_loopback_only() {
    for address in ["192.0.2.1:53", "[2001:db8::1]:53", "[::ffff:192.0.2.1]:53"] {
        let server: SocketAddr = address.parse().unwrap();
        match LoopbackResolver::new(server) {
            Err(ResolverError::NotLoopback(refused)) => assert_eq!(refused, server),
            other => panic!("{other:?}"),
        }
    }
    for address in ["127.0.0.53:53", "[::1]:53", "[::ffff:127.0.0.1]:53"] {
        assert!(LoopbackResolver::new(address.parse().unwrap()).is_ok());
    }
}
