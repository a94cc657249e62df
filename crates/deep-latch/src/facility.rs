//! Which security tags a connection achieves: the meanings of draft-newman-email-deep-02 section 11.2, and
//! those an application adds.

use alloc::vec::Vec;
use core::fmt;

use crate::{
    facts::{
        CertificateUsage, ChainVerdict, DaneVerdict, IdentityVerdict, Login, ProtocolVersion,
        SessionFacts, TlsFacts,
    },
    failure::CertificateFault,
    tag::SecurityTag,
};

/// "A strong encryption layer with a symmetric key of at least 128 bits", section 11.2.
pub const MIN_STRENGTH_BITS: u16 = 128;

/// Whether a connection has a security facility.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum Achievement {
    /// It has.
    Achieved,
    /// It has not, or it is not known.
    NotAchieved,
    /// That is known after login only; until then the connection may go on.
    AfterLogin,
}

/// What decides whether a connection has a facility. It must answer [`Achievement::NotAchieved`] for what is
/// not known, and must not answer [`Achievement::AfterLogin`] after login: that counts as not achieved.
pub type Rule = fn(&SessionFacts) -> Achievement;

/// Whose identity a match with DANE-EE proves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DaneIdentity {
    /// The name in the certificate is verified as with PKIX: the draft, section 11.2.
    #[default]
    AsPkix,
    /// That of the TLSA record, whatever the certificate says: RFC 7671 section 5.1, which came after.
    Rfc7671,
}

/// The outcome for a server whose TLSA records contradict its certificate, whether or not tls-dane-tlsa is
/// latched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnTlsaMismatch {
    /// The connection is refused: "the TLS client MUST abort the handshake" (RFC 6698 section 4.1).
    #[default]
    Refuse,
    /// The connection goes on, against RFC 6698, unless tls-dane-tlsa is latched. Nothing vouches for the
    /// server, whatever PKIX says.
    GoOn,
}

/// The security tags that this client knows, and what they mean.
#[derive(Clone, Debug)]
pub struct Facilities {
    dane_identity: DaneIdentity,
    on_tlsa_mismatch: OnTlsaMismatch,
    added: Vec<(SecurityTag<'static>, Rule)>,
}

impl Default for Facilities {
    fn default() -> Self {
        Self::new()
    }
}

/// The tag has a meaning already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FacilityError;

impl fmt::Display for FacilityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the security tag has a meaning already")
    }
}

impl core::error::Error for FacilityError {}

/// The tags of section 11.2, whose meaning cannot be changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Initial {
    Tls10,
    Tls12,
    TlsCert,
    TlsDaneTlsa,
}

impl Initial {
    const ALL: [(SecurityTag<'static>, Self); 4] = [
        (SecurityTag::TLS10, Self::Tls10),
        (SecurityTag::TLS12, Self::Tls12),
        (SecurityTag::TLS_CERT, Self::TlsCert),
        (SecurityTag::TLS_DANE_TLSA, Self::TlsDaneTlsa),
    ];

    pub(crate) fn of(tag: &SecurityTag<'_>) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find_map(|(name, initial)| (name == *tag).then_some(initial))
    }

    /// Section 5.3: "except for the tls10 and tls12 security tags".
    pub(crate) const fn needs_authentication(self) -> bool {
        !matches!(self, Self::Tls10 | Self::Tls12)
    }
}

/// What vouches for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Authentication {
    /// PKIX and the identity: `tls-cert`.
    Pkix,
    /// DANE and the identity: `tls-dane-tlsa`.
    Dane,
    /// SCRAM with channel binding.
    ScramPlus,
}

