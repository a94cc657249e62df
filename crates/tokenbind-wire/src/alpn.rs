//! The four ALPN identifiers and the negotiation rule (draft-popov-token-binding-00 sections 3, 5,
//! 9.2 and 9.4): a [`Negotiated`] value exists only if the rule was followed.

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

    /// Returns `true` if tls-unique, and therefore this version of Token Binding, is defined: TLS 1.0 to 1.2.
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

/// Facts that a TLS engine reports about a connection: the input of the negotiation rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// The protocol version that the connection uses, or will use after the handshake.
    pub version: ProtocolVersion,
    /// `true` if the connection uses Extended Master Secret (RFC 7627), or will after the handshake.
    pub extended_master_secret: bool,
}

/// A breach of the negotiation rule: Token Binding must not be, or must not have been, negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NegotiationError {
    /// The server chose an identifier that the client did not offer.
    NotOffered,
    /// The protocol version has no tls-unique (TLS 1.3, SSL).
    ProtocolVersion(ProtocolVersion),
    /// The connection lacks Extended Master Secret, so the triple handshake attack is possible (section 9.4).
    ExtendedMasterSecret,
}

impl NegotiationError {
    /// Returns the name of the kind in conformance vectors and logs.
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
            Self::NotOffered => {
                f.write_str("ALPN: the server chose an identifier that was not offered")
            }
            Self::ProtocolVersion(version) => {
                write!(
                    f,
                    "token binding needs TLS 1.0 to 1.2 but {version:?} is in use"
                )
            }
            Self::ExtendedMasterSecret => f.write_str(
                "token binding needs extended master secret, which the connection lacks",
            ),
        }
    }
}

impl core::error::Error for NegotiationError {}

impl TlsFacts {
    /// Checks popov-5-1 and popov-9-4-1: Extended Master Secret, and a version with tls-unique.
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
    /// Returns the ALPN identifier of the protocol without Token Binding.
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
    /// All four identifiers in the suggested order of preference: HTTP/2 first, the shorter key first.
    pub const ALL: [Self; 4] = [
        Self::H2P256,
        Self::H2Rsa2048,
        Self::Http11P256,
        Self::Http11Rsa2048,
    ];

    /// Returns the identifier that these bytes spell, or `None` if they are not one of the four.
    #[must_use]
    pub fn parse(identifier: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|alpn| alpn.as_str().as_bytes() == identifier)
    }

    /// Returns the identifier as text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::H2P256 => "h2_tb_p256",
            Self::H2Rsa2048 => "h2_tb_rsa2048",
            Self::Http11P256 => "http/1.1_tb_p256",
            Self::Http11Rsa2048 => "http/1.1_tb_rsa2048",
        }
    }

    /// Returns the application protocol that the identifier negotiates.
    #[must_use]
    pub const fn application_protocol(self) -> ApplicationProtocol {
        match self {
            Self::H2P256 | Self::H2Rsa2048 => ApplicationProtocol::Http2,
            Self::Http11P256 | Self::Http11Rsa2048 => ApplicationProtocol::Http11,
        }
    }

    /// Returns the key parameters that the identifier negotiates.
    #[must_use]
    pub const fn key_parameters(self) -> KeyParameters {
        match self {
            Self::H2P256 | Self::Http11P256 => KeyParameters::P256,
            Self::H2Rsa2048 | Self::Http11Rsa2048 => KeyParameters::Rsa2048,
        }
    }
}

/// Proof that Token Binding was negotiated: by ALPN, with Extended Master Secret, under TLS 1.0 to 1.2.
///
/// Only [`Negotiated::try_new`], [`TlsFacts::select`] and [`TlsFacts::check_server_choice`] make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    alpn: TokenBindingAlpn,
}

impl Negotiated {
    /// Checks the result of a finished handshake.
    ///
    /// # Errors
    /// [`NegotiationError::ProtocolVersion`] or [`NegotiationError::ExtendedMasterSecret`] if the identifier must
    /// not have been selected: terminate the connection.
    pub fn try_new(alpn: TokenBindingAlpn, facts: TlsFacts) -> Result<Self, NegotiationError> {
        facts.permit_token_binding().map(|()| Self { alpn })
    }

    /// Returns the identifier that was selected.
    #[must_use]
    pub const fn alpn(self) -> TokenBindingAlpn {
        self.alpn
    }

    /// Returns the key parameters that were negotiated.
    #[must_use]
    pub const fn key_parameters(self) -> KeyParameters {
        self.alpn.key_parameters()
    }
}

/// The selection of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Selection<'a> {
    /// Token Binding, with these parameters.
    TokenBinding(Negotiated),
    /// An application protocol without Token Binding.
    Plain(&'a [u8]),
    /// No common protocol: send the TLS alert `no_application_protocol`.
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
