//! Signing and encoding: keys that cannot be exported, and values that break the draft.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use tokenbind_wire::{
    EncodeErrorKind, EncodingProfile, ErrorKind, KeyParameters, MessageError, Negotiated, Outcome,
    P256Key, PointEncoding, Position, ProtocolVersion, PublicKey, Rsa2048Key, RustCrypto, Session,
    Sign, SignError, Signature, SignatureEncoding, SignedOctets, TlsFacts, TlsUnique, TokenBinding,
    TokenBindingAlpn, TokenBindingId, TokenBindingMessage, TokenBindingType, establish,
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
fn rejects_a_signature_of_another_length_when_encoding() {
    let profile = EncodingProfile::new(PointEncoding::X962, SignatureEncoding::Raw64);
    let (p256, rsa) = (
        P256Key::generate().unwrap(),
        Rsa2048Key::generate().unwrap(),
    );
    let keys: [(&dyn Sign, usize); 2] = [(&p256, 64), (&rsa, 256)];
    for (key, expected) in keys {
        let id = TokenBindingId::try_new(TokenBindingType::PROVIDED, key.public_key(), profile);
        let id = id.unwrap();
        for actual in [0, expected - 1, expected + 1] {
            let binding = TokenBinding::new(id.clone(), vec![1; actual], Vec::new());
            let error = TokenBindingMessage::try_new(vec![binding], profile).unwrap_err();
            let kind = ErrorKind::SignatureLength { expected, actual };
            assert_eq!(error.kind(), EncodeErrorKind::Invalid(kind));
            assert_eq!(error.field(), "TokenBinding.signature");
        }
    }
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
