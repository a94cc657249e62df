//! Public keys: `RSAPublicKey` and `ECDSAParams` (draft-popov-token-binding-00 section 4), borrowed
//! from a message, and [`PublicKey`], the owned form of the two the draft can negotiate.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use nom::combinator::peek;
use nom::{Parser, number::complete::be_u8};

use crate::{
    codec::{Failure, Parsed, put_u8_vector, put_u16_vector, uint16, vector_u8, vector_u16},
    curve,
    error::{EncodeError, ErrorKind},
    profile::PointEncoding,
    registry::{NamedCurve, SignatureAlgorithm, SignatureAndHashAlgorithm},
};

const MODULUS: &str = "RSAPublicKey.modulus";
const PUBLICEXPONENT: &str = "RSAPublicKey.publicexponent";
const NAMEDCURVE: &str = "ECDSAParams.namedcurve";
const POINT: &str = "ECDSAParams.point";

/// First octet of an uncompressed X9.62 point.
pub(crate) const UNCOMPRESSED: u8 = 4;
const MODULUS_BITS: usize = 2048;

/// The key parameters that can be negotiated (draft-popov-token-binding-00 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum KeyParameters {
    /// ECDSA on NIST P-256 with SHA-256, `*_tb_p256`.
    P256,
    /// RSASSA-PKCS1-v1_5 with a 2048-bit key and SHA-256, `*_tb_rsa2048`.
    Rsa2048,
}

impl KeyParameters {
    /// Returns the algorithm of a `TokenBindingID` with these parameters.
    #[must_use]
    pub const fn algorithm(self) -> SignatureAndHashAlgorithm {
        match self {
            Self::P256 => SignatureAndHashAlgorithm::ECDSA_P256_SHA256,
            Self::Rsa2048 => SignatureAndHashAlgorithm::RSA_SHA256,
        }
    }

    /// Returns the suffix of the ALPN identifiers: `p256` or `rsa2048`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "p256",
            Self::Rsa2048 => "rsa2048",
        }
    }
}

/// `RSAPublicKey`, draft-popov-token-binding-00 section 4, borrowed: a modulus of exactly 2048
/// bits and an odd exponent of at least 3, both without a leading zero.
///
/// ```text
/// struct {
///     opaque modulus<1..2^16-1>;
///     opaque publicexponent<1..2^8-1>;
/// } RSAPublicKey;
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RsaPublicKeyRef<'a> {
    modulus: &'a [u8],
    publicexponent: &'a [u8],
}

impl<'a> RsaPublicKeyRef<'a> {
    /// Returns the modulus, 256 bytes, big-endian.
    #[must_use]
    pub const fn modulus(self) -> &'a [u8] {
        self.modulus
    }

    /// Returns the public exponent, 1 to 255 bytes, big-endian.
    #[must_use]
    pub const fn publicexponent(self) -> &'a [u8] {
        self.publicexponent
    }
}

/// `ECDSAParams`, draft-popov-token-binding-00 section 4, borrowed. On
/// [`SECP256R1`](NamedCurve::SECP256R1) the point is on the curve; on other curves it is opaque.
///
/// ```text
/// struct {
///     NamedCurve namedcurve;
///     opaque point<1..2^8-1>;
/// } ECDSAParams;
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EcdsaParamsRef<'a> {
    namedcurve: NamedCurve,
    point: &'a [u8],
}

impl<'a> EcdsaParamsRef<'a> {
    /// Returns the curve.
    #[must_use]
    pub const fn namedcurve(self) -> NamedCurve {
        self.namedcurve
    }

    /// Returns the point in the encoding of the message.
    #[must_use]
    pub const fn point(self) -> &'a [u8] {
        self.point
    }

    /// Returns X and Y of a P-256 point, 32 bytes each, whatever the encoding, or `None` on other curves. In a binding
    /// of unknown type the point need not be on the curve.
    #[must_use]
    pub fn coordinates(self) -> Option<&'a [u8; 64]> {
        if self.namedcurve == NamedCurve::SECP256R1 {
            self.point.last_chunk()
        } else {
            None
        }
    }
}

