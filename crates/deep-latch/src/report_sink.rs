//! Feature `report-sink`: what clients report to a server (draft-newman-email-deep-02 section 7), kept, so
//! that an operator knows what breaks before changing anything. What is kept, the questions, and a sink in
//! memory.

#[cfg(feature = "comfy-table")]
mod table;

use alloc::{
    borrow::ToOwned,
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use core::{cmp::Reverse, error::Error, fmt, future::Future, pin::Pin};
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use crate::{host::Host, protocol::MailProtocol, report::ClientReport, tag::SecurityTag};

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

/// A report that a server has received, and what the server knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedReport<'a> {
    pub(crate) account: &'a str,
    pub(crate) host: &'a Host,
    pub(crate) protocol: MailProtocol,
    pub(crate) seconds: i64,
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) tags: BTreeMap<String, Mention>,
}

/// How a report mentions a tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mention {
    pub(crate) latched: bool,
    pub(crate) supported: bool,
    pub(crate) failed: bool,
}

/// Why a report is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportRefusal {
    /// The account is empty, or longer than [`MAX_REPORT_ACCOUNT_BYTES`].
    AccountLength,
    /// The client's name is longer than [`MAX_SOFTWARE_BYTES`].
    NameTooLong,
    /// The client's version is longer than [`MAX_SOFTWARE_BYTES`].
    VersionTooLong,
    /// Account, name or version has a NUL, which databases do not keep.
    Nul,
    /// More than [`MAX_TAGS_PER_CLIENT`] tags.
    TooManyTags,
    /// The time is before 1970, or too far away to be kept.
    Time,
}

impl fmt::Display for ReportRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccountLength => {
                write!(
                    f,
                    "account of no or more than {MAX_REPORT_ACCOUNT_BYTES} bytes"
                )
            }
            Self::NameTooLong => write!(f, "name of more than {MAX_SOFTWARE_BYTES} bytes"),
            Self::VersionTooLong => write!(f, "version of more than {MAX_SOFTWARE_BYTES} bytes"),
            Self::Nul => f.write_str("NUL in account, name or version"),
            Self::TooManyTags => write!(f, "more than {MAX_TAGS_PER_CLIENT} tags"),
            Self::Time => f.write_str("time before 1970 or too far away"),
        }
    }
}

impl Error for ReportRefusal {}

impl<'a> ReceivedReport<'a> {
    /// A report, with whom it is from, which host of the provider's it was sent to, how, and when.
    ///
    /// `account` is the authenticated account, or, of a client that has not logged in, another key of the
    /// caller's, e.g. its address: reports before login, or without TLS, can be anybody's, and are best kept
    /// under keys that no account has. A tag of `latch-fail` is a latched one, as section 7.1 says.
    ///
    /// # Errors
    /// When a value is over its limit. Nothing is cut off: to count a client all the same, take its name
    /// or version out of the report.
    pub fn try_new(
        account: &'a str,
        host: &'a Host,
        protocol: MailProtocol,
        at: SystemTime,
        report: &'a ClientReport,
    ) -> Result<Self, ReportRefusal> {
        let name = report.name.as_deref().unwrap_or_default();
        let version = report.version.as_deref().unwrap_or_default();
        if !(1..=MAX_REPORT_ACCOUNT_BYTES).contains(&account.len()) {
            return Err(ReportRefusal::AccountLength);
        }
        if name.len() > MAX_SOFTWARE_BYTES {
            return Err(ReportRefusal::NameTooLong);
        }
        if version.len() > MAX_SOFTWARE_BYTES {
            return Err(ReportRefusal::VersionTooLong);
        }
        if [account, name, version]
            .iter()
            .any(|text| text.contains('\0'))
        {
            return Err(ReportRefusal::Nul);
        }
        let mut tags: BTreeMap<String, Mention> = BTreeMap::new();
        let mut mention = |listed: &[SecurityTag<'_>], set: fn(&mut Mention)| {
            for tag in listed {
                set(tags.entry(spelt(tag)).or_default());
            }
        };
        mention(&report.latch, |tag| tag.latched = true);
        mention(&report.latch_fail, |tag| {
            tag.latched = true;
            tag.failed = true;
        });
        mention(&report.security_tags, |tag| tag.supported = true);
        if tags.len() > MAX_TAGS_PER_CLIENT {
            return Err(ReportRefusal::TooManyTags);
        }
        Ok(Self {
            account,
            host,
            protocol,
            seconds: to_seconds(at).ok_or(ReportRefusal::Time)?,
            name,
            version,
            tags,
        })
    }
}

