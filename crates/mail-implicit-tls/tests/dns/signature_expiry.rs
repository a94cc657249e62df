//! Signatures of DNSSEC that expire while a resolver lasts (RFC 4035 section 5.3.1).

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::base::{Message, MessageBuilder, Name, Rtype, iana::Class, rdata::UnknownRecordData};
use mail_implicit_tls::dns::{
    Answer, DnsName, Dnssec, LookupFailure, Question, Record, RecordKind, Records, Resolve, Tlsa,
    anchors::TrustAnchors, resolver::ValidatingResolver,
};
use test_support::pki::{
    key,
    rcgen::{KeyPair, PublicKeyData, SigningKey},
};
use tokio::net::UdpSocket;

const OWNER: &str = "_993._tcp.imap.example.org.";
const DAY: u32 = 86_400;
/// The validity of a signature that expires, in seconds.
const SHORT: u32 = 3;

/// A kept resolver asks anew for each connection; the server gives the same records and signatures, which an attacker who
/// recorded them can do, too.
#[tokio::test]
async fn refuses_records_whose_signature_expired_since_the_last_lookup() {
    // The signature of the records expires, and that of the key.
    tokio::join!(expires(SHORT, DAY), expires(DAY, SHORT));
}

/// Signs the records, and the key, for these times, the shorter of which ends.
async fn expires(records: u32, of_key: u32) {
    let zone = Arc::new(Zone::new());
    zone.sign(records, of_key);
    let resolver = ValidatingResolver::new(serve(zone.clone()).await, &zone.anchors());
    let question = Question {
        name: DnsName::parse(OWNER).unwrap(),
        kind: RecordKind::Tlsa,
    };
    for _ in 0..2 {
        assert_eq!(untimed(resolver.lookup(&question).await), Ok(secure()));
    }
    // The times of signatures are whole seconds.
    tokio::time::sleep(Duration::from_secs(u64::from(SHORT) + 1)).await;
    for _ in 0..2 {
        let answer = untimed(resolver.lookup(&question).await);
        assert_eq!(answer, Err(LookupFailure::Bogus), "{records} {of_key}");
    }
    // The zone is signed again. A zone without a valid key is remembered for a while (RFC 4035 section 4.7).
    zone.sign(DAY, DAY);
    if of_key == DAY {
        assert_eq!(untimed(resolver.lookup(&question).await), Ok(secure()));
    }
}

/// Returns the records and their state.
fn untimed(answer: Answer) -> Result<(Vec<Record>, Dnssec), LookupFailure> {
    match answer {
        Answer::Records(Records {
            records, dnssec, ..
        }) => Ok((records, dnssec)),
        Answer::Failed(failure) => Err(failure),
        Answer::Denied { .. } => Err(LookupFailure::Malformed),
    }
}

fn secure() -> (Vec<Record>, Dnssec) {
    let tlsa = Tlsa {
        usage: 3,
        selector: 1,
        matching_type: 1,
        association: vec![0xaa; 32],
    };
    (vec![Record::Tlsa(tlsa)], Dnssec::Secure)
}

