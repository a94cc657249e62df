//! Failures of connections, and the actions that may be offered after one (draft-newman-email-deep-02 section 3.1).

use std::{fmt, io};

use crate::{
    dialogue::DialogueError,
    dns::{LookupFailure, host::HostFailure},
    service::Service,
    verdict::Verdict,
};

/// A connection that failed, its cause, and the acceptable actions.
///
/// A failure has no action that lowers the account's privacy: "Reduction of expected account privacy MUST NOT be
/// done on a click-through basis" (section 3.1).
#[derive(Clone, Debug)]
pub struct Failure {
    service: Service,
    host: String,
    cause: Cause,
    status_page: Option<StatusPage>,
}

/// The cause of a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The host could not be found in the DNS, or it is not known whether it uses DANE.
    Lookup(HostFailure),
    /// The connection could not be made, or it broke.
    Connect(io::ErrorKind),
    /// This machine had no free descriptor or no memory for the connection, which says nothing about the server.
    NoResources,
    /// The time for the connection was over at this stage.
    Timeout(Stage),
    /// The server sent clear text on a port for implicit TLS.
    SpeaksClearText,
    /// TLS could not be negotiated, for another reason than the certificate.
    Tls(TlsFailure),
    /// The server's certificate or identity is not verified, for the reasons in the verdict.
    NotVerified(Box<Verdict>),
    /// The dialogue before login ended.
    Dialogue(DialogueError),
    /// The service is in clear text, and the account does not permit it.
    ClearText,
}

/// A stage of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The host is looked up.
    Lookup,
    /// The TCP connection is made.
    Connect,
    /// TLS is negotiated.
    Handshake,
    /// The server's greeting is expected in clear text, and no octet of it came.
    Greeting,
    /// The server's greeting and replies are read in clear text.
    Replies,
    /// The server's greeting and replies are read within TLS.
    Encrypted,
}

/// The reason why TLS could not be negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsFailure {
    /// The server offers TLS 1.1 at most.
    Version,
    /// Server and client have no algorithm in common.
    Incompatible,
    /// The server ended the handshake with this alert.
    Alert(u8),
    /// The server closed the connection during the handshake.
    Closed,
    /// The server's answer is not TLS.
    NotTls,
    /// The server broke the rules of the handshake, or octets of it arrived changed.
    Protocol,
    /// The local configuration of TLS cannot be used.
    Configuration,
}

/// An action that may be offered after a failure. Section 3.1 lists these as examples of acceptable ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// "work offline"
    WorkOffline,
    /// "try again later"
    TryAgainLater,
    /// "open service provider status web page"
    OpenStatusPage(StatusPage),
}

/// The https URL of a provider's status page, recorded on an earlier connection or configured.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct StatusPage(String);

/// The greatest length of a status page's URL, in octets.
pub const MAX_STATUS_PAGE_BYTES: usize = 2048;

/// A text that is not an https URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusPageError {
    offset: usize,
}

impl StatusPageError {
    /// Returns the offset in octets of the first character that an https URL excludes.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for StatusPageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status-page: https URL expected at byte {}", self.offset)
    }
}

impl std::error::Error for StatusPageError {}

