//! rustls servers and clients, with client certificates of each kind.

#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "tests"
)]

mod world;

use std::sync::Arc;

use authres_tls::{
    Policy, Session,
    facts::{
        ChainVerdict, DaneVerdict, HostVerdict, LocalVerdict,
        rustls::{DeferredClientVerifier, UnfinishedHandshakeError},
    },
    tls::{ProtocolVersion, TlsProperty, TlsResult},
};
use rustls::{
    HandshakeKind, ServerConnection,
    crypto::ring,
    pki_types::CertificateRevocationListDer,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::CertifiedKey,
    version,
};
use test_support::pki::{
    Authority, Identity,
    rcgen::{
        self, BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
        ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, RevokedCertParams, SanType, SerialNumber,
        date_time_ymd,
    },
};

use world::*;

fn issued(issuer: &Authority, change: impl FnOnce(&mut CertificateParams)) -> Identity {
    certificate().change(change).issue(issuer)
}

fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> Identity {
    certificate().change(change).self_signed()
}

#[test]
fn returns_result_of_each_kind_of_certificate_under_tls_1_2_and_1_3() {
    let world = world();
    let verifier = world.verifier(Vec::new());
    let trusted = issued(&world.trusted, |_| ());
    let not_yet = |params: &mut CertificateParams| params.not_before = date_time_ymd(2024, 12, 1);
    let expired = |params: &mut CertificateParams| params.not_after = date_time_ymd(2024, 2, 1);
    let cases = [
        ("trusted", &trusted, Some(NAME), TlsResult::Pass, None),
        (
            "trusted, of another host",
            &trusted,
            Some("mail.example.com"),
            TlsResult::InvalidHost,
            Some("certificate of another host"),
        ),
        (
            "trusted, nobody asked which host",
            &trusted,
            None,
            TlsResult::PermError,
            Some("host identity not checked"),
        ),
        (
            "self-signed",
            &self_signed(|_| ()),
            Some(NAME),
            TlsResult::SelfSigned,
            None,
        ),
        (
            "self-signed, marked as a CA's",
            &self_signed(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            Some(NAME),
            TlsResult::SelfSigned,
            None,
        ),
        (
            "self-signed, expired",
            &self_signed(expired),
            Some(NAME),
            TlsResult::Fail,
            Some("certificate expired"),
        ),
        (
            "of an unknown CA",
            &issued(&world.other, |_| ()),
            Some(NAME),
            TlsResult::Fail,
            Some("issuer unknown"),
        ),
        (
            "of an unknown CA of the subject's name",
            &issued(&Authority::new(NAME), |params| {
                params.distinguished_name = rcgen::DistinguishedName::new();
                params.distinguished_name.push(DnType::CommonName, NAME);
            }),
            Some(NAME),
            TlsResult::Fail,
            Some("issuer unknown"),
        ),
        (
            "of its own key under another name",
            &under_another_name(),
            Some(NAME),
            TlsResult::Fail,
            Some("issuer unknown"),
        ),
        (
            "of a CA that has the trusted one's name",
            &issued(&Authority::new("Trusted CA"), |_| ()),
            Some(NAME),
            TlsResult::Fail,
            Some("bad signature in the chain"),
        ),
        (
            "expired",
            &issued(&world.trusted, expired),
            Some(NAME),
            TlsResult::Fail,
            Some("certificate expired"),
        ),
        (
            "not yet valid",
            &issued(&world.trusted, not_yet),
            Some(NAME),
            TlsResult::Fail,
            Some("certificate not yet valid"),
        ),
        (
            "for servers",
            &issued(&world.trusted, |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }),
            Some(NAME),
            TlsResult::Fail,
            Some("certificate for another purpose"),
        ),
        (
            "host in the common name only",
            &issued(&world.trusted, |params| params.subject_alt_names.clear()),
            Some(NAME),
            TlsResult::InvalidHost,
            Some("certificate of another host"),
        ),
        (
            "wildcard",
            &issued(&world.trusted, |params| {
                params.subject_alt_names =
                    vec![SanType::DnsName("*.example.com".try_into().unwrap())];
            }),
            Some(NAME),
            TlsResult::Pass,
            None,
        ),
        (
            "address",
            &issued(&world.trusted, |params| {
                params.subject_alt_names = vec![SanType::IpAddress([192, 0, 2, 1].into())];
            }),
            Some("192.0.2.1"),
            TlsResult::Pass,
            None,
        ),
    ];
    for version in VERSIONS {
        for (name, identity, host, expected, comment) in &cases {
            let session = world.seen(&verifier, version, Some(identity), *host);
            assert_eq!(result(&session), (*expected, *comment), "{name}");
        }
    }
}

