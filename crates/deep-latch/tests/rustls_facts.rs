//! rustls clients and servers, with server certificates of each kind: the facts for the latch machine.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

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
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConfig,
    ServerConnection, SupportedProtocolVersion,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime},
    version::{TLS12, TLS13},
};

const NAME: &str = "imap.example.com";

/// rustls asks the verifier with its own clock, so the certificates are of now.
fn now() -> UnixTime {
    UnixTime::now()
}

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Issuer {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

struct Identity {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

fn server_params(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    // A common name is no identity.
    params.distinguished_name.push(DnType::CommonName, NAME);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn issued(
    issuer: &Issuer,
    names: &[&str],
    change: impl FnOnce(&mut CertificateParams),
) -> Identity {
    let mut params = server_params(names);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap().der().clone();
    Identity { certificate, key }
}

fn self_signed(names: &[&str]) -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate = server_params(names).self_signed(&key).unwrap();
    let certificate = certificate.der().clone();
    Identity { certificate, key }
}

fn webpki(trusted: &Issuer) -> Arc<WebPkiServerVerifier> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der().clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap()
}

fn server_config(
    identity: &Identity,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::try_from(identity.key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![identity.certificate.clone()], key);
    Arc::new(config.unwrap())
}

/// Hands records to and fro until neither side has more.
fn handshake(
    client: &mut ClientConnection,
    server: &mut ServerConnection,
) -> Result<(), rustls::Error> {
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
    Ok(())
}

fn host() -> Host {
    Host::try_new(NAME).unwrap()
}

/// A client of a host with these latches, and its connection.
struct Client {
    latches: LatchSession,
    verifier: Arc<DeferredServerVerifier>,
    config: Arc<ClientConfig>,
}

impl Client {
    fn new(trusted: &Issuer, latched: &[SecurityTag<'static>], on: OnCertificateFailure) -> Self {
        let record = LatchRecord::preset(host(), latched.iter().cloned());
        let latches = LatchSession::try_new(record, Facilities::new()).unwrap();
        let requirements = latches.requirements();
        let verifier = DeferredServerVerifier::new(webpki(trusted), &requirements, on);
        let verifier = Arc::new(verifier);
        let provider = Arc::new(ring::default_provider());
        let config = verifier
            .clone()
            .client_config(provider, &requirements)
            .unwrap();
        Self {
            latches,
            verifier,
            config: Arc::new(config),
        }
    }

    fn connect(&self) -> ClientConnection {
        let name = ServerName::try_from(NAME).unwrap();
        ClientConnection::new(self.config.clone(), name).unwrap()
    }

    fn facts(&self, connection: &ClientConnection) -> Result<TlsFacts, HandshakeUnfinishedError> {
        let dane = DaneVerdict::NotChecked;
        self.verifier.facts(connection, &host(), now(), dane)
    }
}

/// Returns the facts for a client that continues in any case, and the error of one that does not.
fn seen(
    trusted: &Issuer,
    identity: &Identity,
    version: &'static SupportedProtocolVersion,
) -> (TlsFacts, Option<rustls::Error>) {
    let config = server_config(identity, &[version]);
    let goes_on = Client::new(trusted, &[], OnCertificateFailure::GoOn);
    let (mut client, mut server) = (
        goes_on.connect(),
        ServerConnection::new(config.clone()).unwrap(),
    );
    assert_eq!(goes_on.facts(&client), Err(HandshakeUnfinishedError));
    handshake(&mut client, &mut server).unwrap();
    let facts = goes_on.facts(&client).unwrap();

    let aborts = Client::new(trusted, &[], OnCertificateFailure::Abort);
    let (mut client, mut server) = (aborts.connect(), ServerConnection::new(config).unwrap());
    let error = handshake(&mut client, &mut server).err();
    match &error {
        Some(_) => assert_eq!(aborts.facts(&client), Err(HandshakeUnfinishedError)),
        None => assert_eq!(aborts.facts(&client), Ok(facts)),
    }
    (facts, error)
}

#[test]
fn judges_chain_and_identity_separately() {
    let (trusted, other) = (authority("Trusted CA"), authority("Other CA"));
    let expired = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    };
    let not_yet = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(3000, 1, 1);
        params.not_after = date_time_ymd(3001, 1, 1);
    };
    let of_client = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    };
    use ChainVerdict::{Refused, Trusted};
    use IdentityVerdict::{Differs, Matches};
    let elsewhere = ["smtp.example.com", "*.example.org", "example.com"];
    let kinds = [
        ("good", issued(&trusted, &[NAME], |_| {}), Trusted, Matches),
        (
            "wildcard",
            issued(&trusted, &["*.example.com"], |_| {}),
            Trusted,
            Matches,
        ),
        (
            "wrong name",
            issued(&trusted, &elsewhere, |_| {}),
            Trusted,
            Differs,
        ),
        ("no name", issued(&trusted, &[], |_| {}), Trusted, Differs),
        (
            "expired",
            issued(&trusted, &[NAME], expired),
            Refused,
            Matches,
        ),
        (
            "not yet valid",
            issued(&trusted, &[NAME], not_yet),
            Refused,
            Matches,
        ),
        (
            "of a client",
            issued(&trusted, &[NAME], of_client),
            Refused,
            Matches,
        ),
        (
            "unknown CA",
            issued(&other, &[NAME], |_| {}),
            Refused,
            Matches,
        ),
        (
            "unknown CA, wrong name",
            issued(&other, &elsewhere, |_| {}),
            Refused,
            Differs,
        ),
        ("self-signed", self_signed(&[NAME]), Refused, Matches),
        (
            "expired, wrong name",
            issued(&trusted, &elsewhere, expired),
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
    let trusted = authority("Trusted CA");
    let pinned = self_signed(&[NAME]);
    let url = "https://www.example.com/privacy-support.html";
    for version in [&TLS12, &TLS13] {
        // Whatever the account's policy: the latch machine refuses.
        for on in [OnCertificateFailure::Abort, OnCertificateFailure::GoOn] {
            let mut client = Client::new(&trusted, &[SecurityTag::TLS_CERT], on);
            let mut server = ServerConnection::new(server_config(&pinned, &[version])).unwrap();
            let mut connection = client.connect();
            handshake(&mut connection, &mut server).unwrap();
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
    let (trusted, other) = (authority("Trusted CA"), authority("Other CA"));
    let unknown = issued(&other, &[NAME], |_| {});
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
    let trusted = authority("Trusted CA");
    let own = self_signed(&[NAME]);
    let mut client = Client::new(
        &trusted,
        &[SecurityTag::TLS_DANE_TLSA],
        OnCertificateFailure::Abort,
    );
    let mut server = ServerConnection::new(server_config(&own, &[&TLS13])).unwrap();
    let mut connection = client.connect();
    handshake(&mut connection, &mut server).unwrap();
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
    let trusted = authority("Trusted CA");
    let identity = issued(&trusted, &[NAME], |_| {});
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
            handshake(&mut connection, &mut server).unwrap();
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
    let trusted = authority("Trusted CA");
    let identity = issued(&trusted, &["192.0.2.1", "2001:db8::1"], |_| {});
    let client = Client::new(&trusted, &[], OnCertificateFailure::Abort);
    let verdicts = |name: &str| {
        let host = Host::try_new(name).unwrap();
        let certificate = &identity.certificate;
        client.verifier.verdicts(certificate, &[], &host, now())
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

/// A verifier that finds another name than rustls does, or none at all.
#[derive(Debug)]
struct Stricter(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for Stricter {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Err(CertificateError::NotValidForName.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[test]
fn respects_a_verifier_with_stricter_names() {
    let trusted = authority("Trusted CA");
    let identity = issued(&trusted, &[NAME], |_| {});
    let inner = Arc::new(Stricter(webpki(&trusted)));
    let verifier = DeferredServerVerifier::new(
        inner,
        &Requirements::default(),
        OnCertificateFailure::default(),
    );
    let verdict = verifier.verdicts(&identity.certificate, &[], &host(), now());
    assert_eq!(verdict, (ChainVerdict::Refused, IdentityVerdict::Matches));
}

/// A server that lacks the key of its certificate.
#[test]
fn verifies_the_possession_of_the_key_always() {
    let trusted = authority("Trusted CA");
    let mut stolen = issued(&trusted, &[NAME], |_| {});
    stolen.key = KeyPair::generate().unwrap();
    let key = PrivateKeyDer::try_from(stolen.key.serialize_der()).unwrap();
    let provider = ring::default_provider();
    let key = provider.key_provider.load_private_key(key).unwrap();
    let key = rustls::sign::CertifiedKey::new(vec![stolen.certificate], key);
    for version in [&TLS12, &TLS13] {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key.clone())));
        let config = Arc::new(config);
        for latched in [&[][..], &[SecurityTag::TLS_CERT]] {
            let client = Client::new(&trusted, latched, OnCertificateFailure::GoOn);
            let mut server = ServerConnection::new(config.clone()).unwrap();
            let mut connection = client.connect();
            let error = handshake(&mut connection, &mut server).unwrap_err();
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
    let trusted = authority("Trusted CA");
    let client = Client::new(&trusted, &[], OnCertificateFailure::Abort);
    assert!(!client.config.enable_early_data);
    let provider = Arc::new(ring::default_provider());
    let config = client.verifier.client_config(provider, &least(later));
    let expected = rustls::Error::General("no usable cipher suites configured".into());
    assert_eq!(config.err(), Some(expected));
    // A server that has TLS 1.2 only cannot be reached where TLS 1.3 is required.
    let identity = issued(&trusted, &[NAME], |_| {});
    let verifier = Client::new(&trusted, &[], OnCertificateFailure::Abort).verifier;
    let provider = Arc::new(ring::default_provider());
    let required = least(Some(ProtocolVersion::TLS1_3));
    let config = verifier.client_config(provider, &required).unwrap();
    let name = ServerName::try_from(NAME).unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut server = ServerConnection::new(server_config(&identity, &[&TLS12])).unwrap();
    let error = handshake(&mut connection, &mut server).unwrap_err();
    let expected = rustls::PeerIncompatible::Tls12NotOfferedOrEnabled;
    assert_eq!(error, rustls::Error::PeerIncompatible(expected));
}
