//! Feature `hyper`: the reasons why a request of the HTTP client has no response.

use std::{error::Error, fmt, io};

use crate::{client::state::ClientError, origin::OriginError};

/// The number of redirects that are followed.
pub const MAX_REDIRECTS: usize = 10;

/// The reason why a request has no response.
#[derive(Debug)]
#[non_exhaustive]
pub enum RequestError {
    /// Token Binding is not defined for the URL.
    Origin(OriginError),
    /// The connection could not be opened.
    Connect(io::Error),
    /// The header could not be written.
    Binding(ClientError),
    /// Sending or receiving failed.
    Http(hyper::Error),
    /// More than [`MAX_REDIRECTS`] redirects.
    TooManyRedirects,
    /// The redirect's `Location` cannot be followed.
    Location,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(error) => error.fmt(f),
            Self::Connect(error) => write!(f, "cannot connect: {error}"),
            Self::Binding(error) => error.fmt(f),
            Self::Http(error) => error.fmt(f),
            Self::TooManyRedirects => write!(f, "more than {MAX_REDIRECTS} redirects"),
            Self::Location => f.write_str("the redirect's location cannot be followed"),
        }
    }
}

impl Error for RequestError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Origin(error) => error.source(),
            Self::Connect(error) => error.source(),
            Self::Binding(error) => error.source(),
            Self::Http(error) => error.source(),
            Self::TooManyRedirects | Self::Location => None,
        }
    }
}

impl From<ClientError> for RequestError {
    fn from(error: ClientError) -> Self {
        Self::Binding(error)
    }
}
