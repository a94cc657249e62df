//! The begin of an accepted connection.

use std::net::SocketAddr;

use super::{Header, HeaderError, HeaderErrorKind, Networks, SIGNATURE, V1_BEGIN, canonical};

/// The begin of an accepted connection. A listed peer must send a header, another peer must not: its header would be read
/// as a command or as TLS.
#[derive(Clone, Debug)]
pub struct Opening {
    peer: SocketAddr,
    is_listed: bool,
    octets: Vec<u8>,
}

/// The begin of a connection, as far as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Opened {
    /// More octets are needed.
    Incomplete,
    /// The begin is complete.
    Complete {
        /// The client's address: that of the header, or the peer's own.
        client: SocketAddr,
        /// The header of a listed peer.
        header: Option<Box<Header>>,
        /// The octets that follow: those of TLS, or of the dialogue before it.
        rest: Vec<u8>,
    },
}

impl Opening {
    /// Creates the begin of a connection of this peer.
    #[must_use]
    pub fn new(peer: SocketAddr, networks: &Networks) -> Self {
        Self {
            peer,
            is_listed: networks.contains(peer.ip()),
            octets: Vec::new(),
        }
    }

    /// Returns `true` if the peer is listed, so that the connection begins with a header. On a port with STARTTLS the
    /// greeting is sent after the header, and to other peers at once.
    #[must_use]
    pub const fn is_listed(&self) -> bool {
        self.is_listed
    }

    /// Takes octets of the peer.
    ///
    /// ```
    /// use mail_implicit_tls::gateway::proxy_protocol::{HeaderErrorKind, Networks, Opened, Opening};
    ///
    /// let networks = Networks::parse(["10.0.0.0/8"])?;
    /// let mut opening = Opening::new("10.0.0.1:4711".parse()?, &networks);
    /// assert_eq!(opening.receive(b"PROXY TCP4 192.0.2.1 "), Ok(Opened::Incomplete));
    /// let opened = opening.receive(b"192.0.2.2 5000 993\r\n\x16\x03");
    /// assert!(matches!(opened, Ok(Opened::Complete { client, .. }) if client == "192.0.2.1:5000".parse()?));
    ///
    /// let mut opening = Opening::new("192.0.2.9:4711".parse()?, &networks);
    /// let refused = opening.receive(b"PROXY TCP4 192.0.2.1 ").map_err(|error| error.kind());
    /// assert_eq!(refused, Err(HeaderErrorKind::NotListed));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`HeaderErrorKind::NotListed`] for a header of a peer that is not listed, as soon as its begin is complete;
    /// [`HeaderErrorKind::Missing`] if a listed peer begins otherwise; and the errors of [`Header::read`]. The connection
    /// must be closed, without an answer.
    pub fn receive(&mut self, octets: &[u8]) -> Result<Opened, HeaderError> {
        self.octets.extend_from_slice(octets);
        if !self.is_listed {
            return self.of_stranger();
        }
        let Some((header, length)) = Header::read(&self.octets)? else {
            return Ok(Opened::Incomplete);
        };
        let rest = self.octets.split_off(length);
        let client = header.addresses.map(|addresses| addresses.source);
        Ok(Opened::Complete {
            client: client.unwrap_or(canonical(self.peer)),
            header: Some(Box::new(header)),
            rest,
        })
    }

    fn of_stranger(&mut self) -> Result<Opened, HeaderError> {
        for begin in [V1_BEGIN, SIGNATURE] {
            if self.octets.starts_with(begin) {
                let kind = HeaderErrorKind::NotListed;
                return Err(HeaderError::new(kind, "header", 0));
            }
            if begin.starts_with(&self.octets) {
                return Ok(Opened::Incomplete);
            }
        }
        Ok(Opened::Complete {
            client: canonical(self.peer),
            header: None,
            rest: std::mem::take(&mut self.octets),
        })
    }
}
