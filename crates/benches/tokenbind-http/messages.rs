//! The cost of a request's header for the server: a repeated one, the first, many different ones, and
//! the worst a client can send; and what a ClientHello costs.

#![allow(
    missing_docs,
    unreachable_pub,
    reason = "criterion_group! makes public items"
)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot begin stops"
)]

use std::{hint::black_box, sync::Arc};

use benches::{Ratio, compare, ratios, times};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ring::signature as raw;
use rustls::server::Acceptor;
use tokenbind_http::{
    federation::{Party, Permission},
    header::{self, Header, HeaderOptions},
    server::{self, MAX_VERIFIED_MESSAGES, RequestOutcome},
    tls::{Choice, ClientOffer, VersionPreference},
};
use tokenbind_wire::{
    EncodingProfile, Extension, P256Key, PkiTypes, ProtocolVersion, PublicKey, Rsa2048Key, Session,
    Sign, Signature, SignatureEncoding, SignedOctets, TlsFacts, TlsUnique, TokenBinding,
    TokenBindingAlpn, TokenBindingId, TokenBindingMessage, TokenBindingType,
    registry::ExtensionType, sign_message,
};

const PROFILE: EncodingProfile = EncodingProfile::ALL[0];

fn session(alpn: TokenBindingAlpn) -> Session {
    let facts = TlsFacts {
        version: ProtocolVersion::TLS1_2,
        extended_master_secret: true,
    };
    Session {
        negotiated: tokenbind_wire::Negotiated::try_new(alpn, facts).expect("the rule permits it"),
        tls_unique: TlsUnique::from_engine(&[7; 12], facts).expect("12 bytes"),
    }
}

fn verifier() -> PkiTypes {
    let provider = rustls::crypto::ring::default_provider();
    PkiTypes::new(provider.signature_verification_algorithms.all)
}

/// The length of a long header.
const LONG: usize = 8192;

