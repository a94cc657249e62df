//! The servers to be observed, and their addresses and TLSA records.

use std::net::IpAddr;

use super::MAX_ADDRESSES;
use crate::{
    account::{Host, Server},
    dns::{
        DnsName, Dnssec, LookupFailure,
        host::{Host as FoundHost, HostFailure},
    },
    monitor::observation::{AddressObservation, ServerObservation, ServerSource, TlsaObservation},
    name::DomainName,
    service::Service,
    setup::{Candidate, Source},
};

/// A server to be observed.
pub(super) struct Planned {
    pub(super) service: Service,
    pub(super) host: DomainName,
    pub(super) port: u16,
    pub(super) source: ServerSource,
    pub(super) server: Server,
}

impl Planned {
    pub(super) fn of_candidate(candidate: &Candidate) -> Self {
        let dnssec = match candidate.source() {
            Source::Srv(dnssec) => dnssec,
            Source::Autoconfig => Dnssec::Insecure,
        };
        Self {
            service: candidate.service(),
            host: candidate.host().clone(),
            port: candidate.port(),
            source: ServerSource::Srv(dnssec),
            server: candidate.to_server(),
        }
    }

    pub(super) fn new(
        service: Service,
        host: &DomainName,
        port: u16,
        source: ServerSource,
    ) -> Self {
        Self {
            service,
            host: host.clone(),
            port,
            source,
            server: Server::new(service, Host::Name(host.clone())).with_port(port),
        }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        (self.service, &self.host, self.port) == (other.service, &other.host, other.port)
    }

    pub(super) const fn uses_dane(&self) -> bool {
        // RFC 7672 section 2.2.1: a host that an insecure MX record names has no DANE.
        !matches!(self.source, ServerSource::Mx(Dnssec::Insecure))
    }
}

/// A server with its addresses and TLSA records.
pub(super) struct Located {
    pub(super) planned: Planned,
    pub(super) host: Result<FoundHost, HostFailure>,
    pub(super) alias: Option<DnsName>,
    pub(super) tlsa: Option<Result<TlsaObservation, LookupFailure>>,
}

pub(super) fn addresses_of(host: &Result<FoundHost, HostFailure>) -> impl Iterator<Item = IpAddr> {
    let addresses = host.iter().flat_map(|host| host.addresses.iter().copied());
    addresses.take(MAX_ADDRESSES)
}

impl Located {
    /// Returns `true` for the domain itself as server of its inbound mail, if it has no address.
    pub(super) fn is_absent_mx(&self, domain: &DomainName) -> bool {
        matches!(self.planned.source, ServerSource::Mx(_))
            && self.planned.host == *domain
            && self.host == Err(HostFailure::NoAddress)
    }

    pub(super) fn observed(self, addresses: Vec<AddressObservation>) -> ServerObservation {
        let Planned {
            service,
            host,
            port,
            source,
            ..
        } = self.planned;
        let failed_family = self.host.as_ref().ok().and_then(|it| it.failed_family);
        ServerObservation {
            service,
            host,
            port,
            source,
            addresses: self.host.map(|_| addresses),
            alias: self.alias,
            failed_family,
            tlsa: self.tlsa,
        }
    }
}
