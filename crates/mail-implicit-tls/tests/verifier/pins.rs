//! Pins, each of one account and host (draft-newman-email-deep-02 section 3.2).

use std::sync::Arc;

use mail_implicit_tls::{
    account::{Host, LowPrivacy},
    verdict::{ChainProblem, PinVerdict, Verdict},
    verifier::{ServerVerifier, verdict_of},
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
};

use crate::{
    accounts::{imaps, pinned, problems, provider, setup, trust, verifier},
    certificates::{NOW, ROOT, at, issued, named},
    handshakes::{bridge, config, handshake, server},
};

#[test]
fn accepts_a_pinned_authority_and_nothing_else() {
    let bridge = bridge().certificate();
    let account = pinned("alice", &bridge);
    let verifier = verifier(&account);
    let verdict = verifier.judge(&bridge, &[], at(NOW));
    let expected = Verdict {
        pin: PinVerdict::Matches,
        ..Verdict::default()
    };
    assert_eq!(verdict, expected);
    assert!(verifier.accepts(&verdict) && !verdict.is_verified());
    let renewed = issued(&named(&["imap.example.org"]), &ROOT);
    let verdict = verifier.judge(&renewed, &[], at(NOW));
    assert_eq!(verdict.pin, PinVerdict::Differs);
    assert!(!verifier.accepts(&verdict));
}

#[test]
fn accepts_a_pin_of_its_own_account_only() {
    let bridge = bridge().certificate();
    let bob = setup("bob")
        .low(LowPrivacy::default())
        .server(imaps())
        .build()
        .unwrap();
    let verdict = verifier(&bob).judge(&bridge, &[], at(NOW));
    assert!(!verifier(&bob).accepts(&verdict));
    assert_eq!(verdict.pin, PinVerdict::NotPinned);
}

/// The engine cannot verify the signature of a server with a certificate of version 1.
#[test]
fn rejects_a_pinned_certificate_of_version_1_with_its_reason() {
    let certificate = CertificateDer::from(&include_bytes!("../data/x509-v1.der")[..]);
    let key = PrivatePkcs8KeyDer::from(&include_bytes!("../data/x509-v1-key.der")[..]);
    let account = pinned("alice", &certificate);
    let verifier = Arc::new(verifier(&account));
    let verdict = verifier.judge(&certificate, &[], at(NOW));
    assert!(verifier.accepts(&verdict));
    let resolver = rustls::sign::CertifiedKey::new(
        vec![certificate.into_owned()],
        provider()
            .key_provider
            .load_private_key(key.clone_key().into())
            .unwrap(),
    );
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(resolver)));
    let error = handshake(&config(verifier), &Arc::new(server)).unwrap_err();
    let verdict = verdict_of(&error).unwrap();
    assert_eq!(problems(verdict), [ChainProblem::Version]);
}

#[test]
fn connects_with_a_pinned_authority() {
    let bridge = bridge();
    let server = server(&bridge);
    let alice = config(Arc::new(verifier(&pinned("alice", &bridge.certificate()))));
    assert!(handshake(&alice, &server).is_ok());
    let other = pinned("alice", b"another certificate");
    let error = handshake(&config(Arc::new(verifier(&other))), &server).unwrap_err();
    assert_eq!(verdict_of(&error).unwrap().pin, PinVerdict::Differs);
}

/// Section 3.2: a pin of one account does not validate connections of another, nor to another host, whatever server a
/// caller gives.
#[test]
fn accepts_no_pin_of_another_account_or_host() {
    let certificate = bridge().certificate();
    let alice = pinned("alice", &certificate);
    let own = alice.servers()[0].clone();
    let bob = setup("bob").low(LowPrivacy::default()).server(imaps());
    let bob = bob.build().unwrap();
    let mut moved = own.clone();
    moved.host = Host::parse("imap.example.net").unwrap();
    for (account, server, accepted) in [
        (&alice, &own, true),
        (&bob, &own, false),
        (&alice, &moved, false),
    ] {
        let verifier = ServerVerifier::new(account, server, trust(), &provider());
        let verdict = verifier.judge(&certificate, &[], at(NOW));
        let expected = match accepted {
            true => PinVerdict::Matches,
            false => PinVerdict::Differs,
        };
        assert_eq!(verdict.pin, expected);
        assert_eq!(verifier.accepts(&verdict), accepted);
    }
}
