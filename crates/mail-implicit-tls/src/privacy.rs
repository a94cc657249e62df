//! Privacy assurance levels of accounts, and what an indicator may show: draft-newman-email-deep-02 section 3.

use std::fmt;

use crate::verdict::Verdict;

/// The privacy assurance level of an account, as configured.
///
/// Levels are ordered: `Low < High`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum PrivacyLevel {
    /// Low privacy assurance, section 3.3: TLS is attempted, and failures of certificate validation may be ignored.
    Low,
    /// High privacy assurance, section 3.1: TLS with a verified certificate and identity on every connection.
    #[default]
    High,
}

impl fmt::Display for PrivacyLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::High => "high",
        })
    }
}

/// The privacy that a connection has, and the most that an indicator may show of it. It is computed and cannot be
/// set.
///
/// Indications are ordered from the least private.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Indication(Shown);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Shown {
    Clear,
    Low,
    High,
}

impl Indication {
    /// Returns the indication of a connection in clear text.
    #[must_use]
    pub const fn clear() -> Self {
        Self(Shown::Clear)
    }

    /// Returns the indication of a TLS connection to a server with this verdict.
    ///
    /// Only a verified server gives the high level: not one whose certificate is pinned (section 3.2) or not
    /// validated (section 3.3), and not one that was reached by a version before TLS 1.0.
    #[must_use]
    pub fn of_tls(verdict: &Verdict, version: ProtocolVersion) -> Self {
        if version >= ProtocolVersion::TLS1_0 && verdict.is_verified() {
            Self(Shown::High)
        } else {
            Self(Shown::Low)
        }
    }

    /// Returns the indication of several connections, which is that of the least private one, or nothing if there
    /// is no connection.
    #[must_use]
    pub fn of_all(connections: impl IntoIterator<Item = Self>) -> Option<Self> {
        connections.into_iter().min()
    }

    /// Returns the level that is shown, or nothing for a connection in clear text.
    #[must_use]
    pub const fn level(self) -> Option<PrivacyLevel> {
        match self.0 {
            Shown::Clear => None,
            Shown::Low => Some(PrivacyLevel::Low),
            Shown::High => Some(PrivacyLevel::High),
        }
    }
}

impl fmt::Display for Indication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Shown::Clear => "not private",
            Shown::Low => "low",
            Shown::High => "high",
        })
    }
}

/// A protocol version of SSL or TLS, as TLS encodes it, e.g. 0x0303 for TLS 1.2. Later versions are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtocolVersion(pub u16);

impl ProtocolVersion {
    /// SSL 3.0
    pub const SSL3: Self = Self(0x0300);
    /// TLS 1.0
    pub const TLS1_0: Self = Self(0x0301);
    /// TLS 1.1
    pub const TLS1_1: Self = Self(0x0302);
    /// TLS 1.2
    pub const TLS1_2: Self = Self(0x0303);
    /// TLS 1.3
    pub const TLS1_3: Self = Self(0x0304);
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SSL3 => f.write_str("SSLv3"),
            Self::TLS1_0 => f.write_str("TLSv1.0"),
            Self::TLS1_1 => f.write_str("TLSv1.1"),
            Self::TLS1_2 => f.write_str("TLSv1.2"),
            Self::TLS1_3 => f.write_str("TLSv1.3"),
            Self(number) => write!(f, "0x{number:04x}"),
        }
    }
}
