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

/// How many clients, i.e. versions of software, are kept of an account on a host: a household's over years.
/// More are refused until old ones are purged, so that one account cannot fill the sink.
pub const MAX_CLIENTS_PER_ACCOUNT: usize = 256;

/// How many rows an answer has at most, those of most clients. The totals count the rest too.
pub const MAX_ROWS: usize = 1000;

/// How many clients one call purges at most.
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

/// How many clients there are of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagCount {
    /// The tag, in lower case.
    pub tag: SecurityTag<'static>,
    /// How many have it latched.
    pub latched: u64,
    /// How many support it, and have not latched it.
    pub not_latched: u64,
    /// How many could not achieve it.
    pub failing: u64,
    /// How often they could not, as long as they are kept.
    pub failures: u64,
    /// When one could not last.
    pub last_failure: Option<SystemTime>,
}

/// How many clients there are of a version of software.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoftwareCount {
    /// The software's name, if it says. These are the client's words: escape them for display.
    pub name: Option<String>,
    /// Its version, if it says.
    pub version: Option<String>,
    /// How many: accounts on a host.
    pub clients: u64,
    /// When one reported last.
    pub last_seen: SystemTime,
}

/// How many clients there are of each version of software.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SoftwareCounts {
    /// Those of most clients first, at most [`MAX_ROWS`].
    pub rows: Vec<SoftwareCount>,
    /// All clients, those of no row too.
    pub clients: u64,
    /// How many rows were left off.
    pub rows_left_off: u64,
}

/// The clients of a version of software that have a tag latched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The software's name, if it says. These are the client's words: escape them for display.
    pub name: Option<String>,
    /// Its version, if it says.
    pub version: Option<String>,
    /// How many: accounts on a host.
    pub clients: u64,
    /// When one reported last.
    pub last_seen: SystemTime,
    /// How many of them could not achieve the tag: these are broken already.
    pub failing: u64,
    /// When one of them could not last.
    pub last_failure: Option<SystemTime>,
}

/// "What breaks if I drop this tag?": who has it latched, and would refuse to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhatBreaks {
    /// The tag, in lower case.
    pub tag: SecurityTag<'static>,
    /// Those of most clients first, at most [`MAX_ROWS`].
    pub rows: Vec<Broken>,
    /// All clients that have it latched, those of no row too.
    pub clients: u64,
    /// How many of all could not achieve it.
    pub failing: u64,
    /// How many rows were left off.
    pub rows_left_off: u64,
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
/// A client is an account, a host, and the name and version of the software; two devices of one account
/// with the same software are one. Of each tag the sink keeps when the client last said that it has it
/// latched, that it supports it unlatched, and that it failed, and how often. Later news do not undo
/// earlier ones, and reports may come in any order: a latch counts until nobody has confirmed it since the
/// time that is asked for.
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

    /// How many clients there are of each version of software.
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

    /// Forgets clients that reported nothing since `before`, at most [`CLIENTS_PER_BATCH`], and says how
    /// many: call again if it was as many.
    ///
    /// # Errors
    /// When some may be left.
    fn purge(&self, before: SystemTime) -> SinkFuture<'_, u64>;

    /// Forgets all clients of an account, e.g. one that was closed, and says how many.
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
/// assert_eq!(breaks.clients, 1);
/// assert_eq!(breaks.rows[0].name.as_deref(), Some("Demo Mail"));
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
    tags: BTreeMap<String, Tag>,
}

