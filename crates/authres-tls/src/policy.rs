//! The result of the `tls` method for a session (draft-martin-authentication-results-tls-03 section 2): an
//! explicit policy converts facts into a result. An unknown fact never results in `pass`.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    facts::{
        CertificateFields, ChainVerdict, ClientCertificate, DaneVerdict, HostVerdict, LocalVerdict,
        PresentedCertificate, Session, TlsSession,
    },
    tls::{
        CipherSuite, Fingerprint, ProtocolVersion, Strength, TlsProperty, TlsResult, Verification,
        dn::DistinguishedName, san::AltNames,
    },
    write::{ResInfoBuf, WriteError},
};

/// The faults of a certificate that DANE or a local policy outweighs, if it vouches for the certificate.
///
/// A revoked certificate, one that cannot be parsed, one that the verifier refuses for another reason,
/// a bad signature in the chain, and a status that could not be learnt are never outweighed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Outweigh {
    /// No fault: a self-signed certificate results in `selfsigned` even if a DANE record matches.
    Nothing,
    /// The missing trusted issuer: the certificate is self-signed, or its issuer is unknown. DANE and local
    /// policies exist for such certificates.
    #[default]
    Issuer,
    /// The missing trusted issuer, and also a certificate that expired, is not valid yet, or is for another
    /// purpose. RFC 7671 section 5.1 tells verifiers of DANE-EE to ignore these faults.
    IssuerAndValidity,
}

impl Outweigh {
    /// All choices.
    pub const ALL: [Self; 3] = [Self::Nothing, Self::Issuer, Self::IssuerAndValidity];
}

/// The object whose fingerprint `key.fingerprint` is. The draft specifies "of the key used".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FingerprintOf {
    /// The SHA-256 digest of the client's `SubjectPublicKeyInfo`: the key, as the draft specifies.
    #[default]
    PublicKey,
    /// The SHA-256 digest of the client's certificate, as `openssl x509 -fingerprint` prints.
    Certificate,
}

/// The parts of the certificates that are written into the message. The message outlives the session, and the
/// client did not present its certificate for that purpose (section 4 of the draft).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Disclosure {
    /// `cert.client`, which the draft does not call optional.
    pub client: bool,
    /// `cert.clientalt`
    pub client_alt: bool,
    /// `cert.clientissuer`
    pub client_issuer: bool,
    /// `cert.server`, `cert.serveralt` and `cert.serverissuer`
    pub server: bool,
    /// `key.fingerprint`
    pub fingerprint: Option<FingerprintOf>,
}

impl Disclosure {
    /// The properties of appendix A.1: all of the client's certificate, and no property of the server's.
    pub const CLIENT: Self = Self {
        client: true,
        client_alt: true,
        client_issuer: true,
        server: false,
        fingerprint: Some(FingerprintOf::PublicKey),
    };

    /// Only `cert.client`, which the draft requires.
    pub const SUBJECT: Self = Self {
        client_alt: false,
        client_issuer: false,
        fingerprint: None,
        ..Self::CLIENT
    };

    /// No property that identifies the certificate. The draft requires `cert.client`, and a lint reports that it
    /// is missing.
    pub const NOTHING: Self = Self {
        client: false,
        ..Self::SUBJECT
    };
}

impl Default for Disclosure {
    fn default() -> Self {
        Self::CLIENT
    }
}

/// A function that rates a session for `key.strength`. `None` omits the property.
pub type RateStrength = fn(&TlsSession) -> Option<Strength>;

/// The policy that converts facts into a result.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// The faults that DANE or a local policy outweighs.
    pub outweigh: Outweigh,
    /// The parts of the certificates that are written.
    pub disclosure: Disclosure,
    /// The function that rates the session for `key.strength`.
    pub strength: RateStrength,
}

