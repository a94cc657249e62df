//! Errors of token stores.

use std::{error::Error, fmt};

/// The kind of a [`TokenStoreError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenStoreErrorKind {
    /// The store contains this token already, and was not changed.
    Conflict,
    /// A given time is before 1970, or too far in the future to be kept.
    Time,
    /// The random source failed.
    Random,
    /// The database, or its directory, does not exist.
    Missing,
    /// The database cannot be reached, is busy for too long, or failed. A change may have been made.
    Unavailable,
    /// The database is damaged or empty, or contains a row that is not a token of this crate.
    Unreadable,
    /// The database's schema is of a version that this crate does not know, or was changed.
    Version,
    /// The database's settings allow the loss of confirmed changes.
    NotDurable,
    /// The database's files belong to another user, or are open to other users.
    Exposed,
    /// The database is a directory, a FIFO, a socket or a device.
    NotRegular,
    /// The database's server is on another host, and the connection would not verify its certificate.
    UnverifiedServer,
}

impl TokenStoreErrorKind {
    /// Returns the kind's name, for logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Time => "time",
            Self::Random => "random",
            Self::Missing => "missing",
            Self::Unavailable => "unavailable",
            Self::Unreadable => "unreadable",
            Self::Version => "version",
            Self::NotDurable => "not-durable",
            Self::Exposed => "exposed",
            Self::NotRegular => "not-regular",
            Self::UnverifiedServer => "unverified-server",
        }
    }
}

/// A store's error: its kind, the file or server, and the database's error as its source.
#[derive(Debug)]
pub struct TokenStoreError {
    kind: TokenStoreErrorKind,
    place: Option<Box<str>>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl TokenStoreError {
    /// Creates an error with its source.
    #[must_use]
    pub fn new(kind: TokenStoreErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..kind.into()
        }
    }

    /// Adds the place of the store: a quoted path, or a server as `HOST:PORT/DATABASE`.
    #[must_use]
    pub fn at(mut self, place: impl Into<Box<str>>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Returns the kind of the error.
    #[must_use]
    pub const fn kind(&self) -> TokenStoreErrorKind {
        self.kind
    }

    /// Returns the path of the database, quoted, or its server as `HOST:PORT/DATABASE`.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }
}

impl From<TokenStoreErrorKind> for TokenStoreError {
    fn from(kind: TokenStoreErrorKind) -> Self {
        Self {
            kind,
            place: None,
            source: None,
        }
    }
}

impl fmt::Display for TokenStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TokenStoreErrorKind::Conflict => "the token is in the store already",
            TokenStoreErrorKind::Time => "the time is before 1970 or too far in the future",
            TokenStoreErrorKind::Random => "the random source failed",
            TokenStoreErrorKind::Missing => "the token database does not exist",
            TokenStoreErrorKind::Unavailable => "the token database did not answer",
            TokenStoreErrorKind::Unreadable => {
                "the token database is damaged or contains unknown rows"
            }
            TokenStoreErrorKind::Version => "the token database is of an unknown version",
            TokenStoreErrorKind::NotDurable => {
                "the token database's settings allow the loss of confirmed changes"
            }
            TokenStoreErrorKind::Exposed => "the token database is open to other users",
            TokenStoreErrorKind::NotRegular => "the token database is not a regular file",
            TokenStoreErrorKind::UnverifiedServer => {
                "the token database is on another host, whose certificate would not be verified"
            }
        })?;
        match &self.place {
            Some(place) => write!(f, ": {place}"),
            None => Ok(()),
        }
    }
}

impl Error for TokenStoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_deref()?)
    }
}
