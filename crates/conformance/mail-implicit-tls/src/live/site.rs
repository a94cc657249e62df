//! An authority and certificates of each kind, for servers and clients.

use std::{fs, path::Path, sync::Arc};

use mail_implicit_tls::{
    account::{Account, AccountId, AccountSetup, Host, Server},
    client::Connector,
    name::DomainName,
    server::{CertificateSet, Certificates, UnknownName},
    service::Service,
    verifier::Trust,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber,
    date_time_ymd,
};
use rustls::{
    RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime},
    sign::CertifiedKey,
};

use crate::live::outcome::{Checked, Failure};

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

/// A certificate with its key.
pub(super) struct Identity {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) pem: String,
    pub(super) key: KeyPair,
}

impl Identity {
    pub(super) fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    /// Writes `NAME.pem` and `NAME.key`.
    pub(super) fn write(&self, directory: &Path, name: &str) -> Checked<()> {
        fs::write(directory.join(format!("{name}.pem")), &self.pem)?;
        fs::write(
            directory.join(format!("{name}.key")),
            self.key.serialize_pem(),
        )?;
        Ok(())
    }
}

/// Two authorities, of which clients trust one.
pub(super) struct Site {
    trusted: Issuer<'static, KeyPair>,
    other: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    /// The trusted authority's certificate.
    pub(super) root_pem: String,
    provider: Arc<CryptoProvider>,
}

impl Site {
    pub(super) fn new() -> Checked<Self> {
        let (trusted, root, root_pem) = authority("DEEP Test CA")?;
        let (other, ..) = authority("Other CA")?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(Self {
            trusted,
            other,
            root,
            root_pem,
            provider,
        })
    }

    pub(super) fn provider(&self) -> Arc<CryptoProvider> {
        self.provider.clone()
    }

    pub(super) fn server(&self, shown: Shown) -> Checked<Identity> {
        let names: &[&str] = match shown {
            Shown::Good | Shown::Expired | Shown::OtherAuthority => &[HOST, "localhost"],
            Shown::OtherName => &["other.example.test"],
            Shown::SrvOnly | Shown::CnOnly => &[],
            Shown::Wildcard => &["*.example.test"],
        };
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        match shown {
            Shown::Expired => {
                params.not_before = date_time_ymd(2020, 1, 1);
                params.not_after = date_time_ymd(2020, 2, 1);
            }
            Shown::CnOnly => params.distinguished_name.push(DnType::CommonName, HOST),
            Shown::SrvOnly => {
                let names = ["_imaps", "_pop3s", "_submissions"]
                    .map(|service| format!("{service}.{DOMAIN}"));
                params.custom_extensions.push(srv_ids(&names)?);
            }
            _ => {}
        }
        let issuer = match shown {
            Shown::OtherAuthority => &self.other,
            _ => &self.trusted,
        };
        issue(params, issuer)
    }

    /// Returns a client's certificate.
    pub(super) fn client(&self, name: &str) -> Checked<Identity> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        issue(params, &self.trusted)
    }

    /// Returns a client's certificate for a connector.
    pub(super) fn client_key(&self, name: &str) -> Checked<Arc<CertifiedKey>> {
        let identity = self.client(name)?;
        let chain = vec![identity.certificate.clone()];
        Ok(Arc::new(CertifiedKey::from_der(
            chain,
            identity.key_der(),
            &self.provider,
        )?))
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
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone())?;
        Ok(roots)
    }

    pub(super) fn connector(&self) -> Checked<Connector> {
        let trust = Trust::in_certificates([self.root.clone()])?;
        Ok(Connector::new(self.provider(), Arc::new(trust)))
    }

    /// Returns a server's certificates, as the acceptor has them.
    pub(super) fn certificates(&self) -> Checked<Arc<Certificates>> {
        let identity = self.server(Shown::Good)?;
        let chains = vec![(vec![identity.certificate.clone()], identity.key_der())];
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

fn issue(params: CertificateParams, issuer: &Issuer<'static, KeyPair>) -> Checked<Identity> {
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    Ok(Identity {
        certificate: certificate.der().clone(),
        pem: certificate.pem(),
        key,
    })
}

fn authority(name: &str) -> Checked<(Issuer<'static, KeyPair>, CertificateDer<'static>, String)> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = params.self_signed(&key)?;
    let (der, pem) = (certificate.der().clone(), certificate.pem());
    Ok((Issuer::new(params, key), der, pem))
}

/// The octets of id-on-dnsSRV, 1.3.6.1.5.5.7.8.7 (RFC 4985), with tag and length.
const DNS_SRV: [u8; 10] = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x07];

/// Returns a subjectAltName of SRV-IDs. rcgen writes such a name as `UTF8String`, RFC 4985 says `IA5String`.
fn srv_ids(names: &[String]) -> Checked<CustomExtension> {
    let mut sequence = Vec::new();
    for name in names {
        let value = tagged(0xa0, &tagged(0x16, name.as_bytes())?)?;
        sequence.extend(tagged(0xa0, &[DNS_SRV.as_slice(), &value].concat())?);
    }
    let subject_alt_name = [2, 5, 29, 17];
    Ok(CustomExtension::from_oid_content(
        &subject_alt_name,
        tagged(0x30, &sequence)?,
    ))
}

fn tagged(tag: u8, content: &[u8]) -> Checked<Vec<u8>> {
    let length = u8::try_from(content.len())
        .ok()
        .filter(|length| *length < 0x80);
    let length = length.ok_or_else(|| Failure::new("too long for a short length"))?;
    Ok([&[tag, length], content].concat())
}
