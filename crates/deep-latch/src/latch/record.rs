//! What a client keeps of a host in the account's configuration: latched tags and the last status
//! (draft-newman-email-deep-02 sections 5.1 and 5.3). It grows only.

use alloc::collections::BTreeSet;

use crate::{
    host::Host,
    status::{DeepStatus, StatusUrl},
    tag::SecurityTag,
};

/// What a client keeps of a host.
///
/// A latch is set by a [`LatchSession`](crate::LatchSession), or before the first connection with
/// [`preset`](Self::preset). Nothing removes one: that takes deleting the account (section 5.4).
#[derive(Clone, Debug)]
pub struct LatchRecord {
    host: Host,
    latched: BTreeSet<SecurityTag<'static>>,
    status: Option<DeepStatus<'static>>,
    /// Whether a session has recorded the status, so that it is newer than one that was loaded.
    status_is_new: bool,
}

/// Equal are those that keep the same of the same host, whether it was learnt now or earlier.
impl PartialEq for LatchRecord {
    fn eq(&self, other: &Self) -> bool {
        self.host == other.host && self.latched == other.latched && self.status == other.status
    }
}

impl Eq for LatchRecord {}

impl LatchRecord {
    /// Of a host that was never connected to.
    #[must_use]
    pub const fn new(host: Host) -> Self {
        Self {
            host,
            latched: BTreeSet::new(),
            status: None,
            status_is_new: false,
        }
    }

    /// With latches that are set from the beginning, e.g. by an administrator (section 9.3 speaks of
    /// "which security latches are pre-set").
    #[must_use]
    pub fn preset(host: Host, tags: impl IntoIterator<Item = SecurityTag<'static>>) -> Self {
        Self {
            latched: tags.into_iter().collect(),
            ..Self::new(host)
        }
    }

    /// The host.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// The latched tags, each once.
    pub fn latched(&self) -> impl Iterator<Item = &SecurityTag<'static>> {
        self.latched.iter()
    }

    /// Whether a tag is latched.
    #[must_use]
    pub fn is_latched(&self, tag: &SecurityTag<'_>) -> bool {
        self.latched.iter().any(|latched| latched == tag)
    }

    /// The status that the host advertised last when it was authenticated.
    #[must_use]
    pub const fn status(&self) -> Option<&DeepStatus<'static>> {
        self.status.as_ref()
    }

    /// The URL of that status.
    #[must_use]
    pub fn url(&self) -> Option<StatusUrl<'_>> {
        self.status.as_ref()?.url()
    }

    /// Adds what another session of the same account has learnt meanwhile: its latches; and its status, if
    /// that session recorded it, or there is none here. A status that the other had only been given at its
    /// beginning does not replace a newer one. A record of another host changes nothing.
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
