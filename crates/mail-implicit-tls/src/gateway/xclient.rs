//! The XCLIENT command of Postfix (`XCLIENT_README`), which Exim and Dovecot have too: a proxy passes on the client's
//! address after the backend's greeting and EHLO. The backend answers with a new greeting.

use std::{
    fmt::{self, Write},
    net::{IpAddr, SocketAddr},
};

use super::{ClientFacts, SessionId};
use crate::name::DomainName;

/// The longest XCLIENT command without its CRLF: RFC 5321 section 4.5.3.1.4 has 512 octets with it.
pub const MAX_XCLIENT_BYTES: usize = 510;

/// The value of an attribute that is not known, which overrides the proxy's own.
const UNAVAILABLE: &str = "[UNAVAILABLE]";

/// An attribute of XCLIENT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Attribute {
    /// `NAME`: the client's host name.
    Name,
    /// `ADDR`: the client's address.
    Addr,
    /// `PORT`: the client's port.
    Port,
    /// `PROTO`: SMTP or ESMTP.
    Proto,
    /// `LOGIN`: the name of the user who logged in at the proxy.
    Login,
    /// `DESTADDR`: the address that the client connected to.
    DestAddr,
    /// `DESTPORT`: the port that the client connected to.
    DestPort,
    /// `SESSION` of Dovecot: the name of the session in logs.
    Session,
    /// `CLIENT-TRANSPORT` of Dovecot: the security of the client's connection.
    ClientTransport,
}

impl Attribute {
    const ALL: [Self; 9] = [
        Self::Name,
        Self::Addr,
        Self::Port,
        Self::Proto,
        Self::Login,
        Self::DestAddr,
        Self::DestPort,
        Self::Session,
        Self::ClientTransport,
    ];

    /// Returns the name of the attribute.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "NAME",
            Self::Addr => "ADDR",
            Self::Port => "PORT",
            Self::Proto => "PROTO",
            Self::Login => "LOGIN",
            Self::DestAddr => "DESTADDR",
            Self::DestPort => "DESTPORT",
            Self::Session => "SESSION",
            Self::ClientTransport => "CLIENT-TRANSPORT",
        }
    }
}

/// The attributes that a backend accepts, as its reply to EHLO has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered(Vec<Attribute>);

impl Offered {
    /// Parses a line of the reply to EHLO, without its code. Returns `None` for the line of another extension. Unknown
    /// attributes are skipped.
    ///
    /// ```
    /// use mail_implicit_tls::gateway::xclient::{Attribute, Offered};
    ///
    /// let offered = Offered::parse("XCLIENT NAME ADDR PROTO").ok_or("another extension")?;
    /// assert!(offered.has(Attribute::Addr) && !offered.has(Attribute::Port));
    /// assert_eq!(Offered::parse("SIZE 1000"), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let keyword = words.next()?;
        let of = |word: &str| {
            let mut all = Attribute::ALL.into_iter();
            all.find(|attribute| attribute.name().eq_ignore_ascii_case(word))
        };
        let attributes = words.filter_map(of);
        keyword
            .eq_ignore_ascii_case("XCLIENT")
            .then(|| Self(attributes.collect()))
    }

    /// Returns `true` if the backend accepts an attribute.
    #[must_use]
    pub fn has(&self, attribute: Attribute) -> bool {
        self.0.contains(&attribute)
    }
}

/// The client that an XCLIENT command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xclient<'a> {
    /// The client's address.
    pub source: SocketAddr,
    /// The address that the client connected to.
    pub destination: SocketAddr,
    /// The client's host name, if it is known and verified.
    pub name: Option<&'a DomainName>,
    /// The name of the user who logged in at the proxy.
    pub login: Option<&'a str>,
    /// The name of the session.
    pub session: Option<SessionId>,
    /// `true` if the client uses TLS.
    pub tls: bool,
}

/// The reason why a command cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum XclientError {
    /// The backend does not accept an attribute without which the command is of no use.
    NotOffered(Attribute),
    /// The name of the user is one that has another meaning.
    Login,
    /// The command is longer than [`MAX_XCLIENT_BYTES`].
    TooLong,
}

