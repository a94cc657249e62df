//! The cost of decoding, signing, verifying and refusing, compared with the raw primitives.

#![allow(missing_docs, reason = "criterion_group! makes public items")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot begin stops"
)]

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use ring::signature::{self as raw, KeyPair, UnparsedPublicKey};
use tokenbind_wire::{
    EncodingProfile, Extension, KeyParameters, Limits, Negotiated, P256Key, PkiTypes,
    PointEncoding, Position, ProtocolVersion, PublicKey, Rsa2048Key, RustCrypto, Session, Sign,
    SignError, Signature, SignatureEncoding, SignedOctets, TlsFacts, TlsUnique, TokenBinding,
    TokenBindingAlpn, TokenBindingId, TokenBindingMessage, TokenBindingMessageRef,
    TokenBindingType, Verify, establish, registry::ExtensionType, sign_message,
};

const PROFILE: EncodingProfile = EncodingProfile::new(PointEncoding::X962, SignatureEncoding::Der);

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

fn sent(session: &Session, key: &dyn Sign) -> Vec<u8> {
    sign_message(session.negotiated, &session.tls_unique, key, None, PROFILE)
        .expect("a message")
        .to_vec()
        .expect("it fits")
}

fn decode(c: &mut Criterion) {
    let p256 = session(TokenBindingAlpn::Http11P256);
    let rsa = session(TokenBindingAlpn::Http11Rsa2048);
    let messages = [
        (
            "p256",
            sent(&p256, &P256Key::generate().expect("random source")),
        ),
        (
            "rsa2048",
            sent(&rsa, &Rsa2048Key::generate().expect("random source")),
        ),
    ];
    for (name, bytes) in &messages {
        c.bench_function(&format!("decode/{name}"), |b| {
            b.iter(|| TokenBindingMessageRef::from_bytes(black_box(bytes), PROFILE).is_ok());
        });
    }
}

/// The message that costs most before it is refused: all 16 bindings that a message may contain, each
/// with a curve check, the rest of 64 KB one-byte extensions, and the error in the last byte.
fn adversarial() -> Vec<u8> {
    let session = session(TokenBindingAlpn::Http11P256);
    let octets = session.tls_unique.signed_octets();
    let key = P256Key::generate().expect("random source");
    let room = Limits::MAX_EXTENSION_BYTES - 16 * 160;
    let extensions = vec![
        Extension {
            extension_type: ExtensionType(0),
            extension_data: Vec::new()
        };
        room / 3
    ];
    let bindings = (0..16)
        .map(|number| {
            let key = if number == 1 {
                &P256Key::generate().expect("random source")
            } else {
                &key
            };
            let id =
                TokenBindingId::try_new(TokenBindingType(number), key.public_key(), PROFILE.point);
            let signature = key.sign(&octets).expect("signs").to_vec(PROFILE.signature);
            let extensions = if number == 15 {
                extensions.clone()
            } else {
                Vec::new()
            };
            TokenBinding::new(id.expect("a key"), signature, extensions)
        })
        .collect();
    let message = TokenBindingMessage::try_new(bindings, PROFILE).expect("a message");
    let mut bytes = message.to_vec().expect("it fits");
    *bytes.last_mut().expect("a byte") = 1;
    assert!(bytes.len() > 60_000 && TokenBindingMessageRef::from_bytes(&bytes, PROFILE).is_err());
    bytes
}

fn refuse(c: &mut Criterion) {
    let session = session(TokenBindingAlpn::Http11P256);
    let bytes = adversarial();
    c.bench_function("refuse/adversarial-64-kb", |b| {
        b.iter(|| {
            establish(
                Some(&session),
                Position::First,
                Some(black_box(&bytes)),
                &RustCrypto,
                PROFILE,
            )
        });
    });
    let many = [&[0xff, 0xff][..], &[0, 4, 1, 1, 0].repeat(13_107)].concat();
    c.bench_function("refuse/garbage-64-kb", |b| {
        b.iter(|| {
            establish(
                Some(&session),
                Position::First,
                Some(black_box(&many)),
                &RustCrypto,
                PROFILE,
            )
        });
    });
}

