//! The events of a session, for logs, counters and the store of reports.

use std::{borrow::Cow, fmt};

use deep_latch::ClientReport;

/// An event of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The backend accepted a login.
    LoggedIn {
        /// The mechanism of the login.
        mechanism: Mechanism,
    },
    /// The backend refused a login, or the client cancelled it. A reply that says nothing about name and password, such as
    /// `NO [UNAVAILABLE]`, `-ERR [IN-USE]` or 454, is no event.
    LoginFailed {
        /// The mechanism of the login.
        mechanism: Mechanism,
    },
    /// A client reported its latches (draft-newman-email-deep-02 sections 7.1 and 7.3). `tls` of the report is the cipher
    /// suite of the client's connection to the gateway.
    Report(Box<ClientReport>),
    /// The backend refused the client once it knew the client's address, and the session ends. The client receives the
    /// backend's words.
    ClientRefused,
    /// The gateway refused something of a side, and the backend did not receive it.
    Refused(Refusal),
    /// The session has ended by the protocol's own means, or by a failure of the backend.
    Closed,
}

/// The reason why the gateway refused something of a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// A command that does not follow the grammar.
    Syntax,
    /// A command that is not available through the gateway.
    Command,
    /// A login by a certificate that the gateway did not accept, or as another identity than the certificate's.
    External,
    /// A field that only a gateway may send, such as `tls` of ID or CLIENT. It was removed.
    Forged,
    /// A greeting of the backend that declares the client to be logged in.
    Preauth,
}

impl Refusal {
    /// Returns the name of the reason, for logs and counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Command => "command",
            Self::External => "external",
            Self::Forged => "forged",
            Self::Preauth => "preauth",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The mechanism of a login: a SASL mechanism (RFC 4422 section 3.1), or a command with the password. It has at most 20
/// letters, digits, hyphens and underscores.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mechanism(Cow<'static, str>);

impl Mechanism {
    /// The commands that carry a name and a password: LOGIN of IMAP, USER and PASS of POP.
    pub const PASSWORD: Self = Self(Cow::Borrowed("password"));
    /// The command APOP (RFC 1939 section 7).
    pub const APOP: Self = Self(Cow::Borrowed("apop"));
    /// SASL EXTERNAL (RFC 4422 appendix A).
    pub const EXTERNAL: Self = Self(Cow::Borrowed("EXTERNAL"));

    /// Parses the name of a SASL mechanism, of upper or lower case, and returns it in upper case. Returns `None` for
    /// another text.
    ///
    /// ```
    /// use mail_implicit_tls::gateway::Mechanism;
    ///
    /// assert_eq!(Mechanism::parse("scram-sha-256").map(|it| it.to_string()), Some("SCRAM-SHA-256".to_owned()));
    /// assert_eq!(Mechanism::parse("PLAIN\r\n"), None);
    /// ```
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let sign = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
        let is_name = (1..=20).contains(&name.len()) && name.bytes().all(sign);
        is_name.then(|| Self(Cow::Owned(name.to_ascii_uppercase())))
    }

    /// Returns the name: upper case for a SASL mechanism, lower case for a command.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns `true` if the mechanism binds the login to the client's TLS connection, which the backend does not see: its
    /// name ends in `-PLUS` (RFC 5801 section 4).
    #[must_use]
    pub fn is_plus(&self) -> bool {
        self.0.ends_with("-PLUS")
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The reason why a backend is not available to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackendFailure {
    /// No connection to a backend was possible.
    Unreachable,
    /// TLS to the backend failed, or the backend could not be verified.
    Tls,
    /// The backend did not answer in time.
    Timeout,
    /// The backend closed the connection.
    Closed,
    /// The backend refused this client, and serves others.
    Refused,
    /// The gateway has no room for the session.
    Busy,
    /// The gateway is being stopped.
    Stopping,
}

impl BackendFailure {
    /// The names of all reasons.
    pub const NAMES: [&'static str; 7] = [
        Self::Unreachable.name(),
        Self::Tls.name(),
        Self::Timeout.name(),
        Self::Closed.name(),
        Self::Refused.name(),
        Self::Busy.name(),
        Self::Stopping.name(),
    ];

    /// Returns the name of the reason, for logs and counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Refused => "refused",
            Self::Busy => "busy",
            Self::Stopping => "stopping",
        }
    }

    /// Returns the text for the client, which names neither hosts nor causes within the operator's network.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Stopping => "service is being restarted, try again",
            _ => "service is temporarily unavailable, try again later",
        }
    }
}

impl fmt::Display for BackendFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
