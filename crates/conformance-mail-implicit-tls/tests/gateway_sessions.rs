//! The oracle of a gateway's sessions on sessions that are put together from pieces, and on the sessions of the vectors.

use conformance::oracle::replay;
use conformance_mail_implicit_tls::oracle;
use mail_implicit_tls::service::Protocol;
use proptest::{collection::vec, prelude::*, sample::select};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn keeps_the_oracle_on_sessions_of_imap(
        octets in sessions(IMAP), choices in vec(any::<u8>(), 0..12), advertises in any::<bool>(),
    ) {
        prop_assert_eq!(oracle::session(Protocol::Imap, advertises, &choices, &octets), Ok(()));
    }

    #[test]
    fn keeps_the_oracle_on_sessions_of_pop(
        octets in sessions(POP), choices in vec(any::<u8>(), 0..12), advertises in any::<bool>(),
    ) {
        prop_assert_eq!(oracle::session(Protocol::Pop, advertises, &choices, &octets), Ok(()));
    }

    #[test]
    fn keeps_the_oracle_on_any_octets(data in vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(oracle::gateway_octets(&data), Ok(()));
    }
}

#[test]
fn seeds_and_regressions_of_the_fuzz_targets_keep_the_oracle() {
    let keep = |data: &[u8]| oracle::gateway_octets(data);
    let replayed = replay(&keep).expect("the oracle holds");
    assert!(replayed > 200, "{replayed} files");
}

/// Parts of sessions of IMAP.
const IMAP: &[&str] = &[
    "a LOGIN x y\r\n",
    "b LOGIN {1}\r\nx {2+}\r\nyz\r\n",
    "c LOGIN \"{5}\" {3}\r\n\r\n\"\r\n",
    "d AUTHENTICATE PLAIN\r\n",
    "e authenticate SCRAM-SHA-256 biws\r\n",
    "f AUTHENTICATE SCRAM-SHA-256-PLUS\r\n",
    "g AUTHENTICATE EXTERNAL =\r\n",
    "AGFsaWNlAHNlY3JldA==\r\n",
    "*\r\n",
    "\r\n",
    "h NOOP\r\n",
    "i CAPABILITY\r\n",
    "j ID (\"name\" \"x\" \"tls\" \"A_LIE\")\r\n",
    "k ID ({4+}\r\nname {3}\r\na\r\n)\r\n",
    "l ID NIL\r\n",
    "m LANGUAGE de\r\n",
    "n LOGOUT\r\n",
    "o SELECT {9+}\r\np NOOP\r\n\r\n",
    "q SELECT {9}\r\n",
    "u LOGIN {1+}\r\nx {2}\r\n",
    "CAPABILITY NOOP\r\n",
    "proxy NOOP\r\n",
    "r STARTTLS\r\n",
    "s UNAUTHENTICATE\r\n",
    "t LOGIN {4097+}\r\n",
    "a LOGIN ",
    "{3}\r\n",
    "{0+}\r\n",
    " \"x\"",
    "x NOOP",
    "\r\n",
    "\r",
    "\n",
    "\0",
    "\u{e9}",
    " ",
    "(",
    "*",
    "{",
];

/// Parts of sessions of POP.
const POP: &[&str] = &[
    "USER x\r\n",
    "PASS y z\r\n",
    "APOP x c4c9334bac560ecc979e58001b3e22fb\r\n",
    "AUTH\r\n",
    "AUTH PLAIN\r\n",
    "auth XOAUTH2 eA==\r\n",
    "AUTH EXTERNAL =\r\n",
    "AUTH SCRAM-SHA-256-PLUS\r\n",
    "AGFsaWNlAHNlY3JldA==\r\n",
    "*\r\n",
    "CAPA\r\n",
    "UTF8\r\n",
    "LANG\r\n",
    "LANG de\r\n",
    "QUIT\r\n",
    "STLS\r\n",
    "XCLIENT ADDR=192.0.2.9\r\n",
    "STAT\r\n",
    "USER ",
    "\r\n",
    "\r",
    "\n",
    "\0",
    "\u{e9}",
    " ",
    ".",
];

fn sessions(pieces: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    vec(select(pieces), 0..14).prop_map(|parts| parts.concat().into_bytes())
}
