//! The vectors pass, are all there, and are what the independent sources generate.

use conformance::checks;
use conformance_deep_latch::PROTOCOL;

/// Each file in `vectors`, and the number of its cases: whoever adds or removes cases changes the number here as well.
const FILES: &[(&str, usize)] = &[
    ("delivery-status.json", 19),
    ("imap-capability.json", 21),
    ("imap-commands.json", 108),
    ("imap-id.json", 153),
    ("imap-proxy.json", 57),
    ("latch.json", 295),
    ("pop-capa.json", 30),
    ("proxy.json", 82),
    ("registration.json", 38),
    ("relay.json", 22),
    ("security-latch.json", 89),
    ("smtp-client.json", 58),
    ("smtp-ehlo.json", 31),
    ("status.json", 209),
    ("tag.json", 67),
    ("tls-cipher.json", 69),
];

#[test]
fn runs_every_case_of_every_file_and_all_pass() {
    assert_eq!(checks::cases(&PROTOCOL, FILES), Ok(()));
}

#[test]
fn regenerates_the_known_answers_to_the_same_bytes() {
    assert_eq!(checks::generators(&PROTOCOL), Ok(()));
}

#[test]
fn has_a_schema_for_each_file_that_the_file_keeps() {
    assert_eq!(checks::schemas(&PROTOCOL), Ok(FILES.len()));
}
