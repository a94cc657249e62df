//! The four ALPN identifiers and the negotiation rule (draft-popov-token-binding-00 sections 3, 5,
//! 9.2 and 9.4): a [`Negotiated`] value exists only where the rule was kept.

use core::fmt;

use crate::key::KeyParameters;

/// A TLS protocol version as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct ProtocolVersion(pub u16);

impl ProtocolVersion {
    /// TLS 1.0.
    pub const TLS1_0: Self = Self(0x0301);
    /// TLS 1.1.
    pub const TLS1_1: Self = Self(0x0302);
    /// TLS 1.2.
    pub const TLS1_2: Self = Self(0x0303);
    /// TLS 1.3, where tls-unique is not defined.
    pub const TLS1_3: Self = Self(0x0304);

    /// Whether tls-unique, and with it this version of Token Binding, is defined: TLS 1.0 to 1.2.
    #[must_use]
    pub const fn has_tls_unique(self) -> bool {
        Self::TLS1_0.0 <= self.0 && self.0 <= Self::TLS1_2.0
    }
}

impl fmt::Debug for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TLS1_0 => f.write_str("TLSv1.0"),
            Self::TLS1_1 => f.write_str("TLSv1.1"),
            Self::TLS1_2 => f.write_str("TLSv1.2"),
            Self::TLS1_3 => f.write_str("TLSv1.3"),
            Self(other) => write!(f, "ProtocolVersion({other:#06x})"),
        }
    }
}

/// What a TLS engine knows of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// The version in use, or the one that will be.
    pub version: ProtocolVersion,
    /// Whether Extended Master Secret (RFC 7627) is in use, or will be.
    pub extended_master_secret: bool,
}

/// Why Token Binding must not be, or must not have been, negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NegotiationError {
    /// The server chose an identifier the client did not offer.
    NotOffered,
    /// tls-unique is not defined for this version (TLS 1.3, SSL).
    ProtocolVersion(ProtocolVersion),
    /// Extended Master Secret is not in use: triple handshake (section 9.4).
    ExtendedMasterSecret,
}

impl NegotiationError {
    /// The kind's name as it stands in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotOffered => "not-offered",
            Self::ProtocolVersion(_) => "protocol-version",
            Self::ExtendedMasterSecret => "extended-master-secret",
        }
    }
}

impl fmt::Display for NegotiationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOffered => f.write_str("ALPN: the server chose what was not offered"),
            Self::ProtocolVersion(version) => {
                write!(
                    f,
                    "token binding needs TLS 1.0 to 1.2 but {version:?} is in use"
                )
            }
            Self::ExtendedMasterSecret => {
                f.write_str("token binding needs extended master secret, which is not in use")
            }
        }
    }
}

impl core::error::Error for NegotiationError {}

impl TlsFacts {
    /// popov-5-1, popov-9-4-1: only with EMS, only where tls-unique is defined.
    pub(crate) const fn permit_token_binding(self) -> Result<(), NegotiationError> {
        if !self.version.has_tls_unique() {
            Err(NegotiationError::ProtocolVersion(self.version))
        } else if !self.extended_master_secret {
            Err(NegotiationError::ExtendedMasterSecret)
        } else {
            Ok(())
        }
    }
}

/// The application protocol under a Token Binding identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ApplicationProtocol {
    /// HTTP/2, `h2`.
    Http2,
    /// HTTP/1.1, `http/1.1`.
    Http11,
}

impl ApplicationProtocol {
    /// The ALPN identifier of the protocol without Token Binding.
    #[must_use]
    pub const fn alpn(self) -> &'static str {
        match self {
            Self::Http2 => "h2",
            Self::Http11 => "http/1.1",
        }
    }
}

/// An ALPN identifier that negotiates Token Binding (section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenBindingAlpn {
    /// `h2_tb_p256`
    H2P256,
    /// `h2_tb_rsa2048`
    H2Rsa2048,
    /// `http/1.1_tb_p256`
    Http11P256,
    /// `http/1.1_tb_rsa2048`
    Http11Rsa2048,
}

impl TokenBindingAlpn {
    /// All four, in the order of preference we suggest: HTTP/2 first, the shorter key first.
    pub const ALL: [Self; 4] = [
        Self::H2P256,
        Self::H2Rsa2048,
        Self::Http11P256,
        Self::Http11Rsa2048,
    ];

