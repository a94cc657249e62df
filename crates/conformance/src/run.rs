//! A conformance run: vectors, live scenarios, the tests the ledger names, the ledger.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    path::{Path, PathBuf},
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    at_once::{LiveEvent, at_once, run_scenarios},
    evidence::{TestOutcome, TestRun, recorded_tests, run_tests},
    facts::Facts,
    finding::{CaseDetail, CaseReport, CaseState, RequirementState, SuiteReport, TestsReport},
    interop,
    judge::{check, left_out, tests_named},
    ledger::{DocumentCoverage, Ledger, LedgerError, coverage},
    locate::TestPlaces,
    part::Part,
    picture::Annotator,
    protocol::Protocol,
    report::Report,
    scenario::{LiveReport, LiveState, Scenario},
    selection::Selection,
    similar::similar,
    step::Step,
    suite::{Suite, Verdict},
    text::counted,
    vector::{Expected, Origin, VectorError, VectorFile, files},
};

/// The time after which it is reported that live scenarios still run.
const SILENCE: Duration = Duration::from_secs(1);

/// The parts of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The repository's root.
    pub root: PathBuf,
    /// Directories of vectors to run instead of the project's own.
    pub vectors: Vec<PathBuf>,
    /// Leave out the tests and the ledger.
    pub only_vectors: bool,
    /// The tests that the ledger names.
    pub tests: Tests,
}

/// The source of the outcomes of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tests {
    /// Build and run the tests.
    Run,
    /// Take the outcomes that were recorded, and leave out the tests without one.
    Recorded,
    /// Take the outcomes that were recorded. A test without one is a failure.
    RequireRecorded,
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
    /// Returns the options of a run of the project's own vectors and nothing else.
    #[must_use]
    pub fn own_vectors(root: PathBuf) -> Self {
        Self {
            root,
            vectors: Vec::new(),
            only_vectors: true,
            tests: Tests::Recorded,
        }
    }

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

