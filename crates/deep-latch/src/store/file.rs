//! A latch store in a file, for one user. The file is replaced as a whole.

mod format;

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::{fmt, time::Duration};
use std::{
    fs::File,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use durable_store::{Lock, Seen, StoreFile};

pub use self::format::MAX_FILE_BYTES;
use self::format::{decode, encode};
use crate::{
    host::Host,
    latch::LatchRecord,
    store::{
        Account, LatchStore, LatchStoreError, StoreFuture,
        memory::{Records, count, find, first_after},
    },
};

/// A store of one user's latches in a file.
///
/// Several processes may use the file at once: each change takes a lock next to the file (`NAME.lock`), reads the file
/// again if another process has replaced it, and replaces it as a whole. The change and its directory entry are on the
/// disk before the call returns. The cost of a change is proportional to the number of hosts, which is small for one
/// user; for many accounts use `SqliteLatchStore` of the crate `deep-latch-sqlx`.
///
/// A symbolic link is resolved once, when the store is opened; lock and file are in the directory of the real file. The
/// file and its lock are created for their owner only. The file is read only if it is a regular file, belongs to this
/// user or root, and is not writable for others; other users must have no access to its lock. To back up the store,
/// copy its file at any time: a reader finds the old or the new content, never a part.
///
/// Calls work on the thread that polls them. They wait there for the disk, and for the lock no longer than
/// [`FileLatchStoreOptions`] allows. While a change waits, loads of other threads return the content before the change.
///
/// ```
/// use deep_latch::{
///     Host, LatchRecord, SecurityTag,
///     store::{Account, FileLatchStore, LatchStore, LatchStoreErrorKind},
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("latches");
/// let (account, host) = (Account::try_new("alice@example.com")?, Host::try_new("imap.example.com")?);
/// // When the first account is set up:
/// let store = FileLatchStore::open_or_create(&path)?;
/// store.merge(&account, &LatchRecord::preset(host.clone(), [SecurityTag::TLS12])).await?;
/// // From then on: a lost file is an error, not a store without latches.
/// let store = FileLatchStore::open(&path)?;
/// assert!(store.load(&account, &host).await?.is_latched(&SecurityTag::TLS12));
/// std::fs::remove_file(&path)?;
/// let error = store.load(&account, &host).await.map_err(|error| error.kind());
/// assert_eq!(error, Err(LatchStoreErrorKind::Missing));
/// # Ok(())
/// # }
/// ```
pub struct FileLatchStore {
    file: StoreFile,
    options: FileLatchStoreOptions,
    cached: Mutex<Option<Content>>,
}

/// The options of a store in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLatchStoreOptions {
    /// The time that a change waits for other processes that change the file.
    pub lock_timeout: Duration,
}

impl Default for FileLatchStoreOptions {
    fn default() -> Self {
        Self {
            lock_timeout: Duration::from_secs(10),
        }
    }
}

/// The content of the file.
struct Content {
    /// The file, which stays open so that no other file gets its inode number.
    _file: File,
    seen: Option<Seen>,
    records: Arc<Records>,
}