impl Policy {
    /// Returns the result of the `tls` method for a session.
    ///
    /// | the client's certificate | result |
    /// |---|---|
    /// | verified by a CA, by DANE or by local policy, and of the expected host | `pass` |
    /// | the same, and of another host | `invalidhost` |
    /// | the same, and the host is not checked | `permerror` |
    /// | refused by local policy, revoked, malformed, against secure TLSA records, ... | `fail` |
    /// | its revocation status, or TLSA records, are not available now | `temperror` |
    /// | self-signed | `selfsigned` |
    /// | of an unknown issuer | `fail` |
    /// | not checked, not presented, not requested, not known | `permerror` |
    /// | the session has no TLS, or its cipher does not encrypt | `none` |
    ///
    /// ```
    /// use authres_tls::{Policy, Session, facts::{CertificateFields, ChainVerdict, HostVerdict, PresentedCertificate, TlsSession}, tls::{CipherSuite, ProtocolVersion, TlsResult}, tls::dn::DistinguishedName};
    ///
    /// let mut session = Session::Tls(TlsSession {
    ///     version: Some(ProtocolVersion::Tls1_3),
    ///     cipher_suite: CipherSuite::from_description("TLS_AES_128_GCM_SHA256"),
    ///     key_bits: Some(128),
    ///     client: PresentedCertificate {
    ///         fields: CertificateFields {
    ///             subject: Some(DistinguishedName::parse("CN=smtp.example.com")?),
    ///             ..CertificateFields::default()
    ///         },
    ///         chain: ChainVerdict::Trusted,
    ///         ..PresentedCertificate::default()
    ///     }
    ///     .into(),
    ///     ..TlsSession::default()
    /// });
    /// let report = Policy::default().evaluate(&session);
    /// assert_eq!(report.result, TlsResult::PermError);
    /// assert_eq!(report.comment, Some("host identity not checked"));
    ///
    /// session.presented_mut().ok_or("no certificate")?.host = HostVerdict::Match;
    /// let report = Policy::default().evaluate(&session);
    /// assert_eq!(report.result, TlsResult::Pass);
    /// let properties = report.properties.iter().map(|(property, value)| (property.name(), &**value));
    /// assert!(properties.eq([
    ///     ("cert.client", "CN=smtp.example.com"),
    ///     ("cert.verif", "CA"),
    ///     ("tls.v", "TLS1.3"),
    ///     ("key.ciphersuite", "TLS_AES_128_GCM_SHA256"),
    ///     ("key.length", "128"),
    ///     ("key.strength", "high"),
    /// ]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn evaluate(&self, session: &Session) -> TlsReport {
        let session = match session {
            Session::Tls(session) => session,
            Session::Clear => return in_clear(None),
        };
        if session
            .cipher_suite
            .as_ref()
            .is_some_and(|suite| !suite.encrypts())
        {
            return in_clear(Some("cipher without encryption"));
        }
        let (decision, fields) = match &session.client {
            ClientCertificate::Presented(presented) => {
                (decide(presented, self.outweigh), Some(&presented.fields))
            }
            ClientCertificate::Unknown => {
                (Decision::not_verified("client certificate not known"), None)
            }
            ClientCertificate::NotRequested => (
                Decision::not_verified("client certificate not requested"),
                None,
            ),
            ClientCertificate::NotPresented => (
                Decision::not_verified("no client certificate presented"),
                None,
            ),
        };
        TlsReport {
            result: decision.result,
            comment: decision.comment,
            properties: properties(session, fields, decision.verified, self),
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            outweigh: Outweigh::default(),
            disclosure: Disclosure::default(),
            strength: rate_strength,
        }
    }
}

/// A result of the `tls` method, ready to be written.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsReport {
    /// The result.
    pub result: TlsResult,
    /// The reason, for the comment after the result. The text never contains input of the client.
    pub comment: Option<&'static str>,
    /// The properties, in the order of the draft's table, each at most once.
    pub properties: Vec<(TlsProperty, String)>,
}

impl TryFrom<TlsReport> for ResInfoBuf {
    type Error = WriteError;

    /// Converts the report for writing. A report of [`Policy::evaluate`] always converts; a report made by hand may
    /// contain control characters.
    fn try_from(report: TlsReport) -> Result<Self, WriteError> {
        let mut result = Self::try_new("tls", report.result.name())?;
        if let Some(comment) = report.comment {
            result = result.with_comment(comment)?;
        }
        for (property, value) in report.properties {
            result = result.with_property(property.ptype(), property.property(), value)?;
        }
        Ok(result)
    }
}