    /// The identifier these bytes are, if they are one of the four.
    #[must_use]
    pub fn parse(identifier: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|alpn| alpn.as_str().as_bytes() == identifier)
    }

    /// The identifier as text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::H2P256 => "h2_tb_p256",
            Self::H2Rsa2048 => "h2_tb_rsa2048",
            Self::Http11P256 => "http/1.1_tb_p256",
            Self::Http11Rsa2048 => "http/1.1_tb_rsa2048",
        }
    }

    /// The application protocol it stands for.
    #[must_use]
    pub const fn application_protocol(self) -> ApplicationProtocol {
        match self {
            Self::H2P256 | Self::H2Rsa2048 => ApplicationProtocol::Http2,
            Self::Http11P256 | Self::Http11Rsa2048 => ApplicationProtocol::Http11,
        }
    }

    /// The key parameters it stands for.
    #[must_use]
    pub const fn key_parameters(self) -> KeyParameters {
        match self {
            Self::H2P256 | Self::Http11P256 => KeyParameters::P256,
            Self::H2Rsa2048 | Self::Http11Rsa2048 => KeyParameters::Rsa2048,
        }
    }
}

/// Token Binding has been negotiated: by ALPN, with Extended Master Secret, under TLS 1.0 to 1.2.
///
/// Only [`Negotiated::try_new`], [`TlsFacts::select`] and [`TlsFacts::check_server_choice`] make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    alpn: TokenBindingAlpn,
}

impl Negotiated {
    /// What a finished handshake negotiated.
    ///
    /// # Errors
    /// When the identifier should not have been selected: terminate the connection.
    pub fn try_new(alpn: TokenBindingAlpn, facts: TlsFacts) -> Result<Self, NegotiationError> {
        facts.permit_token_binding().map(|()| Self { alpn })
    }

    /// The identifier that was selected.
    #[must_use]
    pub const fn alpn(self) -> TokenBindingAlpn {
        self.alpn
    }

    /// The key parameters.
    #[must_use]
    pub const fn key_parameters(self) -> KeyParameters {
        self.alpn.key_parameters()
    }
}

/// What a server selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Selection<'a> {
    /// Token Binding, with these parameters.
    TokenBinding(Negotiated),
    /// An application protocol without Token Binding.
    Plain(&'a [u8]),
    /// Nothing in common: the TLS alert `no_application_protocol`.
    NoApplicationProtocol,
}

impl TlsFacts {
    /// Selects a protocol for a server (RFC 7301 section 3.2): the first of `server`, in the server's
    /// order of preference, that the client offers. Token Binding identifiers count only if these facts
    /// permit them (popov-5-1).
    pub fn select<'a, C: AsRef<[u8]>, S: AsRef<[u8]>>(
        self,
        server: &'a [S],
        client: &[C],
    ) -> Selection<'a> {
        for ours in server.iter().map(AsRef::as_ref) {
            if client.iter().all(|theirs| theirs.as_ref() != ours) {
                continue;
            }
            match TokenBindingAlpn::parse(ours) {
                None => return Selection::Plain(ours),
                Some(alpn) => {
                    if let Ok(negotiated) = Negotiated::try_new(alpn, self) {
                        return Selection::TokenBinding(negotiated);
                    }
                }
            }
        }
        Selection::NoApplicationProtocol
    }

    /// Checks, for a client, the server's choice: it must be one of those offered, and a Token Binding
    /// identifier only if these facts permit it. `None` is a connection without Token Binding.
    ///
    /// # Errors
    /// [`NegotiationError::NotOffered`] if the choice was not offered, otherwise as
    /// [`Negotiated::try_new`]: terminate the connection.
    pub fn check_server_choice<C: AsRef<[u8]>>(
        self,
        offered: &[C],
        chosen: Option<&[u8]>,
    ) -> Result<Option<Negotiated>, NegotiationError> {
        let Some(chosen) = chosen else {
            return Ok(None);
        };
        if offered.iter().all(|ours| ours.as_ref() != chosen) {
            return Err(NegotiationError::NotOffered);
        }
        TokenBindingAlpn::parse(chosen)
            .map(|alpn| Negotiated::try_new(alpn, self))
            .transpose()
    }
}
