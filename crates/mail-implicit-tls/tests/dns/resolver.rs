//! Answers of a name server, and the trust in them.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use domain::base::{Rtype, iana::Rcode};
use mail_implicit_tls::dns::{
    Answer, Denial, DnsName, Dnssec, LookupFailure, Record, RecordKind, Resolve, Srv, Tlsa,
    anchors::TrustAnchors,
    hickory::HickoryResolver,
    resolver::{LoopbackResolver, ResolverError, ValidatingResolver},
};
use tokio::net::UdpSocket;

use crate::name_server::{
    HOST, MALFORMED, PATIENCE, Reply, Sent, a, address, alias, ask, denied, found, question, sent,
    server, wire,
};

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
    assert_eq!(answer, Answer::Failed(LookupFailure::NoDnssec));
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

/// A zone may have a typing error: the record names no host, and the others count.
#[tokio::test]
async fn keeps_records_that_name_no_host() {
    for (name, shown) in [
        ("a b.example.org", r"a\?b.example.org"),
        ("_smtp.\x1b.example.org", r"_smtp.\027.example.org"),
        ("127.0.0.1", "127.0.0.1"),
    ] {
        let srv = |target: &str| sent(HOST, Rtype::SRV, 7, &[&[0; 6], &wire(target)[..]].concat());
        let records = [srv(name), srv("imap.example.org")];
        let Answer::Records(given) = ask(RecordKind::Srv, Reply::of(&records)).await else {
            panic!("{name}");
        };
        let targets: Vec<_> = given
            .records
            .iter()
            .map(|record| match record {
                Record::Srv(srv) => (srv.target.as_str(), srv.target.to_host().is_some()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(targets, [(shown, false), ("imap.example.org", true)]);
        let data = [&[0, 1], &wire(name)[..]].concat();
        let mx = sent(HOST, Rtype::MX, 7, &data);
        let Answer::Records(given) = ask(RecordKind::Mx, Reply::of(&[mx])).await else {
            panic!("{name}");
        };
        let [Record::Mx(mx)] = given.records.as_slice() else {
            panic!("{given:?}");
        };
        assert_eq!((mx.exchange.as_str(), mx.exchange.to_host()), (shown, None));
    }
}

#[tokio::test]
async fn rejects_records_that_cannot_be_read() {
    for (kind, record) in [
        (RecordKind::A, sent(HOST, Rtype::A, 7, &[192, 0, 2])),
        (RecordKind::Tlsa, sent(HOST, Rtype::TLSA, 7, &[3, 1])),
        (RecordKind::Srv, sent(HOST, Rtype::SRV, 7, &[0; 6])),
        (RecordKind::Cname, alias(HOST, "a b.example.org", 7)),
    ] {
        assert_eq!(ask(kind, Reply::of(&[record])).await, MALFORMED, "{kind}");
    }
    // One of two that is wrong.
    let records = [a(HOST, 1), sent(HOST, Rtype::A, 7, &[192, 0, 2])];
    assert_eq!(ask(RecordKind::A, Reply::of(&records)).await, MALFORMED);
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
