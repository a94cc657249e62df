//! The database of clients' reports (draft-newman-email-deep-02 sections 7.1 and 7.3): SQLite, or PostgreSQL for a fleet.

use std::{error::Error, fs, path::Path, str::FromStr, sync::Arc, time::SystemTime};

use deep_latch::{
    ClientReport, Host, MailProtocol,
    reports::{ReceivedReport, ReportSink},
};
use deep_latch_sqlx::{PostgresReportSink, ReportSinkOptions, SqliteReportSink};
use mail_implicit_tls::{gateway::ClientFacts, service::Protocol};
use sqlx::postgres::PgConnectOptions;
use tokio::{sync::mpsc, task::JoinHandle};

use super::{config::Reports, metrics::Metrics, source::Source};

/// The number of reports that wait for the database. More are not kept.
const WAITING: usize = 1024;

/// Returns an error with its causes, such as a disk that is full.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

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

/// Opens the database that the configuration names.
///
/// # Errors
/// Returns a message with the file.
pub(super) async fn open(
    reports: &Reports,
    source: &Source,
) -> Result<Option<Arc<dyn ReportSink>>, String> {
    let options = ReportSinkOptions::default();
    let of = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    if let Some(path) = &reports.sqlite {
        let path = source.resolve(path.get_ref());
        let sink = SqliteReportSink::open(&path, options).await;
        let sink = sink.map_err(|error| of(&path, &with_causes(&error)))?;
        return Ok(Some(Arc::new(sink)));
    }
    let Some(file) = &reports.postgres_url_file else {
        return Ok(None);
    };
    let path = source.resolve(file.get_ref());
    let of = |error: &dyn std::fmt::Display| of(&path, error);
    let url = fs::read_to_string(&path).map_err(|error| of(&error))?;
    // The error of a URL could contain its password.
    let server = PgConnectOptions::from_str(url.trim())
        .map_err(|_| of(&"the URL of a PostgreSQL database expected"))?;
    let sink = PostgresReportSink::connect(server, options).await;
    Ok(Some(Arc::new(
        sink.map_err(|error| of(&with_causes(&error)))?,
    )))
}

/// Starts to keep reports of clients of this host. The task ends once all recorders are dropped and what they noted is
/// kept.
pub(super) fn start(
    sink: Arc<dyn ReportSink>,
    host: Host,
    metrics: Arc<Metrics>,
) -> (Recorder, JoinHandle<()>) {
    let (sender, mut receiver) = mpsc::channel::<Received>(WAITING);
    let recorder = Recorder {
        sender,
        metrics: metrics.clone(),
    };
    let task = tokio::spawn(async move {
        while let Some(received) = receiver.recv().await {
            let Received {
                account,
                protocol,
                at,
                report,
            } = received;
            let Ok(report) = ReceivedReport::try_new(&account, &host, protocol, at, &report) else {
                metrics.report("refused");
                continue;
            };
            match sink.record(&report).await {
                Ok(()) => metrics.report("kept"),
                Err(error) => {
                    metrics.report("failed");
                    tracing::error!(error = with_causes(&error), "report not kept");
                }
            }
        }
    });
    (recorder, task)
}
