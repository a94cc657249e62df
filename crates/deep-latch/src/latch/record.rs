//! Records of hosts in an account's configuration: latched tags and the last status (draft-newman-email-deep-02
//! sections 5.1 and 5.3). A record only grows.

use alloc::collections::BTreeSet;

use crate::{
    host::Host,
    status::{DeepStatus, StatusUrl},
    tag::SecurityTag,
};

/// The record that a client keeps of a host.
///
/// A [`LatchSession`](crate::LatchSession) sets latches, and so does [`preset`](Self::preset) before the first
/// connection. No method removes a latch: a user deletes the account to do that (section 5.4).
#[derive(Clone, Debug)]
pub struct LatchRecord {
    host: Host,
    latched: BTreeSet<SecurityTag<'static>>,
    status: Option<DeepStatus<'static>>,
    /// `true` if a session has recorded the status, so that it is newer than a status that was loaded.
    status_is_new: bool,
}

/// Records are equal if host, latches and status are equal, whether a session or a store has set them.
impl PartialEq for LatchRecord {
    fn eq(&self, other: &Self) -> bool {
        self.host == other.host && self.latched == other.latched && self.status == other.status
    }
}

impl Eq for LatchRecord {}

impl LatchRecord {
    /// Creates the record of a host without latches.
    #[must_use]
    pub const fn new(host: Host) -> Self {
        Self {
            host,
            latched: BTreeSet::new(),
            status: None,
            status_is_new: false,
        }
    }

    /// Creates a record with latches that are set from the beginning, e.g. by an administrator (section 9.3 mentions
    /// "which security latches are pre-set").
    #[must_use]
    pub fn preset(host: Host, tags: impl IntoIterator<Item = SecurityTag<'static>>) -> Self {
        Self {
            latched: tags.into_iter().collect(),
            ..Self::new(host)
        }
    }

    /// Returns the host.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the latched tags, each once.
    pub fn latched(&self) -> impl Iterator<Item = &SecurityTag<'static>> {
        self.latched.iter()
    }

    /// Returns `true` if a tag is latched.
    #[must_use]
    pub fn is_latched(&self, tag: &SecurityTag<'_>) -> bool {
        self.latched.iter().any(|latched| latched == tag)
    }

    /// Returns the status that the host advertised last while it was authenticated.
    #[must_use]
    pub const fn status(&self) -> Option<&DeepStatus<'static>> {
        self.status.as_ref()
    }

    /// Returns the URL of that status.
    #[must_use]
    pub fn url(&self) -> Option<StatusUrl<'_>> {
        self.status.as_ref()?.url()
    }

    /// Merges the record of another session of the same account: adds its latches, and takes its status if that
    /// session recorded the status, or if this record has none. A status that the other session had loaded at its
    /// beginning does not replace a newer one. A record of another host is ignored.
    pub fn merge(&mut self, other: &Self) {
        if self.host == other.host {
            self.latched.extend(other.latched.iter().cloned());
            if other.status.is_some() && (other.status_is_new || self.status.is_none()) {
                self.status.clone_from(&other.status);
                self.status_is_new |= other.status_is_new;
            }
        }
    }

    /// Creates the record that a store keeps: its status does not count as newly recorded by a session.
    #[cfg(feature = "latch-store")]
    pub(crate) const fn stored(
        host: Host,
        latched: BTreeSet<SecurityTag<'static>>,
        status: Option<DeepStatus<'static>>,
    ) -> Self {
        Self {
            host,
            latched,
            status,
            status_is_new: false,
        }
    }

    #[cfg(feature = "latch-store")]
    pub(crate) fn settled(self) -> Self {
        Self::stored(self.host, self.latched, self.status)
    }

    pub(crate) fn latch(&mut self, tag: SecurityTag<'static>) {
        self.latched.insert(tag);
    }

    pub(crate) fn record(&mut self, status: DeepStatus<'static>) {
        self.status = Some(status);
        self.status_is_new = true;
    }
}
