//! Section 5, with every backend: what is established, and what terminates a connection.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use tokenbind_wire::{
    EncodingProfile, KeyParameters, Negotiated, Outcome, P256Key, PkiTypes, PointEncoding,
    Position, ProtocolVersion, Referred, Rsa2048Key, RustCrypto, Session, Sign,
    SignatureAndHashAlgorithm, SignatureEncoding, SignatureInvalid, SignedOctets, TerminateKind,
    TlsFacts, TlsUnique, TokenBinding, TokenBindingAlpn, TokenBindingId, TokenBindingMessage,
    TokenBindingType, Verify, establish,
    registry::{HashAlgorithm, SignatureAlgorithm},
    sign_message,
};

const FACTS: TlsFacts = TlsFacts {
    version: ProtocolVersion::TLS1_2,
    extended_master_secret: true,
};

fn session(alpn: TokenBindingAlpn) -> Session {
    Session {
        negotiated: Negotiated::try_new(alpn, FACTS).unwrap(),
        tls_unique: TlsUnique::from_engine(&[9; 12], FACTS).unwrap(),
    }
}

fn ring() -> PkiTypes {
    PkiTypes::new(webpki::ALL_VERIFICATION_ALGS)
}

#[test]
fn establishes_the_messages_of_a_client_with_every_backend() {
    let p256 = P256Key::generate().unwrap();
    let rsa = Rsa2048Key::generate().unwrap();
    let verifiers: [&dyn Verify; 2] = [&RustCrypto, &ring()];
    let roles: [(TokenBindingAlpn, &dyn Sign, &dyn Sign); 2] = [
        (TokenBindingAlpn::H2P256, &p256, &rsa),
        (TokenBindingAlpn::Http11Rsa2048, &rsa, &p256),
    ];
    for profile in EncodingProfile::ALL {
        for (alpn, provided, referred) in roles {
            let session = session(alpn);
            let built = sign_message(
                session.negotiated,
                &session.tls_unique,
                provided,
                Some(referred),
                profile,
            );
            let sent = built.unwrap().to_vec().unwrap();
            for verifier in verifiers {
                let outcome = establish(
                    Some(&session),
                    Position::First,
                    Some(&sent),
                    verifier,
                    profile,
                );
                let Outcome::Established(established) = outcome else {
                    panic!("{outcome:?}");
                };
                let expected = TokenBindingId::try_new(
                    TokenBindingType::PROVIDED,
                    provided.public_key(),
                    profile.point,
                )
                .unwrap();
                assert_eq!(established.provided().id(), expected.view());
                let expected = TokenBindingId::try_new(
                    TokenBindingType::REFERRED,
                    referred.public_key(),
                    profile.point,
                )
                .unwrap();
                let Referred::Verified(binding) = established.referred() else {
                    panic!("{:?}", established.referred());
                };
                assert_eq!(binding.id(), expected.view());
            }
        }
    }
}

/// Counts what it is asked to verify.
#[derive(Default)]
struct Counting(std::cell::Cell<usize>, bool);

impl Verify for Counting {
    fn supports(&self, parameters: KeyParameters) -> bool {
        parameters == KeyParameters::P256
    }

    fn verify_p256(
        &self,
        _: &[u8; 64],
        _: &SignedOctets,
        _: &[u8; 64],
    ) -> Result<(), SignatureInvalid> {
        self.0.set(self.0.get() + 1);
        if self.1 {
            Err(SignatureInvalid)
        } else {
            Ok(())
        }
    }

    fn verify_rsa2048(
        &self,
        _: &[u8],
        _: &[u8],
        _: &SignedOctets,
        _: &[u8; 256],
    ) -> Result<(), SignatureInvalid> {
        Err(SignatureInvalid)
    }
}

