//! The options of a gateway's sessions.

use std::fmt;

use deep_latch::Advertisement;
use zeroize::Zeroizing;

use crate::{name::DomainName, service::Protocol};

/// The way in which the backend receives the client's address: exactly one, since a backend that reads two of them can be
/// given two different addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ClientAddress {
    /// The backend sees the gateway's address.
    #[default]
    None,
    /// The header of the PROXY protocol, version 2, before the first octet of the session.
    ProxyV2,
    /// The XCLIENT command of Postfix, Exim and Dovecot, after the backend's greeting. IMAP has no such command.
    Xclient,
    /// Fields of IMAP's ID command, before login. Other protocols have no such command.
    ImapId,
}

impl ClientAddress {
    /// Returns `true` if a protocol has this way.
    ///
    /// ```
    /// use mail_implicit_tls::{gateway::ClientAddress, service::Protocol};
    ///
    /// assert!(ClientAddress::ProxyV2.is_for(Protocol::Imap));
    /// assert!(!ClientAddress::Xclient.is_for(Protocol::Imap));
    /// ```
    #[must_use]
    pub const fn is_for(self, protocol: Protocol) -> bool {
        match self {
            Self::None | Self::ProxyV2 => true,
            Self::Xclient => matches!(protocol, Protocol::Pop | Protocol::Submission),
            Self::ImapId => matches!(protocol, Protocol::Imap),
        }
    }
}

/// The way in which a client that has a certificate logs in by SASL EXTERNAL. The backend does not see the certificate: the
/// gateway maps it to an identity, and logs in as that.
///
/// Without a mapped certificate EXTERNAL is neither advertised nor passed on, whatever the backend offers: a backend may
/// take it for the login of the gateway itself.
#[derive(Clone, Debug, Default)]
pub enum ExternalLogin {
    /// EXTERNAL is not available.
    #[default]
    Unavailable,
    /// The backend receives EXTERNAL with the identity: it trusts the gateway's network or certificate.
    External,
    /// The backend receives PLAIN with the identity as authorization identity, and the credentials of a user that may log
    /// in as others (RFC 4616 section 2).
    Plain(MasterUser),
}

/// The credentials of a user of the backend that may log in as others. `Debug` does not print the password.
#[derive(Clone)]
pub struct MasterUser {
    user: String,
    password: Zeroizing<String>,
}

impl MasterUser {
    /// Creates the credentials.
    ///
    /// # Errors
    /// Returns [`OptionsError::Credentials`] if name or password is empty, has a NUL (RFC 4616 section 2), or more than
    /// 255 octets.
    pub fn try_new(user: impl Into<String>, password: String) -> Result<Self, OptionsError> {
        let password = Zeroizing::new(password);
        let user = user.into();
        let is_fit = |text: &str| (1..=255).contains(&text.len()) && !text.contains('\0');
        match is_fit(&user) && is_fit(&password) {
            true => Ok(Self { user, password }),
            false => Err(OptionsError::Credentials),
        }
    }

    /// Returns the message of PLAIN for a login as `identity`.
    pub(super) fn message(&self, identity: &str) -> Zeroizing<Vec<u8>> {
        let parts = [identity, self.user.as_str(), self.password.as_str()];
        Zeroizing::new(parts.join("\0").into_bytes())
    }
}

impl fmt::Debug for MasterUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("MasterUser");
        debug.field("user", &self.user).finish_non_exhaustive()
    }
}

/// The treatment of a session of IMAP or POP after login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AfterLogin {
    /// The session becomes a pipe of octets, which costs neither parsing nor buffers. A session of IMAP stays parsed until
    /// the backend's capabilities after login are known, and to its end if UNAUTHENTICATE (RFC 8437) is among them: a
    /// client could begin once more, and claim to be a gateway.
    #[default]
    Pipe,
    /// A session of IMAP is parsed to its end: capabilities and ID are the gateway's after login too. COMPRESS is not
    /// available. Sessions of POP become pipes.
    Parsed,
}

/// The treatment of bare line feeds in a message of DATA, which RFC 5321 section 2.3.8 forbids. Bare CR and NUL end the
/// session in any case, and the octets of BDAT are counted, and not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BareLineFeeds {
    /// They end the session with 550.
    #[default]
    Refuse,
    /// The backend receives CR LF in place of each. A line of a dot that a bare line feed begins or ends is not decided
    /// about: servers read the end of the message differently, so that it ends the session with 550.
    Normalize,
}

/// The options of the sessions of one service.
#[derive(Clone, Debug)]
pub struct GatewayOptions {
    protocol: Protocol,
    address: ClientAddress,
    advertisement: Option<Advertisement>,
    external: ExternalLogin,
    received: Option<Received>,
    after_login: AfterLogin,
    bare_line_feeds: BareLineFeeds,
    allows_utf8: bool,
    name: String,
}

/// The Received field that a gateway adds to messages.
#[derive(Clone, Debug)]
pub(super) struct Received {
    /// The name of the gateway in the field.
    pub(super) by: DomainName,
    /// Returns the time in seconds since the Unix epoch.
    pub(super) clock: fn() -> u64,
}

