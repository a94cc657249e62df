//! The strength, name and number of cipher suites, by the IANA registry.

use tls_parser::{CIPHERS, TlsCipherEnc, TlsCipherSuite};

use crate::cipher::TlsCipher;

impl TlsCipher<'static> {
    /// Creates the suite of a number: by its name if the number is registered, else by the number. "In the event the
    /// implementation does not know the name of the cipher suite [...] a four-digit hexadecimal cipher
    /// suite identifier MAY be used" (section 6).
    ///
    /// ```
    /// use deep_latch::TlsCipher;
    ///
    /// assert_eq!(TlsCipher::of_suite(0x002f).as_str(), "TLS_RSA_WITH_AES_128_CBC_SHA");
    /// assert_eq!(TlsCipher::of_suite(0x0a0a).as_str(), "0x0A0A");
    /// ```
    #[must_use]
    pub fn of_suite(number: u16) -> Self {
        let named =
            TlsCipherSuite::from_id(number).and_then(|suite| TlsCipher::parse(suite.name).ok());
        named.unwrap_or_else(|| Self::from_number(number))
    }
}

impl TlsCipher<'_> {
    /// Returns the number of the suite, whether it is given by name or by number. Returns `None` for a name that is not
    /// in the registry. Names are compared without regard to case.
    #[must_use]
    pub fn suite(&self) -> Option<u16> {
        let by_name = || {
            let mut all = CIPHERS.values();
            all.find(|suite| suite.name.eq_ignore_ascii_case(self.as_str()))
        };
        self.number().or_else(|| by_name().map(|suite| suite.id.0))
    }

    /// Returns the strength of the suite's cipher in bits, for
    /// [`TlsFacts::strength_bits`](crate::TlsFacts::strength_bits). Returns `None` for a suite that is not in the
    /// registry: an unknown strength achieves no tag.
    ///
    /// The strength is the length of the symmetric key, with these exceptions:
    /// - suites without encryption, and numbers that are signals and not ciphers: 0
    /// - RC4 with 128 bits: 0. Its biases give plaintext away, passwords first, whatever the key's length; TLS
    ///   must not use it (RFC 7465).
    /// - Triple DES: 112 of its 168 bits count (RFC 3766 section 2; meet in the middle)
    /// - IDEA: 64 of its 128 bits. Its blocks of 64 bits repeat, and give plaintext away, after some gigabytes
    ///   whatever the key's length; RFC 5469 took it out of TLS 1.2 with DES.
    /// - ciphers for export have the 40 or 56 bits that their name says
    ///
    /// The key exchange and the authentication of the server do not matter here.
    ///
    /// ```
    /// use deep_latch::TlsCipher;
    ///
    /// assert_eq!(TlsCipher::from_number(0x1301).strength_bits(), Some(128)); // TLS_AES_128_GCM_SHA256
    /// assert_eq!(TlsCipher::from_number(0x000a).strength_bits(), Some(112)); // TLS_RSA_WITH_3DES_EDE_CBC_SHA
    /// assert_eq!(TlsCipher::from_number(0x0a0a).strength_bits(), None); // GREASE
    /// assert_eq!(TlsCipher::parse("TLS_AES_256_GCM_SHA384")?.strength_bits(), Some(256));
    /// # Ok::<(), deep_latch::ParseError>(())
    /// ```
    #[must_use]
    pub fn strength_bits(&self) -> Option<u16> {
        let suite = TlsCipherSuite::from_id(self.suite()?)?;
        Some(match suite.enc {
            TlsCipherEnc::Null => 0,
            // Also for those for export.
            TlsCipherEnc::Rc4 => 0,
            TlsCipherEnc::TripleDes => 112,
            TlsCipherEnc::Idea => 64,
            // The table has 128.
            TlsCipherEnc::Chacha20_Poly1305 => 256,
            _ => suite.enc_size,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facility::MIN_STRENGTH_BITS;

    /// The strength by what the suite's name says: the registry's authors wrote that independently of the
    /// table.
    fn by_name(name: &str) -> u16 {
        let words: alloc::vec::Vec<_> = name.split('_').collect();
        let has = |word: &str| words.contains(&word);
        let cipher = match name.split_once("_WITH_") {
            Some((_, cipher)) => cipher,
            None => name.strip_prefix("TLS_").unwrap(),
        };
        if cipher.starts_with("NULL")
            || cipher.starts_with("SHA")
            || name.ends_with("SCSV")
            || has("RC4")
        {
            0
        } else if has("3DES") {
            112
        } else if has("IDEA") {
            64
        } else if has("DES40") || cipher.contains("CBC_40") {
            40
        } else if has("DES") || cipher.contains("CBC_56") {
            56
        } else if has("CHACHA20") || has("256") && !has("128") || cipher.starts_with("AEGIS_256") {
            256
        } else {
            128
        }
    }

    #[test]
    fn rates_every_registered_suite_by_its_name() {
        let mut seen = [0_usize; 2];
        for suite in CIPHERS.values() {
            let bits = TlsCipher::of_suite(suite.id.0).strength_bits();
            assert_eq!(bits, Some(by_name(suite.name)), "{}", suite.name);
            let strong = bits.is_some_and(|bits| bits >= MIN_STRENGTH_BITS);
            seen[usize::from(strong)] += 1;
        }
        assert!(seen[0] > 60 && seen[1] > 200, "{seen:?}");
    }

    #[test]
    fn rates_known_suites() {
        let known = [
            (0x0000, Some(0)),   // TLS_NULL_WITH_NULL_NULL
            (0x0002, Some(0)),   // TLS_RSA_WITH_NULL_SHA
            (0x0003, Some(0)),   // TLS_RSA_EXPORT_WITH_RC4_40_MD5
            (0x0004, Some(0)),   // TLS_RSA_WITH_RC4_128_MD5
            (0x0006, Some(40)),  // TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5
            (0x0007, Some(64)),  // TLS_RSA_WITH_IDEA_CBC_SHA
            (0x0008, Some(40)),  // TLS_RSA_EXPORT_WITH_DES40_CBC_SHA
            (0x0009, Some(56)),  // TLS_RSA_WITH_DES_CBC_SHA
            (0x000a, Some(112)), // TLS_RSA_WITH_3DES_EDE_CBC_SHA
            (0x002f, Some(128)), // TLS_RSA_WITH_AES_128_CBC_SHA
            (0x0034, Some(128)), // TLS_DH_anon_WITH_AES_128_CBC_SHA
            (0x0035, Some(256)), // TLS_RSA_WITH_AES_256_CBC_SHA
            (0x0041, Some(128)), // TLS_RSA_WITH_CAMELLIA_128_CBC_SHA
            (0x0096, Some(128)), // TLS_RSA_WITH_SEED_CBC_SHA
            (0x00ff, Some(0)),   // TLS_EMPTY_RENEGOTIATION_INFO_SCSV
            (0x1301, Some(128)), // TLS_AES_128_GCM_SHA256
            (0x1302, Some(256)), // TLS_AES_256_GCM_SHA384
            (0x1303, Some(256)), // TLS_CHACHA20_POLY1305_SHA256
            (0x1304, Some(128)), // TLS_AES_128_CCM_SHA256
            (0xc02f, Some(128)), // TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
            (0xc0b4, Some(0)),   // TLS_SHA256_SHA256
            (0xcca8, Some(256)), // TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
            (0x0a0a, None),      // GREASE
            (0xffff, None),
        ];
        for (suite, bits) in known {
            let cipher = TlsCipher::from_number(suite);
            assert_eq!(cipher.strength_bits(), bits, "{suite:#06x}");
        }
    }

    #[test]
    fn returns_every_number_from_its_name() {
        for number in 0..=u16::MAX {
            let cipher = TlsCipher::of_suite(number);
            assert_eq!(cipher.suite(), Some(number), "{cipher}");
            let named = TlsCipherSuite::from_id(number).is_some();
            assert_eq!(cipher.number().is_none(), named, "{cipher}");
            assert_eq!(TlsCipher::parse(cipher.as_str()), Ok(cipher.clone()));
        }
        let parse = |name| TlsCipher::parse(name).unwrap().suite();
        assert_eq!(parse("tls_aes_128_gcm_sha256"), Some(0x1301));
        assert_eq!(parse("ECDHE_RSA_AES128_GCM_SHA256"), None);
        assert_eq!(parse("0x1301"), Some(0x1301));
    }
}
