//! Mail servers and clients over rustls, in memory.

use std::{
    io::{Read as _, Write as _},
    sync::Arc,
    time::Duration,
};

use authres_tls::{
    Policy, Session,
    facts::{ClientCertificate, PresentedCertificate, TlsSession, rustls::DeferredClientVerifier},
    tls::TlsResult,
};
use rustls::{
    ClientConfig, ClientConnection, ServerConfig, ServerConnection, SupportedProtocolVersion,
    client::{ResolvesClientCert, Resumption, danger::ServerCertVerifier},
    crypto::ring,
    pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime},
    server::WebPkiClientVerifier,
    sign::CertifiedKey,
    version,
};
use test_support::{
    in_memory::exchange,
    pki::{
        Authority, Certificate, Identity,
        rcgen::{ExtendedKeyUsagePurpose, KeyPair},
    },
};

pub(crate) const NAME: &str = "smtp.example.com";

/// Returns 2024-06-01, a day on which the certificates are valid.
pub(crate) fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_717_200_000))
}

pub(crate) fn years_later(years: u64) -> UnixTime {
    let year = Duration::from_secs(365 * 24 * 3600);
    let years = year * u32::try_from(years).unwrap();
    UnixTime::since_unix_epoch(Duration::from_secs(now().as_secs()) + years)
}

/// Describes a valid client's certificate.
pub(crate) fn certificate() -> Certificate {
    Certificate::server(&[NAME])
        .usages(&[ExtendedKeyUsagePurpose::ClientAuth])
        .organization("ACME")
        .common_name(NAME)
        .valid(2024, 2025)
        .serial(7)
}

/// Makes a certificate whose issuer has another name and the same key. By RFC 5280 section 3.2 it is not
/// self-signed.
pub(crate) fn under_another_name() -> Identity {
    let another = Authority::new("Another");
    let key = KeyPair::try_from(another.key().serialize_der()).unwrap();
    certificate().issue_for(key, &another)
}

/// A mail server, and the authorities around it.
pub(crate) struct World {
    pub(crate) trusted: Authority,
    pub(crate) other: Authority,
    pub(crate) server: Identity,
}

pub(crate) fn world() -> World {
    let trusted = Authority::new("Trusted CA");
    let server = certificate()
        .usages(&[ExtendedKeyUsagePurpose::ServerAuth])
        .issue(&trusted);
    World {
        trusted,
        other: Authority::new("Other CA"),
        server,
    }
}

impl World {
    pub(crate) fn verifier(
        &self,
        lists: Vec<CertificateRevocationListDer<'static>>,
    ) -> Arc<DeferredClientVerifier> {
        let provider = Arc::new(ring::default_provider());
        let mut builder = WebPkiClientVerifier::builder_with_provider(
            Arc::new(self.trusted.roots()),
            provider.clone(),
        );
        if !lists.is_empty() {
            builder = builder.with_crls(lists).enforce_revocation_expiration();
        }
        Arc::new(DeferredClientVerifier::new(
            builder.build().unwrap(),
            &provider,
        ))
    }

    pub(crate) fn server_config(
        &self,
        verifier: Arc<DeferredClientVerifier>,
        version: &'static SupportedProtocolVersion,
    ) -> Arc<ServerConfig> {
        let provider = Arc::new(ring::default_provider());
        Arc::new(
            self.server
                .server_config_with(provider, &[version], verifier),
        )
    }

    /// Returns the facts that the server has of a client with this certificate.
    pub(crate) fn seen(
        &self,
        verifier: &Arc<DeferredClientVerifier>,
        version: &'static SupportedProtocolVersion,
        identity: Option<&Identity>,
        host: Option<&str>,
    ) -> Session {
        let config = self.server_config(verifier.clone(), version);
        let mut server = ServerConnection::new(config).unwrap();
        let mut client = client(&client_config(identity.map(certified), version));
        handshake(&mut client, &mut server).unwrap();
        session(verifier, &server, host, now())
    }
}

pub(crate) fn session(
    verifier: &DeferredClientVerifier,
    server: &ServerConnection,
    host: Option<&str>,
    now: UnixTime,
) -> Session {
    let host = host.map(|host| ServerName::try_from(host).unwrap());
    verifier.session(server, host.as_ref(), now).unwrap()
}

/// A verifier of an opportunistic SMTP client, which accepts any certificate of the server.
#[derive(Debug)]
pub(crate) struct Opportunistic;

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

/// A resolver that always presents its certificate.
#[derive(Debug)]
pub(crate) struct Presents(Arc<CertifiedKey>);

impl ResolvesClientCert for Presents {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Returns the certificate and key for rustls.
pub(crate) fn certified(identity: &Identity) -> Arc<CertifiedKey> {
    identity.certified(&ring::default_provider())
}

pub(crate) fn client_config(
    identity: Option<Arc<CertifiedKey>>,
    version: &'static SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Opportunistic));
    let mut config = match identity {
        Some(key) => builder.with_client_cert_resolver(Arc::new(Presents(key))),
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::in_memory_sessions(8);
    Arc::new(config)
}

pub(crate) fn client(config: &Arc<ClientConfig>) -> ClientConnection {
    let name = ServerName::try_from("mx.example.net").unwrap();
    ClientConnection::new(config.clone(), name).unwrap()
}

/// Exchanges records until neither side has more, and a message so that tickets arrive.
pub(crate) fn handshake(
    client: &mut ClientConnection,
    server: &mut ServerConnection,
) -> Result<(), rustls::Error> {
    client.writer().write_all(b"MAIL").unwrap();
    exchange(client, server)?;
    let mut message = [0; 4];
    server.reader().read_exact(&mut message).unwrap();
    assert_eq!(&message, b"MAIL");
    Ok(())
}

pub(crate) fn presented(session: &Session) -> &PresentedCertificate {
    match session {
        Session::Tls(TlsSession {
            client: ClientCertificate::Presented(presented),
            ..
        }) => presented,
        other => panic!("no certificate: {other:?}"),
    }
}

pub(crate) fn result(session: &Session) -> (TlsResult, Option<&'static str>) {
    let report = Policy::default().evaluate(session);
    (report.result, report.comment)
}

pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];
