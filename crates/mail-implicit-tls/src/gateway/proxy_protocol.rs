//! The PROXY protocol (`proxy-protocol.txt` of haproxy.org), by which a proxy passes on the client's address: both
//! versions are read, version 2 is written.
//!
//! [`Opening`] reads the begin of an accepted connection: a header from listed proxies, and none from others.
//! [`Header::of_client`] returns what a gateway passes on to a backend, before TLS if the
//! connection to it uses TLS.

mod error;
mod networks;
mod opening;
mod read;
mod write;

use std::net::{IpAddr, SocketAddr};

pub use self::{
    error::{HeaderEncodeError, HeaderError, HeaderErrorKind},
    networks::{NetworkError, Networks},
    opening::{Opened, Opening},
};
use super::ClientFacts;
use crate::name::DomainName;

/// The greatest length of a header of version 1, with its line end: `proxy-protocol.txt` section 2.1.
pub const MAX_V1_BYTES: usize = 107;

/// The greatest length of a header of version 2. The protocol permits 65,551 octets. Proxies send up to a few hundred, and a
/// certificate of a client has some 2,000; the octets are kept before it is known who the client is.
pub const MAX_V2_BYTES: usize = 4096;

/// The greatest length of a unique identifier of a connection: `proxy-protocol.txt` section 2.2.5.
pub const MAX_UNIQUE_ID_BYTES: usize = 128;

/// The begin of every header of version 2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The begin of every header of version 1.
const V1_BEGIN: &[u8] = b"PROXY ";

/// The length of a header of version 2 without addresses and fields.
const V2_FIXED_BYTES: usize = 16;

const VERSION_AND_LOCAL: u8 = 0x20;
const VERSION_AND_PROXY: u8 = 0x21;

const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

const TYPE_AUTHORITY: u8 = 0x02;
const TYPE_CRC32C: u8 = 0x03;
const TYPE_UNIQUE_ID: u8 = 0x05;
const TYPE_SSL: u8 = 0x20;
const SUBTYPE_SSL_VERSION: u8 = 0x21;
const SUBTYPE_SSL_CN: u8 = 0x22;
const SUBTYPE_SSL_CIPHER: u8 = 0x23;

/// The field `client` of the SSL field: the client uses TLS.
const CLIENT_SSL: u8 = 0x01;
/// The client sent a certificate on this connection.
const CLIENT_CERT_CONN: u8 = 0x02;
/// The client sent a certificate within the TLS session, which may be older than the connection.
const CLIENT_CERT_SESS: u8 = 0x04;

/// A header of the PROXY protocol.
///
/// ```
/// use mail_implicit_tls::gateway::proxy_protocol::Header;
///
/// let octets = b"PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 51234 993\r\n\x16\x03\x01";
/// let (header, length) = Header::read(octets)?.ok_or("incomplete")?;
/// let addresses = header.addresses.ok_or("no addresses")?;
/// assert_eq!(addresses.source, "192.0.2.7:51234".parse()?);
/// assert_eq!(octets.get(length..), Some(&b"\x16\x03\x01"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The addresses of the client's connection. `None` if the connection's own addresses count: LOCAL, UNSPEC, a
    /// connection over a Unix socket, UNKNOWN of version 1.
    pub addresses: Option<Addresses>,
    /// The host that the client asked for, as in the server name of TLS.
    pub authority: Option<DomainName>,
    /// The identifier of the connection.
    pub unique_id: Option<Vec<u8>>,
    /// The client's TLS.
    pub ssl: Option<Ssl>,
}

/// The addresses of a client's connection to a proxy. IPv4-mapped addresses are those of IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Addresses {
    /// The client's address.
    pub source: SocketAddr,
    /// The address that the client connected to.
    pub destination: SocketAddr,
}

/// The TLS of a client's connection to a proxy: the field `PP2_TYPE_SSL`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ssl {
    /// The version, e.g. `TLSv1.3`. It is present if the client uses TLS.
    pub version: Option<String>,
    /// The cipher suite.
    pub cipher: Option<String>,
    /// The client's certificate.
    pub certificate: Option<ClientCertificate>,
}

/// The certificate of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClientCertificate {
    /// The common name.
    pub common_name: Option<String>,
    /// `true` if the certificate was sent on this connection, and not only within the TLS session that it resumes.
    pub on_connection: bool,
    /// `true` if the proxy verified the certificate.
    pub is_verified: bool,
}

impl Addresses {
    /// Returns these addresses, those of IPv4 in their own form.
    #[must_use]
    pub const fn new(source: SocketAddr, destination: SocketAddr) -> Self {
        Self {
            source: canonical(source),
            destination: canonical(destination),
        }
    }
}

impl Header {
    /// Returns the header of a health check or another connection of the proxy itself.
    #[must_use]
    pub fn local() -> Self {
        Self::default()
    }

    /// Returns the header for the connection of a client: its address and the address that it connected to, version and
    /// cipher suite of its TLS, the host that it asked for, and the session's name as unique identifier.
    ///
    /// The cipher suite has its registered name, as in section 6 of the draft. A certificate is passed on only if it was
    /// mapped to an identity, and the common name is that identity: a backend that takes the common name for the name of a
    /// user does not receive a name that only the certificate has.
    #[must_use]
    pub fn of_client(facts: &ClientFacts) -> Self {
        let record = &facts.record;
        let suite = record.tls_clause().map(|(suite, _)| suite.to_string());
        let certificate = record.client.as_ref().map(|identity| ClientCertificate {
            common_name: Some(identity.clone()),
            on_connection: !record.resumed,
            is_verified: true,
        });
        Self {
            addresses: Some(Addresses::new(record.peer, facts.local)),
            authority: record.server_name.clone(),
            unique_id: Some(facts.session.to_string().into_bytes()),
            ssl: record.version.map(|version| Ssl {
                version: Some(version.to_string()),
                cipher: suite,
                certificate,
            }),
        }
    }
}

const fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Returns an address as one of IPv6, as a connection of both families needs it.
const fn mapped(address: IpAddr) -> std::net::Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// Returns the checksum of a header whose own checksum field is zero: CRC-32C (RFC 9260 appendix A).
const fn checksum(octets: &[u8]) -> u32 {
    crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(octets)
}
