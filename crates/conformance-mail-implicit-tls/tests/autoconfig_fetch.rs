//! The oracle of fetches of configuration files on the committed seeds and regressions of its fuzz target, and on
//! seeds with something wrong in them.

use conformance_mail_implicit_tls::oracle::autoconfig_fetch;
use proptest::{collection::vec, prelude::*, sample::select};

/// Seeds and regressions by path.
fn committed() -> Vec<(String, Vec<u8>)> {
    conformance::oracle::inputs("mail_autoconfig_fetch").expect("files that can be read")
}

#[test]
fn seeds_and_regressions_of_the_fuzz_target_keep_the_oracle() {
    let inputs = committed();
    assert!(inputs.len() >= 30, "{} inputs", inputs.len());
    for (name, input) in inputs {
        assert_eq!(autoconfig_fetch(&input), Ok(()), "{name}");
        for choice in 0..8 {
            let input = [&[choice], input.get(1..).unwrap_or_default()].concat();
            assert_eq!(autoconfig_fetch(&input), Ok(()), "{name} {choice}");
        }
        for length in 0..input.len() {
            assert_eq!(
                autoconfig_fetch(&input[..length]),
                Ok(()),
                "{name} {length}"
            );
        }
    }
}

/// Seeds with octets that were replaced by others.
fn changed() -> impl Strategy<Value = Vec<u8>> {
    let inputs: Vec<_> = committed().into_iter().map(|(_, input)| input).collect();
    let piece = select(vec![
        &b"https:"[..],
        b"http:",
        b"//",
        b"\\",
        b"@",
        b":",
        b"443",
        b"evil.example",
        b"example.org",
        b"\xff",
        b"\n",
        b"\t",
        b"#",
        b"?",
        b"%2e",
    ]);
    let change = (any::<prop::sample::Index>(), 0_usize..4, piece);
    (select(inputs), vec(change, 1..4)).prop_map(|(mut octets, changes)| {
        for (at, length, piece) in changes {
            let at = at.index(octets.len() + 1);
            let end = (at + length).min(octets.len());
            octets.splice(at..end, piece.iter().copied());
        }
        octets
    })
}

proptest! {
    #[test]
    fn seeds_with_something_wrong_in_them_keep_the_oracle(input in changed()) {
        prop_assert_eq!(autoconfig_fetch(&input), Ok(()));
    }

    #[test]
    fn keeps_the_oracle_with_any_octets(input in vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(autoconfig_fetch(&input), Ok(()));
    }
}