/// A tag in the one spelling that a sink keeps.
pub(crate) fn spelt(tag: &SecurityTag<'_>) -> String {
    tag.as_str().to_ascii_lowercase()
}

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

/// The numbers of clients of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagCount {
    /// The tag, in lower case.
    pub tag: SecurityTag<'static>,
    /// How many have it latched.
    pub latched: u64,
    /// How many support it, and have not latched it.
    pub not_latched: u64,
    /// How many could not achieve it by their last report.
    pub failing: u64,
    /// How often clients could not achieve it, as long as they are kept.
    pub failures: u64,
    /// When one could not last.
    pub last_failure: Option<SystemTime>,
}

/// The clients of a version of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionCount {
    /// The version, if the program says. These are the client's words: escape them for display.
    pub version: Option<String>,
    /// How many: accounts on a host, by the version of their last report.
    pub clients: u64,
    /// When one reported last.
    pub last_seen: SystemTime,
}

/// The clients of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramCount {
    /// The program's name, if it says. These are the client's words: escape them for display.
    pub name: Option<String>,
    /// How many: accounts on a host.
    pub clients: u64,
    /// When one reported last.
    pub last_seen: SystemTime,
    /// Its versions, those of most clients first, at most [`MAX_VERSIONS`].
    pub versions: Vec<VersionCount>,
    /// How many versions were left off.
    pub versions_left_off: u64,
}

/// The numbers of clients of each program, and of its versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SoftwareCounts {
    /// Those of most clients first, at most [`MAX_PROGRAMS`].
    pub programs: Vec<ProgramCount>,
    /// All clients, those of programs that were left off too.
    pub clients: u64,
    /// How many programs were left off.
    pub programs_left_off: u64,
}

/// The clients of a version of a program that have a tag latched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenVersion {
    /// The version, if the program says. These are the client's words: escape them for display.
    pub version: Option<String>,
    /// How many: accounts on a host, by the version of their last report.
    pub clients: u64,
    /// How many clients of this version there are, whether or not they have it latched.
    pub of: u64,
    /// When one of those that have it latched reported last.
    pub last_seen: SystemTime,
    /// How many of them could not achieve the tag by their last report: these are broken already.
    pub failing: u64,
    /// When one of them could not last.
    pub last_failure: Option<SystemTime>,
}

/// The clients of a program that have a tag latched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenProgram {
    /// The program's name, if it says. These are the client's words: escape them for display.
    pub name: Option<String>,
    /// How many: accounts on a host.
    pub clients: u64,
    /// How many clients of this program there are, whether or not they have it latched.
    pub of: u64,
    /// When one of those that have it latched reported last.
    pub last_seen: SystemTime,
    /// How many of them could not achieve the tag by their last report: these are broken already.
    pub failing: u64,
    /// When one of them could not last.
    pub last_failure: Option<SystemTime>,
    /// Its versions, those of most clients first, at most [`MAX_VERSIONS`].
    pub versions: Vec<BrokenVersion>,
    /// How many versions that have it latched were left off.
    pub versions_left_off: u64,
}

/// "What breaks if I drop this tag?": the clients that have it latched, and would refuse to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhatBreaks {
    /// The tag, in lower case.
    pub tag: SecurityTag<'static>,
    /// Those of most clients first, at most [`MAX_PROGRAMS`].
    pub programs: Vec<BrokenProgram>,
    /// All clients that have it latched, those of programs that were left off too.
    pub clients: u64,
    /// How many clients there are in all, whether or not they have it latched.
    pub of: u64,
    /// How many could not achieve it by their last report.
    pub failing: u64,
    /// How many programs were left off.
    pub programs_left_off: u64,
}

