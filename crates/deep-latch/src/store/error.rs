//! The errors of latch stores.

#[cfg(feature = "durable")]
use alloc::string::String;
use alloc::{boxed::Box, format};
use core::{error::Error, fmt};
use std::path::Path;

/// The kind of a store's failure. With any kind the latches of the host are not known: the client must not connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LatchStoreErrorKind {
    /// The store, or its directory, does not exist.
    Missing,
    /// The store cannot be reached, is busy for too long, or failed. A change may have been made.
    Unavailable,
    /// The store is damaged, or contains data not written by this crate.
    Unreadable,
    /// The store has a version that this crate does not know, or its schema was changed.
    Version,
    /// The store is configured so that changes it has confirmed can be lost.
    NotDurable,
    /// The store's files belong to another user, or are open to other users.
    Exposed,
    /// The store is a directory, a FIFO, a socket or a device.
    NotRegular,
    /// The record has more than [`MAX_TAGS`](crate::tag::MAX_TAGS) tags, or the store would exceed its limit. The store
    /// is unchanged.
    Limit,
}

impl LatchStoreErrorKind {
    /// Returns the kind's name, for logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unavailable => "unavailable",
            Self::Unreadable => "unreadable",
            Self::Version => "version",
            Self::NotDurable => "not-durable",
            Self::Exposed => "exposed",
            Self::NotRegular => "not-regular",
            Self::Limit => "limit",
        }
    }
}

/// A store's error: its kind, its file, and the error of the system below as its source. The error has no data that a
/// server sent.
#[derive(Debug)]
pub struct LatchStoreError {
    kind: LatchStoreErrorKind,
    place: Option<Box<str>>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl LatchStoreError {
    /// Creates an error from its kind and its source.
    #[must_use]
    pub fn new(kind: LatchStoreErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..kind.into()
        }
    }

    /// Returns the kind of the error.
    #[must_use]
    pub const fn kind(&self) -> LatchStoreErrorKind {
        self.kind
    }

    /// Adds the path of the store's file.
    #[must_use]
    pub fn at(mut self, path: &Path) -> Self {
        self.place = Some(format!("{path:?}").into_boxed_str());
        self
    }

    /// Returns the path of the store's file, quoted.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }
}

impl From<LatchStoreErrorKind> for LatchStoreError {
    fn from(kind: LatchStoreErrorKind) -> Self {
        Self {
            kind,
            place: None,
            source: None,
        }
    }
}

#[cfg(feature = "durable")]
#[cfg_attr(docsrs, doc(cfg(feature = "durable")))]
impl From<durable_store::Error> for LatchStoreError {
    fn from(error: durable_store::Error) -> Self {
        use durable_store::ErrorKind;
        let kind = match error.kind() {
            ErrorKind::Missing => LatchStoreErrorKind::Missing,
            ErrorKind::Damaged | ErrorKind::Foreign | ErrorKind::Unreadable => {
                LatchStoreErrorKind::Unreadable
            }
            ErrorKind::Version => LatchStoreErrorKind::Version,
            ErrorKind::NotDurable | ErrorKind::Linked => LatchStoreErrorKind::NotDurable,
            ErrorKind::Exposed => LatchStoreErrorKind::Exposed,
            ErrorKind::NotRegular => LatchStoreErrorKind::NotRegular,
            ErrorKind::TooLarge => LatchStoreErrorKind::Limit,
            _ => LatchStoreErrorKind::Unavailable,
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

impl fmt::Display for LatchStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            LatchStoreErrorKind::Missing => "the latch store does not exist",
            LatchStoreErrorKind::Unavailable => "the latch store did not answer",
            LatchStoreErrorKind::Unreadable => {
                "the latch store is damaged or contains foreign data"
            }
            LatchStoreErrorKind::Version => "the latch store has an unknown version",
            LatchStoreErrorKind::NotDurable => "the latch store can lose changes that it confirmed",
            LatchStoreErrorKind::Exposed => "the latch store is open to other users",
            LatchStoreErrorKind::NotRegular => "the latch store is not a regular file",
            LatchStoreErrorKind::Limit => "the latch store has no room for more latches",
        })?;
        match &self.place {
            Some(place) => write!(f, ": {place}"),
            None => Ok(()),
        }
    }
}

impl Error for LatchStoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_deref()?)
    }
}
