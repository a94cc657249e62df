//! The vectors pass, are all there, and are what the independent sources generate.

use conformance::checks;
use conformance_tokenbind_http::PROTOCOL;

/// Each file in `vectors`, and the number of its cases: whoever adds or removes cases changes the number here as well.
const FILES: &[(&str, usize)] = &[
    ("client-hello.json", 64),
    ("header.json", 89),
    ("origin.json", 51),
    ("redirect.json", 66),
    ("request.json", 101),
    ("sealed-token.json", 140),
    ("server-policy.json", 46),
    ("token-to-issue.json", 15),
    ("xhr.json", 12),
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
