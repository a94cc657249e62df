//! Feature `client`: private connections of an account in one call (draft-newman-email-deep-02 sections 3 and 4).

mod connection;
mod connector;
mod deadline;
mod handshake;
#[cfg(feature = "async-imap")]
mod imap;
#[cfg(any(feature = "async-imap", feature = "lettre"))]
mod library;
mod pool;
mod prepared;
pub(crate) mod race;
#[cfg(feature = "lettre")]
mod smtp;
mod stream;
mod system_resolver;

pub(crate) use self::deadline::after;
#[cfg(feature = "monitor")]
pub(crate) use self::handshake::Handshake;
#[cfg(feature = "autoconfig-fetch")]
pub(crate) use self::handshake::handshake_cause;
#[cfg(feature = "async-imap")]
pub use self::imap::ImapStream;
#[cfg(any(feature = "async-imap", feature = "lettre"))]
pub use self::library::AdapterError;
pub use self::{
    connection::Connection,
    connector::Connector,
    deadline::DEADLINE,
    pool::MAX_RESUMED_SERVERS,
    stream::{Closed, Ending, Stream},
};
