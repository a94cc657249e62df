//! Property tests of the latch machine: its oracle over sequences of events.

use conformance_deep_latch::oracle::trace as oracle;
use proptest::{collection::vec, prelude::*};

/// One event, as the oracle reads it: mostly handshakes of servers that have something, and statuses.
fn event() -> impl Strategy<Value = Vec<u8>> {
    let facts = (any::<u8>(), any::<u8>()).prop_map(|(first, second)| vec![2, first, second]);
    // TLS 1.3, 128 bits, PKIX.
    let good = Just(vec![2, 4 | 4 << 3, 1 | 1 << 2]);
    let status = (0..128_u8).prop_map(|words| vec![4, words]);
    let text = "[ -~]{0,40}".prop_map(|text| {
        let length = u8::try_from(text.len()).unwrap_or(0);
        [&[4, 0x80, length], text.as_bytes()].concat()
    });
    let other = prop_oneof![Just(0_u8), Just(1), Just(6), Just(7), Just(15)];
    prop_oneof![
        3 => facts,
        3 => good,
        4 => status,
        1 => text,
        3 => other.prop_map(|what| vec![what]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn keeps_the_invariants_of_a_latch_session(
        latched in prop_oneof![3 => Just(0_u8), 3 => 0..32_u8, 1 => 0..64_u8],
        options in 0..8_u8,
        recorded in 0..128_u8,
        events in vec(event(), 0..12),
    ) {
        let mut bytes = vec![latched, options];
        if options & 1 != 0 {
            bytes.push(recorded);
        }
        bytes.extend(events.concat());
        prop_assert_eq!(oracle::events(&bytes), Ok(()));
    }

    #[test]
    fn reads_any_bytes_as_a_connection(bytes in vec(any::<u8>(), 0..100)) {
        prop_assert_eq!(oracle::events(&bytes), Ok(()));
    }
}
