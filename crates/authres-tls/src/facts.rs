//! Facts of a session's TLS as plain data: from rustls, from another engine, or from text that an MTA wrote.
//! Each fact has a value for "not known" or "not checked", and that value is the default.

#[cfg(feature = "certificates")]
mod certificate;
#[cfg(feature = "milter")]
#[cfg_attr(docsrs, doc(cfg(feature = "milter")))]
pub mod milter;
#[cfg(feature = "postfix")]
#[cfg_attr(docsrs, doc(cfg(feature = "postfix")))]
pub mod postfix;
#[cfg(feature = "rustls")]
#[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
pub mod rustls;

use alloc::boxed::Box;

use crate::tls::{CipherSuite, ProtocolVersion, dn::DistinguishedName, san::AltNames};

/// The session in which a message was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Session {
    /// In clear text.
    Clear,
    /// Under TLS.
    Tls(TlsSession),
}

impl Session {
    /// Returns the client's certificate, if one was presented, e.g. to add a verdict to it.
    pub fn presented_mut(&mut self) -> Option<&mut PresentedCertificate> {
        match self {
            Self::Tls(TlsSession {
                client: ClientCertificate::Presented(presented),
                ..
            }) => Some(presented),
            _ => None,
        }
    }
}

/// A session with TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSession {
    /// The protocol version.
    pub version: Option<ProtocolVersion>,
    /// The cipher suite.
    pub cipher_suite: Option<CipherSuite>,
    /// The length of the cipher's key in bits.
    pub key_bits: Option<u16>,
    /// The client's certificate.
    pub client: ClientCertificate,
    /// The fields of the server's certificate.
    pub server: Option<Box<CertificateFields>>,
}

/// The client's certificate, or the reason why there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// Unknown: there may have been a certificate or not.
    #[default]
    Unknown,
    /// The server did not ask for a certificate.
    NotRequested,
    /// The server asked, and the client presented no certificate.
    NotPresented,
    /// A certificate. The client proved that it has the private key.
    Presented(Box<PresentedCertificate>),
}

impl From<PresentedCertificate> for ClientCertificate {
    fn from(presented: PresentedCertificate) -> Self {
        Self::Presented(Box::new(presented))
    }
}

/// A client's certificate and the verdicts on it. Every verdict begins as "not checked".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresentedCertificate {
    /// The fields of the certificate.
    pub fields: CertificateFields,
    /// The verdict on its chain to a trusted authority.
    pub chain: ChainVerdict,
    /// The verdict on the host name that the client claims.
    pub host: HostVerdict,
    /// The verdict by DANE.
    pub dane: DaneVerdict,
    /// The verdict by a local policy.
    pub local: LocalVerdict,
}

/// The fields of a certificate that are known and have a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFields {
    /// The subject (RFC 5280 section 4.1.2.6).
    pub subject: Option<DistinguishedName<'static>>,
    /// The subject alternative names (section 4.2.1.6).
    pub alt_names: Option<AltNames<'static>>,
    /// The issuer (section 4.1.2.4).
    pub issuer: Option<DistinguishedName<'static>>,
    /// The SHA-256 digest of the whole certificate.
    pub sha256: Option<[u8; 32]>,
    /// The SHA-256 digest of its `SubjectPublicKeyInfo`.
    pub public_key_sha256: Option<[u8; 32]>,
    /// The length of its public key in bits. The property `key.length` is another number: the length of the
    /// cipher's key.
    pub public_key_bits: Option<u32>,
}

/// The verdict of the caller's verifier on a certificate's chain to a trusted authority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ChainVerdict {
    /// Not checked.
    #[default]
    NotChecked,
    /// The chain ends at a trusted authority, and every certificate in it is valid now.
    Trusted,
    /// The certificate is signed with its own key, and no authority vouches for it.
    SelfSigned,
    /// No trusted authority issued the certificate.
    UnknownIssuer,
    /// The certificate, or one between it and the authority, expired.
    Expired,
    /// The certificate, or one between it and the authority, is not valid yet.
    NotYetValid,
    /// The certificate, or one between it and the authority, was revoked.
    Revoked,
    /// The revocation status is not available now.
    RevocationUnavailable,
    /// Verification is not possible now for another reason.
    Unavailable,
    /// A signature in the chain is not valid.
    BadSignature,
    /// The certificate must not be used to authenticate clients.
    WrongPurpose,
    /// The certificate cannot be parsed.
    Malformed,
    /// The verifier refused the certificate for another reason, or gave no reason.
    NotAccepted,
}

impl ChainVerdict {
    /// All verdicts, in their order.
    pub const ALL: [Self; 13] = [
        Self::NotChecked,
        Self::Trusted,
        Self::SelfSigned,
        Self::UnknownIssuer,
        Self::Expired,
        Self::NotYetValid,
        Self::Revoked,
        Self::RevocationUnavailable,
        Self::Unavailable,
        Self::BadSignature,
        Self::WrongPurpose,
        Self::Malformed,
        Self::NotAccepted,
    ];
}

/// The verdict on the host name that the client claims. The caller decides which name that is: the one of
/// EHLO, or the verified reverse DNS name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HostVerdict {
    /// Not checked.
    #[default]
    NotChecked,
    /// The certificate names that host.
    Match,
    /// The certificate names other hosts only.
    Mismatch,
}

impl HostVerdict {
    /// All verdicts, in their order.
    pub const ALL: [Self; 3] = [Self::NotChecked, Self::Match, Self::Mismatch];
}

/// The verdict by DANE (RFC 6698) on a certificate, from TLSA records that DNSSEC secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DaneVerdict {
    /// Not checked, or there are no secure records.
    #[default]
    NotChecked,
    /// A secure record matches.
    Match,
    /// There are secure records, but no record matches.
    Mismatch,
    /// Records, or their DNSSEC status, are not available now.
    Unavailable,
}

impl DaneVerdict {
    /// All verdicts, in their order.
    pub const ALL: [Self; 4] = [
        Self::NotChecked,
        Self::Match,
        Self::Mismatch,
        Self::Unavailable,
    ];
}

/// The verdict by a local policy on a certificate, e.g. a list of fingerprints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LocalVerdict {
    /// There is no policy, or it has no rule for the certificate.
    #[default]
    NotChecked,
    /// The policy accepts the certificate.
    Accepted,
    /// The policy refuses the certificate.
    Refused,
}

impl LocalVerdict {
    /// All verdicts, in their order.
    pub const ALL: [Self; 3] = [Self::NotChecked, Self::Accepted, Self::Refused];
}

/// Returns a distinguished name of a common name only, for MTAs that report no more.
#[cfg(any(feature = "postfix", feature = "milter"))]
pub(crate) fn common_name(name: &str) -> Option<DistinguishedName<'static>> {
    if name.is_empty() {
        return None;
    }
    DistinguishedName::from_rdns([[("CN", crate::tls::dn::AttributeValue::from(name))]]).ok()
}
