//! The database of clients' reports (draft-newman-email-deep-02 sections 7.1 and 7.3): SQLite, or PostgreSQL for a fleet.

use std::{
    fmt,
    path::PathBuf,
    str::FromStr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use command_support::files::{FileKind, read_text};
use deep_latch::{
    ClientReport, Host, MailProtocol,
    reports::{ReceivedReport, ReportSink, ReportSinkError, ReportSinkErrorKind},
};
use deep_latch_sqlx::{PostgresReportSink, ReportSinkOptions, SqliteReportSink};
use mail_implicit_tls::{gateway::ClientFacts, service::Protocol};
use sqlx::postgres::PgConnectOptions;
use tokio::{
    sync::mpsc,
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
    metrics: Arc<Metrics>,
}

impl Recorder {
    /// Notes a report, without waiting. It is not kept if too many wait.
    pub(super) fn note(&self, client: &ClientFacts, report: &ClientReport) {
        let received = Received {
            // A report before login is not that of an account, and no account has an address in brackets as its name.
            account: format!("[{}]", client.record.peer.ip()),
            protocol: match client.record.service.protocol {
                Protocol::Imap => MailProtocol::Imap,
                Protocol::Pop => MailProtocol::Pop,
                Protocol::Submission => MailProtocol::Smtp,
            },
            at: SystemTime::now(),
            report: Box::new(report.clone()),
        };
        if self.sender.try_send(received).is_err() {
            self.metrics.report("dropped");
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
            .map_err(|_| of(&"the URL of a PostgreSQL database expected"))?;
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

    /// Returns `true` if the database may be available later.
    fn may_come_back(&self, error: &ReportSinkError) -> bool {
        matches!(self, Self::Postgres(_)) && error.kind() == ReportSinkErrorKind::Unavailable
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

    /// Connects to a server of PostgreSQL, and changes nothing. Returns `None` for a file.
    pub(super) async fn probe(&self) -> Option<Result<(), String>> {
        let Self::Postgres(server) = self else {
            return None;
        };
        let options = ReportSinkOptions::default();
        let sink = PostgresReportSink::connect_to_read(server.as_ref().clone(), options).await;
        Some(match sink {
            Ok(sink) => {
                sink.close().await;
                Ok(())
            }
            // The gateway makes the tables.
            Err(error) if error.kind() == ReportSinkErrorKind::Missing => Ok(()),
            Err(error) => Err(self.text(&error)),
        })
    }
}

/// Starts to keep reports of clients of this host. The task ends once all recorders are dropped and what they noted is
/// kept.
///
/// A server of PostgreSQL may be unreachable when the gateway starts: mail does not wait for it, and reports do.
///
/// # Errors
/// Returns a message if the database cannot be used, and not only is unreachable.
pub(super) async fn start(
    database: &Database,
    host: Host,
    metrics: Arc<Metrics>,
) -> Result<(Recorder, JoinHandle<()>), String> {
    let (sender, receiver) = mpsc::channel::<Received>(WAITING);
    let recorder = Recorder {
        sender,
        metrics: metrics.clone(),
    };
    let opened = match timeout(FIRST, database.open()).await {
        Ok(Ok(sink)) => Some(sink),
        Ok(Err(error)) if !database.may_come_back(&error) => {
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
        keep(&database, sink, receiver, &host, &metrics).await;
    });
    Ok((recorder, task))
}

/// Opens a database that is not available, once it is.
async fn open_later(database: &Database) -> Arc<dyn ReportSink> {
    tracing::error!("the database of reports is not available; reports wait");
    loop {
        match database.open().await {
            Ok(sink) => {
                tracing::info!("the database of reports is available");
                return sink;
            }
            Err(error) => {
                let error = database.text(&error);
                tracing::error!(error, "the database of reports is not available");
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

/// Keeps what the recorders note, until all of them are dropped.
async fn keep(
    database: &Database,
    sink: Option<Arc<dyn ReportSink>>,
    mut receiver: mpsc::Receiver<Received>,
    host: &Host,
    metrics: &Metrics,
) {
    while let Some(received) = receiver.recv().await {
        let Received {
            account,
            protocol,
            at,
            report,
        } = received;
        let Ok(report) = ReceivedReport::try_new(&account, host, protocol, at, &report) else {
            metrics.report("refused");
            continue;
        };
        let recorded = match &sink {
            Some(sink) => sink.record(&report).await,
            None => Err(ReportSinkErrorKind::Unavailable.into()),
        };
        match recorded {
            Ok(()) => metrics.report("kept"),
            Err(error) => {
                metrics.report("failed");
                tracing::error!(error = database.text(&error), "report not kept");
            }
        }
    }
}
