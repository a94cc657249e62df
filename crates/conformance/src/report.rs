//! The report of a run: its findings and its verdict, as data and in words. The modules below give it its other forms.

mod difference;
mod html;
mod junit;
pub(crate) mod markdown;
mod pages;
mod summary;

use serde::Serialize;

use crate::{
    facts::Facts,
    finding::{LedgerReport, RequirementState, SuiteReport, TestsReport},
    interop::PeerReport,
    ledger::DocumentCoverage,
    part::Part,
    scenario::LiveReport,
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
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{collections::BTreeMap, fs, path::Path};

    use super::*;
    use crate::{
        evidence::{Origin, TestFailure, TestOutcome},
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

    #[cfg(feature = "schemas")]
    #[test]
    fn keeps_the_schema_whatever_ran() {
        let text = "[[requirement]]\nid='x'\nsection='1'\nlevel='MUST NOT'\ncovers={must=2}\nrole='both'\ntext='t'\n\
            status='partial'\nreason='r'\nevidence=['test:p::t', 'live:p/l']";
        let ledger = crate::Ledger::parse("d", text).expect("valid");
        for (passed, part) in [
            (true, None),
            (false, None),
            (true, Some(Part::OwnVectors)),
            (false, Some(Part::GivenVectors)),
        ] {
            let mut report = report(passed, part);
            let states = [
                (
                    CaseState::Differs,
                    EvidenceState::Passed,
                    crate::scenario::LiveState::Passed,
                ),
                (
                    CaseState::Malformed,
                    EvidenceState::DidNotRun,
                    crate::scenario::LiveState::Skipped,
                ),
                (
                    CaseState::Violated,
                    EvidenceState::LeftOut,
                    crate::scenario::LiveState::Failed,
                ),
                (
                    CaseState::Passed,
                    EvidenceState::Failed,
                    crate::scenario::LiveState::Failed,
                ),
            ];
            let requirements = states.map(|(case, evidence, live)| {
                report.suites[0].cases[0].state = case;
                report.suites[0].cases[0].actual = Some(serde_json::json!({"violated": "v"}));
                report.live.push(LiveReport {
                    name: "p/l".into(),
                    peer: None,
                    state: live,
                    detail: "d".into(),
                    seconds: 0.5,
                });
                RequirementReport {
                    requirement: ledger.requirements[0].clone(),
                    shown_by: vec![EvidenceReport {
                        name: "live:p/l".into(),
                        state: evidence,
                        detail: None,
                    }],
                    cases: 0,
                    cases_passed: 0,
                    state: match evidence {
                        EvidenceState::Passed => RequirementState::Shown,
                        EvidenceState::LeftOut => RequirementState::LeftOut,
                        EvidenceState::Failed => RequirementState::Failed,
                        EvidenceState::DidNotRun => RequirementState::NoEvidence,
                    },
                }
            });
            report.ledgers.push(LedgerReport {
                draft: "d".into(),
                document: "d".into(),
                requirements: requirements.into(),
            });
            if let Some(tests) = &mut report.tests {
                for (package, origin) in [
                    ("q", Origin::NotRecorded),
                    ("r", Origin::Recorded("c".into())),
                    ("s", Origin::Changed("c".into())),
                ] {
                    tests.packages.insert(package.into(), origin);
                }
            }
            report.coverage = crate::coverage(std::slice::from_ref(&ledger));
            report.difference = Some(Difference {
                since: "s".into(),
                changed: vec![Change {
                    name: "n".into(),
                    before: "b".into(),
                    now: "n".into(),
                }],
                added: vec!["a".into()],
                removed: Vec::new(),
            });
            assert_eq!(crate::checks::report_schema(&report), Ok(()));
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
        let since = format!("{} at {}", "", "");
        for _ in 0..2 {
            unfinished(root.path(), None).expect("written");
            let interrupted = read(None);
            assert!(interrupted.contains("not finished") && !interrupted.contains("conforms"));
            for of_programs in ["report.json", "junit.xml"] {
                let path = root.path().join("target/conformance").join(of_programs);
                assert!(!path.exists(), "{of_programs}");
            }
        }
        let mut next = report(false, None);
        next.write(root.path()).expect("written");
        let difference = next.difference.expect("the report before was kept");
        assert_eq!(difference.since, since);
        assert_eq!(difference.changed.len(), 3);
    }

    #[test]
    fn names_the_file_that_cannot_be_written() {
        let root = tempfile::tempdir().expect("a directory");
        fs::create_dir(root.path().join("target")).expect("a directory");
        fs::write(root.path().join("target/conformance"), "").expect("a file");
        let error = unfinished(root.path(), None).expect_err("an error");
        let path = root.path().join("target/conformance/index.html");
        let begin = format!("{}: ", path.display());
        assert!(error.to_string().starts_with(&begin), "{error}");
    }
}
