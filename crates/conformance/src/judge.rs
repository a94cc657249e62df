//! The ledgers, held against what ran: the state of each requirement.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    evidence::{Origin as TestOrigin, TestOutcome, TestRun},
    finding::{
        EvidenceReport, EvidenceState, LedgerReport, RequirementReport, RequirementState,
        SuiteReport,
    },
    ledger::{Evidence, Ledger, Requirement},
    locate::TestPlaces,
    scenario::{LiveReport, LiveState},
};

/// Returns the tests that are evidence, by package.
pub(crate) fn tests_named(ledgers: &[Ledger]) -> BTreeMap<String, BTreeSet<String>> {
    let mut named = BTreeMap::<_, BTreeSet<_>>::new();
    let entries = ledgers.iter().flat_map(|ledger| &ledger.requirements);
    for evidence in entries.flat_map(|entry| &entry.evidence) {
        if let Evidence::Test { package, path } = evidence {
            let tests = named.entry(package.clone()).or_default();
            tests.insert(path.clone());
        }
    }
    named
}

/// Returns the number of requirements that lack the outcome of a test.
pub(crate) fn left_out(ledgers: &[LedgerReport]) -> usize {
    let entries = ledgers.iter().flat_map(|ledger| &ledger.requirements);
    let lacks = |entry: &&RequirementReport| {
        let mut evidence = entry.shown_by.iter();
        evidence.any(|it| it.state == EvidenceState::LeftOut)
    };
    entries.filter(lacks).count()
}

/// Returns the state of each requirement. A test of which no outcome counts is looked up in the sources. Adds a problem for each requirement that a case names and no ledger has.
pub(crate) fn check(
    ledgers: &[Ledger],
    suites: &[SuiteReport],
    tests: &TestRun,
    places: &mut TestPlaces<'_>,
    live: &[LiveReport],
    problems: &mut Vec<String>,
) -> Vec<LedgerReport> {
    let mut cases = BTreeMap::new();
    let mut named = BTreeMap::<&str, BTreeSet<Name>>::new();
    for suite in suites {
        for case in &suite.cases {
            let name = (suite.suite.as_str(), case.name.as_str());
            cases.insert(name, case.passed);
            for requirement in &case.requirements {
                named.entry(requirement).or_default().insert(name);
            }
        }
    }
    let known: BTreeSet<&str> = ledgers
        .iter()
        .flat_map(|ledger| &ledger.requirements)
        .map(|requirement| requirement.id.as_str())
        .collect();
    for id in named.keys().filter(|id| !known.contains(*id)) {
        problems.push(format!(
            "vectors name the requirement {id}, which no ledger has"
        ));
    }
    let mut entry = |requirement: &Requirement| {
        let shown_by: Vec<_> = requirement
            .evidence
            .iter()
            .map(|evidence| {
                let (state, detail) = state(evidence, &cases, tests, places, live);
                EvidenceReport {
                    name: evidence.to_string(),
                    state,
                    detail,
                }
            })
            .collect();
        // A case that both names the requirement and is its evidence is one case.
        let mut all = named
            .get(requirement.id.as_str())
            .cloned()
            .unwrap_or_default();
        all.extend(requirement.evidence.iter().filter_map(|it| match it {
            Evidence::Vector { suite, case } => Some((suite.as_str(), case.as_str())),
            Evidence::Test { .. } | Evidence::Live { .. } => None,
        }));
        let all: Vec<_> = all.iter().filter_map(|name| cases.get(name)).collect();
        let cases_passed = all.iter().filter(|passed| ***passed).count();
        let in_state = |state| shown_by.iter().any(|evidence| evidence.state == state);
        let failed = in_state(EvidenceState::Failed) || in_state(EvidenceState::DidNotRun);
        let state = if failed || cases_passed < all.len() {
            RequirementState::Failed
        } else if shown_by.is_empty() {
            RequirementState::NoEvidence
        } else if in_state(EvidenceState::LeftOut) {
            RequirementState::LeftOut
        } else {
            RequirementState::Shown
        };
        RequirementReport {
            requirement: requirement.clone(),
            shown_by,
            cases: all.len(),
            cases_passed,
            state,
        }
    };
    ledgers
        .iter()
        .map(|ledger| LedgerReport {
            draft: ledger.draft.clone(),
            document: ledger.document.clone(),
            requirements: ledger.requirements.iter().map(&mut entry).collect(),
        })
        .collect()
}

/// A suite and the name of a case.
type Name<'a> = (&'a str, &'a str);