/// The names in a sink, so that a question about another one can be answered by that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkNames {
    /// The number of clients, of all times.
    pub clients: u64,
    /// When one reported last; nothing in a sink without reports.
    pub last_report: Option<SystemTime>,
    /// The tags that clients reported, in lower case, those of most clients first, at most [`MAX_ROWS`].
    pub tags: Vec<SecurityTag<'static>>,
    /// The hosts that clients reported to, those of most clients first, at most [`MAX_ROWS`].
    pub hosts: Vec<Host>,
}

/// What went wrong in a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportSinkErrorKind {
    /// The account has [`MAX_CLIENTS_PER_ACCOUNT`] others on this host.
    TooManyClients,
    /// The client would have more than [`MAX_TAGS_PER_CLIENT`] tags.
    TooManyTags,
    /// A given time is before 1970, or too far away to be kept.
    Time,
    /// The database, its directory, or its tables do not exist.
    Missing,
    /// The database cannot be reached, is busy for too long, or failed. A change may have been made.
    Unavailable,
    /// The database is damaged or empty, or holds something that is not a report.
    Unreadable,
    /// The database's schema is of a version this crate does not know, or was changed.
    Version,
    /// The database is set up so that what it has confirmed can be lost.
    NotDurable,
    /// The database's files belong to another user, or are open to other users.
    Exposed,
    /// The sink was opened to be read only, or the user may only read.
    ReadOnly,
    /// The database's server is elsewhere, and the connection would not verify who it is.
    UnverifiedServer,
}

impl ReportSinkErrorKind {
    /// The kind's name, for logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooManyClients => "too-many-clients",
            Self::TooManyTags => "too-many-tags",
            Self::Time => "time",
            Self::Missing => "missing",
            Self::Unavailable => "unavailable",
            Self::Unreadable => "unreadable",
            Self::Version => "version",
            Self::NotDurable => "not-durable",
            Self::Exposed => "exposed",
            Self::ReadOnly => "read-only",
            Self::UnverifiedServer => "unverified-server",
        }
    }
}

/// A sink's error: its kind, the file or server, and what the database said as its source.
#[derive(Debug)]
pub struct ReportSinkError {
    kind: ReportSinkErrorKind,
    place: Option<Box<str>>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ReportSinkError {
    /// An error of a sink.
    #[must_use]
    pub fn new(kind: ReportSinkErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..kind.into()
        }
    }

    /// Returns the kind of the error.
    #[must_use]
    pub const fn kind(&self) -> ReportSinkErrorKind {
        self.kind
    }

    /// Returns the path of the database, quoted, or its server as `HOST:PORT/DATABASE`.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }
}

impl From<ReportSinkErrorKind> for ReportSinkError {
    fn from(kind: ReportSinkErrorKind) -> Self {
        Self {
            kind,
            place: None,
            source: None,
        }
    }
}

#[cfg(any(feature = "sqlx-postgres", feature = "sqlx-sqlite"))]
impl ReportSinkError {
    pub(crate) fn of_database(error: durable_store::Error) -> Self {
        use durable_store::ErrorKind;
        let kind = match error.kind() {
            ErrorKind::Missing => ReportSinkErrorKind::Missing,
            ErrorKind::Damaged | ErrorKind::Unreadable => ReportSinkErrorKind::Unreadable,
            ErrorKind::Version => ReportSinkErrorKind::Version,
            ErrorKind::NotDurable | ErrorKind::Linked => ReportSinkErrorKind::NotDurable,
            ErrorKind::Exposed => ReportSinkErrorKind::Exposed,
            ErrorKind::ReadOnly => ReportSinkErrorKind::ReadOnly,
            ErrorKind::UnverifiedServer => ReportSinkErrorKind::UnverifiedServer,
            _ => ReportSinkErrorKind::Unavailable,
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

impl fmt::Display for ReportSinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ReportSinkErrorKind::TooManyClients => "the account has too many clients",
            ReportSinkErrorKind::TooManyTags => "the client has too many tags",
            ReportSinkErrorKind::Time => "time before 1970 or too far away",
            ReportSinkErrorKind::Missing => "the report database does not exist",
            ReportSinkErrorKind::Unavailable => "the report database did not answer",
            ReportSinkErrorKind::Unreadable => "the report database holds what cannot be read",
            ReportSinkErrorKind::Version => "the report database is of an unknown version",
            ReportSinkErrorKind::NotDurable => {
                "the report database is set up to lose what it confirmed"
            }
            ReportSinkErrorKind::Exposed => "the report database is open to other users",
            ReportSinkErrorKind::ReadOnly => "the report database is open to be read only",
            ReportSinkErrorKind::UnverifiedServer => {
                "the report database is elsewhere and would not be verified"
            }
        })?;
        match &self.place {
            Some(place) => write!(f, ": {place}"),
            None => Ok(()),
        }
    }
}