/// The reason why options are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OptionsError {
    /// The protocol lacks this way to pass on the client's address.
    Address(ClientAddress, Protocol),
    /// A name or a password of a master user is empty, too long, or has a NUL.
    Credentials,
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address, protocol) => {
                let protocol = match protocol {
                    Protocol::Imap => "IMAP",
                    Protocol::Pop => "POP",
                    Protocol::Submission => "Submission",
                };
                let address = match address {
                    ClientAddress::None => "no address",
                    ClientAddress::ProxyV2 => "the PROXY protocol",
                    ClientAddress::Xclient => "XCLIENT",
                    ClientAddress::ImapId => "IMAP's ID",
                };
                write!(
                    f,
                    "client address: {protocol} cannot pass it on by {address}"
                )
            }
            Self::Credentials => f.write_str(
                "master user: name and password of 1 to 255 octets without NUL expected",
            ),
        }
    }
}

impl std::error::Error for OptionsError {}

impl GatewayOptions {
    /// Creates the options of a protocol's sessions. Without further options DEEP is the backend's own, and EXTERNAL is
    /// not available.
    ///
    /// # Errors
    /// Returns [`OptionsError::Address`] if the protocol lacks this way to pass on the client's address.
    pub fn try_new(protocol: Protocol, address: ClientAddress) -> Result<Self, OptionsError> {
        if !address.is_for(protocol) {
            return Err(OptionsError::Address(address, protocol));
        }
        Ok(Self {
            protocol,
            address,
            advertisement: None,
            external: ExternalLogin::Unavailable,
            received: None,
            after_login: AfterLogin::Pipe,
            bare_line_feeds: BareLineFeeds::Refuse,
            allows_utf8: false,
            name: "localhost".to_owned(),
        })
    }

    /// Sets the DEEP status that the gateway advertises, in place of the backend's.
    #[must_use]
    pub fn with_advertisement(mut self, advertisement: Advertisement) -> Self {
        self.advertisement = Some(advertisement);
        self
    }

    /// Sets the way in which a client with a certificate logs in.
    #[must_use]
    pub fn with_external(mut self, external: ExternalLogin) -> Self {
        self.external = external;
        self
    }

    /// Adds a Received field with the `tls` clause (draft-newman-email-deep-02 section 6, RFC 8314 section 4.3) to messages
    /// that clients submit. The field shows the client's address and its name in EHLO to the recipients.
    ///
    /// `by` is the gateway's name in the field, and `clock` returns the time in seconds since the Unix epoch. BURL, which
    /// has no place for the field, is not available then.
    #[must_use]
    pub fn with_received(mut self, by: DomainName, clock: fn() -> u64) -> Self {
        self.received = Some(Received { by, clock });
        self
    }

    /// Sets the treatment of sessions after login.
    #[must_use]
    pub const fn with_after_login(mut self, after_login: AfterLogin) -> Self {
        self.after_login = after_login;
        self
    }

    /// Sets the treatment of bare line feeds in messages that clients submit.
    #[must_use]
    pub const fn with_bare_line_feeds(mut self, bare_line_feeds: BareLineFeeds) -> Self {
        self.bare_line_feeds = bare_line_feeds;
        self
    }

    /// Accepts UTF-8 outside of literals before login (RFC 9051 section 4.3, RFC 6856), so that names and passwords of
    /// LOGIN, USER and PASS can have it. RFC 3501 and RFC 1939 do not have it: a server that drops the eighth bit of an octet
    /// finds CR and LF in it. SASL and literals do not need the option.
    #[must_use]
    pub const fn allow_utf8_before_login(mut self) -> Self {
        self.allows_utf8 = true;
        self
    }

    /// Sets the host name of the gateway, for replies of its own.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Returns the protocol.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Returns the way in which the backend receives the client's address.
    #[must_use]
    pub const fn address(&self) -> ClientAddress {
        self.address
    }

    /// Returns the DEEP status that the gateway advertises.
    #[must_use]
    pub const fn advertisement(&self) -> Option<&Advertisement> {
        self.advertisement.as_ref()
    }

    /// Returns the way in which a client with a certificate logs in.
    #[must_use]
    pub const fn external(&self) -> &ExternalLogin {
        &self.external
    }

    pub(super) const fn received(&self) -> Option<&Received> {
        self.received.as_ref()
    }

    /// Returns the treatment of sessions after login.
    #[must_use]
    pub const fn after_login(&self) -> AfterLogin {
        self.after_login
    }

    /// Returns the treatment of bare line feeds in messages.
    #[must_use]
    pub const fn bare_line_feeds(&self) -> BareLineFeeds {
        self.bare_line_feeds
    }

    /// Returns `true` if UTF-8 is accepted outside of literals before login.
    #[must_use]
    pub const fn allows_utf8(&self) -> bool {
        self.allows_utf8
    }

    /// Returns the host name of the gateway.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}
