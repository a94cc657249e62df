//! Feature `latch-store`: where latches are kept between connections, by account and host
//! (draft-newman-email-deep-02 sections 5.1 and 5.3): the interface, its errors, and one in memory.

use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
#[cfg(any(feature = "serde", feature = "sqlx-sqlite"))]
use alloc::{collections::BTreeSet, string::String};
use core::{error::Error, fmt, future::Future, ops::Bound, pin::Pin};
use std::sync::{Mutex, PoisonError};

use crate::{host::Host, record::LatchRecord, tag::MAX_TAGS};
#[cfg(any(feature = "serde", feature = "sqlx-sqlite"))]
use crate::{
    status::{DeepStatus, StatusOptions},
    tag::{SecurityTag, Separator, join_tags, parse_tags},
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
pub struct NotAnAccount;

impl fmt::Display for NotAnAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the name of an account has 1 to {MAX_ACCOUNT_BYTES} bytes and no control character"
        )
    }
}

impl Error for NotAnAccount {}

impl Account {
    /// The account of this name.
    ///
    /// # Errors
    /// When it is empty, too long, or has a control character.
    pub fn try_new(name: &str) -> Result<Self, NotAnAccount> {
        let fits = (1..=MAX_ACCOUNT_BYTES).contains(&name.len());
        match fits && !name.contains(char::is_control) {
            true => Ok(Self(name.into())),
            false => Err(NotAnAccount),
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

#[cfg(any(feature = "serde", feature = "sqlx-sqlite"))]
impl LatchStoreError {
    /// Adds the file.
    #[cfg(feature = "serde")]
    pub(crate) fn at(mut self, path: &std::path::Path) -> Self {
        self.place = Some(alloc::format!("{path:?}").into_boxed_str());
        self
    }

    pub(crate) fn of_store(error: durable_store::Error) -> Self {
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

/// Records by account and host.
pub(crate) type Records = BTreeMap<Account, BTreeMap<Host, LatchRecord>>;

pub(crate) fn find(records: &Records, account: &Account, host: &Host) -> LatchRecord {
    let found = records.get(account).and_then(|hosts| hosts.get(host));
    found
        .cloned()
        .unwrap_or_else(|| LatchRecord::new(host.clone()))
}

pub(crate) fn first_after(
    records: &Records,
    account: &Account,
    after: Option<&Host>,
) -> Vec<LatchRecord> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let hosts = records.get(account).into_iter();
    let hosts = hosts.flat_map(|hosts| hosts.range::<Host, _>((from, Bound::Unbounded)));
    hosts
        .take(RECORDS_PER_BATCH)
        .map(|(_, record)| record.clone())
        .collect()
}

/// What is kept when `learnt` comes to `kept`.
///
/// # Errors
/// When that is more than may be kept.
pub(crate) fn merged(
    mut kept: LatchRecord,
    learnt: &LatchRecord,
) -> Result<LatchRecord, LatchStoreError> {
    kept.merge(learnt);
    if kept.latched().count() > MAX_TAGS {
        return Err(LatchStoreErrorKind::Limit.into());
    }
    Ok(kept.settled())
}

/// A record's latches and status as text: tags with a space between them.
#[cfg(any(feature = "serde", feature = "sqlx-sqlite"))]
pub(crate) fn to_text(record: &LatchRecord) -> (String, Option<&str>) {
    let latched = join_tags(record.latched(), Separator::Space);
    (latched, record.status().map(DeepStatus::as_str))
}

/// Reads what [`to_text`] wrote, with the tags' grammar and limits. Nothing for what is none of it: the
/// tags must be in order, and each there once.
#[cfg(any(feature = "serde", feature = "sqlx-sqlite"))]
pub(crate) fn from_text(host: Host, latched: &str, status: Option<&str>) -> Option<LatchRecord> {
    let mut tags = BTreeSet::new();
    if !latched.is_empty() {
        for tag in parse_tags(latched, Separator::Space, "latched").ok()? {
            let in_order = tags
                .last()
                .is_none_or(|last: &SecurityTag<'static>| *last < tag);
            (in_order && tags.insert(tag.into_owned())).then_some(())?;
        }
    }
    // What was let through when the server advertised it was kept.
    let lenient = StatusOptions {
        allow_extra_spaces: true,
        allow_malformed_elements: true,
    };
    let read = |text| DeepStatus::parse_with(text, lenient, |_| {}).map(DeepStatus::into_owned);
    let status = status.map(read).transpose().ok()?;
    Some(LatchRecord::restored(host, tags, status))
}

/// Latches in memory: gone with the process. For tests; an application whose latches are gone can be
/// downgraded.
///
/// ```
/// use deep_latch::{Account, Host, LatchRecord, LatchStore, MemoryLatchStore, SecurityTag};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryLatchStore::new();
/// let (account, host) = (Account::try_new("alice@example.com")?, Host::try_new("imap.example.com")?);
/// let preset = LatchRecord::preset(host.clone(), [SecurityTag::TLS12]);
/// store.merge(&account, &preset).await?;
/// assert!(store.load(&account, &host).await?.is_latched(&SecurityTag::TLS12));
/// // Only this removes a latch:
/// assert_eq!(store.delete_account(&account).await?, 1);
/// assert_eq!(store.load(&account, &host).await?, LatchRecord::new(host));
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct MemoryLatchStore {
    records: Mutex<Records>,
}

impl MemoryLatchStore {
    /// A store without latches.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Does this when it is awaited.
    fn with<'a, T>(
        &'a self,
        what: impl FnOnce(&mut Records) -> T + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(
            async move { what(&mut self.records.lock().unwrap_or_else(PoisonError::into_inner)) },
        )
    }
}

impl LatchStore for MemoryLatchStore {
    fn load<'a>(
        &'a self,
        account: &'a Account,
        host: &'a Host,
    ) -> StoreFuture<'a, Result<LatchRecord, LatchStoreError>> {
        self.with(move |records| Ok(find(records, account, host)))
    }

    fn merge<'a>(
        &'a self,
        account: &'a Account,
        record: &'a LatchRecord,
    ) -> StoreFuture<'a, Result<LatchRecord, LatchStoreError>> {
        self.with(move |records| {
            let merged = merged(find(records, account, record.host()), record)?;
            let hosts = records.entry(account.clone()).or_default();
            hosts.insert(record.host().clone(), merged.clone());
            Ok(merged)
        })
    }

    fn delete_account<'a>(
        &'a self,
        account: &'a Account,
    ) -> StoreFuture<'a, Result<u64, LatchStoreError>> {
        self.with(move |records| Ok(count(records.remove(account))))
    }

    fn list<'a>(
        &'a self,
        account: &'a Account,
        after: Option<&'a Host>,
    ) -> StoreFuture<'a, Result<Vec<LatchRecord>, LatchStoreError>> {
        self.with(move |records| Ok(first_after(records, account, after)))
    }
}

/// How many hosts an account had that was removed.
pub(crate) fn count(removed: Option<BTreeMap<Host, LatchRecord>>) -> u64 {
    let hosts = removed.map_or(0, |hosts| hosts.len());
    u64::try_from(hosts).unwrap_or(u64::MAX)
}

impl fmt::Debug for MemoryLatchStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLatchStore").finish_non_exhaustive()
    }
}
