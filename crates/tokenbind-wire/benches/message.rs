//! What decoding, signing and verifying cost.
#![allow(missing_docs, reason = "criterion_group! makes public items")]
#![allow(clippy::expect_used, reason = "a benchmark that cannot begin stops")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use tokenbind_wire::*;

fn session(alpn: TokenBindingAlpn) -> Session {
    let facts = TlsFacts {
        version: ProtocolVersion::TLS1_2,
        extended_master_secret: true,
    };
    Session {
        negotiated: Negotiated::try_new(alpn, facts).expect("the rule permits it"),
        tls_unique: TlsUnique::from_engine(&[7; 12], facts).expect("12 bytes"),
    }
}

fn decode(c: &mut Criterion) {
    let session = session(TokenBindingAlpn::Http11P256);
    let profile = EncodingProfile::default();
    let key = P256Key::generate().expect("random source");
    let sent = message(session.negotiated, &session.tls_unique, &key, None, profile)
        .and_then(|message| message.to_vec().map_err(MessageError::Encode))
        .expect("a message");
    c.bench_function("decode/p256", |b| {
        b.iter(|| TokenBindingMessageRef::from_bytes(black_box(&sent), profile).is_ok());
    });
}

criterion_group!(benches, decode);
criterion_main!(benches);
