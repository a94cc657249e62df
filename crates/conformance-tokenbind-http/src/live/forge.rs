//! Token Binding messages put together by hand, octet by octet
//! (draft-popov-token-binding-00 section 4), right or wrong.

use conformance::outcome::{Checked, Failure};
use tokenbind_http::{client, header};
use tokenbind_wire::{PublicKey, Sign, SignatureEncoding, SignedOctets};

pub(super) const PROVIDED: u8 = 0;
pub(super) const REFERRED: u8 = 1;

/// `SignatureAndHashAlgorithm`: sha256 and rsa, sha256 and ecdsap256.
pub(super) const RSA_SHA256: [u8; 2] = [4, 1];
pub(super) const ECDSA_SHA256: [u8; 2] = [4, 3];
/// `NamedCurve` secp256r1.
pub(super) const SECP256R1: [u8; 2] = [0, 23];

/// Offsets in a message that begins with a binding of a P-256 key.
pub(super) const ALGORITHM_AT: usize = 2 + 1;
pub(super) const CURVE_AT: usize = ALGORITHM_AT + 2;
pub(super) const POINT_AT: usize = CURVE_AT + 2 + 1;
pub(super) const P256_SIGNATURE_AT: usize = POINT_AT + 65 + 2;
/// And with one of an RSA key, whose modulus has 256 bytes and whose exponent has 3.
pub(super) const MODULUS_AT: usize = ALGORITHM_AT + 2 + 2;
pub(super) const EXPONENT_AT: usize = MODULUS_AT + 256 + 1;
pub(super) const RSA_SIGNATURE_AT: usize = EXPONENT_AT + 3 + 2;

/// Signs for one connection.
pub(super) struct Forge {
    octets: SignedOctets,
}

impl Forge {
    pub(super) fn new(binding: &client::Connection) -> Checked<Self> {
        let session = binding.session();
        let session = session.ok_or_else(|| Failure::new("Token Binding was not negotiated"))?;
        let octets = session.tls_unique.signed_octets();
        Ok(Self { octets })
    }

    /// A signature that verifies on this connection.
    pub(super) fn signature(&self, key: &dyn Sign) -> Checked<Vec<u8>> {
        Ok(key.sign(&self.octets)?.to_vec(SignatureEncoding::Der))
    }

    /// A binding that verifies on this connection.
    pub(super) fn binding(&self, tokenbinding_type: u8, key: &dyn Sign) -> Checked<Vec<u8>> {
        let signature = self.signature(key)?;
        Ok(binding(tokenbinding_type, &key_id(key)?, &signature, &[]))
    }
}

/// Returns a key as it is encoded in an identifier, algorithm first.
pub(super) fn key_id(key: &dyn Sign) -> Checked<Vec<u8>> {
    match key.public_key() {
        PublicKey::P256(coordinates) => Ok(p256(&[&[4], coordinates.as_slice()].concat())),
        PublicKey::Rsa2048 {
            modulus,
            publicexponent,
        } => Ok(rsa(modulus, publicexponent)),
        other => Err(Failure::new(format!("{other:?}"))),
    }
}

/// A Token Binding ID.
pub(super) fn id(tokenbinding_type: u8, key: &dyn Sign) -> Checked<Vec<u8>> {
    Ok([vec![tokenbinding_type], key_id(key)?].concat())
}

pub(super) fn p256(point: &[u8]) -> Vec<u8> {
    let mut key = [ECDSA_SHA256, SECP256R1].concat();
    vector_8(&mut key, point);
    key
}

pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let mut key = RSA_SHA256.to_vec();
    vector_16(&mut key, modulus);
    vector_8(&mut key, exponent);
    key
}

pub(super) fn binding(
    tokenbinding_type: u8,
    key: &[u8],
    signature: &[u8],
    extensions: &[u8],
) -> Vec<u8> {
    let mut binding = vec![tokenbinding_type];
    binding.extend_from_slice(key);
    vector_16(&mut binding, signature);
    vector_16(&mut binding, extensions);
    binding
}

pub(super) fn message<B: AsRef<[u8]>>(bindings: &[B]) -> Vec<u8> {
    let octets = bindings.iter().flat_map(AsRef::as_ref);
    let octets: Vec<_> = octets.copied().collect();
    let mut message = Vec::new();
    vector_16(&mut message, &octets);
    message
}

/// The header's value for a message.
pub(super) fn header(message: &[u8]) -> Vec<u8> {
    header::encode(message).into_bytes()
}

/// `opaque item<0..2^8-1>`.
fn vector_8(octets: &mut Vec<u8>, item: &[u8]) {
    octets.push(u8::try_from(item.len()).expect("a short item"));
    octets.extend_from_slice(item);
}

/// `opaque item<0..2^16-1>`.
fn vector_16(octets: &mut Vec<u8>, item: &[u8]) {
    let length = u16::try_from(item.len()).expect("a short item");
    octets.extend_from_slice(&length.to_be_bytes());
    octets.extend_from_slice(item);
}
