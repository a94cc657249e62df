//! Features `sqlx-sqlite` and `sqlx-postgres`: what clients report, in an SQL database.
//!
//! One implementation, generic over the database: both understand all statements, with `$1` as the
//! placeholder. The peer's words are values of placeholders always.

#[cfg(feature = "sqlx-postgres")]
mod postgres;
#[cfg(feature = "sqlx-sqlite")]
mod sqlite;

use alloc::{boxed::Box, string::String, vec::Vec};
use core::{fmt, time::Duration};
use std::time::SystemTime;

use durable_store::sql::{SqlDatabase, SqlStore, from_seconds};
use sqlx::{
    ColumnIndex, Connection, Decode, Encode, Executor, IntoArguments, QueryBuilder, Type, query,
    query_as, query_scalar,
};

#[cfg(feature = "sqlx-postgres")]
pub use postgres::PostgresReportSink;
#[cfg(feature = "sqlx-sqlite")]
pub use sqlite::SqliteReportSink;

use crate::{
    report_sink::{
        Broken, CLIENTS_PER_BATCH, Clients, MAX_CLIENTS_PER_ACCOUNT, MAX_ROWS, MAX_TAGS_PER_CLIENT,
        ReceivedReport, ReportSink, ReportSinkError, ReportSinkErrorKind, SinkFuture,
        SoftwareCount, SoftwareCounts, TagCount, WhatBreaks, said, seconds, spelt,
    },
    tag::SecurityTag,
};

/// Where it is noted which version a schema is of.
const MIGRATIONS: &str = "deep_report_migrations";

/// News of a client that is known: its id. The row stays locked until the transaction ends, so that reports of
/// one client come after one another.
const KNOWN_CLIENT: &str = "UPDATE deep_clients SET \
    protocol = CASE WHEN $6 >= last_seen THEN $5 ELSE protocol END, \
    first_seen = CASE WHEN $6 < first_seen THEN $6 ELSE first_seen END, \
    last_seen = CASE WHEN $6 > last_seen THEN $6 ELSE last_seen END \
    WHERE account = $1 AND host = $2 AND name = $3 AND version = $4 \
    RETURNING id";
/// A new client, or news of one that another connection has just added. No row: the account has too many
/// others.
const CLIENT: &str = "INSERT INTO deep_clients \
    (account, host, name, version, protocol, first_seen, last_seen) \
    SELECT $1, $2, $3, $4, $5, $6, $6 WHERE \
    (SELECT COUNT(*) FROM deep_clients WHERE account = $1 AND host = $2) < $7 \
    OR EXISTS (SELECT 1 FROM deep_clients \
    WHERE account = $1 AND host = $2 AND name = $3 AND version = $4) \
    ON CONFLICT (account, host, name, version) DO UPDATE SET \
    protocol = CASE WHEN excluded.last_seen >= deep_clients.last_seen \
    THEN excluded.protocol ELSE deep_clients.protocol END, \
    first_seen = CASE WHEN excluded.first_seen < deep_clients.first_seen \
    THEN excluded.first_seen ELSE deep_clients.first_seen END, \
    last_seen = CASE WHEN excluded.last_seen > deep_clients.last_seen \
    THEN excluded.last_seen ELSE deep_clients.last_seen END \
    RETURNING id";
const TAGS: &str = "INSERT INTO deep_client_tags \
    (client, tag, latched_at, supported_at, failed_at, failures) ";
const TAGS_AGAIN: &str = " ON CONFLICT (client, tag) DO UPDATE SET \
    latched_at = CASE WHEN excluded.latched_at > COALESCE(deep_client_tags.latched_at, -1) \
    THEN excluded.latched_at ELSE deep_client_tags.latched_at END, \
    supported_at = CASE WHEN excluded.supported_at > COALESCE(deep_client_tags.supported_at, -1) \
    THEN excluded.supported_at ELSE deep_client_tags.supported_at END, \
    failed_at = CASE WHEN excluded.failed_at > COALESCE(deep_client_tags.failed_at, -1) \
    THEN excluded.failed_at ELSE deep_client_tags.failed_at END, \
    failures = deep_client_tags.failures + excluded.failures";
const COUNT_TAGS: &str = "SELECT COUNT(*) FROM deep_client_tags WHERE client = $1";
const BY_TAG: &str = "SELECT t.tag, \
    COUNT(CASE WHEN t.latched_at >= $1 THEN 1 END), \
    COUNT(CASE WHEN t.supported_at >= $1 AND COALESCE(t.latched_at, -1) < $1 THEN 1 END), \
    COUNT(CASE WHEN t.failed_at >= $1 THEN 1 END), \
    CAST(SUM(t.failures) AS BIGINT), MAX(t.failed_at) \
    FROM deep_client_tags t JOIN deep_clients c ON c.id = t.client \
    WHERE c.last_seen >= $1 AND ($2 = '' OR c.host = $2) \
    GROUP BY t.tag ORDER BY 2 DESC, t.tag LIMIT $3";
