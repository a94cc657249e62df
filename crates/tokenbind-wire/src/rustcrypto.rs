//! Feature `rustcrypto`: [`Verify`] and [`Sign`] with `p256`, `rsa` and `sha2`.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use p256::{ecdsa, elliptic_curve::Generate};
use rand_core::CryptoRng;
use rsa::{
    BoxedUint, PrivateKey, pkcs1v15,
    signature::hazmat::{PrehashSigner, PrehashVerifier},
    traits::PublicKeyParts,
};
use sha2::Sha256;

use crate::{
    key::{KeyParameters, PublicKey, UNCOMPRESSED},
    sign::{Sign, SignError},
    signature::Signature,
    tls_unique::SignedOctets,
    verify::{SignatureInvalid, Verify},
};

const RSA_BITS: usize = 2048;

/// Verifies with the `p256` and `rsa` crates. RSA exponents above 2^33 - 1 do not verify, as with ring and AWS-LC.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustCrypto;

impl Verify for RustCrypto {
    fn supports(&self, parameters: KeyParameters) -> bool {
        matches!(parameters, KeyParameters::P256 | KeyParameters::Rsa2048)
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
        let key = ecdsa::VerifyingKey::from_sec1_bytes(&point).map_err(|_| SignatureInvalid)?;
        let signature = ecdsa::Signature::from_slice(signature).map_err(|_| SignatureInvalid)?;
        key.verify_prehash(&octets.sha256(), &signature)
            .map_err(|_| SignatureInvalid)
    }

    fn verify_rsa2048(
        &self,
        modulus: &[u8],
        publicexponent: &[u8],
        octets: &SignedOctets,
        signature: &[u8; 256],
    ) -> Result<(), SignatureInvalid> {
        let key = rsa::PublicKey::new(
            BoxedUint::from_be_slice_vartime(modulus),
            BoxedUint::from_be_slice_vartime(publicexponent),
        )
        .map_err(|_| SignatureInvalid)?;
        let signature =
            pkcs1v15::Signature::try_from(signature.as_slice()).map_err(|_| SignatureInvalid)?;
        pkcs1v15::VerifyingKey::<Sha256>::new(key)
            .verify_prehash(&octets.sha256(), &signature)
            .map_err(|_| SignatureInvalid)
    }
}

/// A P-256 key in memory, zeroized when dropped. Signatures are deterministic (RFC 6979).
pub struct P256Key {
    key: ecdsa::SigningKey,
    public_key: PublicKey,
}

impl P256Key {
    /// Generates a key from the operating system's random source.
    ///
    /// # Errors
    /// [`SignError::Backend`] if that source fails.
    pub fn generate() -> Result<Self, SignError> {
        let key = ecdsa::SigningKey::try_generate().map_err(|_| SignError::Backend)?;
        Self::from_key(key)
    }

    /// Generates a key from a random source of the caller's.
    ///
    /// # Errors
    /// No error at present: the source cannot fail.
    pub fn generate_from_rng<R: CryptoRng>(rng: &mut R) -> Result<Self, SignError> {
        Self::from_key(ecdsa::SigningKey::generate_from_rng(rng))
    }

    fn from_key(key: ecdsa::SigningKey) -> Result<Self, SignError> {
        let point = key.verifying_key().to_sec1_point(false);
        let coordinates = point.as_bytes().last_chunk().ok_or(SignError::Key)?;
        let public_key = PublicKey::P256(Box::new(*coordinates));
        Ok(Self { key, public_key })
    }
}

impl Sign for P256Key {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn sign(&self, octets: &SignedOctets) -> Result<Signature, SignError> {
        let signature: ecdsa::Signature = self
            .key
            .sign_prehash(&octets.sha256())
            .map_err(|_| SignError::Backend)?;
        Ok(Signature::P256(signature.to_bytes().into()))
    }
}

impl fmt::Debug for P256Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("P256Key").finish_non_exhaustive()
    }
}

/// A 2048-bit RSA key in memory, zeroized when dropped. Signing is blinded.
pub struct Rsa2048Key {
    key: pkcs1v15::SigningKey<Sha256>,
    public_key: PublicKey,
}