fn binding(tokenbinding_type: u8, key: &dyn Sign) -> TokenBinding {
    let octets = session(TokenBindingAlpn::H2P256).tls_unique.signed_octets();
    let id = TokenBindingId::try_new(
        TokenBindingType(tokenbinding_type),
        key.public_key(),
        PointEncoding::X962,
    );
    let signature = key.sign(&octets).unwrap().to_vec(SignatureEncoding::Der);
    TokenBinding::new(id.unwrap(), signature, Vec::new())
}

#[test]
fn verifies_at_most_two_signatures_and_none_after_a_bad_one() {
    let keys: Vec<_> = (0..3).map(|_| P256Key::generate().unwrap()).collect();
    let mut bindings = vec![binding(0, &keys[0]), binding(1, &keys[1])];
    bindings.extend((2..16).map(|unknown| binding(unknown, &keys[2])));
    let profile = EncodingProfile::default();
    let sent = TokenBindingMessage::try_new(bindings, profile)
        .unwrap()
        .to_vec()
        .unwrap();
    let session = session(TokenBindingAlpn::H2P256);
    for (refuses, expected) in [(false, 2), (true, 1)] {
        let verifier = Counting(0.into(), refuses);
        let outcome = establish(
            Some(&session),
            Position::First,
            Some(&sent),
            &verifier,
            profile,
        );
        assert_eq!(matches!(outcome, Outcome::Established(_)), !refuses);
        assert_eq!(verifier.0.get(), expected);
    }
}

#[test]
fn reports_a_referred_binding_that_cannot_be_read_as_unsupported() {
    let key = P256Key::generate().unwrap();
    let profile = EncodingProfile::default();
    let session = session(TokenBindingAlpn::H2P256);
    let provided = TokenBindingMessage::try_new(vec![binding(0, &key)], profile).unwrap();
    for (tail, expected) in [
        (
            &[1, 4, 2, 9][..],
            Referred::Unsupported(SignatureAndHashAlgorithm::new(
                HashAlgorithm(4),
                SignatureAlgorithm(2),
            )),
        ),
        (&[7, 4, 2, 9], Referred::None),
    ] {
        let mut sent = provided.to_vec().unwrap();
        sent.extend(tail);
        let length = u16::try_from(sent.len() - 2).unwrap();
        sent[..2].copy_from_slice(&length.to_be_bytes());
        let outcome = establish(
            Some(&session),
            Position::First,
            Some(&sent),
            &RustCrypto,
            profile,
        );
        let Outcome::Established(established) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(established.referred(), expected);
        assert_eq!(established.unreadable().unwrap().as_bytes(), tail);
    }
}

#[test]
fn terminates_on_a_provided_binding_that_the_verifier_does_not_support_and_reports_a_referred_one()
{
    let (p256, rsa) = (
        P256Key::generate().unwrap(),
        Rsa2048Key::generate().unwrap(),
    );
    let profile = EncodingProfile::default();
    let both = |provided, referred| {
        let bindings = vec![binding(0, provided), binding(1, referred)];
        TokenBindingMessage::try_new(bindings, profile)
            .unwrap()
            .to_vec()
            .unwrap()
    };
    let sent = both(&p256, &rsa);
    let p256_session = session(TokenBindingAlpn::H2P256);
    let outcome = establish(
        Some(&p256_session),
        Position::First,
        Some(&sent),
        &Counting::default(),
        profile,
    );
    let Outcome::Established(established) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(
        established.referred(),
        Referred::Unsupported(SignatureAndHashAlgorithm::RSA_SHA256)
    );
    let sent = both(&rsa, &p256);
    let rsa_session = session(TokenBindingAlpn::H2Rsa2048);
    let outcome = establish(
        Some(&rsa_session),
        Position::First,
        Some(&sent),
        &Counting::default(),
        profile,
    );
    let Outcome::Terminate(reason) = outcome else {
        panic!("{outcome:?}");
    };
    let negotiated = KeyParameters::Rsa2048;
    assert_eq!(
        reason.kind(),
        TerminateKind::VerifierUnsupported { negotiated }
    );
    assert_eq!(
        (reason.field(), reason.offset()),
        ("TokenBindingID.algorithm", 3)
    );
}