#[test]
fn returns_facts_of_connection_and_certificate() {
    let world = world();
    let verifier = world.verifier(Vec::new());
    let identity = issued(&world.trusted, |_| ());
    let session = world.seen(&verifier, &version::TLS13, Some(&identity), Some(NAME));
    let Session::Tls(tls) = &session else {
        panic!("in clear");
    };
    assert_eq!(tls.version, Some(ProtocolVersion::Tls1_3));
    assert_eq!(tls.server, None);
    let known = presented(&session);
    assert_eq!(known.chain, ChainVerdict::Trusted);
    assert_eq!(known.host, HostVerdict::Match);
    assert_eq!(known.dane, DaneVerdict::NotChecked);
    assert_eq!(known.local, LocalVerdict::NotChecked);
    assert_eq!(known.fields.public_key_bits, Some(256));

    let report = Policy::default().evaluate(&session);
    let fingerprint =
        authres_tls::tls::Fingerprint::sha256(known.fields.public_key_sha256.unwrap());
    let suite = tls.cipher_suite.as_ref().unwrap();
    let properties = [
        (TlsProperty::CertClient, "CN=smtp.example.com,O=ACME"),
        (TlsProperty::CertClientAlt, "DNS:smtp.example.com"),
        (TlsProperty::CertClientIssuer, "CN=Trusted CA"),
        (TlsProperty::CertVerif, "CA"),
        (TlsProperty::TlsV, "TLS1.3"),
        (TlsProperty::KeyCiphersuite, suite.description()),
        (TlsProperty::KeyFingerprint, &fingerprint.to_string()),
        (TlsProperty::KeyLength, "256"),
        (TlsProperty::KeyStrength, "high"),
    ]
    .map(|(property, value)| (property, value.to_owned()));
    assert_eq!(report.properties, properties);
    assert!(
        suite.description().starts_with("TLS_AES_256_GCM_"),
        "{suite}"
    );

    let session = world.seen(&verifier, &version::TLS12, Some(&identity), Some(NAME));
    let Session::Tls(tls) = &session else {
        panic!("in clear");
    };
    assert_eq!(tls.version, Some(ProtocolVersion::Tls1_2));
    let suite = tls.cipher_suite.as_ref().unwrap();
    assert!(
        suite.description().starts_with("TLS_ECDHE_ECDSA_WITH_"),
        "{suite}"
    );
    assert_eq!(tls.key_bits, suite.key_bits());
}

#[test]
fn accepts_client_without_certificate_and_returns_no_pass() {
    let world = world();
    let verifier = world.verifier(Vec::new());
    for version in VERSIONS {
        let session = world.seen(&verifier, version, None, Some(NAME));
        let expected = (
            TlsResult::PermError,
            Some("no client certificate presented"),
        );
        assert_eq!(result(&session), expected);
    }
}

#[test]
fn reports_that_server_requested_no_certificate() {
    let world = world();
    let none = WebPkiClientVerifier::no_client_auth();
    let provider = ring::default_provider();
    let verifier = Arc::new(DeferredClientVerifier::new(none, &provider));
    let identity = issued(&world.trusted, |_| ());
    for version in VERSIONS {
        let session = world.seen(&verifier, version, Some(&identity), Some(NAME));
        let expected = (
            TlsResult::PermError,
            Some("client certificate not requested"),
        );
        assert_eq!(result(&session), expected);
    }
}

fn list(
    issuer: &Authority,
    revoked: Option<u64>,
    next_update: i32,
) -> CertificateRevocationListDer<'static> {
    let revoked_certs = revoked.into_iter().map(|serial| RevokedCertParams {
        serial_number: SerialNumber::from(serial),
        revocation_time: date_time_ymd(2024, 3, 1),
        reason_code: None,
        invalidity_date: None,
    });
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2024, 1, 1),
        next_update: date_time_ymd(next_update, 2, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked_certs.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(&**issuer).unwrap().der().clone()
}