/// A key, and a connection on which its parameters were negotiated.
fn kinds() -> [(&'static str, Session, Box<dyn Sign>); 2] {
    [
        (
            "p256",
            session(TokenBindingAlpn::Http11P256),
            Box::new(P256Key::generate().expect("random source")),
        ),
        (
            "rsa2048",
            session(TokenBindingAlpn::Http11Rsa2048),
            Box::new(Rsa2048Key::generate().expect("random source")),
        ),
    ]
}

fn header(session: &Session, provided: &dyn Sign, referred: Option<&dyn Sign>) -> String {
    let (negotiated, unique) = (session.negotiated, &session.tls_unique);
    let message = sign_message(negotiated, unique, provided, referred, PROFILE).expect("a message");
    header::encode(&message.to_vec().expect("it fits"))
}

fn bound(outcome: &RequestOutcome) -> bool {
    matches!(outcome, RequestOutcome::Bound(_))
}

/// Requests that carry the header which was verified already.
fn repeated(c: &mut Criterion) {
    for (name, session, key) in kinds() {
        let value = header(&session, &*key, None);
        let options = server::Options::default();
        let connection = server::Connection::new(Some(session), Arc::new(verifier()), options);
        assert!(bound(&connection.request([value.as_bytes()])));
        c.bench_function(&format!("repeated/{name}"), |b| {
            b.iter(|| connection.request([black_box(value.as_bytes())]));
        });
    }
}

fn decode(c: &mut Criterion) {
    for (name, session, key) in kinds() {
        let value = header(&session, &*key, None);
        c.bench_function(&format!("decode-header/{name}"), |b| {
            b.iter(|| Header::One(black_box(value.as_bytes())).decode(HeaderOptions::default()));
        });
    }
}

/// The raw primitive and its key parse, as a caller of ring writes it.
fn raw_verify(key: &PublicKey, octets: &SignedOctets, signature: &Signature) -> bool {
    match (key, signature) {
        (PublicKey::P256(xy), signature) => {
            let point = [&[4][..], xy.as_slice()].concat();
            raw::UnparsedPublicKey::new(&raw::ECDSA_P256_SHA256_ASN1, point)
                .verify(octets.as_bytes(), &signature.to_vec(SignatureEncoding::Der))
                .is_ok()
        }
        (
            PublicKey::Rsa2048 {
                modulus: n,
                publicexponent: e,
            },
            Signature::Rsa2048(signature),
        ) => raw::RsaPublicKeyComponents { n, e }
            .verify(
                &raw::RSA_PKCS1_2048_8192_SHA256,
                octets.as_bytes(),
                signature.as_slice(),
            )
            .is_ok(),
        _ => false,
    }
}

/// Repeats one verification with ring a given number of times.
fn verification(session: &Session, key: &dyn Sign) -> impl FnMut(u32) {
    let octets = session.tls_unique.signed_octets();
    let (key, signature) = (key.public_key().clone(), key.sign(&octets).expect("signs"));
    move |times| {
        for _ in 0..times {
            assert!(raw_verify(black_box(&key), &octets, &signature));
        }
    }
}

/// The first request of a connection, against the raw primitive.
fn first(c: &mut Criterion<Ratio>) {
    for (name, session, key) in kinds() {
        let value = header(&session, &*key, None);
        let verifier = verifier();
        let request = |times| {
            for _ in 0..times {
                let mut binding =
                    server::ConnectionState::new(Some(session), server::Options::default());
                assert!(bound(
                    &binding.request([black_box(value.as_bytes())], &verifier)
                ));
            }
        };
        let id = format!("first-{name}/to-raw");
        compare(c, &id, 4, request, verification(&session, &*key));
    }
}

/// An extension, which is not signed and which a client can vary without cost.
fn extensions(number: usize, data: u8) -> Vec<Extension> {
    let extension = Extension {
        extension_type: ExtensionType(data),
        extension_data: Vec::new(),
    };
    vec![extension; number]
}

fn binding(kind: u8, key: &P256Key, signature: &Signature, data: Vec<Extension>) -> TokenBinding {
    let kind = TokenBindingType(kind);
    let id = TokenBindingId::try_new(kind, key.public_key(), PROFILE.point).expect("a key");
    TokenBinding::new(id, signature.to_vec(PROFILE.signature), data)
}

fn written(bindings: Vec<TokenBinding>) -> String {
    let message = TokenBindingMessage::try_new(bindings, PROFILE).expect("a message");
    header::encode(&message.to_vec().expect("it fits"))
}

/// The keys of a client that means harm, and what it signs with them.
struct Adversary {
    provided: P256Key,
    referred: P256Key,
    other: P256Key,
    octets: SignedOctets,
}

impl Adversary {
    fn new(session: &Session) -> Self {
        let key = || P256Key::generate().expect("random source");
        Self {
            provided: key(),
            referred: key(),
            other: key(),
            octets: session.tls_unique.signed_octets(),
        }
    }

    fn sign(&self, key: &P256Key) -> Signature {
        key.sign(&self.octets).expect("signs")
    }

    /// A header with two bindings; each `variant` is another one.
    fn header(&self, variant: u8) -> String {
        let [provided, referred] = [&self.provided, &self.referred];
        written(vec![
            binding(0, provided, &self.sign(provided), extensions(1, variant)),
            binding(1, referred, &self.sign(referred), Vec::new()),
        ])
    }

    /// A long header with all that costs: as many bindings as are read, extensions in what room is left, a provided
    /// and at the end a referred binding.
    fn longest(&self, variant: u8, signer_of_referred: &P256Key) -> String {
        let [provided, referred] = [&self.provided, &self.referred];
        let signature = self.sign(provided);
        let with = |number| {
            let filler = extensions(number, variant);
            let mut bindings = vec![binding(0, provided, &signature, filler)];
            let others = 2..16;
            bindings.extend(others.map(|kind| binding(kind, &self.other, &signature, Vec::new())));
            let signature = self.sign(signer_of_referred);
            bindings.push(binding(1, referred, &signature, Vec::new()));
            written(bindings)
        };
        // Three bytes an extension are four characters.
        let room = LONG - with(0).len();
        let value = with(room / 4);
        assert!((LONG - 4..=LONG).contains(&value.len()));
        value
    }
}

/// The highest cost that a client can cause with each request, relative to two verifications: more
/// are never made. First a connection that continues, with more headers than are remembered; then the
/// one header after which there is none.
fn adversarial(c: &mut Criterion<Ratio>) {
    let session = session(TokenBindingAlpn::Http11P256);
    let adversary = Adversary::new(&session);
    let two = || {
        let mut one = verification(&session, &adversary.provided);
        move |times| one(2 * times)
    };
    let alternating = |header: &dyn Fn(u8) -> String| {
        let variants = 0..=u8::try_from(MAX_VERIFIED_MESSAGES).expect("a few");
        let values: Vec<_> = variants.map(header).collect();
        let mut values = values.into_iter().cycle();
        let mut connection =
            server::ConnectionState::new(Some(session), server::Options::default());
        let verifier = verifier();
        move |times| {
            for value in values.by_ref().take(usize::try_from(times).expect("few")) {
                assert!(bound(&connection.request([value.as_bytes()], &verifier)));
            }
        }
    };
    let short = alternating(&|variant| adversary.header(variant));
    compare(c, "alternating/to-two", 2, short, two());
    let long = alternating(&|variant| adversary.longest(variant, &adversary.referred));
    compare(c, "alternating-8-kb/to-two", 2, long, two());

    let value = adversary.longest(0, &adversary.other);
    let verifier = verifier();
    let refused = |times| {
        for _ in 0..times {
            let mut connection =
                server::ConnectionState::new(Some(session), server::Options::default());
            let outcome = connection.request([black_box(value.as_bytes())], &verifier);
            let RequestOutcome::Terminate(refusal) = outcome else {
                panic!("a wrong signature is refused");
            };
            assert_eq!(refusal.kind().name(), "signature-invalid");
        }
    };
    compare(c, "wrong-8-kb/to-two", 2, refused, two());
}

/// Headers of this length that are refused without a signature verified.
fn garbage(session: &Session, length: usize) -> [(&'static str, Vec<u8>); 2] {
    // An alphabet that is right up to the last character.
    let value = [vec![b'A'; length - 1], vec![b'.']].concat();
    // One binding whose extensions go on to the end, and there are wrong.
    let key = P256Key::generate().expect("random source");
    let signature = key.sign(&session.tls_unique.signed_octets());
    let filler = extensions((length * 3 / 4 - 160) / 3, 0);
    let binding = binding(0, &key, &signature.expect("signs"), filler);
    let message = TokenBindingMessage::try_new(vec![binding], PROFILE).expect("a message");
    let mut message = message.to_vec().expect("it fits");
    *message.last_mut().expect("a byte") = 1;
    let message = header::encode(&message).into_bytes();
    [("base64url", value), ("message", message)]
}

/// Refuses [`garbage`] a given number of times.
fn refuse_garbage(session: &Session, value: &[u8]) -> impl FnMut(u32) {
    let verifier = verifier();
    move |times| {
        for _ in 0..times {
            let mut binding =
                server::ConnectionState::new(Some(*session), server::Options::default());
            let outcome = binding.request([black_box(value)], &verifier);
            assert!(matches!(outcome, RequestOutcome::Terminate(_)));
        }
    }
}

fn refused(c: &mut Criterion) {
    let session = session(TokenBindingAlpn::Http11P256);
    let mut group = c.benchmark_group("refused-8-kb");
    group.throughput(throughput(LONG));
    for (name, value) in garbage(&session, LONG) {
        let mut refuse = refuse_garbage(&session, &value);
        group.bench_function(name, |b| b.iter(|| refuse(1)));
    }
    group.finish();
}

fn throughput(bytes: usize) -> Throughput {
    Throughput::Bytes(u64::try_from(bytes).expect("a length"))
}

/// Linear growth: one of 8 kB against four of 2 kB.
fn refused_linear(c: &mut Criterion<Ratio>) {
    let session = session(TokenBindingAlpn::Http11P256);
    let long = garbage(&session, LONG);
    let short = garbage(&session, LONG / 4);
    for ((name, long), (_, short)) in long.iter().zip(&short) {
        let long = refuse_garbage(&session, long);
        let mut short = refuse_garbage(&session, short);
        let id = format!("refused-{name}-8-kb/to-four-2-kb");
        compare(c, &id, 20, long, |times| short(4 * times));
    }
}

/// Vectors as TLS writes them.
fn vector<const PREFIX: usize>(content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    [length.split_at(length.len() - PREFIX).1, content].concat()
}

/// The records of a ClientHello for which rustls finds nothing missing.
fn client_hello(suites: &[u8], alpn: &[u8], extensions: &[u8], record: usize) -> Vec<u8> {
    let extension = |number: u16, content: &[u8]| {
        [number.to_be_bytes().to_vec(), vector::<2>(content)].concat()
    };
    let extensions = [
        extension(23, &[]),
        extension(10, &vector::<2>(&[0, 29, 0, 23])),
        extension(13, &vector::<2>(&[4, 3, 8, 4])),
        extension(16, &vector::<2>(alpn)),
        extensions.to_vec(),
    ];
    let body = [
        vec![3, 3],
        vec![7; 32],
        vector::<1>(&[]),
        vector::<2>(&[&[0xc0, 0x2b][..], suites].concat()),
        vector::<1>(&[0]),
        vector::<2>(&extensions.concat()),
    ];
    let message = [vec![1], vector::<3>(&body.concat())].concat();
    let records = message.chunks(record);
    records
        .flat_map(|record| [vec![22, 3, 1], vector::<2>(record)].concat())
        .collect()
}

const IDENTIFIER: &[u8] = b"\x10http/1.1_tb_p256";

/// One `ClientHello` for each thing it can mostly consist of. `length` is that of its records.
fn client_hellos(length: usize) -> [(&'static str, Vec<u8>); 4] {
    let filler = length - 256;
    let extensions: Vec<u8> = (0x1000..u16::MAX)
        .take(filler / 4)
        .flat_map(|number| [number.to_be_bytes(), [0, 0]].concat())
        .collect();
    let identifiers = [&[1, b'x'].repeat(filler / 2)[..], IDENTIFIER].concat();
    let suites = [0x13, 0x01].repeat(filler / 2);
    let fewer_suites = [0x13, 0x01].repeat(length / 6 / 2 - 64);
    let record = 1 << 14;
    [
        (
            "extensions",
            client_hello(&[], IDENTIFIER, &extensions, record),
        ),
        ("alpn", client_hello(&[], &identifiers, &[], record)),
        ("suites", client_hello(&suites, IDENTIFIER, &[], record)),
        ("records", client_hello(&fewer_suites, IDENTIFIER, &[], 1)),
    ]
}

/// Reads and decides a given number of times.
fn choose_for(records: &[u8]) -> impl FnMut(u32) {
    let provider = rustls::crypto::ring::default_provider();
    let suites = provider.cipher_suites.iter();
    let suites = suites.filter(|suite| suite.tls13().is_none());
    let suites: Vec<u16> = suites.map(|suite| suite.suite().into()).collect();
    move |times| {
        for _ in 0..times {
            let offer = ClientOffer::from_records(black_box(records)).expect("readable");
            let preference = VersionPreference::TokenBinding;
            let choice = offer.choose(&TokenBindingAlpn::ALL, &suites, preference);
            assert_eq!(choice, Choice::TokenBinding);
        }
    }
}

/// The time that rustls needs to read the same ClientHello, which it does first.
fn rustls_reads(records: &[u8]) -> impl FnMut(u32) {
    move |times| {
        for _ in 0..times {
            let mut acceptor = Acceptor::default();
            let mut records = black_box(records);
            let accepted = loop {
                acceptor.read_tls(&mut records).expect("reads");
                match acceptor.accept() {
                    Ok(Some(accepted)) => break accepted,
                    Ok(None) => {}
                    Err((error, _)) => panic!("{error}"),
                }
            };
            assert!(accepted.client_hello().alpn().is_some());
        }
    }
}

fn hello(c: &mut Criterion) {
    let mut group = c.benchmark_group("client-hello-64-kb");
    for (name, records) in client_hellos(64_000) {
        let mut choose = choose_for(&records);
        group.throughput(throughput(records.len()));
        group.bench_function(name, |b| b.iter(|| choose(1)));
    }
    group.finish();
}

/// Linear growth: one of 64 kB against four of 16 kB; and the longest against what rustls takes.
fn hello_compared(c: &mut Criterion<Ratio>) {
    for ((name, long), (_, short)) in client_hellos(64_000).iter().zip(&client_hellos(16_000)) {
        let (long, mut short) = (choose_for(long), choose_for(short));
        let id = format!("client-hello-{name}-64-kb/to-four-16-kb");
        compare(c, &id, 1, long, |times| short(4 * times));
    }
    for (name, records) in &client_hellos(64_000) {
        let id = format!("client-hello-{name}-64-kb/to-rustls");
        compare(c, &id, 1, choose_for(records), rustls_reads(records));
    }
}

/// A redirect of a token consumer: the permission, and the disclosure to the token provider.
fn redirect(c: &mut Criterion) {
    let party = |origin: &str| Party {
        origin: origin.parse().expect("an origin"),
        negotiated: Some(tokenbind_wire::KeyParameters::P256),
    };
    let consumer = party("https://consumer.example");
    let provider = party("https://provider.example");
    c.bench_function("redirect/decision", |b| {
        b.iter(|| {
            let permission = Permission::by_redirect(302, [black_box(&b"true"[..])], &consumer);
            permission.map(|permission| permission.disclose(&provider))
        });
    });
}

criterion_group! {
    name = timed;
    config = times();
    targets = repeated, decode, refused, hello, redirect
}
criterion_group! {
    name = compared;
    config = ratios();
    targets = first, adversarial, refused_linear, hello_compared
}
criterion_main!(timed, compared);
