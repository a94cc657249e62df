//! A name server for `example.org`, whose zone is not signed.

use std::net::{Ipv4Addr, SocketAddr};

use domain::{
    base::{Message, MessageBuilder, Name, Rtype, Ttl, iana::Class},
    rdata::{A, Soa, Srv},
};
use tokio::{net::UdpSocket, runtime::Runtime};

/// A trust anchor of another domain, so that the answers are insecure.
pub(crate) const ANCHORS: &str = "test. 300 IN DNSKEY 257 3 8 AwEAAa8=\n";

/// Answers as the name server of a domain that advertises these hosts and ports for IMAP, in this order, and no other
/// server.
pub(crate) fn serve(runtime: &Runtime, servers: Vec<(&'static str, u16)>) -> SocketAddr {
    let socket = runtime
        .block_on(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)))
        .unwrap();
    let address = socket.local_addr().unwrap();
    let name = |text: &str| text.parse::<Name<Vec<u8>>>().unwrap();
    runtime.spawn(async move {
        let mut octets = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut octets).await {
            let asked = Message::from_octets(octets.get(..length).unwrap()).unwrap();
            let question = asked.sole_question().unwrap();
            let owner = question.qname().to_string();
            let mut answer = MessageBuilder::new_vec();
            let header = answer.header_mut();
            header.set_id(asked.header().id());
            header.set_qr(true);
            header.set_ra(true);
            let mut answer = answer.question();
            answer.push(question).unwrap();
            let mut answer = answer.answer();
            let is_host = servers.iter().any(|(host, _)| *host == owner);
            if question.qtype() == Rtype::SRV && owner == "_imaps._tcp.example.org" {
                for (priority, (host, port)) in (0..).zip(&servers) {
                    let data = Srv::new(priority, 0, *port, name(host));
                    let record = (name(&owner), Class::IN, 300, data);
                    answer.push(record).unwrap();
                }
            } else if question.qtype() == Rtype::A && is_host {
                let data = A::new(Ipv4Addr::LOCALHOST);
                answer.push((name(&owner), Class::IN, 300, data)).unwrap();
            }
            // A validator takes a denial without it for a wrong answer.
            let mut answer = answer.authority();
            let zone = || name("example.org");
            let second = Ttl::from_secs(1);
            let data = Soa::new(zone(), zone(), 1.into(), second, second, second, second);
            answer.push((zone(), Class::IN, 300, data)).unwrap();
            let _ = socket.send_to(&answer.finish(), from).await;
        }
    });
    address
}
