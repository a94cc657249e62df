//! Latches in memory.

use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::{fmt, ops::Bound};
use std::sync::{Mutex, PoisonError};

use super::{Account, LatchStore, LatchStoreError, RECORDS_PER_BATCH, StoreFuture};
use crate::{host::Host, latch::LatchRecord};

/// A latch store in memory, for tests. Its latches are lost with the process, and an application that loses latches
/// can be downgraded.
///
/// ```
/// use deep_latch::{Host, LatchRecord, SecurityTag, store::{Account, LatchStore, MemoryLatchStore}};
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
    /// Creates a store without latches.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a future that calls `operation` when it is awaited.
    fn with<'a, T>(
        &'a self,
        operation: impl FnOnce(&mut Records) -> T + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move {
            operation(&mut self.records.lock().unwrap_or_else(PoisonError::into_inner))
        })
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
            let merged = find(records, account, record.host()).merged_with(record)?;
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

/// Returns the number of hosts of an account that was removed.
pub(crate) fn count(removed: Option<BTreeMap<Host, LatchRecord>>) -> u64 {
    let hosts = removed.map_or(0, |hosts| hosts.len());
    u64::try_from(hosts).unwrap_or(u64::MAX)
}

impl fmt::Debug for MemoryLatchStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLatchStore").finish_non_exhaustive()
    }
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
