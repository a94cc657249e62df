//! Findings: a state, and one sentence with the action that helps.

use std::{fmt, net::IpAddr, time::Duration};

use crate::name::DomainName;

/// The state that a finding reports. Later ones are more urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// The check passed.
    Good,
    /// The check passed, and a recommendation of the draft is not followed.
    Advice,
    /// Clients will fail, or lose protection, if no action is taken.
    Warning,
    /// The check could not be made, so that the state may be any other. It is no fault of the server.
    NotKnown,
    /// Clients fail, or are exposed, now.
    Bad,
}

impl State {
    /// All states.
    pub const ALL: [Self; 5] = [
        Self::Good,
        Self::Advice,
        Self::Warning,
        Self::NotKnown,
        Self::Bad,
    ];

    /// Returns the name of the state: `good`, `advice`, `warning`, `not-known` or `bad`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Advice => "advice",
            Self::Warning => "warning",
            Self::NotKnown => "not-known",
            Self::Bad => "bad",
        }
    }

    /// Returns the state of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotKnown => "not known",
            state => state.name(),
        })
    }
}

/// The check that a finding belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Check {
    /// The domain itself, and that it has a server.
    Domain,
    /// The SRV records of a service (section 10.4.2).
    Srv,
    /// The services that listen, against the SRV records (section 10.5).
    Reality,
    /// The signatures of DNSSEC (sections 10.4.4 and 10.5).
    Dnssec,
    /// The local clock.
    Clock,
    /// The resolver that was asked.
    Resolver,
    /// The MX records.
    Mx,
    /// The addresses of a host.
    Address,
    /// The connection of a mail client, up to the point where it may log in.
    Connection,
    /// The dates of the certificate (section 10.3).
    Validity,
    /// The path from the certificate to a trust anchor.
    Chain,
    /// The names of the certificate (section 10.3).
    Names,
    /// The certificate on the disk against the one that is served.
    Disk,
    /// The TLSA records against the certificate (section 10.4.3).
    Tlsa,
    /// The TLSA records against the next certificate.
    Rollover,
    /// The versions of TLS.
    Versions,
    /// Logins that are offered before TLS (section 10.7).
    ClearText,
    /// The DEEP status against what is achieved (section 10.6).
    Deep,
    /// The policy of MTA-STS, RFC 8461.
    MtaSts,
    /// The reporting address of TLS-RPT, RFC 8460.
    TlsRpt,
}

impl Check {
    /// All checks.
    pub const ALL: [Self; 20] = [
        Self::Domain,
        Self::Srv,
        Self::Reality,
        Self::Dnssec,
        Self::Clock,
        Self::Resolver,
        Self::Mx,
        Self::Address,
        Self::Connection,
        Self::Validity,
        Self::Chain,
        Self::Names,
        Self::Disk,
        Self::Tlsa,
        Self::Rollover,
        Self::Versions,
        Self::ClearText,
        Self::Deep,
        Self::MtaSts,
        Self::TlsRpt,
    ];

    /// Returns the name of the check, such as `clear-text`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Srv => "srv",
            Self::Reality => "reality",
            Self::Dnssec => "dnssec",
            Self::Clock => "clock",
            Self::Resolver => "resolver",
            Self::Mx => "mx",
            Self::Address => "address",
            Self::Connection => "connection",
            Self::Validity => "validity",
            Self::Chain => "chain",
            Self::Names => "names",
            Self::Disk => "disk",
            Self::Tlsa => "tlsa",
            Self::Rollover => "rollover",
            Self::Versions => "versions",
            Self::ClearText => "clear-text",
            Self::Deep => "deep",
            Self::MtaSts => "mta-sts",
            Self::TlsRpt => "tls-rpt",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The subject of a finding: the domain, a name in the DNS, a server, or a server at one address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The mail domain.
    Domain,
    /// A name in the DNS, with the type of its records.
    Name(String),
    /// A server: `imaps imap.example.org:993`.
    Server(String),
    /// A server at one of its addresses.
    Address(String, IpAddr),
    /// A file on the disk.
    File(String),
}

impl Subject {
    /// Returns the server that the subject names, if it names any.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        match self {
            Self::Server(server) | Self::Address(server, _) => Some(server),
            Self::Domain | Self::Name(_) | Self::File(_) => None,
        }
    }

    /// Returns the address of the server, if the subject has one address.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(_, address) => Some(*address),
            _ => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain => f.write_str("domain"),
            Self::Name(name) | Self::Server(name) | Self::File(name) => f.write_str(name),
            Self::Address(server, address) => write!(f, "{server} at {address}"),
        }
    }
}

/// A finding about a mail domain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// The subject.
    pub subject: Subject,
    /// The state.
    pub state: State,
    /// The fact, without a full stop.
    pub fact: String,
    /// The action that helps, without a full stop. A check that passed needs none.
    pub action: Option<String>,
}

impl Finding {
    /// Returns a finding without an action.
    pub fn new(check: Check, subject: Subject, state: State, fact: impl Into<String>) -> Self {
        Self {
            check,
            subject,
            state,
            fact: fact.into(),
            action: None,
        }
    }

    /// Sets the action.
    pub fn with_action(mut self, action: impl Into<String>) -> Self {
        self.action = Some(action.into());
        self
    }

    /// Returns the fact and the action as one sentence, without a full stop.
    #[must_use]
    pub fn sentence(&self) -> String {
        match &self.action {
            Some(action) => format!("{}: {action}", self.fact),
            None => self.fact.clone(),
        }
    }
}

/// The findings about a mail domain at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The mail domain.
    pub domain: DomainName,
    /// The time of the observation, since the Unix epoch.
    pub at: Duration,
    /// The findings, the most urgent first.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Returns the most urgent state of the findings. Without any finding nothing is known.
    #[must_use]
    pub fn state(&self) -> State {
        worst(self.findings.iter().map(|finding| finding.state))
    }
}

/// Returns the most urgent state. Without any nothing is known.
pub(super) fn worst(states: impl Iterator<Item = State>) -> State {
    states.max().unwrap_or(State::NotKnown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_each_state_and_check_once() {
        for state in State::ALL {
            assert_eq!(State::of_name(state.name()), Some(state));
        }
        assert_eq!(State::of_name("fine"), None);
        let mut names: Vec<_> = Check::ALL.into_iter().map(Check::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Check::ALL.len());
    }

    #[test]
    fn puts_what_is_not_known_between_warnings_and_faults() {
        let state = |states: &[State]| worst(states.iter().copied());
        assert_eq!(state(&[]), State::NotKnown);
        assert_eq!(state(&[State::Good, State::Advice]), State::Advice);
        assert_eq!(state(&[State::Warning, State::NotKnown]), State::NotKnown);
        assert_eq!(state(&[State::Bad, State::NotKnown]), State::Bad);
    }
}
