//! The errors of the adapters for libraries.

use std::fmt;

use crate::service::{Protocol, Service};

/// The reason why a connection was not handed to a library.
#[derive(Debug)]
#[non_exhaustive]
pub enum AdapterError {
    /// The connection is one of another protocol than the library's.
    Service {
        /// The protocol of the library.
        expected: Protocol,
        /// The service of the connection.
        found: Service,
    },
    /// The server accepted the client's certificate (`PREAUTH`), for which `async-imap` has no session:
    /// [`Connection::into_stream`](super::Connection::into_stream) gives the stream.
    LoggedIn,
    /// `lettre` or the server refused it, or it took too long.
    #[cfg(feature = "lettre")]
    Lettre(lettre::transport::smtp::Error),
}

impl fmt::Display for AdapterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service { expected, found } => {
                write!(f, "service: {expected:?} expected but {found} found")
            }
            Self::LoggedIn => f.write_str("greeting: OK expected but PREAUTH found"),
            #[cfg(feature = "lettre")]
            Self::Lettre(error) => write!(f, "lettre: {error}"),
        }
    }
}

impl std::error::Error for AdapterError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            #[cfg(feature = "lettre")]
            Self::Lettre(error) => Some(error),
            _ => None,
        }
    }
}
