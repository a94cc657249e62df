//! Feature `latch-store`: where latches are kept between connections, by account and host
//! (draft-newman-email-deep-02 sections 5.1 and 5.3): the interface, its errors, and one in memory.

mod error;
#[cfg(feature = "file-store")]
mod file;
mod memory;

use alloc::{boxed::Box, collections::BTreeSet, string::String, vec::Vec};
use core::{error::Error, fmt, future::Future, pin::Pin};

pub use {
    error::{LatchStoreError, LatchStoreErrorKind},
    memory::MemoryLatchStore,
};
#[cfg(feature = "file-store")]
#[cfg_attr(docsrs, doc(cfg(feature = "file-store")))]
pub use file::{FileLatchStore, FileLatchStoreOptions, MAX_FILE_BYTES};

use crate::{
    host::Host,
    latch::LatchRecord,
    status::{DeepStatus, StatusOptions},
    tag::{MAX_TAGS, SecurityTag, Separator},
};

/// The longest name of an account, in bytes: a local part of 64, `@`, and a domain of 255
/// (RFC 5321 section 4.5.3.1).
pub const MAX_ACCOUNT_BYTES: usize = 320;

/// How many records one call lists at most.
pub const RECORDS_PER_BATCH: usize = 1000;

/// The account that latches belong to, by whatever name the application has for it. Names are compared
/// byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(Box<str>);

/// The name is empty, longer than [`MAX_ACCOUNT_BYTES`], or has a control character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountError;

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the name of an account has 1 to {MAX_ACCOUNT_BYTES} bytes and no control character"
        )
    }
}

impl Error for AccountError {}

impl Account {
    /// The account of this name.
    ///
    /// # Errors
    /// When it is empty, too long, or has a control character.
    pub fn try_new(name: &str) -> Result<Self, AccountError> {
        let fits = (1..=MAX_ACCOUNT_BYTES).contains(&name.len());
        match fits && !name.contains(char::is_control) {
            true => Ok(Self(name.into())),
            false => Err(AccountError),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The answer of a store. Dropping it unanswered is safe: what was asked is done or not done.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where latches are kept between connections.
///
/// What a call has confirmed holds for all later calls, of all who share the store, and outlives the
/// process and the machine. Nothing removes a latch but deleting its account (section 5.4); there is no
/// call for anything less.
///
/// A connection begins with [`load`](Self::load). When a [`Step`](crate::Step) has changed the record,
/// [`merge`](Self::merge) comes before the connection is used further. The trait has boxed futures so that
/// `Arc<dyn LatchStore>` is one, whichever store the configuration names.
pub trait LatchStore: Send + Sync {
    /// What is kept of a host; a new record when nothing is.
    ///
    /// # Errors
    /// When the store cannot tell. That is not "nothing": do not connect.
    fn load<'a>(
        &'a self,
        account: &'a Account,
        host: &'a Host,
    ) -> StoreFuture<'a, Result<LatchRecord, LatchStoreError>>;

    /// Adds what a session has learnt, as [`LatchRecord::merge`] does, and answers with what is kept then:
    /// the latches of all sessions, and the status that was stored last of those that sessions recorded.
    ///
    /// # Errors
    /// When it may not have been kept.
    fn merge<'a>(
        &'a self,
        account: &'a Account,
        record: &'a LatchRecord,
    ) -> StoreFuture<'a, Result<LatchRecord, LatchStoreError>>;

    /// Forgets an account, and says how many hosts it had: "deleting the account and re-creating it as a
    /// cumbersome mechanism to reset the latches" (section 5.4). A session of the account that is still
    /// open can bring back what it learnt: end them first.
    ///
    /// # Errors
    /// When it may not have been forgotten.
    fn delete_account<'a>(
        &'a self,
        account: &'a Account,
    ) -> StoreFuture<'a, Result<u64, LatchStoreError>>;

    /// The records of an account, by host: the first [`RECORDS_PER_BATCH`] after `after`. If there are
    /// fewer, they were the last.
    ///
    /// # Errors
    /// When the store cannot tell.
    fn list<'a>(
        &'a self,
        account: &'a Account,
        after: Option<&'a Host>,
    ) -> StoreFuture<'a, Result<Vec<LatchRecord>, LatchStoreError>>;
}

/// The parts of a store: a store keeps a record as text, and merges what a session has learnt into it.
impl LatchRecord {
    /// Returns the latched tags as text: in alphabetical order, with a space between them. The text of the status is
    /// that of [`status`](Self::status).
    #[must_use]
    pub fn latched_text(&self) -> String {
        SecurityTag::join(self.latched(), Separator::Space)
    }

    /// Restores a record from the text that a store kept, with the grammar and limits of tags and status.
    ///
    /// # Errors
    /// Returns [`LatchStoreErrorKind::Unreadable`] if `latched` is not a text of
    /// [`latched_text`](Self::latched_text), each tag once and in order, or `status` is not the text of a status.
    pub fn restore(
        host: Host,
        latched: &str,
        status: Option<&str>,
    ) -> Result<Self, LatchStoreError> {
        let unreadable = |_| LatchStoreErrorKind::Unreadable;
        let mut tags = BTreeSet::new();
        if !latched.is_empty() {
            let list = SecurityTag::parse_list(latched, Separator::Space, "latched");
            for tag in list.map_err(unreadable)? {
                let in_order = tags
                    .last()
                    .is_none_or(|last: &SecurityTag<'static>| *last < tag);
                if !in_order || !tags.insert(tag.into_owned()) {
                    return Err(LatchStoreErrorKind::Unreadable.into());
                }
            }
        }
        // A session may have accepted deviations of the status.
        let lenient = StatusOptions {
            allow_extra_spaces: true,
            allow_malformed_elements: true,
        };
        let parse = |text| DeepStatus::parse_with(text, lenient).map(DeepStatus::into_owned);
        let status = status.map(parse).transpose().map_err(unreadable)?;
        Ok(Self::stored(host, tags, status))
    }

    /// Returns the record that a store keeps after a session has learnt `learnt`: see [`merge`](Self::merge).
    ///
    /// # Errors
    /// Returns [`LatchStoreErrorKind::Limit`] if the record would have more than [`MAX_TAGS`] tags.
    pub fn merged_with(mut self, learnt: &Self) -> Result<Self, LatchStoreError> {
        self.merge(learnt);
        if self.latched().count() > MAX_TAGS {
            return Err(LatchStoreErrorKind::Limit.into());
        }
        Ok(self.settled())
    }
}
