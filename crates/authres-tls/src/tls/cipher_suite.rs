//! `key.ciphersuite`: a cipher suite as the IANA registry describes it
//! (draft-martin-authentication-results-tls-03 section 2.2), and with feature `cipher-names` by number and
//! by OpenSSL's name.

#[cfg(feature = "cipher-names")]
mod openssl;

use alloc::borrow::Cow;
use core::fmt;

#[cfg(feature = "cipher-names")]
use tls_parser::{CIPHERS, TlsCipherEnc, TlsCipherSuite};

/// A cipher suite, by its description in the IANA registry: `TLS_RSA_WITH_RC4_128_SHA`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CipherSuite(Cow<'static, str>);

/// Returns `true` if a name has the form of the registry's descriptions. OpenSSL's names do not have it.
pub(crate) fn is_description(name: &str) -> bool {
    name.strip_prefix("TLS_").is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || it == b'_')
    })
}

impl CipherSuite {
    /// Returns a suite by its description. `None` if the text does not have the form of a description. The
    /// description need not be registered.
    pub fn from_description(name: impl Into<Cow<'static, str>>) -> Option<Self> {
        let name = name.into();
        is_description(&name).then_some(Self(name))
    }

    /// Returns the description.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.0
    }

    /// Returns the words between `TLS_` and `WITH`, and the words after `WITH`. The suites of TLS 1.3 have no
    /// `WITH`.
    fn words(&self) -> (Option<&str>, &str) {
        let words = self.0.strip_prefix("TLS_").unwrap_or_default();
        match words.split_once("_WITH_") {
            Some((key_exchange, cipher)) => (Some(key_exchange), cipher),
            None => (None, words),
        }
    }

    fn has(&self, of: &[&str]) -> bool {
        let (_, cipher) = self.words();
        cipher.split('_').any(|word| of.contains(&word))
    }

    /// Returns `true` for a suite of TLS 1.3. Such a suite does not determine the key exchange.
    #[must_use]
    pub fn is_tls13(&self) -> bool {
        self.words().0.is_none()
    }

    /// Returns `true` if the suite encrypts. Suites with `NULL`, and the suites of RFC 9150, only authenticate; values
    /// that end with `SCSV` are signals (RFC 5746, RFC 7507).
    #[must_use]
    pub fn encrypts(&self) -> bool {
        let (key_exchange, cipher) = self.words();
        let authenticates_only = cipher.split('_').next() == Some("NULL")
            || key_exchange.is_none() && (cipher.starts_with("SHA") || cipher.ends_with("SCSV"));
        !authenticates_only
    }

    /// Returns `true` if the suite is broken or too weak: keys for export, RC2, RC4, and the ciphers with blocks of 64
    /// bits DES, 3DES, IDEA, which RFC 5469 took out of TLS 1.2.
    #[must_use]
    pub fn is_obsolete(&self) -> bool {
        let (key_exchange, _) = self.words();
        key_exchange.is_some_and(|words| words.contains("EXPORT"))
            || self.has(&["RC2", "RC4", "DES", "DES40", "3DES", "IDEA"])
    }

    /// Returns `true` if one algorithm encrypts and authenticates, e.g. GCM, CCM and ChaCha20-Poly1305.
    #[must_use]
    pub fn is_aead(&self) -> bool {
        self.has(&["GCM", "CCM", "POLY1305", "OCB", "AEGIS", "MGM"])
    }

    /// Returns `true` if a private key that is stolen later cannot decrypt the session: the key exchange is ephemeral
    /// Diffie-Hellman.
    #[must_use]
    pub fn has_forward_secrecy(&self) -> bool {
        match self.words() {
            (Some(key_exchange), _) => {
                let mut words = key_exchange.split('_');
                let ephemeral = ["DHE", "ECDHE", "CECPQ1", "ECCPWD"];
                words.any(|word| ephemeral.contains(&word) || word == "anon")
            }
            (None, _) => true,
        }
    }
}

#[cfg(feature = "cipher-names")]
#[cfg_attr(docsrs, doc(cfg(feature = "cipher-names")))]
impl CipherSuite {
    fn known(suite: &'static TlsCipherSuite) -> Self {
        Self(Cow::Borrowed(suite.name))
    }

    fn entry(&self) -> Option<&'static TlsCipherSuite> {
        let mut all = CIPHERS.values();
        all.find(|suite| suite.name.eq_ignore_ascii_case(&self.0))
    }

    /// Returns the suite with this number in the registry.
    #[must_use]
    pub fn from_id(id: u16) -> Option<Self> {
        TlsCipherSuite::from_id(id).map(Self::known)
    }

    /// Returns the suite with this name in OpenSSL.
    ///
    /// ```
    /// # use authres_tls::tls::CipherSuite;
    /// let suite = CipherSuite::from_openssl_name("ECDHE-RSA-AES256-GCM-SHA384");
    /// let suite = suite.ok_or("unknown")?;
    /// assert_eq!(suite.description(), "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384");
    /// assert_eq!(suite.id(), Some(0xc030));
    /// # Ok::<(), &str>(())
    /// ```
    #[must_use]
    pub fn from_openssl_name(name: &str) -> Option<Self> {
        let id = if is_description(name) {
            // OpenSSL uses the same names for the suites of TLS 1.3.
            TlsCipherSuite::from_name(name).map(|suite| suite.id.0)
        } else {
            openssl::id(name)
        };
        id.and_then(Self::from_id)
    }

    /// Returns the suite with this IANA description or OpenSSL name, in upper or lower case. `None` if it is unknown.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let described = CIPHERS
            .values()
            .find(|it| it.name.eq_ignore_ascii_case(name));
        described
            .map(Self::known)
            .or_else(|| Self::from_openssl_name(name))
    }

    /// Returns the number of the suite; `None` if the description is not in the registry.
    #[must_use]
    pub fn id(&self) -> Option<u16> {
        self.entry().map(|suite| suite.id.0)
    }

    /// Returns the length of its key in bits; `None` if the description is not in the registry.
    #[must_use]
    pub fn key_bits(&self) -> Option<u16> {
        self.entry().map(|suite| match suite.enc {
            // The table has 128.
            TlsCipherEnc::Chacha20_Poly1305 => 256,
            _ => suite.enc_size,
        })
    }
}

impl fmt::Display for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(all(test, feature = "cipher-names"))]
mod tests {
    use super::*;
    use tls_parser::TlsCipherEncMode;

    #[test]
    fn finds_the_mode_in_each_description() {
        let modes = [TlsCipherEncMode::Gcm, TlsCipherEncMode::Ccm];
        for entry in CIPHERS.values() {
            let has_mode = CipherSuite::known(entry).has(&["GCM", "CCM"]);
            assert_eq!(has_mode, modes.contains(&entry.enc_mode), "{}", entry.name);
        }
    }
}
