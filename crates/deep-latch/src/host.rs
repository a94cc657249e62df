//! Hosts, which latches are recorded for: draft-newman-email-deep-02 sections 5.1 and 5.3.

use alloc::boxed::Box;
use core::{fmt, net::IpAddr};

/// The longest host name, in bytes (RFC 1035 section 2.3.4, as text without the final full stop).
pub const MAX_HOST_BYTES: usize = 253;

/// The name of a server as the account's configuration has it, in one spelling: lower case, without a
/// final full stop. An internationalized name is given by its A-labels (RFC 5890).
///
/// Latches hold for all services of a host, whatever the port, as section 5.1 says: "all subsequent
/// connections to that host".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(Box<str>);

/// A text that is neither a host name nor an IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostError;

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "host: neither a name of ASCII letters, digits, hyphens and full stops, nor an IP address",
        )
    }
}

impl core::error::Error for HostError {}

impl Host {
    /// Creates a host from its name or its IP address.
    ///
    /// # Errors
    /// Returns [`HostError`] if `name` is neither a host name of ASCII letters, digits, hyphens, underscores
    /// and full stops, nor an IP address.
    ///
    /// ```
    /// # use deep_latch::Host;
    /// assert_eq!(Host::try_new("IMAP.Example.com.")?.as_str(), "imap.example.com");
    /// # Ok::<(), deep_latch::host::HostError>(())
    /// ```
    pub fn try_new(name: &str) -> Result<Self, HostError> {
        if let Ok(address) = name.parse::<IpAddr>() {
            return Ok(Self(alloc::format!("{address}").into_boxed_str()));
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        let label = |label: &str| {
            let ldh = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
            (1..=63).contains(&label.len())
                && label.bytes().all(ldh)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // Dotted numbers are an address that is not well-formed, e.g. 127.1.
        let number = |label: &str| label.bytes().all(|octet| octet.is_ascii_digit());
        if name.len() > MAX_HOST_BYTES
            || !name.split('.').all(label)
            || name.rsplit('.').next().is_some_and(number)
        {
            return Err(HostError);
        }
        Ok(Self(name.to_ascii_lowercase().into_boxed_str()))
    }

    /// Returns the name or the address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
