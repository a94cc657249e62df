//! The forms of a signature: a value of fixed length in this crate, `TokenBinding.signature` in the encoding of an
//! [`EncodingProfile`](crate::EncodingProfile) on the wire.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use nom::{
    IResult, Parser,
    bytes::complete::{tag, take},
    combinator::{all_consuming, verify},
    multi::length_value,
    number::complete::be_u8,
};

use crate::{
    codec::Failure,
    error::ErrorKind,
    id::TokenBindingIdRef,
    key::{KeyParameters, PublicKeyRef, RsaPublicKeyRef},
    profile::SignatureEncoding,
};

pub(crate) const SIGNATURE: &str = "TokenBinding.signature";

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
/// Above this an octet begins a long-form length, or makes an INTEGER negative.
const HIGH_BIT: u8 = 0x80;

/// A signature value, free of any encoding profile.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signature {
    /// r and s, 32 bytes each, big-endian.
    P256([u8; 64]),
    /// RSASSA-PKCS1-v1_5, 256 bytes.
    Rsa2048(Box<[u8; 256]>),
}

impl Signature {
    /// Returns the parameters of the keys that make such signatures.
    #[must_use]
    pub const fn parameters(&self) -> KeyParameters {
        match self {
            Self::P256(_) => KeyParameters::P256,
            Self::Rsa2048(_) => KeyParameters::Rsa2048,
        }
    }

    /// Reads an ECDSA signature from DER, the form that most key stores return. Returns `None` if `der` is not a strict
    /// DER `ECDSA-Sig-Value`.
    #[must_use]
    pub fn p256_from_der(der: &[u8]) -> Option<Self> {
        ecdsa_from_der(der).map(Self::P256)
    }

    /// Returns the octets of `TokenBinding.signature`.
    #[must_use]
    pub fn to_vec(&self, encoding: SignatureEncoding) -> Vec<u8> {
        match (self, encoding) {
            (Self::P256(value), SignatureEncoding::Der) => ecdsa_to_der(value),
            (Self::P256(value), SignatureEncoding::Raw64) => value.to_vec(),
            (Self::Rsa2048(value), _) => value.to_vec(),
        }
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", self.parameters().name())
    }
}

/// The key and the signature of a binding under parameters that the draft knows, as decoding has checked them: what
/// [`Verify`](crate::Verify) is called with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyAndSignature<'a> {
    P256 {
        coordinates: &'a [u8; 64],
        signature: [u8; 64],
    },
    Rsa2048 {
        key: RsaPublicKeyRef<'a>,
        signature: &'a [u8; 256],
    },
}

impl<'a> KeyAndSignature<'a> {
    /// Reads the `TokenBinding.signature` that follows an identifier. Returns `None` if the identifier has other
    /// parameters than those the draft knows: the signature is opaque then.
    pub(crate) fn from_wire(
        id: TokenBindingIdRef<'a>,
        octets: &'a [u8],
        encoding: SignatureEncoding,
    ) -> Result<Option<Self>, Failure<'a>> {
        let length = |expected| {
            let actual = octets.len();
            let kind = ErrorKind::SignatureLength { expected, actual };
            Failure::new(kind, SIGNATURE, octets)
        };
        match (id.key_parameters(), id.key()) {
            (Some(KeyParameters::Rsa2048), PublicKeyRef::Rsa(key)) => {
                let signature = octets.try_into().map_err(|_| length(256))?;
                Ok(Some(Self::Rsa2048 { key, signature }))
            }
            (Some(KeyParameters::P256), PublicKeyRef::Ecdsa(key)) => {
                let signature = match encoding {
                    SignatureEncoding::Raw64 => octets.try_into().map_err(|_| length(64))?,
                    SignatureEncoding::Der => ecdsa_from_der(octets).ok_or(Failure::new(
                        ErrorKind::SignatureDer,
                        SIGNATURE,
                        octets,
                    ))?,
                };
                Ok(key.coordinates().map(|coordinates| Self::P256 {
                    coordinates,
                    signature,
                }))
            }
            _ => Ok(None),
        }
    }
}

impl fmt::Debug for KeyAndSignature<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P256 { .. } => "P256",
            Self::Rsa2048 { .. } => "Rsa2048",
        })
    }
}

type Der<'a, O> = IResult<&'a [u8], O>;

/// `ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }`, DER, nothing after it. Both integers
/// are positive and have at most 256 bits, so every length is short.
fn ecdsa_from_der(der: &[u8]) -> Option<[u8; 64]> {
    let (_, value) = all_consuming(sequence).parse(der).ok()?;
    Some(value)
}

fn sequence(input: &[u8]) -> Der<'_, [u8; 64]> {
    let (body, _) = tag([SEQUENCE].as_slice())(input)?;
    let (rest, (r, s)) = length_value(length, all_consuming((integer, integer))).parse(body)?;
    let mut value = [0; 64];
    let (left, right) = value.split_at_mut(32);
    left.copy_from_slice(&r);
    right.copy_from_slice(&s);
    Ok((rest, value))
}

/// A length in short form.
fn length(input: &[u8]) -> Der<'_, u8> {
    verify(be_u8, |length| *length < HIGH_BIT).parse(input)
}

