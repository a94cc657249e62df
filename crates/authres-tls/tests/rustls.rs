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

use std::{
    io::{Read, Write},
    sync::Arc,
    time::Duration,
};

use authres_tls::{
    Policy, Session,
    facts::rustls::{DeferredClientVerifier, UnfinishedHandshakeError},
    facts::{
        ChainVerdict, ClientCertificate, DaneVerdict, HostVerdict, LocalVerdict,
        PresentedCertificate, TlsSession,
    },
    tls::{ProtocolVersion, TlsProperty, TlsResult},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SanType, SerialNumber, date_time_ymd,
};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
    client::{ResolvesClientCert, Resumption, danger::ServerCertVerifier},
    crypto::ring,
    pki_types::{
        CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, UnixTime,
    },
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::CertifiedKey,
    version,
};

const NAME: &str = "smtp.example.com";

/// 2024-06-01: certificates are made around this day.
fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_717_200_000))
}

fn years_later(years: u64) -> UnixTime {
    let year = Duration::from_secs(365 * 24 * 3600);
    let years = year * u32::try_from(years).unwrap();
    UnixTime::since_unix_epoch(Duration::from_secs(now().as_secs()) + years)
}

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Issuer {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2040, 1, 1);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// What a client's certificate says, before anything is changed.
fn client_params() -> CertificateParams {
    let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, "ACME");
    params.distinguished_name.push(DnType::CommonName, NAME);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2025, 1, 1);
    params.serial_number = Some(SerialNumber::from(7));
    params
}

struct Identity {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

fn issued(issuer: &Issuer, change: impl FnOnce(&mut CertificateParams)) -> Identity {
    let mut params = client_params();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap().der().clone();
    Identity { certificate, key }
}

fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> Identity {
    let mut params = client_params();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    Identity { certificate, key }
}

/// The issuer has another name, and the same key: not self-signed by RFC 5280 section 3.2.
fn under_another_name() -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut issuer = CertificateParams::default();
    issuer.distinguished_name = rcgen::DistinguishedName::new();
    issuer
        .distinguished_name
        .push(DnType::CommonName, "Another");
    let issuer = rcgen::Issuer::from_params(&issuer, &key);
    let certificate = client_params()
        .signed_by(&key, &issuer)
        .unwrap()
        .der()
        .clone();
    Identity { certificate, key }
}

/// A mail server, and the authorities around it.
struct World {
    trusted: Issuer,
    other: Issuer,
    server: Identity,
}

fn world() -> World {
    let trusted = authority("Trusted CA");
    let server = issued(&trusted, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    World {
        trusted,
        other: authority("Other CA"),
        server,
    }
}

impl World {
    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.trusted.der().clone()).unwrap();
        Arc::new(roots)
    }

    fn verifier(
        &self,
        lists: Vec<CertificateRevocationListDer<'static>>,
    ) -> Arc<DeferredClientVerifier> {
        let provider = Arc::new(ring::default_provider());
        let mut builder =
            WebPkiClientVerifier::builder_with_provider(self.roots(), provider.clone());
        if !lists.is_empty() {
            builder = builder.with_crls(lists).enforce_revocation_expiration();
        }
        Arc::new(DeferredClientVerifier::new(
            builder.build().unwrap(),
            &provider,
        ))
    }

    fn server_config(
        &self,
        verifier: Arc<DeferredClientVerifier>,
        version: &'static SupportedProtocolVersion,
    ) -> Arc<ServerConfig> {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![self.server.certificate.clone()],
                private(&self.server.key),
            );
        Arc::new(config.unwrap())
    }

    /// What the server knows of a client that presents this, and the result.
    fn seen(
        &self,
        verifier: &Arc<DeferredClientVerifier>,
        version: &'static SupportedProtocolVersion,
        identity: Option<&Identity>,
        host: Option<&str>,
    ) -> Session {
        let config = self.server_config(verifier.clone(), version);
        let mut server = ServerConnection::new(config).unwrap();
        let mut client = client(&client_config(identity, version));
        handshake(&mut client, &mut server).unwrap();
        session(verifier, &server, host, now())
    }
}

