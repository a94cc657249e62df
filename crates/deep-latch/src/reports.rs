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

/// The most tags of a client. The registry has four.
pub const MAX_TAGS_PER_CLIENT: usize = 64;

/// The most records, i.e. versions of programs, of an account on a host: those of a household over years. More records are
/// refused until old ones are purged, so that one account cannot fill the sink.
pub const MAX_CLIENTS_PER_ACCOUNT: usize = 256;

/// The most tags, and the most names, of an answer: those with the most clients.
pub const MAX_ROWS: usize = 1000;

/// The most programs of an answer: those with the most clients. The totals include the rest.
pub const MAX_PROGRAMS: usize = 200;

/// The most versions of each program of an answer: those with the most clients. The program's numbers include the rest.
pub const MAX_VERSIONS: usize = 20;

/// The most records of clients that one call purges.
pub const CLIENTS_PER_BATCH: usize = 1000;

/// The selection of clients that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clients<'a> {
    /// The beginning of the period: clients without a report since then, and earlier reports, do not count.
    pub since: SystemTime,
    /// The host; `None` selects all hosts.
    pub host: Option<&'a Host>,
}

impl Clients<'_> {
    /// Selects the clients of all hosts.
    #[must_use]
    pub const fn since(since: SystemTime) -> Self {
        Self { since, host: None }
    }
}

/// The answer of a sink. Dropping it unfinished is safe: the operation is done or not done.
pub type SinkFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, ReportSinkError>> + Send + 'a>>;

/// A sink in which a server keeps the reports of clients: "Servers MAY record this information so administrators know
/// the expected privacy level of the client and can thus act to avoid security latch failures"
/// (draft-newman-email-deep-02 section 7.1).
///
/// A client is an account, a host, and a program: two devices of one account with the same program are one client, and so
/// are two versions of the program. The client's version is that of its last report. For each tag the sink keeps the time
/// at which the client last reported it as latched, as supported, and as failed, and the number of failures.
///
/// An implementation must keep this contract:
/// - Reports may arrive in any order. A later report does not undo an earlier one: a latch counts if a report in the
///   period confirms it.
/// - A client is failing if its last report says so; of two reports in the same second, the one that arrived later is
///   the last.
/// - A report that [`record`](Self::record) has confirmed survives the process and the machine.
/// - Calls may be concurrent, in one process and in several.
///
/// The clock is the caller's; times are kept in whole seconds. [`SoftwareRow`] and [`ReceivedReport`] are the parts of an
/// implementation. Futures are boxed so that the trait is dyn-compatible: `Arc<dyn ReportSink>` can be any sink that the
/// configuration names.
pub trait ReportSink: Send + Sync {
    /// Keeps a report, as a whole or not at all.
    ///
    /// # Errors
    /// Returns [`ReportSinkErrorKind::TooManyClients`] or [`ReportSinkErrorKind::TooManyTags`] if a limit is reached, and
    /// another kind if the report may not have been kept.
    fn record<'a>(&'a self, report: &'a ReceivedReport<'a>) -> SinkFuture<'a, ()>;

    /// Counts the clients of each tag. The tags that most clients have latched are first; at most [`MAX_ROWS`] are
    /// returned.
    ///
    /// # Errors
    /// Returns the kind of the failure if the sink cannot answer.
    fn clients_by_tag<'a>(&'a self, of: Clients<'a>) -> SinkFuture<'a, Vec<TagCount>>;

    /// Counts the clients of each program, and of its versions.
    ///
    /// # Errors
    /// Returns the kind of the failure if the sink cannot answer.
    fn clients_by_software<'a>(&'a self, of: Clients<'a>) -> SinkFuture<'a, SoftwareCounts>;

    /// Counts the clients that have a tag latched, by reports in the period: they refuse to connect once the server does
    /// not achieve the tag any more. The case of letters in `tag` does not matter.
    ///
    /// # Errors
    /// Returns the kind of the failure if the sink cannot answer.
    fn what_breaks_if_dropped<'a>(
        &'a self,
        tag: &'a SecurityTag<'a>,
        of: Clients<'a>,
    ) -> SinkFuture<'a, WhatBreaks>;

    /// Returns the names of the tags and hosts in reports. A count of 0 clients for another name does not mean that
    /// clients would not be affected.
    ///
    /// # Errors
    /// Returns the kind of the failure if the sink cannot answer.
    fn names(&self) -> SinkFuture<'_, SinkNames>;

    /// Deletes records without a report since `before`, at most [`CLIENTS_PER_BATCH`], and returns their number. The
    /// caller repeats the call after a full batch. A client has a record for each version of its program.
    ///
    /// # Errors
    /// Returns the kind of the failure if records may remain.
    fn purge(&self, before: SystemTime) -> SinkFuture<'_, u64>;

    /// Deletes all clients of an account, e.g. of one that was closed, and returns the number of their records. `account`
    /// is compared byte by byte.
    ///
    /// # Errors
    /// Returns the kind of the failure if records may remain.
    fn forget<'a>(&'a self, account: &'a str) -> SinkFuture<'a, u64>;
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Returns a time as the seconds since 1970 that a sink keeps. It is a function, as both types are of the standard
/// library.
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
