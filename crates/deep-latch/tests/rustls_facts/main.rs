//! rustls clients and servers, with server certificates of each kind: the facts for the latch machine.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod peers;

use std::{
    io::{Read, Write},
    sync::Arc,
    time::Duration,
};

use deep_latch::{
    DeepStatus, Facilities, Host, LatchRecord, LatchSession, SecurityTag, TlsFacts,
    facts::{CertificateUsage, ChainVerdict, DaneVerdict, IdentityVerdict, ProtocolVersion},
    failure::{Action, Stage},
    latch::{Event, Outcome, Reason, Requirements, Transition},
    verifier::{DeferredServerVerifier, HandshakeUnfinishedError, OnCertificateFailure},
};
use peers::*;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, HandshakeKind, ServerConfig,
    ServerConnection, SupportedProtocolVersion,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime},
    version::{TLS12, TLS13},
};
use test_support::{
    in_memory::exchange,
    pki::{self, Authority, Certificate, Identity, rcgen::ExtendedKeyUsagePurpose},
};

const NAME: &str = "imap.example.com";

#[test]
fn judges_chain_and_identity_separately() {
    let (trusted, other) = (Authority::new("Trusted CA"), Authority::new("Other CA"));
    use ChainVerdict::{Refused, Trusted};
    use IdentityVerdict::{Differs, Matches};
    let elsewhere = ["smtp.example.com", "*.example.org", "example.com"];
    let kinds = [
        ("good", server(&[NAME]).issue(&trusted), Trusted, Matches),
        (
            "wildcard",
            server(&["*.example.com"]).issue(&trusted),
            Trusted,
            Matches,
        ),
        (
            "wrong name",
            server(&elsewhere).issue(&trusted),
            Trusted,
            Differs,
        ),
        ("no name", server(&[]).issue(&trusted), Trusted, Differs),
        (
            "expired",
            server(&[NAME]).expired().issue(&trusted),
            Refused,
            Matches,
        ),
        (
            "not yet valid",
            server(&[NAME]).valid(3000, 3001).issue(&trusted),
            Refused,
            Matches,
        ),
        (
            "of a client",
            server(&[NAME])
                .usages(&[ExtendedKeyUsagePurpose::ClientAuth])
                .issue(&trusted),
            Refused,
            Matches,
        ),
        (
            "unknown CA",
            server(&[NAME]).issue(&other),
            Refused,
            Matches,
        ),
        (
            "unknown CA, wrong name",
            server(&elsewhere).issue(&other),
            Refused,
            Differs,
        ),
        (
            "self-signed",
            server(&[NAME]).self_signed(),
            Refused,
            Matches,
        ),
        (
            "expired, wrong name",
            server(&elsewhere).expired().issue(&trusted),
            Refused,
            Differs,
        ),
    ];
    let versions = [
        (&TLS12, ProtocolVersion::TLS1_2),
        (&TLS13, ProtocolVersion::TLS1_3),
    ];
    for (kind, identity, chain, matches) in &kinds {
        for (version, expected) in versions {
            let (facts, error) = seen(&trusted, identity, version);
            let expected = TlsFacts {
                version: expected,
                // ring's first choice, under both versions.
                strength_bits: Some(256),
                chain: *chain,
                identity: *matches,
                dane: DaneVerdict::NotChecked,
            };
            assert_eq!(facts, expected, "{kind}");
            // Who is not to go on does not.
            let good = (*chain, *matches) == (Trusted, Matches);
            assert_eq!(error.is_none(), good, "{kind}: {error:?}");
        }
    }
}