const fn in_clear(comment: Option<&'static str>) -> TlsReport {
    TlsReport {
        result: TlsResult::None,
        comment,
        properties: Vec::new(),
    }
}

struct Decision {
    result: TlsResult,
    comment: Option<&'static str>,
    /// The authority that vouches for the certificate.
    verified: Option<Verification>,
}

impl Decision {
    const fn new(result: TlsResult, comment: Option<&'static str>) -> Self {
        Self {
            result,
            comment,
            verified: None,
        }
    }

    const fn not_verified(comment: &'static str) -> Self {
        Self::new(TlsResult::PermError, Some(comment))
    }
}

/// The weight of a verdict on the chain.
enum Weight {
    /// No fault.
    Sound,
    /// No authority issued the certificate.
    Issuer,
    /// An authority issued the certificate, but not for this time or purpose.
    Validity,
    /// The verdict is not available now.
    NotNow,
    /// The fault is never outweighed.
    Final,
}

const fn weigh(chain: ChainVerdict) -> (Weight, Option<&'static str>) {
    match chain {
        ChainVerdict::NotChecked | ChainVerdict::Trusted => (Weight::Sound, None),
        ChainVerdict::SelfSigned => (Weight::Issuer, None),
        ChainVerdict::UnknownIssuer => (Weight::Issuer, Some("issuer unknown")),
        ChainVerdict::Expired => (Weight::Validity, Some("certificate expired")),
        ChainVerdict::NotYetValid => (Weight::Validity, Some("certificate not yet valid")),
        ChainVerdict::WrongPurpose => (Weight::Validity, Some("certificate for another purpose")),
        ChainVerdict::RevocationUnavailable => {
            (Weight::NotNow, Some("revocation status not available"))
        }
        ChainVerdict::Unavailable => (Weight::NotNow, Some("verification not possible now")),
        ChainVerdict::Revoked => (Weight::Final, Some("certificate revoked")),
        ChainVerdict::BadSignature => (Weight::Final, Some("bad signature in the chain")),
        ChainVerdict::Malformed => (Weight::Final, Some("certificate malformed")),
        ChainVerdict::NotAccepted => (Weight::Final, Some("certificate not accepted")),
    }
}

/// Returns the result for a certificate (section 2.1). The first rule that applies decides.
fn decide(presented: &PresentedCertificate, outweigh: Outweigh) -> Decision {
    let PresentedCertificate {
        chain,
        host,
        dane,
        local,
        ..
    } = *presented;
    let (weight, comment) = weigh(chain);
    let outweighs = match weight {
        Weight::Sound => true,
        Weight::Issuer => outweigh != Outweigh::Nothing,
        Weight::Validity => outweigh == Outweigh::IssuerAndValidity,
        Weight::NotNow | Weight::Final => false,
    };
    let vouched = dane == DaneVerdict::Match || local == LocalVerdict::Accepted;

    if local == LocalVerdict::Refused {
        return Decision::new(TlsResult::Fail, Some("refused by local policy"));
    }
    if matches!(weight, Weight::Final) {
        return Decision::new(TlsResult::Fail, comment);
    }
    if dane == DaneVerdict::Mismatch {
        return Decision::new(TlsResult::Fail, Some("no TLSA record matches"));
    }
    if matches!(weight, Weight::NotNow) {
        return Decision::new(TlsResult::TempError, comment);
    }
    // Records that are not available now may make the certificate valid.
    if dane == DaneVerdict::Unavailable && outweighs {
        return Decision::new(TlsResult::TempError, Some("TLSA records not available"));
    }
    let verified = match (chain, dane) {
        (ChainVerdict::Trusted, _) => Some(Verification::Ca),
        (_, DaneVerdict::Match) if outweighs => Some(Verification::Dane),
        _ if outweighs && vouched => Some(Verification::Local),
        _ => None,
    };
    if verified.is_none() {
        return match chain {
            ChainVerdict::SelfSigned => Decision::new(TlsResult::SelfSigned, None),
            ChainVerdict::NotChecked => Decision::not_verified("client certificate not checked"),
            _ => Decision::new(TlsResult::Fail, comment),
        };
    }
    let (result, comment) = match host {
        HostVerdict::Match => (TlsResult::Pass, None),
        HostVerdict::Mismatch => (TlsResult::InvalidHost, Some("certificate of another host")),
        HostVerdict::NotChecked => (TlsResult::PermError, Some("host identity not checked")),
    };
    Decision {
        result,
        comment,
        verified,
    }
}

