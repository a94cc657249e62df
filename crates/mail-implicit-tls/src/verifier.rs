//! Feature `verifier`: a certificate verifier of rustls for the servers of an account.
//!
//! Chain and names are judged apart: the chain by webpki, which needs no name for it, the names by
//! [`identity`](crate::identity). Pins and TLSA records are judged in the same place, so that the handshake ends before
//! anything is sent to a server that the account does not accept.

mod chain;
mod trust;

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime},
};

pub use self::trust::{Revocation, RevocationDepth, Trust, TrustError};
use crate::{
    account::{Account, Host, HostSource, Server, pin},
    identity::{Options, PresentedIdentity, ReferenceIdentity, presented},
    verdict::{ChainVerdict, DaneNotUsed, DaneVerdict, IdentityVerdict, PinVerdict, Verdict},
};

/// The verifier of one server of one account.
///
/// Keep it, and the configuration that has it, as long as the account and the TLSA records are the same: rustls resumes
/// sessions only with the verifier that they began with. The verifier of one account does not accept, or resume,
/// sessions of another.
///
/// A resumed session is not verified by rustls. Call [`judge`](Self::judge) with the connection's certificates after
/// each handshake.
pub struct ServerVerifier {
    account: Account,
    host: Host,
    source: HostSource,
    pins: Vec<pin::Pin>,
    references: Vec<ReferenceIdentity>,
    options: Options,
    trust: Arc<Trust>,
    algorithms: WebPkiSupportedAlgorithms,
    dane: Option<Arc<dyn DaneJudge>>,
    last: Mutex<Option<Judged>>,
}

/// A server that was accepted in a handshake, and all that its verdict depends on beside the verifier: the verdict that
/// the connection asks for after the handshake is the same.
struct Judged {
    end_entity: CertificateDer<'static>,
    intermediates: Vec<CertificateDer<'static>>,
    now: UnixTime,
    verdict: Verdict,
}

/// The judge of a server's TLSA records, which were looked up before the handshake.
pub trait DaneJudge: fmt::Debug + Send + Sync {
    /// Judges the certificates of a server. `pkix` is the verdict without DANE.
    ///
    /// A judge must not return [`DaneVerdict::Matches`] with usage 2 unless the path from the server's certificate to
    /// the matching one is verified, as [`ServerCertificates::verify_under`] does.
    fn judge(&self, server: &ServerCertificates<'_>, pkix: &Verdict) -> DaneJudgement;
}

/// The result of a [`DaneJudge`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct DaneJudgement {
    /// The verdict.
    pub verdict: DaneVerdict,
    /// The verdict about the names, if it differs from that without DANE: under another path, or with the TLSA base
    /// domain as a further reference identity.
    pub identity: Option<IdentityVerdict>,
}

impl From<DaneVerdict> for DaneJudgement {
    fn from(verdict: DaneVerdict) -> Self {
        Self {
            verdict,
            identity: None,
        }
    }
}

/// The certificates of a server, and the means to verify them.
#[derive(Debug)]
pub struct ServerCertificates<'a> {
    verifier: &'a ServerVerifier,
    end_entity: &'a CertificateDer<'a>,
    intermediates: &'a [CertificateDer<'a>],
    names: Option<Vec<PresentedIdentity<'a>>>,
    now: UnixTime,
}

impl<'a> ServerCertificates<'a> {
    /// Returns the server's own certificate.
    #[must_use]
    pub const fn end_entity(&self) -> &'a CertificateDer<'a> {
        self.end_entity
    }

