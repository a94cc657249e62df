//! The states of domains over time, and the TLSA records that were seen, in an SQLite database.

use std::{collections::BTreeMap, path::Path, time::Duration};

use durable_store_sqlx::{Error, OpenMode, Schema, SqlStore, SqliteOptions, WriteTransaction};
use mail_implicit_tls::{
    dns::{Tlsa, host::TlsaRecords},
    monitor::{Observation, Report, State, TlsaObservation},
    name::DomainName,
};
use sqlx::{query, query_as, sqlite::Sqlite};

use super::changes::{self, States};

const SCHEMA: Schema = Schema {
    migrations: "mail_tls_monitor_migrations",
    versions: &[(
        "states",
        include_str!("../../migrations/monitor/1_states.sql"),
    )],
    application_id: *b"MTMo",
};

/// The check that has the most urgent state of all checks of a server or of the domain.
pub(super) const ALL: &str = "*";

/// The longest time between two observations for which a state counts as unchanged.
pub(super) const MAX_GAP: Duration = Duration::from_secs(2 * 24 * 3_600);

const LATEST: &str = "SELECT begins, seen, state FROM monitor_states \
    WHERE domain = $1 AND subject = $2 AND check_name = $3 AND begins <= $4 ORDER BY begins DESC LIMIT 1";
const PROLONG: &str = "UPDATE monitor_states SET seen = $5, sentence = $6 \
    WHERE domain = $1 AND subject = $2 AND check_name = $3 AND begins = $4";
const CUT: &str = "UPDATE monitor_states SET seen = max(begins, $5 - 1) \
    WHERE domain = $1 AND subject = $2 AND check_name = $3 AND begins = $4";
const BEGIN: &str = "INSERT OR REPLACE INTO monitor_states \
    (domain, subject, check_name, begins, seen, state, sentence) VALUES ($1, $2, $3, $4, $4, $5, $6)";
const RUN: &str = "INSERT OR IGNORE INTO monitor_runs (domain, at) VALUES ($1, $2)";
const LAST_RUN: &str = "SELECT max(at) FROM monitor_runs WHERE domain = $1 AND at <= $2";
const STATES: &str = "SELECT subject, check_name, state, sentence FROM monitor_states \
    WHERE domain = $1 AND begins <= $2 AND seen >= $2 AND check_name <> '*'";
const SEGMENTS: &str = "SELECT subject, begins, seen, state FROM monitor_states \
    WHERE domain = $1 AND check_name = '*' AND seen >= $2 AND begins <= $3 ORDER BY subject, begins";
const SEEN: &str = "SELECT certificate_usage, selector, matching_type, association, first_seen \
    FROM monitor_tlsa WHERE owner = $1";
const FORGET: &str = "DELETE FROM monitor_tlsa WHERE owner = $1";
const REMEMBER: &str = "INSERT OR IGNORE INTO monitor_tlsa \
    (owner, certificate_usage, selector, matching_type, association, first_seen) \
    VALUES ($1, $2, $3, $4, $5, $6)";

/// A state of a server or of the domain, from its first observation to its last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) begins: Duration,
    pub(super) seen: Duration,
    pub(super) state: State,
}

/// The database.
pub(super) struct History {
    store: SqlStore<Sqlite>,
}

