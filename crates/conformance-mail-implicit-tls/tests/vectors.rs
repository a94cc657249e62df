//! The vectors pass, are all there, and are what the independent sources generate.

use conformance::checks;
use conformance_mail_implicit_tls::PROTOCOL;

/// Each file in `vectors`, and the number of its cases: whoever adds or removes cases changes the number here as well.
const FILES: &[(&str, usize)] = &[
    ("autoconfig.json", 54),
    ("client-dialogue.json", 162),
    ("gateway-imap.json", 254),
    ("gateway-pop.json", 109),
    ("gateway-submission.json", 590),
    ("host-lookup.json", 122),
    ("identity.json", 247),
    ("privacy.json", 640),
    ("proxy-protocol.json", 178),
    ("received.json", 108),
    ("server-dialogue.json", 195),
    ("setup.json", 158),
    ("srv-order.json", 112),
    ("tlsa.json", 294),
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