impl FileLatchStore {
    /// Opens the store in the file at `path`. On a read-only file system loading works, and changes fail.
    ///
    /// # Errors
    /// [`Missing`](super::LatchStoreErrorKind::Missing) if there is no such file or directory;
    /// [`Unreadable`](super::LatchStoreErrorKind::Unreadable) or [`Version`](super::LatchStoreErrorKind::Version) if it is
    /// damaged or of another version, never an empty store instead;
    /// [`Exposed`](super::LatchStoreErrorKind::Exposed); [`NotDurable`](super::LatchStoreErrorKind::NotDurable) if the file
    /// has a second name (a hard link), which would not follow the changes.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LatchStoreError> {
        Self::open_with(path, FileLatchStoreOptions::default())
    }

    /// Opens the store as [`open`](Self::open), with options.
    ///
    /// # Errors
    /// Returns the errors of [`open`](Self::open).
    pub fn open_with(
        path: impl AsRef<Path>,
        options: FileLatchStoreOptions,
    ) -> Result<Self, LatchStoreError> {
        let file = StoreFile::resolve(path).map_err(LatchStoreError::from)?;
        Self::open_file(file, options)
    }

    /// Opens the store in the file at `path`, and creates a store without latches if there is no file. The directory
    /// must exist. Use this when the first account is set up only: later, it would not notice that the file was lost.
    ///
    /// # Errors
    /// Returns the errors of [`open`](Self::open), and [`Unavailable`](super::LatchStoreErrorKind::Unavailable) if the file
    /// cannot be created. An empty file is damaged, not a new store.
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self, LatchStoreError> {
        Self::open_or_create_with(path, FileLatchStoreOptions::default())
    }

    /// Opens or creates the store as [`open_or_create`](Self::open_or_create), with options.
    ///
    /// # Errors
    /// Returns the errors of [`open_or_create`](Self::open_or_create).
    pub fn open_or_create_with(
        path: impl AsRef<Path>,
        options: FileLatchStoreOptions,
    ) -> Result<Self, LatchStoreError> {
        let failed = LatchStoreError::from;
        let file = StoreFile::resolve(path).map_err(failed)?;
        if !file.exists().map_err(failed)? {
            let lock = file.lock(options.lock_timeout).map_err(failed)?;
            if !file.exists().map_err(failed)? {
                write(&file, &lock, &Records::new())?;
            }
        }
        Self::open_file(file, options)
    }

    fn open_file(file: StoreFile, options: FileLatchStoreOptions) -> Result<Self, LatchStoreError> {
        let failed = LatchStoreError::from;
        let store = Self {
            file,
            options,
            cached: Mutex::new(None),
        };
        store.records(&mut store.cached())?;
        store.file.check_single_name().map_err(failed)?;
        // The process that has the lock removes the leftovers of killed processes when it opens the store.
        let lock = store.file.lock_to_read(Duration::ZERO);
        match lock {
            Ok(Some(lock)) => store.file.remove_leftovers(&lock),
            Ok(None) => {}
            Err(error) if error.kind() == durable_store::ErrorKind::Locked => {}
            Err(error) => return Err(failed(error)),
        }
        Ok(store)
    }

    fn cached(&self) -> MutexGuard<'_, Option<Content>> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the present content of the file.
    fn records(&self, cached: &mut Option<Content>) -> Result<Arc<Records>, LatchStoreError> {
        let failed = LatchStoreError::from;
        if let Some(content) = &cached
            && Seen::is_reliable()
            && content.seen == Some(Seen::at(&self.file).map_err(failed)?)
        {
            return Ok(content.records.clone());
        }
        *cached = None;
        let (file, bytes) = self.file.read(MAX_FILE_BYTES).map_err(failed)?;
        let seen = Seen::of(&file).ok();
        let records = decode(&bytes).map_err(|error| error.at(self.file.path()))?;
        let records = Arc::new(records);
        *cached = Some(Content {
            _file: file,
            seen,
            records: records.clone(),
        });
        Ok(records)
    }

    /// Reads the file, and replaces it by means of `write` if `change` says so.
    ///
    /// The lock excludes other threads and other processes that change the file. The cache is not locked while `write`
    /// waits for the disk, so that loads continue with the old content.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Arc<Records>) -> Result<(T, bool), LatchStoreError>,
        write: impl FnOnce(&StoreFile, &Lock, &Records) -> Result<File, LatchStoreError>,
    ) -> Result<T, LatchStoreError> {
        let lock = self.file.lock(self.options.lock_timeout);
        let lock = lock.map_err(LatchStoreError::from)?;
        let mut records = self.records(&mut self.cached())?;
        let (answer, changed) = change(&mut records)?;
        if changed {
            // If this fails after the file was replaced, the next load reads the new file.
            let file = write(&self.file, &lock, &records)?;
            let seen = Seen::of(&file).ok();
            *self.cached() = Some(Content {
                _file: file,
                seen,
                records,
            });
        }
        Ok(answer)
    }

    fn load_now(&self, account: &Account, host: &Host) -> Result<LatchRecord, LatchStoreError> {
        Ok(find(&*self.records(&mut self.cached())?, account, host))
    }

    fn merge_now(
        &self,
        account: &Account,
        record: &LatchRecord,
    ) -> Result<LatchRecord, LatchStoreError> {
        let merge = |records: &mut Arc<Records>| {
            let kept = records
                .get(account)
                .and_then(|hosts| hosts.get(record.host()));
            let merged = find(records, account, record.host()).merged_with(record)?;
            let changed = kept != Some(&merged);
            if changed {
                let hosts = Arc::make_mut(records).entry(account.clone()).or_default();
                hosts.insert(record.host().clone(), merged.clone());
            }
            Ok((merged, changed))
        };
        self.change(merge, write)
    }

    fn delete_now(&self, account: &Account) -> Result<u64, LatchStoreError> {
        let delete = |records: &mut Arc<Records>| {
            let is_known = records.contains_key(account);
            let removed = is_known.then(|| Arc::make_mut(records).remove(account));
            Ok((count(removed.flatten()), is_known))
        };
        self.change(delete, write)
    }
}

