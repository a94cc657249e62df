//! The vectors pass, are all there, and are what the independent sources generate.

use conformance::checks;
use conformance_authres_tls::PROTOCOL;

/// Each file in `vectors`, and the number of its cases: whoever adds or removes cases changes the number here as well.
const FILES: &[(&str, usize)] = &[
    ("evaluate.json", 166),
    ("header.json", 416),
    ("lenient.json", 53),
    ("milter.json", 179),
    ("real.json", 135),
    ("strip.json", 88),
    ("tls.json", 219),
    ("write.json", 1391),
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