fn verify(c: &mut Criterion) {
    let ring = PkiTypes::new(webpki::ALL_VERIFICATION_ALGS);
    let aws = PkiTypes::new(&[
        webpki::aws_lc_rs::ECDSA_P256_SHA256,
        webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
    ]);
    let backends: [(&str, &dyn Verify); 3] = [
        ("rustcrypto", &RustCrypto),
        ("ring", &ring),
        ("aws-lc-rs", &aws),
    ];
    let p256_key = P256Key::generate().expect("random source");
    let rsa_key = Rsa2048Key::generate().expect("random source");
    let keys: [(TokenBindingAlpn, &dyn Sign); 2] = [
        (TokenBindingAlpn::Http11P256, &p256_key),
        (TokenBindingAlpn::Http11Rsa2048, &rsa_key),
    ];
    for (alpn, key) in keys {
        let name = alpn.key_parameters().name();
        let session = session(alpn);
        let octets = session.tls_unique.signed_octets();
        let signature = key.sign(&octets).expect("signs");
        let bytes = sent(&session, key);
        for (backend, verifier) in backends {
            c.bench_function(&format!("verify-{name}/{backend}"), |b| {
                b.iter(|| {
                    establish(
                        Some(&session),
                        Position::First,
                        Some(black_box(&bytes)),
                        verifier,
                        PROFILE,
                    )
                });
            });
            c.bench_function(&format!("verify-{name}/{backend}-raw"), |b| {
                b.iter(|| {
                    raw_verify(
                        verifier,
                        backend,
                        black_box(key.public_key()),
                        &octets,
                        &signature,
                    )
                });
            });
        }
        c.bench_function(&format!("sign-{name}/rustcrypto"), |b| {
            b.iter(|| key.sign(black_box(&octets)))
        });
    }
    sign_with_ring(c);
}

/// The primitive and its key parse, with nothing of ours between.
fn raw_verify(
    verifier: &dyn Verify,
    backend: &str,
    key: &PublicKey,
    octets: &SignedOctets,
    signature: &Signature,
) -> bool {
    match (backend, key, signature) {
        ("ring", PublicKey::P256(xy), signature) => {
            let point = [&[4][..], xy.as_slice()].concat();
            UnparsedPublicKey::new(&raw::ECDSA_P256_SHA256_ASN1, point)
                .verify(octets.as_bytes(), &signature.to_vec(SignatureEncoding::Der))
                .is_ok()
        }
        (
            "ring",
            PublicKey::Rsa2048 {
                modulus,
                publicexponent,
            },
            Signature::Rsa2048(signature),
        ) => raw::RsaPublicKeyComponents {
            n: modulus,
            e: publicexponent,
        }
        .verify(
            &raw::RSA_PKCS1_2048_8192_SHA256,
            octets.as_bytes(),
            signature.as_slice(),
        )
        .is_ok(),
        ("aws-lc-rs", PublicKey::P256(xy), signature) => {
            use aws_lc_rs::signature as aws;
            let point = [&[4][..], xy.as_slice()].concat();
            aws::UnparsedPublicKey::new(&aws::ECDSA_P256_SHA256_ASN1, point)
                .verify(octets.as_bytes(), &signature.to_vec(SignatureEncoding::Der))
                .is_ok()
        }
        (
            "aws-lc-rs",
            PublicKey::Rsa2048 {
                modulus,
                publicexponent,
            },
            Signature::Rsa2048(signature),
        ) => {
            use aws_lc_rs::signature as aws;
            aws::RsaPublicKeyComponents {
                n: modulus,
                e: publicexponent,
            }
            .verify(
                &aws::RSA_PKCS1_2048_8192_SHA256,
                octets.as_bytes(),
                signature.as_slice(),
            )
            .is_ok()
        }
        (_, PublicKey::P256(xy), Signature::P256(signature)) => raw_p256(xy, octets, signature),
        (
            _,
            PublicKey::Rsa2048 {
                modulus,
                publicexponent,
            },
            Signature::Rsa2048(signature),
        ) => raw_rsa(modulus, publicexponent, octets, signature),
        _ => verifier.supports(KeyParameters::P256),
    }
}

