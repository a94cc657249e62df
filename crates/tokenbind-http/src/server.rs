//! The server's side of draft-balfanz-https-token-binding-00 section 2.
//!
//! [`ConnectionState`] is the state machine of one connection: it is given each request's headers, and
//! decides. It does no I/O. [`Connection`] shares it between requests. The adapters, each behind a
//! feature, connect it to a TLS engine and to HTTP servers.

#[cfg(feature = "tokio")]
mod acceptor;
mod connection;
#[cfg(feature = "hyper")]
pub(crate) mod first_request;
#[cfg(feature = "hyper")]
mod http_server;
#[cfg(feature = "tower")]
mod layer;
#[cfg(feature = "hyper")]
mod peer;
#[cfg(feature = "tower")]
mod request_body;
#[cfg(feature = "hyper")]
mod serve;
mod state;
mod terminate;

#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub use acceptor::{Acceptor, Stream};
pub use {
    connection::Connection,
    state::{
        ConnectionState, MAX_REMEMBERED_HEADER_BYTES, MAX_VERIFIED_MESSAGES, Options,
        RequestOutcome,
    },
    terminate::{TerminateKind, TerminateReason},
};
#[cfg(feature = "hyper")]
#[cfg_attr(docsrs, doc(cfg(feature = "hyper")))]
pub use {
    http_server::{
        Event, HANDSHAKE_TIMEOUT, MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS, SHUTDOWN_TIMEOUT,
        Server,
    },
    peer::Peer,
    serve::{
        ConnectionSettings, IDLE_TIMEOUT, Request, ServeError, serve_connection,
        serve_connection_with,
    },
};
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use {
    layer::{Layer, ResponseFuture, Service},
    request_body::{RequestBody, RequestBodyError},
};
