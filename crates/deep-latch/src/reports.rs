//! Reports of clients (draft-newman-email-deep-02 section 7), kept so that an operator knows what breaks before a
//! change: the records, the questions, the interface of a sink, and a sink in memory. The crate `deep-latch-sqlx` has
//! sinks in SQLite and PostgreSQL.

mod answer;
mod error;
mod memory;
mod report;
#[cfg(feature = "tables")]
#[cfg_attr(docsrs, doc(cfg(feature = "tables")))]
mod table;

use alloc::{boxed::Box, vec::Vec};
use core::{future::Future, pin::Pin};
use std::time::{Duration, SystemTime};

pub use {
    answer::{
        BrokenProgram, BrokenVersion, ProgramCount, SinkNames, SoftwareCounts, SoftwareRow,
        TagCount, VersionCount, WhatBreaks,
    },
    error::{ReportSinkError, ReportSinkErrorKind},
    memory::MemoryReportSink,
    report::{Mention, ReceivedReport, ReportError},
};

use crate::{host::Host, tag::SecurityTag};

/// The longest account, or other name of whom a report is from, in bytes: a local part of 64, `@`, and a
/// domain of 255 (RFC 5321 section 4.5.3.1).
pub const MAX_REPORT_ACCOUNT_BYTES: usize = 320;

/// The longest name, and the longest version, of client software that is kept, in bytes. IMAP's ID may have
/// 1024; what identifies a program is shorter, and each account can send as many as it likes.
pub const MAX_SOFTWARE_BYTES: usize = 255;

/// How many tags are kept of a client. The registry has four.
pub const MAX_TAGS_PER_CLIENT: usize = 64;

/// How many records, i.e. versions of programs, are kept of an account on a host: a household's over years.
/// More are refused until old ones are purged, so that one account cannot fill the sink.
pub const MAX_CLIENTS_PER_ACCOUNT: usize = 256;

/// The most tags, and the most names, of an answer: those of most clients.
pub const MAX_ROWS: usize = 1000;

/// The most programs of an answer, those of most clients. The totals count the rest too.
pub const MAX_PROGRAMS: usize = 200;

/// The most versions of each program of an answer, those of most clients. The program's numbers count the rest
/// too.
pub const MAX_VERSIONS: usize = 20;

/// How many records of clients one call purges at most.
pub const CLIENTS_PER_BATCH: usize = 1000;

/// Which clients are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clients<'a> {
    /// Those that reported something then or later. What they reported earlier does not count.
    pub since: SystemTime,
    /// Those of this host; of all hosts, if nothing.
    pub host: Option<&'a Host>,
}

impl Clients<'_> {
    /// Of all hosts.
    #[must_use]
    pub const fn since(since: SystemTime) -> Self {
        Self { since, host: None }
    }
}

/// The answer of a sink. Dropping it unanswered is safe: what was asked is done or not done.
pub type SinkFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, ReportSinkError>> + Send + 'a>>;

/// Where a server keeps what clients report: "Servers MAY record this information so administrators know
/// the expected privacy level of the client and can thus act to avoid security latch failures"
/// (draft-newman-email-deep-02 section 7.1).
///
/// A client is an account, a host, and a program: two devices of one account with the same program are one, and
/// an update of the program is no second client. Its version is that of its last report. Of each tag the sink
/// keeps when the client last said that it has it latched, that it supports it unlatched, and that it failed, and
/// how often. Later news do not undo earlier ones, and reports may come in any order: a latch counts until nobody
/// has confirmed it since the time that is asked for. But whether a client fails now is what its last report says;
/// of two in the same second, that which came later.
///
/// The clock is the caller's; times are kept in whole seconds. The trait has boxed futures so that
/// `Arc<dyn ReportSink>` is one, whichever sink the configuration names.
pub trait ReportSink: Send + Sync {
    /// Keeps a report, all of it or nothing.
    ///
    /// # Errors
    /// When a limit is reached, and when it may not have been kept.
    fn record<'a>(&'a self, report: &'a ReceivedReport<'a>) -> SinkFuture<'a, ()>;

    /// How many clients there are of each tag, those that most have latched first, at most [`MAX_ROWS`].
    ///
    /// # Errors
    /// When the sink cannot tell.
    fn clients_by_tag<'a>(&'a self, of: Clients<'a>) -> SinkFuture<'a, Vec<TagCount>>;

    /// Returns how many clients there are of each program, and of its versions.
    ///
    /// # Errors
    /// When the sink cannot tell.
    fn clients_by_software<'a>(&'a self, of: Clients<'a>) -> SinkFuture<'a, SoftwareCounts>;

    /// Which clients have a tag latched, and said so in the time asked for: they refuse to connect once the
    /// server has it no more.
    ///
    /// # Errors
    /// When the sink cannot tell.
    fn what_breaks_if_dropped<'a>(
        &'a self,
        tag: &'a SecurityTag<'a>,
        of: Clients<'a>,
    ) -> SinkFuture<'a, WhatBreaks>;

    /// Returns which tags and hosts there are reports of. An answer of 0 clients about another one is no answer.
    ///
    /// # Errors
    /// When the sink cannot tell.
    fn names(&self) -> SinkFuture<'_, SinkNames>;

    /// Forgets records of which nothing was reported since `before`, at most [`CLIENTS_PER_BATCH`], and says how many: call
    /// again if it was as many. A client has a record for each version of its program.
    ///
    /// # Errors
    /// When some may be left.
    fn purge(&self, before: SystemTime) -> SinkFuture<'_, u64>;

    /// Forgets all clients of an account, e.g. one that was closed, and says how many records they had.
    ///
    /// # Errors
    /// When some may be left.
    fn forget<'a>(&'a self, account: &'a str) -> SinkFuture<'a, u64>;
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Returns a time as the seconds since 1970 that a sink keeps.
///
/// # Errors
/// Returns [`ReportSinkErrorKind::Time`] for a time before 1970, or one that does not fit.
pub fn to_seconds(time: SystemTime) -> Result<i64, ReportSinkErrorKind> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok();
    let seconds = since.and_then(|since| i64::try_from(since.as_secs()).ok());
    seconds.ok_or(ReportSinkErrorKind::Time)
}

/// Returns the time that a sink kept as seconds since 1970.
///
/// # Errors
/// Returns [`ReportSinkErrorKind::Unreadable`] for a negative number, or a time that does not fit.
pub fn from_seconds(seconds: i64) -> Result<SystemTime, ReportSinkErrorKind> {
    let since = u64::try_from(seconds).ok().map(Duration::from_secs);
    let time = since.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
    time.ok_or(ReportSinkErrorKind::Unreadable)
}