    /// Returns the other certificates, in the order in which the server sent them.
    #[must_use]
    pub const fn intermediates(&self) -> &'a [CertificateDer<'a>] {
        self.intermediates
    }

    /// Returns the time of the verification.
    #[must_use]
    pub const fn now(&self) -> UnixTime {
        self.now
    }

    /// Returns the names that the account expects.
    #[must_use]
    pub fn references(&self) -> &[ReferenceIdentity] {
        &self.verifier.references
    }

    /// Verifies the certificates with these trust anchors in place of those of the account, for usage 2 (DANE-TA). The
    /// names in `also` are accepted in addition to those that the account expects.
    #[must_use]
    pub fn verify_under(
        &self,
        anchors: &[TrustAnchor<'_>],
        also: &[ReferenceIdentity],
    ) -> (ChainVerdict, IdentityVerdict) {
        let mut expected = self.verifier.references.clone();
        expected.extend_from_slice(also);
        let verified = chain::verify(self, anchors, &expected, false);
        (verified.chain, verified.identity)
    }

    /// Judges the names without a path, for usage 3 (DANE-EE). The names in `also` are accepted in addition to those
    /// that the account expects.
    #[must_use]
    pub fn names_match(&self, also: &[ReferenceIdentity]) -> IdentityVerdict {
        let mut expected = self.verifier.references.clone();
        expected.extend_from_slice(also);
        chain::identity_without_path(self, &expected)
    }

    /// Returns the certificates of the path that PKIX verified, from the issuer of the server's certificate to the trust
    /// anchor, for usage 0 (PKIX-TA); nothing if there is no such path. The trust anchor's certificate is missing if only
    /// its name and key are known.
    #[must_use]
    pub fn pkix_path(&self) -> Option<PkixPath> {
        let ServerVerifier {
            trust, references, ..
        } = self.verifier;
        chain::verify(self, trust.anchors(), references, true).path
    }
}

/// A path that PKIX verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PkixPath {
    /// The certificates between the server's and the trust anchor, the issuer of the server's first.
    pub intermediates: Vec<CertificateDer<'static>>,
    /// The name and key of the trust anchor.
    pub anchor: TrustAnchor<'static>,
    /// The certificates of trust anchors with that name and key.
    pub anchor_certificates: Vec<CertificateDer<'static>>,
}

impl fmt::Debug for ServerVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerVerifier")
            .field("account", self.account.id())
            .field("references", &self.references)
            .finish_non_exhaustive()
    }
}

impl ServerVerifier {
    /// Returns the verifier of a server of an account.
    #[must_use]
    pub fn new(
        account: &Account,
        server: &Server,
        trust: Arc<Trust>,
        provider: &CryptoProvider,
    ) -> Self {
        Self {
            account: account.clone(),
            host: server.host.clone(),
            source: server.source,
            pins: server.pins().to_vec(),
            references: account.references(server),
            options: account.rules().into(),
            trust,
            algorithms: provider.signature_verification_algorithms,
            dane: None,
            last: Mutex::default(),
        }
    }

    /// Accepts an SRV-ID that is encoded as `UTF8String`.
    #[must_use]
    pub const fn accept_srv_id_as_utf8_string(mut self) -> Self {
        self.options.srv_id_as_utf8_string = true;
        self
    }

    /// Returns the verifier of the same server that judges by these TLSA records too. Connections whose records are
    /// others need another verifier, with a configuration of its own: several may be open at once, and each must be
    /// judged by what was looked up for it.
    ///
    /// The judge is not asked about a host that an insecure SRV record names and that the user did not confirm
    /// ([`DaneNotUsed::SrvInsecure`]).
    #[must_use]
    pub fn with_dane(&self, judge: Arc<dyn DaneJudge>) -> Self {
        Self {
            account: self.account.clone(),
            host: self.host.clone(),
            source: self.source,
            pins: self.pins.clone(),
            references: self.references.clone(),
            options: self.options,
            trust: self.trust.clone(),
            algorithms: self.algorithms,
            dane: Some(judge),
            last: Mutex::default(),
        }
    }

    /// Returns the host of the server.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the names that the account expects in the server's certificate.
    #[must_use]
    pub fn references(&self) -> &[ReferenceIdentity] {
        &self.references
    }

