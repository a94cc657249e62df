//! Feature `pki-types`: [`Verify`] with the algorithms of the provider that the caller's rustls has.

use rustls_pki_types::{SignatureVerificationAlgorithm, alg_id};

use crate::{
    key::{KeyParameters, UNCOMPRESSED},
    signature::{ecdsa_to_der, rsa_public_key_to_der},
    tls_unique::SignedOctets,
    verify::{SignatureInvalid, Verify},
};

/// Verifies with `rustls_pki_types` algorithms, e.g. those in
/// `CryptoProvider::signature_verification_algorithms.all`.
#[derive(Clone, Copy, Debug)]
pub struct PkiTypes {
    p256: Option<&'static dyn SignatureVerificationAlgorithm>,
    rsa2048: Option<&'static dyn SignatureVerificationAlgorithm>,
}

impl PkiTypes {
    /// Selects the two algorithms that the draft uses from the list of a provider. An algorithm that the list lacks is
    /// not [supported](Verify::supports).
    #[must_use]
    pub fn new(algorithms: &[&'static dyn SignatureVerificationAlgorithm]) -> Self {
        let find = |key, signature| {
            algorithms.iter().copied().find(|algorithm| {
                algorithm.public_key_alg_id() == key && algorithm.signature_alg_id() == signature
            })
        };
        Self {
            p256: find(alg_id::ECDSA_P256, alg_id::ECDSA_SHA256),
            rsa2048: find(alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA256),
        }
    }
}

impl Verify for PkiTypes {
    fn supports(&self, parameters: KeyParameters) -> bool {
        match parameters {
            KeyParameters::P256 => self.p256.is_some(),
            KeyParameters::Rsa2048 => self.rsa2048.is_some(),
        }
    }

    fn verify_p256(
        &self,
        coordinates: &[u8; 64],
        octets: &SignedOctets,
        signature: &[u8; 64],
    ) -> Result<(), SignatureInvalid> {
        let mut point = [UNCOMPRESSED; 65];
        if let Some(to) = point.last_chunk_mut() {
            *to = *coordinates;
        }
        self.p256
            .ok_or(SignatureInvalid)?
            .verify_signature(&point, octets.as_bytes(), &ecdsa_to_der(signature))
            .map_err(|_| SignatureInvalid)
    }

    fn verify_rsa2048(
        &self,
        modulus: &[u8],
        publicexponent: &[u8],
        octets: &SignedOctets,
        signature: &[u8; 256],
    ) -> Result<(), SignatureInvalid> {
        let key = rsa_public_key_to_der(modulus, publicexponent);
        self.rsa2048
            .ok_or(SignatureInvalid)?
            .verify_signature(&key, octets.as_bytes(), signature)
            .map_err(|_| SignatureInvalid)
    }
}
