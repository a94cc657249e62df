//! The configuration file: TOML, in which each key is known.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use mail_implicit_tls::{
    account::Host,
    gateway::{Balance, ClientAddress, proxy_protocol::Networks},
    name::DomainName,
    service::{Protocol, Security, Service},
};
use serde::Deserialize;
use toml::Spanned;

use super::log;
use crate::{arguments::ResolverAddress, service::ServiceName};

/// The file, as it was written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Config {
    /// The host name of the gateway, in greetings before TLS and in replies of its own.
    pub(super) name: Name,
    /// The certificates, the first one for clients that ask for no name.
    pub(super) certificate: Spanned<Vec<CertificateFiles>>,
    pub(super) service: Spanned<Vec<ServiceConfig>>,
    #[serde(default)]
    pub(super) tls: Tls,
    #[serde(default)]
    pub(super) client_certificates: Option<Spanned<ClientCertificates>>,
    #[serde(default)]
    pub(super) backend_tls: BackendTls,
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) failed_logins: FailedLogins,
    #[serde(default)]
    pub(super) deep: Option<Spanned<Deep>>,
    #[serde(default)]
    pub(super) reports: Reports,
    #[serde(default)]
    pub(super) log: Log,
    #[serde(default)]
    pub(super) metrics: Option<Metrics>,
}

/// A certificate chain and its key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CertificateFiles {
    pub(super) chain: Spanned<PathBuf>,
    pub(super) key: PathBuf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Tls {
    /// The answer to a client that asks for a name of which there is no certificate.
    pub(super) unknown_name: UnknownName,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum UnknownName {
    #[default]
    FirstCertificate,
    Refuse,
}

/// Certificates of clients, and the users that they are for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ClientCertificates {
    /// The authorities of clients, PEM.
    pub(super) authorities: PathBuf,
    /// The user of each certificate by the SHA-256 fingerprint, 64 hexadecimal digits.
    #[serde(default)]
    pub(super) users: std::collections::BTreeMap<Fingerprint, String>,
    /// Takes the common name of another certificate for the name of the user.
    #[serde(default)]
    pub(super) common_name: bool,
    /// The login at the backend.
    pub(super) login: ExternalLogin,
    /// The user of the backend that may log in as others, for `login = "plain"`.
    pub(super) master_user: Option<Spanned<String>>,
    /// The file with that user's password.
    pub(super) master_password_file: Option<Spanned<PathBuf>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ExternalLogin {
    External,
    Plain,
}

/// The SHA-256 fingerprint of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Fingerprint(pub(super) [u8; 32]);

impl TryFrom<String> for Fingerprint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = "64 hexadecimal digits expected";
        let digits: Vec<u32> = text
            .chars()
            .filter(|sign| *sign != ':')
            .map(|sign| sign.to_digit(16))
            .collect::<Option<_>>()
            .ok_or(wrong)?;
        let octets: Vec<u8> = digits
            .chunks_exact(2)
            .filter_map(|pair| match pair {
                [high, low] => u8::try_from((high << 4) | low).ok(),
                _ => None,
            })
            .collect();
        match digits.len() {
            64 => octets.try_into().map(Self).map_err(|_| wrong),
            _ => Err(wrong),
        }
    }
}

