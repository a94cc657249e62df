//! The errors of report sinks.

use alloc::boxed::Box;
#[cfg(feature = "durable")]
use alloc::string::String;
use core::{error::Error, fmt};

/// The kind of a sink's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportSinkErrorKind {
    /// The account has [`MAX_CLIENTS_PER_ACCOUNT`](super::MAX_CLIENTS_PER_ACCOUNT) other records on this host.
    TooManyClients,
    /// The client would have more than [`MAX_TAGS_PER_CLIENT`](super::MAX_TAGS_PER_CLIENT) tags.
    TooManyTags,
    /// A given time is before 1970, or too late to be kept.
    Time,
    /// The database, its directory, or its tables do not exist.
    Missing,
    /// The database cannot be reached, is busy for too long, or failed. A change may have been made.
    Unavailable,
    /// The database is damaged or empty, or holds something that is not a report.
    Unreadable,
    /// The database's schema is of a version this crate does not know, or was changed.
    Version,
    /// The database is configured so that reports it has confirmed can be lost.
    NotDurable,
    /// The database's files belong to another user, or are open to other users.
    Exposed,
    /// The database is a directory, a FIFO, a socket or a device.
    NotRegular,
    /// The sink was opened to be read only, or the user may only read.
    ReadOnly,
    /// The database's server is on another host, and the connection would not verify its identity.
    UnverifiedServer,
}

impl ReportSinkErrorKind {
    /// Returns the kind's name, for logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooManyClients => "too-many-clients",
            Self::TooManyTags => "too-many-tags",
            Self::Time => "time",
            Self::Missing => "missing",
            Self::Unavailable => "unavailable",
            Self::Unreadable => "unreadable",
            Self::Version => "version",
            Self::NotDurable => "not-durable",
            Self::Exposed => "exposed",
            Self::NotRegular => "not-regular",
            Self::ReadOnly => "read-only",
            Self::UnverifiedServer => "unverified-server",
        }
    }
}

/// A sink's error: its kind, its file or server, and the error of the database as its source.
#[derive(Debug)]
pub struct ReportSinkError {
    kind: ReportSinkErrorKind,
    place: Option<Box<str>>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ReportSinkError {
    /// Creates an error from its kind and its source.
    #[must_use]
    pub fn new(kind: ReportSinkErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..kind.into()
        }
    }

    /// Returns the kind of the error.
    #[must_use]
    pub const fn kind(&self) -> ReportSinkErrorKind {
        self.kind
    }

    /// Returns the path of the database, quoted, or its server as `HOST:PORT/DATABASE`.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }
}

impl From<ReportSinkErrorKind> for ReportSinkError {
    fn from(kind: ReportSinkErrorKind) -> Self {
        Self {
            kind,
            place: None,
            source: None,
        }
    }
}

#[cfg(feature = "durable")]
#[cfg_attr(docsrs, doc(cfg(feature = "durable")))]
impl From<durable_store::Error> for ReportSinkError {
    fn from(error: durable_store::Error) -> Self {
        use durable_store::ErrorKind;
        let kind = match error.kind() {
            ErrorKind::Missing => ReportSinkErrorKind::Missing,
            ErrorKind::Damaged | ErrorKind::Foreign | ErrorKind::Unreadable => {
                ReportSinkErrorKind::Unreadable
            }
            ErrorKind::Version => ReportSinkErrorKind::Version,
            ErrorKind::NotDurable | ErrorKind::Linked => ReportSinkErrorKind::NotDurable,
            ErrorKind::Exposed => ReportSinkErrorKind::Exposed,
            ErrorKind::NotRegular => ReportSinkErrorKind::NotRegular,
            ErrorKind::ReadOnly => ReportSinkErrorKind::ReadOnly,
            ErrorKind::UnverifiedServer => ReportSinkErrorKind::UnverifiedServer,
            _ => ReportSinkErrorKind::Unavailable,
        };
        let place = error.place().map(String::into_boxed_str);
        // Of kinds that became one, the source says which it was.
        let source = match error.kind() {
            ErrorKind::Foreign | ErrorKind::Locked | ErrorKind::Linked => {
                Some(Box::new(error).into())
            }
            _ => error.into_source(),
        };
        Self {
            kind,
            place,
            source,
        }
    }
}

impl fmt::Display for ReportSinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ReportSinkErrorKind::TooManyClients => "the account has too many clients",
            ReportSinkErrorKind::TooManyTags => "the client has too many tags",
            ReportSinkErrorKind::Time => "the time is before 1970 or too late to be kept",
            ReportSinkErrorKind::Missing => "the report database does not exist",
            ReportSinkErrorKind::Unavailable => "the report database did not answer",
            ReportSinkErrorKind::Unreadable => {
                "the report database is damaged or contains foreign data"
            }
            ReportSinkErrorKind::Version => "the report database has an unknown version",
            ReportSinkErrorKind::NotDurable => {
                "the report database can lose reports that it confirmed"
            }
            ReportSinkErrorKind::Exposed => "the report database is open to other users",
            ReportSinkErrorKind::NotRegular => "the report database is not a regular file",
            ReportSinkErrorKind::ReadOnly => "the report database is open for reading only",
            ReportSinkErrorKind::UnverifiedServer => {
                "the report database is on another host whose identity would not be verified"
            }
        })?;
        match &self.place {
            Some(place) => write!(f, ": {place}"),
            None => Ok(()),
        }
    }
}

impl Error for ReportSinkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_deref()?)
    }
}
