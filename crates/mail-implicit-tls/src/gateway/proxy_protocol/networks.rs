//! The networks whose connections begin with a header.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

/// A list of networks, e.g. of the load balancers before a gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

/// A text that is not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NetworkError {
    index: usize,
}

impl NetworkError {
    /// Returns the index of the text in the list.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index
    }
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let index = self.index;
        write!(
            f,
            "network {index}: address or network such as 192.0.2.0/24 or 2001:db8::/32 expected"
        )
    }
}

impl std::error::Error for NetworkError {}

impl Networks {
    /// Parses a list of addresses and networks.
    ///
    /// ```
    /// use mail_implicit_tls::gateway::proxy_protocol::Networks;
    ///
    /// let networks = Networks::parse(["192.0.2.0/24", "2001:db8::7"])?;
    /// assert!(networks.contains("::ffff:192.0.2.9".parse()?));
    /// assert!(!networks.contains("2001:db8::8".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns the index of a text that is neither an address nor a network, or is a network whose address has other bits
    /// than those of its prefix, which a typing error may cause.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, NetworkError> {
        let parsed = texts.into_iter().enumerate().map(|(index, text)| {
            let network = match text.parse::<IpAddr>() {
                Ok(address) => Some(IpNet::from(address.to_canonical())),
                Err(_) => text.parse().ok().filter(|it: &IpNet| *it == it.trunc()),
            };
            network.ok_or(NetworkError { index })
        });
        parsed.collect::<Result<_, _>>().map(Self)
    }

    /// Returns `true` if an address is in one of the networks. An IPv4-mapped address is that of IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Returns `true` if each address of IPv4, or each of IPv6, is in the list: then every client can name another address.
    #[must_use]
    pub fn has_every_address(&self) -> bool {
        self.0.iter().any(|network| network.prefix_len() == 0)
    }

    /// Returns `true` if the list has no network.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
