//! The certificate chain and its private key, read again on request.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use command_support::pem;
use rustls::{
    crypto::CryptoProvider,
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
    let chain = pem::certificates(cert).map_err(|error| error.to_string())?;
    let private = pem::private_key(key).map_err(|error| error.to_string())?;
    CertifiedKey::from_der(chain, private, provider)
        .map_err(|error| format!("{}: {error}", key.display()))
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
