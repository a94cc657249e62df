//! The oracles of `tokenbind-http` on generated inputs, and on the committed seeds and regressions of
//! the fuzz targets.

use conformance_tokenbind_http::oracle;
use proptest::prelude::*;

type Oracle = fn(&[u8]) -> Result<(), String>;

/// Each fuzz target and its oracle.
const TARGETS: [(&str, Oracle); 4] = [
    ("token_binding_header", oracle::header),
    ("requests", oracle::requests),
    ("redirect", oracle::redirect),
    ("client_hello", oracle::client_hello),
];

proptest! {
    #[test]
    fn keeps_the_oracle_for_header_values(
        value in prop_oneof![
            "[A-Za-z0-9_-]{0,40}={0,3}",
            "[A-Z_\\-=+/ ,.\\t]{0,12}",
            prop::collection::vec(any::<u8>(), 0..40).prop_map(|octets| String::from_utf8_lossy(&octets).into_owned()),
        ],
        seed in mutated("token_binding_header"),
    ) {
        prop_assert_eq!(oracle::header(value.as_bytes()), Ok(()));
        prop_assert_eq!(oracle::header(&seed), Ok(()));
    }

    #[test]
    fn requests_keep_the_oracle(data in mutated("requests"), choice: u8) {
        prop_assert_eq!(oracle::requests(&data), Ok(()));
        let other = [&[choice], data.get(1..).unwrap_or_default()].concat();
        prop_assert_eq!(oracle::requests(&other), Ok(()));
    }

    #[test]
    fn redirects_keep_the_oracle(
        first: u8,
        hops in prop::collection::vec((any::<u8>(), 8_u8..20, prop::collection::vec(prop_oneof![Just("true"), Just("True"), Just("")], 0..3)), 0..5),
        seed in mutated("redirect"),
    ) {
        let mut data = vec![first];
        for (to, status, values) in hops {
            data.extend([to, status, values.len() as u8]);
            for value in values {
                data.push(value.len() as u8);
                data.extend_from_slice(value.as_bytes());
            }
        }
        prop_assert_eq!(oracle::redirect(&data), Ok(()));
        prop_assert_eq!(oracle::redirect(&seed), Ok(()));
    }

    #[test]
    fn keeps_the_oracle_for_client_hellos(records in mutated("client_hello")) {
        prop_assert_eq!(oracle::client_hello(&records), Ok(()));
    }

    #[test]
    fn keeps_the_oracles_for_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for (target, oracle) in TARGETS {
            prop_assert_eq!(oracle(&bytes), Ok(()), "{}", target);
        }
    }
}

#[test]
fn seeds_and_regressions_of_the_fuzz_targets_keep_the_oracles() {
    for (target, oracle) in TARGETS {
        let committed = committed(target);
        assert!(committed.len() > 20, "{target}: {} files", committed.len());
        for (path, bytes) in committed {
            assert_eq!(oracle(&bytes), Ok(()), "{path}");
        }
    }
}

/// The committed seeds and regressions of a target.
fn committed(target: &str) -> Vec<(String, Vec<u8>)> {
    conformance::oracle::inputs(target).expect("files that can be read")
}

/// A seed of a target with some octets changed, put in or taken out, or pieces of two.
fn mutated(target: &str) -> impl Strategy<Value = Vec<u8>> {
    let seeds: Vec<_> = committed(target)
        .into_iter()
        .map(|(_, seed)| seed)
        .collect();
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0_u8..4);
    (
        prop::sample::select(seeds.clone()),
        prop::sample::select(seeds),
        any::<prop::sample::Index>(),
        any::<bool>(),
        prop::collection::vec(change, 0..4),
    )
        .prop_map(|(mut bytes, other, at, splice, changes)| {
            if splice && !bytes.is_empty() && !other.is_empty() {
                bytes.truncate(at.index(bytes.len()) + 1);
                bytes.extend_from_slice(&other[at.index(other.len())..]);
            }
            for (at, octet, how) in changes {
                if bytes.is_empty() {
                    bytes.push(octet);
                }
                let at = at.index(bytes.len());
                match how {
                    0 => bytes[at] = octet,
                    1 => bytes.insert(at, octet),
                    2 => drop(bytes.remove(at)),
                    _ => bytes[at] ^= 1 << (octet & 7),
                }
            }
            bytes
        })
}
