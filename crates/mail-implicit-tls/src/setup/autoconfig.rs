//! Feature `autoconfig`: Mozilla's configuration files (`clientConfig`, version 1.1), without I/O.
//!
//! A file is fetched from [`urls`] over https, with the certificate verified for the URL's host, and no redirect to
//! another scheme or domain is followed. Then the servers count as named by the mail domain: [`Source::Autoconfig`].
//! [`fetch`] has the decisions, and the `Fetcher` of the feature `autoconfig-fetch` the connections.

use std::fmt;

pub mod fetch;
#[cfg(feature = "autoconfig-fetch")]
#[cfg_attr(docsrs, doc(cfg(feature = "autoconfig-fetch")))]
pub mod https;

use roxmltree::{Document, Node, ParsingOptions};

use super::{Candidate, Offer, Offers, Source, address::MailAddress};
use crate::{
    dns::Dnssec,
    name::DomainName,
    privacy::PrivacyLevel,
    service::{Protocol, Security, Service},
};

/// The greatest length of a file, in octets. Files of large providers have about 4,000.
pub const MAX_FILE_BYTES: usize = 64 * 1024;

/// The greatest number of elements, attributes and texts of a file.
pub const MAX_NODES: u32 = 4096;

/// The greatest number of servers that are read.
pub const MAX_SERVERS: usize = 32;

/// The greatest length of a user name or of the name of a mechanism, in octets.
pub const MAX_TEXT_BYTES: usize = 512;

/// A place where a mail domain may have its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Location {
    /// `https://autoconfig.DOMAIN/mail/config-v1.1.xml`
    AutoconfigHost,
    /// `https://DOMAIN/.well-known/autoconfig/mail/config-v1.1.xml`
    WellKnown,
}

impl Location {
    /// The places, in the order of preference.
    pub const ALL: [Self; 2] = [Self::AutoconfigHost, Self::WellKnown];

    const fn path(self) -> &'static str {
        match self {
            Self::AutoconfigHost => "/mail/config-v1.1.xml",
            Self::WellKnown => "/.well-known/autoconfig/mail/config-v1.1.xml",
        }
    }

    /// Returns the host, or `None` if its name would be longer than names may be.
    fn host(self, domain: &DomainName) -> Option<DomainName> {
        match self {
            Self::AutoconfigHost => DomainName::parse(&format!("autoconfig.{domain}")).ok(),
            Self::WellKnown => Some(domain.clone()),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AutoconfigHost => "the host autoconfig of the domain",
            Self::WellKnown => "the well-known URI of the domain",
        })
    }
}

/// Returns the URLs to ask for a mail domain, in this order. They have https only, and do not tell the host the user's
/// address.
#[must_use]
pub fn urls(domain: &DomainName) -> Vec<String> {
    let url = |it: Location| Some(format!("https://{}{}", it.host(domain)?, it.path()));
    Location::ALL.into_iter().filter_map(url).collect()
}

/// A configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// The servers, in the order of the file.
    pub servers: Vec<ConfiguredServer>,
    /// The indexes, among the server elements of the file, of those that were not used, and the reasons.
    pub refused: Vec<(usize, RefusedServer)>,
}

/// A server of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredServer {
    /// The candidate.
    pub candidate: Candidate,
    /// The user name, with placeholders replaced.
    pub username: Option<String>,
    /// The mechanisms of authentication as the file names them, in its order: `password-cleartext`, `OAuth2`.
    pub authentication: Vec<String>,
}

/// The reason why a server of a file was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RefusedServer {
    /// The type is not IMAP, POP or SMTP.
    Type,
    /// The host is missing, occurs twice, or is not the name of a host.
    Host,
    /// The port is missing, occurs twice, or is not a number from 1 to 65535.
    Port,
    /// The socket type is missing, occurs twice, or is unknown.
    SocketType,
}

impl RefusedServer {
    /// Returns the reason as one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Host => "host",
            Self::Port => "port",
            Self::SocketType => "socket-type",
        }
    }
}

