//! Web origins, and the rule which of them share a key (draft-balfanz-https-token-binding-00 section
//! 4.2).

use std::{fmt, str::FromStr};

use url::Url;

/// A web origin (RFC 6454) of scheme `https`: host and port, normalised as browsers do: lower case,
/// A-labels, canonical IP literals. A trailing dot of a name is significant.
///
/// ```text
/// origin = "https://" host [ ":" port ]
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    host: String,
    port: u16,
}

/// The reason why a URL has no origin here: Token Binding is defined for `https` URLs with a host only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginError {
    /// The text is not a URL.
    Url,
    /// The scheme is not `https`.
    Scheme,
    /// The URL has no host.
    Host,
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Url => "the origin is not a URL",
            Self::Scheme => "the scheme of the URL is not https",
            Self::Host => "the URL has no host",
        })
    }
}

impl std::error::Error for OriginError {}

impl Origin {
    /// Returns the origin of a URL.
    ///
    /// # Errors
    /// [`OriginError::Scheme`] if the URL is not `https`; [`OriginError::Host`] if it has no host.
    pub fn of(url: &Url) -> Result<Self, OriginError> {
        if url.scheme() != "https" {
            // balfanz-1-2
            return Err(OriginError::Scheme);
        }
        let host = url.host_str().filter(|host| !host.is_empty());
        Ok(Self {
            host: host.ok_or(OriginError::Host)?.to_owned(),
            port: url.port_or_known_default().ok_or(OriginError::Host)?,
        })
    }

    /// Returns the host: an A-label name, an IPv4 address, or an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        Self::of(&Url::parse(text).map_err(|_| OriginError::Url)?)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.host)?;
        if self.port != 443 {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

/// The rule which origins share one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScopeRule {
    /// Each origin has its own key: balfanz-4-2-3, and the default.
    #[default]
    Origin,
    /// The hosts of one registrable domain share one key, on all ports, so that cookies set for the whole
    /// domain can be bound. A deviation from the draft, which RFC 8473 section 2.1 allows. IP addresses,
    /// public suffixes, and names without a known suffix have their own keys.
    #[cfg(feature = "public-suffix")]
    #[cfg_attr(docsrs, doc(cfg(feature = "public-suffix")))]
    RegistrableDomain,
}

/// The scope of a key: an origin, or under `ScopeRule::RegistrableDomain` a domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(String);

impl Scope {
    /// Returns the scope as text, e.g. to name a key in a key store: `https://example.com:8443`, or
    /// `domain:example.com`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[cfg(feature = "key-file")]
    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
    }
}

impl ScopeRule {
    /// Returns the scope of an origin.
    #[must_use]
    pub fn scope(self, origin: &Origin) -> Scope {
        match self {
            Self::Origin => Scope(origin.to_string()),
            #[cfg(feature = "public-suffix")]
            Self::RegistrableDomain => registrable_domain(&origin.host).map_or_else(
                || Scope(origin.to_string()),
                |domain| Scope(format!("domain:{domain}")),
            ),
        }
    }
}

#[cfg(feature = "public-suffix")]
fn registrable_domain(host: &str) -> Option<&str> {
    let is_address = host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
    let domain = psl::domain(host.as_bytes())?;
    if is_address || !domain.suffix().is_known() {
        return None;
    }
    std::str::from_utf8(domain.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Result<String, OriginError> {
        text.parse::<Origin>().map(|origin| origin.to_string())
    }

    #[test]
    fn normalises_an_origin_to_one_spelling() {
        for (text, expected) in [
            ("https://Example.COM/path?q#f", "https://example.com"),
            ("https://example.com:443/", "https://example.com"),
            ("https://example.com:8443/", "https://example.com:8443"),
            ("https://example.com./", "https://example.com."),
            (
                "https://user:pw@b\u{fc}cher.example/",
                "https://xn--bcher-kva.example",
            ),
            ("https://127.0.0.1:1/", "https://127.0.0.1:1"),
            ("https://0x7f.1/", "https://127.0.0.1"),
            ("https://[::0001]:2/", "https://[::1]:2"),
            ("https://localhost", "https://localhost"),
        ] {
            assert_eq!(origin(text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(origin("http://example.com"), Err(OriginError::Scheme));
        assert_eq!(origin("wss://example.com"), Err(OriginError::Scheme));
        assert_eq!(origin("example.com"), Err(OriginError::Url));
        assert_eq!(origin("https://"), Err(OriginError::Url));
    }

    #[cfg(feature = "public-suffix")]
    #[test]
    fn takes_no_public_suffix_and_no_address_for_a_registrable_domain() {
        for (text, expected) in [
            ("https://www.example.com/", "domain:example.com"),
            ("https://example.com:8443/", "domain:example.com"),
            ("https://a.b.example.co.uk/", "domain:example.co.uk"),
            ("https://me.github.io/", "domain:me.github.io"),
            ("https://github.io/", "https://github.io"),
            ("https://com/", "https://com"),
            ("https://co.uk/", "https://co.uk"),
            ("https://localhost/", "https://localhost"),
            (
                "https://intranet.corp-internal/",
                "https://intranet.corp-internal",
            ),
            ("https://10.0.0.1/", "https://10.0.0.1"),
            ("https://[::1]/", "https://[::1]"),
            ("https://www.b\u{fc}cher.de/", "domain:xn--bcher-kva.de"),
        ] {
            let origin: Origin = text.parse().expect("an origin");
            assert_eq!(
                ScopeRule::RegistrableDomain.scope(&origin).as_str(),
                expected
            );
        }
    }
}
