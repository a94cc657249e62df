//! Feature `rustls`: the facts of a server's connection, and a verifier of client certificates that never ends
//! a handshake because of a certificate. Its verdict becomes part of the message instead.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::fmt;

use ::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConnection,
    SignatureScheme,
    client::{danger::HandshakeSignatureValid, verify_server_name},
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{
        ParsedCertificate,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use super::{
    CertificateFields, ChainVerdict, ClientCertificate, HostVerdict, PresentedCertificate, Session,
    TlsSession, certificate,
};
use crate::tls::{CipherSuite, ProtocolVersion};

/// An error: the handshake is not finished, so that no facts are known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnfinishedHandshakeError;

impl fmt::Display for UnfinishedHandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("handshake: not finished")
    }
}

impl core::error::Error for UnfinishedHandshakeError {}

/// A verifier of client certificates that accepts every client: one without a certificate, and one with any
/// certificate whose key made the handshake's signature. [`session`](Self::session) asks the wrapped verifier
/// for its verdict, for each message if necessary: a session may be resumed, and a certificate may have
/// expired since the handshake.
///
/// A certificate in `peer_certificates` is therefore not verified; only [`session`](Self::session) verifies
/// it. Use this verifier in a server that reports a certificate, as an MTA does. Do not use it in a server
/// that grants access because of a certificate.
///
/// ```
/// # use std::{error::Error, sync::Arc, time::Duration};
/// use authres_tls::{Policy, facts::rustls::DeferredClientVerifier};
/// use ::rustls::{ServerConfig, crypto::ring, pki_types::UnixTime, server::WebPkiClientVerifier};
///
/// # fn f(
/// #     roots: Arc<rustls::RootCertStore>,
/// #     chain: Vec<rustls::pki_types::CertificateDer<'static>>,
/// #     key: rustls::pki_types::PrivateKeyDer<'static>,
/// #     connection: rustls::ServerConnection,
/// # ) -> Result<(), Box<dyn Error>> {
/// let provider = Arc::new(ring::default_provider());
/// let webpki = WebPkiClientVerifier::builder_with_provider(roots, provider.clone()).build()?;
/// let verifier = Arc::new(DeferredClientVerifier::new(webpki, &provider));
/// let config = ServerConfig::builder_with_provider(provider)
///     .with_safe_default_protocol_versions()?
///     .with_client_cert_verifier(verifier.clone())
///     .with_single_cert(chain, key)?;
/// # let _ = config;
/// // After the handshake, for each message:
/// let host = "smtp.example.com".try_into()?;
/// let session = verifier.session(&connection, Some(&host), UnixTime::now())?;
/// let report = Policy::default().evaluate(&session);
/// # let _ = report;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DeferredClientVerifier {
    inner: Arc<dyn ClientCertVerifier>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl DeferredClientVerifier {
    /// Wraps a verifier, e.g. rustls's `WebPkiClientVerifier`. `provider` gives the signature algorithms that
    /// detect a certificate signed with its own key.
    #[must_use]
    pub fn new(inner: Arc<dyn ClientCertVerifier>, provider: &CryptoProvider) -> Self {
        let algorithms = provider.signature_verification_algorithms;
        Self { inner, algorithms }
    }

    /// Returns the facts of a connection, with the wrapped verifier's verdict on the client's certificate at
    /// the time `now`. The connection must use this verifier.
    ///
    /// `host` is the name that the client claims, by EHLO or by verified reverse DNS. If it is `None`, the
    /// host identity stays unchecked. Only alternative names count for it, not the common name. The caller
    /// can add verdicts by DANE and by local policy, and the fields of the server's certificate.
    ///
    /// # Errors
    /// Returns [`UnfinishedHandshakeError`] if the handshake is not finished.
    pub fn session(
        &self,
        connection: &ServerConnection,
        host: Option<&ServerName<'_>>,
        now: UnixTime,
    ) -> Result<Session, UnfinishedHandshakeError> {
        if connection.is_handshaking() {
            return Err(UnfinishedHandshakeError);
        }
        let cipher_suite = connection.negotiated_cipher_suite().and_then(|suite| {
            // rustls spells the suites of TLS 1.3 in its own way.
            CipherSuite::from_id(suite.suite().into())
        });
        let client = match connection.peer_certificates() {
            Some([end_entity, intermediates @ ..]) => {
                ClientCertificate::Presented(Box::new(PresentedCertificate {
                    fields: CertificateFields::from_der(end_entity).unwrap_or_default(),
                    chain: self.chain_verdict(end_entity, intermediates, now),
                    host: host_verdict(end_entity, host),
                    ..PresentedCertificate::default()
                }))
            }
            _ if self.inner.offer_client_auth() => ClientCertificate::NotPresented,
            _ => ClientCertificate::NotRequested,
        };
        Ok(Session::Tls(TlsSession {
            version: connection
                .protocol_version()
                .and_then(|version| ProtocolVersion::from_wire(version.into())),
            key_bits: cipher_suite.as_ref().and_then(CipherSuite::key_bits),
            cipher_suite,
            client,
            server: None,
        }))
    }

    /// Returns the wrapped verifier's verdict on a certificate at the time `now`.
    #[must_use]
    pub fn chain_verdict(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> ChainVerdict {
        let verified = self
            .inner
            .verify_client_cert(end_entity, intermediates, now);
        let (verdict, no_authority) = match verified {
            Ok(_) => (ChainVerdict::Trusted, false),
            Err(Error::InvalidCertificate(error)) => certificate_verdict(&error),
            // The available lists do not cover this certificate.
            Err(Error::InvalidCertRevocationList(_)) => {
                (ChainVerdict::RevocationUnavailable, false)
            }
            Err(_) => (ChainVerdict::NotAccepted, false),
        };
        if no_authority && is_self_signed(end_entity, &self.algorithms) {
            return ChainVerdict::SelfSigned;
        }
        verdict
    }
}

/// Returns the verdict, and `true` if the only fault is that no authority issued the certificate.
fn certificate_verdict(error: &CertificateError) -> (ChainVerdict, bool) {
    let verdict = match error {
        CertificateError::UnknownIssuer => return (ChainVerdict::UnknownIssuer, true),
        // webpki's error for most self-signed certificates: `openssl req -x509` marks them as a CA's. If rustls
        // used another version of webpki than this crate, the case "self-signed, marked as a CA's" of
        // tests/rustls/main.rs would fail.
        CertificateError::Other(other)
            if matches!(
                other.0.downcast_ref(),
                Some(webpki::Error::CaUsedAsEndEntity)
            ) =>
        {
            return (ChainVerdict::NotAccepted, true);
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ChainVerdict::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ChainVerdict::NotYetValid
        }
        CertificateError::Revoked => ChainVerdict::Revoked,
        CertificateError::UnknownRevocationStatus
        | CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. }
        | CertificateError::InvalidOcspResponse => ChainVerdict::RevocationUnavailable,
        CertificateError::BadSignature => ChainVerdict::BadSignature,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            ChainVerdict::WrongPurpose
        }
        CertificateError::BadEncoding => ChainVerdict::Malformed,
        _ => ChainVerdict::NotAccepted,
    };
    (verdict, false)
}

