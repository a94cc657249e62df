//! Writing Received fields.

use std::{fmt, net::IpAddr};

use super::{CipherSuite, Group, ReceivedError, ReceivedErrorKind, Transmission, date::DateTime};
use crate::name::DomainName;

/// The `Stamp` of a server, RFC 5321 section 4.4: a Received field. Its `Display` form is the whole field with folding,
/// `Received:` and the line break at the end included.
///
/// ```
/// use mail_implicit_tls::{
///     name::DomainName,
///     received::{CipherSuite, Client, Stamp, Transmission},
/// };
///
/// let by = DomainName::parse("mx.example.net")?;
/// let suite = CipherSuite::from_number(0x1301);
/// let stamp = Stamp::try_new(Client::greeting("client.example.org", [192, 0, 2, 1].into()), &by, 1_404_208_800)?
///     .with(Transmission { tls: true, authenticated: true, ..Transmission::ESMTP })
///     .id("4hXk2y")?
///     .tls(&suite, None);
/// assert_eq!(
///     stamp.to_string(),
///     "Received: from client.example.org ([192.0.2.1])\r\n\tby mx.example.net with ESMTPSA id 4hXk2y\r\n\t\
///      tls TLS_AES_128_GCM_SHA256;\r\n\tTue, 1 Jul 2014 10:00:00 +0000\r\n"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp<'a> {
    client: Client<'a>,
    by: &'a DomainName,
    seconds: u64,
    with: Transmission,
    id: Option<&'a str>,
    tls: Option<(&'a CipherSuite<'a>, Option<&'a Group<'a>>)>,
}

/// The client of a transmission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client<'a> {
    greeting: &'a str,
    address: IpAddr,
    name: Option<&'a DomainName>,
}

impl<'a> Client<'a> {
    /// Returns a client that gave this name in EHLO and has this address. The name is the client's choice: if it is
    /// neither a domain nor an address literal, the field has `unknown` in its place.
    #[must_use]
    pub fn greeting(greeting: &'a str, address: IpAddr) -> Self {
        Self {
            greeting,
            address,
            name: None,
        }
    }

    /// Sets the name that the client's address has in the DNS.
    #[must_use]
    pub const fn named(mut self, name: &'a DomainName) -> Self {
        self.name = Some(name);
        self
    }
}

impl<'a> Stamp<'a> {
    /// Returns a stamp without cipher suite, by ESMTP, at a time in seconds since the Unix epoch.
    ///
    /// # Errors
    /// Returns [`ReceivedErrorKind::TooLong`] if the client's name has more than 255 octets.
    pub fn try_new(
        client: Client<'a>,
        by: &'a DomainName,
        seconds: u64,
    ) -> Result<Self, ReceivedError> {
        if client.greeting.len() > MAX_DOMAIN_BYTES {
            let kind = ReceivedErrorKind::TooLong;
            return Err(ReceivedError::new(kind, "Domain", MAX_DOMAIN_BYTES));
        }
        Ok(Self {
            client,
            by,
            seconds,
            with: Transmission::ESMTP,
            id: None,
            tls: None,
        })
    }

    /// Sets the transmission type.
    #[must_use]
    pub const fn with(mut self, with: Transmission) -> Self {
        self.with = with;
        self
    }

    /// Sets the server's identifier of the message.
    ///
    /// # Errors
    /// Returns [`ReceivedErrorKind::Expected`] if it is not an atom of at most 100 octets.
    pub fn id(mut self, id: &'a str) -> Result<Self, ReceivedError> {
        const MAX_ID_BYTES: usize = 100;
        let wrong = id
            .bytes()
            .take(MAX_ID_BYTES)
            .position(|octet| !is_atext(octet));
        let long = (id.len() > MAX_ID_BYTES).then_some(MAX_ID_BYTES);
        match wrong.or(long).or(id.is_empty().then_some(0)) {
            Some(offset) => Err(ReceivedError::new(
                ReceivedErrorKind::Expected,
                "ID",
                offset,
            )),
            None => {
                self.id = Some(id);
                Ok(self)
            }
        }
    }

    /// Sets the cipher suite, and the group if it is to be recorded (RFC 8314).
    #[must_use]
    pub const fn tls(mut self, suite: &'a CipherSuite<'a>, group: Option<&'a Group<'a>>) -> Self {
        self.tls = Some((suite, group));
        self
    }
}

/// RFC 5321 section 4.5.3.1.2
const MAX_DOMAIN_BYTES: usize = 255;

impl fmt::Display for Stamp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Client {
            greeting,
            address,
            name,
        } = &self.client;
        let greeting = if is_extended_domain(greeting) {
            greeting
        } else {
            "unknown"
        };
        write!(f, "Received: from {greeting} (")?;
        if let Some(name) = name {
            write!(f, "{name} ")?;
        }
        match address {
            IpAddr::V4(address) => write!(f, "[{address}])")?,
            IpAddr::V6(address) => write!(f, "[IPv6:{address}])")?,
        }
        write!(f, "\r\n\tby {} with {}", self.by, self.with)?;
        if let Some(id) = self.id {
            write!(f, " id {id}")?;
        }
        if let Some((suite, group)) = &self.tls {
            write!(f, "\r\n\ttls {suite}")?;
            if let Some(group) = group {
                write!(f, " group {group}")?;
            }
        }
        write!(f, ";\r\n\t{}\r\n", DateTime(self.seconds))
    }
}

/// Returns `true` for a domain or address literal. Underscores are accepted, as clients use them.
fn is_extended_domain(text: &str) -> bool {
    let is_name = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
    let is_literal = |octet: u8| octet.is_ascii_alphanumeric() || b"-:.".contains(&octet);
    match text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
    {
        Some(literal) => !literal.is_empty() && literal.bytes().all(is_literal),
        None => !text.is_empty() && text.bytes().all(is_name),
    }
}

/// `atext`, RFC 5322 section 3.2.3
const fn is_atext(octet: u8) -> bool {
    octet.is_ascii_graphic()
        && !matches!(
            octet,
            b'(' | b')'
                | b'<'
                | b'>'
                | b'['
                | b']'
                | b':'
                | b';'
                | b'@'
                | b'\\'
                | b','
                | b'.'
                | b'"'
        )
}