/// The key in a `TokenBindingID`, borrowed: the structure that `select (algorithm.signature)` selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicKeyRef<'a> {
    /// `case rsa`.
    Rsa(RsaPublicKeyRef<'a>),
    /// `case ecdsa`.
    Ecdsa(EcdsaParamsRef<'a>),
}

impl fmt::Debug for RsaPublicKeyRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaPublicKeyRef")
            .field("modulus_bytes", &self.modulus.len())
            .field("publicexponent_bytes", &self.publicexponent.len())
            .finish()
    }
}

impl fmt::Debug for EcdsaParamsRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EcdsaParamsRef")
            .field("namedcurve", &self.namedcurve)
            .field("point_bytes", &self.point.len())
            .finish()
    }
}

/// Reads the key that `signature` selects. Returns `None` if that number is unknown.
pub(crate) fn public_key(
    input: &[u8],
    signature: SignatureAlgorithm,
    point: PointEncoding,
) -> Option<Parsed<'_, PublicKeyRef<'_>>> {
    match signature {
        SignatureAlgorithm::RSA => Some(rsa_public_key(input)),
        SignatureAlgorithm::ECDSA_P256 => Some(ecdsa_params(input, point)),
        _ => None,
    }
}

fn rsa_public_key(input: &[u8]) -> Parsed<'_, PublicKeyRef<'_>> {
    let (rest, modulus) = vector_u16(input, MODULUS)?;
    let refuse = |kind| Failure::new(kind, MODULUS, modulus).fatal();
    match (modulus.first(), modulus.last()) {
        (None, _) | (_, None) => return Err(refuse(ErrorKind::Empty)),
        (Some(0), _) => return Err(refuse(ErrorKind::LeadingZero)),
        (Some(first), Some(last)) => {
            let bits = bit_length(modulus.len(), *first);
            if bits != MODULUS_BITS {
                return Err(refuse(ErrorKind::ModulusSize { bits }));
            }
            if last & 1 == 0 {
                return Err(refuse(ErrorKind::Even));
            }
        }
    }
    let (rest, publicexponent) = vector_u8(rest, PUBLICEXPONENT)?;
    let refuse = |kind| Failure::new(kind, PUBLICEXPONENT, publicexponent).fatal();
    match publicexponent {
        [] => return Err(refuse(ErrorKind::Empty)),
        [0, ..] => return Err(refuse(ErrorKind::LeadingZero)),
        [1] => return Err(refuse(ErrorKind::ExponentTooSmall)),
        [.., last] if last & 1 == 0 => return Err(refuse(ErrorKind::Even)),
        _ => {}
    }
    let key = RsaPublicKeyRef {
        modulus,
        publicexponent,
    };
    Ok((rest, PublicKeyRef::Rsa(key)))
}

/// Reads the key that `signature` selects without checking more than its lengths. Returns `None` if that number is
/// unknown.
pub(crate) fn skipped_key(
    input: &[u8],
    signature: SignatureAlgorithm,
) -> Option<Parsed<'_, PublicKeyRef<'_>>> {
    match signature {
        SignatureAlgorithm::RSA => Some(vector_u16(input, MODULUS).and_then(|(rest, modulus)| {
            let (rest, publicexponent) = vector_u8(rest, PUBLICEXPONENT)?;
            let key = RsaPublicKeyRef {
                modulus,
                publicexponent,
            };
            Ok((rest, PublicKeyRef::Rsa(key)))
        })),
        SignatureAlgorithm::ECDSA_P256 => {
            Some(uint16(input, NAMEDCURVE).and_then(|(rest, namedcurve)| {
                let namedcurve = NamedCurve(namedcurve);
                let (rest, point) = vector_u8(rest, POINT)?;
                let key = EcdsaParamsRef { namedcurve, point };
                Ok((rest, PublicKeyRef::Ecdsa(key)))
            }))
        }
        _ => None,
    }
}