/// A service of the gateway.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ServiceConfig {
    pub(super) kind: Spanned<ServiceName>,
    /// The addresses to listen on.
    pub(super) listen: Spanned<Vec<Spanned<SocketAddr>>>,
    pub(super) backend: Spanned<Vec<BackendConfig>>,
    #[serde(default)]
    pub(super) balance: BalanceName,
    /// The way in which backends receive the address of the client.
    #[serde(default)]
    pub(super) client_address: Option<Spanned<ClientAddressName>>,
    /// The networks of proxies that begin each connection with a header of the PROXY protocol.
    #[serde(default)]
    pub(super) proxies: NetworkList,
    /// Adds a Received field with the client's TLS to each message, for services of Submission.
    #[serde(default)]
    pub(super) received: Option<Spanned<bool>>,
    /// Parses sessions of IMAP after login too.
    #[serde(default)]
    pub(super) parse_after_login: Option<Spanned<bool>>,
    /// Permits UTF-8 in commands of IMAP and POP before login.
    #[serde(default)]
    pub(super) utf8_before_login: Option<Spanned<bool>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct BackendConfig {
    pub(super) host: HostName,
    pub(super) port: Spanned<u16>,
    #[serde(default)]
    pub(super) tls: BackendSecurity,
    /// Verifies the backend by TLSA records, where its zone is signed.
    #[serde(default)]
    pub(super) dane: Option<Spanned<bool>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum BackendSecurity {
    /// Clear text, over a private network.
    #[default]
    None,
    Implicit,
    Starttls,
}

impl BackendSecurity {
    pub(super) const fn service(self, protocol: Protocol) -> Service {
        let security = match self {
            Self::None => Security::Clear,
            Self::Implicit => Security::Implicit,
            Self::Starttls => Security::StartTls,
        };
        Service::new(protocol, security)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum BalanceName {
    #[default]
    First,
    Even,
}

impl From<BalanceName> for Balance {
    fn from(name: BalanceName) -> Self {
        match name {
            BalanceName::First => Self::First,
            BalanceName::Even => Self::Even,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ClientAddressName {
    None,
    ProxyV2,
    Xclient,
    ImapId,
}

impl From<ClientAddressName> for ClientAddress {
    fn from(name: ClientAddressName) -> Self {
        match name {
            ClientAddressName::None => Self::None,
            ClientAddressName::ProxyV2 => Self::ProxyV2,
            ClientAddressName::Xclient => Self::Xclient,
            ClientAddressName::ImapId => Self::ImapId,
        }
    }
}

/// The certificates and addresses of backends.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct BackendTls {
    /// The authorities of backends, PEM, in place of those of the system.
    pub(super) authorities: Option<PathBuf>,
    /// The resolver that is asked with DNSSEC, in place of that of the system. DANE needs it.
    pub(super) resolver: Option<Resolver>,
    /// The keys of the root zone, in place of those that are compiled in.
    pub(super) anchors: Option<PathBuf>,
}

/// Numbers and times. Each time is in seconds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Limits {
    pub(super) sessions: Positive,
    pub(super) sessions_per_client: Positive,
    pub(super) logins_per_client: Positive,
    /// The networks without limits and delays of a client.
    pub(super) trusted: NetworkList,
    pub(super) handshake: Seconds,
    pub(super) connect: Seconds,
    pub(super) login: Seconds,
    pub(super) idle: Seconds,
    pub(super) linger: Seconds,
    pub(super) drain: Seconds,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: Positive(20_000),
            sessions_per_client: Positive(200),
            logins_per_client: Positive(20),
            trusted: NetworkList::default(),
            handshake: Seconds(30),
            connect: Seconds(5),
            login: Seconds(120),
            idle: Seconds(2100),
            linger: Seconds(60),
            drain: Seconds(30),
        }
    }
}

/// The delays after failed logins.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct FailedLogins {
    /// The number that is answered at once.
    pub(super) free: u32,
    pub(super) first_delay: Seconds,
    pub(super) longest_delay: Seconds,
    pub(super) forget: Seconds,
}

impl Default for FailedLogins {
    fn default() -> Self {
        Self {
            free: 3,
            first_delay: Seconds(1),
            longest_delay: Seconds(15),
            forget: Seconds(600),
        }
    }
}

/// The DEEP status, which the gateway advertises in place of the backends'.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Deep {
    /// The tags and the URL, as in draft-newman-email-deep-02 section 5.
    pub(super) status: String,
}

/// The database of clients' reports.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Reports {
    /// The file of SQLite.
    pub(super) sqlite: Option<Spanned<PathBuf>>,
    /// A file with the URL of a PostgreSQL database, which may contain a password.
    pub(super) postgres_url_file: Option<Spanned<PathBuf>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Log {
    pub(super) format: log::Format,
    pub(super) level: log::Level,
}

/// The endpoint of metrics and health.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Metrics {
    pub(super) listen: Spanned<SocketAddr>,
    /// Permits an address other than one of loopback.
    #[serde(default)]
    pub(super) beyond_loopback: bool,
}

/// A positive number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub(super) struct Positive(u32);

impl Positive {
    pub(super) fn get(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl TryFrom<u32> for Positive {
    type Error = &'static str;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        match number {
            0 => Err("a number of at least 1 expected"),
            number => Ok(Self(number)),
        }
    }
}

/// A time of 1 second to a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub(super) struct Seconds(u32);

impl From<Seconds> for Duration {
    fn from(seconds: Seconds) -> Self {
        Self::from_secs(seconds.0.into())
    }
}

impl TryFrom<u32> for Seconds {
    type Error = &'static str;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        match number {
            1..=86_400 => Ok(Self(number)),
            _ => Err("seconds: a number of 1 to 86400 expected"),
        }
    }
}

/// A host name.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Name(pub(super) DomainName);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = DomainName::parse(&text);
        name.map(Self).map_err(|error| error.to_string())
    }
}

/// A host name or an IP address.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct HostName(pub(super) Host);

impl TryFrom<String> for HostName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let host = Host::parse(&text);
        host.map(Self).map_err(|error| error.to_string())
    }
}

/// The address of a resolver.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Resolver(pub(super) SocketAddr);

impl TryFrom<String> for Resolver {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse::<ResolverAddress>().map(|it| Self(it.0))
    }
}

/// Networks in the notation of CIDR.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub(super) struct NetworkList(pub(super) Networks);

impl TryFrom<Vec<String>> for NetworkList {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        let networks = Networks::parse(texts.iter().map(String::as_str));
        networks.map(Self).map_err(|error| error.to_string())
    }
}
