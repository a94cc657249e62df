//! Security facilities: the meanings of the security tags of draft-newman-email-deep-02 section 11.2, and of tags
//! that an application adds.

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

/// The result of testing a connection for a security facility.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum Achievement {
    /// The connection has the facility.
    Achieved,
    /// The connection lacks the facility, or it is not known whether it has it.
    NotAchieved,
    /// The facility is known after login only. Until then the connection may continue.
    AfterLogin,
}

/// A function that decides whether a connection has a facility. It returns [`Achievement::NotAchieved`] for a facility
/// that is not known. After login, [`Achievement::AfterLogin`] counts as not achieved.
pub type Rule = fn(&SessionFacts) -> Achievement;

/// The identity that a match with DANE-EE proves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DaneIdentity {
    /// The name in the certificate is verified as with PKIX: section 11.2 of the draft.
    #[default]
    AsPkix,
    /// The identity is the owner name of the TLSA record, regardless of the names in the certificate: RFC 7671 section
    /// 5.1, which is later than the draft.
    Rfc7671,
}

/// The outcome for a server whose TLSA records contradict its certificate, whether or not tls-dane-tlsa is
/// latched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnTlsaMismatch {
    /// The connection is refused: "the TLS client MUST abort the handshake" (RFC 6698 section 4.1).
    #[default]
    Refuse,
    /// The connection continues, contrary to RFC 6698, unless tls-dane-tlsa is latched. The server counts as not
    /// authenticated, regardless of PKIX.
    GoOn,
}

/// The security tags that a client knows, with their meanings.
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

/// A tag that has a meaning already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FacilityError;

impl fmt::Display for FacilityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("security-tag: the tag has a meaning already")
    }
}

impl core::error::Error for FacilityError {}

/// A tag of section 11.2. Its meaning cannot be changed.
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

    /// Returns `true` for all tags "except for the tls10 and tls12 security tags" (section 5.3).
    pub(crate) const fn needs_authentication(self) -> bool {
        !matches!(self, Self::Tls10 | Self::Tls12)
    }
}

/// The mechanism that authenticated a server.
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
    /// Creates the set of the four tags of section 11.2.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            dane_identity: DaneIdentity::AsPkix,
            on_tlsa_mismatch: OnTlsaMismatch::Refuse,
            added: Vec::new(),
        }
    }

    /// Sets the identity that a match with DANE-EE proves.
    #[must_use]
    pub fn with_dane_identity(mut self, dane_identity: DaneIdentity) -> Self {
        self.dane_identity = dane_identity;
        self
    }

    /// Sets the outcome for TLSA records that contradict the certificate.
    #[must_use]
    pub const fn on_tlsa_mismatch(mut self, on_mismatch: OnTlsaMismatch) -> Self {
        self.on_tlsa_mismatch = on_mismatch;
        self
    }

    /// Adds a tag. The tag is latched only if the server is authenticated, as section 5.1 requires for all tags but
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
    /// Returns [`FacilityError`] if the tag has a meaning already.
    pub fn add(&mut self, tag: SecurityTag<'static>, rule: Rule) -> Result<(), FacilityError> {
        if self.knows(&tag) {
            return Err(FacilityError);
        }
        self.added.push((tag, rule));
        Ok(())
    }

    /// Returns `true` if the tag has a meaning.
    #[must_use]
    pub fn knows(&self, tag: &SecurityTag<'_>) -> bool {
        Initial::of(tag).is_some() || self.added.iter().any(|(name, _)| name == tag)
    }

    /// Returns the tags that have a meaning, those of section 11.2 first.
    pub fn tags(&self) -> impl Iterator<Item = SecurityTag<'_>> {
        let initial = Initial::ALL.into_iter().map(|(tag, _)| tag);
        initial.chain(self.added.iter().map(|(tag, _)| tag.borrowed()))
    }

    /// Tests a connection for a tag. An unknown tag is never achieved. Without TLS no tag is achieved, and SSL is not
    /// TLS.
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

    /// Returns the mechanism that authenticated the server of a connection (section 5.3), if the server is
    /// authenticated. The strength of the TLS session does not matter.
    ///
    /// A server whose TLSA records contradict its certificate is not authenticated, regardless of PKIX:
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

    /// Returns `true` if a connection must not continue because TLSA records contradict its certificate.
    pub(crate) fn refuses(&self, tls: &TlsFacts) -> bool {
        self.on_tlsa_mismatch == OnTlsaMismatch::Refuse && contradicts(tls)
    }

    /// Returns `true` if a certificate that was refused for this reason contradicts the meaning of the tag (section
    /// 11.2): PKIX and the name for tls-cert, TLSA records and the name for tls-dane-tlsa.
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

    /// Returns `true` for tls-dane-tlsa of section 11.2. The usages PKIX-TA and PKIX-EE restrict PKIX, and do not replace it
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

/// Returns the TLS session, if its version is TLS 1.0 or later: not SSL, and not a version of another encoding, such
/// as those of DTLS.
fn tls(facts: &SessionFacts) -> Option<&TlsFacts> {
    let is_tls =
        |tls: &&TlsFacts| tls.version >= ProtocolVersion::TLS1_0 && tls.version.0 <= 0x03ff;
    facts.tls.as_ref().filter(is_tls)
}

/// Returns `true` if the server's TLSA records contradict its certificate. A record of usage PKIX-TA or
/// PKIX-EE matches only a certificate that also passes PKIX (RFC 6698 section 2.1.1). If PKIX was not checked, such a
/// record is not usable and contradicts no certificate.
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

/// Returns `true` for tls10 and tls12 of section 11.2.
fn is_strong(tls: &TlsFacts, least: ProtocolVersion) -> bool {
    tls.version >= least
        && tls
            .strength_bits
            .is_some_and(|bits| bits >= MIN_STRENGTH_BITS)
}

/// Returns `true` for tls-cert of section 11.2.
fn is_pkix(tls: &TlsFacts) -> bool {
    tls.chain == ChainVerdict::Trusted && tls.identity == IdentityVerdict::Matches
}