/// Returns the length in bits of a big-endian number without leading zero bytes.
fn bit_length(bytes: usize, first: u8) -> usize {
    let leading = usize::try_from(first.leading_zeros()).unwrap_or(0);
    bytes.saturating_mul(8).saturating_sub(leading)
}

fn ecdsa_params(input: &[u8], encoding: PointEncoding) -> Parsed<'_, PublicKeyRef<'_>> {
    let (rest, namedcurve) = uint16(input, NAMEDCURVE)?;
    let namedcurve = NamedCurve(namedcurve);
    let (rest, point) = vector_u8(rest, POINT)?;
    let refuse = |kind| Failure::new(kind, POINT, point).fatal();
    if point.is_empty() {
        return Err(refuse(ErrorKind::Empty));
    }
    if namedcurve == NamedCurve::SECP256R1 {
        let (expected, prefix) = match encoding {
            PointEncoding::X962 => (65, true),
            PointEncoding::Bare64 => (64, false),
        };
        let Some(coordinates) = point.last_chunk::<64>().filter(|_| point.len() == expected) else {
            let actual = point.len();
            return Err(refuse(ErrorKind::PointLength { expected, actual }));
        };
        if prefix {
            let (_, actual) = peek(be_u8).parse(point)?;
            if actual != UNCOMPRESSED {
                return Err(refuse(ErrorKind::PointFormat { actual }));
            }
        }
        if !curve::is_on_curve(coordinates) {
            return Err(refuse(ErrorKind::PointNotOnCurve));
        }
    }
    let key = EcdsaParamsRef { namedcurve, point };
    Ok((rest, PublicKeyRef::Ecdsa(key)))
}

/// Returns the key of an owned `TokenBindingID`, whose bytes were read before: its lengths are right. A borrowed
/// identifier keeps the key that reading gave.
pub(crate) fn key_of_checked_id(id: &[u8], signature: SignatureAlgorithm) -> PublicKeyRef<'_> {
    let key = id.get(3..).unwrap_or_default();
    let read = skipped_key(key, signature).and_then(Result::ok);
    let unreadable = PublicKeyRef::Ecdsa(EcdsaParamsRef {
        namedcurve: NamedCurve(0),
        point: &[],
    });
    read.map_or(unreadable, |(_, key)| key)
}

/// A public key of one of the two kinds the draft can negotiate, free of any encoding profile.
///
/// A [`Sign`](crate::Sign) implementation returns it; [`TokenBindingId::try_new`] checks it.
///
/// [`TokenBindingId::try_new`]: crate::TokenBindingId::try_new
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicKey {
    /// X and Y, 32 bytes each, big-endian.
    P256(Box<[u8; 64]>),
    /// An RSA key.
    Rsa2048 {
        /// The modulus, 256 bytes, big-endian.
        modulus: Vec<u8>,
        /// The public exponent, big-endian, without leading zeros.
        publicexponent: Vec<u8>,
    },
}

impl PublicKey {
    /// Returns the parameters of the key.
    #[must_use]
    pub const fn parameters(&self) -> KeyParameters {
        match self {
            Self::P256(_) => KeyParameters::P256,
            Self::Rsa2048 { .. } => KeyParameters::Rsa2048,
        }
    }

    /// Appends the key in the form of a `TokenBindingID`.
    pub(crate) fn put(
        &self,
        out: &mut Vec<u8>,
        encoding: PointEncoding,
    ) -> Result<(), EncodeError> {
        match self {
            Self::P256(coordinates) => {
                out.extend_from_slice(&NamedCurve::SECP256R1.0.to_be_bytes());
                let mut point = Vec::with_capacity(65);
                if encoding == PointEncoding::X962 {
                    point.push(UNCOMPRESSED);
                }
                point.extend_from_slice(coordinates.as_slice());
                put_u8_vector(out, POINT, &point)
            }
            Self::Rsa2048 {
                modulus,
                publicexponent,
            } => {
                put_u16_vector(out, MODULUS, modulus)?;
                put_u8_vector(out, PUBLICEXPONENT, publicexponent)
            }
        }
    }
}
