//! Handshakes of rustls, and sessions that are resumed.

use std::{sync::Arc, time::Duration};

use mail_implicit_tls::{
    account::{Host, Server},
    service::Service,
    verdict::ChainProblem,
    verifier::{server_name, verdict_of},
};
use rustls::{HandshakeKind, pki_types::UnixTime};

use crate::{
    accounts::{imaps, problems, setup, typed, verifier},
    certificates::{ROOT, at, named},
    handshakes::{config, good_server, handshake, server},
};

#[test]
fn ends_the_handshake_with_a_server_that_is_not_verified() {
    let other = named(&["imap.example.net"]).issue(&ROOT);
    let server = server(&other);
    let verifier = Arc::new(typed());
    let error = handshake(&config(verifier.clone()), &server).unwrap_err();
    let now = UnixTime::now();
    let expected = verifier.judge(&other.certificate(), &[], now);
    assert_eq!(verdict_of(&error), Some(&expected));
    assert!(!expected.is_verified());
    assert_eq!(verdict_of(&rustls::Error::DecryptError), None);
    let client = handshake(&config(verifier), &good_server()).unwrap();
    assert!(!client.is_handshaking());
}

#[test]
fn resumes_sessions_of_the_same_account() {
    let (config, server) = (config(Arc::new(typed())), good_server());
    let kinds = [(), (), ()].map(|()| handshake(&config, &server).unwrap().handshake_kind());
    let expected = [
        HandshakeKind::Full,
        HandshakeKind::Resumed,
        HandshakeKind::Resumed,
    ];
    assert_eq!(kinds, expected.map(Some));
}

/// Even if two accounts share one store of sessions.
#[test]
fn resumes_no_session_of_another_account() {
    let (alice, server) = (config(Arc::new(typed())), good_server());
    assert!(handshake(&alice, &server).is_ok());
    let bob = setup("bob").server(imaps()).build().unwrap();
    let mut shared = (*alice).clone();
    shared
        .dangerous()
        .set_certificate_verifier(Arc::new(verifier(&bob)));
    let client = handshake(&Arc::new(shared), &server).unwrap();
    assert_eq!(client.handshake_kind(), Some(HandshakeKind::Full));
}

/// rustls does not verify a resumed session; its certificates are judged as of now.
#[test]
fn judges_a_resumed_session_anew() {
    let verifier = Arc::new(typed());
    let config = config(verifier.clone());
    let server = server(&named(&["imap.example.org"]).valid(2020, 2100).issue(&ROOT));
    handshake(&config, &server).unwrap();
    let client = handshake(&config, &server).unwrap();
    assert_eq!(client.handshake_kind(), Some(HandshakeKind::Resumed));
    let [end_entity, others @ ..] = client.peer_certificates().unwrap() else {
        panic!("no certificate");
    };
    let judge = |year: u64| verifier.judge(end_entity, others, at((year - 1970) * 31_556_952));
    assert!(verifier.accepts(&judge(2099)));
    let later = judge(2101);
    assert!(!verifier.accepts(&later));
    let not_after = Duration::from_secs(4_102_444_800);
    assert_eq!(problems(&later), [ChainProblem::Expired { not_after }]);
}

#[test]
fn names_the_server_for_sni() {
    let name = server_name(&imaps()).unwrap();
    assert_eq!(name.to_str(), "imap.example.org");
    let address = Server::new(Service::IMAPS, Host::parse("192.0.2.1").unwrap());
    assert!(matches!(
        server_name(&address).unwrap(),
        rustls::pki_types::ServerName::IpAddress(_)
    ));
}
