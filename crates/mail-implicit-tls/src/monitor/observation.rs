//! Observations: facts of the DNS and of servers, each known or with the reason why it is not.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::certificate::Certificate;
use crate::{
    dns::{
        Answer, DnsName, Dnssec, LookupFailure, Mx,
        host::{HostFailure, TlsaRecords},
        signatures::SignedAnswer,
    },
    failure::{Cause, Stage},
    name::DomainName,
    service::Service,
    setup::Offers,
    verdict::Verdict,
};

/// The facts about a mail domain at one time.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The mail domain.
    pub domain: DomainName,
    /// The time, since the Unix epoch.
    pub at: Duration,
    /// The answer for the domain's own address, of which only the denial of the name counts.
    pub own: Answer,
    /// The SRV records of each service.
    pub services: Vec<ServiceObservation>,
    /// The servers that the records name, as a client reads them.
    pub offers: Offers,
    /// The servers.
    pub servers: Vec<ServerObservation>,
    /// The services on well-known ports of the servers' hosts for which there is no SRV record.
    pub listening: Vec<Listening>,
    /// The answers of the DNS with their signatures, each name and type once.
    pub signed: Vec<SignedAnswer>,
    /// The MX records, if the servers for inbound mail are observed.
    pub mx: Option<Answer>,
    /// The policies of inbound mail, if they were asked for.
    pub transport: Option<TransportSecurity>,
    /// The resolver that was asked, if it is known.
    pub resolver: Option<SocketAddr>,
}

/// The SRV records of a service.
#[derive(Clone, Debug)]
pub struct ServiceObservation {
    /// The service.
    pub service: Service,
    /// The answer.
    pub answer: Answer,
}

/// The source of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerSource {
    /// An SRV record, with its DNSSEC state.
    Srv(Dnssec),
    /// An MX record, or the domain itself where there is none, with the DNSSEC state of the answer: port 25.
    Mx(Dnssec),
    /// The operator.
    Named,
}

/// A server.
#[derive(Clone, Debug)]
pub struct ServerObservation {
    /// The service.
    pub service: Service,
    /// The host.
    pub host: DomainName,
    /// The port.
    pub port: u16,
    /// The source.
    pub source: ServerSource,
    /// The server at each address, or the failure of their lookup.
    pub addresses: Result<Vec<AddressObservation>, HostFailure>,
    /// The end of the host's aliases, if the host is an alias.
    pub alias: Option<DnsName>,
    /// The failure of the lookup of one of the two families of addresses.
    pub failed_family: Option<LookupFailure>,
    /// The TLSA records, or the failure of their lookup. `None` if the host has no address.
    pub tlsa: Option<Result<TlsaObservation, LookupFailure>>,
}

impl ServerObservation {
    /// Returns `true` for a server for inbound mail, whose clients are other servers.
    #[must_use]
    pub const fn is_inbound(&self) -> bool {
        matches!(self.source, ServerSource::Mx(_))
    }
}

impl fmt::Display for ServerObservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source {
            ServerSource::Mx(_) => write!(f, "mx {}:{}", self.host, self.port),
            _ => write!(f, "{} {}:{}", self.service.name(), self.host, self.port),
        }
    }
}

/// The TLSA records of a server's port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsaObservation {
    /// The name of the records: `_993._tcp.imap.example.org.`
    pub owner: String,
    /// The records.
    pub records: TlsaRecords,
    /// The time for which resolvers keep the records.
    pub ttl: Duration,
}

/// A server at one address.
#[derive(Clone, Debug)]
pub struct AddressObservation {
    /// The address.
    pub address: IpAddr,
    /// The result of the client's connection: it may log in, or the cause of the failure.
    pub client: Result<(), Cause>,
    /// The facts of a handshake, also of a client that failed after it, and of one that refused the server.
    pub tls: Option<TlsObservation>,
    /// The certificate, also of a server that the client refused.
    pub certificate: Option<Certificate>,
    /// The support of old versions of TLS.
    pub old_versions: Result<OldVersions, NotKnown>,
    /// The logins before TLS. `None` for implicit TLS.
    pub clear: Option<Result<ClearText, NotKnown>>,
    /// The DEEP status.
    pub deep: Result<DeepStatus, NotKnown>,
}

/// The facts of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsObservation {
    /// The verdict of the client about the server, without TLSA records if their lookup failed.
    pub verdict: Verdict,
    /// The version of TLS, by its number.
    pub version: u16,
    /// The cipher suite, by its number.
    pub cipher_suite: Option<u16>,
}

/// The support of old versions of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OldVersions {
    /// The version that the server chooses if the client has TLS 1.1 at most, by its number.
    pub up_to_1_1: Option<u16>,
    /// `true` if the server accepts TLS 1.2, and `false` if it says that it lacks it.
    pub tls_1_2: Option<bool>,
}

/// The logins that a server offers before TLS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClearText {
    /// The mechanisms, with `LOGIN` or `USER` for the commands of IMAP and POP.
    pub logins: Vec<String>,
    /// `true` if the server offers to begin TLS.
    pub starttls: bool,
}

/// The DEEP status of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeepStatus {
    /// The tags that the server advertises, or `None` if it advertises no status.
    pub tags: Option<Vec<String>>,
    /// The tags that the connection does not achieve, of those whose meaning is known.
    pub not_achieved: Vec<String>,
    /// `true` if the status has an https URL. `None` if the server is not authenticated, so that it is not known.
    pub has_url: Option<bool>,
}

/// A service on a well-known port of a host, for which there is no SRV record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listening {
    /// The service.
    pub service: Service,
    /// The host.
    pub host: DomainName,
    /// The address.
    pub address: IpAddr,
}

/// The policies of inbound mail, RFC 8461 and 8460.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportSecurity {
    /// The MX records.
    pub mx: Result<Vec<Mx>, LookupFailure>,
    /// The TXT records of `_mta-sts`.
    pub mta_sts: Result<Vec<String>, LookupFailure>,
    /// The policy file, if there is a record.
    pub policy: Option<PolicyFile>,
    /// The TXT records of `_smtp._tls`.
    pub tls_rpt: Result<Vec<String>, LookupFailure>,
}

/// The policy file of MTA-STS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyFile {
    /// The text of the file.
    Text(String),
    /// The host answered with another status than 200, or the file has a form that senders refuse.
    Refused(String),
    /// The connection failed.
    Failed(Cause),
}

/// The reason why a fact is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotKnown {
    /// No connection could be made, or it broke.
    Connect(io::ErrorKind),
    /// The time was over at this stage.
    Timeout(Stage),
    /// The server refuses this client now: `* BYE`, `-ERR`, 421, 554.
    Refuses,
    /// The server's replies could not be read.
    Dialogue,
    /// An earlier step failed.
    NotTried,
}

impl fmt::Display for NotKnown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(kind) => write!(f, "connection failed: {kind}"),
            Self::Timeout(stage) => write!(f, "{stage} not complete in time"),
            Self::Refuses => f.write_str("the server refuses the connection"),
            Self::Dialogue => f.write_str("the server's replies cannot be read"),
            Self::NotTried => f.write_str("an earlier step failed"),
        }
    }
}
