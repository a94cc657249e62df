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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_addresses_that_overlap_in_either_order() {
        for (one, other, expected) in [
            ("127.0.0.1:993", "0.0.0.0:993", true),
            ("127.0.0.1:993", "127.0.0.1:993", true),
            ("[::1]:993", "[::]:993", true),
            ("127.0.0.1:993", "127.0.0.2:993", false),
            ("127.0.0.1:993", "0.0.0.0:995", false),
            ("[::]:993", "0.0.0.0:993", false),
            ("127.0.0.1:0", "0.0.0.0:0", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
        ] {
            let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(overlap(one, other), expected, "{one} {other}");
            assert_eq!(overlap(other, one), expected, "{other} {one}");
        }
    }

    /// A reload finds the listeners of port 0 by their services, whose order may have changed.
    #[test]
    fn names_listeners_of_port_0_by_their_services() {
        let address = "127.0.0.1:0".parse().unwrap();
        let of = |services: [Service; 3]| {
            let mut places = Places::default();
            services.map(|service| places.add(address, service).unwrap())
        };
        let [imaps, pop3s, second] = of([Service::IMAPS, Service::POP3S, Service::IMAPS]);
        assert_eq!(
            of([Service::POP3S, Service::IMAPS, Service::IMAPS]),
            [pop3s, imaps, second]
        );
        assert_ne!(imaps, second);
    }
}