/// A positive INTEGER below 2^256 in its shortest form, padded to 32 bytes.
fn integer(input: &[u8]) -> Der<'_, [u8; 32]> {
    let (rest, _) = tag([INTEGER].as_slice())(input)?;
    let (rest, count) = length(rest)?;
    let (rest, octets) = take(count)(rest)?;
    let invalid = || nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Verify));
    let magnitude = match octets {
        [0, magnitude @ ..] if magnitude.first().is_some_and(|first| *first >= HIGH_BIT) => {
            magnitude
        }
        [first, ..] if (1..HIGH_BIT).contains(first) => octets,
        _ => return Err(invalid()),
    };
    let mut value = [0; 32];
    let padding = value
        .len()
        .checked_sub(magnitude.len())
        .ok_or_else(invalid)?;
    for (to, from) in value.iter_mut().skip(padding).zip(magnitude) {
        *to = *from;
    }
    Ok((rest, value))
}

/// The DER form. Zero, which no signer makes, becomes the INTEGER 0.
pub(crate) fn ecdsa_to_der(value: &[u8; 64]) -> Vec<u8> {
    let (r, s) = value.split_at(32);
    let mut body = Vec::with_capacity(72);
    put_integer(&mut body, r);
    put_integer(&mut body, s);
    let mut der = Vec::with_capacity(72);
    put_der(&mut der, SEQUENCE, &body);
    der
}

/// `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }`, RFC 8017 A.1.1.
#[cfg(feature = "pki-types")]
pub(crate) fn rsa_public_key_to_der(modulus: &[u8], publicexponent: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(270);
    put_integer(&mut body, modulus);
    put_integer(&mut body, publicexponent);
    let mut der = Vec::with_capacity(274);
    put_der(&mut der, SEQUENCE, &body);
    der
}

/// A non-negative INTEGER from a big-endian magnitude.
fn put_integer(out: &mut Vec<u8>, magnitude: &[u8]) {
    let leading = magnitude.iter().take_while(|octet| **octet == 0).count();
    let significant = magnitude.get(leading..).unwrap_or_default();
    let mut octets = Vec::with_capacity(significant.len().saturating_add(1));
    if significant.first().is_none_or(|first| *first >= HIGH_BIT) {
        octets.push(0);
    }
    octets.extend_from_slice(significant);
    put_der(out, INTEGER, &octets);
}

/// Tag, definite length in its shortest form, contents.
fn put_der(out: &mut Vec<u8>, tag: u8, contents: &[u8]) {
    out.push(tag);
    match u8::try_from(contents.len()) {
        Ok(short) if short < HIGH_BIT => out.push(short),
        _ => {
            let length = contents.len().to_be_bytes();
            let leading = length.iter().take_while(|octet| **octet == 0).count();
            let significant = length.get(leading..).unwrap_or_default();
            let count = u8::try_from(significant.len()).unwrap_or(u8::MAX);
            out.push(HIGH_BIT | count);
            out.extend_from_slice(significant);
        }
    }
    out.extend_from_slice(contents);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_shortest_and_the_longest_signature() {
        let mut shortest = [0; 64];
        shortest[31] = 1;
        shortest[63] = 0x7f;
        assert_eq!(
            ecdsa_from_der(&[0x30, 6, 2, 1, 1, 2, 1, 0x7f]),
            Some(shortest)
        );
        let longest = [0xff; 64];
        let der = ecdsa_to_der(&longest);
        assert_eq!(der.len(), 72);
        assert_eq!(ecdsa_from_der(&der), Some(longest));
    }

    #[test]
    fn rejects_forms_that_are_not_strict_der() {
        for der in [
            &[][..],
            &[0x30],
            &[0x30, 0],
            &[0x30, 6, 2, 1, 1, 2, 1, 1, 0],
            &[0x30, 7, 2, 1, 1, 2, 1, 1, 0],
            &[0x30, 0x81, 6, 2, 1, 1, 2, 1, 1],
            &[0x30, 0x80, 2, 1, 1, 2, 1, 1, 0, 0],
            &[0x31, 6, 2, 1, 1, 2, 1, 1],
            &[0x30, 6, 3, 1, 1, 2, 1, 1],
            &[0x30, 6, 2, 1, 0, 2, 1, 1],
            &[0x30, 6, 2, 1, 0x80, 2, 1, 1],
            &[0x30, 7, 2, 2, 0, 1, 2, 1, 1],
            &[0x30, 5, 2, 0, 2, 1, 1],
            &[0x30, 3, 2, 1, 1],
            &[0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1],
        ] {
            assert_eq!(ecdsa_from_der(der), None, "{der:02x?}");
        }
        let mut long = alloc::vec![0x30, 38, 2, 33, 1];
        long.extend([0; 32]);
        long.extend([2, 1, 1]);
        assert_eq!(ecdsa_from_der(&long), None, "a magnitude of 33 bytes");
    }

    proptest! {
        #[test]
        fn agrees_with_the_p256_crate_on_der(r: [u8; 32], s: [u8; 32], noise in 0_usize..80, bit in 0_u8..8) {
            let mut der = ecdsa_to_der(&[r, s].concat().try_into().unwrap());
            if let Some(octet) = der.get_mut(noise) {
                *octet ^= 1 << bit;
            }
            let library = p256::ecdsa::Signature::from_der(&der).ok().map(|value| value.to_bytes().to_vec());
            let ours = ecdsa_from_der(&der).map(|value| value.to_vec());
            // The library also refuses r and s that are not below the order; those are for verification.
            if let Some(library) = library {
                prop_assert_eq!(ours, Some(library));
            } else if let Some(ours) = ours {
                prop_assert!(p256::ecdsa::Signature::from_slice(&ours).is_err());
                prop_assert_eq!(ecdsa_to_der(&ours.try_into().unwrap()), der);
            }
        }
    }
}