impl Facilities {
    /// The four tags of section 11.2.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            dane_identity: DaneIdentity::AsPkix,
            on_tlsa_mismatch: OnTlsaMismatch::Refuse,
            added: Vec::new(),
        }
    }

    /// The same, with another reading of DANE-EE.
    #[must_use]
    pub fn with_dane_identity(mut self, dane_identity: DaneIdentity) -> Self {
        self.dane_identity = dane_identity;
        self
    }

    /// Returns the same, with another outcome for TLSA records that contradict the certificate.
    #[must_use]
    pub const fn on_tlsa_mismatch(mut self, on_mismatch: OnTlsaMismatch) -> Self {
        self.on_tlsa_mismatch = on_mismatch;
        self
    }

    /// Adds a tag. It is latched only when the server is authenticated, as section 5.1 says of all but
    /// tls10 and tls12.
    ///
    /// ```
    /// use deep_latch::{
    ///     Facilities, SecurityTag,
    ///     facility::Achievement,
    ///     facts::{ProtocolVersion, SessionFacts},
    /// };
    ///
    /// fn tls13(facts: &SessionFacts) -> Achievement {
    ///     match facts.tls {
    ///         Some(tls) if tls.version >= ProtocolVersion::TLS1_3 => Achievement::Achieved,
    ///         _ => Achievement::NotAchieved,
    ///     }
    /// }
    ///
    /// let mut facilities = Facilities::new();
    /// facilities.add(SecurityTag::parse("tls13")?, tls13)?;
    /// assert!(facilities.knows(&SecurityTag::parse("TLS13")?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the tag has a meaning already.
    pub fn add(&mut self, tag: SecurityTag<'static>, rule: Rule) -> Result<(), FacilityError> {
        if self.knows(&tag) {
            return Err(FacilityError);
        }
        self.added.push((tag, rule));
        Ok(())
    }

    /// Whether the tag means something here.
    #[must_use]
    pub fn knows(&self, tag: &SecurityTag<'_>) -> bool {
        Initial::of(tag).is_some() || self.added.iter().any(|(name, _)| name == tag)
    }

    /// The tags that mean something here, those of section 11.2 first.
    pub fn tags(&self) -> impl Iterator<Item = SecurityTag<'_>> {
        let initial = Initial::ALL.into_iter().map(|(tag, _)| tag);
        initial.chain(self.added.iter().map(|(tag, _)| tag.borrowed()))
    }

    /// Whether a connection achieves a tag. A tag that means nothing here is never achieved, and none is
    /// without TLS: SSL is no TLS.
    pub fn achieves(&self, facts: &SessionFacts, tag: &SecurityTag<'_>) -> Achievement {
        let Some(tls) = tls(facts) else {
            return Achievement::NotAchieved;
        };
        let holds = match Initial::of(tag) {
            Some(Initial::Tls10) => is_strong(tls, ProtocolVersion::TLS1_0),
            Some(Initial::Tls12) => is_strong(tls, ProtocolVersion::TLS1_2),
            Some(Initial::TlsCert) => is_pkix(tls),
            Some(Initial::TlsDaneTlsa) => self.is_dane(tls),
            None => {
                let rule = self.added.iter().find(|(name, _)| name == tag);
                let achievement = rule.map(|(_, rule)| rule(facts));
                return match (achievement, facts.login) {
                    (Some(Achievement::AfterLogin), None) => Achievement::AfterLogin,
                    (Some(Achievement::Achieved), _) => Achievement::Achieved,
                    _ => Achievement::NotAchieved,
                };
            }
        };
        if holds {
            Achievement::Achieved
        } else {
            Achievement::NotAchieved
        }
    }

    /// What vouches for the server of a connection, if anything does (section 5.3). That a TLS session is
    /// too weak for tls10 does not matter: the certificate is verified all the same.
    ///
    /// Where TLSA records contradict the certificate, nothing vouches for the server, whatever PKIX says:
    /// "if none of the certificate associations matches the certificate given by the TLS server, the TLS
    /// client MUST abort the handshake" (RFC 6698 section 4.1).
    #[must_use]
    pub fn authentication(&self, facts: &SessionFacts) -> Option<Authentication> {
        let tls = tls(facts)?;
        if contradicts(tls) {
            None
        } else if is_pkix(tls) {
            Some(Authentication::Pkix)
        } else if self.is_dane(tls) {
            Some(Authentication::Dane)
        } else {
            (facts.login == Some(Login::ScramPlus)).then_some(Authentication::ScramPlus)
        }
    }

    /// Returns `true` if a connection must not go on for what TLSA records say of its certificate.
    pub(crate) fn refuses(&self, tls: &TlsFacts) -> bool {
        self.on_tlsa_mismatch == OnTlsaMismatch::Refuse && contradicts(tls)
    }

    /// Returns `true` if a certificate that was refused for this cannot be what the tag means (section 11.2):
    /// of PKIX and the name for tls-cert, of TLSA records and the name for tls-dane-tlsa.
    pub(crate) fn excludes(&self, fault: CertificateFault, tag: &SecurityTag<'_>) -> bool {
        match (Initial::of(tag), fault) {
            (Some(Initial::TlsCert), CertificateFault::Chain | CertificateFault::Identity)
            | (Some(Initial::TlsDaneTlsa), CertificateFault::Dane) => true,
            // With DANE-EE of RFC 7671 the name does not matter.
            (Some(Initial::TlsDaneTlsa), CertificateFault::Identity) => {
                self.dane_identity == DaneIdentity::AsPkix
            }
            _ => false,
        }
    }

    /// Section 11.2, tls-dane-tlsa. The usages PKIX-TA and PKIX-EE restrict PKIX, and do not replace it
    /// (RFC 6698 section 2.1.1).
    fn is_dane(&self, tls: &TlsFacts) -> bool {
        let identity = tls.identity == IdentityVerdict::Matches;
        match tls.dane {
            DaneVerdict::Matches(CertificateUsage::PkixTa | CertificateUsage::PkixEe) => {
                is_pkix(tls)
            }
            DaneVerdict::Matches(CertificateUsage::DaneTa) => identity,
            DaneVerdict::Matches(CertificateUsage::DaneEe) => {
                identity || self.dane_identity == DaneIdentity::Rfc7671
            }
            DaneVerdict::NotChecked | DaneVerdict::NoRecords | DaneVerdict::Differs => false,
        }
    }
}

