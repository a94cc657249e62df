//! Mail accounts: draft-newman-email-deep-02 section 3.
//!
//! An [`Account`] is what a user configured, and a connection does not change it. [`AccountSetup`] makes one, and
//! [`Account::reconfigure`] changes one, which are acts of the user. A failure of a connection
//! ([`Failure`](crate::Failure)) leads to neither.

use std::{collections::BTreeSet, fmt, net::IpAddr, str::FromStr};

use crate::{
    failure::StatusPage,
    identity::{ReferenceIdentity, Rules},
    name::{DomainName, NameError},
    pin::{MAX_CERTIFICATE_BYTES, MAX_PINS, Pin},
    privacy::PrivacyLevel,
    service::{Security, Service},
    verdict::{DaneVerdict, PinVerdict, Verdict},
};

/// The greatest number of servers of an account.
pub const MAX_SERVERS: usize = 64;

/// The greatest length of an account's identifier, in octets.
pub const MAX_ACCOUNT_ID_BYTES: usize = 256;

/// The identifier of an account in its client: pins, sessions and latches of one account are not used for another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct AccountId(String);

impl AccountId {
    /// Returns the identifier with this text.
    ///
    /// # Errors
    /// Returns [`AccountErrorKind::Id`] for an empty text, one of more than [`MAX_ACCOUNT_ID_BYTES`], and one with
    /// control characters.
    pub fn try_new(text: impl Into<String>) -> Result<Self, AccountError> {
        let text = text.into();
        let long = text.len() > MAX_ACCOUNT_ID_BYTES;
        if text.is_empty() || long || text.contains(char::is_control) {
            return Err(AccountError::new(AccountErrorKind::Id, None));
        }
        Ok(Self(text))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for AccountId {
    type Error = AccountError;

    fn try_from(text: String) -> Result<Self, AccountError> {
        Self::try_new(text)
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.0
    }
}

/// A host: a name, or the address that a user typed in its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub enum Host {
    /// A host name.
    Name(DomainName),
    /// An IP address.
    Address(IpAddr),
}

impl Host {
    /// Parses a host name or an IP address, which may be in brackets.
    ///
    /// # Errors
    /// Returns an error of [`DomainName::parse`] for a text that is neither.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let bare = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        match bare.unwrap_or(text).parse() {
            Ok(address) => Ok(Self::Address(address)),
            Err(_) => DomainName::parse(text).map(Self::Name),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl FromStr for Host {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Host {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<Host> for String {
    fn from(host: Host) -> Self {
        host.to_string()
    }
}

/// The source of a server's host name, which decides about the names that its certificate may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum HostSource {
    /// The user typed the host.
    #[default]
    User,
    /// An SRV record that DNSSEC secures names the host.
    SecureSrv,
    /// An SRV record that DNSSEC does not secure names the host, and the user confirmed it by reference to the
    /// provider's documentation (section 8).
    ConfirmedSrv,
    /// An SRV record that DNSSEC does not secure names the host, and the user did not confirm it. The certificate
    /// must be of the mail domain (RFC 6125 section 6.2.1, RFC 6186 section 6).
    InsecureSrv,
    /// A configuration file names the host, which was fetched over https from a host of the mail domain, whose
    /// certificate was verified.
    Autoconfig,
}

impl HostSource {
    /// Returns `true` if the host was found by SRV.
    #[must_use]
    pub const fn is_srv(self) -> bool {
        !matches!(self, Self::User | Self::Autoconfig)
    }
}

/// A server of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Server {
    /// The service.
    pub service: Service,
    /// The host that the connection is for.
    pub host: Host,
    /// The port.
    pub port: u16,
    /// The source of `host`.
    #[cfg_attr(feature = "serde", serde(default))]
    pub source: HostSource,
    /// The address to connect to in place of the addresses of `host`, whose name is verified nevertheless.
    #[cfg_attr(feature = "serde", serde(default))]
    pub address: Option<IpAddr>,
    /// The pins; [`AccountSetup::pin`] adds one.
    #[cfg_attr(feature = "serde", serde(default))]
    pins: Vec<Pin>,
}

impl Server {
    /// Returns a server at the service's default port, whose host the user typed.
    #[must_use]
    pub const fn new(service: Service, host: Host) -> Self {
        Self {
            service,
            host,
            port: service.default_port(),
            source: HostSource::User,
            address: None,
            pins: Vec::new(),
        }
    }

