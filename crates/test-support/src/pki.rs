//! Authorities, and certificates of servers and clients, valid and faulty.
//!
//! ```
//! use test_support::pki::{Authority, Certificate};
//!
//! let authority = Authority::new("Trusted CA");
//! let good = Certificate::server(&["imap.example.org"]).issue(&authority);
//! let expired = Certificate::server(&["imap.example.org"]).expired().issue(&authority);
//! let wildcard = Certificate::server(&["*.example.org"]).issue(&authority);
//! let services = Certificate::server(&[]).srv_ids(&["_imaps.example.org"]).issue(&authority);
//! let stranger = Certificate::server(&["imap.example.org"]).issue(&Authority::new("Other CA"));
//! let self_signed = Certificate::server(&["localhost", "127.0.0.1"]).self_signed();
//! let client = Certificate::client("alice").issue(&authority);
//! ```

use std::{fs, ops::Deref, path::Path};

pub use rcgen;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PublicKeyData as _,
    SerialNumber, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// An authority that issues certificates, with its own certificate.
///
/// Dereferences to the issuer of [`rcgen`].
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a self-signed authority. `name` is the common name, and the whole subject.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::with(name, |_| {})
    }

    /// Makes a self-signed authority whose certificate `change` has altered.
    #[must_use]
    pub fn with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        Self::with_key(name, key(), change)
    }

    /// Makes a self-signed authority of this key, such as the key of an authority of another name.
    #[must_use]
    pub fn with_key(name: &str, key: KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let params = authority(name, change);
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        Self { issuer }
    }

    /// Makes an intermediate authority, which this one has signed.
    #[must_use]
    pub fn intermediate(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        self.intermediate_with_key(name, key(), change)
    }

    /// Makes an intermediate authority of this key.
    #[must_use]
    pub fn intermediate_with_key(
        &self,
        name: &str,
        key: KeyPair,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Self {
        let params = authority(name, change);
        let issuer = CertifiedIssuer::signed_by(params, key, &self.issuer).unwrap();
        Self { issuer }
    }

    /// Returns the authority's certificate and key, as a server presents them that is an authority.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity::new(self.issuer.as_ref(), copy(self.issuer.key()))
    }

    /// Returns the authority's certificate.
    #[must_use]
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// Returns the authority's certificate in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Returns a store that trusts this authority only.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn roots(&self) -> rustls::RootCertStore {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate()).unwrap();
        roots
    }
}

impl Deref for Authority {
    type Target = CertifiedIssuer<'static, KeyPair>;

    fn deref(&self) -> &Self::Target {
        &self.issuer
    }
}

/// A certificate to be issued.
///
/// Its validity is that of [`rcgen`], from 1975 to 4096, unless it is set.
#[derive(Clone)]
pub struct Certificate {
    params: CertificateParams,
}

impl Certificate {
    /// Describes a server's certificate for DNS names, wildcards and IP addresses. Its subject is
    /// empty, and its extended key usage is `serverAuth`.
    #[must_use]
    pub fn server(names: &[&str]) -> Self {
        Self::of(names, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// Describes a client's certificate without names but its common name. Its extended key usage
    /// is `clientAuth`.
    #[must_use]
    pub fn client(common_name: &str) -> Self {
        Self::of(&[], ExtendedKeyUsagePurpose::ClientAuth).common_name(common_name)
    }

    fn of(names: &[&str], usage: ExtendedKeyUsagePurpose) -> Self {
        let names: Vec<String> = names.iter().copied().map(str::to_owned).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.extended_key_usages = vec![usage];
        Self { params }
    }

    /// Adds a common name to the subject.
    #[must_use]
    pub fn common_name(self, name: &str) -> Self {
        self.change(|params| params.distinguished_name.push(DnType::CommonName, name))
    }

    /// Adds an organization to the subject.
    #[must_use]
    pub fn organization(self, name: &str) -> Self {
        self.change(|params| {
            params
                .distinguished_name
                .push(DnType::OrganizationName, name)
        })
    }

    /// Sets SRV-IDs (RFC 4985) such as `_imaps.example.org` as the only alternative names.
    #[must_use]
    pub fn srv_ids(self, names: &[&str]) -> Self {
        // id-on-dnsSRV, 1.3.6.1.5.5.7.8.7.
        let id = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x07];
        let names = names.iter().flat_map(|name| {
            let name = element(0xa0, &element(0x16, name.as_bytes()));
            element(0xa0, &[&id[..], &name].concat())
        });
        let content = element(0x30, &names.collect::<Vec<u8>>());
        self.change(|params| {
            params.subject_alt_names.clear();
            params
                .custom_extensions
                .push(CustomExtension::from_oid_content(&[2, 5, 29, 17], content));
        })
    }

    /// Sets the validity, from 1 January of a year to 1 January of another.
    #[must_use]
    pub fn valid(self, from_year: i32, until_year: i32) -> Self {
        self.change(|params| {
            params.not_before = date_time_ymd(from_year, 1, 1);
            params.not_after = date_time_ymd(until_year, 1, 1);
        })
    }

    /// Sets a validity that ended on 1 January 2001.
    #[must_use]
    pub fn expired(self) -> Self {
        self.valid(2000, 2001)
    }

    /// Sets the serial number.
    #[must_use]
    pub fn serial(self, serial: u64) -> Self {
        self.change(|params| params.serial_number = Some(SerialNumber::from(serial)))
    }

    /// Sets the extended key usages. Without any, the extension is absent.
    #[must_use]
    pub fn usages(self, usages: &[ExtendedKeyUsagePurpose]) -> Self {
        self.change(|params| params.extended_key_usages = usages.to_vec())
    }

    /// Changes any other part of the certificate.
    #[must_use]
    pub fn change(mut self, change: impl FnOnce(&mut CertificateParams)) -> Self {
        change(&mut self.params);
        self
    }

    /// Issues the certificate for a new P-256 key.
    #[must_use]
    pub fn issue(&self, authority: &Authority) -> Identity {
        self.issue_for(key(), authority)
    }

    /// Issues the certificate for a key.
    #[must_use]
    pub fn issue_for(&self, key: KeyPair, authority: &Authority) -> Identity {
        let certificate = self.params.signed_by(&key, &authority.issuer).unwrap();
        Identity::new(&certificate, key)
    }

    /// Makes a self-signed certificate for a new P-256 key.
    #[must_use]
    pub fn self_signed(&self) -> Identity {
        self.self_signed_for(key())
    }

    /// Makes a self-signed certificate for a key.
    #[must_use]
    pub fn self_signed_for(&self, key: KeyPair) -> Identity {
        let certificate = self.params.self_signed(&key).unwrap();
        Identity::new(&certificate, key)
    }

    /// Returns the parameters for [`rcgen`].
    #[must_use]
    pub const fn params(&self) -> &CertificateParams {
        &self.params
    }
}

/// A certificate with its private key.
pub struct Identity {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

impl Identity {
    fn new(certificate: &rcgen::Certificate, key: KeyPair) -> Self {
        Self {
            certificate: certificate.der().clone(),
            pem: certificate.pem(),
            key,
        }
    }

