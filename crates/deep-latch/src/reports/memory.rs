//! Reports in memory.

use alloc::{
    borrow::ToOwned,
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use core::{cmp::Reverse, fmt};
use std::{
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use super::{
    CLIENTS_PER_BATCH, Clients, MAX_CLIENTS_PER_ACCOUNT, MAX_ROWS, MAX_TAGS_PER_CLIENT,
    ReceivedReport, ReportSink, ReportSinkError, ReportSinkErrorKind, SinkFuture, SinkNames,
    SoftwareCounts, SoftwareRow, TagCount, WhatBreaks, from_seconds, number, to_seconds,
};
use crate::{host::Host, tag::SecurityTag};

/// A sink in memory, for tests and for small servers. Its reports are lost with the process and not shared with others, and
/// each question reads every client.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use deep_latch::{
///     ClientReport, Host, MailProtocol, SecurityTag,
///     reports::{Clients, MemoryReportSink, ReceivedReport, ReportSink},
/// };
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (sink, now) = (MemoryReportSink::new(), SystemTime::now());
/// let host = Host::try_new("imap.example.com")?;
/// // The report of example 1 of section 7.1.
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

/// The key of a record.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    account: String,
    host: Host,
    name: String,
    version: String,
}

/// The record of a version of a client's program. Times are seconds since 1970.
struct Client {
    last_seen: i64,
    /// The number of the last report. Late reports have no number.
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
    /// Creates a sink without reports.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a future that calls `operation` when it is awaited.
    fn with<'a, T>(
        &'a self,
        operation: impl FnOnce(&mut BTreeMap<Key, Client>) -> Result<T, ReportSinkError> + Send + 'a,
    ) -> SinkFuture<'a, T> {
        Box::pin(async move {
            operation(&mut self.clients.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }
}

impl ReportSink for MemoryReportSink {
    fn record<'a>(&'a self, report: &'a ReceivedReport<'a>) -> SinkFuture<'a, ()> {
        self.with(move |clients| {
            let key = Key {
                account: report.account().to_owned(),
                host: report.host().clone(),
                name: report.name().to_owned(),
                version: report.version().to_owned(),
            };
            // The first possible key of this account on this host.
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
                    let new = |(tag, _): &(&str, _)| !client.tags.contains_key(*tag);
                    let new = report.tags().filter(new).count();
                    if client.tags.len().saturating_add(new) > MAX_TAGS_PER_CLIENT {
                        return Err(ReportSinkErrorKind::TooManyTags.into());
                    }
                }
                None if of_account() >= MAX_CLIENTS_PER_ACCOUNT => {
                    return Err(ReportSinkErrorKind::TooManyClients.into());
                }
                None => {}
            }
            let now = report.seconds();
            let client = clients.entry(key).or_insert_with(|| Client {
                last_seen: now,
                reports: 0,
                tags: BTreeMap::new(),
            });
            let is_last = now >= client.last_seen;
            client.last_seen = client.last_seen.max(now);
            client.reports = client.reports.saturating_add(u64::from(is_last));
            for (tag, mention) in report.tags() {
                let tag = client.tags.entry(tag.to_owned()).or_default();
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
            let since = to_seconds(of.since)?;
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
                    let last = tag.failed_at.and_then(|at| from_seconds(at).ok());
                    count.last_failure = count.last_failure.max(last);
                }
            }
            let mut counts: Vec<_> = counts.into_values().collect();
            // Stable: tags with equal counts stay in the order of their names.
            counts.sort_by_key(|count| Reverse(count.latched));
            counts.truncate(MAX_ROWS);
            Ok(counts)
        })
    }

    fn clients_by_software<'a>(&'a self, of: Clients<'a>) -> SinkFuture<'a, SoftwareCounts> {
        self.with(move |clients| {
            let since = to_seconds(of.since)?;
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
            let since = to_seconds(of.since)?;
            let asked = tag.to_lowercase();
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
                last_report: last.and_then(|at| from_seconds(at).ok()),
                tags: tags.map(|tag| read_tag_unchecked(&tag)).collect(),
                hosts: hosts
                    .collect::<Result<_, _>>()
                    .map_err(|_| ReportSinkErrorKind::Unreadable)?,
            })
        })
    }

    fn purge(&self, before: SystemTime) -> SinkFuture<'_, u64> {
        self.with(move |clients| {
            let before = to_seconds(before)?;
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

/// A client, with all versions of its program that reported in the period.
struct Seen<'c> {
    name: &'c str,
    /// The version of the last report.
    version: &'c str,
    last_seen: i64,
    /// The versions, including that of the last report.
    versions: Vec<(&'c Key, &'c Client)>,
}

/// A tag, summed up over all versions of a client.
#[derive(Default)]
struct SeenTag {
    latched_at: Option<i64>,
    supported_at: Option<i64>,
    failed_at: Option<i64>,
    failing: bool,
    failures: u64,
}

/// Returns the clients of the period, in the order of accounts, hosts and programs.
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

/// Returns the row of a client's program and version.
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

/// Returns a tag of a report, which was parsed before.
fn read_tag_unchecked(tag: &str) -> SecurityTag<'static> {
    SecurityTag::trusted(tag).into_owned()
}
