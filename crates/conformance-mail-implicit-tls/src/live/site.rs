//! An authority and certificates of each kind, for servers and clients.

use std::{path::Path, sync::Arc};

use conformance::outcome::Checked;
use mail_implicit_tls::{
    account::{Account, AccountId, AccountSetup, Host, Server},
    client::Connector,
    name::DomainName,
    server::{CertificateSet, Certificates, UnknownName},
    service::Service,
    verifier::Trust,
};
use rustls::{RootCertStore, crypto::CryptoProvider, pki_types::UnixTime, sign::CertifiedKey};
use test_support::pki::{
    Authority, Certificate, Identity,
    rcgen::{CertificateRevocationListParams, KeyIdMethod, SerialNumber, date_time_ymd},
};

/// The host of the servers.
pub(super) const HOST: &str = "mail.example.test";

/// The mail domain.
pub(super) const DOMAIN: &str = "example.test";

/// The names of a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// [`HOST`] and `localhost`.
    Good,
    /// Another host.
    OtherName,
    /// [`HOST`], expired.
    Expired,
    /// The SRV-IDs of the services of [`DOMAIN`], and nothing else.
    SrvOnly,
    /// [`HOST`] as common name, and nothing else.
    CnOnly,
    /// All hosts of [`DOMAIN`].
    Wildcard,
    /// [`HOST`], issued by an authority that no client trusts.
    OtherAuthority,
}

/// Writes `NAME.pem` and `NAME.key`.
pub(super) fn write(identity: &Identity, directory: &Path, name: &str) {
    let path = |extension: &str| directory.join(format!("{name}.{extension}"));
    identity.write(&path("pem"), &path("key"));
}

/// Two authorities. Clients trust the first.
pub(super) struct Site {
    trusted: Authority,
    other: Authority,
    provider: Arc<CryptoProvider>,
}

impl Site {
    pub(super) fn new() -> Checked<Self> {
        Ok(Self {
            trusted: Authority::new("DEEP Test CA"),
            other: Authority::new("Other CA"),
            provider: Arc::new(rustls::crypto::ring::default_provider()),
        })
    }

    /// Returns the trusted authority's certificate in PEM.
    pub(super) fn root_pem(&self) -> String {
        self.trusted.pem()
    }

    pub(super) fn provider(&self) -> Arc<CryptoProvider> {
        self.provider.clone()
    }

    pub(super) fn server(&self, shown: Shown) -> Checked<Identity> {
        // fetchmail refuses a certificate without a common name.
        let named = |names| Certificate::server(names).common_name("Test");
        let host = named(&[HOST, "localhost"]);
        let services = ["_imaps", "_pop3s", "_submissions"].map(|it| format!("{it}.{DOMAIN}"));
        Ok(match shown {
            Shown::Good => host.issue(&self.trusted),
            Shown::OtherAuthority => host.issue(&self.other),
            Shown::Expired => host.expired().issue(&self.trusted),
            Shown::OtherName => named(&["other.example.test"]).issue(&self.trusted),
            Shown::Wildcard => named(&["*.example.test"]).issue(&self.trusted),
            Shown::CnOnly => Certificate::server(&[])
                .common_name(HOST)
                .issue(&self.trusted),
            Shown::SrvOnly => {
                let services = services.each_ref().map(String::as_str);
                named(&[]).srv_ids(&services).issue(&self.trusted)
            }
        })
    }

    /// Returns a client's certificate.
    pub(super) fn client(&self, name: &str) -> Checked<Identity> {
        Ok(Certificate::client(name).issue(&self.trusted))
    }

    /// Returns a client's certificate for a connector.
    pub(super) fn client_key(&self, name: &str) -> Checked<Arc<CertifiedKey>> {
        Ok(self.client(name)?.certified(&self.provider))
    }

    /// Returns an empty revocation list of the trusted authority, which Dovecot wants beside it.
    pub(super) fn revocation_list(&self) -> Checked<String> {
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2036, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(params.signed_by(&self.trusted)?.pem()?)
    }

    pub(super) fn roots(&self) -> Checked<RootCertStore> {
        Ok(self.trusted.roots())
    }

    pub(super) fn connector(&self) -> Checked<Connector> {
        let trust = Trust::in_certificates([self.trusted.certificate()])?;
        Ok(Connector::new(self.provider(), Arc::new(trust)))
    }

    /// Returns a server's certificates, as the acceptor has them.
    pub(super) fn certificates(&self) -> Checked<Arc<Certificates>> {
        let identity = self.server(Shown::Good)?;
        let chains = vec![(identity.chain(), identity.private_key())];
        let certificates = Certificates::new(UnknownName::FirstCertificate);
        certificates.replace(CertificateSet::check(
            chains,
            &self.provider,
            UnixTime::now(),
        )?);
        Ok(Arc::new(certificates))
    }
}

/// Returns an account with this server, at a port of loopback.
pub(super) fn server(service: Service, port: u16) -> Checked<Server> {
    let server = Server::new(service, Host::parse(HOST)?);
    Ok(server.with_port(port).with_address([127, 0, 0, 1].into()))
}

pub(super) fn account(
    setup: impl FnOnce(AccountSetup) -> AccountSetup,
    server: &Server,
) -> Checked<Account> {
    let id = AccountId::try_new("alice@example.test")?;
    let new = AccountSetup::new(id)
        .domain(DomainName::parse(DOMAIN)?)
        .server(server.clone());
    Ok(setup(new).build()?)
}
