//! The summary of a report: the sentences that say what ran, what did not run, and the verdict.

use std::collections::BTreeSet;

use super::Report;
use crate::{
    evidence::Origin,
    finding::{RequirementState, TestsReport},
    scenario::{LiveReport, LiveState},
    text::{counted, passed_of},
};

impl Report {
    /// Returns the sentences that say what ran, what did not run, and the verdict.
    #[must_use]
    pub fn summary(&self) -> String {
        let (passed, total) = self.cases();
        let suites = counted(self.suites.len(), "suite");
        let mut ran = vec![format!("{} in {suites}", passed_of(passed, total, "case"))];
        let (mut recorded, mut not_run) = (String::new(), Vec::new());
        if let Some(tests) = &self.tests {
            let all = tests.passed + tests.failed;
            if tests.recorded {
                recorded = recorded_tests(tests);
                not_run.extend(tests_left_out(tests));
            } else if tests.executables == 0 {
                not_run.push("tests".to_owned());
            } else {
                ran.push(format!(
                    "{} in {}",
                    passed_of(tests.passed, all, "test"),
                    counted(tests.executables, "executable")
                ));
            }
            if tests.ignored > 0 {
                not_run.push(counted(tests.ignored, "ignored test"));
            }
            if !tests.left_out.is_empty() {
                not_run.push(format!(
                    "tests of {}, which no requirement names",
                    tests.left_out.join(", ")
                ));
            }
        }
        if let Some(part) = self.part {
            not_run.push("tests, live scenarios, requirements".to_owned());
            return format!(
                "Part of a run, {}: {}. Not run: {}. Verdict: {}.",
                part.label(),
                ran.join("; "),
                not_run.join("; "),
                self.verdict.label()
            );
        }
        let live = |state| {
            let in_state = |report: &&LiveReport| report.state == state;
            self.live.iter().filter(in_state).count()
        };
        let skipped = live(LiveState::Skipped);
        let scenarios = self.live.len() - skipped;
        ran.push(passed_of(
            live(LiveState::Passed),
            scenarios,
            "live scenario",
        ));
        if skipped > 0 {
            not_run.push(counted(skipped, "skipped live scenario"));
        }
        let requirements = |state| -> usize {
            let ledgers = self.ledgers.iter();
            ledgers.map(|ledger| ledger.in_state(state)).sum()
        };
        let (shown, failed) = (
            requirements(RequirementState::Shown),
            requirements(RequirementState::Failed),
        );
        let left_out = requirements(RequirementState::LeftOut);
        ran.push(format!(
            "{shown} of {} requirements with evidence shown, {} without evidence",
            shown + failed + left_out,
            requirements(RequirementState::NoEvidence)
        ));
        if left_out > 0 {
            not_run.push(format!("a test of {}", counted(left_out, "requirement")));
        }
        not_run.push("doc tests; scenarios with foreign peers (cargo xtask interop)".to_owned());
        format!(
            "Ran: {}.{recorded} Not run: {}. Verdict: {}.",
            ran.join("; "),
            not_run.join("; "),
            self.verdict.label()
        )
    }
}

/// Returns the sentence on the tests whose outcomes are those of the record, with a space before it; empty if there are
/// none.
fn recorded_tests(tests: &TestsReport) -> String {
    let origins = tests.packages.values();
    let commits: BTreeSet<_> = origins
        .filter_map(|origin| match origin {
            Origin::Recorded(commit) => Some(commit.as_str()),
            _ => None,
        })
        .collect();
    if commits.is_empty() {
        return String::new();
    }
    let all = tests.passed + tests.failed;
    let commits: Vec<_> = commits.into_iter().collect();
    format!(
        " Recorded earlier, with the same sources: {} at {}.",
        passed_of(tests.passed, all, "test"),
        commits.join(", ")
    )
}

