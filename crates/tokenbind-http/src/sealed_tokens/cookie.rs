//! A bound token in a cookie (RFC 6265, and the name prefixes of its revision).

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use tokenbind_wire::ProvidedIdRef;

use crate::sealed_tokens::{
    BoundTokens, IssueTo, MAX_EXPIRES_SECS, MAX_SEALED_BYTES, SealError, SealedTokenVerdict,
    TokenRefusal, TokenRefusalKind,
};

/// The longest `Set-Cookie` value, in bytes: what RFC 6265 section 6.1 asks browsers to keep of a
/// cookie, attributes included.
pub const MAX_COOKIE_BYTES: usize = 4096;

/// The bytes that are left for name and attributes beside the longest token.
const MAX_FRAME_BYTES: usize = MAX_COOKIE_BYTES - MAX_SEALED_BYTES;

/// The sites from whose requests a browser sends the cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// The cookie's own site only.
    Strict,
    /// The cookie's own site, and a followed link on another site.
    #[default]
    Lax,
    /// All sites: federation that posts forms needs it.
    None,
}

impl SameSite {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }
}

/// The attributes of a cookie. `Secure` is not among them: it is always set, as Token Binding is
/// defined for HTTPS only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CookieAttributes<'a> {
    /// The path of requests with which the cookie is sent, and of those below it.
    pub path: &'a str,
    /// The domain to whose hosts the cookie is sent; `None` sends it to the issuing host only. The drafts
    /// require one key per origin, so that a token is refused on all hosts but the issuing one, unless the
    /// client deviates and uses one key for the domain.
    pub domain: Option<&'a str>,
    /// The sites from whose requests the cookie is sent.
    pub same_site: SameSite,
    /// `true` if scripts cannot read the cookie.
    pub http_only: bool,
    /// `true` if the cookie has `Max-Age`, so that it outlives the browser until the token expires.
    pub persistent: bool,
}

/// The attributes `Path=/`, `SameSite=Lax`, `HttpOnly` and `Max-Age`, without a domain.
impl Default for CookieAttributes<'_> {
    fn default() -> Self {
        Self {
            path: "/",
            domain: None,
            same_site: SameSite::Lax,
            http_only: true,
            persistent: true,
        }
    }
}

/// The reason why a cookie cannot be issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieError {
    /// The name is not a token (RFC 6265 section 4.1.1).
    Name,
    /// The path does not begin with `/`, or contains `;` or an octet that is not visible ASCII.
    Path,
    /// The domain is not a host name, or begins with a full stop.
    Domain,
    /// The name begins with `__Host-`, but the path is not `/` or there is a domain: browsers drop such a cookie.
    HostPrefix,
    /// The name begins with a prefix in other case, which not all browsers recognize.
    PrefixCase,
    /// Name and attributes leave no room for a token in [`MAX_COOKIE_BYTES`].
    TooLong {
        /// The limit in bytes.
        limit: usize,
        /// The length of name and attributes in bytes.
        actual: usize,
    },
}

impl fmt::Display for CookieError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("invalid cookie name: a token is expected"),
            Self::Path => f.write_str(
                "invalid cookie path: visible ASCII that begins with a slash is expected",
            ),
            Self::Domain => f.write_str("invalid cookie domain: a host name is expected"),
            Self::HostPrefix => {
                f.write_str("invalid __Host- cookie: Path=/ and no domain are expected")
            }
            Self::PrefixCase => f.write_str("invalid cookie name: its prefix is in other case"),
            Self::TooLong { limit, actual } => write!(
                f,
                "name and attributes of the cookie have {actual} bytes, the limit is {limit}"
            ),
        }
    }
}

impl std::error::Error for CookieError {}