fn raw_p256(xy: &[u8; 64], octets: &SignedOctets, signature: &[u8; 64]) -> bool {
    use p256::ecdsa::{Signature, VerifyingKey, signature::Verifier};
    let key = VerifyingKey::from_sec1_bytes(&[&[4][..], xy].concat()).expect("a key");
    let signature = Signature::from_slice(signature).expect("a signature");
    key.verify(octets.as_bytes(), &signature).is_ok()
}

fn raw_rsa(
    modulus: &[u8],
    publicexponent: &[u8],
    octets: &SignedOctets,
    signature: &[u8; 256],
) -> bool {
    use rsa::{BoxedUint, pkcs1v15, signature::Verifier};
    let [n, e] = [modulus, publicexponent].map(BoxedUint::from_be_slice_vartime);
    let key = rsa::PublicKey::new(n, e).expect("a key");
    let signature = pkcs1v15::Signature::try_from(signature.as_slice()).expect("a signature");
    pkcs1v15::VerifyingKey::<sha2::Sha256>::new(key)
        .verify(octets.as_bytes(), &signature)
        .is_ok()
}

/// `Sign` over another backend, as an application would write it.
enum RingKey {
    P256(raw::EcdsaKeyPair, PublicKey),
    Rsa(raw::RsaKeyPair, PublicKey),
}

impl Sign for RingKey {
    fn public_key(&self) -> &PublicKey {
        match self {
            Self::P256(_, key) | Self::Rsa(_, key) => key,
        }
    }

    fn sign(&self, octets: &SignedOctets) -> Result<Signature, SignError> {
        let random = ring::rand::SystemRandom::new();
        match self {
            Self::P256(pair, _) => {
                let signature = pair
                    .sign(&random, octets.as_bytes())
                    .map_err(|_| SignError::Backend)?;
                signature
                    .as_ref()
                    .try_into()
                    .map(Signature::P256)
                    .map_err(|_| SignError::Backend)
            }
            Self::Rsa(pair, _) => {
                let mut signature = Box::new([0; 256]);
                pair.sign(
                    &raw::RSA_PKCS1_SHA256,
                    &random,
                    octets.as_bytes(),
                    signature.as_mut_slice(),
                )
                .map_err(|_| SignError::Backend)?;
                Ok(Signature::Rsa2048(signature))
            }
        }
    }
}

fn sign_with_ring(c: &mut Criterion) {
    let random = ring::rand::SystemRandom::new();
    let algorithm = &raw::ECDSA_P256_SHA256_FIXED_SIGNING;
    let der = P256Key::generate()
        .and_then(|key| key.to_pkcs8_der())
        .expect("a key");
    let pair = raw::EcdsaKeyPair::from_pkcs8(algorithm, &der, &random).expect("a key");
    let xy = pair.public_key().as_ref()[1..]
        .try_into()
        .expect("64 bytes");
    let p256 = RingKey::P256(pair, PublicKey::P256(Box::new(xy)));
    let key = Rsa2048Key::generate().expect("a key");
    let pair = raw::RsaKeyPair::from_pkcs8(&key.to_pkcs8_der().expect("a key")).expect("a key");
    let rsa = RingKey::Rsa(pair, key.public_key().clone());
    let octets = session(TokenBindingAlpn::Http11P256)
        .tls_unique
        .signed_octets();
    for key in [p256, rsa] {
        let name = key.public_key().parameters().name();
        c.bench_function(&format!("sign-{name}/ring"), |b| {
            b.iter(|| key.sign(black_box(&octets)))
        });
        c.bench_function(&format!("sign-{name}/ring-raw"), |b| {
            b.iter(|| match &key {
                RingKey::P256(pair, _) => pair.sign(&random, black_box(octets.as_bytes())).is_ok(),
                RingKey::Rsa(pair, _) => {
                    let mut signature = [0; 256];
                    pair.sign(
                        &raw::RSA_PKCS1_SHA256,
                        &random,
                        black_box(octets.as_bytes()),
                        &mut signature,
                    )
                    .is_ok()
                }
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    targets = decode, refuse, verify
}
criterion_main!(benches);
