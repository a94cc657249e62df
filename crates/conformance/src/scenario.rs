//! Live scenarios: real connections on loopback. Those with our own code on both sides run in
//! `cargo xtask conformance` and are evidence in the ledger; those with a foreign peer run in
//! `cargo xtask interop`, and may be skipped where the peer is not installed.

use std::{collections::BTreeMap, panic, path::Path, time::Instant};

use serde::{Deserialize, Serialize};

use crate::text::table;

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
    /// `true` if no other scenario may run beside it, as its figures would be wrong.
    pub alone: bool,
    /// Runs it; the repository's root is the argument. An error or a panic is a failure.
    pub run: fn(&Path) -> Result<Live, String>,
}

/// The command that prints the version of a foreign peer.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The peer's name, as scenarios name it.
    pub name: &'static str,
    /// The program and its arguments. `python3` is the project's own.
    pub version: &'static [&'static str],
}

/// The state of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

impl Live {
    /// Runs a scenario, unless something that it needs is missing.
    ///
    /// # Errors
    /// Returns the failure of the scenario.
    pub fn unless(
        missing: Option<String>,
        run: impl FnOnce() -> Result<Self, String>,
    ) -> Result<Self, String> {
        missing.map_or_else(run, |missing| Ok(Self::Skipped(missing)))
    }
}

impl Scenario {
    /// Returns a scenario with our own code on both sides.
    #[must_use]
    pub const fn ours(name: &'static str, run: fn(&Path) -> Result<Live, String>) -> Self {
        Self {
            name,
            peer: None,
            alone: false,
            run,
        }
    }

    /// Returns a scenario with a foreign peer.
    #[must_use]
    pub const fn with_peer(
        peer: &'static str,
        name: &'static str,
        run: fn(&Path) -> Result<Live, String>,
    ) -> Self {
        Self {
            name,
            peer: Some(peer),
            alone: false,
            run,
        }
    }

    /// Returns the scenario as one beside which no other may run.
    #[must_use]
    pub const fn alone(self) -> Self {
        Self {
            alone: true,
            ..self
        }
    }

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

/// The outcomes of the scenarios that were asked for.
#[derive(Clone, Debug, Serialize)]
pub struct LiveRun {
    /// The verdict.
    pub verdict: LiveVerdict,
    /// The text by which scenarios were chosen, if not all were asked for.
    pub part: Option<String>,
    /// The number of scenarios that passed.
    pub passed: usize,
    /// The number of scenarios that did not run.
    pub skipped: usize,
    /// The number of scenarios that failed.
    pub failed: usize,
    /// The scenarios.
    pub scenarios: Vec<LiveReport>,
}

/// The verdict on several scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LiveVerdict {
    /// All scenarios ran and passed.
    Passed,
    /// The scenarios that ran passed, and others did not run or were not asked for.
    PassedInPart,
    /// A scenario failed.
    Failed,
    /// No scenario ran.
    NothingRan,
}

impl LiveRun {
    /// Counts the outcomes. `part` is the text by which the scenarios were chosen, if any.
    #[must_use]
    pub fn new(scenarios: Vec<LiveReport>, part: Option<String>) -> Self {
        let count = |state| {
            let of_state = |report: &&LiveReport| report.state == state;
            scenarios.iter().filter(of_state).count()
        };
        let (passed, skipped, failed) = (
            count(LiveState::Passed),
            count(LiveState::Skipped),
            count(LiveState::Failed),
        );
        let verdict = match (passed, skipped, failed) {
            (_, _, 1..) => LiveVerdict::Failed,
            (0, _, 0) => LiveVerdict::NothingRan,
            (_, 0, 0) if part.is_none() => LiveVerdict::Passed,
            _ => LiveVerdict::PassedInPart,
        };
        Self {
            verdict,
            part,
            passed,
            skipped,
            failed,
            scenarios,
        }
    }

    /// Returns `true` if a scenario passed and none failed, and, without `may_skip`, none was skipped.
    #[must_use]
    pub const fn succeeded(&self, may_skip: bool) -> bool {
        let passed = matches!(
            self.verdict,
            LiveVerdict::Passed | LiveVerdict::PassedInPart
        );
        passed && (may_skip || self.skipped == 0)
    }

