//! The addresses of listeners: each belongs to one service, and a reload finds its listener again.

use std::net::{IpAddr, SocketAddr};

use mail_implicit_tls::service::Service;

/// A listener of the configuration.
///
/// The operating system chooses another port for each address with port 0, so that these are known by their
/// service and their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) address: SocketAddr,
    service: Option<&'static str>,
    number: usize,
}

/// The addresses that services and the endpoint of metrics listen on.
#[derive(Debug, Default)]
pub(super) struct Places(Vec<Place>);

impl Places {
    /// Adds an address of a service.
    ///
    /// # Errors
    /// Returns a message if another listener has this address, or all addresses of its port.
    pub(super) fn add(&mut self, address: SocketAddr, service: Service) -> Result<Place, String> {
        self.check(address)?;
        let mut place = Place {
            address,
            service: (address.port() == 0).then(|| service.name()),
            number: 0,
        };
        while self.0.contains(&place) {
            place.number = place.number.saturating_add(1);
        }
        self.0.push(place);
        Ok(place)
    }

    /// Checks that no listener has this address.
    ///
    /// # Errors
    /// Returns a message with the address of the other listener.
    pub(super) fn check(&self, address: SocketAddr) -> Result<(), String> {
        let others = self.0.iter().map(|place| place.address);
        match others.into_iter().find(|other| overlap(*other, address)) {
            Some(other) if other == address => Err(format!("{address} is listened on twice")),
            Some(other) => Err(format!(
                "{address} and {other}, which is listened on too, overlap"
            )),
            None => Ok(()),
        }
    }
}

/// Returns `true` if two listeners cannot have these addresses.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let (ip, other_ip) = (one.ip(), other.ip());
    let family = IpAddr::is_ipv4;
    one.port() != 0
        && one.port() == other.port()
        && family(&ip) == family(&other_ip)
        && (ip == other_ip || ip.is_unspecified() || other_ip.is_unspecified())
}