/// Returns the outcome of a piece of evidence, and the reason if it did not pass in this run.
fn state(
    evidence: &Evidence,
    cases: &BTreeMap<Name<'_>, bool>,
    tests: &TestRun,
    places: &mut TestPlaces<'_>,
    live: &[LiveReport],
) -> (EvidenceState, Option<String>) {
    use EvidenceState::{DidNotRun, Failed, Passed};
    let because = |state, why: &str| (state, Some(why.to_owned()));
    match evidence {
        Evidence::Vector { suite, case } => match cases.get(&(suite.as_str(), case.as_str())) {
            Some(true) => (Passed, None),
            Some(false) => because(Failed, "the case is listed with its outcome"),
            None => because(DidNotRun, "there is no such case"),
        },
        Evidence::Test { package, path } => match test_state(package, path, tests) {
            // It was renamed or removed: a run of the tests would not find it either.
            (EvidenceState::LeftOut, _) if places.find(package, path).is_none() => {
                because(DidNotRun, "no test of this name is in the sources")
            }
            state => state,
        },
        Evidence::Live { name } => match live.iter().find(|report| report.name == *name) {
            Some(report) => match report.state {
                LiveState::Passed => (Passed, None),
                LiveState::Failed => because(Failed, &report.detail),
                LiveState::Skipped => because(DidNotRun, &report.detail),
            },
            None => because(DidNotRun, "there is no such scenario"),
        },
    }
}