impl StatusPage {
    /// Parses an https URL.
    ///
    /// # Errors
    /// Returns an error if the text does not begin with `https://` and a host, has a character that a URL
    /// excludes, or is longer than [`MAX_STATUS_PAGE_BYTES`].
    pub fn parse(text: &str) -> Result<Self, StatusPageError> {
        const SCHEME: &str = "https://";
        let scheme = text.get(..SCHEME.len());
        if !scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME)) {
            return Err(StatusPageError { offset: 0 });
        }
        let excluded = |byte: u8| !byte.is_ascii_graphic() || b"\"<>\\^`{|}".contains(&byte);
        if let Some(offset) = text.bytes().position(excluded) {
            return Err(StatusPageError { offset });
        }
        let host = text.get(SCHEME.len()..).unwrap_or_default();
        if host.is_empty() || host.starts_with(['/', '?', '#', ':', '@']) {
            return Err(StatusPageError {
                offset: SCHEME.len(),
            });
        }
        if text.len() > MAX_STATUS_PAGE_BYTES {
            return Err(StatusPageError {
                offset: MAX_STATUS_PAGE_BYTES,
            });
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for StatusPage {
    type Error = StatusPageError;

    fn try_from(text: String) -> Result<Self, StatusPageError> {
        Self::parse(&text)
    }
}

impl From<StatusPage> for String {
    fn from(page: StatusPage) -> Self {
        page.0
    }
}

impl fmt::Display for StatusPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Failure {
    /// Returns the failure of a connection to a service of a host.
    #[must_use]
    pub fn new(service: Service, host: impl Into<String>, cause: Cause) -> Self {
        Self {
            service,
            host: host.into(),
            cause,
            status_page: None,
        }
    }

    /// Sets the provider's status page. It must have been recorded before this connection, which is not trusted.
    #[must_use]
    pub fn with_status_page(mut self, page: StatusPage) -> Self {
        self.status_page = Some(page);
        self
    }

    /// Returns the service.
    #[must_use]
    pub const fn service(&self) -> Service {
        self.service
    }

    /// Returns the host, as the account names it.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the cause.
    #[must_use]
    pub const fn cause(&self) -> &Cause {
        &self.cause
    }

    /// Returns the actions that may be offered.
    #[must_use]
    pub fn actions(&self) -> Vec<Action> {
        let mut actions = vec![Action::WorkOffline, Action::TryAgainLater];
        actions.extend(self.status_page.clone().map(Action::OpenStatusPage));
        actions
    }
}

impl TlsFailure {
    /// Returns `true` for a failure of servers that lack TLS, or a version or algorithm of it.
    const fn is_negotiation(self) -> bool {
        /// `handshake_failure`
        const HANDSHAKE_FAILURE: u8 = 40;
        /// `protocol_version`
        const PROTOCOL_VERSION: u8 = 70;
        /// `insufficient_security`
        const INSUFFICIENT_SECURITY: u8 = 71;
        /// `internal_error`, of servers without a certificate too.
        const INTERNAL_ERROR: u8 = 80;
        /// `user_canceled`
        const USER_CANCELED: u8 = 90;
        /// `missing_extension`
        const MISSING_EXTENSION: u8 = 109;
        /// `unsupported_extension`
        const UNSUPPORTED_EXTENSION: u8 = 110;
        /// `no_application_protocol`
        const NO_APPLICATION_PROTOCOL: u8 = 120;

        match self {
            Self::Version | Self::Incompatible | Self::Closed | Self::NotTls => true,
            Self::Alert(alert) => matches!(
                alert,
                HANDSHAKE_FAILURE
                    | PROTOCOL_VERSION
                    | INSUFFICIENT_SECURITY
                    | INTERNAL_ERROR
                    | USER_CANCELED
                    | MISSING_EXTENSION
                    | UNSUPPORTED_EXTENSION
                    | NO_APPLICATION_PROTOCOL
            ),
            // A fault of this side says nothing about the server.
            Self::Protocol | Self::Configuration => false,
        }
    }
}

/// The errors of an operating system that lacks descriptors of the process or of the machine, memory, or buffers. The
/// standard library has no kinds for most of them.
#[cfg(any(feature = "client", feature = "dns", feature = "hickory"))]
const NO_RESOURCES: &[i32] = match () {
    // EMFILE, ENFILE, ENOMEM, ENOBUFS.
    () if cfg!(any(target_os = "linux", target_os = "android")) => &[24, 23, 12, 105],
    () if cfg!(unix) => &[24, 23, 12, 55],
    // WSAEMFILE, WSAENOBUFS.
    () if cfg!(windows) => &[10_024, 10_055],
    () => &[],
};

/// Returns `true` if this machine lacked a descriptor or memory.
#[cfg(any(feature = "client", feature = "dns", feature = "hickory"))]
pub(crate) fn is_lack_of_resources(error: &io::Error) -> bool {
    let number = error.raw_os_error();
    number.is_some_and(|number| NO_RESOURCES.contains(&number))
}

#[cfg(feature = "client")]
impl Cause {
    /// Returns the cause of a TCP connection that failed.
    pub(crate) fn of_connecting(error: &io::Error) -> Self {
        match is_lack_of_resources(error) {
            true => Self::NoResources,
            false => Self::Connect(error.kind()),
        }
    }
}

impl Cause {
    /// Returns `true` if this machine lacked what the connection or the lookup before it needs, which says nothing about
    /// the server.
    #[must_use]
    pub const fn is_lack_of_resources(&self) -> bool {
        matches!(
            self,
            Self::NoResources
                | Self::Lookup(
                    HostFailure::Address(LookupFailure::NoResources)
                        | HostFailure::Tlsa(LookupFailure::NoResources)
                )
        )
    }

    /// Returns `true` if TLS negotiation failed for another reason than the certificate (section 3.3), in a way in which it
    /// fails with a server that lacks TLS or a version or algorithm of it.
    ///
    /// A fault of a certificate does not count, not even if the server reports it by an alert. Octets that no such
    /// server sends do not count either: those after the reply to `STARTTLS` that are not TLS, and those that break the
    /// rules of a handshake.
    #[must_use]
    pub const fn is_tls_negotiation(&self) -> bool {
        match self {
            Self::Tls(failure) => failure.is_negotiation(),
            Self::SpeaksClearText
            | Self::Timeout(Stage::Handshake)
            | Self::Dialogue(DialogueError::NoStartTls | DialogueError::StartTlsRefused) => true,
            Self::Lookup(_)
            | Self::Connect(_)
            | Self::NoResources
            | Self::Timeout(_)
            | Self::NotVerified(_)
            | Self::Dialogue(_)
            | Self::ClearText => false,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lookup => "DNS lookup",
            Self::Connect => "TCP connection",
            Self::Handshake => "TLS handshake",
            Self::Greeting => "greeting",
            Self::Replies => "the server's reply in clear text",
            Self::Encrypted => "the server's reply within TLS",
        })
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version => f.write_str("the server offers TLS 1.1 at most"),
            Self::Incompatible => f.write_str("server and client have no algorithm in common"),
            Self::Alert(alert) => {
                write!(f, "the server ended the TLS handshake with alert {alert}")
            }
            Self::Closed => {
                f.write_str("the server closed the connection during the TLS handshake")
            }
            Self::NotTls => f.write_str("the server's answer is not TLS"),
            Self::Protocol => f.write_str("the server broke the rules of the TLS handshake"),
            Self::Configuration => f.write_str("the local TLS configuration cannot be used"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup(failure) => write!(f, "{failure}"),
            Self::Connect(kind) => write!(f, "connection failed: {kind}"),
            Self::NoResources => {
                f.write_str("this machine has no free descriptor or no memory for a connection")
            }
            Self::Timeout(Stage::Greeting) => {
                f.write_str("no greeting in time; where the service begins in clear text, the port may be one for implicit TLS")
            }
            Self::Timeout(stage) => write!(f, "{stage} not complete in time"),
            Self::SpeaksClearText => f.write_str(
                "the server sent clear text on a port for implicit TLS; STARTTLS may work on it",
            ),
            Self::Tls(failure) => write!(f, "{failure}"),
            Self::NotVerified(verdict) => write!(f, "{verdict}"),
            Self::Dialogue(error) => write!(f, "{error}"),
            Self::ClearText => {
                f.write_str("the service is in clear text, which the account does not permit")
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.service, self.host, self.cause)
    }
}

impl std::error::Error for Failure {}

#[cfg(all(test, feature = "client"))]
mod tests {
    use super::*;

    #[cfg(any(unix, windows))]
    #[test]
    fn tells_a_lack_of_resources_from_a_failure_of_the_server() {
        for number in NO_RESOURCES {
            let error = io::Error::from_raw_os_error(*number);
            assert_eq!(Cause::of_connecting(&error), Cause::NoResources, "{error}");
        }
        for kind in [
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::AddrNotAvailable,
        ] {
            let error = io::Error::from(kind);
            assert_eq!(Cause::of_connecting(&error), Cause::Connect(kind));
        }
    }
}