impl Error for ReportSinkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_deref()?)
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

/// Reports in memory: gone with the process, and not shared with another. For tests, and for small servers;
/// each question looks at each client.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use deep_latch::{
///     ClientReport, Clients, Host, MemoryReportSink, MailProtocol, ReceivedReport, ReportSink, SecurityTag,
/// };
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (sink, now) = (MemoryReportSink::new(), SystemTime::now());
/// let host = Host::try_new("imap.example.com")?;
/// // What example 1 of section 7.1 reports.
/// let report = ClientReport {
///     name: Some("Demo Mail".into()),
///     version: Some("1.5".into()),
///     latch: vec![SecurityTag::TLS10, SecurityTag::TLS_CERT],
///     security_tags: vec![SecurityTag::TLS12],
///     ..ClientReport::default()
/// };
/// sink.record(&ReceivedReport::try_new("alice", &host, MailProtocol::Imap, now, &report)?).await?;
///
/// let last_month = Clients::since(now - Duration::from_secs(30 * 86_400));
/// let breaks = sink.what_breaks_if_dropped(&SecurityTag::TLS_CERT, last_month).await?;
/// assert_eq!((breaks.clients, breaks.of), (1, 1));
/// assert_eq!(breaks.programs[0].name.as_deref(), Some("Demo Mail"));
/// let breaks = sink.what_breaks_if_dropped(&SecurityTag::TLS12, last_month).await?;
/// assert_eq!(breaks.clients, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct MemoryReportSink {
    clients: Mutex<BTreeMap<Key, Client>>,
}

/// Which client.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    account: String,
    host: Host,
    name: String,
    version: String,
}

/// What is kept of a client. Times are seconds since 1970.
struct Client {
    last_seen: i64,
    /// The number of the last report: those that come too late have none.
    reports: u64,
    tags: BTreeMap<String, Tag>,
}

#[derive(Clone, Copy, Default)]
struct Tag {
    latched_at: Option<i64>,
    supported_at: Option<i64>,
    failed_at: Option<i64>,
    /// The report in which it failed last.
    failed_in: Option<u64>,
    failures: u64,
}

impl MemoryReportSink {
    /// A sink without reports.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Does this when it is awaited.
    fn with<'a, T>(
        &'a self,
        what: impl FnOnce(&mut BTreeMap<Key, Client>) -> Result<T, ReportSinkError> + Send + 'a,
    ) -> SinkFuture<'a, T> {
        Box::pin(
            async move { what(&mut self.clients.lock().unwrap_or_else(PoisonError::into_inner)) },
        )
    }
}

