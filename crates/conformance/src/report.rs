//! The report of a run: its findings and its verdict, as data and in words. The modules below give it its other forms.

mod difference;
mod html;
mod junit;
pub(crate) mod markdown;
mod pages;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    evidence::Origin,
    facts::Facts,
    finding::{LedgerReport, RequirementState, SuiteReport, TestsReport},
    interop::PeerReport,
    ledger::DocumentCoverage,
    part::Part,
    scenario::{LiveReport, LiveState},
    text::{counted, passed_of},
};

pub use difference::{Change, Difference};

/// The verdict of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// Everything ran and passed.
    Conforms,
    /// Vectors and live scenarios ran and passed; the tests passed when they were recorded, of the same sources.
    ConformsAsRecorded,
    /// Vectors and live scenarios ran and passed; tests that requirements name did not run.
    TestsLeftOut,
    /// Something failed or did not run.
    DoesNotConform,
    /// The part that was asked for passed.
    PartPassed,
    /// Something in the part that was asked for failed.
    PartFailed,
}

impl Judgement {
    /// Returns `true` if everything passed: vectors, live scenarios, and the tests that requirements name.
    #[must_use]
    pub const fn is_complete(self) -> bool {
        matches!(self, Self::Conforms | Self::ConformsAsRecorded)
    }

    /// Returns the verdict in words.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Conforms => "conforms",
            Self::ConformsAsRecorded => "conforms, with tests as recorded",
            Self::TestsLeftOut => "vectors and live scenarios passed, tests did not run",
            Self::DoesNotConform => "does not conform",
            Self::PartPassed => "this part passed",
            Self::PartFailed => "this part failed",
        }
    }
}

/// The findings of a conformance run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Commit, toolchain, date and duration.
    pub facts: Facts,
    /// `true` if everything that was asked for ran and passed.
    pub passed: bool,
    /// The part that was asked for, or `None` if everything was.
    pub part: Option<Part>,
    /// The verdict. A part conforms to nothing.
    pub verdict: Judgement,
    /// The vector files.
    pub suites: Vec<SuiteReport>,
    /// The tests; `None` if only vectors were asked for.
    pub tests: Option<TestsReport>,
    /// The live scenarios; none if only vectors were asked for.
    pub live: Vec<LiveReport>,
    /// The ledgers; none if only vectors were asked for.
    pub ledgers: Vec<LedgerReport>,
    /// The key words of each document, and the entries that cover them.
    pub coverage: Vec<DocumentCoverage>,
    /// The scenarios with foreign peers, as they were last run by `cargo xtask interop`.
    pub peers: Vec<PeerReport>,
    /// The difference to the report that was there before; `None` until the report is written, or if there was none.
    pub difference: Option<Difference>,
    /// Problems other than single cases and entries, e.g. a file that cannot be read.
    pub problems: Vec<String>,
}

impl Report {
    /// Puts the findings together; the verdict follows from `passed` and `part`.
    #[must_use]
    pub fn new(
        passed: bool,
        part: Option<Part>,
        suites: Vec<SuiteReport>,
        tests: Option<TestsReport>,
        live: Vec<LiveReport>,
        ledgers: Vec<LedgerReport>,
        problems: Vec<String>,
    ) -> Self {
        let left_out = ledgers
            .iter()
            .any(|ledger| ledger.in_state(RequirementState::LeftOut) > 0);
        let recorded = tests.as_ref().is_some_and(|tests| tests.recorded);
        let verdict = match (part, passed) {
            (None, true) if left_out => Judgement::TestsLeftOut,
            (None, true) if recorded => Judgement::ConformsAsRecorded,
            (None, true) => Judgement::Conforms,
            (None, false) => Judgement::DoesNotConform,
            (Some(_), true) => Judgement::PartPassed,
            (Some(_), false) => Judgement::PartFailed,
        };
        Self {
            facts: Facts::default(),
            passed,
            part,
            verdict,
            suites,
            tests,
            live,
            ledgers,
            coverage: Vec::new(),
            peers: Vec::new(),
            difference: None,
            problems,
        }
    }

    /// Returns the number of cases that passed, and the number of all cases.
    #[must_use]
    pub fn cases(&self) -> (usize, usize) {
        let passed = self.suites.iter().map(|suite| suite.passed).sum();
        (passed, self.suites.iter().map(|suite| suite.total).sum())
    }

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
pub(crate) mod tests {
    use std::{collections::BTreeMap, fs, path::Path};

    use super::*;
    use crate::{
        evidence::{TestFailure, TestOutcome},
        finding::{
            CaseDetail, CaseReport, CaseState, EvidenceReport, EvidenceState, RequirementReport,
        },
        part::{page, unfinished},
    };