/// Returns `true` if the certificate's issuer is its subject and its own key made its signature.
fn is_self_signed(
    certificate: &CertificateDer<'_>,
    algorithms: &WebPkiSupportedAlgorithms,
) -> bool {
    let Ok(parsed) = certificate::parse(certificate) else {
        return false;
    };
    let (key, signature) = (
        &parsed.public_key().subject_public_key.data,
        &parsed.signature_value.data,
    );
    parsed.subject().as_raw() == parsed.issuer().as_raw()
        && algorithms.all.iter().any(|algorithm| {
            algorithm
                .verify_signature(key, parsed.tbs_certificate.as_ref(), signature)
                .is_ok()
        })
}

fn host_verdict(certificate: &CertificateDer<'_>, host: Option<&ServerName<'_>>) -> HostVerdict {
    let Some(host) = host else {
        return HostVerdict::NotChecked;
    };
    let checked =
        ParsedCertificate::try_from(certificate).and_then(|it| verify_server_name(&it, host));
    match checked {
        Ok(()) => HostVerdict::Match,
        Err(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => HostVerdict::Mismatch,
        Err(_) => HostVerdict::NotChecked,
    }
}

impl ClientCertVerifier for DeferredClientVerifier {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// Returns no hints: with hints, a client with a certificate of another authority may present none.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    /// Accepts every certificate; [`DeferredClientVerifier::session`] gives the verdict.
    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.inner.requires_raw_public_keys()
    }
}