/// A record: owner, type and data.
type Sent = (&'static str, Rtype, Vec<u8>);

/// A root zone that has a key and the TLSA record of one port.
struct Zone {
    key: KeyPair,
    /// The records with their signatures.
    signed: Mutex<Vec<Sent>>,
}

impl Zone {
    fn new() -> Self {
        Self {
            key: key(),
            signed: Mutex::default(),
        }
    }

    /// Returns the data of the DNSKEY record: RFC 4034 section 2.1, RFC 6605 section 4.
    fn dnskey(&self) -> Vec<u8> {
        let point = self.key.der_bytes();
        [&[1, 1, 3, 13], &point[1..]].concat()
    }

    fn anchors(&self) -> TrustAnchors {
        let key = BASE64_STANDARD.encode(&self.dnskey()[4..]);
        TrustAnchors::parse(&format!(". 300 IN DNSKEY 257 3 13 {key}\n")).unwrap()
    }

    /// Signs the records, and the key, for these times in seconds.
    fn sign(&self, records: u32, of_key: u32) {
        let tlsa = [&[3, 1, 1][..], &[0xaa; 32]].concat();
        let mut signed = Vec::new();
        for (owner, kind, data, time) in [
            (OWNER, Rtype::TLSA, tlsa, records),
            (".", Rtype::DNSKEY, self.dnskey(), of_key),
        ] {
            signed.push((
                owner,
                Rtype::RRSIG,
                self.signature(owner, kind, &data, time),
            ));
            signed.push((owner, kind, data));
        }
        *self.signed.lock().unwrap() = signed;
    }

    /// Returns the data of an RRSIG record: RFC 4034 section 3.1.
    fn signature(&self, owner: &str, kind: Rtype, data: &[u8], time: u32) -> Vec<u8> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = u32::try_from(now.as_secs()).unwrap();
        let dnskey = self.dnskey();
        let tag = dnskey.chunks(2).fold(0_u32, |sum, pair| {
            sum + u32::from(pair[0]) * 256 + pair.get(1).copied().map_or(0, u32::from)
        });
        let tag = u16::try_from((tag + (tag >> 16)) & 0xffff).unwrap();
        let labels = u8::try_from(
            owner
                .split_terminator('.')
                .filter(|it| !it.is_empty())
                .count(),
        );
        let begin = [
            &kind.to_int().to_be_bytes()[..],
            &[13, labels.unwrap()],
            &300_u32.to_be_bytes(),
            &(now + time).to_be_bytes(),
            &(now - 60).to_be_bytes(),
            &tag.to_be_bytes(),
            // The signer, which is the root.
            &[0],
        ]
        .concat();
        let owner: Name<Vec<u8>> = owner.parse().unwrap();
        let length = u16::try_from(data.len()).unwrap();
        let message = [
            &begin,
            owner.as_slice(),
            &kind.to_int().to_be_bytes(),
            &Class::IN.to_int().to_be_bytes(),
            &300_u32.to_be_bytes(),
            &length.to_be_bytes(),
            data,
        ]
        .concat();
        let signature = raw_signature(&self.key.sign(&message).unwrap());
        [begin, signature].concat()
    }

    fn answer(&self, asked: &Message<&[u8]>) -> Vec<u8> {
        let question = asked.sole_question().unwrap();
        let mut answer = MessageBuilder::new_vec();
        let header = answer.header_mut();
        header.set_id(asked.header().id());
        header.set_qr(true);
        header.set_ra(true);
        let mut answer = answer.question();
        answer.push(question).unwrap();
        let mut answer = answer.answer();
        for (owner, kind, data) in self.signed.lock().unwrap().iter() {
            let owner: Name<Vec<u8>> = owner.parse().unwrap();
            if question.qname() == &owner {
                let data = UnknownRecordData::from_octets(*kind, data.clone()).unwrap();
                answer.push((owner, Class::IN, 300, data)).unwrap();
            }
        }
        answer.finish()
    }
}

/// Serves the zone over UDP until the test ends.
async fn serve(zone: Arc<Zone>) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut octets = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut octets).await {
            let asked = Message::from_octets(&octets[..length]).unwrap();
            let _ = socket.send_to(&zone.answer(&asked), from).await;
        }
    });
    address
}

/// Converts a signature of ECDSA from DER to r and s, of 32 octets each.
fn raw_signature(der: &[u8]) -> Vec<u8> {
    let mut rest = &der[2..];
    let mut raw = Vec::new();
    for _ in 0..2 {
        let length = usize::from(rest[1]);
        let number = &rest[2..2 + length];
        let significant = number.iter().position(|octet| *octet != 0).unwrap();
        let number = &number[significant..];
        raw.extend(vec![0; 32 - number.len()]);
        raw.extend_from_slice(number);
        rest = &rest[2 + length..];
    }
    raw
}
