//! Reports of clients in an SQL database.
//!
//! The implementation is generic over the database: both support all statements, with `$1` as the placeholder. Texts of
//! clients are always values of placeholders.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use deep_latch::{
    Host, SecurityTag,
    reports::{
        CLIENTS_PER_BATCH, Clients, MAX_CLIENTS_PER_ACCOUNT, MAX_ROWS, MAX_TAGS_PER_CLIENT,
        ReceivedReport, ReportSink, ReportSinkError, ReportSinkErrorKind, SinkFuture, SinkNames,
        SoftwareCounts, SoftwareRow, TagCount, WhatBreaks, from_seconds, to_seconds,
    },
};
use durable_store_sqlx::{SqlDatabase, SqlStore};
use sqlx::{
    ColumnIndex, Decode, Encode, Executor, IntoArguments, QueryBuilder, Type, query, query_as,
    query_scalar,
};

#[cfg(feature = "postgres")]
pub use postgres::PostgresReportSink;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteReportSink;

/// The table with the versions of the schema.
const MIGRATIONS: &str = "deep_report_migrations";

/// Updates a known client. Returns its id, and the number and time of its last report. A late report has no number. The row
/// stays locked until the transaction ends, so that reports of one client are processed one after another.
const KNOWN_CLIENT: &str = "UPDATE deep_clients SET \
    protocol = CASE WHEN $6 >= last_seen THEN $5 ELSE protocol END, \
    first_seen = CASE WHEN $6 < first_seen THEN $6 ELSE first_seen END, \
    reports = CASE WHEN $6 >= last_seen THEN reports + 1 ELSE reports END, \
    last_seen = CASE WHEN $6 > last_seen THEN $6 ELSE last_seen END \
    WHERE account = $1 AND host = $2 AND name = $3 AND version = $4 \
    RETURNING id, reports, last_seen";
/// Inserts a client, or updates one that another connection has just inserted. Returns no row if the account has too many
/// others.
const CLIENT: &str = "INSERT INTO deep_clients \
    (account, host, name, version, protocol, first_seen, last_seen, reports) \
    SELECT $1, $2, $3, $4, $5, $6, $6, 1 WHERE \
    (SELECT COUNT(*) FROM deep_clients WHERE account = $1 AND host = $2) < $7 \
    OR EXISTS (SELECT 1 FROM deep_clients \
    WHERE account = $1 AND host = $2 AND name = $3 AND version = $4) \
    ON CONFLICT (account, host, name, version) DO UPDATE SET \
    protocol = CASE WHEN excluded.last_seen >= deep_clients.last_seen \
    THEN excluded.protocol ELSE deep_clients.protocol END, \
    first_seen = CASE WHEN excluded.first_seen < deep_clients.first_seen \
    THEN excluded.first_seen ELSE deep_clients.first_seen END, \
    reports = CASE WHEN excluded.last_seen >= deep_clients.last_seen \
    THEN deep_clients.reports + 1 ELSE deep_clients.reports END, \
    last_seen = CASE WHEN excluded.last_seen > deep_clients.last_seen \
    THEN excluded.last_seen ELSE deep_clients.last_seen END \
    RETURNING id, reports, last_seen";
const TAGS: &str = "INSERT INTO deep_client_tags \
    (client, tag, latched_at, supported_at, failed_at, failed_in, failures) ";
const TAGS_AGAIN: &str = " ON CONFLICT (client, tag) DO UPDATE SET \
    latched_at = CASE WHEN excluded.latched_at > COALESCE(deep_client_tags.latched_at, -1) \
    THEN excluded.latched_at ELSE deep_client_tags.latched_at END, \
    supported_at = CASE WHEN excluded.supported_at > COALESCE(deep_client_tags.supported_at, -1) \
    THEN excluded.supported_at ELSE deep_client_tags.supported_at END, \
    failed_at = CASE WHEN excluded.failed_at > COALESCE(deep_client_tags.failed_at, -1) \
    THEN excluded.failed_at ELSE deep_client_tags.failed_at END, \
    failed_in = COALESCE(excluded.failed_in, deep_client_tags.failed_in), \
    failures = deep_client_tags.failures + excluded.failures";
