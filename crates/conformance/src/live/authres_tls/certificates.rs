//! Client certificates of each kind, and what is to be said of them.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use ring::digest::{SHA256, digest};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer},
};

use super::super::outcome::{Checked, Failure};

/// The host of most clients.
pub(super) const HOST: &str = "smtp.example.com";

/// A subject that would be a result of its own if it were not quoted.
const FORGING: &str = "x\"; dkim=pass (\\) header.d=bank.example; y=";

/// A certificate with its key, and the texts that were put into it.
pub(super) struct Identity {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) key: KeyPair,
    pub(super) subject: String,
    pub(super) alt_names: String,
    pub(super) issuer: String,
}

impl Identity {
    pub(super) fn private_key(&self) -> Checked<PrivateKeyDer<'static>> {
        PrivateKeyDer::try_from(self.key.serialize_der()).map_err(Failure::new)
    }

    /// SHA-256 of the public key, as the draft's example has fingerprints.
    pub(super) fn fingerprint(&self) -> String {
        let octets = digest(&SHA256, &self.key.subject_public_key_info());
        let octets: Vec<_> = octets
            .as_ref()
            .iter()
            .map(|it| format!("{it:02X}"))
            .collect();
        octets.join(":")
    }
}

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// The server, and a certificate of each kind.
pub(super) struct World {
    pub(super) roots: Arc<RootCertStore>,
    pub(super) server: Identity,
    trusted: Identity,
    forging: Identity,
    self_signed: Identity,
    expired: Identity,
    unknown_issuer: Identity,
}

fn authority(name: &str) -> Checked<Issuer> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn params(common_name: &str, host: &str) -> Checked<CertificateParams> {
    let mut params = CertificateParams::new([host.to_owned()])?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    let name = &mut params.distinguished_name;
    name.push(DnType::OrganizationName, "ACME");
    name.push(DnType::CommonName, common_name);
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    Ok(params)
}

fn issued(
    issuer: Option<(&Issuer, &str)>,
    params: CertificateParams,
    subject: &str,
) -> Checked<Identity> {
    let key = KeyPair::generate()?;
    let subject = format!("CN={subject},O=ACME");
    let alt_names = params.subject_alt_names.first().map(|name| match name {
        rcgen::SanType::DnsName(name) => format!("DNS:{name}"),
        other => format!("{other:?}"),
    });
    let (certificate, issuer) = match issuer {
        Some((issuer, name)) => (params.signed_by(&key, issuer)?, format!("CN={name}")),
        None => (params.self_signed(&key)?, subject.clone()),
    };
    Ok(Identity {
        certificate: certificate.der().clone(),
        key,
        subject,
        alt_names: alt_names.unwrap_or_default(),
        issuer,
    })
}

impl World {
    pub(super) fn new() -> Checked<Self> {
        let (trusted, other) = (authority("Trusted CA")?, authority("Other CA")?);
        let mut roots = RootCertStore::empty();
        roots.add(trusted.der().clone())?;
        let by_trusted = Some((&trusted, "Trusted CA"));
        let mut expired = params(HOST, HOST)?;
        expired.not_before = date_time_ymd(2000, 1, 1);
        expired.not_after = date_time_ymd(2001, 1, 1);
        // As RFC 4514 section 2.4 has it.
        let forging = FORGING
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace(';', "\\;");
        Ok(Self {
            roots: Arc::new(roots),
            server: issued(
                by_trusted,
                params(super::SERVER, super::SERVER)?,
                super::SERVER,
            )?,
            trusted: issued(by_trusted, params(HOST, HOST)?, HOST)?,
            forging: issued(by_trusted, params(FORGING, HOST)?, &forging)?,
            self_signed: issued(None, params(HOST, HOST)?, HOST)?,
            expired: issued(by_trusted, expired, HOST)?,
            unknown_issuer: issued(Some((&other, "Other CA")), params(HOST, HOST)?, HOST)?,
        })
    }
}

/// A kind of client, and what the server is to say of it.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// The name that the client gives in EHLO.
    pub(super) host: &'static str,
    /// `true` if the server requests a certificate.
    pub(super) requested: bool,
    identity: Option<fn(&World) -> &Identity>,
    pub(super) result: &'static str,
    pub(super) comment: Option<&'static str>,
    /// `true` if a CA vouches for the certificate.
    pub(super) verified: bool,
}

impl Kind {
    /// Returns the certificate that the client has.
    pub(super) fn identity<'w>(&self, world: &'w World) -> Option<&'w Identity> {
        self.identity.map(|identity| identity(world))
    }

    /// Returns the certificate that the client presents.
    pub(super) fn presented<'w>(&self, world: &'w World) -> Option<&'w Identity> {
        self.identity(world).filter(|_| self.requested)
    }
}

/// All kinds over TLS.
pub(super) fn kinds() -> Vec<Kind> {
    let kind = |name, identity, result, comment| Kind {
        name,
        host: HOST,
        requested: true,
        identity,
        result,
        comment,
        verified: false,
    };
    let some = |identity: fn(&World) -> &Identity| Some(identity);
    vec![
        Kind {
            verified: true,
            ..kind("trusted", some(|it| &it.trusted), "pass", None)
        },
        Kind {
            verified: true,
            host: "mail.example.com",
            ..kind(
                "trusted, of another host",
                some(|it| &it.trusted),
                "invalidhost",
                Some("certificate of another host"),
            )
        },
        Kind {
            verified: true,
            ..kind(
                "trusted, with a forging subject",
                some(|it| &it.forging),
                "pass",
                None,
            )
        },
        kind(
            "self-signed",
            some(|it| &it.self_signed),
            "selfsigned",
            None,
        ),
        kind(
            "expired",
            some(|it| &it.expired),
            "fail",
            Some("certificate expired"),
        ),
        kind(
            "of an unknown CA",
            some(|it| &it.unknown_issuer),
            "fail",
            Some("issuer unknown"),
        ),
        kind(
            "no certificate",
            None,
            "permerror",
            Some("no client certificate presented"),
        ),
        Kind {
            requested: false,
            ..kind(
                "not requested",
                some(|it| &it.trusted),
                "permerror",
                Some("client certificate not requested"),
            )
        },
    ]
}
