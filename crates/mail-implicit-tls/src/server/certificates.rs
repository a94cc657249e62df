//! The certificates of a server, by SNI, which can be replaced without dropping connections.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use rustls::{
    InconsistentKeys,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use crate::{
    identity::{PresentedIdentity, presented},
    name::DomainName,
};

/// The certificates of a server.
///
/// Connections that exist keep what they began with; those that begin later have the new ones. While there is no
/// certificate, [`is_empty`](Self::is_empty) is `true`, and a server must not advertise `STARTTLS`.
#[derive(Debug, Default)]
pub struct Certificates {
    set: ArcSwapOption<CertificateSet>,
    unknown: UnknownName,
}

/// The answer to a client that asks for a name of which there is no certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UnknownName {
    /// The first certificate is sent, so that the client tells its user which name was found.
    #[default]
    FirstCertificate,
    /// The handshake ends with an alert: with rustls, `access_denied`.
    Refuse,
}

/// Certificates that were checked.
#[derive(Debug)]
pub struct CertificateSet {
    first: Arc<CertifiedKey>,
    by_name: BTreeMap<String, Arc<CertifiedKey>>,
    not_after: i64,
}

/// The reason why certificates are not used. The ones in use stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CertificateError {
    /// There is no certificate.
    Empty,
    /// A certificate cannot be parsed.
    Malformed,
    /// The key is of a kind that the crypto provider does not support.
    Key,
    /// The key is another than that of the certificate.
    OtherKey,
    /// A certificate of the chain expired or is not valid yet.
    Dates,
    /// The first certificate of a chain is that of an authority: the chain may be in the wrong order.
    Order,
    /// A certificate of the chain did not issue the one before it, by name or by signature.
    Chain,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "certificates: no certificate found",
            Self::Malformed => "certificates: a certificate is malformed",
            Self::Key => "certificates: the key is of a kind that is not supported",
            Self::OtherKey => "certificates: the key is not that of the certificate",
            Self::Dates => "certificates: a certificate expired or is not valid yet",
            Self::Order => {
                "certificates: the first certificate of the chain is that of an authority"
            }
            Self::Chain => {
                "certificates: a certificate of the chain did not issue the one before it"
            }
        })
    }
}

impl std::error::Error for CertificateError {}

/// A certificate chain and its key that were checked.
#[derive(Clone, Debug)]
pub struct CertificateChain {
    certified: Arc<CertifiedKey>,
    names: Vec<String>,
    validity: Validity,
}

/// The time in which all certificates of a chain are valid, in seconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
struct Validity {
    not_before: i64,
    not_after: i64,
}

impl Validity {
    fn contains(self, now: UnixTime) -> bool {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        (self.not_before..=self.not_after).contains(&now)
    }
}

impl CertificateChain {
    /// Checks a chain and its key.
    ///
    /// # Errors
    /// Returns the first [`CertificateError`].
    pub fn check(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        provider: &CryptoProvider,
        now: UnixTime,
    ) -> Result<Self, CertificateError> {
        Self::checked(chain, key, provider, Some(now))
    }

    /// Checks a chain and its key, which may have expired or be not valid yet: [`is_valid_at`](Self::is_valid_at) tells.
    ///
    /// A server of several names serves an expired certificate rather than none: clients of the others need the server.
    ///
    /// # Errors
    /// Returns the first [`CertificateError`], which is not [`CertificateError::Dates`].
    pub fn check_except_dates(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        provider: &CryptoProvider,
    ) -> Result<Self, CertificateError> {
        Self::checked(chain, key, provider, None)
    }

    fn checked(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        provider: &CryptoProvider,
        now: Option<UnixTime>,
    ) -> Result<Self, CertificateError> {
        let own = chain.first().ok_or(CertificateError::Empty)?;
        let validity = check_chain(&chain, provider, now)?;
        let names = presented(own)
            .ok_or(CertificateError::Malformed)?
            .into_iter()
            .filter_map(|name| match name {
                PresentedIdentity::Dns(name) => {
                    Some(String::from_utf8_lossy(&name).to_ascii_lowercase())
                }
                _ => None,
            })
            .collect();
        let key = provider
            .key_provider
            .load_private_key(key)
            .map_err(|_| CertificateError::Key)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(_) => return Err(CertificateError::OtherKey),
        }
        Ok(Self {
            certified: Arc::new(certified),
            names,
            validity,
        })
    }

    /// Returns `true` if no certificate of the chain has expired, and none is not valid yet.
    #[must_use]
    pub fn is_valid_at(&self, now: UnixTime) -> bool {
        self.validity.contains(now)
    }

    /// Returns the time at which the first certificate of the chain expires, in seconds since the Unix epoch.
    #[must_use]
    pub const fn not_after(&self) -> i64 {
        self.validity.not_after
    }

    /// Returns the certificates, that of the server first.
    #[must_use]
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }

    /// Returns the DNS names of the server's certificate in lower case, those with a wildcard too.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

