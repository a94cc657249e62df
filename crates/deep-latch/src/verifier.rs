//! Connections of rustls: the facts about the server, and a verifier that leaves the verdict on the server's certificate
//! to the latch machine, so that a failure can be reported (draft-newman-email-deep-02 section 7.1, example 2).

use alloc::{sync::Arc, vec::Vec};
use core::fmt;
use std::io;

use rustls::{
    ALL_VERSIONS, AlertDescription, CertificateError, ClientConfig, ClientConnection,
    DigitallySignedStruct, DistinguishedName, Error, SignatureScheme, SupportedProtocolVersion,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use crate::{
    cipher::TlsCipher,
    facts::{ChainVerdict, DaneVerdict, IdentityVerdict, ProtocolVersion, TlsFacts},
    failure::{CertificateFault, HandshakeFault},
    host::Host,
    latch::Requirements,
};

/// A handshake that is not finished: the facts are not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeUnfinishedError;

impl fmt::Display for HandshakeUnfinishedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the TLS handshake is not finished")
    }
}

impl core::error::Error for HandshakeUnfinishedError {}

/// The outcome of a handshake whose certificate is not verified, if no latch requires a verified one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnCertificateFailure {
    /// The handshake fails: for accounts of high privacy assurance. "User agents MUST abort a TLS session if [...] the
    /// server's certificate or identity fails to verify" (section 3.1).
    #[default]
    Abort,
    /// The handshake continues: for accounts of low privacy assurance (section 3.3), or for pinned certificates (section
    /// 3.2), whose pin the application then checks. The server counts as not authenticated.
    GoOn,
}

/// A verifier that wraps a PKIX verifier, e.g. rustls's `WebPkiServerVerifier`. If a latch requires a verified
/// certificate, the handshake continues without one: the latch machine gets the facts, refuses the connection, and the
/// client can report the reason to the server before it closes the connection. The server's possession of the
/// certificate's key is always verified.
///
/// The end of the handshake is therefore not a permission: no data may be sent before
/// [`LatchSession::step`](crate::LatchSession::step) has judged the facts. It returns
/// [`Outcome::Refuse`](crate::latch::Outcome::Refuse) if a latched facility is missing.
///
/// The facts are computed from the certificates of the connection after its handshake, so that a resumed session is
/// judged again. The wrapped verifier is called then too, without the OCSP response that the server stapled. It must be
/// a verifier of PKIX: a pinned certificate that it accepts would count as verified.
///
/// ```
/// # use std::{error::Error, sync::Arc};
/// use deep_latch::{
///     Facilities, Host, LatchRecord, LatchSession,
///     facts::DaneVerdict,
///     latch::{Event, Outcome},
///     verifier::{DeferredServerVerifier, OnCertificateFailure},
/// };
/// use rustls::{ClientConnection, client::WebPkiServerVerifier, crypto::ring, pki_types::UnixTime};
///
/// # fn f(
/// #     roots: Arc<rustls::RootCertStore>,
/// #     record: LatchRecord,
/// #     host: Host,
/// #     handshake: impl Fn(&mut ClientConnection),
/// # ) -> Result<(), Box<dyn Error>> {
/// let mut latches = LatchSession::try_new(record, Facilities::new())?;
/// let provider = Arc::new(ring::default_provider());
/// let webpki = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build()?;
/// let requirements = latches.requirements();
/// let verifier = DeferredServerVerifier::new(webpki, &requirements, OnCertificateFailure::Abort);
/// let verifier = Arc::new(verifier);
/// let config = verifier.clone().client_config(provider, &requirements)?;
/// let name = host.as_str().to_owned().try_into()?;
/// let mut connection = ClientConnection::new(Arc::new(config), name)?;
/// handshake(&mut connection);
/// let facts = verifier.facts(&connection, &host, UnixTime::now(), DaneVerdict::NotChecked)?;
/// match latches.step(Event::Handshake(facts)).outcome {
///     Outcome::Continue => {} // log in
///     Outcome::Refuse(failure) => assert!(failure.may_report()), // report, and close
///     Outcome::RefuseCertificate(_) | Outcome::StartTls | Outcome::Over => {} // close
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DeferredServerVerifier {
    inner: Arc<dyn ServerCertVerifier>,
    judge: Option<Arc<dyn ServerJudge>>,
    goes_on: bool,
}

