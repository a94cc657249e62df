//! Stores that keep latches between connections, by account and host (draft-newman-email-deep-02 sections 5.1 and
//! 5.3): the interface, and stores in memory and in a file. The crate `deep-latch-sqlx` has a store in SQLite.

mod error;
#[cfg(feature = "file-store")]
mod file;
mod memory;

use alloc::{boxed::Box, collections::BTreeSet, string::String, vec::Vec};
use core::{error::Error, fmt, future::Future, pin::Pin};

#[cfg(feature = "file-store")]
#[cfg_attr(docsrs, doc(cfg(feature = "file-store")))]
pub use file::{FileLatchStore, FileLatchStoreOptions, MAX_FILE_BYTES};
pub use {
    error::{LatchStoreError, LatchStoreErrorKind},
    memory::MemoryLatchStore,
};

use crate::{
    host::Host,
    latch::LatchRecord,
    status::{DeepStatus, StatusOptions},
    tag::{MAX_TAGS, SecurityTag, Separator},
};

/// The longest name of an account, in bytes: a local part of 64, `@`, and a domain of 255
/// (RFC 5321 section 4.5.3.1).
pub const MAX_ACCOUNT_BYTES: usize = 320;

/// The most records that one call lists.
pub const RECORDS_PER_BATCH: usize = 1000;

/// The account that latches belong to, by the application's name for it. Names are compared byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(Box<str>);

/// A name of an account that is empty, longer than [`MAX_ACCOUNT_BYTES`], or has a control character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountError;

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "account: a name of 1 to {MAX_ACCOUNT_BYTES} bytes without control characters is expected"
        )
    }
}

impl Error for AccountError {}

impl Account {
    /// Creates the account of a name.
    ///
    /// # Errors
    /// Returns [`AccountError`] if the name is empty, too long, or has a control character.
    pub fn try_new(name: &str) -> Result<Self, AccountError> {
        let fits = (1..=MAX_ACCOUNT_BYTES).contains(&name.len());
        match fits && !name.contains(char::is_control) {
            true => Ok(Self(name.into())),
            false => Err(AccountError),
        }
    }

    /// Returns the name.
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

/// The answer of a store. Dropping it unfinished is safe: the operation is done or not done.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A store that keeps latches between connections.
///
/// A connection begins with [`load`](Self::load). When a [`Step`](crate::latch::Step) has changed the record,
/// [`merge`](Self::merge) precedes any further use of the connection.
///
/// An implementation must keep this contract:
/// - A change that a call has confirmed holds for all later calls of all users of the store, and survives the process
///   and the machine.
/// - A latch is removed only with its account (section 5.4).
/// - A store that is lost, damaged or unreachable is an error, never an empty record: an empty record would let an
///   attacker downgrade the connection.
/// - Calls may be concurrent, in one process and in several.
///
/// [`LatchRecord::restore`], [`latched_text`](LatchRecord::latched_text) and
/// [`merged_with`](LatchRecord::merged_with) are the parts of an implementation. Futures are boxed so that the trait is
/// dyn-compatible: `Arc<dyn LatchStore>` can be any store that the configuration names.
pub trait LatchStore: Send + Sync {
    /// Returns the record of a host, or a record without latches if the store has none.
    ///
    /// `account` and `host` are compared in the spelling that their types give them. A record of the same host in
    /// another account is not returned.
    ///
    /// # Errors
    /// Returns the kind of the failure if the store cannot answer. The client must not connect then.
    fn load<'a>(
        &'a self,
        account: &'a Account,
        host: &'a Host,
    ) -> StoreFuture<'a, Result<LatchRecord, LatchStoreError>>;

    /// Merges the record of a session into the store, as [`LatchRecord::merge`] does. Returns the merged record: the
    /// latches of all sessions, and the status that was stored last among those that sessions recorded.
    ///
    /// `record` names the host. The record is durable when the future is ready: a client continues then.
    ///
    /// # Errors
    /// Returns [`LatchStoreErrorKind::Limit`] if the merged record has too many tags, and another kind if the record
    /// may not have been kept. The client must close the connection then.
    fn merge<'a>(
        &'a self,
        account: &'a Account,
        record: &'a LatchRecord,
    ) -> StoreFuture<'a, Result<LatchRecord, LatchStoreError>>;

    /// Deletes an account, and returns the number of its hosts: "deleting the account and re-creating it as a
    /// cumbersome mechanism to reset the latches" (section 5.4). A session of the account that is still
    /// open can store its latches again: the caller ends such sessions first.
    ///
    /// # Errors
    /// Returns the kind of the failure if the account may not have been deleted.
    fn delete_account<'a>(
        &'a self,
        account: &'a Account,
    ) -> StoreFuture<'a, Result<u64, LatchStoreError>>;

    /// Lists the records of an account in the order of their hosts: at most [`RECORDS_PER_BATCH`] records of hosts
    /// after `after`, or from the first host if that is `None`. Fewer records are the last ones.
    ///
    /// # Errors
    /// Returns the kind of the failure if the store cannot answer.
    fn list<'a>(
        &'a self,
        account: &'a Account,
        after: Option<&'a Host>,
    ) -> StoreFuture<'a, Result<Vec<LatchRecord>, LatchStoreError>>;
}

/// The parts of a store, which keeps a record as text and merges the records of sessions into it.
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

    /// Merges the record of a session, `learnt`, into the record that a store has, as [`merge`](Self::merge) does, and
    /// returns the record that the store keeps.
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