impl fmt::Display for XclientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOffered(attribute) => {
                write!(
                    f,
                    "XCLIENT: the backend does not accept {}",
                    attribute.name()
                )
            }
            Self::Login => f.write_str("XCLIENT: name of a user expected in LOGIN"),
            Self::TooLong => write!(f, "XCLIENT: more than {MAX_XCLIENT_BYTES} octets"),
        }
    }
}

impl std::error::Error for XclientError {}

impl<'a> Xclient<'a> {
    /// Returns the client of a connection.
    #[must_use]
    pub const fn of_client(facts: &ClientFacts) -> Self {
        Self {
            source: facts.record.peer,
            destination: facts.local,
            name: None,
            login: None,
            session: Some(facts.session),
            tls: facts.record.version.is_some(),
        }
    }

    /// Sets the name of the user who logged in at the proxy.
    #[must_use]
    pub const fn with_login(mut self, login: &'a str) -> Self {
        self.login = Some(login);
        self
    }

    /// Writes the command, without its CRLF, with the attributes that the backend accepts.
    ///
    /// ```
    /// use mail_implicit_tls::gateway::xclient::{Offered, Xclient};
    ///
    /// let client = Xclient {
    ///     source: "[2001:db8::7]:51234".parse()?,
    ///     destination: "[2001:db8::1]:465".parse()?,
    ///     name: None,
    ///     login: Some("alice +1@example.org"),
    ///     session: None,
    ///     tls: true,
    /// };
    /// let offered = Offered::parse("XCLIENT NAME ADDR PORT LOGIN").ok_or("another extension")?;
    /// assert_eq!(
    ///     client.to_command(&offered)?,
    ///     "XCLIENT NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::7 PORT=51234 LOGIN=alice+20+2B1@example.org"
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`XclientError::NotOffered`] if the backend does not accept the address, or a user's name that is given;
    /// [`XclientError::Login`] for an empty name, and one in square brackets such as `[UNAVAILABLE]`; and
    /// [`XclientError::TooLong`] if the command would be too long.
    pub fn to_command(&self, offered: &Offered) -> Result<String, XclientError> {
        if !offered.has(Attribute::Addr) {
            return Err(XclientError::NotOffered(Attribute::Addr));
        }
        if let Some(login) = self.login {
            if !offered.has(Attribute::Login) {
                return Err(XclientError::NotOffered(Attribute::Login));
            }
            if login.is_empty() || login.starts_with('[') {
                return Err(XclientError::Login);
            }
        }
        let mut command = String::from("XCLIENT");
        for attribute in Attribute::ALL.into_iter().filter(|it| offered.has(*it)) {
            if let Some(value) = self.value(attribute) {
                command.extend([" ", attribute.name(), "=", &value]);
            }
        }
        match command.len() > MAX_XCLIENT_BYTES {
            true => Err(XclientError::TooLong),
            false => Ok(command),
        }
    }

    /// Returns the value of an attribute as it is written.
    fn value(&self, attribute: Attribute) -> Option<String> {
        match attribute {
            // The backend would have the proxy's name beside the client's address.
            Attribute::Name => Some(
                self.name
                    .map_or(UNAVAILABLE.to_owned(), |name| xtext(name.as_str())),
            ),
            Attribute::Addr => Some(address(self.source.ip())),
            Attribute::Port => Some(self.source.port().to_string()),
            Attribute::Proto => Some("ESMTP".to_owned()),
            Attribute::Login => self.login.map(xtext),
            Attribute::DestAddr => Some(address(self.destination.ip())),
            Attribute::DestPort => Some(self.destination.port().to_string()),
            Attribute::Session => self.session.map(|session| session.to_string()),
            Attribute::ClientTransport => {
                Some(if self.tls { "TLS" } else { "insecure" }.to_owned())
            }
        }
    }
}

/// Returns an address as XCLIENT has it: one of IPv6 has a prefix, as in an address literal of RFC 5321.
fn address(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("IPV6:{address}"),
    }
}

/// Returns a text as `xtext` (RFC 3461 section 4): octets other than printable ASCII, `+` and `=` become `+` and two
/// hexadecimal digits.
fn xtext(text: &str) -> String {
    let mut written = String::new();
    for octet in text.bytes() {
        match octet {
            b'+' | b'=' => {}
            b'!'..=b'~' => {
                written.push(char::from(octet));
                continue;
            }
            _ => {}
        }
        // Writing into a string does not fail.
        let _ = write!(written, "+{octet:02X}");
    }
    written
}
