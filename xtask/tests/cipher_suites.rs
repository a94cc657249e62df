//! `authres-tls` and `deep-latch` judge cipher suites each for itself: over the whole registry they agree which
//! are weak, and where the bits that they give differ, the reason is listed.

use std::collections::BTreeMap;

use authres_tls::{
    facts::TlsSession,
    policy::rate_strength,
    tls::{CipherSuite, ProtocolVersion, Strength},
};
use deep_latch::{TlsCipher, facility::MIN_STRENGTH_BITS};
use tls_parser::CIPHERS;

const DIFFERENCES: &[Difference] = &[
    Difference {
        words: "RC4_128",
        key_bits: 128,
        strength_bits: 0,
        reason: "its biases give plaintext away whatever the key: RFC 7465",
    },
    Difference {
        words: "RC4_56",
        key_bits: 56,
        strength_bits: 0,
        reason: "its biases give plaintext away whatever the key: RFC 7465",
    },
    Difference {
        words: "RC4_40",
        key_bits: 40,
        strength_bits: 0,
        reason: "its biases give plaintext away whatever the key: RFC 7465",
    },
    Difference {
        words: "3DES_EDE",
        key_bits: 168,
        strength_bits: 112,
        reason: "meet in the middle: RFC 3766 section 2",
    },
    Difference {
        words: "IDEA",
        key_bits: 128,
        strength_bits: 64,
        reason: "blocks of 64 bits: RFC 5469",
    },
];

/// Suites that only one of the two crates rates as weak, and the reason. The list is empty.
const DISAGREEMENTS: &[(&str, &str)] = &[];

#[test]
fn judges_each_suite_of_the_registry_alike_in_both_crates() {
    let mut used = BTreeMap::<&str, usize>::new();
    let mut disagreements = Vec::new();
    let mut suites = 0;
    for id in 0..=u16::MAX {
        let (suite, strength) = (
            CipherSuite::from_id(id),
            TlsCipher::from_number(id).strength_bits(),
        );
        let registered = CIPHERS.values().any(|known| known.id.0 == id);
        assert_eq!(suite.is_some(), registered, "{id:#06x}");
        assert_eq!(strength.is_some(), registered, "{id:#06x}");
        let (Some(suite), Some(strength)) = (suite, strength) else {
            continue;
        };
        suites += 1;
        let name = suite.description();
        if is_low(&suite) != (strength < MIN_STRENGTH_BITS) {
            disagreements.push(name.to_owned());
        }
        let key_bits = suite.key_bits().unwrap_or_default();
        if key_bits == strength {
            continue;
        }
        let difference = DIFFERENCES
            .iter()
            .find(|difference| has_words(name, difference.words));
        let Some(difference) = difference else {
            panic!("{name}: {key_bits} and {strength} bits, for no listed reason");
        };
        let (words, reason) = (difference.words, difference.reason);
        assert_eq!(
            (key_bits, strength),
            (difference.key_bits, difference.strength_bits),
            "{name}: {reason}"
        );
        *used.entry(words).or_default() += 1;
    }
    let listed: Vec<_> = DISAGREEMENTS.iter().map(|(name, _)| *name).collect();
    assert_eq!(disagreements, listed, "stale or missing disagreements");
    // A listed difference that no longer exists is stale.
    for Difference { words, .. } in DIFFERENCES {
        assert!(used.contains_key(words), "stale: {words}");
    }
    assert_eq!(suites, CIPHERS.len());
    assert!(suites > 300, "{suites}");
}

/// A cipher whose key is longer than the cipher is strong: `authres-tls` reports the length of the key
/// (`key.length`), and `deep-latch` the strength. The words of its name, both numbers, and the reason.
struct Difference {
    words: &'static str,
    key_bits: u16,
    strength_bits: u16,
    reason: &'static str,
}

fn is_low(suite: &CipherSuite) -> bool {
    let session = TlsSession {
        version: Some(ProtocolVersion::Tls1_2),
        key_bits: suite.key_bits(),
        cipher_suite: Some(suite.clone()),
        ..TlsSession::default()
    };
    rate_strength(&session) == Some(Strength::Low)
}

fn has_words(name: &str, words: &str) -> bool {
    format!("_{name}_").contains(&format!("_{words}_"))
}
