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
use rustls::{
    DEFAULT_VERSIONS, RootCertStore, ServerConfig, crypto::CryptoProvider,
    pki_types::CertificateDer, server::danger::ClientCertVerifier, sign::CertifiedKey,
};
use test_support::pki::{Authority, Certificate, Identity, rcgen::date_time_ymd};

/// The host of the site.
pub(crate) const HOST: &str = "imap.example.org";

/// An authority and a server's certificate.
pub(crate) struct Site {
    authority: Authority,
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

        let name = format!("Test Root {}", SITES.fetch_add(1, Ordering::Relaxed));
        let authority = Authority::new(&name);
        Self {
            server: Certificate::server(&[HOST]).issue(&authority),
            authority,
            provider: Arc::new(rustls::crypto::ring::default_provider()),
        }
    }

    pub(crate) fn provider(&self) -> Arc<CryptoProvider> {
        self.provider.clone()
    }

    /// Returns a certificate for these names.
    pub(crate) fn issue(&self, names: &[&str]) -> Identity {
        Certificate::server(names).issue(&self.authority)
    }

    /// Returns an expired certificate for [`HOST`].
    pub(crate) fn expired(&self) -> Identity {
        let certificate = Certificate::server(&[HOST]).expired();
        certificate.issue(&self.authority)
    }

    /// Returns a certificate for [`HOST`] that is valid up to this time, in seconds since the Unix epoch.
    pub(crate) fn expiring_at(&self, seconds: u64) -> Identity {
        let certificate = Certificate::server(&[HOST]).change(|params| {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
        });
        certificate.issue(&self.authority)
    }

    /// Returns a client's certificate and key.
    pub(crate) fn client(&self, name: &str) -> Arc<CertifiedKey> {
        let identity = Certificate::client(name).issue(&self.authority);
        identity.certified(&self.provider)
    }

    /// Returns the certificate of a server for [`HOST`].
    pub(crate) const fn server(&self) -> &Identity {
        &self.server
    }

    /// Returns the authority's certificate.
    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.authority.certificate()
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        self.authority.roots()
    }

    pub(crate) fn trust(&self) -> Arc<Trust> {
        Arc::new(Trust::in_certificates([self.root()]).unwrap())
    }

    pub(crate) fn connector(&self) -> Connector {
        Connector::new(self.provider(), self.trust())
    }

    /// Returns the configuration of a server for [`HOST`].
    pub(crate) fn server_config(&self) -> Arc<ServerConfig> {
        self.config_for(&self.server)
    }

    pub(crate) fn config_for(&self, identity: &Identity) -> Arc<ServerConfig> {
        Arc::new(identity.server_config(self.provider(), DEFAULT_VERSIONS))
    }

    pub(crate) fn with_client_verifier(
        &self,
        verifier: Arc<dyn ClientCertVerifier>,
    ) -> ServerConfig {
        self.server
            .server_config_with(self.provider(), DEFAULT_VERSIONS, verifier)
    }
}
