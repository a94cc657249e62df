//! The vectors of RSA exponents, with every backend.

#![allow(clippy::unwrap_used, reason = "tests")]

use conformance::{Origin, VectorFile, repository};
use conformance_tokenbind_wire::{PROTOCOL, case::FACTS};
use tokenbind_wire::{
    EncodingProfile, Negotiated, Outcome, PkiTypes, Position, RustCrypto, Session, TerminateKind,
    TlsUnique, TokenBindingAlpn, Verify, establish,
};

fn ring() -> PkiTypes {
    PkiTypes::new(webpki::ALL_VERIFICATION_ALGS)
}

fn aws_lc_rs() -> PkiTypes {
    PkiTypes::new(&[
        webpki::aws_lc_rs::ECDSA_P256_SHA256,
        webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
    ])
}

/// The vectors whose signature is right under an exponent of so many bits, with the three backends.
#[test]
fn verifies_rsa_exponents_up_to_33_bits_with_every_backend() {
    let path = PROTOCOL.folder(&repository()).join("vectors/message.json");
    let file = VectorFile::load(&path, Origin::Own).unwrap();
    let verifiers: [(&str, &dyn Verify); 3] = [
        ("rustcrypto", &RustCrypto),
        ("ring", &ring()),
        ("aws-lc-rs", &aws_lc_rs()),
    ];
    let mut seen = Vec::new();
    for case in &file.cases {
        let name = case.name.as_str();
        let octets = |field: &str| hex::decode(case.input[field].as_str().unwrap()).unwrap();
        let verifies = name.starts_with("publicexponent-") && name.ends_with("-verifies");
        let refused = name.starts_with("publicexponent-") && name.ends_with("-is-not-verified");
        if !verifies && !refused {
            continue;
        }
        let alpn = TokenBindingAlpn::parse(case.input["negotiated"].as_str().unwrap().as_bytes());
        let session = Session {
            negotiated: Negotiated::try_new(alpn.unwrap(), FACTS).unwrap(),
            tls_unique: TlsUnique::from_engine(&octets("tls_unique"), FACTS).unwrap(),
        };
        let sent = octets("message");
        for (backend, verifier) in verifiers {
            let profile = EncodingProfile::default();
            let outcome = establish(
                Some(&session),
                Position::First,
                Some(&sent),
                verifier,
                profile,
            );
            let kind = match outcome {
                Outcome::Established(_) => None,
                Outcome::Terminate(reason) => Some(reason.kind()),
                other => panic!("{name}, {backend}: {other:?}"),
            };
            let expected = refused.then_some(TerminateKind::SignatureInvalid);
            assert_eq!(kind, expected, "{name}, {backend}");
        }
        seen.push(name);
    }
    let bits = ["34-bits", "64-bits", "2040-bits"];
    let refused = bits.map(|bits| {
        [
            format!("publicexponent-{bits}-is-not-verified"),
            format!("publicexponent-{bits}-of-the-referred-is-not-verified"),
        ]
    });
    let verified = [
        "publicexponent-257-verifies",
        "publicexponent-33-bits-verifies",
    ];
    let expected = verified.map(str::to_owned).into_iter();
    let expected: Vec<_> = expected.chain(refused.into_iter().flatten()).collect();
    assert_eq!(seen, expected);
}