const BY_SOFTWARE: &str = "SELECT name, version, COUNT(*), MAX(last_seen), \
    CAST(SUM(COUNT(*)) OVER () AS BIGINT), COUNT(*) OVER () FROM deep_clients \
    WHERE last_seen >= $1 AND ($2 = '' OR host = $2) \
    GROUP BY name, version ORDER BY 3 DESC, name, version LIMIT $3";
const BROKEN: &str = "SELECT c.name, c.version, COUNT(*), MAX(c.last_seen), \
    COUNT(CASE WHEN t.failed_at >= $2 THEN 1 END), \
    MAX(CASE WHEN t.failed_at >= $2 THEN t.failed_at END), \
    CAST(SUM(COUNT(*)) OVER () AS BIGINT), \
    CAST(SUM(COUNT(CASE WHEN t.failed_at >= $2 THEN 1 END)) OVER () AS BIGINT), \
    COUNT(*) OVER () \
    FROM deep_client_tags t JOIN deep_clients c ON c.id = t.client \
    WHERE t.tag = $1 AND t.latched_at >= $2 AND ($3 = '' OR c.host = $3) \
    GROUP BY c.name, c.version ORDER BY 3 DESC, c.name, c.version LIMIT $4";
const PURGE: &str = "DELETE FROM deep_clients WHERE id IN \
    (SELECT id FROM deep_clients WHERE last_seen < $1 ORDER BY last_seen LIMIT $2)";
const FORGET: &str = "DELETE FROM deep_clients WHERE account = $1";

/// How a sink uses its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportSinkOptions {
    /// How many connections are open at most. SQLite writes through one more.
    pub max_connections: u32,
    /// How long a call may take, and wait for a free connection, for locks, and for other writers.
    pub timeout: Duration,
    /// A PostgreSQL server on another host is used though the connection does not verify its
    /// certificate and name. Whoever is between can then read and forge reports.
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

/// A database of sqlx that a sink can be in: `sqlx::Sqlite`, `sqlx::Postgres`.
pub trait ReportSinkBackend: SqlDatabase {
    /// Lets no other transaction count the clients of account `$1` on host `$2`; nothing, where transactions
    /// that write are one after another anyway.
    const LOCK_ACCOUNT: Option<&'static str>;
}

/// What clients report, in an SQL database. What was recorded stays if the process, or the machine, dies the
/// next moment.
pub struct SqlxReportSink<DB: ReportSinkBackend> {
    store: SqlStore<DB>,
}

impl<DB: ReportSinkBackend> SqlxReportSink<DB> {
    /// Closes all connections, and waits until they are.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Waits for an operation no longer than the sink's time limit.
    async fn within<T>(
        &self,
        operation: impl Future<Output = Result<T, ReportSinkError>>,
    ) -> Result<T, ReportSinkError> {
        let done = self.store.within(operation).await;
        done.map_err(ReportSinkError::of_database)?
    }

