//! The vectors of RSA exponents, with every backend.

#![allow(clippy::unwrap_used, reason = "tests")]

use conformance::{Input, Origin, VectorFile, repository};
use conformance_tokenbind_wire::{PROTOCOL, case::Message};
use tokenbind_wire::{Outcome, PkiTypes, RustCrypto, TerminateKind, Verify, establish};

fn ring() -> PkiTypes {
    PkiTypes::new(webpki::ALL_VERIFICATION_ALGS)
}

/// The vectors whose signature is right under an exponent of so many bits, with both backends.
#[test]
fn verifies_rsa_exponents_up_to_33_bits_with_every_backend() {
    let path = PROTOCOL.folder(&repository()).join("vectors/message.json");
    let file = VectorFile::load(&path, Origin::Own).unwrap();
    let verifiers: [(&str, &dyn Verify); 2] = [("rustcrypto", &RustCrypto), ("ring", &ring())];
    let mut seen = Vec::new();
    for case in &file.cases {
        let name = case.name.as_str();
        let verifies = name.starts_with("publicexponent-") && name.ends_with("-verifies");
        let refused = name.starts_with("publicexponent-") && name.ends_with("-is-not-verified");
        if !verifies && !refused {
            continue;
        }
        let message = Message::read(Input(case.input.clone())).unwrap();
        for (backend, verifier) in verifiers {
            let outcome = establish(
                message.session.as_ref(),
                message.position,
                message.sent.as_deref(),
                verifier,
                message.profile,
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
