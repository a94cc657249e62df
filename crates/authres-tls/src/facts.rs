//! What is known of a session's TLS, as plain data: from rustls, from another engine, or from what an MTA
//! wrote down. Whatever is not known says so.

#[cfg(feature = "certificates")]
#[cfg_attr(docsrs, doc(cfg(feature = "certificates")))]
mod certificate;
#[cfg(feature = "milter")]
#[cfg_attr(docsrs, doc(cfg(feature = "milter")))]
pub mod milter;
#[cfg(feature = "postfix")]
mod postfix;
#[cfg(feature = "rustls")]
#[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
pub mod rustls;

use alloc::boxed::Box;

use crate::tls::{CipherSuite, ProtocolVersion, dn::DistinguishedName, san::AltNames};

/// The session a message came by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Session {
    /// In clear.
    Clear,
    /// Over TLS.
    Tls(TlsSession),
}

impl Session {
    /// The client's certificate, if one was presented; e.g. to add a verdict to it.
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

/// A session over TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSession {
    /// The protocol version.
    pub version: Option<ProtocolVersion>,
    /// The cipher suite.
    pub cipher_suite: Option<CipherSuite>,
    /// The length of the cipher's key in bits.
    pub key_bits: Option<u16>,
    /// What the client presented.
    pub client: ClientCertificate,
    /// What stands in the server's certificate.
    pub server: Option<Box<CertificateFields>>,
}

/// What the client presented.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// It is not known whether there was a certificate.
    #[default]
    Unknown,
    /// The server asked for none.
    NotRequested,
    /// The server asked, and the client presented none.
    NotPresented,
    /// A certificate, whose key the client proved to have.
    Presented(Box<PresentedCertificate>),
}

impl From<PresentedCertificate> for ClientCertificate {
    fn from(presented: PresentedCertificate) -> Self {
        Self::Presented(Box::new(presented))
    }
}

/// A client's certificate, and what was found out about it. Every verdict begins as "not checked".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresentedCertificate {
    /// What stands in it.
    pub fields: CertificateFields,
    /// Whether it leads to a trusted authority.
    pub chain: ChainVerdict,
    /// Whether it is of the host that the client claims to be.
    pub host: HostVerdict,
    /// What DANE says.
    pub dane: DaneVerdict,
    /// What a local policy says.
    pub local: LocalVerdict,
}

/// What stands in a certificate, as far as it is known and can be said in text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFields {
    /// The subject (RFC 5280 section 4.1.2.6).
    pub subject: Option<DistinguishedName<'static>>,
    /// The subject alternative names (section 4.2.1.6).
    pub alt_names: Option<AltNames<'static>>,
    /// The issuer (section 4.1.2.4).
    pub issuer: Option<DistinguishedName<'static>>,
    /// SHA-256 of the whole certificate.
    pub sha256: Option<[u8; 32]>,
    /// SHA-256 of its `SubjectPublicKeyInfo`.
    pub public_key_sha256: Option<[u8; 32]>,
    /// The length of its public key in bits. It is not `key.length`, which is the cipher's.
    pub public_key_bits: Option<u32>,
}

/// Whether a certificate leads to a trusted authority, by the caller's verifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChainVerdict {
    /// Nobody looked.
    #[default]
    NotChecked,
    /// It does, and is valid now.
    Trusted,
    /// It is signed with its own key and nothing else vouches for it.
    SelfSigned,
    /// It leads to no trusted authority.
    UnknownIssuer,
    /// It, or one between it and the authority, expired.
    Expired,
    /// It, or one between it and the authority, is not valid yet.
    NotYetValid,
    /// It, or one between it and the authority, was revoked.
    Revoked,
    /// Whether it was revoked could not be learnt now.
    RevocationUnavailable,
    /// It could not be verified now for another reason.
    Unavailable,
    /// A signature in the chain is not valid.
    BadSignature,
    /// It is not for authenticating clients.
    WrongPurpose,
    /// It cannot be read.
    Malformed,
    /// The verifier does not accept it, for another reason or for one it did not give.
    NotAccepted,
}

impl ChainVerdict {
    /// All verdicts.
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

/// Whether a certificate is of the host that the client claims to be. Which name that is, EHLO's or the
/// verified reverse DNS name, is the caller's to decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HostVerdict {
    /// Nobody looked.
    #[default]
    NotChecked,
    /// It is.
    Match,
    /// It is of other names.
    Mismatch,
}

impl HostVerdict {
    /// All verdicts.
    pub const ALL: [Self; 3] = [Self::NotChecked, Self::Match, Self::Mismatch];
}

/// What DANE (RFC 6698) says of a certificate, by records that DNSSEC secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DaneVerdict {
    /// Nobody looked, or there are no secure records.
    #[default]
    NotChecked,
    /// A secure record matches.
    Match,
    /// There are secure records, and none matches.
    Mismatch,
    /// Records could not be had or secured now.
    Unavailable,
}

impl DaneVerdict {
    /// All verdicts.
    pub const ALL: [Self; 4] = [
        Self::NotChecked,
        Self::Match,
        Self::Mismatch,
        Self::Unavailable,
    ];
}

/// What a local policy says of a certificate, e.g. a list of fingerprints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LocalVerdict {
    /// There is none, or it says nothing.
    #[default]
    NotChecked,
    /// It vouches for the certificate.
    Accepted,
    /// It refuses the certificate.
    Refused,
}

impl LocalVerdict {
    /// All verdicts.
    pub const ALL: [Self; 3] = [Self::NotChecked, Self::Accepted, Self::Refused];
}

/// A common name alone as a distinguished name, for MTAs that tell no more.
#[cfg(any(feature = "postfix", feature = "milter"))]
pub(crate) fn common_name(name: &str) -> Option<DistinguishedName<'static>> {
    if name.is_empty() {
        return None;
    }
    DistinguishedName::from_rdns([[("CN", crate::tls::dn::AttributeValue::from(name))]]).ok()
}
