//! Denials without the SOA record, which some name servers leave out.

use domain::base::{Rtype, iana::Rcode};
use mail_implicit_tls::dns::{
    Answer, Denial, Dnssec, LookupFailure, RecordKind, Resolve, anchors::TrustAnchors,
    resolver::ValidatingResolver,
};

use crate::name_server::{PATIENCE, Reply, Sent, answering, denied, question, sent, wire};

#[tokio::test]
async fn reads_denials_without_soa_of_zones_that_are_not_signed() {
    // A trust anchor of another domain, so that the zone is insecure.
    let elsewhere = TrustAnchors::parse("test. 300 IN DNSKEY 257 3 8 AwEAAa8=").unwrap();
    for (code, denial) in [
        (Rcode::NOERROR, Denial::NoData),
        (Rcode::NXDOMAIN, Denial::NoName),
    ] {
        let answer = ask(code, vec![soa()], &elsewhere).await;
        assert_eq!(answer, denied(denial, Dnssec::Insecure));
    }
    // No zone is known, or one that must be signed.
    let bogus = Answer::Failed(LookupFailure::Bogus);
    let nothing = ask(Rcode::NOERROR, Vec::new(), &elsewhere).await;
    assert_eq!(nothing, bogus);
    let signed = ask(Rcode::NOERROR, vec![soa()], &TrustAnchors::iana()).await;
    assert_eq!(signed, bogus);
}

fn soa() -> Sent {
    let names = [wire("ns.example.org."), wire("a.example.org.")].concat();
    sent(
        "example.org.",
        Rtype::SOA,
        300,
        &[&names[..], &[0; 20]].concat(),
    )
}

/// Asks a server that denies all records with this code and nothing else, but for those of the zone, and for a signature
/// over the root's keys that is not valid.
async fn ask(code: Rcode, zone: Vec<Sent>, anchors: &TrustAnchors) -> Answer {
    let signature = [
        &[0, 48, 8, 0, 0, 0, 1, 44][..],
        &[0x7f, 0x7f, 0x7f, 0x7f, 0, 0, 0, 0, 0x4f, 0x66, 0],
        &[0xaa; 256],
    ]
    .concat();
    let signature = sent(".", Rtype::RRSIG, 300, &signature);
    let server = answering(move |name, kind| match kind {
        Rtype::SOA if name == "example.org" => Reply::of(&zone),
        Rtype::DNSKEY => Reply::of(std::slice::from_ref(&signature)),
        _ => Reply::code(code),
    });
    let resolver = ValidatingResolver::new(server.await, anchors).with_timeout(PATIENCE);
    resolver.lookup(&question(RecordKind::Srv)).await
}