impl ReportSink for MemoryReportSink {
    fn record<'a>(&'a self, report: &'a ReceivedReport<'a>) -> SinkFuture<'a, ()> {
        self.with(move |clients| {
            let key = Key {
                account: report.account.to_owned(),
                host: report.host.clone(),
                name: report.name.to_owned(),
                version: report.version.to_owned(),
            };
            // The first that a client of this account on this host can be.
            let first = Key {
                name: String::new(),
                version: String::new(),
                ..key.clone()
            };
            let of_account = |other: &&Key| other.account == key.account && other.host == key.host;
            let of_account = || {
                let from_first = clients.range(&first..).map(|(other, _)| other);
                from_first.take_while(of_account).count()
            };
            match clients.get(&key) {
                Some(client) => {
                    let new = |tag: &&String| !client.tags.contains_key(*tag);
                    let new = report.tags.keys().filter(new).count();
                    if client.tags.len().saturating_add(new) > MAX_TAGS_PER_CLIENT {
                        return Err(ReportSinkErrorKind::TooManyTags.into());
                    }
                }
                None if of_account() >= MAX_CLIENTS_PER_ACCOUNT => {
                    return Err(ReportSinkErrorKind::TooManyClients.into());
                }
                None => {}
            }
            let now = report.seconds;
            let client = clients.entry(key).or_insert_with(|| Client {
                last_seen: now,
                reports: 0,
                tags: BTreeMap::new(),
            });
            let is_last = now >= client.last_seen;
            client.last_seen = client.last_seen.max(now);
            client.reports = client.reports.saturating_add(u64::from(is_last));
            for (tag, mention) in &report.tags {
                let tag = client.tags.entry(tag.clone()).or_default();
                let later = |at: &mut Option<i64>, mentioned: bool| {
                    *at = (*at).max(mentioned.then_some(now));
                };
                later(&mut tag.latched_at, mention.latched);
                later(&mut tag.supported_at, mention.supported);
                later(&mut tag.failed_at, mention.failed);
                if mention.failed && is_last {
                    tag.failed_in = Some(client.reports);
                }
                tag.failures = tag.failures.saturating_add(u64::from(mention.failed));
            }
            Ok(())
        })
    }

    fn clients_by_tag<'a>(&'a self, of: Clients<'a>) -> SinkFuture<'a, Vec<TagCount>> {
        self.with(move |clients| {
            let since = seconds(of.since)?;
            let recent = |at: Option<i64>| at.is_some_and(|at| at >= since);
            let mut counts: BTreeMap<&str, TagCount> = BTreeMap::new();
            for client in seen(clients, of, since) {
                for (name, tag) in client.tags() {
                    let entry = counts.entry(name);
                    let count = entry.or_insert_with(|| TagCount::new(read_tag_unchecked(name)));
                    let add = |to: &mut u64, one: bool| *to = to.saturating_add(u64::from(one));
                    let latched = recent(tag.latched_at);
                    add(&mut count.latched, latched);
                    add(&mut count.not_latched, recent(tag.supported_at) && !latched);
                    add(&mut count.failing, tag.failing);
                    count.failures = count.failures.saturating_add(tag.failures);
                    let last = tag.failed_at.and_then(from_seconds);
                    count.last_failure = count.last_failure.max(last);
                }
            }
            let mut counts: Vec<_> = counts.into_values().collect();
            // Stable: those of as many stay in the order of their names.
            counts.sort_by_key(|count| Reverse(count.latched));
            counts.truncate(MAX_ROWS);
            Ok(counts)
        })
    }

    fn clients_by_software<'a>(&'a self, of: Clients<'a>) -> SinkFuture<'a, SoftwareCounts> {
        self.with(move |clients| {
            let since = seconds(of.since)?;
            let mut rows = BTreeMap::new();
            for client in seen(clients, of, since) {
                let row = row_of(&mut rows, &client);
                row.of = row.of.saturating_add(1);
                row.clients = row.clients.saturating_add(1);
                row.last_seen = row.last_seen.max(client.last_seen);
            }
            SoftwareCounts::of_rows(rows.into_values())
        })
    }

    fn what_breaks_if_dropped<'a>(
        &'a self,
        tag: &'a SecurityTag<'a>,
        of: Clients<'a>,
    ) -> SinkFuture<'a, WhatBreaks> {
        self.with(move |clients| {
            let since = seconds(of.since)?;
            let asked = spelt(tag);
            let mut rows = BTreeMap::new();
            for client in seen(clients, of, since) {
                let row = row_of(&mut rows, &client);
                row.of = row.of.saturating_add(1);
                let tags = client.tags();
                let latched = tags
                    .get(&*asked)
                    .filter(|tag| tag.latched_at >= Some(since));
                let Some(tag) = latched else {
                    continue;
                };
                row.clients = row.clients.saturating_add(1);
                row.last_seen = row.last_seen.max(client.last_seen);
                row.failing = row.failing.saturating_add(u64::from(tag.failing));
                let failed_at = tag.failed_at.filter(|at| *at >= since);
                row.failed_at = row.failed_at.max(failed_at);
            }
            WhatBreaks::of_rows(read_tag_unchecked(&asked), rows.into_values())
        })
    }

    fn names(&self) -> SinkFuture<'_, SinkNames> {
        self.with(|clients| {
            let mut tags: BTreeMap<&str, u64> = BTreeMap::new();
            let mut hosts: BTreeMap<&str, u64> = BTreeMap::new();
            let add = |count: &mut u64| *count = count.saturating_add(1);
            for (key, client) in &*clients {
                add(hosts.entry(key.host.as_str()).or_default());
                client
                    .tags
                    .keys()
                    .for_each(|tag| add(tags.entry(tag).or_default()));
            }
            let most = |counts: BTreeMap<&str, u64>| {
                let mut names: Vec<_> = counts.into_iter().collect();
                names.sort_by_key(|(_, count)| Reverse(*count));
                let names = names.into_iter().map(|(name, _)| name.to_owned());
                names.take(MAX_ROWS).collect::<Vec<_>>()
            };
            let programs: BTreeSet<_> = clients
                .keys()
                .map(|key| (&key.account, &key.host, &key.name))
                .collect();
            let last = clients.values().map(|client| client.last_seen).max();
            let tags = most(tags).into_iter();
            let hosts = most(hosts).into_iter().map(|host| Host::try_new(&host));
            Ok(SinkNames {
                clients: number(programs.len()),
                last_report: last.and_then(from_seconds),
                tags: tags.map(|tag| read_tag_unchecked(&tag)).collect(),
                hosts: hosts
                    .collect::<Result<_, _>>()
                    .map_err(|_| ReportSinkErrorKind::Unreadable)?,
            })
        })
    }

    fn purge(&self, before: SystemTime) -> SinkFuture<'_, u64> {
        self.with(move |clients| {
            let before = seconds(before)?;
            let old = |(_, client): &(&Key, &Client)| client.last_seen < before;
            let mut old: Vec<_> = clients.iter().filter(old).collect();
            old.sort_by_key(|(_, client)| client.last_seen);
            let old = old.into_iter().take(CLIENTS_PER_BATCH);
            let old: BTreeSet<Key> = old.map(|(key, _)| key.clone()).collect();
            clients.retain(|key, _| !old.contains(key));
            Ok(number(old.len()))
        })
    }

    fn forget<'a>(&'a self, account: &'a str) -> SinkFuture<'a, u64> {
        self.with(move |clients| {
            let before = clients.len();
            clients.retain(|key, _| key.account != account);
            Ok(number(before.saturating_sub(clients.len())))
        })
    }
}