/// Returns the parts of the summary on tests that neither ran nor have a record of the same sources.
fn tests_left_out(tests: &TestsReport) -> Vec<String> {
    let (mut changed, mut never) = (Vec::new(), Vec::new());
    for (package, origin) in &tests.packages {
        match origin {
            Origin::Changed(_) => changed.push(package.as_str()),
            Origin::NotRecorded => never.push(package.as_str()),
            Origin::Recorded(_) | Origin::Ran => {}
        }
    }
    let mut parts = Vec::new();
    for (packages, why) in [
        (changed, "changed since their record"),
        (never, "never recorded"),
    ] {
        if !packages.is_empty() {
            parts.push(format!(
                "tests of {}, {why} (cargo xtask conformance --full)",
                packages.join(", ")
            ));
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        finding::{EvidenceReport, EvidenceState, LedgerReport, RequirementReport},
        part::Part,
        report::{Judgement, tests::report},
    };

    #[test]
    fn says_what_ran_and_what_did_not() {
        assert_eq!(
            report(true, Some(Part::OwnVectors)).summary(),
            "Part of a run, our vectors only: 2 cases passed in 2 suites. Not run: tests, live scenarios, \
             requirements. Verdict: this part passed."
        );
        assert_eq!(
            report(false, None).summary(),
            "Ran: 0 of 2 cases passed in 2 suites; 3 of 4 tests passed in 2 executables; 0 live scenarios passed; \
             0 of 0 requirements with evidence shown, 0 without evidence. Not run: 1 ignored test; tests of q, \
             which no requirement names; doc tests; scenarios with foreign peers (cargo xtask interop). \
             Verdict: does not conform."
        );
    }

    #[test]
    fn says_which_tests_are_recorded_and_which_are_left_out() {
        let given = report(true, None);
        let mut tests = given.tests.clone().expect("tests");
        tests.recorded = true;
        tests.ignored = 0;
        tests.left_out.clear();
        tests.packages = BTreeMap::from([
            ("p".into(), Origin::Recorded("c1".into())),
            ("q".into(), Origin::Recorded("c1".into())),
        ]);
        let report = |tests: TestsReport, ledgers| {
            let (suites, live) = (given.suites.clone(), Vec::new());
            Report::new(true, None, suites, Some(tests), live, ledgers, Vec::new())
        };
        let all = report(tests.clone(), Vec::new());
        assert_eq!(all.verdict, Judgement::ConformsAsRecorded);
        assert_eq!(
            all.summary(),
            "Ran: 2 cases passed in 2 suites; 0 live scenarios passed; 0 of 0 requirements with evidence shown, 0 \
             without evidence. Recorded earlier, with the same sources: 3 tests passed at c1. Not run: doc tests; \
             scenarios with foreign peers (cargo xtask interop). Verdict: conforms, with tests as recorded."
        );
        tests
            .packages
            .insert("q".into(), Origin::Changed("c1".into()));
        tests.packages.insert("r".into(), Origin::NotRecorded);
        let text = "[[requirement]]\nid='x'\nsection='1'\nlevel='MUST'\nrole='both'\ntext='t'\nstatus='done'\n\
            evidence=['test:r::t']";
        let mut ledger = crate::Ledger::parse("d", text).expect("valid");
        let entry = RequirementReport {
            requirement: ledger.requirements.remove(0),
            shown_by: vec![EvidenceReport {
                name: "test:r::t".into(),
                state: EvidenceState::LeftOut,
                detail: Some("never recorded".into()),
            }],
            cases: 0,
            cases_passed: 0,
            state: RequirementState::LeftOut,
        };
        let ledgers = vec![LedgerReport {
            draft: "d".into(),
            document: "d".into(),
            requirements: vec![entry],
        }];
        let part = report(tests, ledgers);
        assert_eq!(part.verdict, Judgement::TestsLeftOut);
        assert_eq!(
            part.summary(),
            "Ran: 2 cases passed in 2 suites; 0 live scenarios passed; 0 of 1 requirements with evidence shown, 0 \
             without evidence. Recorded earlier, with the same sources: 3 tests passed at c1. Not run: tests of q, changed since their record \
             (cargo xtask conformance --full); tests of r, never recorded (cargo xtask conformance --full); a test \
             of 1 requirement; doc tests; scenarios with foreign peers (cargo xtask interop). Verdict: vectors and \
             live scenarios passed, tests did not run."
        );
        assert!(!part.table(80).contains("FAILED"), "{}", part.table(80));
    }
}