fn session(
    verifier: &DeferredClientVerifier,
    server: &ServerConnection,
    host: Option<&str>,
    now: UnixTime,
) -> Session {
    let host = host.map(|host| ServerName::try_from(host).unwrap());
    verifier.session(server, host.as_ref(), now).unwrap()
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(key.serialize_der()).unwrap()
}

/// An SMTP client takes any certificate of the server's.
#[derive(Debug)]
struct Opportunistic;

impl ServerCertVerifier for Opportunistic {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

/// Presents a certificate whether its key fits or not.
#[derive(Debug)]
struct Presents(Arc<CertifiedKey>);

impl ResolvesClientCert for Presents {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn client_config(
    identity: Option<&Identity>,
    version: &'static SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Opportunistic));
    let mut config = match identity {
        Some(identity) => {
            let provider = ring::default_provider();
            let key = provider
                .key_provider
                .load_private_key(private(&identity.key));
            let key = CertifiedKey::new(vec![identity.certificate.clone()], key.unwrap());
            builder.with_client_cert_resolver(Arc::new(Presents(Arc::new(key))))
        }
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::in_memory_sessions(8);
    Arc::new(config)
}

fn client(config: &Arc<ClientConfig>) -> ClientConnection {
    let name = ServerName::try_from("mx.example.net").unwrap();
    ClientConnection::new(config.clone(), name).unwrap()
}

/// Hands records to and fro until neither side has more, and a message so that tickets arrive.
fn handshake(
    client: &mut ClientConnection,
    server: &mut ServerConnection,
) -> Result<(), rustls::Error> {
    client.writer().write_all(b"MAIL").unwrap();
    for _ in 0..8 {
        let mut records = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut records).unwrap();
        }
        let mut rest = records.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets()?;
        }
        let mut records = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut records).unwrap();
        }
        let mut rest = records.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
    }
    let mut message = [0; 4];
    server.reader().read_exact(&mut message).unwrap();
    assert_eq!(&message, b"MAIL");
    Ok(())
}

fn presented(session: &Session) -> &PresentedCertificate {
    match session {
        Session::Tls(TlsSession {
            client: ClientCertificate::Presented(presented),
            ..
        }) => presented,
        other => panic!("no certificate: {other:?}"),
    }
}

fn result(session: &Session) -> (TlsResult, Option<&'static str>) {
    let report = Policy::default().evaluate(session);
    (report.result, report.comment)
}

const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

#[test]
fn each_kind_of_certificate_has_its_result_under_tls_1_2_and_1_3() {
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
            &issued(&authority(NAME), |params| {
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
            &issued(&authority("Trusted CA"), |_| ()),
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
fn the_facts_are_the_connections_and_the_certificates() {
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
fn a_client_without_a_certificate_is_let_in_and_does_not_pass() {
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
fn a_server_that_asks_for_no_certificate_says_so() {
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
    issuer: &Issuer,
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
    params.signed_by(issuer).unwrap().der().clone()
}

#[test]
fn a_revoked_certificate_fails_and_one_whose_status_is_not_known_is_for_later() {
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
fn a_self_signed_certificate_passes_when_dane_or_a_local_policy_vouches() {
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
fn somebody_elses_certificate_ends_the_handshake() {
    let world = world();
    let verifier = world.verifier(Vec::new());
    let mut identity = issued(&world.trusted, |_| ());
    identity.key = KeyPair::generate().unwrap();
    for version in VERSIONS {
        let config = world.server_config(verifier.clone(), version);
        let mut server = ServerConnection::new(config).unwrap();
        let mut client = client(&client_config(Some(&identity), version));
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
fn nothing_is_known_before_the_handshake_is_finished() {
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
fn a_resumed_session_is_judged_anew() {
    let world = world();
    let verifier = world.verifier(Vec::new());
    let identity = issued(&world.trusted, |_| ());
    for version in VERSIONS {
        let server_config = world.server_config(verifier.clone(), version);
        let client_config = client_config(Some(&identity), version);
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
fn no_client_is_told_which_authorities_are_trusted() {
    let world = world();
    let verifier = world.verifier(Vec::new());
    assert!(verifier.root_hint_subjects().is_empty());
    assert!(verifier.offer_client_auth() && !verifier.client_auth_mandatory());
}
