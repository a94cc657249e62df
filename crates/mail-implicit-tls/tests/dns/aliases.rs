//! Aliases in the answers of a name server.

use domain::base::{
    Rtype,
    iana::{Class, Rcode},
};
use mail_implicit_tls::dns::{Answer, Denial, DnsName, Dnssec, LookupFailure, Record, RecordKind};

use crate::name_server::{HOST, MALFORMED, Reply, a, address, alias, ask, denied, found, sent};

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
    // A resolver that follows the circle gives a record again.
    let again = [&circle[..], &circle[..1]].concat();
    assert_eq!(ask(RecordKind::A, Reply::of(&again)).await, aliases);
}