    /// Returns the summary by crate, the scenarios that did not pass, and the verdict.
    #[must_use]
    pub fn table(&self, width: u16) -> String {
        let mut text = live_table(&self.scenarios, width);
        for report in &self.scenarios {
            let (name, detail) = (&report.name, &report.detail);
            match report.state {
                LiveState::Passed => {}
                LiveState::Skipped => text += &format!("skipped {name}: {detail}\n"),
                LiveState::Failed => text += &format!("FAILED {name}: {detail}\n"),
            }
        }
        let chosen = match &self.part {
            Some(part) => format!("part of a run, scenarios with \"{part}\" in their names: "),
            None => String::new(),
        };
        let (passed, skipped, failed) = (self.passed, self.skipped, self.failed);
        text + &match self.verdict {
            LiveVerdict::NothingRan => {
                format!("{chosen}nothing ran: all {skipped} scenarios were skipped\n")
            }
            LiveVerdict::Failed => {
                format!("{chosen}{failed} failed, {passed} passed, {skipped} did not run\n")
            }
            LiveVerdict::Passed | LiveVerdict::PassedInPart if skipped == 0 => {
                format!("{chosen}all {passed} passed\n")
            }
            LiveVerdict::Passed | LiveVerdict::PassedInPart => {
                format!("{chosen}the {passed} that ran passed, {skipped} did not run\n")
            }
        }
    }
}

/// Returns the numbers of scenarios of each crate.
#[must_use]
pub fn live_table(reports: &[LiveReport], width: u16) -> String {
    let mut crates = BTreeMap::<&str, [usize; 3]>::new();
    for report in reports {
        let name = report.name.split('/').next().unwrap_or_default();
        let [passed, skipped, failed] = crates.entry(name).or_default();
        *match report.state {
            LiveState::Passed => passed,
            LiveState::Skipped => skipped,
            LiveState::Failed => failed,
        } += 1;
    }
    let mut table = table(width, &["scenarios of", "passed", "did not run", "failed"]);
    for (name, counts) in crates {
        let [passed, skipped, failed] = counts.map(|count| count.to_string());
        table.add_row([name, &passed, &skipped, &failed]);
    }
    format!("{table}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(run: fn(&Path) -> Result<Live, String>) -> (LiveState, String) {
        let report = Scenario::ours("a/b", run).report(Path::new("."));
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

    fn report(name: &str, state: LiveState) -> LiveReport {
        LiveReport {
            name: name.into(),
            peer: Some("p".into()),
            state,
            detail: "detail".into(),
            seconds: 0.0,
        }
    }

    #[test]
    fn counts_no_skipped_scenario_as_passed() {
        use LiveState::{Failed, Passed, Skipped};
        for (states, part, verdict, with_skips, without, last) in [
            (
                &[Skipped, Skipped][..],
                None,
                LiveVerdict::NothingRan,
                false,
                false,
                "nothing ran: all 2 scenarios were skipped",
            ),
            (
                &[Passed, Skipped],
                None,
                LiveVerdict::PassedInPart,
                true,
                false,
                "the 1 that ran passed, 1 did not run",
            ),
            (
                &[Passed, Failed, Skipped],
                None,
                LiveVerdict::Failed,
                false,
                false,
                "1 failed, 1 passed, 1 did not run",
            ),
            (
                &[Passed, Passed],
                None,
                LiveVerdict::Passed,
                true,
                true,
                "all 2 passed",
            ),
            (
                &[Passed],
                Some("x"),
                LiveVerdict::PassedInPart,
                true,
                true,
                "part of a run, scenarios with \"x\" in their names: all 1 passed",
            ),
        ] {
            let reports = states.iter().map(|state| report("a/b", *state)).collect();
            let run = LiveRun::new(reports, part.map(str::to_owned));
            assert_eq!(run.verdict, verdict);
            let succeeded = (run.succeeded(true), run.succeeded(false));
            assert_eq!(succeeded, (with_skips, without), "{states:?}");
            let table = run.table(80);
            assert_eq!(table.lines().last(), Some(last));
            let skipped = states.contains(&Skipped);
            assert_eq!(table.contains("\nskipped a/b: detail\n"), skipped);
            let failed = states.contains(&Failed);
            assert_eq!(table.contains("\nFAILED a/b: detail\n"), failed);
        }
    }

    #[test]
    fn shows_a_line_for_each_crate() {
        let reports = [
            report("a/b", LiveState::Passed),
            report("a/c", LiveState::Passed),
            report("d/e", LiveState::Skipped),
        ];
        let table = live_table(&reports, 80);
        let words: Vec<Vec<_>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(words[1], ["a", "2", "0", "0"]);
        assert_eq!(words[2], ["d", "0", "1", "0"]);
        assert_eq!(words.len(), 3);
    }
}
