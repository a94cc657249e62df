//! The oracle of the clients of `deep-latch` on the committed seeds and regressions of its fuzz target, on the
//! same with something wrong in them, and on any bytes.

use conformance_deep_latch::oracle::client as oracle;
use proptest::{collection::vec, prelude::*, sample::Index};

/// Seeds and regressions by path.
fn inputs() -> Vec<(String, Vec<u8>)> {
    conformance::oracle::inputs("deep_client").expect("files that can be read")
}

#[test]
fn seeds_and_regressions_of_the_fuzz_target_keep_the_oracle() {
    let inputs = inputs();
    assert!(inputs.len() >= 20, "{} inputs", inputs.len());
    for (name, input) in inputs {
        assert_eq!(oracle::any(&input), Ok(()), "{name}");
    }
}

#[test]
fn seeds_keep_it_in_every_setting_and_cut_off_at_each_byte() {
    for (name, mut input) in inputs() {
        for choice in 0..=u8::MAX {
            input[1] = choice;
            assert_eq!(oracle::any(&input), Ok(()), "{name} {choice}");
        }
        for length in 0..input.len() {
            assert_eq!(oracle::any(&input[..length]), Ok(()), "{name} {length}");
        }
    }
}

proptest! {
    #[test]
    fn keeps_the_oracle_for_any_bytes(bytes in vec(any::<u8>(), 0..400)) {
        prop_assert_eq!(oracle::any(&bytes), Ok(()));
    }

    #[test]
    fn seeds_with_something_wrong_in_them_keep_the_oracle(
        seed in any::<Index>(),
        choice in any::<u8>(),
        changes in vec((any::<Index>(), any::<u8>()), 0..4),
        moved in any::<(Index, Index)>(),
    ) {
        let inputs = inputs();
        let (_, mut input) = seed.get(&inputs).clone();
        input[1] = choice;
        for (at, octet) in changes {
            let at = at.index(input.len());
            input[at] = octet;
        }
        // A part of it twice, e.g. a response.
        let (mut from, mut to) = (moved.0.index(input.len()), moved.1.index(input.len()));
        if from > to {
            (from, to) = (to, from);
        }
        if from > 1 {
            let again = input[from..to].to_vec();
            input.splice(from..from, again);
        }
        prop_assert_eq!(oracle::any(&input), Ok(()));
    }
}
