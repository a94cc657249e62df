//! A session within TLS: its record for the log, the client's identity, and the stream.

use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustls::{HandshakeKind, ServerConnection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::before_tls::is_http;
use crate::{
    name::DomainName,
    privacy::ProtocolVersion,
    received::{CipherSuite, Group},
    service::Service,
};

/// The number of octets of the client's first line that show HTTP.
const FIRST_LINE_BYTES: usize = 16;

/// A session of a client, within TLS.
///
/// If [`client`](Self::client) has an identity, the server must enable SASL EXTERNAL, or may send `* PREAUTH` as
/// greeting of IMAP (section 9.1.1); POP stays in the AUTHORIZATION state (section 4.1).
#[derive(Debug)]
pub struct Session<S> {
    stream: SessionStream<S>,
    record: ConnectionRecord,
}

/// The facts of a connection for a log (section 9.2: "Servers MUST be configurable to include the TLS cipher
/// information in any connection or user logging").
///
/// `Display` prints one line. The host name, which is checked, is its only text of the client's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionRecord {
    /// The service.
    pub service: Service,
    /// The address of the client.
    pub peer: SocketAddr,
    /// The version of TLS.
    pub version: Option<ProtocolVersion>,
    /// The registered number of the cipher suite.
    pub cipher_suite: Option<u16>,
    /// The registered number of the group of the key exchange.
    pub group: Option<u16>,
    /// The host that the client asked for.
    pub server_name: Option<DomainName>,
    /// `true` if the client offered this service's application protocol.
    pub alpn: bool,
    /// `true` if the session was resumed.
    pub resumed: bool,
    /// The identity of the client's certificate.
    pub client: Option<String>,
}

impl ConnectionRecord {
    /// Returns the record of a client's connection to a service, of which nothing else is known.
    ///
    /// ```
    /// use mail_implicit_tls::{server::ConnectionRecord, service::Service};
    ///
    /// let record = ConnectionRecord {
    ///     cipher_suite: Some(0x1301),
    ///     ..ConnectionRecord::new(Service::IMAPS, "192.0.2.7:51234".parse()?)
    /// };
    /// assert_eq!(
    ///     record.to_string(),
    ///     "service=imaps peer=192.0.2.7:51234 cipher=TLS_AES_128_GCM_SHA256"
    /// );
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub const fn new(service: Service, peer: SocketAddr) -> Self {
        Self {
            service,
            peer,
            version: None,
            cipher_suite: None,
            group: None,
            server_name: None,
            alpn: false,
            resumed: false,
            client: None,
        }
    }

    /// Returns the values of the `tls` and `group` clauses of a Received field (section 6, RFC 8314 section 4.3), or
    /// nothing if the suite is not known. A session that was resumed, or whose group is not registered, has no group.
    ///
    /// ```
    /// use mail_implicit_tls::{
    ///     name::DomainName,
    ///     received::{Client, Stamp, Transmission},
    ///     server::ConnectionRecord,
    /// };
    ///
    /// /// Returns the field that a submission server puts before a message.
    /// fn received(
    ///     record: &ConnectionRecord,
    ///     ehlo: &str,
    ///     by: &DomainName,
    ///     seconds: u64,
    /// ) -> Result<String, Box<dyn std::error::Error>> {
    ///     let clause = record.tls_clause();
    ///     let client = Client::greeting(ehlo, record.peer.ip());
    ///     let transmission = Transmission {
    ///         tls: clause.is_some(),
    ///         authenticated: true,
    ///         ..Transmission::ESMTP
    ///     };
    ///     let stamp = Stamp::try_new(client, by, seconds)?.with(transmission);
    ///     Ok(match &clause {
    ///         Some((suite, group)) => stamp.tls(suite, group.as_ref()).to_string(),
    ///         None => stamp.to_string(),
    ///     })
    /// }
    /// ```
    #[must_use]
    pub fn tls_clause(&self) -> Option<(CipherSuite<'static>, Option<Group<'static>>)> {
        let suite = CipherSuite::from_number(self.cipher_suite?);
        Some((suite, self.group.and_then(Group::from_number)))
    }