/// A judge of servers in place of rustls's own rules, which know DNS-IDs only: for SRV-IDs, other trust, DANE.
pub trait ServerJudge: fmt::Debug + Send + Sync {
    /// Judges the certificates that a server of this host sent.
    ///
    /// `host` is the host of the latch record. `end_entity` is the server's certificate, and `intermediates` are the
    /// other certificates that it sent, in their order, none of them verified. `now` is the time of the verdict.
    ///
    /// The result for a pinned certificate that PKIX does not accept is [`ChainVerdict::Refused`], and for a host that
    /// the judge does not know [`ServerVerdicts::default`]. The method has no error: a check that fails for another
    /// reason, such as a lookup, is a verdict of `NotChecked`, which achieves no tag.
    fn judge(
        &self,
        host: &Host,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> ServerVerdicts;
}

/// The verdicts about a server. By default no verdict was reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ServerVerdicts {
    /// The verdict of PKIX.
    pub chain: ChainVerdict,
    /// The verdict about the names.
    pub identity: IdentityVerdict,
    /// The verdict of DANE.
    pub dane: DaneVerdict,
}

impl DeferredServerVerifier {
    /// Wraps a PKIX verifier, for connections to a host with these latches. If tls-dane-tlsa is latched, the server need
    /// not have a certificate that PKIX verifies, so the handshake continues then too.
    #[must_use]
    pub fn new(
        inner: Arc<dyn ServerCertVerifier>,
        requirements: &Requirements,
        on_failure: OnCertificateFailure,
    ) -> Self {
        let goes_on = on_failure == OnCertificateFailure::GoOn;
        Self {
            inner,
            judge: None,
            goes_on: goes_on || requirements.pkix || requirements.dane,
        }
    }

    /// Sets a judge, which then gives the verdicts of the facts. The wrapped verifier still decides whether a certificate
    /// ends the handshake, so it should follow the same rules.
    #[must_use]
    pub fn with_judge(mut self, judge: Arc<dyn ServerJudge>) -> Self {
        self.judge = Some(judge);
        self
    }

    /// Returns the facts of a connection to a host, at this time. The verdict of DANE is the caller's, on the
    /// connection's `peer_certificates`, or else that of the [judge](Self::with_judge).
    ///
    /// # Errors
    /// Returns [`HandshakeUnfinishedError`] if the handshake is not finished.
    pub fn facts(
        &self,
        connection: &ClientConnection,
        host: &Host,
        now: UnixTime,
        dane: DaneVerdict,
    ) -> Result<TlsFacts, HandshakeUnfinishedError> {
        let version = connection
            .protocol_version()
            .ok_or(HandshakeUnfinishedError)?;
        if connection.is_handshaking() {
            return Err(HandshakeUnfinishedError);
        }
        let suite = connection.negotiated_cipher_suite();
        let judged = match connection.peer_certificates() {
            Some([end_entity, intermediates @ ..]) => {
                self.judged(end_entity, intermediates, host, now)
            }
            _ => ServerVerdicts::default(),
        };
        Ok(TlsFacts {
            version: ProtocolVersion(version.into()),
            strength_bits: suite
                .and_then(|suite| TlsCipher::from_number(suite.suite().into()).strength_bits()),
            chain: judged.chain,
            identity: judged.identity,
            dane: if dane == DaneVerdict::NotChecked {
                judged.dane
            } else {
                dane
            },
        })
    }

    /// Returns the verdicts of PKIX and about the names of a certificate. rustls's verifier reports a wrong name only for
    /// a certificate that leads to a trust anchor.
    #[must_use]
    pub fn verdicts(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &Host,
        now: UnixTime,
    ) -> (ChainVerdict, IdentityVerdict) {
        let judged = self.judged(end_entity, intermediates, host, now);
        (judged.chain, judged.identity)
    }

