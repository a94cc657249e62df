//! The database of clients' reports (draft-newman-email-deep-02 sections 7.1 and 7.3): SQLite, or PostgreSQL for a fleet.

use std::{
    collections::HashMap,
    fmt,
    path::PathBuf,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use command_support::files::{FileKind, read_text};
use deep_latch::{
    ClientReport, Host, MailProtocol,
    reports::{ReceivedReport, ReportSink, ReportSinkError, ReportSinkErrorKind},
};
use deep_latch_sqlx::{PostgresReportSink, ReportSinkOptions, SqliteReportSink};
use mail_implicit_tls::{gateway::ClientFacts, service::Protocol};
use sqlx::{ConnectOptions, postgres::PgConnectOptions};
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{
    config::Reports,
    metrics::Metrics,
    source::{ConfigError, Source},
};

/// The number of reports that wait for the database. More are not kept.
const WAITING: usize = 1024;

/// The number of reports of one client, an address or a network, that wait for the database.
const WAITING_OF_ONE: usize = 64;

/// The time for which the gateway waits, when it starts, for the database of reports.
const FIRST: Duration = Duration::from_secs(2);

/// The time between two attempts to open a database that was not available.
const AGAIN: Duration = Duration::from_secs(2);

/// The time between two checks of the recorders while the database is not available.
const CLOSED: Duration = Duration::from_millis(100);

/// A report, with what is kept of its client.
struct Received {
    account: String,
    protocol: MailProtocol,
    at: SystemTime,
    report: Box<ClientReport>,
}

/// The way to the database.
#[derive(Clone)]
pub(super) struct Recorder {
    sender: mpsc::Sender<Received>,
    waiting: Waiting,
    metrics: Arc<Metrics>,
}

impl Recorder {
    /// Notes a report, without waiting. It is not kept if too many wait.
    pub(super) fn note(&self, client: &ClientFacts, report: &ClientReport) {
        let received = Received {
            // A report before login is not that of an account, and no account has an address in brackets as its name.
            account: format!("[{}]", client.network()),
            protocol: match client.record.service.protocol {
                Protocol::Imap => MailProtocol::Imap,
                Protocol::Pop => MailProtocol::Pop,
                Protocol::Submission => MailProtocol::Smtp,
            },
            at: SystemTime::now(),
            report: Box::new(report.clone()),
        };
        if !self.waiting.enter(&received.account) {
            self.metrics.report("dropped");
            return;
        }
        if let Err(error) = self.sender.try_send(received) {
            let (TrySendError::Full(received) | TrySendError::Closed(received)) = error;
            self.waiting.leave(&received.account);
            self.metrics.report("dropped");
        }
    }
}

/// The number of reports that wait, by the account under which they are kept.
#[derive(Clone, Default)]
struct Waiting(Arc<Mutex<HashMap<String, usize>>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a report. Returns `false` if too many of the account wait.
    fn enter(&self, account: &str) -> bool {
        let mut waiting = self.lock();
        let count = waiting.entry(account.to_owned()).or_default();
        let may_enter = *count < WAITING_OF_ONE;
        if may_enter {
            *count = count.saturating_add(1);
        }
        may_enter
    }

    fn leave(&self, account: &str) {
        let mut waiting = self.lock();
        let left = waiting.get_mut(account).map(|count| {
            *count = count.saturating_sub(1);
            *count
        });
        if left == Some(0) {
            waiting.remove(account);
        }
    }
}

/// The database that the configuration names.
#[derive(Clone, Debug)]
pub(super) enum Database {
    /// A file of SQLite.
    Sqlite(PathBuf),
    /// A server of PostgreSQL. Its URL may have a password, so it is never shown.
    Postgres(Box<PgConnectOptions>),
}

impl Database {
    /// Reads the configuration, and the file with a URL that it names.
    ///
    /// # Errors
    /// Returns a message with the place in the configuration, and never a part of the URL.
    pub(super) fn read(reports: &Reports, source: &Source) -> Result<Option<Self>, ConfigError> {
        if let (Some(_), Some(postgres)) = (&reports.sqlite, &reports.postgres_url_file) {
            let message = "reports are kept in SQLite or in PostgreSQL, not in both";
            return Err(source.error(postgres.span(), message));
        }
        if let Some(path) = &reports.sqlite {
            return Ok(Some(Self::Sqlite(source.resolve(path.get_ref()))));
        }
        let Some(file) = &reports.postgres_url_file else {
            return Ok(None);
        };
        let path = source.resolve(file.get_ref());
        let of = |error: &dyn fmt::Display| {
            source.error(file.span(), format!("{}: {error}", path.display()))
        };
        let url =
            read_text(&path, FileKind::Secret).map_err(|error| source.error(file.span(), error))?;
        // The error of a URL could contain its password.
        let server = PgConnectOptions::from_str(url.trim())
            .map_err(|_| of(&"the URL of a PostgreSQL database expected"))?
            .disable_statement_logging();
        Ok(Some(Self::Postgres(Box::new(server))))
    }

    /// Opens the database, and makes its tables if there are none.
    async fn open(&self) -> Result<Arc<dyn ReportSink>, ReportSinkError> {
        let options = ReportSinkOptions::default();
        Ok(match self {
            Self::Sqlite(path) => Arc::new(SqliteReportSink::open(path, options).await?),
            Self::Postgres(server) => {
                let server = server.as_ref().clone();
                Arc::new(PostgresReportSink::connect(server, options).await?)
            }
        })
    }

    /// Returns `true` if the database may be available later: a server that does not answer, a disk that is full, a file
    /// that is damaged and will be replaced.
    fn may_come_back(error: &ReportSinkError) -> bool {
        matches!(
            error.kind(),
            ReportSinkErrorKind::Unavailable | ReportSinkErrorKind::Unreadable
        )
    }

    /// Returns the text of an error with those of its causes, on one line.
    fn text(&self, error: &ReportSinkError) -> String {
        let mut text = match self {
            Self::Sqlite(path) => format!("{}: {error}", path.display()),
            Self::Postgres(_) => error.to_string(),
        };
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text.replace(['\r', '\n'], " ")
    }

    /// Opens the database, and changes nothing. Returns `None` for a file that the gateway would make.
    pub(super) async fn probe(&self) -> Option<Result<(), String>> {
        let options = ReportSinkOptions::default();
        let opened = match self {
            Self::Sqlite(path) => {
                let sink = SqliteReportSink::open_to_read(path, options).await;
                match sink {
                    Err(error) if error.kind() == ReportSinkErrorKind::Missing => {
                        let directory = path
                            .parent()
                            .is_none_or(|it| it.as_os_str().is_empty() || it.is_dir());
                        return (!directory).then(|| Err(self.text(&error)));
                    }
                    Ok(sink) => {
                        sink.close().await;
                        Ok(())
                    }
                    Err(error) => Err(error),
                }
            }
            Self::Postgres(server) => {
                let server = server.as_ref().clone();
                let sink = PostgresReportSink::connect_to_read(server, options).await;
                match sink {
                    Ok(sink) => {
                        sink.close().await;
                        Ok(())
                    }
                    // The gateway makes the tables.
                    Err(error) if error.kind() == ReportSinkErrorKind::Missing => Ok(()),
                    Err(error) => Err(error),
                }
            }
        };
        Some(opened.map_err(|error| self.text(&error)))
    }
}

/// Starts to keep reports of clients of this host. The task ends once all recorders are dropped and what they noted is
/// kept.
///
/// The database may be unavailable when the gateway starts: mail does not wait for it, and reports do.
///
/// # Errors
/// Returns a message if the database cannot be used, and not only is unreachable.
pub(super) async fn start(
    database: &Database,
    host: Host,
    metrics: Arc<Metrics>,
) -> Result<(Recorder, JoinHandle<()>), String> {
    let (sender, mut receiver) = mpsc::channel::<Received>(WAITING);
    let waiting = Waiting::default();
    let recorder = Recorder {
        sender,
        waiting: waiting.clone(),
        metrics: metrics.clone(),
    };
    let opened = match timeout(FIRST, database.open()).await {
        Ok(Ok(sink)) => Some(sink),
        Ok(Err(error)) if !Database::may_come_back(&error) => {
            return Err(format!("reports: {}", database.text(&error)));
        }
        _ => None,
    };
    let database = database.clone();
    let task = tokio::spawn(async move {
        let sink = match opened {
            Some(sink) => Some(sink),
            None => tokio::select! {
                sink = open_later(&database) => Some(sink),
                () = closed(&receiver) => None,
            },
        };
        let keeper = Keeper {
            database,
            sink,
            host,
            metrics,
        };
        while let Some(received) = receiver.recv().await {
            waiting.leave(&received.account);
            keeper.keep(received).await;
        }
    });
    Ok((recorder, task))
}

/// Opens a database that is not available, once it is.
async fn open_later(database: &Database) -> Arc<dyn ReportSink> {
    tracing::error!("the database of reports is not available; reports wait");
    let mut reported = String::new();
    loop {
        match database.open().await {
            Ok(sink) => {
                tracing::info!("the database of reports is available");
                return sink;
            }
            Err(error) => {
                let error = database.text(&error);
                // A file may stay damaged for days.
                if reported != error {
                    tracing::error!(error, "the database of reports is not available");
                    reported = error;
                }
            }
        }
        sleep(AGAIN).await;
    }
}

/// Waits until all recorders are dropped.
async fn closed(receiver: &mpsc::Receiver<Received>) {
    while !receiver.is_closed() {
        sleep(CLOSED).await;
    }
}

/// The end of the way to the database.
struct Keeper {
    database: Database,
    sink: Option<Arc<dyn ReportSink>>,
    host: Host,
    metrics: Arc<Metrics>,
}

impl Keeper {
    /// Keeps a report.
    async fn keep(&self, received: Received) {
        let Received {
            account,
            protocol,
            at,
            report,
        } = received;
        let report = ReceivedReport::try_new(&account, &self.host, protocol, at, &report);
        let Ok(report) = report else {
            self.metrics.report("refused");
            return;
        };
        let recorded = match &self.sink {
            Some(sink) => sink.record(&report).await,
            None => Err(ReportSinkErrorKind::Unavailable.into()),
        };
        match recorded {
            Ok(()) => self.metrics.report("kept"),
            // The client has reported too much: no trouble of the database.
            Err(error) if is_of_the_client(error.kind()) => {
                self.metrics.report("refused");
                tracing::debug!(
                    client = account,
                    reason = error.kind().name(),
                    "report refused"
                );
            }
            Err(error) => {
                self.metrics.report("failed");
                tracing::error!(error = self.database.text(&error), "report not kept");
            }
        }
    }
}

const fn is_of_the_client(kind: ReportSinkErrorKind) -> bool {
    matches!(
        kind,
        ReportSinkErrorKind::TooManyClients | ReportSinkErrorKind::TooManyTags
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_the_reports_of_one_client_that_wait() {
        let waiting = Waiting::default();
        let enter = |account: &str| (0..100).filter(|_| waiting.enter(account)).count();
        assert_eq!(enter("[192.0.2.1]"), WAITING_OF_ONE);
        assert_eq!(enter("[192.0.2.2]"), WAITING_OF_ONE);
        waiting.leave("[192.0.2.1]");
        assert_eq!(enter("[192.0.2.1]"), 1);
        for account in ["[192.0.2.1]", "[192.0.2.2]"] {
            (0..WAITING_OF_ONE).for_each(|_| waiting.leave(account));
        }
        assert!(waiting.lock().is_empty());
    }
}