/// Example 2 of section 7.1.
#[test]
fn refuses_and_reports_an_unverified_certificate_that_is_latched() {
    let trusted = Authority::new("Trusted CA");
    let pinned = server(&[NAME]).self_signed();
    let url = "https://www.example.com/privacy-support.html";
    for version in [&TLS12, &TLS13] {
        // Whatever the account's policy: the latch machine refuses.
        for on in [OnCertificateFailure::Abort, OnCertificateFailure::GoOn] {
            let mut client = Client::new(&trusted, &[SecurityTag::TLS_CERT], on);
            let mut server = ServerConnection::new(server_config(&pinned, &[version])).unwrap();
            let mut connection = client.connect();
            exchange(&mut connection, &mut server).unwrap();
            let facts = client.facts(&connection).unwrap();
            let step = client.latches.step(Event::Handshake(facts));
            let Outcome::Refuse(failure) = step.outcome else {
                panic!("{step:?}");
            };
            assert_eq!(failure.tags(), [SecurityTag::TLS_CERT]);
            assert_eq!(failure.stage(), Stage::Handshake);
            assert!(failure.may_report());
            assert_eq!(
                failure.actions(),
                [Action::WorkOffline, Action::TryAgainLater]
            );
            // The report arrives; what the server advertises in answer to it does not count.
            connection.writer().write_all(b"report").unwrap();
            let mut records = Vec::new();
            connection.write_tls(&mut records).unwrap();
            server.read_tls(&mut records.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            let mut report = [0; 6];
            server.reader().read_exact(&mut report).unwrap();
            assert_eq!(&report, b"report");
            let text = format!("tls10 <{url}>");
            let status = DeepStatus::parse(&text).unwrap();
            let step = client.latches.step(Event::Status(&status));
            assert_eq!(step.outcome, Outcome::Refuse(failure));
            assert_eq!(step.transitions, [Transition::NotRecorded(Reason::Refused)]);
            assert_eq!(
                *client.latches.record(),
                LatchRecord::preset(host(), [SecurityTag::TLS_CERT])
            );
        }
    }
}

#[test]
fn aborts_or_distrusts_an_unverified_certificate_without_a_latch() {
    let (trusted, other) = (Authority::new("Trusted CA"), Authority::new("Other CA"));
    let unknown = server(&[NAME]).issue(&other);
    let (facts, error) = seen(&trusted, &unknown, &TLS13);
    assert_eq!(
        error,
        Some(rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer
        ))
    );
    let mut client = Client::new(&trusted, &[], OnCertificateFailure::GoOn);
    let step = client.latches.step(Event::Handshake(facts));
    assert_eq!(step.outcome, Outcome::Continue);
    let status = DeepStatus::parse("tls12 tls-cert <https://evil.example/>").unwrap();
    let _ = client.latches.step(Event::Status(&status));
    // What was negotiated is latched, and no more.
    assert_eq!(
        *client.latches.record(),
        LatchRecord::preset(host(), [SecurityTag::TLS12])
    );
}

#[test]
fn accepts_dane_instead_of_pkix_if_it_is_latched() {
    let trusted = Authority::new("Trusted CA");
    let own = server(&[NAME]).self_signed();
    let mut client = Client::new(
        &trusted,
        &[SecurityTag::TLS_DANE_TLSA],
        OnCertificateFailure::Abort,
    );
    let mut server = ServerConnection::new(server_config(&own, &[&TLS13])).unwrap();
    let mut connection = client.connect();
    exchange(&mut connection, &mut server).unwrap();
    let dane = DaneVerdict::Matches(CertificateUsage::DaneEe);
    let facts = client
        .verifier
        .facts(&connection, &host(), now(), dane)
        .unwrap();
    let step = client.latches.step(Event::Handshake(facts));
    assert_eq!(step.outcome, Outcome::Continue);
}

#[test]
fn judges_resumed_sessions_again() {
    let trusted = Authority::new("Trusted CA");
    let identity = server(&[NAME]).issue(&trusted);
    for version in [&TLS12, &TLS13] {
        let config = server_config(&identity, &[version]);
        let client = Client::new(
            &trusted,
            &[SecurityTag::TLS_CERT],
            OnCertificateFailure::Abort,
        );
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut server = ServerConnection::new(config.clone()).unwrap();
            let mut connection = client.connect();
            exchange(&mut connection, &mut server).unwrap();
            assert_eq!(connection.handshake_kind(), Some(kind));
            let facts = client.facts(&connection).unwrap();
            assert_eq!(
                (facts.chain, facts.identity),
                (ChainVerdict::Trusted, IdentityVerdict::Matches)
            );
            // When the certificate is over, its session is, too.
            let century = Duration::from_secs(10_000 * 366 * 24 * 3600);
            let later = UnixTime::since_unix_epoch(century);
            let verifier = &client.verifier;
            let facts = verifier.facts(&connection, &host(), later, DaneVerdict::NoRecords);
            let facts = facts.unwrap();
            assert_eq!(
                (facts.chain, facts.identity, facts.dane),
                (
                    ChainVerdict::Refused,
                    IdentityVerdict::Matches,
                    DaneVerdict::NoRecords
                )
            );
            // And it is the session of this host only.
            let other = Host::try_new("smtp.example.com").unwrap();
            let facts = verifier.facts(&connection, &other, now(), DaneVerdict::NotChecked);
            let facts = facts.unwrap();
            assert_eq!(
                (facts.chain, facts.identity),
                (ChainVerdict::Trusted, IdentityVerdict::Differs)
            );
        }
    }
}