    /// Judges the certificates of a server.
    pub fn judge(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Verdict {
        // newman-3-2: a pin replaces PKIX. Pinned certificates need not be of version 3, nor for servers.
        let pin = self.judge_pins(end_entity);
        if pin != PinVerdict::NotPinned {
            return Verdict {
                pin,
                ..Verdict::default()
            };
        }
        if let Some(verdict) = self.judged(end_entity, intermediates, now) {
            return verdict;
        }
        let server = ServerCertificates {
            verifier: self,
            end_entity,
            intermediates,
            names: presented(end_entity),
            now,
        };
        let verified = chain::verify(&server, self.trust.anchors(), &self.references, false);
        let mut verdict = Verdict {
            chain: verified.chain,
            identity: verified.identity,
            ..Verdict::default()
        };
        if let Some(dane) = &self.dane {
            // RFC 7673 section 3.1: "If the lookup result is 'insecure' [...] this protocol does not apply". Whoever
            // forges the SRV record names a host with TLSA records of their own.
            if self.source == HostSource::InsecureSrv {
                verdict.dane = DaneVerdict::NotUsed(DaneNotUsed::SrvInsecure);
                return verdict;
            }
            let judgement = dane.judge(&server, &verdict);
            verdict.dane = judgement.verdict;
            verdict.identity = judgement.identity.unwrap_or(verdict.identity);
        }
        verdict
    }

    /// Judges the pins. One of another account or host matches nothing (newman-3-2-3).
    fn judge_pins(&self, end_entity: &CertificateDer<'_>) -> PinVerdict {
        let is_own = |pin: &pin::Pin| {
            pin.account() == self.account.id() && *pin.host() == self.host && pin.is_of(end_entity)
        };
        match pin::judge(&self.pins, end_entity) {
            PinVerdict::Matches if !self.pins.iter().any(is_own) => PinVerdict::Differs,
            verdict => verdict,
        }
    }

    /// Returns the verdict of the last handshake if it was about the same certificates in the same second.
    fn judged(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Option<Verdict> {
        let last = self.last.lock().unwrap_or_else(|it| it.into_inner());
        let last = last.as_ref()?;
        let same = last.now == now
            && last.end_entity == *end_entity
            && last.intermediates == intermediates;
        same.then(|| last.verdict.clone())
    }

    /// Returns `true` if the account accepts a server with this verdict.
    #[must_use]
    pub fn accepts(&self, verdict: &Verdict) -> bool {
        self.account.accepts(verdict)
    }
}

/// A server that the account does not accept, as rustls reports it: in
/// [`CertificateError::Other`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotVerified(pub Verdict);

impl fmt::Display for NotVerified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server not verified: {}", self.0)
    }
}

impl std::error::Error for NotVerified {}

/// Returns the verdict in an error of rustls, if a [`ServerVerifier`] caused it.
#[must_use]
pub fn verdict_of(error: &Error) -> Option<&Verdict> {
    match error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(error))) => {
            error.downcast_ref().map(|NotVerified(verdict)| verdict)
        }
        _ => None,
    }
}

fn not_verified(verdict: Verdict) -> Error {
    let error = OtherError(Arc::new(NotVerified(verdict)));
    Error::InvalidCertificate(CertificateError::Other(error))
}

/// Returns the error for a pinned certificate, or one of DANE-EE, whose key the engine cannot use: webpki reads
/// certificates of version 3 only.
fn unusable(certificate: &CertificateDer<'_>) -> Option<Error> {
    let problem = chain::unusable(certificate)?;
    Some(not_verified(Verdict {
        chain: ChainVerdict::Refused(vec![problem]),
        ..Verdict::default()
    }))
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.judge(end_entity, intermediates, now);
        if self.accepts(&verdict) {
            let mut last = self.last.lock().unwrap_or_else(|it| it.into_inner());
            *last = Some(Judged {
                end_entity: end_entity.clone().into_owned(),
                intermediates: intermediates
                    .iter()
                    .map(|it| it.clone().into_owned())
                    .collect(),
                now,
                verdict,
            });
            return Ok(ServerCertVerified::assertion());
        }
        Err(not_verified(verdict))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
            .map_err(|error| unusable(cert).unwrap_or(error))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
            .map_err(|error| unusable(cert).unwrap_or(error))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Returns the configuration of connections to a server of an account: TLS 1.2 or later, no early data, no client
/// certificate, no ALPN. Sessions are resumed within it, so keep one for each verifier.
///
/// # Errors
/// Returns the error of rustls if the provider supports no version.
pub fn client_config(
    provider: Arc<CryptoProvider>,
    verifier: Arc<ServerVerifier>,
) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.enable_early_data = false;
    Ok(config)
}

/// Returns the name for a connection to a server: its host name for SNI, or its address, for which there is no SNI
/// (RFC 6066 section 3).
///
/// # Errors
/// Returns the error of rustls for a host name that it does not accept.
pub fn server_name(server: &Server) -> Result<ServerName<'static>, Error> {
    match &server.host {
        Host::Address(address) => Ok(ServerName::IpAddress((*address).into())),
        Host::Name(name) => ServerName::try_from(name.as_str().to_owned())
            .map_err(|error| Error::General(error.to_string())),
    }
}
