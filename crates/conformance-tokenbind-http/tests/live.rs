//! The live scenarios with our own code on both sides pass.

use conformance::checks;
use conformance_tokenbind_http::PROTOCOL;

#[test]
fn passes_every_scenario_with_our_own_code_on_both_sides() {
    assert_eq!(checks::scenarios(&PROTOCOL), Ok(()));
}