fn properties(
    session: &TlsSession,
    client: Option<&CertificateFields>,
    verified: Option<Verification>,
    policy: &Policy,
) -> Vec<(TlsProperty, String)> {
    let disclosure = policy.disclosure;
    let server = session.server.as_deref().filter(|_| disclosure.server);
    let shown = |fields: Option<&CertificateFields>, property| {
        let fields = fields?;
        match property {
            TlsProperty::CertClient | TlsProperty::CertServer => {
                fields.subject.as_ref().map(DistinguishedName::to_foldable)
            }
            TlsProperty::CertClientAlt | TlsProperty::CertServerAlt => {
                fields.alt_names.as_ref().map(AltNames::to_foldable)
            }
            _ => fields.issuer.as_ref().map(DistinguishedName::to_foldable),
        }
    };
    let value = |property| match property {
        TlsProperty::CertClient => shown(client.filter(|_| disclosure.client), property),
        TlsProperty::CertClientAlt => shown(client.filter(|_| disclosure.client_alt), property),
        TlsProperty::CertClientIssuer => {
            shown(client.filter(|_| disclosure.client_issuer), property)
        }
        TlsProperty::CertServer | TlsProperty::CertServerAlt | TlsProperty::CertServerIssuer => {
            shown(server, property)
        }
        TlsProperty::CertVerif => verified.map(|it| it.name().to_string()),
        TlsProperty::TlsV => session.version.map(|it| it.name().to_string()),
        TlsProperty::KeyCiphersuite => session.cipher_suite.as_ref().map(ToString::to_string),
        TlsProperty::KeyFingerprint => {
            let digest = match disclosure.fingerprint? {
                FingerprintOf::PublicKey => client?.public_key_sha256?,
                FingerprintOf::Certificate => client?.sha256?,
            };
            Some(Fingerprint::sha256(digest).to_string())
        }
        TlsProperty::KeyLength => session.key_bits.map(|bits| bits.to_string()),
        TlsProperty::KeyStrength => (policy.strength)(session).map(|it| it.name().to_string()),
    };
    TlsProperty::ALL
        .into_iter()
        .filter_map(|property| Some((property, value(property)?)))
        .collect()
}

/// Ciphers with shorter keys are `low`.
const LEAST_KEY_BITS: u16 = 128;

/// Rates a session for `key.strength`; the default of [`Policy`]:
/// - `low`: SSL; RC2, RC4, DES, 3DES, IDEA, keys for export, no encryption, or keys below 128 bits;
/// - `high`: TLS 1.2 or later, authenticated encryption, forward secrecy;
/// - `medium`: everything else whose version and cipher suite are known.
///
/// A session with an unknown version or cipher suite is not rated, unless a known fact makes it `low`.
#[must_use]
pub fn rate_strength(session: &TlsSession) -> Option<Strength> {
    let (version, suite) = (session.version, session.cipher_suite.as_ref());
    let low = version.is_some_and(|it| it <= ProtocolVersion::Ssl3_0)
        || suite.is_some_and(|it| it.is_obsolete() || !it.encrypts())
        || session.key_bits.is_some_and(|bits| bits < LEAST_KEY_BITS);
    if low {
        return Some(Strength::Low);
    }
    let modern = |suite: &CipherSuite| suite.is_aead() && suite.has_forward_secrecy();
    Some(match (version?, suite?) {
        (ProtocolVersion::Tls1_2 | ProtocolVersion::Tls1_3, suite) if modern(suite) => {
            Strength::High
        }
        _ => Strength::Medium,
    })
}
