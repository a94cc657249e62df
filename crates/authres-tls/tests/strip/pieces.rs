//! Messages in pieces.

use proptest::prelude::*;

use super::*;

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let texts = prop::sample::select(vec![
        FORGED,
        "Authentication-Results: other.example; spf=pass",
        "Authentication-Results",
        "Authentication-Re",
        "sults: own.example; a",
        "A",
        "Subject: a",
        "text",
        ": own.example; ",
        " ",
        "\t",
        "\r\n",
        "\n",
        "\r",
        "\u{a0}",
        "\u{c5}",
        "(",
        "own.example",
        "From a",
    ])
    .prop_map(|text| text.as_bytes().to_vec());
    let breaks = prop::sample::select(UNCERTAIN.to_vec()).prop_map(<[u8]>::to_vec);
    prop_oneof![4 => texts, 2 => breaks, 1 => any::<u8>().prop_map(|octet| vec![octet])]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn strips_alike_by_pieces_and_removes_nothing_again(
        pieces in prop::collection::vec(piece(), 0..24)
    ) {
        let message = pieces.concat();
        let stripped = strip(&message);
        prop_assert!(policy().removals(&stripped.message).is_empty());
    }
}