/// A cookie whose value is a token of [`BoundTokens`] that is valid in this cookie only.
///
/// Give the cookie a name that begins with `__Host-`: browsers then allow no other host to set it. Without the
/// prefix any host of the domain can set a second cookie of the name. The application's own cannot be
/// identified then, and [`open`](Self::open) refuses both.
///
/// ```
/// use std::{sync::Arc, time::{Duration, SystemTime}};
/// use tokenbind_http::{
///     ProvidedTokenBinding,
///     sealed_tokens::{
///         BoundCookie, BoundTokens, CookieAttributes, SealError, SealedTokenVerdict, TokenKeyId,
///         TokenKeys,
///     },
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let secret = [7; 32];
/// let keys = Arc::new(TokenKeys::try_new(TokenKeyId(1), &secret)?);
/// let tokens = BoundTokens::try_new(keys, "session")?;
/// let session = BoundCookie::try_new(&tokens, "__Host-session", CookieAttributes::default())?;
///
/// // The `Set-Cookie` header after a login; `binding` is the request's extension.
/// fn log_in(session: &BoundCookie, binding: &ProvidedTokenBinding) -> Result<String, SealError> {
///     session.issue(binding, b"user 17", Duration::from_secs(86_400), SystemTime::now())
/// }
///
/// // On other requests, from all their `Cookie` headers.
/// fn user<'v>(
///     session: &BoundCookie,
///     cookies: impl IntoIterator<Item = &'v [u8]>,
///     binding: Option<&ProvidedTokenBinding>,
/// ) -> Option<Vec<u8>> {
///     let connection = binding.and_then(|binding| binding.id().provided());
///     match session.open(cookies, connection, SystemTime::now())? {
///         SealedTokenVerdict::HonorBound(token) => Some(token.into_payload()),
///         // Only under `BearerPolicy::Honor`.
///         SealedTokenVerdict::HonorBearer(token) => Some(token.into_payload()),
///         SealedTokenVerdict::Discard(why) => {
///             eprintln!("session discarded: {why}");
///             None
///         }
///     }
/// }
/// # assert_eq!(user(&session, [&b"__Host-session=AAAA"[..]], None), None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct BoundCookie {
    tokens: BoundTokens,
    name: Box<str>,
    /// The attributes, without `Max-Age`.
    attributes: Box<str>,
    persistent: bool,
}

impl BoundCookie {
    /// Creates a cookie of this name for tokens of this purpose.
    ///
    /// # Errors
    /// A [`CookieError`] if the name or an attribute is invalid, or browsers would drop or truncate the cookie.
    pub fn try_new(
        tokens: &BoundTokens,
        name: &str,
        attributes: CookieAttributes<'_>,
    ) -> Result<Self, CookieError> {
        check_name(name, attributes)?;
        if !attributes.path.starts_with('/') || !attributes.path.bytes().all(is_attribute_octet) {
            return Err(CookieError::Path);
        }
        if !attributes.domain.is_none_or(is_host_name) {
            return Err(CookieError::Domain);
        }
        let mut written = format!("; Path={}", attributes.path);
        if let Some(domain) = attributes.domain {
            written.push_str("; Domain=");
            written.push_str(domain);
        }
        written.push_str("; Secure");
        if attributes.http_only {
            written.push_str("; HttpOnly");
        }
        written.push_str("; SameSite=");
        written.push_str(attributes.same_site.as_str());

        let parts = [name, "=", &written, &max_age(MAX_EXPIRES_SECS)];
        let actual = parts.iter().map(|part| part.len()).sum();
        let limit = MAX_FRAME_BYTES;
        let too_long = CookieError::TooLong { limit, actual };
        if actual > limit {
            return Err(too_long);
        }
        Ok(Self {
            tokens: tokens.of_cookie(name).ok_or(too_long)?,
            name: name.into(),
            attributes: written.into(),
            persistent: attributes.persistent,
        })
    }

