//! The rules of a proxy that is the public side of a server, and its events.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::fmt;

use crate::{
    error::{EncodeError, EncodeErrorKind},
    imap::{MAX_ID_FIELD_BYTES, MAX_ID_VALUE_BYTES},
    report::ClientReport,
    server::Advertisement,
};

/// The login at the server that takes the place of a client's SASL EXTERNAL.
#[derive(Clone, PartialEq, Eq)]
pub struct MappedLogin {
    /// The mechanism for the server.
    pub mechanism: String,
    /// The client's message of this mechanism, in base64. It can be a secret: `Debug` does not print it.
    pub message: String,
}

impl fmt::Debug for MappedLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("MappedLogin");
        debug
            .field("mechanism", &self.mechanism)
            .finish_non_exhaustive()
    }
}

/// A mapping of a client's SASL EXTERNAL (RFC 4422 appendix A), whose certificate the server does not see.
pub trait MapExternal: fmt::Debug + Send + Sync {
    /// Returns the login at the server for a client's response, a line of base64 without CRLF; `None` if the client may not
    /// log in by it.
    fn login(&self, response: &str) -> Option<MappedLogin>;
}

/// The rules of a proxy that is the public side of a server.
#[derive(Clone, Debug, Default)]
pub struct FrontRules {
    /// The status that is advertised in place of the server's. Without one DEEP is the server's own.
    pub advertisement: Option<Advertisement>,
    /// The mapping of SASL EXTERNAL. Without one EXTERNAL is not available, whatever the server offers: the server may
    /// take it for the login of the proxy itself.
    pub external: Option<Arc<dyn MapExternal>>,
    /// `true` if the client received a greeting before TLS, so that the server's greeting is not forwarded.
    pub hide_greeting: bool,
    /// `true` if the connection is parsed to its end. Otherwise it becomes a pipe after login, unless the server has
    /// UNAUTHENTICATE (RFC 8437).
    pub parse_to_end: bool,
    /// `true` if octets outside ASCII are accepted outside of literals before login, as UTF-8 (RFC 9051 section 4.3). RFC
    /// 3501 does not have them, and a server that drops the eighth bit of an octet finds CR and LF in them.
    pub allow_utf8: bool,
    pub(super) fields: Vec<(&'static str, String)>,
}

impl FrontRules {
    /// Adds a field that is reported to the server in ID, such as the client's address. A field of a client with this name
    /// is removed.
    ///
    /// # Errors
    /// Returns [`EncodeErrorKind::Limit`] for a name or value that is longer than RFC 2971 allows, and
    /// [`EncodeErrorKind::Character`] for a value that is not printable ASCII.
    pub fn try_report(&mut self, field: &'static str, value: String) -> Result<(), EncodeError> {
        let limits = [
            (field.len(), MAX_ID_FIELD_BYTES),
            (value.len(), MAX_ID_VALUE_BYTES),
        ];
        if let Some((_, limit)) = limits.into_iter().find(|(length, limit)| length > limit) {
            return Err(EncodeError::new(EncodeErrorKind::Limit { limit }, field));
        }
        if !value.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
            return Err(EncodeError::new(EncodeErrorKind::Character, field));
        }
        self.fields.push((field, value));
        Ok(())
    }
}

/// An event of a proxy that is the public side of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyEvent {
    /// The server answered a login, or the client cancelled it. A login that the server did not judge, such as one that it
    /// answers by `NO [UNAVAILABLE]` (RFC 5530), is no event.
    Login {
        /// The SASL mechanism in upper case, or `None` for the command LOGIN.
        mechanism: Option<String>,
        /// `true` if the client is logged in.
        accepted: bool,
    },
    /// The report in a client's ID. `tls` is that of the proxy.
    Report(ClientReport),
    /// The proxy refused something, and the other side did not receive it.
    Refused(ProxyRefusal),
    /// The connection has ended: the server said so, or the client logged out.
    Closed,
}

/// The reason why the proxy refused something of a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyRefusal {
    /// Octets that do not follow the grammar.
    Syntax,
    /// A command that is not available through the proxy.
    Command,
    /// A login by SASL EXTERNAL that the mapping does not know.
    External,
    /// A field of ID that only proxies send. The command was forwarded without it.
    Forged,
    /// A greeting that declares the client to be logged in.
    Preauth,
}

/// A side of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxySide {
    /// The client.
    Client,
    /// The server.
    Server,
}
