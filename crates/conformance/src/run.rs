//! A conformance run: vectors, live scenarios, the tests the ledger names, the ledger.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    evidence::{TestOutcome, TestRun, run_tests},
    ledger::{Evidence, Ledger, LedgerError, Status},
    live::{LiveReport, LiveState, scenarios},
    report::{
        CaseReport, CaseState, EvidenceReport, EvidenceState, LedgerReport, Report,
        RequirementReport, SuiteReport,
    },
    suite::{Verdict, suite, suites},
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

/// The progress of a run.
#[derive(Clone, Debug)]
pub enum Step<'a> {
    /// So many cases are to come.
    Cases(usize),
    /// A case ran.
    Case(&'a str),
    /// The tests of this crate run now.
    Tests(&'a str),
    /// This live scenario runs now.
    Live(&'a str),
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

/// Runs what `options` say.
///
/// # Errors
/// When there is nothing to report on; what fails is in the report.
pub fn run(options: &Options, mut progress: impl FnMut(Step<'_>)) -> Result<Report, RunError> {
    let (paths, origin) = if options.vectors.is_empty() {
        (own_vectors(&options.root)?, Origin::Own)
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
        let without = suites()
            .into_iter()
            .filter(|suite| !named.contains(suite.name));
        problems.extend(without.map(|suite| format!("no vectors for the suite {}", suite.name)));
    }
    progress(Step::Cases(
        loaded.iter().map(|file| file.cases.len()).sum(),
    ));
    let mut suites = Vec::new();
    for file in &loaded {
        match run_file(file, &options.root, &mut progress) {
            Some(report) => suites.push(report),
            None => problems.push(format!(
                "{}: unknown suite {}",
                file.path.display(),
                file.suite
            )),
        }
    }
    let mut live = Vec::new();
    let mut ledgers = Vec::new();
    if options.vectors.is_empty() && !options.only_vectors {
        let mut directories = vec![options.root.join("docs/requirements")];
        directories.extend(evidence(&options.root, "requirements")?);
        let ledger = Ledger::load_all(&directories).map_err(RunError::Ledger)?;
        let tests = run_tests(&options.root, &packages(&ledger), |package| {
            progress(Step::Tests(package))
        })
        .map_err(RunError::Io)?;
        problems.extend(tests.failures().iter().cloned());
        for scenario in scenarios() {
            if scenario.peer.is_none() {
                progress(Step::Live(scenario.name));
                live.push(scenario.report(&options.root));
            }
        }
        ledgers = check(&ledger, &suites, &tests, &live, &mut problems);
    }
    let passed = problems.is_empty()
        && suites.iter().all(|suite| suite.passed == suite.total)
        && live.iter().all(|report| report.state == LiveState::Passed)
        && ledgers
            .iter()
            .flat_map(|ledger| &ledger.requirements)
            .all(|entry| entry.passed);
    Ok(Report {
        passed,
        suites,
        live,
        ledgers,
        problems,
    })
}

fn own_vectors(root: &Path) -> Result<Vec<PathBuf>, RunError> {
    let mut paths = Vec::new();
    let mut directories = subdirectories(&root.join("crates"), "vectors")?;
    directories.extend(evidence(root, "vectors")?);
    for directory in directories {
        paths.extend(files(&directory).map_err(RunError::Vectors)?);
    }
    paths.sort();
    Ok(paths)
}

/// Returns the directories of this name in the folders that hold all evidence of one crate.
fn evidence(root: &Path, name: &str) -> Result<Vec<PathBuf>, RunError> {
    subdirectories(&root.join("crates/conformance"), name)
}

/// Returns the directories of this name one level below `directory`.
fn subdirectories(directory: &Path, name: &str) -> Result<Vec<PathBuf>, RunError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(RunError::Io)? {
        let directory = entry.map_err(RunError::Io)?.path().join(name);
        if directory.is_dir() {
            found.push(directory);
        }
    }
    Ok(found)
}

fn run_file(
    file: &VectorFile,
    root: &Path,
    progress: &mut impl FnMut(Step<'_>),
) -> Option<SuiteReport> {
    let suite = suite(&file.suite)?;
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
    Some(SuiteReport {
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
    })
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
    let mut named = BTreeMap::<&str, usize>::new();
    for suite in suites {
        for case in &suite.cases {
            cases.insert((suite.suite.as_str(), case.name.as_str()), case.passed);
            for requirement in &case.requirements {
                *named.entry(requirement).or_default() += 1;
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
    let state = |evidence: &Evidence| match evidence {
        Evidence::Vector { suite, case } => match cases.get(&(suite.as_str(), case.as_str())) {
            Some(true) => EvidenceState::Passed,
            Some(false) => EvidenceState::Failed,
            None => EvidenceState::DidNotRun,
        },
        Evidence::Test { package, path } => match tests.outcome(package, path) {
            Some(TestOutcome::Passed) => EvidenceState::Passed,
            Some(TestOutcome::Failed) => EvidenceState::Failed,
            Some(TestOutcome::Ignored) | None => EvidenceState::DidNotRun,
        },
        Evidence::Live { name } => match live
            .iter()
            .find(|report| report.name == *name)
            .map(|report| report.state)
        {
            Some(LiveState::Passed) => EvidenceState::Passed,
            Some(LiveState::Failed) => EvidenceState::Failed,
            Some(LiveState::Skipped) | None => EvidenceState::DidNotRun,
        },
    };
    ledgers
        .iter()
        .map(|ledger| LedgerReport {
            draft: ledger.draft.clone(),
            requirements: ledger
                .requirements
                .iter()
                .map(|requirement| {
                    let shown_by: Vec<_> = requirement
                        .evidence
                        .iter()
                        .map(|evidence| EvidenceReport {
                            name: evidence.to_string(),
                            state: state(evidence),
                        })
                        .collect();
                    let passed = shown_by
                        .iter()
                        .all(|evidence| evidence.state == EvidenceState::Passed)
                        && (requirement.status != Status::Done || !shown_by.is_empty());
                    RequirementReport {
                        cases: named
                            .get(requirement.id.as_str())
                            .copied()
                            .unwrap_or_default(),
                        requirement: requirement.clone(),
                        shown_by,
                        passed,
                    }
                })
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn states(ledger: &[Ledger], suites: &[SuiteReport]) -> (bool, EvidenceState, Vec<String>) {
        let mut problems = Vec::new();
        let report = check(ledger, suites, &TestRun::default(), &[], &mut problems);
        let entry = &report[0].requirements[0];
        (entry.passed, entry.shown_by[0].state, problems)
    }

    #[test]
    fn requires_evidence_that_ran_and_passed() {
        let vector = ledger("vector:a/b/c");
        assert_eq!(
            states(&vector, &suites(true, "x")),
            (true, EvidenceState::Passed, vec![])
        );
        assert_eq!(
            states(&vector, &suites(false, "x")),
            (false, EvidenceState::Failed, vec![])
        );
        let other = ledger("vector:a/b/d");
        assert_eq!(
            states(&other, &suites(true, "x")),
            (false, EvidenceState::DidNotRun, vec![])
        );
        let live = ledger("live:p/l");
        assert_eq!(
            states(&live, &suites(true, "x")),
            (false, EvidenceState::DidNotRun, vec![])
        );
        let test = ledger("test:p::t");
        assert_eq!(
            states(&test, &suites(true, "x")),
            (false, EvidenceState::DidNotRun, vec![])
        );
    }

    #[test]
    fn reports_a_case_that_names_an_unknown_requirement() {
        let (_, _, problems) = states(&ledger("vector:a/b/c"), &suites(true, "y"));
        assert_eq!(
            problems,
            ["vectors name the requirement y, which no ledger has"]
        );
    }
}