const COUNT_TAGS: &str = "SELECT COUNT(*) FROM deep_client_tags WHERE client = $1";
/// The questions begin with the clients of a period and a host, `$1` and `$2`. Each row is a version of a client's
/// program, and knows which is the current one: that of the last report, and of two in the same second the
/// greater version.
macro_rules! asks_seen {
    ($question:literal) => {
        concat!(
            "WITH seen AS (SELECT id, name, last_seen, reports, \
             FIRST_VALUE(id) OVER program AS client, \
             FIRST_VALUE(version) OVER program AS current_version \
             FROM deep_clients WHERE last_seen >= $1 AND ($2 = '' OR host = $2) \
             WINDOW program AS (PARTITION BY account, host, name \
             ORDER BY last_seen DESC, version DESC)), ",
            $question
        )
    };
}
const BY_TAG: &str = asks_seen!(
    "clients AS (SELECT t.tag, s.client, MAX(t.latched_at) AS latched_at, \
     MAX(t.supported_at) AS supported_at, \
     MAX(CASE WHEN s.id = s.client AND t.failed_in = s.reports THEN 1 ELSE 0 END) AS failing, \
     SUM(t.failures) AS failures, MAX(t.failed_at) AS failed_at \
     FROM seen s JOIN deep_client_tags t ON t.client = s.id GROUP BY t.tag, s.client) \
     SELECT tag, COUNT(CASE WHEN latched_at >= $1 THEN 1 END), \
     COUNT(CASE WHEN supported_at >= $1 AND COALESCE(latched_at, -1) < $1 THEN 1 END), \
     COUNT(CASE WHEN failing = 1 THEN 1 END), \
     CAST(SUM(failures) AS BIGINT), MAX(failed_at) \
     FROM clients GROUP BY tag ORDER BY 2 DESC, tag LIMIT $3"
);
const BY_SOFTWARE: &str = asks_seen!(
    "clients AS (SELECT name, current_version, last_seen FROM seen WHERE id = client) \
     SELECT name, current_version, COUNT(*), MAX(last_seen) \
     FROM clients GROUP BY name, current_version"
);
const BROKEN: &str = asks_seen!(
    "clients AS (SELECT s.name, s.current_version, MAX(s.last_seen) AS last_seen, \
     MAX(t.latched_at) AS latched_at, \
     MAX(CASE WHEN s.id = s.client AND t.failed_in = s.reports THEN 1 ELSE 0 END) AS failing, \
     MAX(t.failed_at) AS failed_at \
     FROM seen s LEFT JOIN deep_client_tags t ON t.client = s.id AND t.tag = $3 \
     GROUP BY s.client, s.name, s.current_version) \
     SELECT name, current_version, COUNT(CASE WHEN latched_at >= $1 THEN 1 END), COUNT(*), \
     COALESCE(MAX(CASE WHEN latched_at >= $1 THEN last_seen END), 0), \
     COUNT(CASE WHEN latched_at >= $1 AND failing = 1 THEN 1 END), \
     MAX(CASE WHEN latched_at >= $1 AND failed_at >= $1 THEN failed_at END) \
     FROM clients GROUP BY name, current_version"
);
const ALL: &str = "SELECT COUNT(*), MAX(last_seen) FROM \
    (SELECT MAX(last_seen) AS last_seen FROM deep_clients GROUP BY account, host, name) clients";
const TAG_NAMES: &str =
    "SELECT tag FROM deep_client_tags GROUP BY tag ORDER BY COUNT(*) DESC, tag LIMIT $1";
const HOST_NAMES: &str =
    "SELECT host FROM deep_clients GROUP BY host ORDER BY COUNT(*) DESC, host LIMIT $1";
const PURGE: &str = "DELETE FROM deep_clients WHERE id IN \
    (SELECT id FROM deep_clients WHERE last_seen < $1 ORDER BY last_seen LIMIT $2)";
const FORGET: &str = "DELETE FROM deep_clients WHERE account = $1";

/// The options of a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportSinkOptions {
    /// The most connections that are open at once. SQLite writes through one more.
    pub max_connections: u32,
    /// The time limit of a call, including the wait for a free connection, for locks, and for other writers.
    pub timeout: Duration,
    /// Allows a PostgreSQL server on another host whose certificate and name the connection does not verify. An attacker
    /// on the network path can then read and forge reports.
    pub allow_unverified_server: bool,
}

impl Default for ReportSinkOptions {
    fn default() -> Self {
        Self {
            max_connections: 8,
            timeout: Duration::from_secs(10),
            allow_unverified_server: false,
        }
    }
}

/// A database of sqlx that a sink can use. Its implementations are `sqlx::Sqlite` and `sqlx::Postgres`.
pub trait ReportSinkBackend: SqlDatabase {
    /// The statement that prevents other transactions from counting the clients of account `$1` on host `$2`; `None` for a
    /// database whose writing transactions run one after another.
    const LOCK_ACCOUNT: Option<&'static str>;
}

