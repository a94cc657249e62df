//! A name server, and a resolver that asks it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use domain::base::{
    Message, MessageBuilder, Name, Rtype,
    iana::{Class, Rcode},
    rdata::UnknownRecordData,
};
use mail_implicit_tls::dns::{
    Answer, Denial, DnsName, Dnssec, LookupFailure, Question, Record, RecordKind, Records, Resolve,
    resolver::LoopbackResolver,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
};

pub(crate) const HOST: &str = "imap.example.org.";

/// A record as it is sent.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) owner: String,
    pub(crate) class: Class,
    pub(crate) kind: Rtype,
    pub(crate) ttl: u32,
    pub(crate) data: Vec<u8>,
}

pub(crate) fn sent(owner: &str, kind: Rtype, ttl: u32, data: &[u8]) -> Sent {
    Sent {
        owner: owner.to_owned(),
        class: Class::IN,
        kind,
        ttl,
        data: data.to_vec(),
    }
}

pub(crate) fn a(owner: &str, last: u8) -> Sent {
    sent(owner, Rtype::A, 300, &[192, 0, 2, last])
}

/// A name as it is in a record, without compression.
pub(crate) fn wire(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split_terminator('.') {
        wire.push(u8::try_from(label.len()).unwrap());
        wire.extend(label.bytes());
    }
    wire.push(0);
    wire
}

pub(crate) fn alias(owner: &str, target: &str, ttl: u32) -> Sent {
    sent(owner, Rtype::CNAME, ttl, &wire(target))
}

/// The answer of a server.
#[derive(Clone)]
pub(crate) struct Reply {
    pub(crate) code: Rcode,
    pub(crate) authentic: bool,
    pub(crate) records: Vec<Sent>,
    /// The question in the answer, in place of the one that was asked.
    pub(crate) question: Option<(String, Rtype)>,
}

impl Reply {
    pub(crate) fn of(records: &[Sent]) -> Self {
        Self {
            code: Rcode::NOERROR,
            authentic: true,
            records: records.to_vec(),
            question: None,
        }
    }

    pub(crate) fn code(code: Rcode) -> Self {
        Self {
            code,
            ..Self::of(&[])
        }
    }

    pub(crate) fn to(&self, asked: &Message<&[u8]>) -> Vec<u8> {
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
pub(crate) const UDP_BYTES: usize = 1232;

/// Answers each question so, until the test ends: over UDP, and over TCP what is too long for that.
pub(crate) async fn server(reply: Reply) -> SocketAddr {
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

/// Answers each question over UDP by its name and type, until the test ends.
pub(crate) async fn answering(reply: impl Fn(&str, Rtype) -> Reply + Send + 'static) -> SocketAddr {
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = udp.local_addr().unwrap();
    tokio::spawn(async move {
        let mut octets = [0; 4096];
        while let Ok((count, from)) = udp.recv_from(&mut octets).await {
            let asked = Message::from_octets(&octets[..count]).unwrap();
            let question = asked.sole_question().unwrap();
            let reply = reply(&question.qname().to_string(), question.qtype());
            let _ = udp.send_to(&reply.to(&asked), from).await;
        }
    });
    address
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn question(kind: RecordKind) -> Question {
    let name = DnsName::parse(HOST).unwrap();
    Question { name, kind }
}

/// Asks a resolver that trusts the AD bit.
pub(crate) async fn ask(kind: RecordKind, reply: Reply) -> Answer {
    let resolver = LoopbackResolver::new(server(reply).await).unwrap();
    let resolver = resolver.with_timeout(PATIENCE);
    resolver.lookup(&question(kind)).await
}

pub(crate) fn found(owner: &str, ttl: u64, dnssec: Dnssec, records: Vec<Record>) -> Answer {
    Answer::Records(Records {
        records,
        owner: DnsName::parse(owner).unwrap(),
        dnssec,
        ttl: Duration::from_secs(ttl),
    })
}

pub(crate) fn address(last: u8) -> Record {
    Record::Address(Ipv4Addr::new(192, 0, 2, last).into())
}

pub(crate) fn denied(denial: Denial, dnssec: Dnssec) -> Answer {
    Answer::Denied { denial, dnssec }
}

pub(crate) const MALFORMED: Answer = Answer::Failed(LookupFailure::Malformed);
