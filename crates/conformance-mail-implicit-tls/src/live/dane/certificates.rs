//! Certificates of servers and authorities, their TLSA records, and a client that trusts one authority.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use conformance::outcome::Checked;
use mail_implicit_tls::{client::Connector, dane::DaneRules, dns::Resolve, verifier::Trust};
use ring::digest::{SHA256, SHA512, digest};
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use test_support::pki::rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, date_time_ymd,
};

/// The time when the expired certificates expired: 2020-02-01.
pub(super) const EXPIRED: Duration = Duration::from_secs(1_580_515_200);

/// A certificate with its key.
pub(super) struct Made {
    pub(super) params: CertificateParams,
    pub(super) key: KeyPair,
    pub(super) der: CertificateDer<'static>,
}

impl Made {
    /// Makes a certificate, which is its own issuer if none is given.
    pub(super) fn new(params: CertificateParams, issuer: Option<&Self>) -> Checked<Self> {
        let key = KeyPair::generate()?;
        let certificate = match issuer {
            Some(issuer) => {
                params.signed_by(&key, &Issuer::from_params(&issuer.params, &issuer.key))?
            }
            None => params.self_signed(&key)?,
        };
        let der = certificate.der().clone();
        Ok(Self { params, key, der })
    }

    pub(super) fn authority(name: &str, issuer: Option<&Self>) -> Checked<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, name);
        Self::new(params, issuer)
    }

    /// Returns the text of a TLSA record of this certificate.
    pub(super) fn tlsa(&self, usage: u8, selector: u8, matching_type: u8) -> String {
        let selected = match selector {
            0 => self.der.to_vec(),
            _ => self.key.subject_public_key_info(),
        };
        let association = match matching_type {
            0 => selected,
            1 => digest(&SHA256, &selected).as_ref().to_vec(),
            _ => digest(&SHA512, &selected).as_ref().to_vec(),
        };
        format!(
            "{usage} {selector} {matching_type} {}",
            hex::encode(association)
        )
    }
}

/// The parameters of a server's certificate.
pub(super) fn named(name: &str) -> Checked<CertificateParams> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.distinguished_name = DistinguishedName::new();
    Ok(params)
}

pub(super) fn expired(name: &str) -> Checked<CertificateParams> {
    let mut params = named(name)?;
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2020, 2, 1);
    Ok(params)
}

/// Authorities: one that the client trusts, and one that it does not.
pub(super) struct Authorities {
    pub(super) root: Made,
    pub(super) issuer: Made,
    pub(super) private: Made,
}

impl Authorities {
    pub(super) fn new() -> Checked<Self> {
        let root = Made::authority("Root", None)?;
        Ok(Self {
            issuer: Made::authority("Issuer", Some(&root))?,
            private: Made::authority("Private", None)?,
            root,
        })
    }

    pub(super) fn connector(
        &self,
        resolver: Arc<dyn Resolve>,
        rules: DaneRules,
    ) -> Checked<Connector> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let trust = Trust::in_certificates([self.root.der.clone()])?;
        Ok(Connector::new(provider, Arc::new(trust))
            .with_resolver(resolver)
            .with_dane_rules(rules))
    }
}

/// Certificates by the name in SNI. A connection for another name fails.
#[derive(Debug, Default)]
pub(super) struct Chains(BTreeMap<String, Arc<CertifiedKey>>);

impl Chains {
    pub(super) fn add(&mut self, name: &str, own: &Made, others: &[&Made]) -> Checked<()> {
        let chain = [own].into_iter().chain(others.iter().copied());
        let chain = chain.map(|made| made.der.clone()).collect();
        let key: PrivateKeyDer<'_> = PrivatePkcs8KeyDer::from(own.key.serialize_der()).into();
        let provider = rustls::crypto::ring::default_provider();
        let key = CertifiedKey::from_der(chain, key, &provider)?;
        self.0.insert(name.to_owned(), Arc::new(key));
        Ok(())
    }
}

impl ResolvesServerCert for Chains {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.get(hello.server_name()?).cloned()
    }
}

/// The kinds of certificates that a server shows.
#[derive(Clone, Copy)]
pub(super) enum Shows {
    /// The host's name, from the issuer under the trusted root.
    Good,
    /// The host's name, from the private authority, which is sent.
    Private,
    /// The host's name, its own issuer and an authority: `CA:TRUE`.
    OwnAuthority,
    /// Another name, from the private authority.
    OtherName,
    /// The host's name, from the private authority, expired.
    Expired,
}

/// A server's certificate, and the authority that its TLSA records may name.
pub(super) struct Shown<'a> {
    pub(super) own: Made,
    pub(super) authority: &'a Made,
}

pub(super) fn show<'a>(
    authorities: &'a Authorities,
    chains: &mut Chains,
    host: &str,
    shows: Shows,
) -> Checked<Shown<'a>> {
    let Authorities {
        root,
        issuer,
        private,
    } = authorities;
    let own = match shows {
        Shows::Good => Made::new(named(host)?, Some(issuer))?,
        Shows::Private => Made::new(named(host)?, Some(private))?,
        Shows::OtherName => Made::new(named("other.example")?, Some(private))?,
        Shows::Expired => Made::new(expired(host)?, Some(private))?,
        Shows::OwnAuthority => {
            let mut params = named(host)?;
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            Made::new(params, None)?
        }
    };
    match shows {
        Shows::Good => chains.add(host, &own, &[issuer])?,
        Shows::OwnAuthority => chains.add(host, &own, &[])?,
        _ => chains.add(host, &own, &[private])?,
    }
    let authority = match shows {
        Shows::Good => root,
        _ => private,
    };
    Ok(Shown { own, authority })
}

pub(super) const WRONG: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