impl fmt::Debug for MemoryReportSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReportSink").finish_non_exhaustive()
    }
}

/// A client, of all the versions of its program that reported in the period.
struct Seen<'c> {
    name: &'c str,
    /// The version of the last report.
    version: &'c str,
    last_seen: i64,
    /// The versions, that of the last report among them.
    versions: Vec<(&'c Key, &'c Client)>,
}

/// A tag of all versions of a client.
#[derive(Default)]
struct SeenTag {
    latched_at: Option<i64>,
    supported_at: Option<i64>,
    failed_at: Option<i64>,
    failing: bool,
    failures: u64,
}

/// The clients of the period, in the order of accounts, hosts and programs.
fn seen<'c>(clients: &'c BTreeMap<Key, Client>, of: Clients<'_>, since: i64) -> Vec<Seen<'c>> {
    let mut seen: Vec<Seen<'c>> = Vec::new();
    let included = |(key, client): &(&Key, &Client)| {
        client.last_seen >= since && of.host.is_none_or(|host| *host == key.host)
    };
    let program = |key: &'c Key| (&key.account, &key.host, &key.name);
    for (key, client) in clients.iter().filter(included) {
        let same = seen.last_mut().filter(|last| {
            let first = last.versions.first();
            first.is_some_and(|(first, _)| program(first) == program(key))
        });
        match same {
            Some(last) => {
                last.versions.push((key, client));
                // Of two in the same second, the greater version is the later one.
                if client.last_seen >= last.last_seen {
                    (last.version, last.last_seen) = (&key.version, client.last_seen);
                }
            }
            None => seen.push(Seen {
                name: &key.name,
                version: &key.version,
                last_seen: client.last_seen,
                versions: Vec::from([(key, client)]),
            }),
        }
    }
    seen
}

