//! The decisions of a fetch of a configuration file over https, without I/O.
//!
//! [`Fetch`] gives a request, and takes the head of the response: the answer is another request, a body to read, or the
//! reason why the file is not used. Every request is for https at port 443 of the mail domain or a host within it, so a
//! client that verifies the certificate for [`Fetch::host`] has the file from the mail domain.

use std::fmt;

use url::{Position, Url};

use super::{AutoconfigError, ClientConfig, Location, MAX_FILE_BYTES};
use crate::{name::DomainName, setup::address::MailAddress};

/// The greatest number of redirects that are followed. Providers need one, from a host of the domain to another.
pub const MAX_REDIRECTS: usize = 2;

/// The greatest length of the target of a redirect, in octets.
pub const MAX_LOCATION_BYTES: usize = 2048;

/// A request for a configuration file: `GET` over https, with the certificate verified for the host.
///
/// ```
/// use mail_implicit_tls::setup::{
///     address::MailAddress,
///     autoconfig::{
///         Location,
///         fetch::{Fetch, FetchProblem, RefusedRedirect},
///     },
/// };
///
/// let user = MailAddress::parse("alice@example.org")?;
/// let fetch = Fetch::new(Location::AutoconfigHost, &user).ok_or("long domain")?;
/// assert_eq!(fetch.host().as_str(), "autoconfig.example.org");
/// assert_eq!(fetch.target(), "/mail/config-v1.1.xml");
/// let refused = fetch.head(301, [("Location", &b"http://www.example.org/"[..])]).unwrap_err();
/// assert_eq!(refused, FetchProblem::Redirect(RefusedRedirect::Scheme));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    user: MailAddress,
    host: DomainName,
    target: String,
    redirects: usize,
}

/// The next step of a fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// The client sends this request, on a connection of its own.
    Redirect(Fetch),
    /// The client reads the body.
    Body(Body),
}

/// The body of a response, which has the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    user: MailAddress,
    octets: Vec<u8>,
}

/// The reason why a response has no file that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FetchProblem {
    /// The host has no such file: status 404 or 410.
    NotFound,
    /// The status is neither 200 nor one of those above, nor a redirect.
    Status(u16),
    /// There are more than [`MAX_REDIRECTS`].
    TooManyRedirects,
    /// A redirect is not followed.
    Redirect(RefusedRedirect),
    /// The body has an encoding, which was not asked for.
    Encoding,
    /// The body has more than [`MAX_FILE_BYTES`].
    TooLong,
    /// The body is not a configuration file.
    File(AutoconfigError),
}

/// The reason why a redirect is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusedRedirect {
    /// The target is missing, occurs twice, is too long, has credentials, or is not a URL.
    Location,
    /// The scheme is not https.
    Scheme,
    /// The host is neither the mail domain nor within it.
    Host,
    /// The port is not 443.
    Port,
}

impl Fetch {
    /// Returns the request for the file at a location of the user's mail domain, or `None` if the host's name would be
    /// longer than names may be. The request does not have the user's address.
    #[must_use]
    pub fn new(location: Location, user: &MailAddress) -> Option<Self> {
        Some(Self {
            host: location.host(user.domain())?,
            user: user.clone(),
            target: location.path().to_owned(),
            redirects: 0,
        })
    }

    /// Adds the user's address to the request as `emailaddress`, so that the host may answer for this user. The host,
    /// which the mail domain names, learns who sets up an account.
    #[must_use]
    pub fn tell_address(mut self) -> Self {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("emailaddress", &self.user.to_string());
        self.target = format!("{}?{}", self.target, query.finish());
        self
    }

    /// Returns the host. Its certificate must have the host's name.
    #[must_use]
    pub const fn host(&self) -> &DomainName {
        &self.host
    }

