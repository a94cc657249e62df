//! Failures of connections, and the actions that may be offered after one (draft-newman-email-deep-02 section 3.1).

use std::fmt;

use crate::{service::Service, verdict::Verdict};

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
    /// The server's certificate or identity is not verified, for the reasons in the verdict.
    NotVerified(Box<Verdict>),
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

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotVerified(verdict) => write!(f, "{verdict}"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.service, self.host, self.cause)
    }
}

impl std::error::Error for Failure {}
