//! The words of the draft: results, properties, `cert.verif` and `key.strength`
//! (draft-martin-authentication-results-tls-03 sections 2.1, 2.2 and 3).

use core::fmt;

use crate::syntax::Text;

/// The result of the `tls` method (section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsResult {
    /// `none`: the message was sent in clear.
    None,
    /// `pass`: encrypted, the client's certificate verified valid, and its host identity verified.
    Pass,
    /// `selfsigned`: encrypted, but the client's certificate is self-signed.
    SelfSigned,
    /// `invalidhost`: encrypted, the client's certificate verified valid, but the host identity is
    /// invalid.
    InvalidHost,
    /// `fail`: encrypted, but the client's certificate is not valid.
    Fail,
    /// `temperror`: encrypted, and the client's certificate could not be verified at this time.
    TempError,
    /// `permerror`: encrypted, and the client's certificate was not verified.
    PermError,
}

impl TlsResult {
    /// The results, in the order of section 2.1.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Pass,
        Self::SelfSigned,
        Self::InvalidHost,
        Self::Fail,
        Self::TempError,
        Self::PermError,
    ];

    /// Returns the keyword.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::SelfSigned => "selfsigned",
            Self::InvalidHost => "invalidhost",
            Self::Fail => "fail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }

    pub(crate) fn from_text(text: Text<'_>) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|result| text.eq_ignore_case(result.name()))
            .or_else(|| text.eq_ignore_case(PERMERERROR).then_some(Self::PermError))
    }
}

/// The spelling of `permerror` in the table of section 3. It is read and never written.
pub(crate) const PERMERERROR: &str = "permererror";

impl fmt::Display for TlsResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A property of the `tls` method (section 2.2), in the order of the table in section 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsProperty {
    /// `cert.client`: the subject of the client's certificate.
    CertClient,
    /// `cert.server`: the subject of the server's certificate.
    CertServer,
    /// `cert.clientalt`: the subject alternative name of the client's certificate.
    CertClientAlt,
    /// `cert.serveralt`: the subject alternative name of the server's certificate.
    CertServerAlt,
    /// `cert.clientissuer`: the issuer of the client's certificate.
    CertClientIssuer,
    /// `cert.serverissuer`: the issuer of the server's certificate.
    CertServerIssuer,
    /// `cert.verif`: how the certificate was verified.
    CertVerif,
    /// `tls.v`: the protocol version.
    TlsV,
    /// `key.ciphersuite`: the cipher suite, as the IANA registry describes it.
    KeyCiphersuite,
    /// `key.fingerprint`: the fingerprint of the key.
    KeyFingerprint,
    /// `key.length`: the length of the key in bits.
    KeyLength,
    /// `key.strength`: the server's rating of the encryption.
    KeyStrength,
}

impl TlsProperty {
    /// The properties, in the order of the table.
    pub const ALL: [Self; 12] = [
        Self::CertClient,
        Self::CertServer,
        Self::CertClientAlt,
        Self::CertServerAlt,
        Self::CertClientIssuer,
        Self::CertServerIssuer,
        Self::CertVerif,
        Self::TlsV,
        Self::KeyCiphersuite,
        Self::KeyFingerprint,
        Self::KeyLength,
        Self::KeyStrength,
    ];

    /// Returns `ptype.property`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CertClient => "cert.client",
            Self::CertServer => "cert.server",
            Self::CertClientAlt => "cert.clientalt",
            Self::CertServerAlt => "cert.serveralt",
            Self::CertClientIssuer => "cert.clientissuer",
            Self::CertServerIssuer => "cert.serverissuer",
            Self::CertVerif => "cert.verif",
            Self::TlsV => "tls.v",
            Self::KeyCiphersuite => "key.ciphersuite",
            Self::KeyFingerprint => "key.fingerprint",
            Self::KeyLength => "key.length",
            Self::KeyStrength => "key.strength",
        }
    }

    /// Returns `ptype`.
    #[must_use]
    pub const fn ptype(self) -> &'static str {
        match self {
            Self::CertClient
            | Self::CertServer
            | Self::CertClientAlt
            | Self::CertServerAlt
            | Self::CertClientIssuer
            | Self::CertServerIssuer
            | Self::CertVerif => "cert",
            Self::TlsV => "tls",
            Self::KeyCiphersuite | Self::KeyFingerprint | Self::KeyLength | Self::KeyStrength => {
                "key"
            }
        }
    }

    /// Returns `property`.
    #[must_use]
    pub const fn property(self) -> &'static str {
        match self {
            Self::CertClient => "client",
            Self::CertServer => "server",
            Self::CertClientAlt => "clientalt",
            Self::CertServerAlt => "serveralt",
            Self::CertClientIssuer => "clientissuer",
            Self::CertServerIssuer => "serverissuer",
            Self::CertVerif => "verif",
            Self::TlsV => "v",
            Self::KeyCiphersuite => "ciphersuite",
            Self::KeyFingerprint => "fingerprint",
            Self::KeyLength => "length",
            Self::KeyStrength => "strength",
        }
    }
}

impl fmt::Display for TlsProperty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// `cert.verif`: how a certificate was verified (section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verification {
    /// `CA`: by a trusted certificate authority.
    Ca,
    /// `DANE`: by DANE (RFC 6698).
    Dane,
    /// `LOCAL`: by a local policy.
    Local,
}

impl Verification {
    /// The words, in the draft's order.
    pub const ALL: [Self; 3] = [Self::Ca, Self::Dane, Self::Local];

    /// Returns the draft's spelling.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ca => "CA",
            Self::Dane => "DANE",
            Self::Local => "LOCAL",
        }
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// `key.strength`: the server's rating of the encryption (section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
}

impl Strength {
    /// The words, from the weakest.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// Returns the spelling of the table in section 3.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word of the draft, or another text as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word<'a, T> {
    /// A word of the draft.
    Known(T),
    /// Another text.
    Other(Text<'a>),
}

impl<T> Word<'_, T> {
    /// Returns the word of the draft. `None` for another text.
    #[must_use]
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(word) => Some(word),
            Self::Other(_) => None,
        }
    }
}

/// Returns the element of `all` with this name, which compares without regard to case.
pub(crate) fn word<'a, T: Copy>(
    text: Text<'a>,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Word<'a, T> {
    let mut all = all.iter().copied();
    all.find(|it| text.eq_ignore_case(name(*it)))
        .map_or(Word::Other(text), Word::Known)
}