    /// Sets the port.
    #[must_use]
    pub const fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets the source of the host.
    #[must_use]
    pub const fn with_source(mut self, source: HostSource) -> Self {
        self.source = source;
        self
    }

    /// Sets the address to connect to.
    #[must_use]
    pub const fn with_address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Returns the pins.
    #[must_use]
    pub fn pins(&self) -> &[Pin] {
        &self.pins
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => {
                write!(f, "{} at [{address}]:{}", self.service, self.port)
            }
            host => write!(f, "{} at {host}:{}", self.service, self.port),
        }
    }
}

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

    /// Begins a change of the account that its user asked for. Servers that stay keep their pins; a server that the
    /// account has already cannot be pinned anew.
    pub fn reconfigure(self) -> AccountSetup {
        let existing = self.servers.iter().map(Server::key).collect();
        AccountSetup {
            account: self,
            existing,
            error: None,
        }
    }
}

/// A warning about the configuration of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Warning {
    /// The index of the server in [`Account::servers`].
    pub server: usize,
    /// The subject of the warning.
    pub kind: WarningKind,
}

/// The subject of a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WarningKind {
    /// The server is used without TLS.
    ClearText,
    /// The server is used without TLS if TLS fails.
    ClearTextFallback,
    /// The server's certificate is not verified.
    CertificateIgnored,
    /// The server's certificate is pinned, so it was not verified when the pin was made, and cannot be revoked.
    Pinned,
    /// The server was found by SRV records that DNSSEC does not secure, and the user did not confirm it.
    InsecureSrv,
}

impl fmt::Display for WarningKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClearText => {
                "mail and password are not encrypted on the way to this server and will likely be intercepted"
            }
            Self::ClearTextFallback => {
                "an attacker can make mail and password go unencrypted to this server"
            }
            Self::CertificateIgnored => {
                "the server's certificate is not verified, so mail and password are exposed to attackers"
            }
            Self::Pinned => "the server's certificate is pinned and was not verified",
            Self::InsecureSrv => {
                "the DNS records that name this server are not authenticated; compare it with the provider's \
                 documentation"
            }
        })
    }
}

/// An account that is being set up or changed.
#[derive(Clone, Debug)]
#[must_use]
pub struct AccountSetup {
    account: Account,
    existing: BTreeSet<(Service, Host, u16)>,
    error: Option<AccountError>,
}

impl Server {
    fn key(&self) -> (Service, Host, u16) {
        (self.service, self.host.clone(), self.port)
    }
}

impl AccountSetup {
    /// Begins an account with the high privacy level, rules of RFC 7817 and no servers.
    pub const fn new(id: AccountId) -> Self {
        Self {
            account: Account {
                id,
                domain: None,
                profile: Profile::Draft,
                level: PrivacyLevel::High,
                low: LowPrivacy {
                    ignore_certificate: false,
                    clear_text_fallback: false,
                },
                rules: Rules::Rfc7817,
                dane: false,
                servers: Vec::new(),
                status_page: None,
            },
            existing: BTreeSet::new(),
            error: None,
        }
    }

    /// Sets the mail domain.
    pub fn domain(mut self, domain: DomainName) -> Self {
        self.account.domain = Some(domain);
        self
    }