/// The reason why a file is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AutoconfigErrorKind {
    /// The file has more than [`MAX_FILE_BYTES`].
    TooLong,
    /// The file is not UTF-8.
    Utf8,
    /// The file is not XML.
    Xml,
    /// The file has a document type definition, which can define entities.
    Dtd,
    /// The file has more than [`MAX_NODES`].
    TooManyNodes,
    /// The file has more than [`MAX_SERVERS`].
    TooManyServers,
    /// The root element is not `clientConfig`, or has no `emailProvider`.
    Format,
}

impl AutoconfigErrorKind {
    /// Returns the kind as one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooLong => "too-long",
            Self::Utf8 => "utf8",
            Self::Xml => "xml",
            Self::Dtd => "dtd",
            Self::TooManyNodes => "too-many-nodes",
            Self::TooManyServers => "too-many-servers",
            Self::Format => "format",
        }
    }
}

/// A file that is not a configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AutoconfigError {
    kind: AutoconfigErrorKind,
    offset: usize,
}

impl AutoconfigError {
    const FIELD: &str = "clientConfig";

    const fn new(kind: AutoconfigErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// Returns the reason.
    #[must_use]
    pub const fn kind(&self) -> AutoconfigErrorKind {
        self.kind
    }

    /// Returns the field of the error, which is always `clientConfig`.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        Self::FIELD
    }

    /// Returns the offset in octets, or 0 if the error concerns the whole file.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for AutoconfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.kind {
            AutoconfigErrorKind::TooLong => "file has more than 65536 octets",
            AutoconfigErrorKind::Utf8 => "UTF-8 expected",
            AutoconfigErrorKind::Xml => "XML expected",
            AutoconfigErrorKind::Dtd => "document type definition not expected",
            AutoconfigErrorKind::TooManyNodes => "at most 4096 nodes expected",
            AutoconfigErrorKind::TooManyServers => "at most 32 servers expected",
            AutoconfigErrorKind::Format => "clientConfig with emailProvider expected",
        };
        write!(f, "{}: {problem} at byte {}", Self::FIELD, self.offset)
    }
}

impl std::error::Error for AutoconfigError {}

impl ClientConfig {
    /// Parses a file for a user. Unknown elements are skipped; only the first `emailProvider` is read.
    ///
    /// # Errors
    /// Returns [`AutoconfigErrorKind`] for a file that is larger than the limits, has a document type definition, or
    /// is not a configuration file. A server that cannot be used is no error, but [refused](Self::refused).
    pub fn parse(file: &[u8], user: &MailAddress) -> Result<Self, AutoconfigError> {
        use AutoconfigErrorKind as Kind;

        if file.len() > MAX_FILE_BYTES {
            return Err(AutoconfigError::new(Kind::TooLong, MAX_FILE_BYTES));
        }
        let text = std::str::from_utf8(file)
            .map_err(|error| AutoconfigError::new(Kind::Utf8, error.valid_up_to()))?;
        let without_mark = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mark = text.len().saturating_sub(without_mark.len());
        let offset = |node: &Node<'_, '_>| node.range().start.saturating_add(mark);
        let options = ParsingOptions {
            allow_dtd: false,
            nodes_limit: MAX_NODES,
            ..ParsingOptions::default()
        };
        let document = Document::parse_with_options(without_mark, options).map_err(|error| {
            let kind = match error {
                roxmltree::Error::DtdDetected => Kind::Dtd,
                roxmltree::Error::NodesLimitReached => Kind::TooManyNodes,
                _ => Kind::Xml,
            };
            AutoconfigError::new(kind, 0)
        })?;
        let root = document.root_element();
        let provider = root
            .children()
            .find(|child| is(child, "emailProvider"))
            .filter(|_| is(&root, "clientConfig"))
            .ok_or(AutoconfigError::new(Kind::Format, offset(&root)))?;
        let mut config = Self {
            servers: Vec::new(),
            refused: Vec::new(),
        };
        let is_server =
            |child: &Node<'_, '_>| is(child, "incomingServer") || is(child, "outgoingServer");
        for (index, server) in provider.children().filter(is_server).enumerate() {
            if index >= MAX_SERVERS {
                return Err(AutoconfigError::new(Kind::TooManyServers, offset(&server)));
            }
            match read(&server, user) {
                Ok(server) => config.servers.push(server),
                Err(reason) => config.refused.push((index, reason)),
            }
        }
        Ok(config)
    }

