//! Mail accounts: draft-newman-email-deep-02 section 3.
//!
//! An [`Account`] is what a user configured, and a connection does not change it. [`AccountSetup`] makes one, and
//! [`Account::reconfigure`] changes one, which are acts of the user. A failure of a connection
//! ([`Failure`](crate::Failure)) leads to neither.

#[cfg(feature = "serde")]
mod configuration;
mod error;
mod host;
mod id;
pub(crate) mod pin;
mod server;
mod setup;
mod warning;

#[cfg(feature = "serde")]
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
pub use self::configuration::Configuration;
pub use self::{
    error::{AccountError, AccountErrorKind},
    host::Host,
    id::{AccountId, MAX_ACCOUNT_ID_BYTES},
    server::{HostSource, Server},
    setup::{AccountSetup, MAX_SERVERS},
    warning::{Warning, WarningKind},
};
use crate::{
    failure::{Cause, StatusPage},
    identity::{ReferenceIdentity, Rules},
    name::DomainName,
    privacy::PrivacyLevel,
    service::Security,
    verdict::{DaneVerdict, PinVerdict, Verdict},
};

/// The specification that an account follows where the draft and its successor differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Profile {
    /// draft-newman-email-deep-02: levels high and low.
    #[default]
    Draft,
    /// RFC 8314, as the draft was published: the high level only, so no connection in clear text and no pins.
    Rfc8314,
}

/// The concessions that the low privacy level permits (section 3.3). Each is off by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct LowPrivacy {
    /// A certificate or name that is not verified does not end the connection.
    pub ignore_certificate: bool,
    /// The client connects again without TLS if TLS fails for another reason than the certificate.
    pub clear_text_fallback: bool,
}

/// A mail account.
///
/// ```
/// use mail_implicit_tls::{
///     account::{Account, AccountId, AccountSetup, Host, Server},
///     privacy::PrivacyLevel,
///     service::Service,
/// };
///
/// let account = AccountSetup::new(AccountId::try_new("alice@example.org")?)
///     .server(Server::new(Service::IMAPS, Host::parse("imap.example.org")?))
///     .server(Server::new(Service::SUBMISSIONS, Host::parse("smtp.example.org")?))
///     .build()?;
/// assert_eq!(account.level(), PrivacyLevel::High);
/// assert!(account.warnings().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "Configuration", into = "Configuration")
)]
pub struct Account {
    id: AccountId,
    domain: Option<DomainName>,
    profile: Profile,
    level: PrivacyLevel,
    low: LowPrivacy,
    rules: Rules,
    dane: bool,
    servers: Vec<Server>,
    status_page: Option<StatusPage>,
}

impl Account {
    /// Returns the identifier.
    #[must_use]
    pub const fn id(&self) -> &AccountId {
        &self.id
    }

    /// Returns the mail domain, the part of the address after the `@`.
    #[must_use]
    pub const fn domain(&self) -> Option<&DomainName> {
        self.domain.as_ref()
    }

    /// Returns the profile.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Returns the privacy level.
    #[must_use]
    pub const fn level(&self) -> PrivacyLevel {
        self.level
    }

    /// Returns the concessions in force: none at the high level.
    #[must_use]
    pub fn low(&self) -> LowPrivacy {
        match self.level {
            PrivacyLevel::High => LowPrivacy::default(),
            PrivacyLevel::Low => self.low,
        }
    }

    /// Returns the rules of server identity.
    #[must_use]
    pub const fn rules(&self) -> Rules {
        self.rules
    }

    /// Returns `true` if the account uses DANE.
    #[must_use]
    pub const fn uses_dane(&self) -> bool {
        self.dane
    }

    /// Returns the servers.
    #[must_use]
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// Returns the provider's status page.
    #[must_use]
    pub const fn status_page(&self) -> Option<&StatusPage> {
        self.status_page.as_ref()
    }

    /// Returns the names that are expected in the certificate of a server.
    ///
    /// - The host, if the user typed or confirmed it or DNSSEC secures the record that names it.
    /// - The mail domain, as DNS-ID and as SRV-ID, if the host was found by SRV, unless the rules are those of
    ///   RFC 3501.
    ///
    /// The list is empty if no name can be trusted: then no certificate is accepted.
    #[must_use]
    pub fn references(&self, server: &Server) -> Vec<ReferenceIdentity> {
        let mut references = Vec::new();
        if server.source != HostSource::InsecureSrv {
            references.push(match &server.host {
                Host::Name(name) => ReferenceIdentity::Dns(name.clone()),
                Host::Address(address) => ReferenceIdentity::Ip(*address),
            });
        }
        if let Some(domain) = &self.domain
            && server.source.is_srv()
            && self.rules != Rules::Rfc3501
        {
            references.push(ReferenceIdentity::Srv(server.service, domain.clone()));
            let domain = ReferenceIdentity::Dns(domain.clone());
            if !references.contains(&domain) {
                references.push(domain);
            }
        }
        references
    }

    /// Returns `true` if a TLS connection to a server with this verdict may be used.
    ///
    /// At the high level the server must be verified. At the low level a failure of PKIX or of the name is ignored
    /// if the account says so; a pin or TLSA records that contradict the certificate are not.
    #[must_use]
    pub fn accepts(&self, verdict: &Verdict) -> bool {
        if verdict.pin == PinVerdict::Differs {
            return false;
        }
        match self.level {
            PrivacyLevel::High => verdict.is_verified(),
            PrivacyLevel::Low => {
                let contradicted = matches!(verdict.dane, DaneVerdict::Differs(_));
                let pinned = verdict.pin == PinVerdict::Matches;
                let tolerated = pinned || self.low.ignore_certificate;
                verdict.is_verified() || tolerated && !contradicted
            }
        }
    }

    /// Returns `true` if the account permits to connect to the server again in clear text after an attempt with TLS
    /// ended for this cause (section 3.3). [`Server::clear_text_sibling`] is where.
    #[must_use]
    pub fn permits_clear_text(&self, server: &Server, cause: &Cause) -> bool {
        // An account at the high level has no concessions in force.
        self.low().clear_text_fallback
            && server.service.security != Security::Clear
            && cause.is_tls_negotiation()
    }

    /// Returns the warnings that a user must see before the account is used the first time (sections 8 and 9.3).
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for (index, server) in self.servers.iter().enumerate() {
            let mut warn = |kind| {
                warnings.push(Warning {
                    server: index,
                    kind,
                });
            };
            if server.service.security == Security::Clear {
                warn(WarningKind::ClearText);
            } else if self.low().clear_text_fallback {
                warn(WarningKind::ClearTextFallback);
            }
            if server.service.uses_tls() && self.low().ignore_certificate && server.pins.is_empty()
            {
                warn(WarningKind::CertificateIgnored);
            }
            if !server.pins.is_empty() {
                warn(WarningKind::Pinned);
            }
            if server.source == HostSource::InsecureSrv {
                warn(WarningKind::InsecureSrv);
            }
        }
        warnings
    }
}
