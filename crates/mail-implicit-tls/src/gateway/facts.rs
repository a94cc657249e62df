//! The facts of a client's connection that a session passes on to the backend.

use std::{fmt, net::SocketAddr};

use deep_latch::TlsCipher;

use super::source::Source;
use crate::{server::ConnectionRecord, service::Security};

/// The facts of a client's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFacts {
    /// The record of the TLS connection: service, the client's address, version, cipher suite, host name, identity of the
    /// certificate. If a listed proxy connects, `peer` is the address that its PROXY header has.
    pub record: ConnectionRecord,
    /// The address that the client connected to.
    pub local: SocketAddr,
    /// The name of the session in the logs of gateway and backend.
    pub session: SessionId,
}

impl ClientFacts {
    /// Returns the cipher suite of the client's connection as `tls-cipher` (draft-newman-email-deep-02 section 6).
    #[must_use]
    pub fn cipher(&self) -> Option<TlsCipher<'static>> {
        self.record.cipher_suite.map(TlsCipher::of_suite)
    }

    /// Returns the client as limits count it: an IPv4 address, or the network /64 of an IPv6 address, such as
    /// `2001:db8:0:1::/64`.
    #[must_use]
    pub fn network(&self) -> String {
        Source::of(self.record.peer.ip()).to_string()
    }

    /// Returns `true` if the client received a greeting before TLS: on a port with STARTTLS the backend's greeting is not
    /// shown.
    #[must_use]
    pub fn was_greeted(&self) -> bool {
        self.record.service.security == Security::StartTls
    }
}

/// The name of a session, which is displayed as 32 hexadecimal digits. The caller chooses it: names of one gateway differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub u128);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