impl<'c> Seen<'c> {
    fn tags(&self) -> BTreeMap<&'c str, SeenTag> {
        let mut tags: BTreeMap<&str, SeenTag> = BTreeMap::new();
        for (key, client) in &self.versions {
            for (name, tag) in &client.tags {
                let merged = tags.entry(name).or_default();
                merged.latched_at = merged.latched_at.max(tag.latched_at);
                merged.supported_at = merged.supported_at.max(tag.supported_at);
                merged.failed_at = merged.failed_at.max(tag.failed_at);
                let in_last = tag.failed_in == Some(client.reports);
                merged.failing |= in_last && key.version == self.version;
                merged.failures = merged.failures.saturating_add(tag.failures);
            }
        }
        tags
    }
}

/// The row of a client's program and version.
fn row_of<'r, 'c>(
    rows: &'r mut BTreeMap<(&'c str, &'c str), SoftwareRow>,
    client: &Seen<'c>,
) -> &'r mut SoftwareRow {
    let of = (client.name, client.version);
    rows.entry(of).or_insert_with(|| SoftwareRow {
        name: client.name.to_owned(),
        version: client.version.to_owned(),
        ..SoftwareRow::default()
    })
}

/// The clients of a version of a program, as a database gives them: only some of `of` are those asked for.
#[derive(Clone, Default)]
pub(crate) struct SoftwareRow {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) clients: u64,
    pub(crate) of: u64,
    pub(crate) last_seen: i64,
    pub(crate) failing: u64,
    pub(crate) failed_at: Option<i64>,
}

/// A program of rows: what its versions sum up to.
#[derive(Default)]
struct Program {
    sum: SoftwareRow,
    versions: Vec<SoftwareRow>,
}

/// The programs of some rows, those of most clients first, and each with its versions, those of most clients
/// first; without those that have none.
fn programs(rows: impl Iterator<Item = SoftwareRow>) -> Vec<Program> {
    let mut programs: BTreeMap<String, Program> = BTreeMap::new();
    for row in rows {
        let program = programs.entry(row.name.clone()).or_default();
        let sum = &mut program.sum;
        sum.name.clone_from(&row.name);
        sum.clients = sum.clients.saturating_add(row.clients);
        sum.of = sum.of.saturating_add(row.of);
        sum.last_seen = sum.last_seen.max(row.last_seen);
        sum.failing = sum.failing.saturating_add(row.failing);
        sum.failed_at = sum.failed_at.max(row.failed_at);
        if row.clients > 0 {
            program.versions.push(row);
        }
    }
    let mut programs: Vec<_> = programs.into_values().collect();
    programs.retain(|program| program.sum.clients > 0);
    programs.sort_by_key(|program| Reverse(program.sum.clients));
    for program in &mut programs {
        let versions = &mut program.versions;
        versions.sort_by(|one, other| {
            let by_clients = other.clients.cmp(&one.clients);
            by_clients.then_with(|| one.version.cmp(&other.version))
        });
    }
    programs
}

/// The most that an answer has, and how many were left off.
fn most<T>(mut all: Vec<T>, most: usize) -> (Vec<T>, u64) {
    let left_off = number(all.len().saturating_sub(most));
    all.truncate(most);
    (all, left_off)
}

fn kept_time(seconds: i64) -> Result<SystemTime, ReportSinkError> {
    from_seconds(seconds).ok_or_else(|| ReportSinkErrorKind::Unreadable.into())
}

