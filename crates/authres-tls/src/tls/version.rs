//! `tls.v`: the protocol version (draft-martin-authentication-results-tls-03 section 2.2), in
//! the spellings of different writers.

use core::fmt;

/// A version of SSL or TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProtocolVersion {
    /// `SSL2.0`
    Ssl2_0,
    /// `SSL3.0`
    Ssl3_0,
    /// `TLS1.0`
    Tls1_0,
    /// `TLS1.1`
    Tls1_1,
    /// `TLS1.2`
    Tls1_2,
    /// `TLS1.3`
    Tls1_3,
}

impl ProtocolVersion {
    /// The versions, from the oldest.
    pub const ALL: [Self; 6] = [
        Self::Ssl2_0,
        Self::Ssl3_0,
        Self::Tls1_0,
        Self::Tls1_1,
        Self::Tls1_2,
        Self::Tls1_3,
    ];

    /// Returns the draft's spelling.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ssl2_0 => "SSL2.0",
            Self::Ssl3_0 => "SSL3.0",
            Self::Tls1_0 => "TLS1.0",
            Self::Tls1_1 => "TLS1.1",
            Self::Tls1_2 => "TLS1.2",
            Self::Tls1_3 => "TLS1.3",
        }
    }

    /// Returns the version for the number that TLS uses, e.g. 0x0303 for TLS 1.2.
    #[must_use]
    pub const fn from_wire(number: u16) -> Option<Self> {
        Some(match number {
            0x0002 => Self::Ssl2_0,
            0x0300 => Self::Ssl3_0,
            0x0301 => Self::Tls1_0,
            0x0302 => Self::Tls1_1,
            0x0303 => Self::Tls1_2,
            0x0304 => Self::Tls1_3,
            _ => return None,
        })
    }

    /// Returns the version that `text` names in any known spelling: `SSL` or `TLS`, an optional `v`, and the number,
    /// in upper or lower case, with `.`, `_`, `-`, a space or no character between: `SSLv3`, `TLSv1`, `TLS1_2`,
    /// `TLS 1.3`.
    ///
    /// ```
    /// # use authres_tls::tls::ProtocolVersion;
    /// assert_eq!(ProtocolVersion::from_spelling("TLSv1.2"), Some(ProtocolVersion::Tls1_2));
    /// assert_eq!(ProtocolVersion::from_spelling("TLS9.9"), None);
    /// ```
    #[must_use]
    pub fn from_spelling(text: &str) -> Option<Self> {
        let (family, rest) = text.as_bytes().split_at_checked(3)?;
        let rest = after_separator(rest);
        let rest = match rest {
            [b'v' | b'V', rest @ ..] => after_separator(rest),
            _ => rest,
        };
        let (major, rest) = rest.split_first()?;
        let minor = match after_separator(rest) {
            [] if rest.is_empty() => b'0',
            [minor] => *minor,
            _ => return None,
        };
        Some(match (family.eq_ignore_ascii_case(b"SSL"), major, minor) {
            (true, b'2', b'0') => Self::Ssl2_0,
            (true, b'3', b'0') => Self::Ssl3_0,
            (false, ..) if !family.eq_ignore_ascii_case(b"TLS") => return None,
            (false, b'1', b'0') => Self::Tls1_0,
            (false, b'1', b'1') => Self::Tls1_1,
            (false, b'1', b'2') => Self::Tls1_2,
            (false, b'1', b'3') => Self::Tls1_3,
            _ => return None,
        })
    }
}

/// Removes one separator between the parts.
fn after_separator(text: &[u8]) -> &[u8] {
    match text {
        [b' ' | b'.' | b'_' | b'-', rest @ ..] => rest,
        _ => text,
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