    fn judged(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &Host,
        now: UnixTime,
    ) -> ServerVerdicts {
        if let Some(judge) = &self.judge {
            return judge.judge(host, end_entity, intermediates, now);
        }
        let Ok(name) = ServerName::try_from(host.as_str()) else {
            return ServerVerdicts::default();
        };
        let identity = identity(end_entity, &name);
        let verified = self
            .inner
            .verify_server_cert(end_entity, intermediates, &name, &[], now);
        let chain = match verified {
            Ok(_) => ChainVerdict::Trusted,
            Err(error) if is_of_another(&error) && identity == IdentityVerdict::Differs => {
                ChainVerdict::Trusted
            }
            Err(_) => ChainVerdict::Refused,
        };
        ServerVerdicts {
            chain,
            identity,
            dane: DaneVerdict::NotChecked,
        }
    }

    /// Creates a configuration for connections to a host with these latches: the versions of TLS that the latches
    /// allow, no early data, no client certificate. Sessions are resumed within the configuration.
    ///
    /// # Errors
    /// Returns rustls's error if the provider supports no version that the latches allow.
    pub fn client_config(
        self: Arc<Self>,
        provider: Arc<CryptoProvider>,
        requirements: &Requirements,
    ) -> Result<ClientConfig, Error> {
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&requirements.protocol_versions())?
            .dangerous()
            .with_custom_certificate_verifier(self)
            .with_no_client_auth();
        // Early data would be sent before the server is authenticated.
        config.enable_early_data = false;
        Ok(config)
    }
}

/// The requirements for rustls.
#[cfg_attr(docsrs, doc(cfg(feature = "verifier")))]
impl Requirements {
    /// Returns the versions of TLS that the latches allow, the latest first. rustls supports only TLS 1.2 and later, so
    /// tls10 and tls12 exclude no version of it.
    #[must_use]
    pub fn protocol_versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        let allowed = |version: &&&SupportedProtocolVersion| {
            let version = ProtocolVersion(version.version.into());
            Some(version) >= self.min_version
        };
        ALL_VERSIONS.iter().filter(allowed).copied().collect()
    }
}

/// Returns the verdict by the names of the certificate's subjectAltName: RFC 7817 without SRV-IDs and common names, which it
/// allows.
fn identity(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> IdentityVerdict {
    let parsed = ParsedCertificate::try_from(certificate);
    match parsed.and_then(|certificate| verify_server_name(&certificate, name)) {
        Ok(()) => IdentityVerdict::Matches,
        Err(error) if is_of_another(&error) => IdentityVerdict::Differs,
        Err(_) => IdentityVerdict::NotChecked,
    }
}

const fn is_of_another(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        )
    )
}

/// The reason of an error that ended a handshake.
impl From<&Error> for HandshakeFault {
    fn from(error: &Error) -> Self {
        match error {
            error if is_of_another(error) => Self::Certificate(CertificateFault::Identity),
            Error::InvalidCertificate(_)
            | Error::InvalidCertRevocationList(_)
            | Error::NoCertificatesPresented
            | Error::UnsupportedNameType => Self::Certificate(CertificateFault::Chain),
            Error::AlertReceived(alert) if is_of_the_server(*alert) => Self::Server,
            Error::FailedToGetCurrentTime
            | Error::FailedToGetRandomBytes
            | Error::HandshakeNotComplete
            | Error::General(_)
            | Error::Other(_) => Self::Local,
            // The server's messages were invalid, or the two sides have no version or cipher suite in common.
            _ => Self::Negotiation,
        }
    }
}

/// The reason of an error that ended a handshake over a stream: the error of rustls, or else of the transport.
impl From<&io::Error> for HandshakeFault {
    fn from(error: &io::Error) -> Self {
        let inner = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Error>());
        inner.map_or(Self::Transport, Self::from)
    }
}

/// Returns `true` if an alert reports a failure of the server itself, or its refusal of this client, and does not
/// concern versions and cipher suites.
const fn is_of_the_server(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CloseNotify
            | AlertDescription::InternalError
            | AlertDescription::UserCanceled
            | AlertDescription::AccessDenied
            | AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateRequired
    )
}

impl ServerCertVerifier for DeferredServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.goes_on {
            // The verdict is that of `facts`.
            return Ok(ServerCertVerified::assertion());
        }
        self.inner
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
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

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.inner.root_hint_subjects()
    }
}
