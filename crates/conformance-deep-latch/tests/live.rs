//! The live scenarios with our own code on both sides pass.

use conformance::{LiveRun, LiveVerdict, repository};
use conformance_deep_latch::PROTOCOL;

#[test]
fn passes_every_scenario_with_our_own_code_on_both_sides() {
    let ours = PROTOCOL
        .scenarios()
        .filter(|scenario| scenario.peer.is_none());
    let reports: Vec<_> = ours
        .map(|scenario| scenario.report(&repository()))
        .collect();
    let run = LiveRun::new(reports, None);
    assert_eq!(run.verdict, LiveVerdict::Passed, "{}", run.table(80));
}