    /// Returns the cookie's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns a `Set-Cookie` header value with a token for `to`, at most [`MAX_COOKIE_BYTES`] long. The token,
    /// and with `persistent` the cookie, is valid for `lifetime`, whose fraction of a second is dropped.
    ///
    /// # Errors
    /// [`SealError::PayloadTooLong`], or [`SealError::Expires`] if the lifetime is less than a second or ends
    /// after the year 9999.
    pub fn issue<'a>(
        &self,
        to: impl Into<IssueTo<'a>>,
        payload: &[u8],
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<String, SealError> {
        let lifetime_secs = lifetime.as_secs();
        let expires = now.checked_add(Duration::from_secs(lifetime_secs));
        let expires = expires.filter(|_| lifetime_secs > 0);
        let expires = expires.ok_or(SealError::Expires)?;
        let sealed = self.tokens.seal(to, payload, expires)?;
        let mut value = format!("{}={sealed}{}", self.name, self.attributes);
        if self.persistent {
            value.push_str(&max_age(lifetime_secs));
        }
        Ok(value)
    }

    /// Returns a `Set-Cookie` header value that makes browsers delete the cookie, e.g. at a logout. A client that
    /// kept the token can use it until it expires.
    #[must_use]
    pub fn removal(&self) -> String {
        format!("{}={}{}", self.name, self.attributes, max_age(0))
    }

    /// Checks the cookie of a request. `values` must be the values of all its `Cookie` headers, of which HTTP/2
    /// may have several. The other arguments are those of [`BoundTokens::open`]. Returns `None` if there is no
    /// cookie of this name.
    #[must_use = "a request without a cookie that is to be honored is not authenticated"]
    pub fn open<'v>(
        &self,
        values: impl IntoIterator<Item = &'v [u8]>,
        connection: Option<ProvidedIdRef<'_>>,
        now: SystemTime,
    ) -> Option<SealedTokenVerdict> {
        let pairs = values.into_iter().flat_map(pairs);
        let mut own = pairs.filter(|(name, _)| *name == self.name.as_bytes());
        let (_, sealed) = own.next()?;
        if own.next().is_some() {
            let kind = TokenRefusalKind::DuplicateCookie;
            return Some(SealedTokenVerdict::Discard(TokenRefusal::new(
                kind, "Cookie", 0,
            )));
        }
        Some(self.tokens.open(sealed, connection, now))
    }
}

/// Splits a `cookie-string` (RFC 6265 section 4.2.1) into names and values.
///
/// ```text
/// cookie-string = cookie-pair *( ";" SP cookie-pair )
/// cookie-pair   = cookie-name "=" cookie-value
/// ```
///
/// Only spaces and tabs are stripped, as browsers do. A reader that strips other white space of Unicode finds
/// `__Host-` in names to which no browser applied its rules.
fn pairs(value: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    value.split(|octet| *octet == b';').filter_map(|pair| {
        let pair = strip(pair);
        let equals = pair.iter().position(|octet| *octet == b'=')?;
        let (name, value) = pair.split_at_checked(equals)?;
        Some((name, value.split_first()?.1))
    })
}

fn strip(mut pair: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = pair {
        pair = rest;
    }
    pair
}

fn check_name(name: &str, attributes: CookieAttributes<'_>) -> Result<(), CookieError> {
    let is_token = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(CookieError::Name);
    }
    for prefix in ["__Host-", "__Secure-"] {
        let begins = name.get(..prefix.len());
        if begins.is_some_and(|begins| begins.eq_ignore_ascii_case(prefix) && begins != prefix) {
            return Err(CookieError::PrefixCase);
        }
    }
    let host_only = attributes.path == "/" && attributes.domain.is_none();
    if name.starts_with("__Host-") && !host_only {
        return Err(CookieError::HostPrefix);
    }
    Ok(())
}

const fn is_attribute_octet(octet: u8) -> bool {
    octet.is_ascii_graphic() && octet != b';'
}

fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.split('.').all(is_label)
}

fn max_age(secs: u64) -> String {
    format!("; Max-Age={secs}")
}
