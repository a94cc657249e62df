//! Client certificates of each kind, and what is to be said of them.

use std::sync::Arc;

use conformance::outcome::Checked;
use ring::digest::{SHA256, digest};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use test_support::pki::{self, Authority, Certificate, rcgen::ExtendedKeyUsagePurpose};

/// The authserv-id of the server.
pub(super) const SERVER: &str = "mx.example.net";

/// The host of most clients.
pub(super) const HOST: &str = "smtp.example.com";

/// A subject that would be a result of its own if it were not quoted.
const FORGING: &str = "x\"; dkim=pass (\\) header.d=bank.example; y=";

/// A certificate with its key, and the texts that it contains.
pub(super) struct Identity {
    identity: pki::Identity,
    pub(super) subject: String,
    pub(super) alt_names: String,
    pub(super) issuer: String,
}

impl Identity {
    pub(super) fn certificate(&self) -> CertificateDer<'static> {
        self.identity.certificate()
    }

    pub(super) fn private_key(&self) -> PrivateKeyDer<'static> {
        self.identity.private_key()
    }

    /// SHA-256 of the public key, as the draft's example has fingerprints.
    pub(super) fn fingerprint(&self) -> String {
        let octets = digest(&SHA256, &self.identity.public_key());
        let octets: Vec<_> = octets
            .as_ref()
            .iter()
            .map(|it| format!("{it:02X}"))
            .collect();
        octets.join(":")
    }
}

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

fn certificate(common_name: &str, host: &str) -> Certificate {
    Certificate::server(&[host])
        .organization("ACME")
        .common_name(common_name)
        .usages(&[
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ])
}

/// Issues a certificate for a host. `subject` is its common name as RFC 4514 escapes it.
fn issued(
    issuer: Option<(&Authority, &str)>,
    certificate: &Certificate,
    subject: &str,
    host: &str,
) -> Identity {
    let subject = format!("CN={subject},O=ACME");
    let (identity, issuer) = match issuer {
        Some((issuer, name)) => (certificate.issue(issuer), format!("CN={name}")),
        None => (certificate.self_signed(), subject.clone()),
    };
    Identity {
        identity,
        subject,
        alt_names: format!("DNS:{host}"),
        issuer,
    }
}

impl World {
    pub(super) fn new() -> Checked<Self> {
        let (trusted, other) = (Authority::new("Trusted CA"), Authority::new("Other CA"));
        let by_trusted = Some((&trusted, "Trusted CA"));
        let client = certificate(HOST, HOST);
        // As RFC 4514 section 2.4 has it.
        let forging = FORGING
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace(';', "\\;");
        let server = certificate(SERVER, SERVER);
        Ok(Self {
            roots: Arc::new(trusted.roots()),
            server: issued(by_trusted, &server, SERVER, SERVER),
            trusted: issued(by_trusted, &client, HOST, HOST),
            forging: issued(by_trusted, &certificate(FORGING, HOST), &forging, HOST),
            self_signed: issued(None, &client, HOST, HOST),
            expired: issued(by_trusted, &client.clone().expired(), HOST, HOST),
            unknown_issuer: issued(Some((&other, "Other CA")), &client, HOST, HOST),
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
