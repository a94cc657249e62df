//! Certificates of the peers: a good one, and those that an attacker or a careless operator shows instead.

use std::{fs, path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{RootCertStore, pki_types::CertificateDer};

use crate::live::outcome::Checked;

/// The name of the server, for the client.
pub(super) const HOST: &str = "mail.example.com";

/// The certificate that a server presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Good,
    OfAnotherAuthority,
    OfAnotherName,
    Expired,
}

/// Two authorities, of which the client trusts one.
pub(super) struct Authorities {
    trusted: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
    other: Issuer<'static, KeyPair>,
}

impl Authorities {
    pub(super) fn new() -> Checked<Self> {
        let (trusted, certificate, pem) = authority("trusted")?;
        let (other, ..) = authority("other")?;
        Ok(Self {
            trusted,
            certificate,
            pem,
            other,
        })
    }

    pub(super) fn roots(&self) -> Checked<Arc<RootCertStore>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone())?;
        Ok(Arc::new(roots))
    }

    /// The certificate that the client trusts, in PEM.
    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    /// Writes `cert.pem` and `key.pem` for a server.
    pub(super) fn write(&self, directory: &Path, shown: Shown) -> Checked<()> {
        let key = KeyPair::generate()?;
        let name = match shown {
            Shown::OfAnotherName => "other.example.com",
            _ => HOST,
        };
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        if shown == Shown::Expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2020, 2, 1);
        }
        let issuer = match shown {
            Shown::OfAnotherAuthority => &self.other,
            _ => &self.trusted,
        };
        let certificate = params.signed_by(&key, issuer)?;
        fs::write(directory.join("cert.pem"), certificate.pem())?;
        fs::write(directory.join("key.pem"), key.serialize_pem())?;
        Ok(())
    }
}

fn authority(name: &str) -> Checked<(Issuer<'static, KeyPair>, CertificateDer<'static>, String)> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = params.self_signed(&key)?;
    let (der, pem) = (certificate.der().clone(), certificate.pem());
    Ok((Issuer::new(params, key), der, pem))
}