    /// Returns the error for one of sqlx.
    fn failed(&self, error: sqlx::Error) -> ReportSinkError {
        ReportSinkError::of_database(self.store.error(error))
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
            query_scalar::<DB, i64>(sql)
                .bind(report.account)
                .bind(report.host.as_str())
                .bind(report.name)
                .bind(report.version)
                .bind(report.protocol.name())
                .bind(report.seconds)
        };
        Box::pin(self.within(async move {
            let connection = self.store.write_connection().await;
            let mut connection = connection.map_err(ReportSinkError::of_database)?;
            let transaction =
                connection.begin_with(sqlx::SqlSafeStr::into_sql_str(DB::BEGIN_WRITE));
            let mut transaction = transaction.await.map_err(failed)?;
            let known = bound(KNOWN_CLIENT).fetch_optional(&mut *transaction);
            let client = match known.await.map_err(failed)? {
                Some(client) => client,
                None => {
                    if let Some(lock) = DB::LOCK_ACCOUNT {
                        let lock = query(lock).bind(report.account).bind(report.host.as_str());
                        lock.execute(&mut *transaction).await.map_err(failed)?;
                    }
                    let new = bound(CLIENT).bind(limit(MAX_CLIENTS_PER_ACCOUNT));
                    let new = new
                        .fetch_optional(&mut *transaction)
                        .await
                        .map_err(failed)?;
                    new.ok_or(ReportSinkErrorKind::TooManyClients)?
                }
            };
            if !report.tags.is_empty() {
                let mut insert = QueryBuilder::<DB>::new(TAGS);
                insert.push_values(&report.tags, |mut row, (tag, mention)| {
                    let at = |mentioned: bool| mentioned.then_some(report.seconds);
                    row.push_bind(client)
                        .push_bind(tag.as_str())
                        .push_bind(at(mention.latched))
                        .push_bind(at(mention.supported))
                        .push_bind(at(mention.failed))
                        .push_bind(i64::from(mention.failed));
                });
                insert.push(TAGS_AGAIN);
                let inserted = insert.build().execute(&mut *transaction);
                inserted.await.map_err(failed)?;
                let tags = query_scalar(COUNT_TAGS).bind(client);
                let tags: i64 = tags.fetch_one(&mut *transaction).await.map_err(failed)?;
                if tags > limit(MAX_TAGS_PER_CLIENT) {
                    // Dropped, the transaction is undone.
                    return Err(ReportSinkErrorKind::TooManyTags.into());
                }
            }
            transaction.commit().await.map_err(failed)
        }))
    }

    fn clients_by_tag<'a>(&'a self, of: Clients<'a>) -> SinkFuture<'a, Vec<TagCount>> {
        Box::pin(self.within(async move {
            let rows: Vec<(String, i64, i64, i64, i64, Option<i64>)> = query_as(BY_TAG)
                .bind(seconds(of.since)?)
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
                    last_failure: last_failure.map(time).transpose()?,
                })
            });
            rows.collect()
        }))
    }

    fn clients_by_software<'a>(&'a self, of: Clients<'a>) -> SinkFuture<'a, SoftwareCounts> {
        Box::pin(self.within(async move {
            let rows: Vec<(String, String, i64, i64, i64, i64)> = query_as(BY_SOFTWARE)
                .bind(seconds(of.since)?)
                .bind(host(of))
                .bind(limit(MAX_ROWS))
                .fetch_all(self.store.reader())
                .await
                .map_err(|error| self.failed(error))?;
            let mut counts = SoftwareCounts::default();
            let shown = rows.len();
            for (name, version, clients, last_seen, all, groups) in rows {
                counts.clients = number(all)?;
                counts.rows_left_off = left_off(groups, shown)?;
                counts.rows.push(SoftwareCount {
                    name: said(name),
                    version: said(version),
                    clients: number(clients)?,
                    last_seen: time(last_seen)?,
                });
            }
            Ok(counts)
        }))
    }

    fn what_breaks_if_dropped<'a>(
        &'a self,
        tag: &'a SecurityTag<'a>,
        of: Clients<'a>,
    ) -> SinkFuture<'a, WhatBreaks> {
        Box::pin(self.within(async move {
            type Row = (String, String, i64, i64, i64, Option<i64>, i64, i64, i64);
            let name = spelt(tag);
            let rows: Vec<Row> = query_as(BROKEN)
                .bind(name.as_str())
                .bind(seconds(of.since)?)
                .bind(host(of))
                .bind(limit(MAX_ROWS))
                .fetch_all(self.store.reader())
                .await
                .map_err(|error| self.failed(error))?;
            let mut breaks = WhatBreaks::new(read_tag(&name)?);
            let shown = rows.len();
            for row in rows {
                let (name, version, clients, last_seen, failing, last_failure, ..) = row;
                let (.., all, all_failing, groups) = row;
                breaks.clients = number(all)?;
                breaks.failing = number(all_failing)?;
                breaks.rows_left_off = left_off(groups, shown)?;
                breaks.rows.push(Broken {
                    name: said(name),
                    version: said(version),
                    clients: number(clients)?,
                    last_seen: time(last_seen)?,
                    failing: number(failing)?,
                    last_failure: last_failure.map(time).transpose()?,
                });
            }
            Ok(breaks)
        }))
    }

    fn purge(&self, before: SystemTime) -> SinkFuture<'_, u64> {
        Box::pin(self.within(async move {
            let connection = self.store.write_connection().await;
            let mut connection = connection.map_err(ReportSinkError::of_database)?;
            let purged = query(PURGE)
                .bind(seconds(before)?)
                .bind(limit(CLIENTS_PER_BATCH))
                .execute(&mut *connection)
                .await
                .map_err(|error| self.failed(error))?;
            Ok(DB::rows_affected(&purged))
        }))
    }

    fn forget<'a>(&'a self, account: &'a str) -> SinkFuture<'a, u64> {
        Box::pin(self.within(async move {
            let connection = self.store.write_connection().await;
            let mut connection = connection.map_err(ReportSinkError::of_database)?;
            let forgotten = query(FORGET)
                .bind(account)
                .execute(&mut *connection)
                .await
                .map_err(|error| self.failed(error))?;
            Ok(DB::rows_affected(&forgotten))
        }))
    }
}

impl<DB: ReportSinkBackend> fmt::Debug for SqlxReportSink<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlxReportSink").finish_non_exhaustive()
    }
}

/// The host, or nothing for all: no host has an empty name.
fn host(of: Clients<'_>) -> &str {
    of.host.map_or("", |host| host.as_str())
}

fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn number(count: i64) -> Result<u64, ReportSinkErrorKind> {
    u64::try_from(count).map_err(|_| ReportSinkErrorKind::Unreadable)
}

fn left_off(groups: i64, shown: usize) -> Result<u64, ReportSinkErrorKind> {
    number(groups.saturating_sub(limit(shown)))
}

fn time(seconds: i64) -> Result<SystemTime, ReportSinkErrorKind> {
    from_seconds(seconds).ok_or(ReportSinkErrorKind::Unreadable)
}

fn read_tag(tag: &str) -> Result<SecurityTag<'static>, ReportSinkErrorKind> {
    let tag = SecurityTag::parse(tag).map_err(|_| ReportSinkErrorKind::Unreadable)?;
    Ok(tag.into_owned())
}
