//! Errors: the kind, the file or server, and the error of the system as the source.

use std::{
    error::Error as StdError,
    fmt, io,
    path::{Path, PathBuf},
};

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file or database is not there, or a directory on the way to it is not.
    Missing,
    /// Another process held the lock for longer than the caller wanted to wait.
    Locked,
    /// The file is a directory, a FIFO, a socket or a device.
    NotRegular,
    /// The file belongs to another user, or its mode lets other users in.
    Exposed,
    /// The file has a second name (a hard link), which would keep the old content when the file is replaced.
    Linked,
    /// The file is larger than the caller's limit.
    TooLarge,
    /// The database is damaged, was cut off, or lacks its tables.
    Damaged,
    /// The database is another program's: it has tables of others, or their mark, and none of the store.
    Foreign,
    /// The database's schema is newer than the caller's, or was changed.
    Version,
    /// The database is set up so that what it confirmed can be lost.
    NotDurable,
    /// The store was opened to be read only.
    ReadOnly,
    /// The server is on another host, and the connection would not verify who it is.
    UnverifiedServer,
    /// A row cannot be decoded.
    Unreadable,
    /// The system failed, or did not answer in time. A change may have been made.
    Unavailable,
}

impl ErrorKind {
    /// Returns the kind's name, for logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Locked => "locked",
            Self::NotRegular => "not-regular",
            Self::Exposed => "exposed",
            Self::Linked => "linked",
            Self::TooLarge => "too-large",
            Self::Damaged => "damaged",
            Self::Foreign => "foreign",
            Self::Version => "version",
            Self::NotDurable => "not-durable",
            Self::ReadOnly => "read-only",
            Self::UnverifiedServer => "unverified-server",
            Self::Unreadable => "unreadable",
            Self::Unavailable => "unavailable",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Missing => "the file or its directory does not exist",
            Self::Locked => "another process holds the lock",
            Self::NotRegular => "not a regular file",
            Self::Exposed => "the file is open to other users",
            Self::Linked => "the file has a second name (hard link)",
            Self::TooLarge => "the file is larger than the limit",
            Self::Damaged => "the database is damaged or incomplete",
            Self::Foreign => "the database is another program's",
            Self::Version => "the schema is of an unknown version or was changed",
            Self::NotDurable => "the database can lose what it confirmed",
            Self::ReadOnly => "the store is open to be read only",
            Self::UnverifiedServer => "the server is on another host and would not be verified",
            Self::Unreadable => "a row cannot be read",
            Self::Unavailable => "the store failed or did not answer in time",
        }
    }
}

/// An error of a store: its kind, the path or server, and the system's own error as its source.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    path: Option<PathBuf>,
    server: Option<Box<str>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Creates an error without place and source.
    #[must_use]
    pub const fn new(kind: ErrorKind) -> Self {
        Self {
            kind,
            path: None,
            server: None,
            source: None,
        }
    }

    /// Adds what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds the file.
    #[must_use]
    pub fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Adds the server, as `HOST:PORT/DATABASE`.
    #[must_use]
    pub fn at_server(mut self, server: impl Into<Box<str>>) -> Self {
        self.server = Some(server.into());
        self
    }

    /// Classifies an error of the file system.
    #[must_use]
    pub fn from_io(error: io::Error, path: impl Into<PathBuf>) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ErrorKind::Missing,
            io::ErrorKind::IsADirectory => ErrorKind::NotRegular,
            _ => ErrorKind::Unavailable,
        };
        Self::new(kind).with_source(error).at(path)
    }

    /// Returns the kind.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the path of the file that the error is about.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Returns the server that the error is about, as `HOST:PORT/DATABASE`.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    /// Returns the path, quoted, or the server, for a message that is printed.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        // Escaped: a path may hold control characters.
        let path = self.path.as_ref().map(|path| format!("{path:?}"));
        path.or_else(|| Some(self.server.as_ref()?.escape_debug().to_string()))
    }

    /// Returns what caused the error.
    #[must_use]
    pub fn into_source(self) -> Option<Box<dyn StdError + Send + Sync>> {
        self.source
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.text())?;
        match self.place() {
            Some(place) => write!(f, ": {place}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.source.as_deref()?)
    }
}
