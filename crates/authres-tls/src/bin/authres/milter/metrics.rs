//! Counters in the `OpenMetrics` format, version 1.0.0.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use authres_tls::{
    milter::{MessageReport, Outcome},
    tls::TlsResult,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};

/// The time limit of a request, and the most requests at a time.
const REQUEST_TIME: Duration = Duration::from_secs(5);
const MOST_REQUESTS: usize = 16;

/// The longest request.
const LONGEST_REQUEST: u64 = 8192;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The counters.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// Messages by result.
    messages: Mutex<BTreeMap<&'static str, u64>>,
    /// Removed fields by reason.
    removed: Mutex<BTreeMap<&'static str, u64>>,
    /// Failures of the filter by reason.
    failures: Mutex<BTreeMap<&'static str, u64>>,
    /// Connections that ended early by reason.
    ended_early: Mutex<BTreeMap<&'static str, u64>>,
    aborted: AtomicU64,
    accept_failures: AtomicU64,
    connections: AtomicU64,
    open: AtomicU64,
    reloads: [AtomicU64; 2],
}

fn add(counters: &Mutex<BTreeMap<&'static str, u64>>, name: &'static str) {
    let mut counters = counters.lock().unwrap_or_else(PoisonError::into_inner);
    let counter = counters.entry(name).or_default();
    *counter = counter.wrapping_add(1);
}

fn one_more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// An open connection, counted until it is dropped.
pub(super) struct Open<'m>(&'m AtomicU64);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    pub(super) fn connected(&self) -> Open<'_> {
        one_more(&self.connections);
        one_more(&self.open);
        Open(&self.open)
    }

    pub(super) fn accept_failed(&self) {
        one_more(&self.accept_failures);
    }

    pub(super) fn aborted(&self) {
        one_more(&self.aborted);
    }

    pub(super) fn ended_early(&self, reason: &'static str) {
        add(&self.ended_early, reason);
    }

    pub(super) fn reloaded(&self, succeeded: bool) {
        let [failed, done] = &self.reloads;
        one_more(if succeeded { done } else { failed });
    }

    pub(super) fn message(&self, message: &MessageReport) {
        match message.outcome {
            Outcome::Added(result) => add(&self.messages, result.name()),
            Outcome::NotAdded => add(&self.messages, "not-added"),
            Outcome::Unchanged => add(&self.messages, "unchanged"),
            Outcome::Failed(failure) => add(&self.failures, failure.name()),
        }
        for removed in &message.removed {
            add(&self.removed, removed.reason.name());
        }
    }

    fn exposition(&self) -> String {
        let mut text = String::new();
        let results = TlsResult::ALL.iter().map(|result| result.name());
        let results: Vec<_> = results.chain(["not-added", "unchanged"]).collect();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        labelled(
            &mut text,
            "authres_messages",
            "Messages by the result of the field that was added, or the reason why none was.",
            "result",
            &self.messages,
            &results,
        );
        labelled(
            &mut text,
            "authres_fields_removed",
            "Fields that were removed, by reason.",
            "reason",
            &self.removed,
            &[
                "own-id",
                "below-own-id",
                "missing-id",
                "unreadable-id",
                "unsupported-version",
            ],
        );
        labelled(
            &mut text,
            "authres_failures",
            "Messages for which the filter failed.",
            "reason",
            &self.failures,
            &["field", "header-too-long"],
        );
        labelled(
            &mut text,
            "authres_connections_ended_early",
            "Connections of MTAs that ended otherwise than by the protocol.",
            "reason",
            &self.ended_early,
            &["idle", "io", "protocol", "write-time"],
        );
        for (name, help, value) in [
            (
                "authres_messages_aborted",
                "Messages that the MTA abandoned.",
                &self.aborted,
            ),
            (
                "authres_connections",
                "Connections of MTAs.",
                &self.connections,
            ),
            (
                "authres_accept_failures",
                "Errors instead of connections.",
                &self.accept_failures,
            ),
        ] {
            family(&mut text, name, "counter", help);
            let _ = writeln!(text, "{name}_total {}", read(value));
        }
        family(
            &mut text,
            "authres_connections_open",
            "gauge",
            "Connections that are open.",
        );
        let _ = writeln!(text, "authres_connections_open {}", read(&self.open));
        family(
            &mut text,
            "authres_reloads",
            "counter",
            "Reloads of the configuration.",
        );
        let [failed, done] = &self.reloads;
        for (outcome, value) in [("loaded", done), ("refused", failed)] {
            let _ = writeln!(
                text,
                "authres_reloads_total{{outcome=\"{outcome}\"}} {}",
                read(value)
            );
        }
        text.push_str("# EOF\n");
        text
    }
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# TYPE {name} {kind}\n# HELP {name} {help}");
}

/// Writes a counter for each label, also those that are 0.
fn labelled(
    text: &mut String,
    name: &str,
    help: &str,
    label: &str,
    counters: &Mutex<BTreeMap<&'static str, u64>>,
    known: &[&'static str],
) {
    family(text, name, "counter", help);
    let mut all: BTreeMap<_, _> = known.iter().map(|name| (*name, 0)).collect();
    let counters = counters.lock().unwrap_or_else(PoisonError::into_inner);
    all.extend(counters.iter().map(|(name, value)| (*name, *value)));
    drop(counters);
    for (value, count) in all {
        let _ = writeln!(text, "{name}_total{{{label}=\"{value}\"}} {count}");
    }
}

/// Answers `GET /metrics` until the process ends.
pub(super) async fn serve(listener: TcpListener, metrics: Arc<Metrics>) {
    let room = Arc::new(Semaphore::new(MOST_REQUESTS));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let metrics = metrics.clone();
                tokio::spawn(async move {
                    let _ = timeout(REQUEST_TIME, answer(stream, &metrics)).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::error!(%error, "metrics: no connection can be accepted");
                sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Answers one request, and closes the connection.
async fn answer(mut stream: TcpStream, metrics: &Metrics) -> std::io::Result<()> {
    let mut request = Vec::new();
    let (reader, mut writer) = stream.split();
    let mut reader = reader.take(LONGEST_REQUEST);
    while !request.ends_with(b"\r\n\r\n") {
        if reader.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let line = request
        .split(|octet| *octet == b'\r')
        .next()
        .unwrap_or_default();
    let (status, content_type, body) = match line {
        b"GET /metrics HTTP/1.1" | b"GET /metrics HTTP/1.0" => {
            ("200 OK", CONTENT_TYPE, metrics.exposition())
        }
        line if line.starts_with(b"GET ") => (
            "404 Not Found",
            "text/plain",
            "metrics are under /metrics\n".to_owned(),
        ),
        _ => (
            "405 Method Not Allowed",
            "text/plain",
            "GET alone is answered\n".to_owned(),
        ),
    };
    let allow = if status.starts_with("405") {
        "Allow: GET\r\n"
    } else {
        ""
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{allow}Connection: close\r\n\r\n",
        body.len()
    );
    writer.write_all(head.as_bytes()).await?;
    writer.write_all(body.as_bytes()).await?;
    writer.shutdown().await
}