    pub(crate) fn report(passed: bool, part: Option<Part>) -> Report {
        let suite = |suite: &str| SuiteReport {
            suite: suite.into(),
            file: "f.json".into(),
            source: "s".into(),
            passed: usize::from(passed),
            total: 1,
            malformed: 0,
            violated: 0,
            cases: vec![CaseReport {
                name: "c".into(),
                passed,
                state: if passed {
                    CaseState::Passed
                } else {
                    CaseState::Differs
                },
                requirements: Vec::new(),
                expected: None,
                actual: None,
                detail: CaseDetail::default(),
            }],
        };
        let tests = part.is_none().then(|| TestsReport {
            executables: 2,
            passed: 3,
            failed: usize::from(!passed),
            ignored: 1,
            packages: BTreeMap::from([("p".into(), Origin::Ran)]),
            left_out: vec!["q".into()],
            outcomes: BTreeMap::from([(
                "p".into(),
                BTreeMap::from([(
                    "t".into(),
                    if passed {
                        TestOutcome::Passed
                    } else {
                        TestOutcome::Failed
                    },
                )]),
            )]),
            recorded: false,
            failures: if passed {
                Vec::new()
            } else {
                vec![TestFailure {
                    subject: "test:p::t".into(),
                    message: "no server\nat all".into(),
                    next: "apt-get install postgresql".into(),
                }]
            },
        });
        let suites = vec![suite("p/a"), suite("p/b")];
        Report::new(
            passed,
            part,
            suites,
            tests,
            Vec::new(),
            Vec::new(),
            Vec::new(),
        )
    }

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

    #[test]
    fn marks_a_part_in_json_and_in_the_page() {
        for (part, passed, in_json, verdict, title) in [
            (None, true, "null", "conforms", "Conformance report"),
            (
                Some(Part::OwnVectors),
                true,
                "\"own-vectors\"",
                "part-passed",
                "Part of a conformance report",
            ),
            (
                Some(Part::GivenVectors),
                false,
                "\"given-vectors\"",
                "part-failed",
                "Part of a conformance report",
            ),
        ] {
            let report = report(passed, part);
            let json = serde_json::to_string(&report).expect("JSON");
            assert!(json.contains(&format!("\"part\":{in_json},\"verdict\":\"{verdict}\"")));
            let html = html::index(&report, Path::new(".")).expect("HTML");
            assert!(html.contains(&format!("<title>{title}")), "{html}");
            assert_eq!(html.contains(">conforms<"), part.is_none());
        }
    }

    #[test]
    fn shows_each_message_and_the_next_command() {
        let table = report(false, None).table(80);
        let expected =
            "FAILED test:p::t\n  no server\n  at all\n  next: apt-get install postgresql\n";
        assert!(table.contains(expected), "{table}");
        assert!(
            table.contains("FAILED p/a/c: differs (f.json)\n"),
            "{table}"
        );
        let html = html::index(&report(false, None), Path::new(".")).expect("HTML");
        assert!(html.contains("apt-get install postgresql"));
    }

    #[test]
    fn fits_the_width_and_collapses_what_passed() {
        for width in [40, 80] {
            let table = report(true, None).table(width);
            for line in table.lines() {
                assert!(line.chars().count() <= width.into(), "{line}");
            }
        }
        let table = report(true, None).table(80);
        let rows: Vec<_> = table.lines().take_while(|line| !line.is_empty()).collect();
        assert_eq!(rows.len(), 2);
        assert!(rows[1].contains("2 cases passed"), "{table}");
    }

    #[test]
    fn reports_tests_that_did_not_run_once() {
        let text = "[[requirement]]\nid='x'\nsection='1'\nlevel='MUST'\nrole='both'\ntext='t'\nstatus='done'\n\
            evidence=['test:p::t']";
        let requirement = crate::ledger::Ledger::parse("d", text)
            .expect("valid")
            .requirements
            .remove(0);
        let entry = RequirementReport {
            requirement,
            shown_by: vec![EvidenceReport {
                name: "test:p::t".into(),
                state: EvidenceState::DidNotRun,
                detail: Some("the tests do not compile".into()),
            }],
            cases: 0,
            cases_passed: 0,
            state: RequirementState::Failed,
        };
        let mut report = report(false, None);
        report.ledgers.push(LedgerReport {
            draft: "d".into(),
            document: "d".into(),
            requirements: vec![entry.clone(), entry],
        });
        assert_eq!(
            report
                .table(80)
                .matches("FAILED x: 0 of 1 test passed\n")
                .count(),
            2
        );
        if let Some(tests) = &mut report.tests {
            (tests.executables, tests.passed, tests.failed) = (0, 0, 0);
        }
        let table = report.table(80);
        let once = "FAILED 2 requirements with tests as evidence: no test ran\n";
        assert!(
            table.contains(once) && !table.contains("FAILED x"),
            "{table}"
        );
        assert!(report.summary().contains("Not run: tests; "));
    }

    #[test]
    fn leaves_no_page_of_an_earlier_run_and_none_of_another_part() {
        let root = tempfile::tempdir().expect("a directory");
        let read = |part| fs::read_to_string(root.path().join(page(part))).expect("a page");
        report(true, None).write(root.path()).expect("written");
        let full = read(None);
        assert!(full.contains(">conforms<"));
        for part in [Part::OwnVectors, Part::GivenVectors] {
            unfinished(root.path(), Some(part)).expect("written");
            report(true, Some(part))
                .write(root.path())
                .expect("written");
        }
        assert_eq!(read(None), full);
        unfinished(root.path(), None).expect("written");
        let interrupted = read(None);
        assert!(interrupted.contains("not finished") && !interrupted.contains("conforms"));
    }
}
