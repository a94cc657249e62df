//! An authority, certificates of servers and clients, and configurations, for tests that connect.

#![allow(
    dead_code,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "shared by tests, each of which uses a part"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use mail_implicit_tls::{
    account::{Account, AccountId, AccountSetup, Server},
    client::Connector,
    verifier::Trust,
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::danger::ClientCertVerifier,
    sign::CertifiedKey,
};

/// The host of the site.
pub(crate) const HOST: &str = "imap.example.org";

/// A certificate and its key.
pub(crate) struct Identity {
    pub(crate) certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Identity {
    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

/// An authority and a server's certificate.
pub(crate) struct Site {
    params: CertificateParams,
    key: KeyPair,
    root: CertificateDer<'static>,
    server: Identity,
    provider: Arc<CryptoProvider>,
}

pub(crate) fn id(text: &str) -> AccountId {
    AccountId::try_new(text).unwrap()
}

/// Returns an account at the high level with this server.
pub(crate) fn account_of(text: &str, server: &Server) -> Account {
    AccountSetup::new(id(text))
        .server(server.clone())
        .build()
        .unwrap()
}

impl Site {
    pub(crate) fn new() -> Self {
        static SITES: AtomicUsize = AtomicUsize::new(0);

        let mut params = CertificateParams::default();
        let name = format!("Test Root {}", SITES.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().der().clone();
        let server = issue(&params, &key, &[HOST], |_| {});
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Self {
            params,
            key,
            root,
            server,
            provider,
        }
    }

    pub(crate) fn provider(&self) -> Arc<CryptoProvider> {
        self.provider.clone()
    }

    /// Returns a certificate for these names.
    pub(crate) fn issue(&self, names: &[&str]) -> Identity {
        issue(&self.params, &self.key, names, |_| {})
    }

    /// Returns an expired certificate for [`HOST`].
    pub(crate) fn expired(&self) -> Identity {
        issue(&self.params, &self.key, &[HOST], |params| {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2020, 2, 1);
        })
    }

    /// Returns a certificate for [`HOST`] that is valid up to this time, in seconds since the Unix epoch.
    pub(crate) fn expiring_at(&self, seconds: u64) -> Identity {
        issue(&self.params, &self.key, &[HOST], |params| {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
        })
    }

    /// Returns a client's certificate and key.
    pub(crate) fn client(&self, name: &str) -> Arc<CertifiedKey> {
        let identity = issue(&self.params, &self.key, &[], |params| {
            params.distinguished_name.push(DnType::CommonName, name);
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        });
        let chain = vec![identity.certificate.clone()];
        Arc::new(CertifiedKey::from_der(chain, identity.key(), &self.provider).unwrap())
    }

    /// Returns the certificate of a server for [`HOST`].
    pub(crate) const fn server(&self) -> &Identity {
        &self.server
    }

    /// Returns the authority's certificate.
    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.root.clone()
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        roots
    }

    pub(crate) fn trust(&self) -> Arc<Trust> {
        Arc::new(Trust::in_certificates([self.root.clone()]).unwrap())
    }

    pub(crate) fn connector(&self) -> Connector {
        Connector::new(self.provider(), self.trust())
    }

    /// Returns the configuration of a server for [`HOST`].
    pub(crate) fn server_config(&self) -> Arc<ServerConfig> {
        self.config_for(&self.server)
    }

    pub(crate) fn config_for(&self, identity: &Identity) -> Arc<ServerConfig> {
        let config = ServerConfig::builder_with_provider(self.provider())
            .with_safe_default_protocol_versions();
        let chain = vec![identity.certificate.clone()];
        Arc::new(
            config
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(chain, identity.key())
                .unwrap(),
        )
    }

    pub(crate) fn with_client_verifier(
        &self,
        verifier: Arc<dyn ClientCertVerifier>,
    ) -> ServerConfig {
        let config = ServerConfig::builder_with_provider(self.provider())
            .with_safe_default_protocol_versions();
        let chain = vec![self.server.certificate.clone()];
        config
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, self.server.key())
            .unwrap()
    }
}

fn issue(
    authority: &CertificateParams,
    key: &KeyPair,
    names: &[&str],
    change: impl FnOnce(&mut CertificateParams),
) -> Identity {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    change(&mut params);
    let own = KeyPair::generate().unwrap();
    let issuer = Issuer::from_params(authority, key);
    let certificate = params.signed_by(&own, &issuer).unwrap().der().clone();
    Identity {
        certificate,
        key: own,
    }
}