impl SoftwareCounts {
    pub(crate) fn of_rows(
        rows: impl Iterator<Item = SoftwareRow>,
    ) -> Result<Self, ReportSinkError> {
        let programs = programs(rows);
        let clients = programs.iter().map(|program| program.sum.clients);
        let clients = clients.fold(0, u64::saturating_add);
        let (programs, programs_left_off) = most(programs, MAX_PROGRAMS);
        let programs = programs.into_iter().map(|Program { sum, versions }| {
            let (versions, versions_left_off) = most(versions, MAX_VERSIONS);
            let versions = versions.into_iter().map(|row| {
                Ok(VersionCount {
                    version: said(row.version),
                    clients: row.clients,
                    last_seen: kept_time(row.last_seen)?,
                })
            });
            Ok(ProgramCount {
                name: said(sum.name),
                clients: sum.clients,
                last_seen: kept_time(sum.last_seen)?,
                versions: versions.collect::<Result<_, ReportSinkError>>()?,
                versions_left_off,
            })
        });
        Ok(Self {
            programs: programs.collect::<Result<_, ReportSinkError>>()?,
            clients,
            programs_left_off,
        })
    }
}

impl WhatBreaks {
    pub(crate) fn of_rows(
        tag: SecurityTag<'static>,
        rows: impl Iterator<Item = SoftwareRow>,
    ) -> Result<Self, ReportSinkError> {
        let mut of = 0_u64;
        let rows = rows.inspect(|row| of = of.saturating_add(row.of));
        let programs = programs(rows);
        let sum = |count: fn(&SoftwareRow) -> u64| {
            let counts = programs.iter().map(|program| count(&program.sum));
            counts.fold(0, u64::saturating_add)
        };
        let (clients, failing) = (sum(|sum| sum.clients), sum(|sum| sum.failing));
        let (programs, programs_left_off) = most(programs, MAX_PROGRAMS);
        let programs = programs.into_iter().map(|Program { sum, versions }| {
            let (versions, versions_left_off) = most(versions, MAX_VERSIONS);
            let versions = versions.into_iter().map(|row| {
                Ok(BrokenVersion {
                    version: said(row.version),
                    clients: row.clients,
                    of: row.of,
                    last_seen: kept_time(row.last_seen)?,
                    failing: row.failing,
                    last_failure: row.failed_at.map(kept_time).transpose()?,
                })
            });
            Ok(BrokenProgram {
                name: said(sum.name),
                clients: sum.clients,
                of: sum.of,
                last_seen: kept_time(sum.last_seen)?,
                failing: sum.failing,
                last_failure: sum.failed_at.map(kept_time).transpose()?,
                versions: versions.collect::<Result<_, ReportSinkError>>()?,
                versions_left_off,
            })
        });
        Ok(Self {
            tag,
            programs: programs.collect::<Result<_, ReportSinkError>>()?,
            clients,
            of,
            failing,
            programs_left_off,
        })
    }
}

impl TagCount {
    pub(crate) const fn new(tag: SecurityTag<'static>) -> Self {
        Self {
            tag,
            latched: 0,
            not_latched: 0,
            failing: 0,
            failures: 0,
            last_failure: None,
        }
    }
}

/// A name or version that is kept as nothing was not given.
pub(crate) fn said(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// A tag that a report had.
fn read_tag_unchecked(tag: &str) -> SecurityTag<'static> {
    SecurityTag::trusted(tag).into_owned()
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

pub(crate) fn seconds(time: SystemTime) -> Result<i64, ReportSinkErrorKind> {
    to_seconds(time).ok_or(ReportSinkErrorKind::Time)
}

/// Seconds since 1970 as a database keeps them.
fn to_seconds(time: SystemTime) -> Option<i64> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// The time that a database has kept.
pub(crate) fn from_seconds(seconds: i64) -> Option<SystemTime> {
    let since = Duration::from_secs(u64::try_from(seconds).ok()?);
    SystemTime::UNIX_EPOCH.checked_add(since)
}
