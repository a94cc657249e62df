//! A conformance run: vectors, live scenarios, the tests the ledger names, the ledger.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    evidence::{TestOutcome, TestRun, run_tests},
    ledger::{Evidence, Ledger, LedgerError, Requirement},
    protocol::Protocol,
    report::{
        CaseReport, CaseState, EvidenceReport, EvidenceState, LedgerReport, Part, Report,
        RequirementReport, RequirementState, SuiteReport, TestsReport,
    },
    scenario::{LiveReport, LiveState},
    similar::similar,
    step::Step,
    suite::{Suite, Verdict},
    vector::{Expected, Origin, VectorError, VectorFile, files},
};

/// The parts of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The repository's root.
    pub root: PathBuf,
    /// Directories of vectors to run instead of the project's own.
    pub vectors: Vec<PathBuf>,
    /// Leave out the tests and the ledger.
    pub only_vectors: bool,
}

/// The reason for which there is no report.
#[derive(Debug)]
pub enum RunError {
    /// The ledger cannot be read.
    Ledger(LedgerError),
    /// A directory of vectors cannot be read.
    Vectors(VectorError),
    /// Cargo or a file failed.
    Io(io::Error),
}

impl Options {
    /// Returns the part that is run, or `None` if everything is.
    #[must_use]
    pub fn part(&self) -> Option<Part> {
        if !self.vectors.is_empty() {
            Some(Part::GivenVectors)
        } else if self.only_vectors {
            Some(Part::OwnVectors)
        } else {
            None
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ledger(error) => error.fmt(f),
            Self::Vectors(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RunError {}

/// The root of the repository this was built in.
#[must_use]
pub fn repository() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest
        .ancestors()
        .nth(2)
        .unwrap_or(manifest)
        .to_path_buf()
}

/// Runs what `options` say of these protocols.
///
/// # Errors
/// When there is nothing to report on; what fails is in the report.
pub fn run(
    options: &Options,
    protocols: &[Protocol],
    mut progress: impl FnMut(Step<'_>),
) -> Result<Report, RunError> {
    let (paths, origin) = if options.vectors.is_empty() {
        (own_vectors(&options.root, protocols)?, Origin::Own)
    } else {
        let mut paths = Vec::new();
        for directory in &options.vectors {
            paths.extend(files(directory).map_err(RunError::Vectors)?);
        }
        (paths, Origin::Foreign)
    };
    let mut problems = Vec::new();
    let mut loaded = Vec::new();
    if paths.is_empty() {
        problems.push("there are no vectors".to_owned());
    }
    for path in paths {
        match VectorFile::load(&path, origin) {
            Ok(file) => loaded.push(file),
            Err(error) => problems.push(error.to_string()),
        }
    }
    if origin == Origin::Own {
        let named: BTreeSet<&str> = loaded.iter().map(|file| file.suite.as_str()).collect();
        let without = protocols
            .iter()
            .flat_map(Protocol::suites)
            .filter(|suite| !named.contains(suite.name));
        problems.extend(without.map(|suite| format!("no vectors for the suite {}", suite.name)));
    }
    progress(Step::Cases(
        loaded.iter().map(|file| file.cases.len()).sum(),
    ));
    let mut suites = Vec::new();
    for file in &loaded {
        let mut known = protocols.iter().flat_map(Protocol::suites);
        match known.find(|suite| suite.name == file.suite) {
            Some(suite) => suites.push(run_file(suite, file, &options.root, &mut progress)),
            None => {
                let known = protocols.iter().flat_map(Protocol::suites);
                let names: Vec<_> = known.map(|suite| suite.name).collect();
                problems.push(unknown_suite(file, &names));
            }
        }
    }
    let (mut live, mut ledgers, mut tests) = (Vec::new(), Vec::new(), None);
    let part = options.part();
    if part.is_none() {
        let directories: Vec<_> = protocols
            .iter()
            .map(|protocol| protocol.folder(&options.root).join("requirements"))
            .collect();
        let ledger = Ledger::load_all(&directories).map_err(RunError::Ledger)?;
        let ran = run_tests(&options.root, &packages(&ledger), &mut progress);
        let ran = ran.map_err(RunError::Io)?;
        let ours: Vec<_> = protocols
            .iter()
            .flat_map(Protocol::scenarios)
            .filter(|scenario| scenario.peer.is_none())
            .collect();
        progress(Step::Scenarios(ours.len()));
        for scenario in ours {
            progress(Step::Live(scenario.name));
            live.push(scenario.report(&options.root));
        }
        ledgers = check(&ledger, &suites, &ran, &live, &mut problems);
        for (is_empty, kind) in [
            (ran.count(TestOutcome::Passed) == 0, "test passed"),
            (live.is_empty(), "live scenario ran"),
            (ledgers.is_empty(), "requirement was checked"),
        ] {
            if is_empty {
                problems.push(format!("no {kind}"));
            }
        }
        tests = Some(TestsReport::from(&ran));
    }
    let passed = problems.is_empty()
        && suites.iter().all(|suite| suite.passed == suite.total)
        && tests.iter().all(|tests| tests.failures.is_empty())
        && live.iter().all(|report| report.state == LiveState::Passed)
        && ledgers
            .iter()
            .flat_map(|ledger| &ledger.requirements)
            .all(|entry| entry.state != RequirementState::Failed);
    Ok(Report::new(
        passed, part, suites, tests, live, ledgers, problems,
    ))
}

/// Returns the line about a file of a suite that does not exist.
fn unknown_suite(file: &VectorFile, names: &[&str]) -> String {
    let others = match similar(&file.suite, names) {
        Some(name) => format!("similar: {name}"),
        None => format!("there are {}", names.join(", ")),
    };
    let (path, suite) = (file.path.display(), &file.suite);
    format!("{path}: unknown suite {suite}; {others}")
}

/// Returns the project's own vector files of these protocols, in order of their paths.
///
/// # Errors
/// When a directory cannot be read.
pub fn own_vectors(root: &Path, protocols: &[Protocol]) -> Result<Vec<PathBuf>, RunError> {
    let mut paths = Vec::new();
    for protocol in protocols {
        let directory = protocol.folder(root).join("vectors");
        paths.extend(files(&directory).map_err(RunError::Vectors)?);
    }
    paths.sort();
    Ok(paths)
}

fn run_file(
    suite: &Suite,
    file: &VectorFile,
    root: &Path,
    progress: &mut impl FnMut(Step<'_>),
) -> SuiteReport {
    let cases: Vec<_> = file
        .cases
        .iter()
        .map(|case| {
            let (state, actual) = match suite.check(case, file.origin) {
                Verdict::Passed => (CaseState::Passed, None),
                Verdict::Differs(actual) => (CaseState::Differs, Some(actual)),
                Verdict::Malformed(why) => (CaseState::Malformed, Some(json!({"malformed": why}))),
                Verdict::Violated(what) => (CaseState::Violated, Some(json!({"violated": what}))),
            };
            progress(Step::Case(&case.name));
            CaseReport {
                name: case.name.clone(),
                passed: state == CaseState::Passed,
                state,
                requirements: case.requirements.clone(),
                expected: actual.is_some().then(|| expected(&case.expected)),
                actual,
            }
        })
        .collect();
    SuiteReport {
        suite: file.suite.clone(),
        file: file
            .path
            .strip_prefix(root)
            .unwrap_or(&file.path)
            .display()
            .to_string(),
        passed: cases.iter().filter(|case| case.passed).count(),
        total: cases.len(),
        malformed: count(&cases, CaseState::Malformed),
        violated: count(&cases, CaseState::Violated),
        cases,
    }
}

fn count(cases: &[CaseReport], state: CaseState) -> usize {
    cases.iter().filter(|case| case.state == state).count()
}

fn expected(expected: &Expected) -> Value {
    match expected {
        Expected::Accept(value) => json!({"accept": value}),
        Expected::Reject(reject) => {
            json!({"reject": {"kind": reject.kind, "field": reject.field, "offset": reject.offset}})
        }
    }
}

fn packages(ledgers: &[Ledger]) -> BTreeSet<String> {
    let evidence = ledgers
        .iter()
        .flat_map(|ledger| &ledger.requirements)
        .flat_map(|entry| &entry.evidence);
    evidence
        .filter_map(|evidence| match evidence {
            Evidence::Test { package, .. } => Some(package.clone()),
            Evidence::Vector { .. } | Evidence::Live { .. } => None,
        })
        .collect()
}

fn check(
    ledgers: &[Ledger],
    suites: &[SuiteReport],
    tests: &TestRun,
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
    let entry = |requirement: &Requirement| {
        let shown_by: Vec<_> = requirement
            .evidence
            .iter()
            .map(|evidence| {
                let (state, detail) = state(evidence, &cases, tests, live);
                let (name, detail) = (evidence.to_string(), detail.map(str::to_owned));
                EvidenceReport {
                    name,
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
        let evidence_passed = shown_by
            .iter()
            .all(|evidence| evidence.state == EvidenceState::Passed);
        let state = if !evidence_passed || cases_passed < all.len() {
            RequirementState::Failed
        } else if shown_by.is_empty() {
            RequirementState::NoEvidence
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
            requirements: ledger.requirements.iter().map(entry).collect(),
        })
        .collect()
}

/// A suite and the name of a case.
type Name<'a> = (&'a str, &'a str);

/// Returns the outcome of a piece of evidence, and the reason if it did not pass.
fn state<'a>(
    evidence: &Evidence,
    cases: &BTreeMap<Name<'_>, bool>,
    tests: &TestRun,
    live: &'a [LiveReport],
) -> (EvidenceState, Option<&'a str>) {
    use EvidenceState::{DidNotRun, Failed, Passed};
    match evidence {
        Evidence::Vector { suite, case } => match cases.get(&(suite.as_str(), case.as_str())) {
            Some(true) => (Passed, None),
            Some(false) => (Failed, Some("the case is listed with its outcome")),
            None => (DidNotRun, Some("there is no such case")),
        },
        Evidence::Test { package, path } => match tests.outcome(package, path) {
            Some(TestOutcome::Passed) => (Passed, None),
            Some(TestOutcome::Failed) => (Failed, Some("the test is listed with its message")),
            Some(TestOutcome::Ignored) => (DidNotRun, Some("the test is ignored")),
            None if tests.does_not_compile() => (DidNotRun, Some("the tests do not compile")),
            None => (DidNotRun, Some("no test of this name ran")),
        },
        Evidence::Live { name } => match live.iter().find(|report| report.name == *name) {
            Some(report) => match report.state {
                LiveState::Passed => (Passed, None),
                LiveState::Failed => (Failed, Some(&report.detail)),
                LiveState::Skipped => (DidNotRun, Some(&report.detail)),
            },
            None => (DidNotRun, Some("there is no such scenario")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_a_similar_suite_or_all_for_an_unknown_one() {
        let text = |suite: &str| {
            let text = format!(
                r#"{{"suite":"{suite}","source":"t","count":1,"cases":[{{"name":"a","accept":1}}]}}"#
            );
            let file = VectorFile::parse(Path::new("x.json"), &text, Origin::Foreign);
            unknown_suite(&file.expect("valid"), &["p/message", "p/id"])
        };
        assert_eq!(
            text("p/mesage"),
            "x.json: unknown suite p/mesage; similar: p/message"
        );
        assert_eq!(
            text("other"),
            "x.json: unknown suite other; there are p/message, p/id"
        );
    }

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
        };
        let (suite, file) = ("a/b".into(), "f".into());
        vec![SuiteReport {
            suite,
            file,
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
        let mut problems = Vec::new();
        let mut report = check(ledger, suites, &TestRun::default(), live, &mut problems);
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
            };
            assert_eq!(entry.state, expected, "{evidence}");
            assert_eq!(problems, Vec::<String>::new());
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
