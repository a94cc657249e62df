//! The log: structured events on standard error. It has addresses, names of reasons and methods; it never has paths,
//! headers, identifiers or keys.

use std::io;

use command_support::log::{self, Form, Log};
use http::{Method, StatusCode};
use serde::Deserialize;
use tokenbind_http::server;

/// The form of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    /// Text for people, with a time.
    #[default]
    Text,
    /// A JSON object on each line.
    Json,
    /// Text without a time, for the journal, which adds its own.
    Journal,
}

/// The least severe events that are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Level {
    /// Failures of the proxy and of its backend.
    Error,
    /// Limits that are reached, and connections that are cut.
    Warn,
    /// Start, stop, reload, and connections that Token Binding terminates.
    #[default]
    Info,
    /// Each request, and each connection that fails.
    Debug,
}

/// Starts the log of the process.
///
/// # Errors
/// Returns the error of the log's destination.
pub(crate) fn start(format: Format, level: Level) -> io::Result<Log> {
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

/// Logs an event of the server.
pub(crate) fn event(event: server::Event<'_>) {
    match event {
        server::Event::AcceptFailed(error) => {
            tracing::error!(%error, "no connection can be accepted")
        }
        server::Event::AddressFull(peer) => {
            tracing::warn!(%peer, "closed: too many connections of this address");
        }
        server::Event::GaveWay(peer) => {
            tracing::debug!(%peer, "closed: gave way to a later connection");
        }
        server::Event::HandshakeFailed(peer, error) => {
            tracing::debug!(%peer, %error, "handshake failed");
        }
        server::Event::HandshakeTimedOut(peer) => tracing::debug!(%peer, "handshake timed out"),
        server::Event::ConnectionFailed(peer, error) => {
            tracing::debug!(%peer, %error, "connection failed");
        }
        _ => tracing::debug!(%event),
    }
}

/// Logs the reason why Token Binding ended a connection.
pub(crate) fn terminated(refusal: server::TerminateReason) {
    tracing::info!(reason = %refusal, "connection terminated");
}

/// Logs a request that was answered.
pub(crate) fn answered(peer: &server::Peer, method: &Method, is_bound: bool, status: StatusCode) {
    // A method may be any token, which a client chooses.
    let method = match *method {
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::DELETE => method.as_str(),
        Method::OPTIONS | Method::PATCH | Method::TRACE | Method::CONNECT => method.as_str(),
        _ => "other",
    };
    let status = status.as_u16();
    tracing::debug!(peer = %peer.address, method, token_binding = is_bound, status, "request");
}
