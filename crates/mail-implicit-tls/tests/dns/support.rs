//! Servers that leave the records of DNSSEC out of their answers: their answers are no proof against a zone.

use std::net::SocketAddr;

use domain::base::{Rtype, iana::Rcode};
use mail_implicit_tls::dns::{
    Answer, LookupFailure, RecordKind, Resolve, anchors::TrustAnchors, resolver::ValidatingResolver,
};

use crate::name_server::{PATIENCE, Reply, a, answering, question, sent, server};

async fn failure(server: SocketAddr, anchors: &TrustAnchors) -> Answer {
    let resolver = ValidatingResolver::new(server, anchors).with_timeout(PATIENCE);
    resolver.lookup(&question(RecordKind::A)).await
}

/// A key of the root, of the form that the validator reads.
fn key() -> crate::name_server::Sent {
    sent(".", Rtype::DNSKEY, 300, &[1, 1, 3, 8, 3, 1, 0, 1, 0xaf])
}

/// The root's signature over its keys, which is not valid.
fn signature() -> crate::name_server::Sent {
    let mut data = vec![0, 48, 8, 0, 0, 0, 1, 44];
    data.extend([0x7f; 4]);
    data.extend([0; 4]);
    data.extend([0x4f, 0x66, 0]);
    data.extend([0xaa; 256]);
    sent(".", Rtype::RRSIG, 300, &data)
}

#[tokio::test]
async fn distinguishes_servers_without_dnssec_from_zones_that_are_bogus() {
    let iana = TrustAnchors::iana();
    // One answer for all questions: there are no keys.
    let stripped = server(Reply::of(&[a("imap.example.org.", 1)])).await;
    let expected = Answer::Failed(LookupFailure::NoDnssec);
    assert_eq!(failure(stripped, &iana).await, expected);
    let host = || Reply::of(&[a("imap.example.org.", 1)]);
    for (keys, cause) in [
        (Reply::of(&[]), LookupFailure::NoDnssec),
        (Reply::of(&[key()]), LookupFailure::NoDnssec),
        (Reply::code(Rcode::NOTIMP), LookupFailure::NoDnssec),
        (Reply::code(Rcode::FORMERR), LookupFailure::NoDnssec),
        (Reply::code(Rcode::REFUSED), LookupFailure::NoDnssec),
        // Signatures come, so a zone without them is at fault.
        (Reply::of(&[key(), signature()]), LookupFailure::Bogus),
        // A failure is none of the zone, and says nothing about DNSSEC.
        (Reply::code(Rcode::SERVFAIL), LookupFailure::ServerFailure),
    ] {
        let server = answering(move |_, kind| match kind {
            Rtype::DNSKEY => keys.clone(),
            _ => host(),
        });
        let server = server.await;
        assert_eq!(failure(server, &iana).await, Answer::Failed(cause));
    }
}
