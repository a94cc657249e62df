//! The servers of an account, and the sources of their hosts' names.

use std::{fmt, net::IpAddr};

use super::{host::Host, pin::Pin};
use crate::service::{Security, Service};

/// The source of a server's host name, which decides about the names that its certificate may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum HostSource {
    /// The user typed the host.
    #[default]
    User,
    /// An SRV record that DNSSEC secures names the host.
    SecureSrv,
    /// An SRV record that DNSSEC does not secure names the host, and the user confirmed it by reference to the
    /// provider's documentation (section 8).
    ConfirmedSrv,
    /// An SRV record that DNSSEC does not secure names the host, and the user did not confirm it. The certificate
    /// must be of the mail domain (RFC 6125 section 6.2.1, RFC 6186 section 6).
    InsecureSrv,
    /// A configuration file names the host, which was fetched over https from a host of the mail domain, whose
    /// certificate was verified.
    Autoconfig,
}

impl HostSource {
    /// Returns `true` if the host was found by SRV.
    #[must_use]
    pub const fn is_srv(self) -> bool {
        !matches!(self, Self::User | Self::Autoconfig)
    }
}

/// A server of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Server {
    /// The service.
    pub service: Service,
    /// The host that the connection is for.
    pub host: Host,
    /// The port.
    pub port: u16,
    /// The source of `host`.
    #[cfg_attr(feature = "serde", serde(default))]
    pub source: HostSource,
    /// The address to connect to in place of the addresses of `host`, whose name is verified nevertheless.
    #[cfg_attr(feature = "serde", serde(default))]
    pub address: Option<IpAddr>,
    /// The pins; [`AccountSetup::pin`](super::AccountSetup::pin) adds one.
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) pins: Vec<Pin>,
}

impl Server {
    /// Returns a server at the service's default port, whose host the user typed.
    #[must_use]
    pub const fn new(service: Service, host: Host) -> Self {
        Self {
            service,
            host,
            port: service.default_port(),
            source: HostSource::User,
            address: None,
            pins: Vec::new(),
        }
    }

    /// Sets the port.
    #[must_use]
    pub const fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets the source of the host.
    #[must_use]
    pub const fn with_source(mut self, source: HostSource) -> Self {
        self.source = source;
        self
    }

    /// Sets the address to connect to.
    #[must_use]
    pub const fn with_address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Returns the pins.
    #[must_use]
    pub fn pins(&self) -> &[Pin] {
        &self.pins
    }

    /// Returns the service and the port of an attempt without TLS: the clear port of the protocol after implicit TLS,
    /// whose port has no clear text, and the same port after `STARTTLS`.
    #[must_use]
    pub const fn clear_text_sibling(&self) -> (Service, u16) {
        let clear = Service::new(self.service.protocol, Security::Clear);
        match self.service.security {
            Security::Implicit => (clear, clear.default_port()),
            Security::StartTls | Security::Clear => (clear, self.port),
        }
    }

    /// Returns what tells the servers of an account apart.
    pub(super) fn key(&self) -> (Service, Host, u16) {
        (self.service, self.host.clone(), self.port)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => {
                write!(f, "{} at [{address}]:{}", self.service, self.port)
            }
            host => write!(f, "{} at {host}:{}", self.service, self.port),
        }
    }
}