/// Runs what `options` say of these protocols.
///
/// # Errors
/// When there is nothing to report on; what fails is in the report.
pub fn run(
    options: &Options,
    protocols: &[Protocol],
    mut progress: impl FnMut(Step<'_>),
) -> Result<Report, RunError> {
    let start = Instant::now();
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
        let directories: Vec<_> = options.vectors.iter().map(|it| it.display()).collect();
        problems.push(match directories.as_slice() {
            [] => "there are no vectors".to_owned(),
            [directory] => format!("there are no files *.json in {directory}"),
            several => format!("there are no files *.json in any of {several:?}"),
        });
    }
    for path in paths {
        match VectorFile::load(&path, origin) {
            Ok(file) => loaded.push(file),
            Err(error) => problems.push(error.to_string()),
        }
    }
    problems.extend(suites_with_two_files(&loaded));
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
            Some(suite) => {
                let mut annotators = protocols.iter().flat_map(|it| it.annotators);
                let annotator = annotators.find(|it| it.suite == suite.name);
                let report = run_file(suite, annotator, file, &options.root, &mut progress);
                suites.push(report);
            }
            None => {
                let known = protocols.iter().flat_map(Protocol::suites);
                let names: Vec<_> = known.map(|suite| suite.name).collect();
                problems.push(unknown_suite(file, &names));
            }
        }
    }
    let (mut live, mut ledgers, mut tests) = (Vec::new(), Vec::new(), None);
    let (mut covered, mut peers) = (Vec::new(), Vec::new());
    let part = options.part();
    if part.is_none() {
        let ledger = read_ledgers(&options.root, protocols)?;
        covered = coverage(&ledger);
        problems.extend(covered.iter().flat_map(DocumentCoverage::problems));
        peers = interop::last(&options.root, protocols);
        let named = tests_named(&ledger);
        let ours: Vec<_> = protocols
            .iter()
            .flat_map(Protocol::scenarios)
            .filter(|scenario| scenario.peer.is_none())
            .collect();
        let both = match options.tests {
            Tests::Run => beside_tests(&options.root, named, &ours, &mut progress),
            Tests::Recorded | Tests::RequireRecorded => {
                recorded_tests(&options.root, &named).map(|ran| {
                    progress(Step::Scenarios(ours.len()));
                    let live = run_scenarios(&options.root, &ours, at_once(), |event| {
                        scenario_step(event, &mut progress);
                    });
                    (ran, live)
                })
            }
        };
        let (ran, reports) = both.map_err(RunError::Io)?;
        live = reports;
        ledgers = check(
            &ledger,
            &suites,
            &ran,
            &mut TestPlaces::new(&options.root),
            &live,
            &mut problems,
        );
        let needs_tests = options.tests != Tests::Recorded;
        for (is_empty, kind) in [
            (
                needs_tests && ran.count(TestOutcome::Passed) == 0,
                "test passed",
            ),
            (live.is_empty(), "live scenario ran"),
            (ledgers.is_empty(), "requirement was checked"),
        ] {
            if is_empty {
                problems.push(format!("no {kind}"));
            }
        }
        let without = left_out(&ledgers);
        if needs_tests && without > 0 {
            problems.push(format!(
                "{} with a test of which no outcome is recorded for these sources: cargo xtask test",
                counted(without, "requirement")
            ));
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
    let mut report = Report::new(passed, part, suites, tests, live, ledgers, problems);
    report.coverage = covered;
    report.peers = peers;
    report.facts = Facts::of(&options.root, start);
    Ok(report)
}

/// Runs the tests that requirements name, and the live scenarios beside their executables, one after another: most of both
/// wait. The tests are built first, which takes all processors.
fn beside_tests(
    root: &Path,
    named: BTreeMap<String, BTreeSet<String>>,
    scenarios: &[Scenario],
    progress: &mut impl FnMut(Step<'_>),
) -> io::Result<(TestRun, Vec<LiveReport>)> {
    let (begin, begun) = channel::<()>();
    let (sender, names) = channel();
    thread::scope(|scope| {
        let live = scope.spawn(move || {
            // The sender goes away when the executables start, or when there are none.
            let _ = begun.recv();
            run_scenarios(root, scenarios, 1, |event| {
                if let LiveEvent::Begins(scenario) = event {
                    // Names are received until all scenarios have ended.
                    let _ = sender.send(scenario.name);
                }
            })
        });
        let mut begin = Some(begin);
        let ran = run_tests(root, &Selection::Named(named), |step| {
            if matches!(step, Step::Executables(_)) {
                begin = None;
            }
            progress(step);
        });
        drop(begin);
        progress(Step::Scenarios(scenarios.len()));
        loop {
            match names.recv_timeout(SILENCE) {
                Ok(name) => progress(Step::Live(name)),
                Err(RecvTimeoutError::Timeout) => progress(Step::Waiting),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let live = live.join();
        let live =
            live.map_err(|_| io::Error::other("the run of the live scenarios ended early"))?;
        Ok((ran?, live))
    })
}

/// Shows what a scenario of ours did.
fn scenario_step(event: LiveEvent<'_>, progress: &mut impl FnMut(Step<'_>)) {
    match event {
        LiveEvent::Begins(scenario) => progress(Step::Live(scenario.name)),
        LiveEvent::Ended(_) => {}
        LiveEvent::Waiting => progress(Step::Waiting),
    }
}

/// Reads the ledgers of these protocols.
pub(crate) fn read_ledgers(root: &Path, protocols: &[Protocol]) -> Result<Vec<Ledger>, RunError> {
    let directories: Vec<_> = protocols
        .iter()
        .map(|protocol| protocol.folder(root).join("requirements"))
        .collect();
    Ledger::load_all(&directories).map_err(RunError::Ledger)
}

/// Returns a line for each file of a suite that another file has: the cases of the one would hide those of the other.
fn suites_with_two_files(files: &[VectorFile]) -> Vec<String> {
    let mut first = BTreeMap::<&str, &Path>::new();
    let twice = files.iter().filter_map(|file| {
        let known = first.insert(&file.suite, &file.path)?;
        let (path, known) = (file.path.display(), known.display());
        Some(format!(
            "{path}: the suite {} is also that of {known}",
            file.suite
        ))
    });
    twice.collect()
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
    annotator: Option<&Annotator>,
    file: &VectorFile,
    root: &Path,
    progress: &mut impl FnMut(Step<'_>),
) -> SuiteReport {
    let cases: Vec<_> = file
        .cases
        .iter()
        .map(|case| {
            let (verdict, outcome) = suite.judge(case, file.origin);
            let (state, actual) = match verdict {
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
                detail: CaseDetail {
                    input: case.input.clone(),
                    expected: expected(&case.expected),
                    actual: outcome.or_else(|| actual.clone()),
                    pictures: annotator.map(|it| (it.draw)(&case.input)),
                },
                actual,
            }
        })
        .collect();
    SuiteReport {
        suite: file.suite.clone(),
        source: file.source.clone(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_files_of_a_suite_that_has_two() {
        let file = |path: &str, suite: &str| VectorFile {
            path: path.into(),
            origin: Origin::Foreign,
            suite: suite.into(),
            source: String::new(),
            cases: Vec::new(),
        };
        let files = [file("a", "p/s"), file("b", "p/t"), file("c", "p/s")];
        let expected = ["c: the suite p/s is also that of a"];
        assert_eq!(suites_with_two_files(&files), expected);
    }

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
}