fn integer(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

fn time(seconds: i64) -> Duration {
    Duration::from_secs(seconds.try_into().unwrap_or_default())
}

fn state(name: &str) -> State {
    State::of_name(name).unwrap_or(State::NotKnown)
}

impl History {
    /// Opens the database, and makes one if there is none.
    pub(super) async fn open(path: &Path) -> Result<Self, Error> {
        let options = SqliteOptions {
            max_connections: 1,
            timeout: Duration::from_secs(10),
            foreign_keys: false,
        };
        let store = SqlStore::open(path, SCHEMA, options, OpenMode::Create).await?;
        Ok(Self { store })
    }

    /// Closes the database.
    pub(super) async fn close(&self) {
        self.store.close().await;
    }

    fn failed(&self, error: sqlx::Error) -> Error {
        self.store.error(error)
    }

    /// Returns the states of a domain at the last observation up to a time. A later observation is one by a clock that was
    /// wrong.
    pub(super) async fn states(
        &self,
        domain: &DomainName,
        until: Duration,
    ) -> Result<States, Error> {
        let until = integer(until);
        let failed = |error| self.failed(error);
        let (last,): (Option<i64>,) = query_as(LAST_RUN)
            .bind(domain.as_str())
            .bind(until)
            .fetch_one(self.store.reader())
            .await
            .map_err(failed)?;
        let Some(last) = last else {
            return Ok(States::new());
        };
        let rows: Vec<(String, String, String, String)> = query_as(STATES)
            .bind(domain.as_str())
            .bind(last)
            .fetch_all(self.store.reader())
            .await
            .map_err(failed)?;
        let rows = rows.into_iter();
        Ok(rows
            .map(|(subject, check, name, sentence)| ((subject, check), (state(&name), sentence)))
            .collect())
    }

    /// Returns the states of the domain and of its servers between two times, by their subject.
    pub(super) async fn segments(
        &self,
        domain: &DomainName,
        since: Duration,
        until: Duration,
    ) -> Result<BTreeMap<String, Vec<Segment>>, Error> {
        let rows: Vec<(String, i64, i64, String)> = query_as(SEGMENTS)
            .bind(domain.as_str())
            .bind(integer(since))
            .bind(integer(until))
            .fetch_all(self.store.reader())
            .await
            .map_err(|error| self.failed(error))?;
        let mut segments = BTreeMap::<_, Vec<_>>::new();
        for (subject, begins, seen, name) in rows {
            segments.entry(subject).or_default().push(Segment {
                begins: time(begins),
                seen: time(seen),
                state: state(&name),
            });
        }
        Ok(segments)
    }

    /// Returns the time at which each TLSA record of the observed names was seen first.
    pub(super) async fn first_seen(
        &self,
        observation: &Observation,
    ) -> Result<BTreeMap<(String, Tlsa), Duration>, Error> {
        let mut found = BTreeMap::new();
        for tlsa in of_names(observation) {
            let rows: Vec<(u8, u8, u8, Vec<u8>, i64)> = query_as(SEEN)
                .bind(&tlsa.owner)
                .fetch_all(self.store.reader())
                .await
                .map_err(|error| self.failed(error))?;
            for (usage, selector, matching_type, association, first_seen) in rows {
                let record = Tlsa {
                    usage,
                    selector,
                    matching_type,
                    association,
                };
                // A record that was seen later than now was seen by a clock that was wrong.
                let first_seen = time(first_seen).min(observation.at);
                found.insert((tlsa.owner.clone(), record), first_seen);
            }
        }
        Ok(found)
    }

    /// Records the states of a report, and the TLSA records of its observation.
    pub(super) async fn record(
        &self,
        report: &Report,
        observation: &Observation,
    ) -> Result<(), Error> {
        let mut transaction = self.store.begin_write().await?;
        let domain = report.domain.as_str();
        let mut states = changes::states(report);
        states.extend(overall(report));
        for ((subject, check), (state, sentence)) in &states {
            let key = (domain, subject.as_str(), check.as_str());
            self.prolong(&mut transaction, key, report.at, *state, sentence)
                .await?;
        }
        query(RUN)
            .bind(domain)
            .bind(integer(report.at))
            .execute(&mut *transaction)
            .await
            .map_err(|error| self.failed(error))?;
        let mut known = Vec::new();
        for tlsa in of_names(observation) {
            if !known.contains(&&tlsa.owner) {
                known.push(&tlsa.owner);
                self.remember(&mut transaction, tlsa, report.at).await?;
            }
        }
        transaction.commit().await
    }

    /// Prolongs the state of a check, or begins another.
    async fn prolong(
        &self,
        transaction: &mut WriteTransaction<'_, Sqlite>,
        (domain, subject, check): (&str, &str, &str),
        at: Duration,
        now: State,
        sentence: &str,
    ) -> Result<(), Error> {
        let failed = |error| self.failed(error);
        let latest: Option<(i64, i64, String)> = query_as(LATEST)
            .bind(domain)
            .bind(subject)
            .bind(check)
            .bind(integer(at))
            .fetch_optional(&mut **transaction)
            .await
            .map_err(failed)?;
        let at = integer(at);
        let is_same = |seen: i64, name: &str| {
            name == now.name() && at.saturating_sub(seen) <= integer(MAX_GAP)
        };
        match latest {
            Some((begins, seen, name)) if is_same(seen, &name) => {
                query(PROLONG)
                    .bind(domain)
                    .bind(subject)
                    .bind(check)
                    .bind(begins)
                    .bind(seen.max(at))
                    .bind(sentence)
                    .execute(&mut **transaction)
                    .await
                    .map_err(failed)?;
                return Ok(());
            }
            // Two monitors observe at once, or the clock was wrong: a time has one state.
            Some((begins, seen, _)) if seen >= at => {
                query(CUT)
                    .bind(domain)
                    .bind(subject)
                    .bind(check)
                    .bind(begins)
                    .bind(at)
                    .execute(&mut **transaction)
                    .await
                    .map_err(failed)?;
            }
            _ => {}
        }
        query(BEGIN)
            .bind(domain)
            .bind(subject)
            .bind(check)
            .bind(at)
            .bind(now.name())
            .bind(sentence)
            .execute(&mut **transaction)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Remembers the records of a name. One that is gone is forgotten, so that it is new when it appears again.
    async fn remember(
        &self,
        transaction: &mut WriteTransaction<'_, Sqlite>,
        tlsa: &TlsaObservation,
        at: Duration,
    ) -> Result<(), Error> {
        let failed = |error| self.failed(error);
        let rows: Vec<(u8, u8, u8, Vec<u8>, i64)> = query_as(SEEN)
            .bind(&tlsa.owner)
            .fetch_all(&mut **transaction)
            .await
            .map_err(failed)?;
        query(FORGET)
            .bind(&tlsa.owner)
            .execute(&mut **transaction)
            .await
            .map_err(failed)?;
        let TlsaRecords::Records { records, .. } = &tlsa.records else {
            return Ok(());
        };
        for record in records {
            let earlier = rows
                .iter()
                .find(|(usage, selector, matching_type, association, _)| {
                    (*usage, *selector, *matching_type)
                        == (record.usage, record.selector, record.matching_type)
                        && *association == record.association
                });
            query(REMEMBER)
                .bind(&tlsa.owner)
                .bind(record.usage)
                .bind(record.selector)
                .bind(record.matching_type)
                .bind(&record.association)
                .bind(earlier.map_or(integer(at), |row| row.4.min(integer(at))))
                .execute(&mut **transaction)
                .await
                .map_err(failed)?;
        }
        Ok(())
    }
}

/// Returns the names whose TLSA records are known.
fn of_names(observation: &Observation) -> impl Iterator<Item = &TlsaObservation> {
    let servers = observation.servers.iter();
    servers.filter_map(|server| server.tlsa.as_ref()?.as_ref().ok())
}

/// Returns the most urgent state of the domain, and of each of its servers.
fn overall(report: &Report) -> States {
    let mut states = States::new();
    let mut count = |subject: &str, state: State| {
        let key = (subject.to_owned(), ALL.to_owned());
        let known = states.entry(key).or_insert((state, String::new()));
        known.0 = known.0.max(state);
    };
    count(DOMAIN, report.state());
    for finding in &report.findings {
        if let Some(server) = finding.subject.server() {
            count(server, finding.state);
        }
    }
    states
}

/// The subject that has the most urgent state of the domain.
pub(super) const DOMAIN: &str = "domain";

#[cfg(test)]
mod tests {
    use mail_implicit_tls::{
        dns::{Answer, Dnssec, LookupFailure},
        monitor::{Check, Finding, Subject},
        setup::{Offer, Offers},
    };

    use super::*;

    const DAY: u64 = 24 * 3_600;

    fn domain() -> DomainName {
        DomainName::parse("example.org").unwrap()
    }

    async fn record(history: &History, at: u64, state: State) {
        let absent = || Offer::NotAdvertised(Dnssec::Insecure);
        let at = Duration::from_secs(at);
        let observation = Observation {
            domain: domain(),
            at,
            own: Answer::Failed(LookupFailure::Timeout),
            services: Vec::new(),
            offers: Offers {
                imap: absent(),
                pop: absent(),
                submission: absent(),
            },
            servers: Vec::new(),
            listening: Vec::new(),
            signed: Vec::new(),
            mx: None,
            transport: None,
            resolver: None,
        };
        let report = Report {
            domain: domain(),
            at,
            findings: vec![Finding::new(Check::Srv, Subject::Domain, state, "fact")],
        };
        history.record(&report, &observation).await.unwrap();
    }

    async fn state_at(history: &History, at: u64) -> Option<State> {
        let states = history.states(&domain(), Duration::from_secs(at)).await;
        let states = states.unwrap();
        states.into_values().map(|(state, _)| state).next()
    }

    async fn shown(history: &History, until: u64) -> Vec<(u64, u64, State)> {
        let until = Duration::from_secs(until);
        let segments = history.segments(&domain(), Duration::ZERO, until).await;
        let of_domain = segments.unwrap().remove(DOMAIN).unwrap_or_default();
        let of_domain = of_domain.into_iter();
        of_domain
            .map(|it| (it.begins.as_secs(), it.seen.as_secs(), it.state))
            .collect()
    }

    async fn history(directory: &Path) -> History {
        History::open(&directory.join("states.db")).await.unwrap()
    }

    #[tokio::test]
    async fn takes_no_observation_of_the_future_for_the_last_one() {
        let directory = tempfile::tempdir().unwrap();
        let history = history(directory.path()).await;
        record(&history, DAY, State::Good).await;
        // The clock was years ahead.
        record(&history, 3_000 * DAY, State::Bad).await;
        assert_eq!(state_at(&history, DAY + 60).await, Some(State::Good));
        record(&history, DAY + 60, State::Good).await;
        assert_eq!(state_at(&history, DAY + 120).await, Some(State::Good));
        assert_eq!(
            shown(&history, DAY + 120).await,
            [(DAY, DAY + 60, State::Good)]
        );
    }

    #[tokio::test]
    async fn gives_a_time_one_state_after_a_clock_that_was_wrong() {
        let directory = tempfile::tempdir().unwrap();
        let history = history(directory.path()).await;
        record(&history, 10 * DAY, State::Good).await;
        // The clock was a day ahead: the state seems to last until then.
        record(&history, 11 * DAY, State::Good).await;
        record(&history, 10 * DAY + 60, State::Good).await;
        let good = (10 * DAY, 11 * DAY, State::Good);
        assert_eq!(shown(&history, 11 * DAY).await, [good]);
        record(&history, 10 * DAY + 120, State::Bad).await;
        let good = (10 * DAY, 10 * DAY + 119, State::Good);
        let bad = (10 * DAY + 120, 10 * DAY + 120, State::Bad);
        assert_eq!(shown(&history, 11 * DAY).await, [good, bad]);
        assert_eq!(state_at(&history, 10 * DAY + 180).await, Some(State::Bad));
        assert_eq!(state_at(&history, 10 * DAY + 119).await, Some(State::Good));
    }

    #[tokio::test]
    async fn replaces_a_state_of_the_same_second() {
        let directory = tempfile::tempdir().unwrap();
        let history = history(directory.path()).await;
        record(&history, DAY, State::Good).await;
        record(&history, DAY, State::Bad).await;
        assert_eq!(shown(&history, DAY).await, [(DAY, DAY, State::Bad)]);
        assert_eq!(state_at(&history, DAY).await, Some(State::Bad));
    }
}