    /// Sets the profile.
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.account.profile = profile;
        self
    }

    /// Sets the privacy level to high.
    pub const fn high(mut self) -> Self {
        self.account.level = PrivacyLevel::High;
        self
    }

    /// Sets the privacy level to low, with these concessions. Show the [warnings](Account::warnings) of the account
    /// before it is used.
    pub const fn low(mut self, low: LowPrivacy) -> Self {
        self.account.level = PrivacyLevel::Low;
        self.account.low = low;
        self
    }

    /// Sets the rules of server identity.
    pub const fn rules(mut self, rules: Rules) -> Self {
        self.account.rules = rules;
        self
    }

    /// Sets whether the account uses DANE.
    pub const fn dane(mut self, dane: bool) -> Self {
        self.account.dane = dane;
        self
    }

    /// Sets the provider's status page.
    pub fn status_page(mut self, page: StatusPage) -> Self {
        self.account.status_page = Some(page);
        self
    }

    /// Adds a server.
    pub fn server(mut self, server: Server) -> Self {
        self.account.servers.push(server);
        self
    }

    /// Removes the servers of a service.
    pub fn without(mut self, service: Service) -> Self {
        self.account
            .servers
            .retain(|server| server.service != service);
        self
    }

    /// Pins the certificate of the server that was added last. [`build`](Self::build) reports an error if the
    /// account had the server before, since a pin is part of account setup only (section 3.2).
    pub fn pin(mut self, certificate: &[u8]) -> Self {
        if let Err(error) = self.try_pin(certificate) {
            self.error = self.error.or(Some(error));
        }
        self
    }

    fn try_pin(&mut self, certificate: &[u8]) -> Result<(), AccountError> {
        let index = self.account.servers.len().saturating_sub(1);
        let error = |kind| AccountError::new(kind, Some(index));
        let Some(server) = self.account.servers.last_mut() else {
            return Err(AccountError::new(AccountErrorKind::NoServer, None));
        };
        if self.existing.contains(&server.key()) {
            return Err(error(AccountErrorKind::PinOfExistingServer));
        }
        if certificate.is_empty() || certificate.len() > MAX_CERTIFICATE_BYTES {
            return Err(error(AccountErrorKind::PinnedCertificate));
        }
        let pin = Pin::new(self.account.id.clone(), server.host.clone(), certificate);
        server.pins.push(pin);
        Ok(())
    }

    /// Checks the account and returns it.
    ///
    /// # Errors
    /// Returns [`AccountErrorKind`] for a combination that the draft excludes.
    pub fn build(self) -> Result<Account, AccountError> {
        match self.error {
            Some(error) => Err(error),
            None => check(self.account),
        }
    }
}

/// Checks what the draft demands of an account as a whole.
fn check(account: Account) -> Result<Account, AccountError> {
    use AccountErrorKind as Kind;

    let high = account.level == PrivacyLevel::High;
    if account.profile == Profile::Rfc8314 && !high {
        return Err(AccountError::new(Kind::LevelOfProfile, None));
    }
    if account.servers.is_empty() {
        return Err(AccountError::new(Kind::NoServer, None));
    }
    if account.servers.len() > MAX_SERVERS {
        return Err(AccountError::new(Kind::TooManyServers, None));
    }
    let mut seen = BTreeSet::new();
    for (index, server) in account.servers.iter().enumerate() {
        let fails = |kind| Err(AccountError::new(kind, Some(index)));
        // newman-3-1-1: TLS on every connection of an account with high privacy.
        if high && !server.service.uses_tls() {
            return fails(Kind::ClearTextWithHigh);
        }
        // newman-3-2-4: a pinned certificate does not provide high privacy.
        if high && !server.pins.is_empty() {
            return fails(Kind::PinWithHigh);
        }
        if !server.pins.is_empty() && !server.service.uses_tls() {
            return fails(Kind::PinWithoutTls);
        }
        if server.pins.len() > MAX_PINS {
            return fails(Kind::TooManyPins);
        }
        // newman-3-2-3: a pin of one account does not validate connections of another.
        let foreign = |pin: &Pin| *pin.account() != account.id || *pin.host() != server.host;
        if server.pins.iter().any(foreign) {
            return fails(Kind::PinOfAnother);
        }
        if server.port == 0 {
            return fails(Kind::Port);
        }
        if server.source.is_srv() && account.domain.is_none() {
            return fails(Kind::SrvWithoutDomain);
        }
        if !seen.insert(server.key()) {
            return fails(Kind::DuplicateServer);
        }
    }
    Ok(account)
}