    fn of(
        service: Service,
        peer: SocketAddr,
        tls: &ServerConnection,
        client: Option<String>,
    ) -> Self {
        Self {
            service,
            peer,
            version: tls
                .protocol_version()
                .map(|version| ProtocolVersion(u16::from(version))),
            cipher_suite: tls
                .negotiated_cipher_suite()
                .map(|suite| u16::from(suite.suite())),
            group: tls
                .negotiated_key_exchange_group()
                .map(|group| u16::from(group.name())),
            server_name: tls
                .server_name()
                .and_then(|name| DomainName::parse(name).ok()),
            alpn: tls.alpn_protocol().is_some(),
            resumed: tls.handshake_kind() == Some(HandshakeKind::Resumed),
            client,
        }
    }
}

impl fmt::Display for ConnectionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "service={} peer={}", self.service, self.peer)?;
        if let Some(version) = self.version {
            write!(f, " tls={version}")?;
        }
        if let Some(suite) = self.cipher_suite {
            write!(f, " cipher={}", CipherSuite::from_number(suite).as_str())?;
        }
        if let Some(group) = self.group {
            match Group::from_number(group) {
                Some(group) => write!(f, " group={}", group.as_str())?,
                None => write!(f, " group=0x{group:04x}")?,
            }
        }
        if let Some(name) = &self.server_name {
            write!(f, " sni={name}")?;
        }
        if self.resumed {
            f.write_str(" resumed")?;
        }
        match &self.client {
            Some(client) => write!(f, " client={:?}", client),
            None => Ok(()),
        }
    }
}

impl<S> Session<S> {
    pub(super) fn new(
        service: Service,
        peer: SocketAddr,
        stream: TlsStream<S>,
        client: Option<String>,
    ) -> Self {
        let record = ConnectionRecord::of(service, peer, stream.get_ref().1, client);
        Self {
            stream: SessionStream {
                stream,
                first: Some(Vec::new()),
            },
            record,
        }
    }

    /// Returns the record for a log.
    #[must_use]
    pub const fn record(&self) -> &ConnectionRecord {
        &self.record
    }

    /// Returns the identity of the client's certificate, if it is sufficient to log in.
    #[must_use]
    pub fn client(&self) -> Option<&str> {
        self.record.client.as_deref()
    }

    /// Returns the stream.
    #[must_use]
    pub fn into_stream(self) -> SessionStream<S> {
        self.stream
    }
}

/// The stream of a session.
///
/// A first line of HTTP ends it with [`io::ErrorKind::InvalidData`], before the application can take it for commands.
/// [`shutdown`](tokio::io::AsyncWriteExt::shutdown) sends the TLS close alert before TCP ends (section 4.4).
#[derive(Debug)]
pub struct SessionStream<S> {
    stream: TlsStream<S>,
    /// The first octets of the client, until they show that it does not speak HTTP.
    first: Option<Vec<u8>>,
}

impl<S> SessionStream<S> {
    /// Returns the connection of rustls.
    #[must_use]
    pub fn tls_connection(&self) -> &ServerConnection {
        self.stream.get_ref().1
    }

    /// Returns the stream below TLS.
    #[cfg(feature = "gateway")]
    pub(crate) fn io(&self) -> &S {
        self.stream.get_ref().0
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for SessionStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if let Some(first) = &mut self.first {
            let new = buf.filled().get(filled..).unwrap_or_default();
            let wanted = FIRST_LINE_BYTES.saturating_sub(first.len());
            first.extend(new.iter().take(wanted).copied());
            if is_http(first) {
                buf.set_filled(filled);
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the client sent an HTTP request",
                )));
            }
            if first.len() >= FIRST_LINE_BYTES || first.contains(&b'\n') {
                self.first = None;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for SessionStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