fn test_state(package: &str, path: &str, tests: &TestRun) -> (EvidenceState, Option<String>) {
    use EvidenceState::{DidNotRun, Failed, LeftOut, Passed};
    let recorded = match tests.origin(package) {
        Some(TestOrigin::Recorded(commit)) => Some(format!("recorded at {commit}")),
        Some(TestOrigin::Changed(commit)) => {
            let why = format!("recorded at {commit}, and the sources have changed since");
            return (LeftOut, Some(why));
        }
        Some(TestOrigin::NotRecorded) => return (LeftOut, Some("never recorded".to_owned())),
        Some(TestOrigin::Ran) | None => None,
    };
    let (state, why) = match tests.outcome(package, path) {
        Some(TestOutcome::Passed) => (Passed, None),
        Some(TestOutcome::Failed) => (Failed, Some("the test is listed with its message")),
        Some(TestOutcome::Ignored) => (DidNotRun, Some("the test is ignored")),
        None if tests.does_not_compile() => (DidNotRun, Some("the tests do not compile")),
        None if recorded.is_some() => (LeftOut, Some("no test of this name is among those")),
        None => (DidNotRun, Some("no test of this name ran")),
    };
    let parts: Vec<_> = why.map(str::to_owned).into_iter().chain(recorded).collect();
    (state, Some(parts.join(", ")).filter(|it| !it.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{CaseDetail, CaseReport, CaseState};

    fn ledger(evidence: &str) -> Vec<Ledger> {
        let text = format!(
            "[[requirement]]\nid='x'\nsection='1'\nlevel='MUST'\nrole='both'\ntext='t'\nstatus='done'\nevidence=['{evidence}']"
        );
        vec![Ledger::parse("d", &text).expect("valid")]
    }

    fn suites(passed: bool, requirement: &str) -> Vec<SuiteReport> {
        let case = CaseReport {
            name: "c".into(),
            passed,
            state: if passed {
                CaseState::Passed
            } else {
                CaseState::Differs
            },
            requirements: vec![requirement.into()],
            expected: None,
            actual: None,
            detail: CaseDetail::default(),
        };
        let (suite, file) = ("a/b".into(), "f".into());
        vec![SuiteReport {
            suite,
            file,
            source: String::new(),
            passed: passed.into(),
            total: 1,
            malformed: 0,
            violated: 0,
            cases: vec![case],
        }]
    }

    fn checked(
        ledger: &[Ledger],
        suites: &[SuiteReport],
        live: &[LiveReport],
    ) -> (RequirementReport, Vec<String>) {
        checked_with(ledger, suites, &TestRun::default(), live)
    }

    fn checked_with(
        ledger: &[Ledger],
        suites: &[SuiteReport],
        tests: &TestRun,
        live: &[LiveReport],
    ) -> (RequirementReport, Vec<String>) {
        let root = tempfile::tempdir().expect("a directory");
        let folder = root.path().join("crates/p/tests");
        std::fs::create_dir_all(&folder).expect("a directory");
        std::fs::write(folder.join("a.rs"), "fn t() {}\n").expect("a file");
        let (mut problems, mut places) = (Vec::new(), TestPlaces::new(root.path()));
        let mut report = check(ledger, suites, tests, &mut places, live, &mut problems);
        (report.remove(0).requirements.remove(0), problems)
    }

    #[test]
    fn requires_evidence_that_ran_and_passed() {
        let skipped = LiveReport {
            name: "p/skipped".into(),
            peer: None,
            state: LiveState::Skipped,
            detail: "not installed".into(),
            seconds: 0.0,
        };
        use EvidenceState::{DidNotRun, Failed, Passed};
        for (evidence, case_passes, state, detail) in [
            ("vector:a/b/c", true, Passed, None),
            (
                "vector:a/b/c",
                false,
                Failed,
                Some("the case is listed with its outcome"),
            ),
            (
                "vector:a/b/d",
                true,
                DidNotRun,
                Some("there is no such case"),
            ),
            (
                "live:p/l",
                true,
                DidNotRun,
                Some("there is no such scenario"),
            ),
            ("live:p/skipped", true, DidNotRun, Some("not installed")),
            (
                "test:p::t",
                true,
                DidNotRun,
                Some("no test of this name ran"),
            ),
        ] {
            let live = std::slice::from_ref(&skipped);
            let (entry, problems) = checked(&ledger(evidence), &suites(case_passes, "x"), live);
            let [shown_by] = entry.shown_by.as_slice() else {
                panic!("{entry:?}");
            };
            assert_eq!(
                (shown_by.state, shown_by.detail.as_deref()),
                (state, detail)
            );
            let expected = match state {
                Passed => RequirementState::Shown,
                Failed | DidNotRun => RequirementState::Failed,
                EvidenceState::LeftOut => RequirementState::LeftOut,
            };
            assert_eq!(entry.state, expected, "{evidence}");
            assert_eq!(problems, Vec::<String>::new());
        }
    }

    #[test]
    fn counts_recorded_tests_of_the_same_sources_and_leaves_out_the_others() {
        use EvidenceState::{DidNotRun, Failed, LeftOut, Passed};
        let recorded = TestOrigin::Recorded("c".to_owned());
        for (origin, outcome, state, detail) in [
            (
                &recorded,
                Some(TestOutcome::Passed),
                Passed,
                "recorded at c",
            ),
            (
                &recorded,
                Some(TestOutcome::Failed),
                Failed,
                "the test is listed with its message, recorded at c",
            ),
            (
                &recorded,
                Some(TestOutcome::Ignored),
                DidNotRun,
                "the test is ignored, recorded at c",
            ),
            (
                &recorded,
                None,
                LeftOut,
                "no test of this name is among those, recorded at c",
            ),
            (
                &TestOrigin::Changed("c".to_owned()),
                None,
                LeftOut,
                "recorded at c, and the sources have changed since",
            ),
            (&TestOrigin::NotRecorded, None, LeftOut, "never recorded"),
        ] {
            let tests = TestRun::of_package("p", origin.clone(), outcome.map(|it| ("t", it)));
            let (entry, _) = checked_with(&ledger("test:p::t"), &[], &tests, &[]);
            let [shown_by] = entry.shown_by.as_slice() else {
                panic!("{entry:?}");
            };
            let found = (shown_by.state, shown_by.detail.as_deref());
            assert_eq!(found, (state, Some(detail)));
            let of_entry = match state {
                Passed => RequirementState::Shown,
                Failed | DidNotRun => RequirementState::Failed,
                LeftOut => RequirementState::LeftOut,
            };
            assert_eq!(entry.state, of_entry, "{detail}");
        }
    }

    #[test]
    fn fails_a_requirement_whose_test_no_source_has() {
        for origin in [
            TestOrigin::Recorded("c".to_owned()),
            TestOrigin::Changed("c".to_owned()),
            TestOrigin::NotRecorded,
        ] {
            let tests = TestRun::of_package("p", origin, None);
            let (entry, _) = checked_with(&ledger("test:p::renamed"), &[], &tests, &[]);
            let expected = EvidenceReport {
                name: "test:p::renamed".into(),
                state: EvidenceState::DidNotRun,
                detail: Some("no test of this name is in the sources".into()),
            };
            assert_eq!(entry.shown_by, [expected]);
            assert_eq!(entry.state, RequirementState::Failed);
        }
    }

    #[test]
    fn counts_each_case_of_a_requirement_once() {
        // The case is evidence, whether it names the requirement or another.
        for named in ["x", "y"] {
            let (entry, _) = checked(&ledger("vector:a/b/c"), &suites(true, named), &[]);
            assert_eq!((entry.cases, entry.cases_passed), (1, 1));
            assert_eq!(entry.evidence(), "1 case passed");
        }
    }

    #[test]
    fn fails_a_requirement_whose_other_case_failed() {
        let mut suites = suites(false, "x");
        let passes = CaseReport {
            name: "d".into(),
            passed: true,
            state: CaseState::Passed,
            requirements: Vec::new(),
            expected: None,
            actual: None,
            detail: CaseDetail::default(),
        };
        suites[0].cases.push(passes);
        let (entry, _) = checked(&ledger("vector:a/b/d"), &suites, &[]);
        assert_eq!(entry.state, RequirementState::Failed);
        assert_eq!(entry.evidence(), "1 of 2 cases passed");
    }

    #[test]
    fn counts_no_requirement_without_evidence_as_shown() {
        let text = "[[requirement]]\nid='x'\nsection='1'\nlevel='MAY'\nrole='both'\ntext='t'\n\
            status='not-applicable'\nreason='r'";
        let ledger = [Ledger::parse("d", text).expect("valid")];
        let (entry, _) = checked(&ledger, &[], &[]);
        assert_eq!(entry.state, RequirementState::NoEvidence);
        assert_eq!(entry.evidence(), "no evidence");
    }

    #[test]
    fn reports_a_case_that_names_an_unknown_requirement() {
        let (_, problems) = checked(&ledger("vector:a/b/c"), &suites(true, "y"), &[]);
        assert_eq!(
            problems,
            ["vectors name the requirement y, which no ledger has"]
        );
    }
}
