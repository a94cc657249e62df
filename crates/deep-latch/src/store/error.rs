//! The errors of latch stores.

#[cfg(feature = "durable")]
use alloc::string::String;
use alloc::{boxed::Box, format};
use core::{error::Error, fmt};
use std::path::Path;

/// What went wrong in a store. Whatever it is, nothing is known of the host: do not connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LatchStoreErrorKind {
    /// The store, or its directory, does not exist.
    Missing,
    /// The store cannot be reached, is busy for too long, or failed. A change may have been made.
    Unavailable,
    /// The store is damaged, or holds what is none of this crate's.
    Unreadable,
    /// The store is of a version that this crate does not know, or was changed.
    Version,
    /// The store is set up so that what it has confirmed can be lost.
    NotDurable,
    /// The store's files belong to another user, or are open to other users.
    Exposed,
    /// The record has more than [`MAX_TAGS`] tags, or the store would be larger than it may be. It is
    /// left as it was.
    Limit,
}

impl LatchStoreErrorKind {
    /// The kind's name, for logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unavailable => "unavailable",
            Self::Unreadable => "unreadable",
            Self::Version => "version",
            Self::NotDurable => "not-durable",
            Self::Exposed => "exposed",
            Self::Limit => "limit",
        }
    }
}

/// A store's error: its kind, the file, and what the system below said as its source. It holds nothing of what
/// a server sent.
#[derive(Debug)]
pub struct LatchStoreError {
    kind: LatchStoreErrorKind,
    place: Option<Box<str>>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl LatchStoreError {
    /// An error of a store.
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
            ErrorKind::Damaged | ErrorKind::Unreadable => LatchStoreErrorKind::Unreadable,
            ErrorKind::Version => LatchStoreErrorKind::Version,
            ErrorKind::NotDurable | ErrorKind::Linked => LatchStoreErrorKind::NotDurable,
            ErrorKind::Exposed => LatchStoreErrorKind::Exposed,
            ErrorKind::TooLarge => LatchStoreErrorKind::Limit,
            _ => LatchStoreErrorKind::Unavailable,
        };
        let place = error.place().map(String::into_boxed_str);
        // Of kinds that became one, the source says which it was.
        let source = match error.kind() {
            ErrorKind::Locked | ErrorKind::Linked | ErrorKind::NotRegular => {
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
            LatchStoreErrorKind::Unreadable => "the latch store holds what cannot be read",
            LatchStoreErrorKind::Version => "the latch store is of an unknown version",
            LatchStoreErrorKind::NotDurable => {
                "the latch store is set up to lose what it confirmed"
            }
            LatchStoreErrorKind::Exposed => "the latch store is open to other users",
            LatchStoreErrorKind::Limit => "more latches than the store may hold",
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
