//! Certificates and private keys in PEM files.

use std::path::Path;

use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};

use crate::files::{FileError, FileKind, read};

/// Reads the certificates of a file, of which there is at least one, in their order.
///
/// # Errors
/// Returns the errors of [`read`], and one if the file has no certificate, or a damaged one.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let text = read(path, FileKind::Certificates)?;
    let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| damaged(path, &error))?;
    match certificates.is_empty() {
        true => Err(FileError::of_content(
            path,
            "no certificate found; PEM with -----BEGIN CERTIFICATE----- expected".to_owned(),
        )),
        false => Ok(certificates),
    }
}

/// Reads the first private key of a file.
///
/// # Errors
/// Returns the errors of [`read`], and one if the file has no key, a damaged one, or only one that is
/// encrypted.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, FileError> {
    let text = read(path, FileKind::PrivateKey)?;
    let error = match PrivateKeyDer::from_pem_slice(&text) {
        Ok(key) => return Ok(key),
        Err(pem::Error::NoItemsFound) => {
            let mark: &[u8] = b"BEGIN ENCRYPTED PRIVATE KEY";
            let is_encrypted = text.windows(mark.len()).any(|it| it == mark);
            let text = match is_encrypted {
                true => {
                    "the private key is encrypted; `openssl pkey -in FILE -out NEW` decrypts it"
                }
                false => "no private key found; PEM with -----BEGIN PRIVATE KEY----- expected",
            };
            FileError::of_content(path, text.to_owned())
        }
        Err(error) => damaged(path, &error),
    };
    Err(error)
}

/// Returns the error of damaged PEM. The library's own text may have lines of the file.
fn damaged(path: &Path, error: &pem::Error) -> FileError {
    let text = match error {
        pem::Error::MissingSectionEnd { .. } => "PEM: a section has no -----END line",
        pem::Error::IllegalSectionStart { .. } => "PEM: a -----BEGIN line is not complete",
        pem::Error::Base64Decode(_) => "PEM: a section is not Base64",
        _ => "PEM: a section cannot be read",
    };
    FileError::of_content(path, text.to_owned())
}
