//! The crate as its users call it: sign, send, establish, import, export, store.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use tokenbind_wire::{
    ApplicationProtocol, DecodeOptions, EncodeErrorKind, EncodingProfile, ErrorKind, Extension,
    KeyParameters, Limits, MessageError, Negotiated, Outcome, P256Key, PkiTypes, PointEncoding,
    Position, ProtocolVersion, PublicKey, Referred, Rsa2048Key, RustCrypto, Session, Sign,
    SignError, Signature, SignatureAndHashAlgorithm, SignatureEncoding, SignatureInvalid,
    SignedOctets, TerminateKind, TlsFacts, TlsUnique, TokenBinding, TokenBindingAlpn,
    TokenBindingId, TokenBindingIdRef, TokenBindingMessage, TokenBindingMessageRef,
    TokenBindingType, Verify, establish,
    registry::{self, ExtensionType, HashAlgorithm, SignatureAlgorithm},
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

fn aws_lc_rs() -> PkiTypes {
    PkiTypes::new(&[
        webpki::aws_lc_rs::ECDSA_P256_SHA256,
        webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
    ])
}

/// The vectors whose signature is right under an exponent of so many bits, with the three backends.
#[test]
fn verifies_rsa_exponents_up_to_33_bits_with_every_backend() {
    let file: serde_json::Value =
        serde_json::from_str(include_str!("../vectors/message.json")).unwrap();
    let verifiers: [(&str, &dyn Verify); 3] = [
        ("rustcrypto", &RustCrypto),
        ("ring", &ring()),
        ("aws-lc-rs", &aws_lc_rs()),
    ];
    let mut seen = Vec::new();
    for case in file["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let octets = |field: &str| hex::decode(case[field].as_str().unwrap()).unwrap();
        let verifies = name.starts_with("publicexponent-") && name.ends_with("-verifies");
        let refused = name.starts_with("publicexponent-") && name.ends_with("-is-not-verified");
        if !verifies && !refused {
            continue;
        }
        let alpn = TokenBindingAlpn::parse(case["negotiated"].as_str().unwrap().as_bytes());
        let session = Session {
            negotiated: Negotiated::try_new(alpn.unwrap(), FACTS).unwrap(),
            tls_unique: TlsUnique::from_engine(&octets("tls_unique"), FACTS).unwrap(),
        };
        let sent = octets("input");
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

#[test]
fn establishes_the_messages_of_a_client_with_every_backend() {
    let p256 = P256Key::generate().unwrap();
    let rsa = Rsa2048Key::generate().unwrap();
    let verifiers: [&dyn Verify; 3] = [&RustCrypto, &ring(), &aws_lc_rs()];
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

#[test]
fn refuses_to_sign_with_a_key_of_other_parameters() {
    let session = session(TokenBindingAlpn::H2Rsa2048);
    let key = P256Key::generate().unwrap();
    let error = sign_message(
        session.negotiated,
        &session.tls_unique,
        &key,
        None,
        EncodingProfile::default(),
    );
    let negotiated = KeyParameters::Rsa2048;
    assert_eq!(
        error,
        Err(MessageError::KeyParametersMismatch { negotiated })
    );
}

#[test]
fn refuses_to_sign_with_one_key_for_both_bindings() {
    let session = session(TokenBindingAlpn::H2P256);
    let key = P256Key::generate().unwrap();
    let error = sign_message(
        session.negotiated,
        &session.tls_unique,
        &key,
        Some(&key),
        EncodingProfile::default(),
    );
    let Err(MessageError::Encode(error)) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.kind(), EncodeErrorKind::Invalid(ErrorKind::SameKey));
    assert_eq!(error.field(), "TokenBindingID");
}

#[test]
fn rejects_a_message_without_a_binding_when_encoding() {
    let error = TokenBindingMessage::try_new(Vec::new(), EncodingProfile::default()).unwrap_err();
    assert_eq!(
        error.kind(),
        EncodeErrorKind::Invalid(ErrorKind::NoTokenBinding)
    );
    assert_eq!(error.field(), "TokenBindingMessage.tokenbindings");
}

#[test]
fn rejects_a_vector_that_does_not_fit_when_encoding() {
    let key = P256Key::generate().unwrap();
    let id = TokenBindingId::try_new(
        TokenBindingType::PROVIDED,
        key.public_key(),
        PointEncoding::X962,
    );
    let binding = TokenBinding::new(id.unwrap(), vec![0; 65_536], Vec::new());
    let error =
        TokenBindingMessage::try_new(vec![binding], EncodingProfile::default()).unwrap_err();
    let (limit, actual) = (65_535, 65_536);
    assert_eq!(error.kind(), EncodeErrorKind::TooLong { limit, actual });
    assert_eq!(
        error.to_string(),
        "TokenBinding.signature: 65536 bytes where at most 65535 fit"
    );
}

#[test]
fn rejects_a_point_off_the_curve_when_encoding() {
    let key = PublicKey::P256(Box::new([1; 64]));
    let error =
        TokenBindingId::try_new(TokenBindingType::PROVIDED, &key, PointEncoding::X962).unwrap_err();
    assert_eq!(
        error.kind(),
        EncodeErrorKind::Invalid(ErrorKind::PointNotOnCurve)
    );
}

/// A key store that keeps its key: it can sign, and show the public key.
struct HardwareKey(P256Key);

impl Sign for HardwareKey {
    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    fn sign(&self, octets: &SignedOctets) -> Result<Signature, SignError> {
        let der = self.0.sign(octets)?.to_vec(SignatureEncoding::Der);
        Signature::p256_from_der(&der).ok_or(SignError::Backend)
    }
}

#[test]
fn signs_with_a_key_that_cannot_be_exported() {
    let session = session(TokenBindingAlpn::Http11P256);
    let key = HardwareKey(P256Key::generate().unwrap());
    let profile = EncodingProfile::ALL[3];
    let sent = sign_message(session.negotiated, &session.tls_unique, &key, None, profile).unwrap();
    let sent = sent.to_vec().unwrap();
    let outcome = establish(
        Some(&session),
        Position::First,
        Some(&sent),
        &RustCrypto,
        profile,
    );
    assert!(matches!(outcome, Outcome::Established(_)), "{outcome:?}");
}

#[test]
fn prints_no_secret() {
    let key = P256Key::generate().unwrap();
    assert_eq!(format!("{key:?}"), "P256Key { .. }");
    let id = TokenBindingId::try_new(
        TokenBindingType::PROVIDED,
        key.public_key(),
        PointEncoding::X962,
    );
    assert_eq!(
        format!("{:?}", id.unwrap()),
        "TokenBindingID { tokenbinding_type: provided_token_binding(0), algorithm: \
         SignatureAndHashAlgorithm { hash: sha256(4), signature: ecdsap256(3) }, .. }"
    );
    let session = session(TokenBindingAlpn::Http11P256);
    assert_eq!(format!("{:?}", session.tls_unique), "TlsUnique(12 bytes)");
    assert_eq!(
        format!("{:?}", session.tls_unique.signed_octets()),
        "SignedOctets(26 bytes)"
    );
}

#[test]
fn exports_keys_and_imports_only_their_own_kind() {
    let p256 = P256Key::generate().unwrap();
    let rsa = Rsa2048Key::generate().unwrap();
    let (p256_der, rsa_der) = (p256.to_pkcs8_der().unwrap(), rsa.to_pkcs8_der().unwrap());
    assert_eq!(
        P256Key::from_pkcs8_der(&p256_der).unwrap().public_key(),
        p256.public_key()
    );
    assert_eq!(
        Rsa2048Key::from_pkcs8_der(&rsa_der).unwrap().public_key(),
        rsa.public_key()
    );
    assert_eq!(
        P256Key::from_pkcs8_der(&rsa_der).unwrap_err(),
        SignError::Key
    );
    assert_eq!(
        Rsa2048Key::from_pkcs8_der(&p256_der).unwrap_err(),
        SignError::Key
    );
    assert_eq!(
        P256Key::from_pkcs8_der(&p256_der[1..]).unwrap_err(),
        SignError::Key
    );
}

#[test]
fn writes_identifiers_as_json_and_checks_them_when_it_reads() {
    let key = P256Key::generate().unwrap();
    for point in [PointEncoding::X962, PointEncoding::Bare64] {
        let id =
            TokenBindingId::try_new(TokenBindingType::REFERRED, key.public_key(), point).unwrap();
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<TokenBindingId>(&json).unwrap(), id);
    }
    let refused = serde_json::from_str::<TokenBindingId>(r#"{"point":"x962","id":"AAQD"}"#);
    let text = refused.unwrap_err().to_string();
    assert!(
        text.starts_with("ECDSAParams.namedcurve: 2 bytes needed but 0 left at byte 3"),
        "{text}"
    );
    let padded = serde_json::from_str::<TokenBindingId>(r#"{"point":"x962","id":"AA=="}"#);
    assert!(
        padded
            .unwrap_err()
            .to_string()
            .starts_with("TokenBindingID: not base64url")
    );
}

#[test]
fn owns_an_identifier_behind_a_reference() {
    let key = P256Key::generate().unwrap();
    let id = TokenBindingId::try_new(
        TokenBindingType::PROVIDED,
        key.public_key(),
        PointEncoding::X962,
    )
    .unwrap();
    let view: &TokenBindingIdRef<'_> = &id.view();
    let owned: TokenBindingId = view.into_owned();
    assert_eq!(owned, id);
    let mapped: Option<TokenBindingId> = Some(view).map(|view| view.into_owned());
    assert_eq!(mapped, Some(id));
}

#[test]
fn gives_the_cause_of_a_message_error_as_its_source_only() {
    struct Failing(P256Key);
    impl Sign for Failing {
        fn public_key(&self) -> &PublicKey {
            self.0.public_key()
        }
        fn sign(&self, _: &SignedOctets) -> Result<Signature, SignError> {
            Err(SignError::Backend)
        }
    }
    let session = session(TokenBindingAlpn::H2P256);
    let key = P256Key::generate().unwrap();
    let failing = Failing(P256Key::generate().unwrap());
    let chain = |provided: &dyn Sign, referred: Option<&dyn Sign>| {
        let profile = EncodingProfile::default();
        let error = sign_message(
            session.negotiated,
            &session.tls_unique,
            provided,
            referred,
            profile,
        )
        .unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        (error.to_string(), source)
    };
    let text = str::to_owned;
    assert_eq!(
        chain(&failing, None),
        (
            text("the key cannot sign"),
            Some(text("the key store or the random source failed"))
        )
    );
    assert_eq!(
        chain(&key, Some(&key)),
        (
            text("the message cannot be encoded"),
            Some(text(
                "TokenBindingID: provided and referred binding use the same key"
            ))
        )
    );
    let rsa = Rsa2048Key::generate().unwrap();
    assert_eq!(chain(&rsa, None), (text("the key is not a p256 key"), None));
}

#[test]
fn keeps_lowered_limits() {
    let session = session(TokenBindingAlpn::Http11P256);
    let key = P256Key::generate().unwrap();
    let profile = EncodingProfile::default();
    let built = sign_message(session.negotiated, &session.tls_unique, &key, None, profile).unwrap();
    let bindings = built.token_bindings();
    let binding = TokenBinding::new(
        bindings[0].id().clone(),
        bindings[0].signature().to_vec(),
        vec![Extension {
            extension_type: ExtensionType(1),
            extension_data: vec![0; 7],
        }],
    );
    let sent = TokenBindingMessage::try_new(vec![binding], profile)
        .unwrap()
        .to_vec()
        .unwrap();
    let decode = |limits| {
        let options = DecodeOptions { profile, limits };
        TokenBindingMessageRef::from_bytes(&sent, options)
            .map(|_| ())
            .map_err(|error| (error.kind(), error.field(), error.offset()))
    };
    let limits = Limits {
        message_bytes: sent.len(),
        token_bindings: 1,
        extension_bytes: 10,
    };
    assert_eq!(decode(limits), Ok(()));
    let (limit, actual) = (sent.len() - 1, sent.len());
    assert_eq!(
        decode(Limits {
            message_bytes: limit,
            ..limits
        }),
        Err((
            ErrorKind::MessageTooLong { limit, actual },
            "TokenBindingMessage",
            limit
        ))
    );
    let (limit, actual) = (9, 10);
    assert_eq!(
        decode(Limits {
            extension_bytes: 9,
            ..limits
        }),
        Err((
            ErrorKind::ExtensionsTooLong { limit, actual },
            "TokenBinding.extensions",
            sent.len() - 10
        ))
    );
    assert_eq!(
        decode(Limits {
            token_bindings: 0,
            ..limits
        }),
        Err((
            ErrorKind::TooManyTokenBindings { limit: 0 },
            "TokenBindingMessage.tokenbindings",
            2
        ))
    );
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

#[test]
fn registers_the_numbers_of_section_8() {
    let types: Vec<_> = registry::TOKEN_BINDING_TYPES
        .iter()
        .map(|line| (line.value.0, line.description, line.specification))
        .collect();
    let draft = "draft-popov-token-binding-00";
    assert_eq!(
        types,
        [
            (0, "provided_token_binding", draft),
            (1, "referred_token_binding", draft)
        ]
    );
    for line in registry::TOKEN_BINDING_TYPES {
        assert_eq!(line.value.name(), Some(line.description));
    }
    assert_eq!(registry::TOKEN_BINDING_EXTENSIONS, &[]);
    let sequences: Vec<_> = registry::ALPN_PROTOCOL_IDS
        .iter()
        .map(|line| hex::encode(line.value))
        .collect();
    // The identification sequences as section 8 prints them.
    assert_eq!(
        sequences,
        [
            "68325f74625f70323536",
            "68325f74625f72736132303438",
            "687474702f312e315f74625f70323536",
            "687474702f312e315f74625f72736132303438",
        ]
    );
    for (line, alpn) in registry::ALPN_PROTOCOL_IDS
        .iter()
        .zip(TokenBindingAlpn::ALL)
    {
        assert_eq!(TokenBindingAlpn::parse(line.value), Some(alpn));
        assert!(
            line.description
                .contains(match alpn.application_protocol() {
                    ApplicationProtocol::Http2 => "HTTP/2 ",
                    _ => "HTTP/1.1 ",
                })
        );
    }
}