/// A report sink in an SQL database. A recorded report survives the process and the machine.
pub struct SqlxReportSink<DB: ReportSinkBackend> {
    store: SqlStore<DB>,
}

impl<DB: ReportSinkBackend> SqlxReportSink<DB> {
    /// Closes all connections, and waits until they are closed.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Awaits an operation with the sink's time limit.
    async fn within<T>(
        &self,
        operation: impl Future<Output = Result<T, ReportSinkError>>,
    ) -> Result<T, ReportSinkError> {
        let done = self.store.within(operation).await;
        done.map_err(ReportSinkError::from)?
    }

    /// Converts an error of sqlx.
    fn failed(&self, error: sqlx::Error) -> ReportSinkError {
        ReportSinkError::from(self.store.error(error))
    }
}

impl<DB> ReportSink for SqlxReportSink<DB>
where
    DB: ReportSinkBackend,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'q> i64: Encode<'q, DB> + Decode<'q, DB> + Type<DB>,
    for<'q> Option<i64>: Encode<'q, DB> + Decode<'q, DB> + Type<DB>,
    for<'q> &'q str: Encode<'q, DB> + Type<DB>,
    for<'q> String: Decode<'q, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    fn record<'a>(&'a self, report: &'a ReceivedReport<'a>) -> SinkFuture<'a, ()> {
        let failed = |error| self.failed(error);
        let bound = |sql: &'static str| {
            query_as::<DB, (i64, i64, i64)>(sql)
                .bind(report.account())
                .bind(report.host().as_str())
                .bind(report.name())
                .bind(report.version())
                .bind(report.protocol().name())
                .bind(report.seconds())
        };
        Box::pin(self.within(async move {
            let mut transaction = self.store.begin_write().await?;
            let known = bound(KNOWN_CLIENT).fetch_optional(&mut *transaction);
            let (client, number, last_seen) = match known.await.map_err(failed)? {
                Some(client) => client,
                None => {
                    if let Some(lock) = DB::LOCK_ACCOUNT {
                        let lock = query(lock)
                            .bind(report.account())
                            .bind(report.host().as_str());
                        lock.execute(&mut *transaction).await.map_err(failed)?;
                    }
                    let new = bound(CLIENT).bind(limit(MAX_CLIENTS_PER_ACCOUNT));
                    let new = new
                        .fetch_optional(&mut *transaction)
                        .await
                        .map_err(failed)?;
                    let Some(new) = new else {
                        transaction.rollback().await?;
                        return Err(ReportSinkErrorKind::TooManyClients.into());
                    };
                    new
                }
            };
            if report.tags().len() > 0 {
                let mut insert = QueryBuilder::<DB>::new(TAGS);
                insert.push_values(report.tags(), |mut row, (tag, mention)| {
                    let at = |mentioned: bool| mentioned.then_some(report.seconds());
                    let is_last = report.seconds() == last_seen;
                    row.push_bind(client)
                        .push_bind(tag)
                        .push_bind(at(mention.latched))
                        .push_bind(at(mention.supported))
                        .push_bind(at(mention.failed))
                        .push_bind((mention.failed && is_last).then_some(number))
                        .push_bind(i64::from(mention.failed));
                });
                insert.push(TAGS_AGAIN);
                let inserted = insert.build().execute(&mut *transaction);
                inserted.await.map_err(failed)?;
                let tags = query_scalar(COUNT_TAGS).bind(client);
                let tags: i64 = tags.fetch_one(&mut *transaction).await.map_err(failed)?;
                if tags > limit(MAX_TAGS_PER_CLIENT) {
                    transaction.rollback().await?;
                    return Err(ReportSinkErrorKind::TooManyTags.into());
                }
            }
            Ok(transaction.commit().await?)
        }))
    }

    fn clients_by_tag<'a>(&'a self, of: Clients<'a>) -> SinkFuture<'a, Vec<TagCount>> {
        Box::pin(self.within(async move {
            let rows: Vec<(String, i64, i64, i64, i64, Option<i64>)> = query_as(BY_TAG)
                .bind(to_seconds(of.since)?)
                .bind(host(of))
                .bind(limit(MAX_ROWS))
                .fetch_all(self.store.reader())
                .await
                .map_err(|error| self.failed(error))?;
            let rows = rows.into_iter().map(|row| {
                let (tag, latched, not_latched, failing, failures, last_failure) = row;
                Ok(TagCount {
                    tag: read_tag(&tag)?,
                    latched: number(latched)?,
                    not_latched: number(not_latched)?,
                    failing: number(failing)?,
                    failures: number(failures)?,
                    last_failure: last_failure.map(from_seconds).transpose()?,
                })
            });
            rows.collect()
        }))
    }

    fn clients_by_software<'a>(&'a self, of: Clients<'a>) -> SinkFuture<'a, SoftwareCounts> {
        Box::pin(self.within(async move {
            let rows: Vec<(String, String, i64, i64)> = query_as(BY_SOFTWARE)
                .bind(to_seconds(of.since)?)
                .bind(host(of))
                .fetch_all(self.store.reader())
                .await
                .map_err(|error| self.failed(error))?;
            let rows = rows.into_iter().map(|(name, version, clients, last_seen)| {
                Ok(SoftwareRow {
                    name,
                    version,
                    clients: number(clients)?,
                    of: number(clients)?,
                    last_seen,
                    ..SoftwareRow::default()
                })
            });
            let rows: Vec<_> = rows.collect::<Result<_, ReportSinkErrorKind>>()?;
            SoftwareCounts::of_rows(rows.into_iter())
        }))
    }

    fn what_breaks_if_dropped<'a>(
        &'a self,
        tag: &'a SecurityTag<'a>,
        of: Clients<'a>,
    ) -> SinkFuture<'a, WhatBreaks> {
        Box::pin(self.within(async move {
            type Row = (String, String, i64, i64, i64, i64, Option<i64>);
            let asked = tag.to_lowercase();
            let rows: Vec<Row> = query_as(BROKEN)
                .bind(to_seconds(of.since)?)
                .bind(host(of))
                .bind(asked.as_str())
                .fetch_all(self.store.reader())
                .await
                .map_err(|error| self.failed(error))?;
            let rows = rows.into_iter().map(|row| {
                let (name, version, clients, of, last_seen, failing, failed_at) = row;
                Ok(SoftwareRow {
                    name,
                    version,
                    clients: number(clients)?,
                    of: number(of)?,
                    last_seen,
                    failing: number(failing)?,
                    failed_at,
                })
            });
            let rows: Vec<_> = rows.collect::<Result<_, ReportSinkErrorKind>>()?;
            WhatBreaks::of_rows(read_tag(&asked)?, rows.into_iter())
        }))
    }

    fn names(&self) -> SinkFuture<'_, SinkNames> {
        Box::pin(self.within(async move {
            let failed = |error| self.failed(error);
            let all = query_as(ALL).fetch_one(self.store.reader());
            let (clients, last_report): (i64, Option<i64>) = all.await.map_err(failed)?;
            let names = async |sql: &'static str| -> Result<Vec<String>, ReportSinkError> {
                let names = query_scalar(sql).bind(limit(MAX_ROWS));
                names.fetch_all(self.store.reader()).await.map_err(failed)
            };
            let tags = names(TAG_NAMES).await?;
            let hosts = names(HOST_NAMES).await?;
            let host =
                |host: &String| Host::try_new(host).map_err(|_| ReportSinkErrorKind::Unreadable);
            Ok(SinkNames {
                clients: number(clients)?,
                last_report: last_report.map(from_seconds).transpose()?,
                tags: tags
                    .iter()
                    .map(|tag| read_tag(tag))
                    .collect::<Result<_, _>>()?,
                hosts: hosts.iter().map(host).collect::<Result<_, _>>()?,
            })
        }))
    }

    fn purge(&self, before: SystemTime) -> SinkFuture<'_, u64> {
        Box::pin(self.within(async move {
            let purge = query(PURGE)
                .bind(to_seconds(before)?)
                .bind(limit(CLIENTS_PER_BATCH));
            Ok(self.store.write(purge).await?)
        }))
    }

    fn forget<'a>(&'a self, account: &'a str) -> SinkFuture<'a, u64> {
        Box::pin(
            self.within(async move { Ok(self.store.write(query(FORGET).bind(account)).await?) }),
        )
    }
}

impl<DB: ReportSinkBackend> fmt::Debug for SqlxReportSink<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlxReportSink").finish_non_exhaustive()
    }
}

/// Returns the host, or an empty text for all hosts: no host has an empty name.
fn host(of: Clients<'_>) -> &str {
    of.host.map_or("", |host| host.as_str())
}

fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn number(count: i64) -> Result<u64, ReportSinkErrorKind> {
    u64::try_from(count).map_err(|_| ReportSinkErrorKind::Unreadable)
}

fn read_tag(tag: &str) -> Result<SecurityTag<'static>, ReportSinkErrorKind> {
    let tag = SecurityTag::parse(tag).map_err(|_| ReportSinkErrorKind::Unreadable)?;
    Ok(tag.into_owned())
}
