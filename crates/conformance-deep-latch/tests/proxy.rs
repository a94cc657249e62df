//! The oracle of the IMAP proxy of `deep-latch` on the committed seeds and regressions of its fuzz target, on
//! the same with something wrong in them, and on what looks like commands.

use conformance_deep_latch::oracle::proxy as oracle;
use proptest::{collection::vec, prelude::*, sample::Index};

/// Seeds and regressions by path.
fn inputs() -> Vec<(String, Vec<u8>)> {
    conformance::oracle::inputs("deep_imap_proxy").expect("files that can be read")
}

#[test]
fn seeds_and_regressions_of_the_fuzz_target_keep_the_oracle() {
    let inputs = inputs();
    assert!(inputs.len() >= 40, "{} inputs", inputs.len());
    for (name, input) in inputs {
        assert_eq!(oracle::any(&input), Ok(()), "{name}");
    }
}

#[test]
fn seeds_keep_it_whatever_the_server_does_and_cut_off_at_each_byte() {
    for (name, input) in inputs() {
        let at = input.iter().position(|octet| *octet == oracle::SEPARATOR);
        let client = at.map_or(&input[..0], |at| &input[at..]);
        for choices in 0..=u8::MAX {
            let choices = [
                choices & 3,
                choices >> 2 & 3,
                choices >> 4 & 3,
                choices >> 6,
            ];
            for tls in [0, 1] {
                let input = [&[tls][..], &choices, client].concat();
                assert_eq!(oracle::any(&input), Ok(()), "{name} {choices:?}");
            }
        }
        for length in 0..input.len() {
            assert_eq!(oracle::any(&input[..length]), Ok(()), "{name} {length}");
        }
    }
}

/// Returns octets that a client may send.
fn said() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&'static [u8]> = vec![
        b"a ",
        b"b ID ",
        b"id ",
        b"(\"tls\" \"A_LIE\")",
        b"(\"TLS\" NIL)",
        b"NOOP",
        b"LOGIN ",
        b"x ",
        b" ",
        b"\t",
        b"\r\n",
        b"\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b"{22}\r\n",
        b"{22+}\r\n",
        b"{0}\r\n",
        b"{3+}\r\n",
        b"{007}\r\n",
        b"~{22}\r\n",
        b"\"",
        b"\\",
        b"(",
        b")",
        b"]",
        b"IDLE\r\n",
        b"DONE\r\n",
        b"*\r\n",
        b"AUTHENTICATE PLAIN\r\n",
        b"AGEA\r\n",
        b"APPEND x ",
        b"XFOO ",
        b"STARTTLS\r\n",
        b"COMPRESS DEFLATE\r\n",
        b"\"name\" \"x\"",
        b"({3}\r\ntls {5}\r\nA_LIE)\r\n",
        b"\xc3\xa9",
        b"\xff",
        b"NIL",
        b"b ID (\"tls\" \"A_LIE\")\r\n",
        b"a LOGIN {24+}\r\n",
        b"a LOGIN {24}\r\n",
        b"tls",
    ];
    vec(prop::sample::select(words), 0..16).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn keeps_the_oracle_for_texts_like_commands(
        tls in 0_u8..2,
        choices in vec(0_u8..4, 0..8),
        client in said(),
    ) {
        let input = [&[tls][..], &choices, &[oracle::SEPARATOR], &client].concat();
        prop_assert_eq!(oracle::any(&input), Ok(()));
    }

    #[test]
    fn keeps_the_oracle_for_any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(oracle::any(&bytes), Ok(()));
    }

    #[test]
    fn seeds_with_something_wrong_in_them_keep_the_oracle(
        seed in any::<Index>(),
        at in any::<Index>(),
        byte in any::<u8>(),
        what in 0..3,
    ) {
        let inputs = inputs();
        let mut input = seed.get(&inputs).1.clone();
        let at = at.index(input.len());
        match what {
            0 => input[at] = byte,
            1 => input.insert(at, byte),
            _ => drop(input.remove(at)),
        }
        prop_assert_eq!(oracle::any(&input), Ok(()));
    }
}
