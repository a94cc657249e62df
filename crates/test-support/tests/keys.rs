//! Keys and verifiers that call a function.

use std::cell::Cell;

use test_support::keys::{SignWith, VerifyWith};
use tokenbind_wire::{
    EncodingProfile, KeyParameters, MessageError, Negotiated, Outcome, P256Key, Position,
    ProtocolVersion, RustCrypto, Session, Sign, SignError, SignatureInvalid, TerminateKind,
    TlsFacts, TlsUnique, TokenBindingAlpn, establish, sign_message,
};

#[test]
fn calls_the_functions_once_for_each_signature() {
    let facts = TlsFacts {
        version: ProtocolVersion::TLS1_2,
        extended_master_secret: true,
    };
    let negotiated = Negotiated::try_new(TokenBindingAlpn::Http11P256, facts).unwrap();
    let session = Session {
        negotiated,
        tls_unique: TlsUnique::from_engine(&[7; 12], facts).unwrap(),
    };
    let profile = EncodingProfile::default();
    let (signed, verified) = (Cell::new(0), Cell::new(0));
    let inner = P256Key::generate().unwrap();
    let key = SignWith::new(inner.public_key().clone(), |octets| {
        signed.set(signed.get() + 1);
        inner.sign(octets)
    });
    let message = sign_message(negotiated, &session.tls_unique, &key, None, profile).unwrap();
    let sent = message.to_vec().unwrap();
    let good = VerifyWith::new(&[KeyParameters::P256], |signature| {
        verified.set(verified.get() + 1);
        signature.verify(&RustCrypto)
    });
    let outcome = establish(Some(&session), Position::First, Some(&sent), &good, profile);
    assert!(matches!(outcome, Outcome::Established(_)), "{outcome:?}");
    assert_eq!((signed.get(), verified.get()), (1, 1));

    let bad = VerifyWith::new(&[KeyParameters::P256], |_| Err(SignatureInvalid));
    let outcome = establish(Some(&session), Position::First, Some(&sent), &bad, profile);
    let Outcome::Terminate(reason) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(reason.kind(), TerminateKind::SignatureInvalid);
    let failing = SignWith::new(inner.public_key().clone(), |_| Err(SignError::Backend));
    let error = sign_message(negotiated, &session.tls_unique, &failing, None, profile);
    assert_eq!(error.err(), Some(MessageError::Sign(SignError::Backend)));
}
