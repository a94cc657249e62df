//! A connection on which the client may log in: its server, its privacy, its stream.

use std::net::SocketAddr;

use rustls::HandshakeKind;

use super::stream::{Ending, Stream};
use crate::{
    dialogue::{Capabilities, Greeting},
    privacy::{Indication, ProtocolVersion},
    service::{Protocol, Service},
    verdict::Verdict,
};

/// A connection on which the client may log in.
#[derive(Debug)]
pub struct Connection {
    pub(super) stream: Stream,
    pub(super) service: Service,
    pub(super) greeting: Greeting,
    pub(super) capabilities: Capabilities,
    pub(super) verdict: Option<Verdict>,
    pub(super) peer: Option<SocketAddr>,
    #[cfg(any(feature = "deep", feature = "lettre"))]
    pub(super) ehlo: String,
}

impl Connection {
    /// Returns the service that was used: the server's, or its clear-text sibling.
    #[must_use]
    pub const fn service(&self) -> Service {
        self.service
    }

    /// Returns the privacy that the connection has.
    #[must_use]
    pub fn indication(&self) -> Indication {
        match (&self.verdict, self.version()) {
            (Some(verdict), Some(version)) => Indication::of_tls(verdict, version),
            _ => Indication::clear(),
        }
    }

    /// Returns the verdict about the server, or nothing in clear text.
    pub const fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// Returns the version of TLS, or nothing in clear text.
    #[must_use]
    pub fn version(&self) -> Option<ProtocolVersion> {
        let version = self.stream.tls_connection()?.protocol_version()?;
        Some(ProtocolVersion(u16::from(version)))
    }

    /// Returns the registered number of the cipher suite, or nothing in clear text.
    #[must_use]
    pub fn cipher_suite(&self) -> Option<u16> {
        let suite = self.stream.tls_connection()?.negotiated_cipher_suite()?;
        Some(u16::from(suite.suite()))
    }

    /// Returns the registered number of the group of the key exchange, or nothing if there was none.
    #[must_use]
    pub fn group(&self) -> Option<u16> {
        let group = self
            .stream
            .tls_connection()?
            .negotiated_key_exchange_group()?;
        Some(u16::from(group.name()))
    }

    /// Returns `true` if the session was resumed.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        let connection = self.stream.tls_connection();
        connection.and_then(|it| it.handshake_kind()) == Some(HandshakeKind::Resumed)
    }

    /// Returns the greeting.
    #[must_use]
    pub const fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Returns the capabilities that the server advertises now.
    #[must_use]
    pub const fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Returns the address of the server.
    #[must_use]
    pub const fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Returns a handle that tells how the connection ended, for the time when a library owns the stream.
    #[must_use]
    pub fn ending(&self) -> Ending {
        self.stream.ending()
    }

    /// Returns the stream, on which the server's greeting was read.
    #[must_use]
    pub fn into_stream(self) -> Stream {
        self.stream
    }

    /// Returns the stream for a library that reads the greeting itself. The stream begins with the greeting, if it
    /// came within TLS; a greeting that came in clear text is replaced by one without a text.
    #[must_use]
    pub fn into_stream_with_greeting(mut self) -> Stream {
        self.put_greeting_ahead();
        self.stream
    }

    /// Puts the greeting before the octets that are still to be read.
    pub(crate) fn put_greeting_ahead(&mut self) {
        let empty = [empty_greeting(self.service.protocol).to_owned()];
        let lines = match self.greeting.encrypted {
            true => self.greeting.lines.as_slice(),
            false => &empty,
        };
        let mut greeting = Vec::new();
        for line in lines {
            greeting.extend_from_slice(line.as_bytes());
            greeting.extend_from_slice(b"\r\n");
        }
        self.stream.put_ahead(greeting);
    }

    #[cfg(feature = "deep")]
    pub(crate) const fn stream_mut(&mut self) -> &mut Stream {
        &mut self.stream
    }

    #[cfg(feature = "deep")]
    pub(crate) fn ehlo(&self) -> &str {
        &self.ehlo
    }
}

const fn empty_greeting(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Imap => "* OK ready",
        Protocol::Pop => "+OK ready",
        Protocol::Submission => "220 ready",
    }
}
