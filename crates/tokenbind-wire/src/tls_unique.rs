//! `tls_unique` (RFC 5929 section 3) and the octets a Token Binding signs
//! (draft-popov-token-binding-00 section 4).

use core::fmt;

use sha2::{Digest, Sha256};

use crate::alpn::{NegotiationError, TlsFacts};

/// The kind of handshake, which decides whose Finished message is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// A full handshake: the client's Finished comes first.
    Full,
    /// An abbreviated one: the server's Finished comes first.
    Resumed,
}

/// The reason why a connection has no [`TlsUnique`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsUniqueError {
    /// The connection has no tls-unique that Token Binding may rely on.
    Negotiation(NegotiationError),
    /// The value has a length that no cipher suite of TLS 1.0 to 1.2 has.
    Length {
        /// The length in bytes.
        actual: usize,
    },
}

impl TlsUniqueError {
    /// Returns the name of the kind in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Negotiation(error) => error.name(),
            Self::Length { .. } => "tls-unique-length",
        }
    }
}

impl fmt::Display for TlsUniqueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Negotiation(error) => error.fmt(f),
            Self::Length { actual } => write!(
                f,
                "tls_unique: {actual} bytes instead of {} to {}",
                TlsUnique::MIN_LEN,
                TlsUnique::MAX_LEN
            ),
        }
    }
}

impl core::error::Error for TlsUniqueError {}

/// The first Finished value of a TLS 1.0 to 1.2 connection with Extended Master Secret.
///
/// A value cannot be built from bytes alone: protocol version, Extended Master Secret and the kind of handshake are
/// needed as well, so that neither exporter output nor the value of a connection that is open to the triple handshake
/// attack (section 9.4) is used in its place.
///
/// The value is the `tls-unique` channel binding of RFC 5929, so that it also serves other protocols that need one,
/// e.g. SCRAM-PLUS (RFC 5802).
#[derive(Clone, Copy)]
pub struct TlsUnique {
    octets: [u8; Self::MAX_LEN],
    length: usize,
}

impl TlsUnique {
    /// RFC 5246 section 7.4.9: `verify_data` has at least 12 bytes.
    pub const MIN_LEN: usize = 12;
    /// The longest `verify_data` of a registered suite: 32 bytes (RFC 9189).
    pub const MAX_LEN: usize = 32;

    /// Chooses the first of the two Finished values of a connection.
    ///
    /// # Errors
    /// [`TlsUniqueError::Negotiation`] under TLS 1.3 or without Extended Master Secret, [`TlsUniqueError::Length`] for
    /// a value of an impossible length.
    pub fn from_finished(
        client_finished: &[u8],
        server_finished: &[u8],
        handshake: Handshake,
        facts: TlsFacts,
    ) -> Result<Self, TlsUniqueError> {
        facts
            .permit_token_binding()
            .map_err(TlsUniqueError::Negotiation)?;
        let first = match handshake {
            Handshake::Full => client_finished,
            Handshake::Resumed => server_finished,
        };
        let length = first.len();
        let mut octets = [0; Self::MAX_LEN];
        match octets.get_mut(..length) {
            Some(prefix) if length >= Self::MIN_LEN => prefix.copy_from_slice(first),
            _ => return Err(TlsUniqueError::Length { actual: length }),
        }
        Ok(Self { octets, length })
    }

    /// Takes the value that a TLS engine reports as `tls-unique`, e.g. OpenSSL's.
    ///
    /// # Errors
    /// As [`from_finished`](Self::from_finished).
    pub fn from_engine(tls_unique: &[u8], facts: TlsFacts) -> Result<Self, TlsUniqueError> {
        Self::from_finished(tls_unique, &[], Handshake::Full, facts)
    }

    /// Returns the value, 12 to 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }

    /// Returns the octets that a Token Binding on this connection signs.
    #[must_use]
    pub fn signed_octets(&self) -> SignedOctets {
        let mut octets = [0; SignedOctets::MAX_LEN];
        let (label, rest) = octets.split_at_mut(SignedOctets::LABEL.len());
        label.copy_from_slice(SignedOctets::LABEL);
        rest.copy_from_slice(&self.octets);
        SignedOctets {
            octets,
            length: SignedOctets::LABEL.len().saturating_add(self.length),
        }
    }
}

impl PartialEq for TlsUnique {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for TlsUnique {}

impl fmt::Debug for TlsUnique {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsUnique({} bytes)", self.length)
    }
}

/// The octets that are signed: the ASCII label `token binding`, one NUL, `tls_unique` (section 4).
#[derive(Clone, Copy)]
pub struct SignedOctets {
    octets: [u8; Self::MAX_LEN],
    length: usize,
}

impl SignedOctets {
    const LABEL: &'static [u8; 14] = b"token binding\0";
    const MAX_LEN: usize = Self::LABEL.len() + TlsUnique::MAX_LEN;

    /// Returns the octets, for backends that hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }

    /// Returns SHA-256 of the octets, for backends that take a digest.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.as_bytes()).into()
    }
}

impl fmt::Debug for SignedOctets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedOctets({} bytes)", self.length)
    }
}
