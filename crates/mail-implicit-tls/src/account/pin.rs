//! Pins of a server's certificate.

use std::fmt;

use sha2::{Digest, Sha256};

use super::{host::Host, id::AccountId};
use crate::verdict::PinVerdict;

/// The greatest number of pins of a server. A provider with several machines may have several certificates.
pub const MAX_PINS: usize = 16;

/// The greatest size of a certificate that is pinned or compared with a pin, in octets.
pub const MAX_CERTIFICATE_BYTES: usize = 65_536;

/// A pinned certificate of one server of one account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Pin {
    account: AccountId,
    host: Host,
    sha256: Fingerprint,
}

/// The SHA-256 digest of a certificate in DER, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct Fingerprint([u8; 32]);

/// A text that is not a fingerprint: 64 hexadecimal digits are expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FingerprintError;

impl fmt::Display for FingerprintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256: 64 hexadecimal digits expected")
    }
}

impl std::error::Error for FingerprintError {}

impl Fingerprint {
    /// Returns the fingerprint of a certificate.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }

    /// Parses 64 hexadecimal digits.
    ///
    /// # Errors
    /// Returns [`FingerprintError`] for every other text.
    pub fn parse(text: &str) -> Result<Self, FingerprintError> {
        let mut digest = [0; 32];
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(FingerprintError);
        }
        for (octet, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| FingerprintError)?;
            if !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(FingerprintError);
            }
            *octet = u8::from_str_radix(pair, 16).map_err(|_| FingerprintError)?;
        }
        Ok(Self(digest))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = FingerprintError;

    fn try_from(text: String) -> Result<Self, FingerprintError> {
        Self::parse(&text)
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl Pin {
    pub(crate) fn new(account: AccountId, host: Host, certificate: &[u8]) -> Self {
        Self {
            account,
            host,
            sha256: Fingerprint::of(certificate),
        }
    }

    /// Returns the account that the pin belongs to.
    #[must_use]
    pub const fn account(&self) -> &AccountId {
        &self.account
    }

    /// Returns the host that the pin belongs to.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the fingerprint of the pinned certificate.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.sha256
    }

    /// Returns `true` if the certificate is the pinned one.
    #[must_use]
    pub fn is_of(&self, certificate: &[u8]) -> bool {
        certificate.len() <= MAX_CERTIFICATE_BYTES && self.sha256 == Fingerprint::of(certificate)
    }
}

/// Returns the verdict of a server's pins about its certificate.
#[must_use]
pub fn judge(pins: &[Pin], certificate: &[u8]) -> PinVerdict {
    if pins.is_empty() {
        PinVerdict::NotPinned
    } else if pins.iter().any(|pin| pin.is_of(certificate)) {
        PinVerdict::Matches
    } else {
        PinVerdict::Differs
    }
}