    /// Returns the servers as offers for an account of this level: those with implicit TLS, then those with STARTTLS,
    /// each in the order of the file (draft-newman-email-deep-02 section 8); at the low level, if the file has neither,
    /// those in clear text.
    #[must_use]
    pub fn offers(&self, level: PrivacyLevel) -> Offers {
        let of = |protocol| self.offer(protocol, level);
        Offers {
            imap: of(Protocol::Imap),
            pop: of(Protocol::Pop),
            submission: of(Protocol::Submission),
        }
    }

    fn offer(&self, protocol: Protocol, level: PrivacyLevel) -> Offer {
        let of = |security| {
            let service = Service::new(protocol, security);
            self.servers
                .iter()
                .map(|server| &server.candidate)
                .filter(move |candidate| candidate.service() == service)
                .cloned()
        };
        let candidates: Vec<_> = of(Security::Implicit)
            .chain(of(Security::StartTls))
            .collect();
        // newman-8-3: clear text "unless there are no advertised configurations using TLS".
        let clear: Vec<_> = match level {
            PrivacyLevel::Low if candidates.is_empty() => of(Security::Clear).collect(),
            _ => Vec::new(),
        };
        if candidates.is_empty() && clear.is_empty() {
            return Offer::NotAdvertised(Dnssec::Insecure);
        }
        Offer::Candidates {
            candidates,
            clear,
            refused: Vec::new(),
        }
    }
}

fn is(node: &Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

/// Returns the text of the only child of this name.
fn only<'a>(server: &Node<'a, '_>, name: &str) -> Option<&'a str> {
    let mut children = server.children().filter(|child| is(child, name));
    match (children.next(), children.next()) {
        (Some(child), None) => text(&child),
        _ => None,
    }
}

/// Returns the text of an element that has nothing else.
fn text<'a>(element: &Node<'a, '_>) -> Option<&'a str> {
    if element.children().any(|child| child.is_element()) {
        return None;
    }
    let text = element.text()?.trim();
    (!text.is_empty() && text.len() <= MAX_TEXT_BYTES && !text.contains(char::is_control))
        .then_some(text)
}

fn read(server: &Node<'_, '_>, user: &MailAddress) -> Result<ConfiguredServer, RefusedServer> {
    let is_incoming = is(server, "incomingServer");
    let protocol = match (is_incoming, server.attribute("type")) {
        (true, Some("imap")) => Protocol::Imap,
        (true, Some("pop3")) => Protocol::Pop,
        (false, Some("smtp")) => Protocol::Submission,
        _ => return Err(RefusedServer::Type),
    };
    let host = only(server, "hostname")
        .map(|host| replaced(host, user))
        .and_then(|host| DomainName::parse(&host).ok())
        .ok_or(RefusedServer::Host)?;
    let port = only(server, "port")
        .filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|port| port.parse::<u16>().ok())
        .filter(|port| *port != 0)
        .ok_or(RefusedServer::Port)?;
    let security = match only(server, "socketType") {
        Some("SSL") => Security::Implicit,
        Some("STARTTLS") => Security::StartTls,
        Some("plain") => Security::Clear,
        _ => return Err(RefusedServer::SocketType),
    };
    let service = Service::new(protocol, security);
    let domain = user.domain().clone();
    let authentication = server
        .children()
        .filter(|child| is(child, "authentication"))
        .filter_map(|child| text(&child).map(str::to_owned));
    Ok(ConfiguredServer {
        candidate: Candidate::new(service, host, port, domain, Source::Autoconfig),
        username: only(server, "username").map(|name| replaced(name, user)),
        authentication: authentication.collect(),
    })
}

/// Replaces the placeholders, each once: what replaces one is not searched.
fn replaced(text: &str, user: &MailAddress) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        written.push_str(before);
        let placeholder = after.split_once('%');
        let value = placeholder.and_then(|(name, after)| {
            let value = match name {
                "EMAILADDRESS" => user.to_string(),
                "EMAILLOCALPART" => user.local_part().to_owned(),
                "EMAILDOMAIN" => user.domain().to_string(),
                _ => return None,
            };
            Some((value, after))
        });
        match value {
            Some((value, after)) => {
                written.push_str(&value);
                rest = after;
            }
            None => {
                written.push('%');
                rest = after;
            }
        }
    }
    written.push_str(rest);
    written
}
