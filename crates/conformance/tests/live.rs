//! The live scenarios with our own code on both sides pass.

use conformance::{LiveState, live_table, repository, scenarios};

#[test]
fn passes_every_scenario_with_our_own_code_on_both_sides() {
    let ours = scenarios()
        .into_iter()
        .filter(|scenario| scenario.peer.is_none());
    let reports: Vec<_> = ours
        .map(|scenario| scenario.report(&repository()))
        .collect();
    let passed = |state| state == LiveState::Passed;
    let all = reports.iter().all(|report| passed(report.state));
    assert!(all && !reports.is_empty(), "{}", live_table(&reports));
}
