//! OpenSSL's names of cipher suites, as `openssl ciphers -V -stdname` and ciphers(1) have them, with
//! those that are no longer built.

/// Returns the number of the suite with this name.
pub(super) fn id(name: &str) -> Option<u16> {
    let place = NAMES.binary_search_by(|(it, _)| (*it).cmp(name));
    let (_, id) = NAMES.get(place.ok()?)?;
    Some(*id)
}

/// All names, in their order.
const NAMES: &[(&str, u16)] = &[
    ("ADH-AES128-GCM-SHA256", 0x00a6),
    ("ADH-AES128-SHA", 0x0034),
    ("ADH-AES128-SHA256", 0x006c),
    ("ADH-AES256-GCM-SHA384", 0x00a7),
    ("ADH-AES256-SHA", 0x003a),
    ("ADH-AES256-SHA256", 0x006d),
    ("ADH-CAMELLIA128-SHA", 0x0046),
    ("ADH-CAMELLIA128-SHA256", 0x00bf),
    ("ADH-CAMELLIA256-SHA", 0x0089),
    ("ADH-CAMELLIA256-SHA256", 0x00c5),
    ("ADH-DES-CBC-SHA", 0x001a),
    ("ADH-DES-CBC3-SHA", 0x001b),
    ("ADH-RC4-MD5", 0x0018),
    ("ADH-SEED-SHA", 0x009b),
    ("AECDH-AES128-SHA", 0xc018),
    ("AECDH-AES256-SHA", 0xc019),
    ("AECDH-DES-CBC3-SHA", 0xc017),
    ("AECDH-NULL-SHA", 0xc015),
    ("AECDH-RC4-SHA", 0xc016),
    ("AES128-CCM", 0xc09c),
    ("AES128-CCM8", 0xc0a0),
    ("AES128-GCM-SHA256", 0x009c),
    ("AES128-SHA", 0x002f),
    ("AES128-SHA256", 0x003c),
    ("AES256-CCM", 0xc09d),
    ("AES256-CCM8", 0xc0a1),
    ("AES256-GCM-SHA384", 0x009d),
    ("AES256-SHA", 0x0035),
    ("AES256-SHA256", 0x003d),
    ("ARIA128-GCM-SHA256", 0xc050),
    ("ARIA256-GCM-SHA384", 0xc051),
    ("CAMELLIA128-SHA", 0x0041),
    ("CAMELLIA128-SHA256", 0x00ba),
    ("CAMELLIA256-SHA", 0x0084),
    ("CAMELLIA256-SHA256", 0x00c0),
    ("DES-CBC-SHA", 0x0009),
    ("DES-CBC3-SHA", 0x000a),
    ("DH-DSS-AES128-GCM-SHA256", 0x00a4),
    ("DH-DSS-AES128-SHA", 0x0030),
    ("DH-DSS-AES128-SHA256", 0x003e),
    ("DH-DSS-AES256-GCM-SHA384", 0x00a5),
    ("DH-DSS-AES256-SHA", 0x0036),
    ("DH-DSS-AES256-SHA256", 0x0068),
    ("DH-DSS-CAMELLIA128-SHA", 0x0042),
    ("DH-DSS-CAMELLIA256-SHA", 0x0085),
    ("DH-DSS-DES-CBC-SHA", 0x000c),
    ("DH-DSS-DES-CBC3-SHA", 0x000d),
    ("DH-DSS-SEED-SHA", 0x0097),
    ("DH-RSA-AES128-GCM-SHA256", 0x00a0),
    ("DH-RSA-AES128-SHA", 0x0031),
    ("DH-RSA-AES128-SHA256", 0x003f),
    ("DH-RSA-AES256-GCM-SHA384", 0x00a1),
    ("DH-RSA-AES256-SHA", 0x0037),
    ("DH-RSA-AES256-SHA256", 0x0069),
    ("DH-RSA-CAMELLIA128-SHA", 0x0043),
    ("DH-RSA-CAMELLIA256-SHA", 0x0086),
    ("DH-RSA-DES-CBC-SHA", 0x000f),
    ("DH-RSA-DES-CBC3-SHA", 0x0010),
    ("DH-RSA-SEED-SHA", 0x0098),
    ("DHE-DSS-AES128-GCM-SHA256", 0x00a2),
    ("DHE-DSS-AES128-SHA", 0x0032),
    ("DHE-DSS-AES128-SHA256", 0x0040),
    ("DHE-DSS-AES256-GCM-SHA384", 0x00a3),
    ("DHE-DSS-AES256-SHA", 0x0038),
    ("DHE-DSS-AES256-SHA256", 0x006a),
    ("DHE-DSS-ARIA128-GCM-SHA256", 0xc056),
    ("DHE-DSS-ARIA256-GCM-SHA384", 0xc057),
    ("DHE-DSS-CAMELLIA128-SHA", 0x0044),
    ("DHE-DSS-CAMELLIA128-SHA256", 0x00bd),
    ("DHE-DSS-CAMELLIA256-SHA", 0x0087),
    ("DHE-DSS-CAMELLIA256-SHA256", 0x00c3),
    ("DHE-DSS-DES-CBC-SHA", 0x0012),
    ("DHE-DSS-DES-CBC3-SHA", 0x0013),
    ("DHE-DSS-RC4-SHA", 0x0066),
    ("DHE-DSS-SEED-SHA", 0x0099),
    ("DHE-PSK-3DES-EDE-CBC-SHA", 0x008f),
    ("DHE-PSK-AES128-CBC-SHA", 0x0090),
    ("DHE-PSK-AES128-CBC-SHA256", 0x00b2),
    ("DHE-PSK-AES128-CCM", 0xc0a6),
    ("DHE-PSK-AES128-CCM8", 0xc0aa),
    ("DHE-PSK-AES128-GCM-SHA256", 0x00aa),
    ("DHE-PSK-AES256-CBC-SHA", 0x0091),
    ("DHE-PSK-AES256-CBC-SHA384", 0x00b3),
    ("DHE-PSK-AES256-CCM", 0xc0a7),
    ("DHE-PSK-AES256-CCM8", 0xc0ab),
    ("DHE-PSK-AES256-GCM-SHA384", 0x00ab),
    ("DHE-PSK-ARIA128-GCM-SHA256", 0xc06c),
    ("DHE-PSK-ARIA256-GCM-SHA384", 0xc06d),
    ("DHE-PSK-CAMELLIA128-SHA256", 0xc096),
    ("DHE-PSK-CAMELLIA256-SHA384", 0xc097),
    ("DHE-PSK-CHACHA20-POLY1305", 0xccad),
    ("DHE-PSK-NULL-SHA", 0x002d),
    ("DHE-PSK-NULL-SHA256", 0x00b4),
    ("DHE-PSK-NULL-SHA384", 0x00b5),
    ("DHE-PSK-RC4-SHA", 0x008e),
    ("DHE-RSA-AES128-CCM", 0xc09e),
    ("DHE-RSA-AES128-CCM8", 0xc0a2),
    ("DHE-RSA-AES128-GCM-SHA256", 0x009e),
    ("DHE-RSA-AES128-SHA", 0x0033),
    ("DHE-RSA-AES128-SHA256", 0x0067),
    ("DHE-RSA-AES256-CCM", 0xc09f),
    ("DHE-RSA-AES256-CCM8", 0xc0a3),
    ("DHE-RSA-AES256-GCM-SHA384", 0x009f),
    ("DHE-RSA-AES256-SHA", 0x0039),
    ("DHE-RSA-AES256-SHA256", 0x006b),
    ("DHE-RSA-ARIA128-GCM-SHA256", 0xc052),
    ("DHE-RSA-ARIA256-GCM-SHA384", 0xc053),
    ("DHE-RSA-CAMELLIA128-SHA", 0x0045),
    ("DHE-RSA-CAMELLIA128-SHA256", 0x00be),
    ("DHE-RSA-CAMELLIA256-SHA", 0x0088),
    ("DHE-RSA-CAMELLIA256-SHA256", 0x00c4),
    ("DHE-RSA-CHACHA20-POLY1305", 0xccaa),
    ("DHE-RSA-DES-CBC-SHA", 0x0015),
    ("DHE-RSA-DES-CBC3-SHA", 0x0016),
    ("DHE-RSA-SEED-SHA", 0x009a),
    ("ECDH-ECDSA-AES128-GCM-SHA256", 0xc02d),
    ("ECDH-ECDSA-AES128-SHA", 0xc004),
    ("ECDH-ECDSA-AES128-SHA256", 0xc025),
    ("ECDH-ECDSA-AES256-GCM-SHA384", 0xc02e),
    ("ECDH-ECDSA-AES256-SHA", 0xc005),
    ("ECDH-ECDSA-AES256-SHA384", 0xc026),
    ("ECDH-ECDSA-CAMELLIA128-SHA256", 0xc074),
    ("ECDH-ECDSA-CAMELLIA256-SHA384", 0xc075),
    ("ECDH-ECDSA-DES-CBC3-SHA", 0xc003),
    ("ECDH-ECDSA-NULL-SHA", 0xc001),
    ("ECDH-ECDSA-RC4-SHA", 0xc002),
    ("ECDH-RSA-AES128-GCM-SHA256", 0xc031),
    ("ECDH-RSA-AES128-SHA", 0xc00e),
    ("ECDH-RSA-AES128-SHA256", 0xc029),
    ("ECDH-RSA-AES256-GCM-SHA384", 0xc032),
    ("ECDH-RSA-AES256-SHA", 0xc00f),
    ("ECDH-RSA-AES256-SHA384", 0xc02a),
    ("ECDH-RSA-CAMELLIA128-SHA256", 0xc078),
    ("ECDH-RSA-CAMELLIA256-SHA384", 0xc079),
    ("ECDH-RSA-DES-CBC3-SHA", 0xc00d),
    ("ECDH-RSA-NULL-SHA", 0xc00b),
    ("ECDH-RSA-RC4-SHA", 0xc00c),
    ("ECDHE-ARIA128-GCM-SHA256", 0xc060),
    ("ECDHE-ARIA256-GCM-SHA384", 0xc061),
    ("ECDHE-ECDSA-AES128-CCM", 0xc0ac),
    ("ECDHE-ECDSA-AES128-CCM8", 0xc0ae),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", 0xc02b),
    ("ECDHE-ECDSA-AES128-SHA", 0xc009),
    ("ECDHE-ECDSA-AES128-SHA256", 0xc023),
    ("ECDHE-ECDSA-AES256-CCM", 0xc0ad),
    ("ECDHE-ECDSA-AES256-CCM8", 0xc0af),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", 0xc02c),
    ("ECDHE-ECDSA-AES256-SHA", 0xc00a),
    ("ECDHE-ECDSA-AES256-SHA384", 0xc024),
    ("ECDHE-ECDSA-ARIA128-GCM-SHA256", 0xc05c),
    ("ECDHE-ECDSA-ARIA256-GCM-SHA384", 0xc05d),
    ("ECDHE-ECDSA-CAMELLIA128-SHA256", 0xc072),
    ("ECDHE-ECDSA-CAMELLIA256-SHA384", 0xc073),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", 0xcca9),
    ("ECDHE-ECDSA-DES-CBC3-SHA", 0xc008),
    ("ECDHE-ECDSA-NULL-SHA", 0xc006),
    ("ECDHE-ECDSA-RC4-SHA", 0xc007),
    ("ECDHE-PSK-3DES-EDE-CBC-SHA", 0xc034),
    ("ECDHE-PSK-AES128-CBC-SHA", 0xc035),
    ("ECDHE-PSK-AES128-CBC-SHA256", 0xc037),
    ("ECDHE-PSK-AES256-CBC-SHA", 0xc036),
    ("ECDHE-PSK-AES256-CBC-SHA384", 0xc038),
    ("ECDHE-PSK-CAMELLIA128-SHA256", 0xc09a),
    ("ECDHE-PSK-CAMELLIA256-SHA384", 0xc09b),
    ("ECDHE-PSK-CHACHA20-POLY1305", 0xccac),
    ("ECDHE-PSK-NULL-SHA", 0xc039),
    ("ECDHE-PSK-NULL-SHA256", 0xc03a),
    ("ECDHE-PSK-NULL-SHA384", 0xc03b),
    ("ECDHE-PSK-RC4-SHA", 0xc033),
    ("ECDHE-RSA-AES128-GCM-SHA256", 0xc02f),
    ("ECDHE-RSA-AES128-SHA", 0xc013),
    ("ECDHE-RSA-AES128-SHA256", 0xc027),
    ("ECDHE-RSA-AES256-GCM-SHA384", 0xc030),
    ("ECDHE-RSA-AES256-SHA", 0xc014),
    ("ECDHE-RSA-AES256-SHA384", 0xc028),
    ("ECDHE-RSA-CAMELLIA128-SHA256", 0xc076),
    ("ECDHE-RSA-CAMELLIA256-SHA384", 0xc077),
    ("ECDHE-RSA-CHACHA20-POLY1305", 0xcca8),
    ("ECDHE-RSA-DES-CBC3-SHA", 0xc012),
    ("ECDHE-RSA-NULL-SHA", 0xc010),
    ("ECDHE-RSA-RC4-SHA", 0xc011),
    ("EDH-DSS-DES-CBC-SHA", 0x0012),
    ("EDH-DSS-DES-CBC3-SHA", 0x0013),
    ("EDH-RSA-DES-CBC-SHA", 0x0015),
    ("EDH-RSA-DES-CBC3-SHA", 0x0016),
    ("EXP-ADH-DES-CBC-SHA", 0x0019),
    ("EXP-ADH-RC4-MD5", 0x0017),
    ("EXP-DES-CBC-SHA", 0x0008),
    ("EXP-DH-DSS-DES-CBC-SHA", 0x000b),
    ("EXP-DH-RSA-DES-CBC-SHA", 0x000e),
    ("EXP-DHE-DSS-DES-CBC-SHA", 0x0011),
    ("EXP-DHE-RSA-DES-CBC-SHA", 0x0014),
    ("EXP-EDH-DSS-DES-CBC-SHA", 0x0011),
    ("EXP-EDH-RSA-DES-CBC-SHA", 0x0014),
    ("EXP-RC2-CBC-MD5", 0x0006),
    ("EXP-RC4-MD5", 0x0003),
    ("EXP1024-DES-CBC-SHA", 0x0062),
    ("EXP1024-DHE-DSS-DES-CBC-SHA", 0x0063),
    ("EXP1024-DHE-DSS-RC4-SHA", 0x0065),
    ("EXP1024-RC4-MD5", 0x0060),
    ("EXP1024-RC4-SHA", 0x0064),
    ("IDEA-CBC-SHA", 0x0007),
    ("NULL-MD5", 0x0001),
    ("NULL-SHA", 0x0002),
    ("NULL-SHA256", 0x003b),
    ("PSK-3DES-EDE-CBC-SHA", 0x008b),
    ("PSK-AES128-CBC-SHA", 0x008c),
    ("PSK-AES128-CBC-SHA256", 0x00ae),
    ("PSK-AES128-CCM", 0xc0a4),
    ("PSK-AES128-CCM8", 0xc0a8),
    ("PSK-AES128-GCM-SHA256", 0x00a8),
    ("PSK-AES256-CBC-SHA", 0x008d),
    ("PSK-AES256-CBC-SHA384", 0x00af),
    ("PSK-AES256-CCM", 0xc0a5),
    ("PSK-AES256-CCM8", 0xc0a9),
    ("PSK-AES256-GCM-SHA384", 0x00a9),
    ("PSK-ARIA128-GCM-SHA256", 0xc06a),
    ("PSK-ARIA256-GCM-SHA384", 0xc06b),
    ("PSK-CAMELLIA128-SHA256", 0xc094),
    ("PSK-CAMELLIA256-SHA384", 0xc095),
    ("PSK-CHACHA20-POLY1305", 0xccab),
    ("PSK-NULL-SHA", 0x002c),
    ("PSK-NULL-SHA256", 0x00b0),
    ("PSK-NULL-SHA384", 0x00b1),
    ("PSK-RC4-SHA", 0x008a),
    ("RC4-MD5", 0x0004),
    ("RC4-SHA", 0x0005),
    ("RSA-PSK-3DES-EDE-CBC-SHA", 0x0093),
    ("RSA-PSK-AES128-CBC-SHA", 0x0094),
    ("RSA-PSK-AES128-CBC-SHA256", 0x00b6),
    ("RSA-PSK-AES128-GCM-SHA256", 0x00ac),
    ("RSA-PSK-AES256-CBC-SHA", 0x0095),
    ("RSA-PSK-AES256-CBC-SHA384", 0x00b7),
    ("RSA-PSK-AES256-GCM-SHA384", 0x00ad),
    ("RSA-PSK-ARIA128-GCM-SHA256", 0xc06e),
    ("RSA-PSK-ARIA256-GCM-SHA384", 0xc06f),
    ("RSA-PSK-CAMELLIA128-SHA256", 0xc098),
    ("RSA-PSK-CAMELLIA256-SHA384", 0xc099),
    ("RSA-PSK-CHACHA20-POLY1305", 0xccae),
    ("RSA-PSK-NULL-SHA", 0x002e),
    ("RSA-PSK-NULL-SHA256", 0x00b8),
    ("RSA-PSK-NULL-SHA384", 0x00b9),
    ("RSA-PSK-RC4-SHA", 0x0092),
    ("SEED-SHA", 0x0096),
    ("SRP-3DES-EDE-CBC-SHA", 0xc01a),
    ("SRP-AES-128-CBC-SHA", 0xc01d),
    ("SRP-AES-256-CBC-SHA", 0xc020),
    ("SRP-DSS-3DES-EDE-CBC-SHA", 0xc01c),
    ("SRP-DSS-AES-128-CBC-SHA", 0xc01f),
    ("SRP-DSS-AES-256-CBC-SHA", 0xc022),
    ("SRP-RSA-3DES-EDE-CBC-SHA", 0xc01b),
    ("SRP-RSA-AES-128-CBC-SHA", 0xc01e),
    ("SRP-RSA-AES-256-CBC-SHA", 0xc021),
];

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use tls_parser::TlsCipherSuite;

    /// A name's words, as descriptions have them.
    fn description_words(name: &str) -> Vec<&str> {
        let mut words = Vec::new();
        for word in name.split('-') {
            match word {
                "EXP" => words.push("EXPORT"),
                "EXP1024" => words.push("EXPORT1024"),
                "EDH" => words.push("DHE"),
                "ADH" => words.extend(["DH", "anon"]),
                "AECDH" => words.extend(["ECDH", "anon"]),
                "SRP" => words.extend(["SRP", "SHA"]),
                "CCM8" => words.extend(["CCM", "8"]),
                "CBC3" => {
                    assert_eq!(words.pop(), Some("DES"));
                    words.extend(["3DES", "EDE", "CBC"]);
                }
                _ => {
                    let ciphers = ["AES", "ARIA", "CAMELLIA"].into_iter();
                    let mut sized = ciphers.filter_map(|it| Some((it, word.strip_prefix(it)?)));
                    match sized.next() {
                        Some((cipher, size)) => words.extend([cipher, size]),
                        None => words.push(word),
                    }
                }
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn names_are_in_order_and_stand_for_suites_of_their_algorithms() {
        assert!(NAMES.is_sorted_by(|(a, _), (b, _)| a < b));
        for (name, number) in NAMES {
            assert_eq!(id(name), Some(*number));
            let suite = TlsCipherSuite::from_id(*number).expect(name);
            let described: Vec<_> = suite.name.split('_').collect();
            for word in description_words(name) {
                let export = word == "DES" && suite.name.contains("DES40");
                let word = if export { "DES40" } else { word };
                assert!(
                    described.contains(&word),
                    "{name} is not {}: {word}",
                    suite.name
                );
            }
        }
    }

    #[test]
    fn implies_rsa_and_cbc_in_short_names() {
        for (name, number) in NAMES {
            let suite = TlsCipherSuite::from_id(*number).expect(name);
            let ours = description_words(name);
            for word in suite.name.split('_').filter(|it| !ours.contains(it)) {
                let implied = [
                    "TLS", "WITH", "RSA", "CBC", "DES40", "40", "56", "128", "SHA256",
                ];
                assert!(
                    implied.contains(&word),
                    "{name} is not {}: {word}",
                    suite.name
                );
            }
        }
    }
}
