//! Feature `consumer`: the responses of a token consumer (section 3.3), which permits the client to reveal
//! its binding to the token provider it is sent to.

use std::fmt;

use http::{
    HeaderName, HeaderValue, Response, StatusCode, Uri,
    header::{InvalidHeaderValue, LOCATION},
    uri::Scheme,
};

use crate::header::INCLUDE_REFERER_TOKEN_BINDING_ID;

static NAME: HeaderName = HeaderName::from_static(INCLUDE_REFERER_TOKEN_BINDING_ID);

/// The reason why a response cannot give the permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PermissionError {
    /// balfanz-3-3-3: clients ignore the permission on a status other than 301 and 302. Frameworks
    /// redirect with 303 or 307, e.g. axum's `Redirect::to` and `Redirect::temporary`.
    Status(StatusCode),
    /// The response has no `Location`, or several.
    NoLocation,
    /// `Location` is not an https URL with a host: a client reveals nothing to its own origin, and
    /// nothing without TLS.
    Location,
}

impl fmt::Display for PermissionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(
                f,
                "{INCLUDE_REFERER_TOKEN_BINDING_ID} needs status 301 or 302, not {}",
                status.as_u16()
            ),
            Self::NoLocation => write!(
                f,
                "{INCLUDE_REFERER_TOKEN_BINDING_ID} needs a response with one Location"
            ),
            Self::Location => write!(
                f,
                "{INCLUDE_REFERER_TOKEN_BINDING_ID} needs a Location that is an https URL"
            ),
        }
    }
}

impl std::error::Error for PermissionError {}

impl From<InvalidHeaderValue> for PermissionError {
    fn from(_: InvalidHeaderValue) -> Self {
        Self::Location
    }
}

/// Makes the response with which a token consumer sends a client to a token provider: 302 to
/// `location`, an https URL, with the permission to reveal the client's binding with the consumer.
///
/// ```
/// use tokenbind_http::federation;
///
/// # fn main() -> Result<(), federation::PermissionError> {
/// let response = federation::redirect_to_provider::<String>("https://provider.example/token")?;
/// assert_eq!(response.status(), 302);
/// assert_eq!(response.headers()["include-referer-token-binding-id"], "true");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`PermissionError::Location`] if `location` is not an https URL with a host.
pub fn redirect_to_provider<B: Default>(location: &str) -> Result<Response<B>, PermissionError> {
    redirect_to_provider_with(StatusCode::FOUND, location)
}

/// Makes the same response with another status, which can only be 301.
///
/// # Errors
/// [`PermissionError::Status`] if `status` is neither 301 nor 302; [`PermissionError::Location`] if
/// `location` is not an https URL with a host.
pub fn redirect_to_provider_with<B: Default>(
    status: StatusCode,
    location: &str,
) -> Result<Response<B>, PermissionError> {
    let mut response = Response::new(B::default());
    *response.status_mut() = status;
    let location = HeaderValue::from_str(location)?;
    response.headers_mut().insert(LOCATION, location);
    permit_referral(&mut response)?;
    Ok(response)
}

/// Adds the permission to a redirect that was made elsewhere, e.g. by a framework.
///
/// # Errors
/// A [`PermissionError`] if a client would ignore the permission. The response is then unchanged.
pub fn permit_referral<B>(response: &mut Response<B>) -> Result<(), PermissionError> {
    let status = response.status();
    if !matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND) {
        return Err(PermissionError::Status(status));
    }
    let mut locations = response.headers().get_all(LOCATION).iter();
    let (Some(location), None) = (locations.next(), locations.next()) else {
        return Err(PermissionError::NoLocation);
    };
    let url = Uri::try_from(location.as_bytes()).map_err(|_| PermissionError::Location)?;
    let named = url.host().is_some_and(|host| !host.is_empty());
    if url.scheme() != Some(&Scheme::HTTPS) || !named {
        return Err(PermissionError::Location);
    }
    let permission = HeaderValue::from_static("true");
    response.headers_mut().insert(&NAME, permission);
    Ok(())
}