#[test]
fn finds_an_address_among_the_certificates_addresses() {
    let trusted = Authority::new("Trusted CA");
    let identity = server(&["192.0.2.1", "2001:db8::1"]).issue(&trusted);
    let client = Client::new(&trusted, &[], OnCertificateFailure::Abort);
    let verdicts = |name: &str| {
        let host = Host::try_new(name).unwrap();
        let certificate = identity.certificate();
        client.verifier.verdicts(&certificate, &[], &host, now())
    };
    let matches = (ChainVerdict::Trusted, IdentityVerdict::Matches);
    let differs = (ChainVerdict::Trusted, IdentityVerdict::Differs);
    assert_eq!(verdicts("192.0.2.1"), matches);
    assert_eq!(verdicts("2001:0DB8:0:0::1"), matches);
    assert_eq!(verdicts("192.0.2.2"), differs);
    assert_eq!(verdicts(NAME), differs);
    // What is no certificate at all is neither.
    let broken = CertificateDer::from(vec![0x30, 0]);
    let verdict = client.verifier.verdicts(&broken, &[], &host(), now());
    assert_eq!(
        verdict,
        (ChainVerdict::Refused, IdentityVerdict::NotChecked)
    );
}

#[test]
fn respects_a_verifier_with_stricter_names() {
    let trusted = Authority::new("Trusted CA");
    let identity = server(&[NAME]).issue(&trusted);
    let inner = Arc::new(Stricter(trusted.verifier(provider())));
    let verifier = DeferredServerVerifier::new(
        inner,
        &Requirements::default(),
        OnCertificateFailure::default(),
    );
    let verdict = verifier.verdicts(&identity.certificate(), &[], &host(), now());
    assert_eq!(verdict, (ChainVerdict::Refused, IdentityVerdict::Matches));
}

/// A server that lacks the key of its certificate.
#[test]
fn verifies_the_possession_of_the_key_always() {
    let trusted = Authority::new("Trusted CA");
    let stolen = server(&[NAME]).issue(&trusted);
    let key = PrivateKeyDer::try_from(pki::key().serialize_der()).unwrap();
    let key = provider().key_provider.load_private_key(key).unwrap();
    let key = rustls::sign::CertifiedKey::new(stolen.chain(), key);
    for version in [&TLS12, &TLS13] {
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key.clone())));
        let config = Arc::new(config);
        for latched in [&[][..], &[SecurityTag::TLS_CERT]] {
            let client = Client::new(&trusted, latched, OnCertificateFailure::GoOn);
            let mut server = ServerConnection::new(config.clone()).unwrap();
            let mut connection = client.connect();
            let error = exchange(&mut connection, &mut server).unwrap_err();
            let bad = CertificateError::BadSignature;
            assert_eq!(error, rustls::Error::InvalidCertificate(bad));
            assert_eq!(client.facts(&connection), Err(HandshakeUnfinishedError));
        }
    }
}

#[test]
fn latches_decide_which_versions_are_offered() {
    let least = |version| Requirements {
        tls: true,
        min_version: version,
        ..Requirements::default()
    };
    let versions = |version| -> Vec<u16> {
        let versions = least(version).protocol_versions();
        versions.iter().map(|it| it.version.into()).collect()
    };
    assert_eq!(versions(None), [0x0304, 0x0303]);
    assert_eq!(versions(Some(ProtocolVersion::SSL3)), [0x0304, 0x0303]);
    assert_eq!(versions(Some(ProtocolVersion::TLS1_0)), [0x0304, 0x0303]);
    assert_eq!(versions(Some(ProtocolVersion::TLS1_2)), [0x0304, 0x0303]);
    assert_eq!(versions(Some(ProtocolVersion::TLS1_3)), [0x0304]);
    let later = Some(ProtocolVersion(0x0305));
    assert_eq!(versions(later), [0; 0]);
    // There is no configuration without a version.
    let trusted = Authority::new("Trusted CA");
    let client = Client::new(&trusted, &[], OnCertificateFailure::Abort);
    assert!(!client.config.enable_early_data);
    let config = client.verifier.client_config(provider(), &least(later));
    let expected = rustls::Error::General("no usable cipher suites configured".into());
    assert_eq!(config.err(), Some(expected));
    // A server that has TLS 1.2 only cannot be reached where TLS 1.3 is required.
    let identity = server(&[NAME]).issue(&trusted);
    let verifier = Client::new(&trusted, &[], OnCertificateFailure::Abort).verifier;
    let required = least(Some(ProtocolVersion::TLS1_3));
    let config = verifier.client_config(provider(), &required).unwrap();
    let name = ServerName::try_from(NAME).unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut server = ServerConnection::new(server_config(&identity, &[&TLS12])).unwrap();
    let error = exchange(&mut connection, &mut server).unwrap_err();
    let expected = rustls::PeerIncompatible::Tls12NotOfferedOrEnabled;
    assert_eq!(error, rustls::Error::PeerIncompatible(expected));
}