#[test]
fn fails_revoked_certificate_and_defers_unknown_status() {
    let world = world();
    let identity = issued(&world.trusted, |_| ());
    let unavailable = (
        TlsResult::TempError,
        Some("revocation status not available"),
    );
    for (name, list, expected) in [
        (
            "listed",
            list(&world.trusted, Some(7), 2030),
            (TlsResult::Fail, Some("certificate revoked")),
        ),
        (
            "another is listed",
            list(&world.trusted, Some(8), 2030),
            (TlsResult::Pass, None),
        ),
        ("an old list", list(&world.trusted, None, 2024), unavailable),
        (
            "another's list",
            list(&world.other, None, 2030),
            unavailable,
        ),
    ] {
        let verifier = world.verifier(vec![list]);
        for version in VERSIONS {
            let mut session = world.seen(&verifier, version, Some(&identity), Some(NAME));
            assert_eq!(result(&session), expected, "{name}");
            // Nobody's word makes up for it.
            session.presented_mut().unwrap().local = LocalVerdict::Accepted;
            assert_eq!(result(&session), expected, "{name}");
        }
    }
}

#[test]
fn passes_self_signed_certificate_by_dane_or_local_policy() {
    let world = world();
    let verifier = world.verifier(Vec::new());
    let identity = self_signed(|_| ());
    let session = world.seen(&verifier, &version::TLS13, Some(&identity), Some(NAME));
    for (dane, local, verif) in [
        (DaneVerdict::Match, LocalVerdict::NotChecked, "DANE"),
        (DaneVerdict::NotChecked, LocalVerdict::Accepted, "LOCAL"),
    ] {
        let mut session = session.clone();
        let presented = session.presented_mut().unwrap();
        (presented.dane, presented.local) = (dane, local);
        let report = Policy::default().evaluate(&session);
        assert_eq!(report.result, TlsResult::Pass);
        assert!(
            report
                .properties
                .contains(&(TlsProperty::CertVerif, verif.into()))
        );
    }
}

#[test]
fn ends_handshake_of_client_without_private_key() {
    let world = world();
    let verifier = world.verifier(Vec::new());
    let identity = issued(&world.trusted, |_| ());
    let key = issued(&world.trusted, |_| ()).private_key();
    let key = ring::default_provider().key_provider.load_private_key(key);
    let stolen = Arc::new(CertifiedKey::new(identity.chain(), key.unwrap()));
    for version in VERSIONS {
        let config = world.server_config(verifier.clone(), version);
        let mut server = ServerConnection::new(config).unwrap();
        let mut client = client(&client_config(Some(stolen.clone()), version));
        let error = handshake(&mut client, &mut server).unwrap_err();
        let expected = rustls::CertificateError::BadSignature;
        assert_eq!(error, rustls::Error::InvalidCertificate(expected));
        assert_eq!(
            verifier.session(&server, None, now()),
            Err(UnfinishedHandshakeError)
        );
    }
}

#[test]
fn returns_error_before_handshake_is_finished() {
    let world = world();
    let verifier = world.verifier(Vec::new());
    let config = world.server_config(verifier.clone(), &version::TLS13);
    let server = ServerConnection::new(config).unwrap();
    assert_eq!(
        verifier.session(&server, None, now()),
        Err(UnfinishedHandshakeError)
    );
    assert_eq!(
        UnfinishedHandshakeError.to_string(),
        "handshake: not finished"
    );
}

#[test]
fn verifies_certificate_again_after_resumption() {
    let world = world();
    let verifier = world.verifier(Vec::new());
    let identity = issued(&world.trusted, |_| ());
    for version in VERSIONS {
        let server_config = world.server_config(verifier.clone(), version);
        let client_config = client_config(Some(certified(&identity)), version);
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let mut server = ServerConnection::new(server_config.clone()).unwrap();
            let mut client = client(&client_config);
            handshake(&mut client, &mut server).unwrap();
            kinds.push(server.handshake_kind().unwrap());
            let fresh = session(&verifier, &server, Some(NAME), now());
            assert_eq!(result(&fresh), (TlsResult::Pass, None));
            let later = session(&verifier, &server, Some(NAME), years_later(2));
            assert_eq!(presented(&later).chain, ChainVerdict::Expired);
        }
        assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed]);
    }
}

#[test]
fn sends_no_hints_of_trusted_authorities() {
    let world = world();
    let verifier = world.verifier(Vec::new());
    assert!(verifier.root_hint_subjects().is_empty());
    assert!(verifier.offer_client_auth() && !verifier.client_auth_mandatory());
}