impl Rsa2048Key {
    /// Generates a key with exponent 65537 from the operating system's random source. This takes from tenths of a
    /// second to seconds.
    ///
    /// # Errors
    /// [`SignError::Backend`] if that source fails.
    pub fn generate() -> Result<Self, SignError> {
        Self::generate_from_rng(&mut rand_core::UnwrapErr(getrandom::SysRng))
    }

    /// Generates a key from a random source of the caller's.
    ///
    /// # Errors
    /// [`SignError::Backend`] if the source fails.
    pub fn generate_from_rng<R: CryptoRng>(rng: &mut R) -> Result<Self, SignError> {
        let key = PrivateKey::new(rng, RSA_BITS).map_err(|_| SignError::Backend)?;
        Self::from_key(key)
    }

    fn from_key(key: PrivateKey) -> Result<Self, SignError> {
        let significant = |number: &BoxedUint| -> Vec<u8> {
            let octets = number.to_be_bytes();
            octets
                .iter()
                .copied()
                .skip_while(|octet| *octet == 0)
                .collect()
        };
        let modulus = significant(key.n());
        let exact = modulus.len().checked_mul(8) == Some(RSA_BITS)
            && modulus.first().is_some_and(|first| *first >= 0x80);
        if !exact {
            return Err(SignError::Key);
        }
        let public_key = PublicKey::Rsa2048 {
            modulus,
            publicexponent: significant(key.e()),
        };
        let key = pkcs1v15::SigningKey::new(key);
        Ok(Self { key, public_key })
    }
}

impl Sign for Rsa2048Key {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn sign(&self, octets: &SignedOctets) -> Result<Signature, SignError> {
        let signature: pkcs1v15::Signature = self
            .key
            .sign_prehash(&octets.sha256())
            .map_err(|_| SignError::Backend)?;
        let octets: Box<[u8]> = rsa::signature::SignatureEncoding::to_vec(&signature).into();
        octets
            .try_into()
            .map(Signature::Rsa2048)
            .map_err(|_| SignError::Backend)
    }
}

impl fmt::Debug for Rsa2048Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rsa2048Key").finish_non_exhaustive()
    }
}

#[cfg(feature = "pkcs8")]
mod pkcs8 {
    //! Feature `pkcs8`: import and export as PKCS#8 (RFC 5958) in DER.

    use alloc::vec::Vec;

    use p256::ecdsa;
    use rsa::{
        PrivateKey,
        pkcs8::{DecodePrivateKey, EncodePrivateKey, SecretDocument},
    };
    use zeroize::Zeroizing;

    use super::{P256Key, Rsa2048Key};
    use crate::sign::SignError;

    #[cfg_attr(docsrs, doc(cfg(feature = "pkcs8")))]
    impl P256Key {
        /// Imports a key from PKCS#8 DER.
        ///
        /// # Errors
        /// [`SignError::Key`] if `der` is not a P-256 key in PKCS#8.
        pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, SignError> {
            let key = ecdsa::SigningKey::from_pkcs8_der(der).map_err(|_| SignError::Key)?;
            Self::from_key(key)
        }

        /// Exports the key as PKCS#8 DER, zeroized when dropped.
        ///
        /// # Errors
        /// [`SignError::Backend`] if the key cannot be encoded.
        pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, SignError> {
            exported(self.key.to_pkcs8_der())
        }
    }

    #[cfg_attr(docsrs, doc(cfg(feature = "pkcs8")))]
    impl Rsa2048Key {
        /// Imports a key from PKCS#8 DER.
        ///
        /// # Errors
        /// [`SignError::Key`] if `der` is not an RSA key with a 2048-bit modulus in PKCS#8.
        pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, SignError> {
            let key = PrivateKey::from_pkcs8_der(der).map_err(|_| SignError::Key)?;
            Self::from_key(key)
        }

        /// Exports the key as PKCS#8 DER, zeroized when dropped.
        ///
        /// # Errors
        /// [`SignError::Backend`] if the key cannot be encoded.
        pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, SignError> {
            exported(self.key.to_pkcs8_der())
        }
    }

    fn exported(
        document: Result<SecretDocument, rsa::pkcs8::Error>,
    ) -> Result<Zeroizing<Vec<u8>>, SignError> {
        let document = document.map_err(|_| SignError::Backend)?;
        Ok(Zeroizing::new(document.as_bytes().to_vec()))
    }
}