    /// Returns the path and the query.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Takes the head of the response: the status and the names and values of the header fields.
    ///
    /// # Errors
    /// Returns the reason why the response has no file.
    pub fn head<'a>(
        self,
        status: u16,
        fields: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Step, FetchProblem> {
        let mut locations = Vec::new();
        let mut is_encoded = false;
        let mut is_long = false;
        for (name, value) in fields {
            if name.eq_ignore_ascii_case("location") {
                locations.push(value);
            } else if name.eq_ignore_ascii_case("content-encoding") {
                is_encoded |= !value.trim_ascii().eq_ignore_ascii_case(b"identity");
            } else if name.eq_ignore_ascii_case("content-length") {
                let length = std::str::from_utf8(value).ok();
                let length = length.and_then(|text| text.trim().parse::<usize>().ok());
                is_long |= length.is_none_or(|length| length > MAX_FILE_BYTES);
            }
        }
        match status {
            200 if is_encoded => Err(FetchProblem::Encoding),
            200 if is_long => Err(FetchProblem::TooLong),
            200 => Ok(Step::Body(Body {
                user: self.user,
                octets: Vec::new(),
            })),
            301 | 302 | 303 | 307 | 308 => self.redirect(&locations).map(Step::Redirect),
            404 | 410 => Err(FetchProblem::NotFound),
            other => Err(FetchProblem::Status(other)),
        }
    }

    fn redirect(self, locations: &[&[u8]]) -> Result<Self, FetchProblem> {
        use RefusedRedirect as Refused;

        let redirects = self.redirects.saturating_add(1);
        if redirects > MAX_REDIRECTS {
            return Err(FetchProblem::TooManyRedirects);
        }
        let refused = FetchProblem::Redirect;
        let [location] = locations else {
            return Err(refused(Refused::Location));
        };
        let url = std::str::from_utf8(location)
            .ok()
            .filter(|location: &&str| location.len() <= MAX_LOCATION_BYTES)
            .and_then(|location| self.url()?.join(location).ok())
            .ok_or(refused(Refused::Location))?;
        if url.scheme() != "https" {
            return Err(refused(Refused::Scheme));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused(Refused::Location));
        }
        let host = url
            .domain()
            .and_then(|host| DomainName::parse(host).ok())
            .filter(|host| host.is_within(self.user.domain()))
            .ok_or(refused(Refused::Host))?;
        if url.port().is_some() {
            return Err(refused(Refused::Port));
        }
        let target = url[Position::BeforePath..Position::AfterQuery].to_owned();
        Ok(Self {
            host,
            target,
            redirects,
            ..self
        })
    }

    fn url(&self) -> Option<Url> {
        Url::parse(&format!("https://{}{}", self.host, self.target)).ok()
    }
}

impl Body {
    /// Takes octets of the body.
    ///
    /// # Errors
    /// Returns [`FetchProblem::TooLong`] if the body is longer than the limit.
    pub fn push(&mut self, octets: &[u8]) -> Result<(), FetchProblem> {
        if octets.len() > MAX_FILE_BYTES.saturating_sub(self.octets.len()) {
            return Err(FetchProblem::TooLong);
        }
        self.octets.extend_from_slice(octets);
        Ok(())
    }

    /// Parses the file after the end of the body.
    ///
    /// # Errors
    /// Returns [`FetchProblem::File`] if the body is not a configuration file.
    pub fn finish(self) -> Result<ClientConfig, FetchProblem> {
        ClientConfig::parse(&self.octets, &self.user).map_err(FetchProblem::File)
    }
}

impl fmt::Display for FetchProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("the host has no configuration file"),
            Self::Status(status) => write!(f, "the host answers with status {status}"),
            Self::TooManyRedirects => write!(f, "more than {MAX_REDIRECTS} redirects"),
            Self::Redirect(refused) => refused.fmt(f),
            Self::Encoding => f.write_str("the file has an encoding that was not asked for"),
            Self::TooLong => write!(f, "the file has more than {MAX_FILE_BYTES} octets"),
            Self::File(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for RefusedRedirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Location => "a redirect without one URL that can be used",
            Self::Scheme => "a redirect to another scheme than https",
            Self::Host => "a redirect to a host outside the mail domain",
            Self::Port => "a redirect to another port than 443",
        })
    }
}

impl std::error::Error for FetchProblem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(error) => Some(error),
            _ => None,
        }
    }
}
