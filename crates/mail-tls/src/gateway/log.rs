//! The log: structured events on standard error. It has addresses, names of reasons, and host names that were checked; it
//! never has names of users, passwords, or octets of a peer.

use std::{io, time::Duration};

use command_support::log::{self, Form, Log};
use mail_implicit_tls::{
    gateway::{BackendNotice, ClientFacts, Event, Notice, SessionEnd},
    privacy::ProtocolVersion,
    received::CipherSuite,
};
use serde::Deserialize;

/// The form of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Format {
    /// Text for people, with a time.
    #[default]
    Text,
    /// A JSON object on each line.
    Json,
    /// Text without a time, for the journal, which adds its own.
    Journal,
}

/// The least severe events that are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Level {
    /// Failures of the gateway, of its certificates and of its backends.
    Error,
    /// Failed logins, limits that are reached, sessions that are cut.
    Warn,
    /// Start, stop, reload, logins, and the end of each session.
    #[default]
    Info,
    /// Each connection, and those that fail before login.
    Debug,
}

/// Starts the log of the process.
///
/// # Errors
/// Returns the error of the log's destination.
pub(super) fn start(format: Format, level: Level) -> io::Result<Log> {
    let form = match format {
        Format::Text => Form::Text,
        Format::Json => Form::Json,
        Format::Journal => Form::Journal,
    };
    let level = match level {
        Level::Error => tracing::Level::ERROR,
        Level::Warn => tracing::Level::WARN,
        Level::Info => tracing::Level::INFO,
        Level::Debug => tracing::Level::DEBUG,
    };
    log::start(form, level)
}

/// Returns the version and the cipher suite of a client's TLS.
fn tls(client: &ClientFacts) -> (String, String) {
    let version = client.record.version.unwrap_or(ProtocolVersion(0));
    let suite = client.record.cipher_suite.map(CipherSuite::from_number);
    let suite = suite.map_or_else(String::new, |suite| suite.as_str().to_owned());
    (version.to_string(), suite)
}

/// Logs an event with the session's name, service and client.
macro_rules! of_session {
    ($level:ident, $client:expr, $($rest:tt)*) => {
        tracing::$level!(
            session = %$client.session,
            service = $client.record.service.name(),
            client = %$client.record.peer.ip(),
            port = $client.record.peer.port(),
            $($rest)*
        )
    };
}

/// Logs a notice of the gateway.
pub(super) fn notice(notice: &Notice<'_>) {
    match notice {
        Notice::Accept(event) => accepting(event),
        Notice::Refused {
            service,
            peer,
            reason,
        } => tracing::debug!(
            service = service.name(), client = %peer.ip(), port = peer.port(), cause = reason.name(), %reason,
            "connection refused"
        ),
        Notice::Started(client) => {
            let (tls, cipher) = tls(client);
            let sni = client.record.server_name.as_ref();
            let sni = sni.map_or_else(String::new, ToString::to_string);
            let resumed = client.record.resumed;
            of_session!(debug, client, %tls, %cipher, %sni, resumed, "connected");
        }
        Notice::Delayed { client, time } => {
            of_session!(warn, client, delay = %seconds(*time), "delayed because of failed logins");
        }
        Notice::Backend {
            service,
            backend,
            notice,
        } => match notice {
            BackendNotice::Failed(failure) => {
                tracing::error!(service = service.name(), %backend, reason = %failure, "backend failed");
            }
            BackendNotice::NotTried(failure) => {
                tracing::error!(service = service.name(), %backend, reason = %failure, "backend not tried");
            }
            // The session's own line is "session ended", with its client.
            BackendNotice::ClientRefused(failure) => {
                tracing::debug!(service = service.name(), %backend, reason = %failure, "backend refused a client");
            }
            BackendNotice::Reached => {
                tracing::info!(service = service.name(), %backend, "backend reached");
            }
            BackendNotice::Recovered => {
                tracing::info!(service = service.name(), %backend, "backend recovered");
            }
            _ => {}
        },
        Notice::Opened {
            client,
            backend,
            time,
        } => of_session!(debug, client, %backend, time = %seconds(*time), "backend connected"),
        Notice::Session {
            client,
            event,
            delay,
        } => session_event(client, event, *delay),
        Notice::Ended {
            client,
            end,
            carried,
            time,
        } => {
            let (from_client, from_backend) = (carried.from_client, carried.from_backend);
            let time = seconds(*time);
            // Many clients never log in: this line is the one that each session has.
            let (tls, cipher) = tls(client);
            match end {
                SessionEnd::NoBackend(_) => of_session!(
                    error, client, cause = end.name(), reason = %end, from_client, from_backend,
                    %time, %tls, %cipher, "session ended"
                ),
                SessionEnd::Violation(_) => of_session!(
                    warn, client, cause = end.name(), reason = %end, from_client, from_backend,
                    %time, %tls, %cipher, "session ended"
                ),
                _ => of_session!(
                    info, client, cause = end.name(), from_client, from_backend, %time, %tls,
                    %cipher, "session ended"
                ),
            }
        }
        _ => {}
    }
}

fn accepting(event: &accept_loop::Event<'_>) {
    match event {
        accept_loop::Event::AcceptFailed(error) => {
            tracing::error!(%error, "no connection can be accepted");
        }
        accept_loop::Event::AddressFull(peer) => {
            tracing::warn!(client = %peer.ip(), "closed: too many connections of this address");
        }
        accept_loop::Event::GaveWay(peer) => {
            tracing::debug!(client = %peer.ip(), "closed: gave way to a later connection");
        }
        _ => tracing::debug!(%event),
    }
}

fn session_event(client: &ClientFacts, event: &Event, delay: Duration) {
    match event {
        Event::LoggedIn { mechanism } => {
            let (tls, cipher) = tls(client);
            of_session!(info, client, %mechanism, %tls, %cipher, "logged in");
        }
        // The filter of fail2ban reads this line.
        Event::LoginFailed { mechanism } => {
            let delay = seconds(delay);
            of_session!(warn, client, %mechanism, %delay, "login failed");
        }
        Event::Report(_) => of_session!(debug, client, "report received"),
        Event::Refused(refusal) => of_session!(warn, client, reason = %refusal, "refused"),
        _ => {}
    }
}

/// Returns a time as seconds with three digits after the point.
fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}
