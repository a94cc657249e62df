//! Certificates of servers and authorities, their TLSA records, and a client that trusts one authority.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use conformance::outcome::Checked;
use mail_implicit_tls::{client::Connector, dane::DaneRules, dns::Resolve, verifier::Trust};
use ring::digest::{SHA256, SHA512, digest};
use rustls::{
    pki_types::CertificateDer,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use test_support::pki::{
    Authority, Certificate, Identity,
    rcgen::{BasicConstraints, IsCa},
};

/// The time when the expired certificates expired: 2001-01-01.
pub(super) const EXPIRED: Duration = Duration::from_secs(978_307_200);

/// Returns the text of a TLSA record of a certificate.
pub(super) fn tlsa(identity: &Identity, usage: u8, selector: u8, matching_type: u8) -> String {
    let selected = match selector {
        0 => identity.certificate().to_vec(),
        _ => identity.public_key(),
    };
    let association = match matching_type {
        0 => selected,
        1 => digest(&SHA256, &selected).as_ref().to_vec(),
        _ => digest(&SHA512, &selected).as_ref().to_vec(),
    };
    let association = hex::encode(association);
    format!("{usage} {selector} {matching_type} {association}")
}

/// Authorities: one that the client trusts, and one that it does not.
pub(super) struct Authorities {
    pub(super) root: Authority,
    pub(super) issuer: Authority,
    pub(super) private: Authority,
}

impl Authorities {
    pub(super) fn new() -> Self {
        let root = Authority::new("Root");
        Self {
            issuer: root.intermediate("Issuer", |_| {}),
            private: Authority::new("Private"),
            root,
        }
    }

    pub(super) fn connector(
        &self,
        resolver: Arc<dyn Resolve>,
        rules: DaneRules,
    ) -> Checked<Connector> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let trust = Trust::in_certificates([self.root.certificate()])?;
        Ok(Connector::new(provider, Arc::new(trust))
            .with_resolver(resolver)
            .with_dane_rules(rules))
    }
}

/// Certificates by the name in SNI. A connection for another name fails.
#[derive(Debug, Default)]
pub(super) struct Chains(BTreeMap<String, Arc<CertifiedKey>>);

impl Chains {
    /// Adds a certificate, and the authority that the server sends after it.
    pub(super) fn add(
        &mut self,
        name: &str,
        own: &Identity,
        authority: Option<&Authority>,
    ) -> Checked<()> {
        let authority = authority.map(|authority| authority.certificate());
        let chain: Vec<CertificateDer<'_>> =
            [own.certificate()].into_iter().chain(authority).collect();
        let provider = rustls::crypto::ring::default_provider();
        let key = CertifiedKey::from_der(chain, own.private_key(), &provider)?;
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
pub(super) struct Shown {
    pub(super) own: Identity,
    pub(super) authority: Identity,
}

pub(super) fn show(
    authorities: &Authorities,
    chains: &mut Chains,
    host: &str,
    shows: Shows,
) -> Checked<Shown> {
    let Authorities {
        root,
        issuer,
        private,
    } = authorities;
    let named = Certificate::server(&[host]);
    let own = match shows {
        Shows::Good => named.issue(issuer),
        Shows::Private => named.issue(private),
        Shows::OtherName => Certificate::server(&["other.example"]).issue(private),
        Shows::Expired => named.expired().issue(private),
        Shows::OwnAuthority => named
            .change(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained))
            .self_signed(),
    };
    let (sent, authority) = match shows {
        Shows::Good => (Some(issuer), root),
        Shows::OwnAuthority => (None, private),
        _ => (Some(private), private),
    };
    chains.add(host, &own, sent)?;
    let authority = authority.identity();
    Ok(Shown { own, authority })
}

pub(super) const WRONG: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
