//! The client's side of draft-balfanz-https-token-binding-00: one key per origin, one header per
//! connection, referred bindings only where permitted.
//!
//! [`State`] holds the keys of all connections, [`Connection`] writes the headers of one. Both do no
//! I/O, except that of the key store. The adapters, each behind a feature, connect them to rustls and
//! to hyper.

mod connection;
#[cfg(feature = "tokio")]
mod connector;
#[cfg(feature = "hyper")]
mod http_client;
#[cfg(feature = "hyper")]
mod https;
#[cfg(feature = "hyper")]
mod pool;
#[cfg(feature = "hyper")]
mod request_error;
mod state;

#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub use connector::{Connector, Stream};
pub use {
    connection::{Connection, RequestHeader},
    state::{ClearCookies, ClientError, Opening, Options, State},
};
#[cfg(feature = "hyper")]
#[cfg_attr(docsrs, doc(cfg(feature = "hyper")))]
pub use {
    http_client::{Disclosed, HttpClient, RequestOptions},
    https::{HttpsConnector, HttpsStream},
    request_error::{MAX_REDIRECTS, RequestError},
};
