//! Live scenarios: real connections on loopback. Those with our own code on both sides run in
//! `cargo xtask conformance` and are evidence in the ledger; those with a foreign peer run in
//! `cargo xtask interop`, and may be skipped where the peer is not installed.

#[cfg(feature = "live")]
mod authres_tls;
#[cfg(feature = "live")]
mod deep_latch;
#[cfg(feature = "live")]
mod deep_latch_peers;
#[cfg(feature = "live")]
pub(crate) mod outcome;
#[cfg(feature = "live")]
pub(crate) mod process;
#[cfg(feature = "live")]
mod tokenbind_http;

use std::{panic, path::Path, time::Instant};

use comfy_table::{ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use serde::Serialize;

/// The outcome of a scenario that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Live {
    /// All checks held; what was seen, in a few words.
    Passed(String),
    /// The scenario could not run; the reason, e.g. the peer is not installed.
    Skipped(String),
}

/// A scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name, `<crate>/<name>`: the evidence `live:<crate>/<name>`.
    pub name: &'static str,
    /// The foreign peer, if there is one.
    pub peer: Option<&'static str>,
    /// Runs it; the repository's root is the argument. An error or a panic is a failure.
    pub run: fn(&Path) -> Result<Live, String>,
}

/// All scenarios. Empty without the feature `live`.
#[must_use]
pub fn scenarios() -> Vec<Scenario> {
    #[cfg_attr(
        not(feature = "live"),
        expect(unused_mut, reason = "there are none to add")
    )]
    let mut scenarios = Vec::new();
    #[cfg(feature = "live")]
    {
        scenarios.extend(tokenbind_http::SCENARIOS);
        scenarios.extend(authres_tls::SCENARIOS);
        scenarios.extend(deep_latch::SCENARIOS);
        scenarios.extend(deep_latch_peers::SCENARIOS);
        scenarios.extend(crate::mail_implicit_tls::scenarios());
    }
    scenarios
}

/// The state of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LiveState {
    /// The scenario passed.
    Passed,
    /// The scenario did not run.
    Skipped,
    /// The scenario failed.
    Failed,
}

/// One scenario's outcome.
#[derive(Clone, Debug, Serialize)]
pub struct LiveReport {
    /// Its name.
    pub name: String,
    /// Its foreign peer.
    pub peer: Option<String>,
    /// The state of the scenario.
    pub state: LiveState,
    /// The observation, the reason for the skip, or the failure.
    pub detail: String,
    /// The duration in seconds.
    pub seconds: f64,
}

impl LiveState {
    /// The state as one word.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Skipped => "skipped",
            Self::Failed => "FAILED",
        }
    }
}

impl Scenario {
    /// Runs the scenario.
    #[must_use]
    pub fn report(&self, root: &Path) -> LiveReport {
        let start = Instant::now();
        let outcome = panic::catch_unwind(|| (self.run)(root)).unwrap_or_else(|panic| {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("panicked: {}", text.unwrap_or_default()))
        });
        let (state, detail) = match outcome {
            Ok(Live::Passed(seen)) => (LiveState::Passed, seen),
            Ok(Live::Skipped(why)) => (LiveState::Skipped, why),
            Err(what) => (LiveState::Failed, what),
        };
        LiveReport {
            name: self.name.to_owned(),
            peer: self.peer.map(str::to_owned),
            state,
            detail,
            seconds: start.elapsed().as_secs_f64(),
        }
    }
}

/// The width of the table in characters.
const TABLE_WIDTH: u16 = 150;

/// The reports for a terminal.
#[must_use]
pub fn live_table(reports: &[LiveReport]) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(TABLE_WIDTH);
    table.set_header(["scenario", "peer", "state", "seconds", "seen"]);
    for report in reports {
        table.add_row([
            report.name.clone(),
            report.peer.clone().unwrap_or_else(|| "ours".to_owned()),
            report.state.label().to_owned(),
            format!("{:.1}", report.seconds),
            report.detail.clone(),
        ]);
    }
    format!("{table}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(run: fn(&Path) -> Result<Live, String>) -> (LiveState, String) {
        let (name, peer) = ("a/b", None);
        let report = Scenario { name, peer, run }.report(Path::new("."));
        (report.state, report.detail)
    }

    #[test]
    fn counts_a_scenario_that_panics_or_errs_as_failed() {
        let passed = state(|_| Ok(Live::Passed("x".into())));
        assert_eq!(passed, (LiveState::Passed, "x".into()));
        let skipped = state(|_| Ok(Live::Skipped("no peer".into())));
        assert_eq!(skipped, (LiveState::Skipped, "no peer".into()));
        assert_eq!(state(|_| Err("y".into())), (LiveState::Failed, "y".into()));
        let panicked = state(|_| panic!("at the {}", "disco"));
        assert_eq!(
            panicked,
            (LiveState::Failed, "panicked: at the disco".into())
        );
    }

    #[test]
    fn names_are_unique_and_name_a_crate() {
        let mut names = std::collections::BTreeSet::new();
        for scenario in scenarios() {
            assert!(scenario.name.contains('/'), "{}", scenario.name);
            assert!(
                names.insert(scenario.name),
                "{} appears twice",
                scenario.name
            );
        }
    }
}