/// The reason why an account is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccountErrorKind {
    /// The identifier is empty, too long, or has control characters.
    Id,
    /// The account has no server.
    NoServer,
    /// The account has more than [`MAX_SERVERS`] servers.
    TooManyServers,
    /// A server is listed twice.
    DuplicateServer,
    /// The port is 0.
    Port,
    /// A server found by SRV needs the mail domain.
    SrvWithoutDomain,
    /// The profile excludes the low privacy level.
    LevelOfProfile,
    /// The high privacy level excludes connections without TLS.
    ClearTextWithHigh,
    /// The high privacy level excludes pins.
    PinWithHigh,
    /// A service without TLS cannot have a pin.
    PinWithoutTls,
    /// A pin belongs to another account or host.
    PinOfAnother,
    /// The server was part of the account before, so it can no longer be pinned.
    PinOfExistingServer,
    /// The server has more than [`MAX_PINS`] pins.
    TooManyPins,
    /// The certificate to pin is empty or larger than [`MAX_CERTIFICATE_BYTES`].
    PinnedCertificate,
    /// The configuration has another version than [`Configuration::VERSION`].
    Version,
}

/// An account that is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountError {
    kind: AccountErrorKind,
    server: Option<usize>,
}

impl AccountError {
    const fn new(kind: AccountErrorKind, server: Option<usize>) -> Self {
        Self { kind, server }
    }

    /// Returns the reason.
    #[must_use]
    pub const fn kind(&self) -> AccountErrorKind {
        self.kind
    }

    /// Returns the index of the server that the error concerns.
    #[must_use]
    pub const fn server(&self) -> Option<usize> {
        self.server
    }
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use AccountErrorKind as Kind;

        f.write_str("account")?;
        if let Some(server) = self.server {
            write!(f, ".servers[{server}]")?;
        }
        f.write_str(match self.kind {
            Kind::Id => ".id: 1 to 256 octets without control characters expected",
            Kind::NoServer => ".servers: at least one server expected",
            Kind::TooManyServers => ".servers: at most 64 servers expected",
            Kind::DuplicateServer => ": listed twice",
            Kind::Port => ".port: number above 0 expected",
            Kind::SrvWithoutDomain => ".source: server found by SRV needs the account's domain",
            Kind::LevelOfProfile => ".level: high expected under the profile of RFC 8314",
            Kind::ClearTextWithHigh => ".service: TLS expected at the high privacy level",
            Kind::PinWithHigh => ".pins: no pins expected at the high privacy level",
            Kind::PinWithoutTls => ".pins: no pins expected without TLS",
            Kind::PinOfAnother => ".pins: pin belongs to another account or host",
            Kind::PinOfExistingServer => ".pins: server of an existing account cannot be pinned",
            Kind::TooManyPins => ".pins: at most 16 pins expected",
            Kind::PinnedCertificate => ".pins: certificate of 1 to 65536 octets expected",
            Kind::Version => ".version: 1 expected",
        })
    }
}

impl std::error::Error for AccountError {}

/// The serialized form of an [`Account`], with a version. Unknown fields and other versions are refused, because a
/// client that does not understand a field could use the account less privately than its user configured.
#[cfg(feature = "serde")]
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    version: u32,
    id: AccountId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    domain: Option<DomainName>,
    #[serde(default)]
    profile: Profile,
    #[serde(default)]
    level: PrivacyLevel,
    #[serde(default)]
    low: LowPrivacy,
    #[serde(default)]
    rules: Rules,
    #[serde(default)]
    dane: bool,
    servers: Vec<Server>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status_page: Option<StatusPage>,
}

#[cfg(feature = "serde")]
impl Configuration {
    /// The version that this crate reads and writes.
    pub const VERSION: u32 = 1;
}

#[cfg(feature = "serde")]
impl TryFrom<Configuration> for Account {
    type Error = AccountError;

    fn try_from(configuration: Configuration) -> Result<Self, AccountError> {
        let Configuration {
            version,
            id,
            domain,
            profile,
            level,
            low,
            rules,
            dane,
            servers,
            status_page,
        } = configuration;
        if version != Configuration::VERSION {
            return Err(AccountError::new(AccountErrorKind::Version, None));
        }
        check(Self {
            id,
            domain,
            profile,
            level,
            low,
            rules,
            dane,
            servers,
            status_page,
        })
    }
}

#[cfg(feature = "serde")]
impl From<Account> for Configuration {
    fn from(account: Account) -> Self {
        let Account {
            id,
            domain,
            profile,
            level,
            low,
            rules,
            dane,
            servers,
            status_page,
        } = account;
        Self {
            version: Self::VERSION,
            id,
            domain,
            profile,
            level,
            low,
            rules,
            dane,
            servers,
            status_page,
        }
    }
}