#[derive(Clone, Copy, Default)]
struct Tag {
    latched_at: Option<i64>,
    supported_at: Option<i64>,
    failed_at: Option<i64>,
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
                tags: BTreeMap::new(),
            });
            client.last_seen = client.last_seen.max(now);
            for (tag, mention) in &report.tags {
                let tag = client.tags.entry(tag.clone()).or_default();
                let later = |at: &mut Option<i64>, mentioned: bool| {
                    *at = (*at).max(mentioned.then_some(now));
                };
                later(&mut tag.latched_at, mention.latched);
                later(&mut tag.supported_at, mention.supported);
                later(&mut tag.failed_at, mention.failed);
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
            for (_, client) in clients.iter().filter(|client| of.includes(since, client)) {
                for (name, tag) in &client.tags {
                    let entry = counts.entry(name);
                    let count = entry.or_insert_with(|| TagCount::new(read_tag_unchecked(name)));
                    let add = |to: &mut u64, one: bool| *to = to.saturating_add(u64::from(one));
                    let latched = recent(tag.latched_at);
                    add(&mut count.latched, latched);
                    add(&mut count.not_latched, recent(tag.supported_at) && !latched);
                    add(&mut count.failing, recent(tag.failed_at));
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
            let included = clients.iter().filter(|client| of.includes(since, client));
            let groups = grouped(included.map(|(key, client)| (key, client, Tag::default())));
            let mut counts = SoftwareCounts::default();
            let left_off = groups.len().saturating_sub(MAX_ROWS);
            counts.rows_left_off = number(left_off);
            for (row, group) in groups.into_iter().enumerate() {
                counts.clients = counts.clients.saturating_add(group.clients);
                if row < MAX_ROWS {
                    counts.rows.push(SoftwareCount {
                        name: group.name,
                        version: group.version,
                        clients: group.clients,
                        last_seen: group.last_seen,
                    });
                }
            }
            Ok(counts)
        })
    }

    fn what_breaks_if_dropped<'a>(
        &'a self,
        tag: &'a SecurityTag<'a>,
        of: Clients<'a>,
    ) -> SinkFuture<'a, WhatBreaks> {
        self.with(move |clients| {
            let since = seconds(of.since)?;
            let name = spelt(tag);
            let latched = clients.iter().filter_map(|(key, client)| {
                let kept = *client.tags.get(&name)?;
                let latched = kept.latched_at.is_some_and(|at| at >= since);
                let counts = latched && of.includes(since, &(key, client));
                let failed_at = kept.failed_at.filter(|at| *at >= since);
                counts.then_some((key, client, Tag { failed_at, ..kept }))
            });
            let groups = grouped(latched);
            let mut breaks = WhatBreaks::new(read_tag_unchecked(&name));
            breaks.rows_left_off = number(groups.len().saturating_sub(MAX_ROWS));
            for (row, group) in groups.into_iter().enumerate() {
                breaks.clients = breaks.clients.saturating_add(group.clients);
                breaks.failing = breaks.failing.saturating_add(group.failing);
                if row < MAX_ROWS {
                    breaks.rows.push(group);
                }
            }
            Ok(breaks)
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

impl Clients<'_> {
    fn includes(&self, since: i64, (key, client): &(&Key, &Client)) -> bool {
        client.last_seen >= since && self.host.is_none_or(|host| *host == key.host)
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

impl WhatBreaks {
    pub(crate) const fn new(tag: SecurityTag<'static>) -> Self {
        Self {
            tag,
            rows: Vec::new(),
            clients: 0,
            failing: 0,
            rows_left_off: 0,
        }
    }
}

/// By software, those of most clients first.
fn grouped<'c>(clients: impl Iterator<Item = (&'c Key, &'c Client, Tag)>) -> Vec<Broken> {
    let mut groups: BTreeMap<(&str, &str), Broken> = BTreeMap::new();
    for (key, client, tag) in clients {
        let Some(last_seen) = from_seconds(client.last_seen) else {
            continue;
        };
        let entry = groups.entry((&key.name, &key.version));
        let group = entry.or_insert_with(|| Broken {
            name: said(key.name.clone()),
            version: said(key.version.clone()),
            clients: 0,
            last_seen,
            failing: 0,
            last_failure: None,
        });
        group.clients = group.clients.saturating_add(1);
        group.last_seen = group.last_seen.max(last_seen);
        let failed = u64::from(tag.failed_at.is_some());
        group.failing = group.failing.saturating_add(failed);
        group.last_failure = group.last_failure.max(tag.failed_at.and_then(from_seconds));
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|group| Reverse(group.clients));
    groups
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