    /// Returns the certificate.
    #[must_use]
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    /// Returns a chain of this certificate only.
    #[must_use]
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate()]
    }

    /// Returns the certificate in PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Returns the key pair.
    #[must_use]
    pub const fn key(&self) -> &KeyPair {
        &self.key
    }

    /// Returns the private key in PKCS#8.
    #[must_use]
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    /// Returns the private key in PEM.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// Returns the SubjectPublicKeyInfo of the key in DER.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        self.key.subject_public_key_info()
    }

    /// Writes the certificate and the key in PEM to two files.
    pub fn write(&self, certificate: &Path, key: &Path) {
        fs::write(certificate, &self.pem).unwrap();
        fs::write(key, self.key_pem()).unwrap();
    }
}

/// Configurations of rustls.
#[cfg(feature = "rustls")]
mod configurations {
    use std::sync::Arc;

    use rustls::{
        ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion,
        client::WebPkiServerVerifier, crypto::CryptoProvider, server::danger::ClientCertVerifier,
        sign::CertifiedKey,
    };

    use super::{Authority, Identity};

    impl Identity {
        /// Returns the certificate and key as rustls signs with them.
        #[must_use]
        pub fn certified(&self, provider: &CryptoProvider) -> Arc<CertifiedKey> {
            Arc::new(CertifiedKey::from_der(self.chain(), self.private_key(), provider).unwrap())
        }

        /// Returns a server's configuration that requests no client certificate.
        #[must_use]
        pub fn server_config(
            &self,
            provider: Arc<CryptoProvider>,
            versions: &[&'static SupportedProtocolVersion],
        ) -> ServerConfig {
            ServerConfig::builder_with_provider(provider)
                .with_protocol_versions(versions)
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(self.chain(), self.private_key())
                .unwrap()
        }

        /// Returns a server's configuration whose verifier checks client certificates.
        #[must_use]
        pub fn server_config_with(
            &self,
            provider: Arc<CryptoProvider>,
            versions: &[&'static SupportedProtocolVersion],
            verifier: Arc<dyn ClientCertVerifier>,
        ) -> ServerConfig {
            ServerConfig::builder_with_provider(provider)
                .with_protocol_versions(versions)
                .unwrap()
                .with_client_cert_verifier(verifier)
                .with_single_cert(self.chain(), self.private_key())
                .unwrap()
        }
    }

    impl Authority {
        /// Returns the verifier of rustls that trusts this authority only.
        #[must_use]
        pub fn verifier(&self, provider: Arc<CryptoProvider>) -> Arc<WebPkiServerVerifier> {
            let roots = Arc::new(self.roots());
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider);
            verifier.build().unwrap()
        }

        /// Returns a client's configuration that trusts this authority only.
        #[must_use]
        pub fn client_config(
            &self,
            provider: Arc<CryptoProvider>,
            versions: &[&'static SupportedProtocolVersion],
        ) -> ClientConfig {
            client_config(self.roots(), provider, versions)
        }
    }

    impl Identity {
        /// Returns a store that trusts this certificate only.
        #[must_use]
        pub fn roots(&self) -> RootCertStore {
            let mut roots = RootCertStore::empty();
            roots.add(self.certificate()).unwrap();
            roots
        }

        /// Returns a client's configuration that trusts this certificate itself.
        #[must_use]
        pub fn client_config(
            &self,
            provider: Arc<CryptoProvider>,
            versions: &[&'static SupportedProtocolVersion],
        ) -> ClientConfig {
            client_config(self.roots(), provider, versions)
        }
    }

    fn client_config(
        roots: RootCertStore,
        provider: Arc<CryptoProvider>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}

/// Makes a P-256 key.
#[must_use]
pub fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

/// Copies a key.
#[must_use]
pub fn copy(key: &KeyPair) -> KeyPair {
    KeyPair::try_from(key.serialize_der()).unwrap()
}

/// The parameters of an authority.
fn authority(name: &str, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    change(&mut params);
    params
}

/// Encodes an element in DER.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match u8::try_from(content.len()) {
        Ok(length @ 0..=0x7f) => vec![length],
        Ok(length) => vec![0x81, length],
        Err(_) => {
            let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
            vec![0x82, high, low]
        }
    };
    [&[tag], &length[..], content].concat()
}
