//! The notices of a running gateway, for logs, counters and the store of reports. No notice has a user's name or
//! password, or octets of a peer.

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use super::{
    Backend, BackendFailure, BackendNotice, Carried, ClientFacts, Event, GatewayError,
    LimitReached, proxy_protocol::HeaderError,
};
use crate::{server::AcceptError, service::Service};

/// The function that a gateway calls with its notices. It must not block.
pub type Observer = Arc<dyn Fn(&Notice<'_>) + Send + Sync>;

/// A notice of a running gateway.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// The operating system gave an error instead of a connection, or a connection was closed because of a limit of the
    /// loop that accepts.
    Accept(&'a accept_loop::Event<'a>),
    /// A connection did not become a session.
    Refused {
        /// The service.
        service: Service,
        /// The address of the client, or of the proxy before it if its header was not read.
        peer: SocketAddr,
        /// The reason.
        reason: &'a RefusalReason,
    },
    /// The TLS handshake with a client is complete.
    Started(&'a ClientFacts),
    /// A new session waits because of failed logins of its client.
    Delayed {
        /// The client.
        client: &'a ClientFacts,
        /// The time that it waits.
        time: Duration,
    },
    /// The health of a backend changed, or was confirmed to be bad.
    Backend {
        /// The service.
        service: Service,
        /// The backend.
        backend: &'a Backend,
        /// The change.
        notice: BackendNotice<'a>,
    },
    /// The session has a backend.
    Opened {
        /// The client.
        client: &'a ClientFacts,
        /// The backend.
        backend: &'a Backend,
        /// The time from the handshake to the backend's greeting.
        time: Duration,
    },
    /// An event of a session.
    Session {
        /// The client.
        client: &'a ClientFacts,
        /// The event.
        event: &'a Event,
        /// The time by which the answer to a failed login is delayed.
        delay: Duration,
    },
    /// The session has ended.
    Ended {
        /// The client.
        client: &'a ClientFacts,
        /// The end.
        end: &'a SessionEnd,
        /// The octets that were carried.
        carried: Carried,
        /// The time from the handshake to the end.
        time: Duration,
    },
}

/// The reason why a connection did not become a session.
#[derive(Debug)]
#[non_exhaustive]
pub enum RefusalReason {
    /// A header of the PROXY protocol was expected, and did not arrive as it must be.
    ProxyHeader(HeaderError),
    /// The connection broke before the handshake.
    Broken(io::ErrorKind),
    /// A limit is reached.
    Limit(LimitReached),
    /// TLS, or the dialogue before it, failed.
    Accept(AcceptError),
}

impl RefusalReason {
    /// Returns the name of the reason, for counters.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ProxyHeader(_) => "proxy-header",
            Self::Broken(_) => "connection",
            Self::Limit(_) => "limit",
            Self::Accept(AcceptError::Timeout) => "timeout",
            Self::Accept(AcceptError::BeforeTls(_)) => "before-tls",
            Self::Accept(AcceptError::Tls(_)) => "tls",
            Self::Accept(AcceptError::Io(_)) => "connection",
        }
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProxyHeader(error) => error.fmt(f),
            Self::Broken(kind) => write!(f, "the connection broke before the handshake: {kind}"),
            Self::Limit(limit) => limit.fmt(f),
            Self::Accept(error) => error.fmt(f),
        }
    }
}

/// The end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEnd {
    /// The client, or the protocol, ended the session.
    Client,
    /// The backend closed its connection.
    Backend,
    /// The connection to the client broke.
    ClientBroke(io::ErrorKind),
    /// The connection to the backend broke.
    BackendBroke(io::ErrorKind),
    /// No backend was available.
    NoBackend(BackendFailure),
    /// The backend refused the client, whose address it knew.
    Refused,
    /// A side did not follow its protocol.
    Violation(GatewayError),
    /// The client did not log in in time.
    LoginTimeout,
    /// No octets were carried for the permitted time.
    Idle,
    /// The gateway stopped.
    Stopped,
}

impl SessionEnd {
    /// Returns the name of the end, for counters.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Backend => "backend",
            Self::ClientBroke(_) => "client-broke",
            Self::BackendBroke(_) => "backend-broke",
            Self::NoBackend(_) => "no-backend",
            Self::Refused => "refused",
            Self::Violation(_) => "violation",
            Self::LoginTimeout => "login-timeout",
            Self::Idle => "idle",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for SessionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("ended by the client"),
            Self::Backend => f.write_str("ended by the backend"),
            Self::ClientBroke(kind) => write!(f, "the connection to the client broke: {kind}"),
            Self::BackendBroke(kind) => write!(f, "the connection to the backend broke: {kind}"),
            Self::NoBackend(failure) => write!(f, "no backend is available: {failure}"),
            Self::Refused => f.write_str("the backend refused the client"),
            Self::Violation(error) => write!(f, "the protocol was not followed: {error}"),
            Self::LoginTimeout => f.write_str("no login in time"),
            Self::Idle => f.write_str("idle for too long"),
            Self::Stopped => f.write_str("the gateway stopped"),
        }
    }
}