/// The TLS session, if it is one of TLS, 1.0 or later: not of SSL, and not of a version that is encoded in
/// another way, as DTLS's are.
fn tls(facts: &SessionFacts) -> Option<&TlsFacts> {
    let is_tls =
        |tls: &&TlsFacts| tls.version >= ProtocolVersion::TLS1_0 && tls.version.0 <= 0x03ff;
    facts.tls.as_ref().filter(is_tls)
}

/// Returns `true` if the server's TLSA records contradict its certificate. A record of usage PKIX-TA or
/// PKIX-EE matches only a certificate that also passes PKIX (RFC 6698 section 2.1.1); where PKIX was not
/// asked, such a record is not usable, and contradicts nothing.
fn contradicts(tls: &TlsFacts) -> bool {
    match tls.dane {
        DaneVerdict::Differs => true,
        DaneVerdict::Matches(CertificateUsage::PkixTa | CertificateUsage::PkixEe) => {
            tls.chain == ChainVerdict::Refused
        }
        DaneVerdict::Matches(CertificateUsage::DaneTa | CertificateUsage::DaneEe)
        | DaneVerdict::NotChecked
        | DaneVerdict::NoRecords => false,
    }
}

/// Section 11.2, tls10 and tls12.
fn is_strong(tls: &TlsFacts, least: ProtocolVersion) -> bool {
    tls.version >= least
        && tls
            .strength_bits
            .is_some_and(|bits| bits >= MIN_STRENGTH_BITS)
}

/// Section 11.2, tls-cert.
fn is_pkix(tls: &TlsFacts) -> bool {
    tls.chain == ChainVerdict::Trusted && tls.identity == IdentityVerdict::Matches
}