impl CertificateSet {
    /// Checks chains and their keys. The first chain is for clients that name no host.
    ///
    /// # Errors
    /// Returns the first [`CertificateError`]: a set is used as a whole or not at all.
    pub fn check(
        chains: Vec<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
        provider: &CryptoProvider,
        now: UnixTime,
    ) -> Result<Self, CertificateError> {
        let chains = chains
            .into_iter()
            .map(|(chain, key)| CertificateChain::check(chain, key, provider, now))
            .collect::<Result<Vec<_>, _>>()?;
        Self::new(&chains)
    }

    /// Returns a set of chains that were checked. The first chain is for clients that name no host.
    ///
    /// # Errors
    /// Returns [`CertificateError::Empty`] if there is no chain.
    pub fn new(chains: &[CertificateChain]) -> Result<Self, CertificateError> {
        let first = chains.first().ok_or(CertificateError::Empty)?;
        let mut by_name = BTreeMap::new();
        for chain in chains {
            for name in &chain.names {
                by_name
                    .entry(name.clone())
                    .or_insert_with(|| chain.certified.clone());
            }
        }
        Ok(Self {
            first: first.certified.clone(),
            by_name,
            not_after: chains
                .iter()
                .map(CertificateChain::not_after)
                .min()
                .unwrap_or(i64::MAX),
        })
    }

    /// Returns the time at which the first of the certificates expires, in seconds since the Unix epoch.
    #[must_use]
    pub const fn not_after(&self) -> i64 {
        self.not_after
    }

    fn of_name(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let wildcard = || {
            let (_, parent) = name.split_once('.')?;
            self.by_name.get(&format!("*.{parent}"))
        };
        self.by_name.get(name).or_else(wildcard)
    }
}

/// Checks a chain, its dates if the time is given, and returns these.
fn check_chain(
    chain: &[CertificateDer<'_>],
    provider: &CryptoProvider,
    now: Option<UnixTime>,
) -> Result<Validity, CertificateError> {
    let mut parsed = Vec::with_capacity(chain.len());
    for der in chain {
        match X509Certificate::from_der(der) {
            Ok(([], certificate)) => parsed.push(certificate),
            _ => return Err(CertificateError::Malformed),
        }
    }
    let own = parsed.first().ok_or(CertificateError::Empty)?;
    let mut validity = Validity {
        not_before: i64::MIN,
        not_after: i64::MAX,
    };
    for certificate in &parsed {
        let of = certificate.validity();
        validity.not_before = validity.not_before.max(of.not_before.timestamp());
        validity.not_after = validity.not_after.min(of.not_after.timestamp());
    }
    if now.is_some_and(|now| !validity.contains(now)) {
        return Err(CertificateError::Dates);
    }
    if parsed.len() > 1 && own.is_ca() {
        return Err(CertificateError::Order);
    }
    let linked = parsed.windows(2).all(|pair| match pair {
        [issued, issuer] => issued.issuer().as_raw() == issuer.subject().as_raw(),
        _ => true,
    });
    // Signatures are checked at a time in which the certificates are valid.
    let valid = u64::try_from(validity.not_before).unwrap_or_default();
    let valid = UnixTime::since_unix_epoch(Duration::from_secs(valid));
    match linked && is_signed(chain, provider, valid) {
        true => Ok(validity),
        false => Err(CertificateError::Chain),
    }
}

/// Returns `true` unless the key of the next certificate did not make a signature of the chain.
///
/// The last certificate is the trust anchor of this check. Other faults, such as a purpose or an algorithm that the
/// provider lacks, are left to clients, whose rules differ.
fn is_signed(chain: &[CertificateDer<'_>], provider: &CryptoProvider, now: UnixTime) -> bool {
    let [own, intermediates @ .., last] = chain else {
        return true;
    };
    let (Ok(own), Ok(anchor)) = (EndEntityCert::try_from(own), anchor_from_trusted_cert(last))
    else {
        return true;
    };
    let anchors = [anchor];
    let path = own.verify_for_usage(
        provider.signature_verification_algorithms.all,
        &anchors,
        intermediates,
        now,
        KeyUsage::server_auth(),
        None,
        None,
    );
    !matches!(path, Err(webpki::Error::InvalidSignatureForPublicKey))
}

impl Certificates {
    /// Returns a server's certificates, of which there are none yet.
    #[must_use]
    pub fn new(unknown: UnknownName) -> Self {
        Self {
            set: ArcSwapOption::empty(),
            unknown,
        }
    }

    /// Replaces the certificates. Open connections keep those that they began with.
    pub fn replace(&self, set: CertificateSet) {
        self.set.store(Some(Arc::new(set)));
    }

    /// Returns `true` while there is no certificate.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.load().is_none()
    }

    /// Returns the time at which the first of the certificates in use expires, in seconds since the Unix epoch.
    #[must_use]
    pub fn not_after(&self) -> Option<i64> {
        self.set.load().as_ref().map(|set| set.not_after)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let set = self.set.load();
        let set = set.as_ref()?;
        let Some(name) = hello.server_name() else {
            return Some(set.first.clone());
        };
        let name = DomainName::parse(name).map_or_else(|_| name.to_ascii_lowercase(), String::from);
        match (set.of_name(&name), self.unknown) {
            (Some(certified), _) => Some(certified.clone()),
            (None, UnknownName::FirstCertificate) => Some(set.first.clone()),
            (None, UnknownName::Refuse) => None,
        }
    }
}
