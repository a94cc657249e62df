//! The certificate chain and its private key, read again on request.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use rustls::{
    crypto::CryptoProvider,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

/// The certificate that clients are shown. Its `Debug` form shows paths only.
pub(crate) struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    provider: CryptoProvider,
    current: ArcSwap<CertifiedKey>,
}

impl Certificate {
    /// Reads a chain and its key, both PEM.
    ///
    /// # Errors
    /// Returns the file and the reason if a file cannot be read, has no certificate or key, or if the key is not that
    /// of the certificate.
    pub(crate) fn read(cert: &Path, key: &Path, provider: &CryptoProvider) -> Result<Self, String> {
        let current = read(cert, key, provider)?;
        Ok(Self {
            cert: cert.to_owned(),
            key: key.to_owned(),
            provider: provider.clone(),
            current: ArcSwap::from_pointee(current),
        })
    }

    /// Reads both files again. New handshakes use the new certificate; connections are kept.
    ///
    /// # Errors
    /// As [`read`](Self::read); the former certificate stays in use.
    pub(crate) fn reload(&self) -> Result<(), String> {
        let new = read(&self.cert, &self.key, &self.provider)?;
        self.current.store(Arc::new(new));
        Ok(())
    }
}

fn read(cert: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let of = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, pem::Error>>)
        .map_err(|error| of(cert, &error))?;
    if chain.is_empty() {
        return Err(of(cert, &"no certificate found"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| of(key, &error))?;
    CertifiedKey::from_der(chain, private, provider).map_err(|error| of(key, &error))
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate")
            .field("cert", &self.cert)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}