impl LatchStore for FileLatchStore {
    fn load<'a>(
        &'a self,
        account: &'a Account,
        host: &'a Host,
    ) -> StoreFuture<'a, Result<LatchRecord, LatchStoreError>> {
        Box::pin(async move { self.load_now(account, host) })
    }

    fn merge<'a>(
        &'a self,
        account: &'a Account,
        record: &'a LatchRecord,
    ) -> StoreFuture<'a, Result<LatchRecord, LatchStoreError>> {
        Box::pin(async move { self.merge_now(account, record) })
    }

    fn delete_account<'a>(
        &'a self,
        account: &'a Account,
    ) -> StoreFuture<'a, Result<u64, LatchStoreError>> {
        Box::pin(async move { self.delete_now(account) })
    }

    fn list<'a>(
        &'a self,
        account: &'a Account,
        after: Option<&'a Host>,
    ) -> StoreFuture<'a, Result<Vec<LatchRecord>, LatchStoreError>> {
        Box::pin(async move {
            Ok(first_after(
                &*self.records(&mut self.cached())?,
                account,
                after,
            ))
        })
    }
}

impl fmt::Debug for FileLatchStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileLatchStore").finish_non_exhaustive()
    }
}

/// Replaces the file, and returns it.
fn write(file: &StoreFile, lock: &Lock, records: &Records) -> Result<File, LatchStoreError> {
    let bytes = encode(records).map_err(|error| error.at(file.path()))?;
    let written = file.replace(lock, &bytes);
    written.map_err(LatchStoreError::from)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;
    use crate::{store::LatchStoreErrorKind, tag::SecurityTag};

    #[test]
    fn loads_the_old_content_while_a_change_waits_for_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        let store = FileLatchStore::open_or_create(directory.path().join("latches")).unwrap();
        let account = Account::try_new("alice@example.com").unwrap();
        let host = Host::try_new("imap.example.com").unwrap();
        let old = LatchRecord::preset(host.clone(), [SecurityTag::TLS10]);
        let new = LatchRecord::preset(host.clone(), [SecurityTag::TLS10, SecurityTag::TLS12]);
        store.merge_now(&account, &old).unwrap();
        let put = |records: &mut Arc<Records>| {
            let hosts = Arc::make_mut(records).entry(account.clone()).or_default();
            hosts.insert(host.clone(), new.clone());
            Ok(((), true))
        };
        let (loaded, is_loaded) = mpsc::channel();
        thread::scope(|threads| {
            let slow = |file: &StoreFile, lock: &Lock, records: &Records| {
                threads.spawn(|| loaded.send(store.load_now(&account, &host)));
                // Without an answer the reader is blocked.
                let read = is_loaded.recv_timeout(Duration::from_secs(20));
                assert_eq!(read.unwrap().unwrap(), old);
                write(file, lock, records)
            };
            store.change(put, slow).unwrap();
        });
        assert_eq!(store.load_now(&account, &host).unwrap(), new);
    }

    #[test]
    fn loads_what_the_file_has_after_a_change_that_failed_before_or_after_the_replacement() {
        let directory = tempfile::tempdir().unwrap();
        let store = FileLatchStore::open_or_create(directory.path().join("latches")).unwrap();
        let account = Account::try_new("alice@example.com").unwrap();
        let host = Host::try_new("imap.example.com").unwrap();
        let empty = LatchRecord::new(host.clone());
        let new = LatchRecord::preset(host.clone(), [SecurityTag::TLS12]);
        for (is_replaced, expected) in [(false, &empty), (true, &new)] {
            let put = |records: &mut Arc<Records>| {
                let hosts = Arc::make_mut(records).entry(account.clone()).or_default();
                hosts.insert(host.clone(), new.clone());
                Ok(((), true))
            };
            let failing = |file: &StoreFile, lock: &Lock, records: &Records| {
                if is_replaced {
                    write(file, lock, records)?;
                }
                Err(LatchStoreErrorKind::Unavailable.into())
            };
            let failed = store.change(put, failing).map_err(|error| error.kind());
            assert_eq!(failed, Err(LatchStoreErrorKind::Unavailable));
            assert_eq!(store.load_now(&account, &host).unwrap(), *expected);
        }
    }
}
