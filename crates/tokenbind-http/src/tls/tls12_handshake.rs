//! The check that a TLS 1.2 handshake can work with a client that supports TLS 1.3 as well.
//!
//! Under TLS 1.2 a cipher suite determines which kind of key signs, under TLS 1.3 it does not. A client may offer, for
//! example, only `ECDHE_ECDSA` suites besides those of TLS 1.3: with an RSA certificate, Token Binding, which needs
//! TLS 1.2, would end in a failed handshake where TLS 1.3 works. The rules here are those of
//! `rustls::server::hs::ExpectClientHello`.

use rustls::{
    NamedGroup, ProtocolVersion, ServerConfig, SignatureAlgorithm, SignatureScheme,
    SupportedCipherSuite, crypto::KeyExchangeAlgorithm, server::ClientHello, sign::SigningKey,
};

use crate::tls::client_hello::PlainReason;

/// Checks that `config`, which has TLS 1.2 only, can do the handshake with a client that offers TLS 1.3, too.
///
/// Asks the configuration's resolver for the certificate.
///
/// # Errors
/// [`PlainReason::Certificate`], [`PlainReason::NamedGroups`], [`PlainReason::CipherSuites`] or
/// [`PlainReason::SignatureSchemes`] if the handshake would fail, or the client would refuse it, and one of TLS 1.3 can
/// work.
pub(crate) fn check(config: &ServerConfig, hello: ClientHello<'_>) -> Result<(), PlainReason> {
    let suites = &config.crypto_provider().cipher_suites;
    let offered_suites = hello.cipher_suites().to_vec();
    let is_offered = |suite: &&SupportedCipherSuite| offered_suites.contains(&suite.suite());
    if !suites
        .iter()
        .filter(is_offered)
        .any(|suite| suite.tls13().is_some())
    {
        // TLS 1.3 cannot work either. From here on rustls hides no signature scheme from the resolver.
        return Ok(());
    }
    let schemes = hello.signature_schemes().to_vec();
    let groups = hello.named_groups().unwrap_or_default().to_vec();
    let certified = config.cert_resolver.resolve(hello);
    let certified = certified.ok_or(PlainReason::Certificate)?;
    let key = &*certified.key;

    let exchanges = Exchanges::of(config, &groups);
    if !exchanges.ecdhe && !exchanges.ffdhe {
        return Err(PlainReason::NamedGroups);
    }
    let fits = |suite: &&SupportedCipherSuite| match suite {
        SupportedCipherSuite::Tls12(tls12) => {
            suite.usable_for_signature_algorithm(key.algorithm()) && exchanges.has(tls12.kx)
        }
        SupportedCipherSuite::Tls13(_) => false,
    };
    let suite = if config.ignore_client_order {
        suites.iter().filter(fits).find(is_offered)
    } else {
        offered_suites.iter().find_map(|offered| {
            suites
                .iter()
                .filter(fits)
                .find(|own| own.suite() == *offered)
        })
    };
    let Some(SupportedCipherSuite::Tls12(suite)) = suite else {
        return Err(PlainReason::CipherSuites);
    };
    let schemes = suite.resolve_sig_schemes(&schemes);
    if key.choose_scheme(&schemes).is_none() {
        return Err(PlainReason::SignatureSchemes);
    }
    if curve(key).is_some_and(|curve| !groups.contains(&curve)) {
        return Err(PlainReason::NamedGroups);
    }
    Ok(())
}

/// The kinds of key exchange that are possible under TLS 1.2.
struct Exchanges {
    ecdhe: bool,
    ffdhe: bool,
}

impl Exchanges {
    fn of(config: &ServerConfig, offered: &[NamedGroup]) -> Self {
        let own = &config.crypto_provider().kx_groups;
        let is_own = |group: &&NamedGroup| {
            own.iter().any(|own| {
                own.name() == **group && own.usable_for_version(ProtocolVersion::TLSv1_2)
            })
        };
        // RFC 7919 section 4: a client that names no such group leaves the choice to the server.
        let ffdhe = if offered.iter().copied().any(is_ffdhe) {
            offered.iter().filter(is_own).copied().any(is_ffdhe)
        } else {
            own.iter().any(|own| is_ffdhe(own.name()))
        };
        Self {
            ecdhe: offered.iter().filter(is_own).any(|group| !is_ffdhe(*group)),
            ffdhe,
        }
    }

    fn has(&self, exchange: KeyExchangeAlgorithm) -> bool {
        match exchange {
            KeyExchangeAlgorithm::ECDHE => self.ecdhe,
            KeyExchangeAlgorithm::DHE => self.ffdhe,
            _ => false,
        }
    }
}

fn is_ffdhe(group: NamedGroup) -> bool {
    group.key_exchange_algorithm() == KeyExchangeAlgorithm::DHE
}

/// Returns the curve of an ECDSA key. RFC 8422 section 5.1 requires that the client has offered the curve, else
/// OpenSSL ends a handshake of TLS 1.2. Under TLS 1.3 the signature scheme determines the curve.
fn curve(key: &dyn SigningKey) -> Option<NamedGroup> {
    if key.algorithm() != SignatureAlgorithm::ECDSA {
        return None;
    }
    let curves = [
        (
            SignatureScheme::ECDSA_NISTP256_SHA256,
            NamedGroup::secp256r1,
        ),
        (
            SignatureScheme::ECDSA_NISTP384_SHA384,
            NamedGroup::secp384r1,
        ),
        (
            SignatureScheme::ECDSA_NISTP521_SHA512,
            NamedGroup::secp521r1,
        ),
    ];
    curves
        .into_iter()
        .find(|(scheme, _)| key.choose_scheme(&[*scheme]).is_some())
        .map(|(_, group)| group)
}
