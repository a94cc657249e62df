//! Reasons why an account is not accepted.

use std::fmt;

/// The reason why an account is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccountErrorKind {
    /// The identifier is empty, too long, or has control characters.
    Id,
    /// The account has no server.
    NoServer,
    /// The account has more than [`MAX_SERVERS`](super::MAX_SERVERS) servers.
    TooManyServers,
    /// A server is listed twice.
    DuplicateServer,
    /// The port is 0.
    Port,
    /// A server found by SRV needs the mail domain.
    SrvWithoutDomain,
    /// The profile excludes the low privacy level.
    LevelOfProfile,
    /// The high privacy level excludes connections without TLS.
    ClearTextWithHigh,
    /// The high privacy level excludes pins.
    PinWithHigh,
    /// A service without TLS cannot have a pin.
    PinWithoutTls,
    /// A pin belongs to another account or host.
    PinOfAnother,
    /// The server was part of the account before, so it can no longer be pinned.
    PinOfExistingServer,
    /// The server has more than [`MAX_PINS`](crate::pin::MAX_PINS) pins.
    TooManyPins,
    /// The certificate to pin is empty or larger than [`MAX_CERTIFICATE_BYTES`](crate::pin::MAX_CERTIFICATE_BYTES).
    PinnedCertificate,
    /// The configuration has another version than [`Configuration::VERSION`](super::Configuration::VERSION).
    Version,
}

/// An account that is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountError {
    kind: AccountErrorKind,
    server: Option<usize>,
}

impl AccountError {
    pub(super) const fn new(kind: AccountErrorKind, server: Option<usize>) -> Self {
        Self { kind, server }
    }

    /// Returns the reason.
    #[must_use]
    pub const fn kind(&self) -> AccountErrorKind {
        self.kind
    }

    /// Returns the index of the server that the error concerns.
    #[must_use]
    pub const fn server(&self) -> Option<usize> {
        self.server
    }
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use AccountErrorKind as Kind;

        f.write_str("account")?;
        if let Some(server) = self.server {
            write!(f, ".servers[{server}]")?;
        }
        f.write_str(match self.kind {
            Kind::Id => ".id: 1 to 256 octets without control characters expected",
            Kind::NoServer => ".servers: at least one server expected",
            Kind::TooManyServers => ".servers: at most 64 servers expected",
            Kind::DuplicateServer => ": listed twice",
            Kind::Port => ".port: number above 0 expected",
            Kind::SrvWithoutDomain => ".source: server found by SRV needs the account's domain",
            Kind::LevelOfProfile => ".level: high expected under the profile of RFC 8314",
            Kind::ClearTextWithHigh => ".service: TLS expected at the high privacy level",
            Kind::PinWithHigh => ".pins: no pins expected at the high privacy level",
            Kind::PinWithoutTls => ".pins: no pins expected without TLS",
            Kind::PinOfAnother => ".pins: pin belongs to another account or host",
            Kind::PinOfExistingServer => ".pins: server of an existing account cannot be pinned",
            Kind::TooManyPins => ".pins: at most 16 pins expected",
            Kind::PinnedCertificate => ".pins: certificate of 1 to 65536 octets expected",
            Kind::Version => ".version: 1 expected",
        })
    }
}

impl std::error::Error for AccountError {}
