//! The findings of a run as data. The modules below give them their forms.

mod difference;
pub(crate) mod html;
mod json;
mod junit;
pub(crate) mod markdown;
mod terminal;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    evidence::{Origin, TestFailure, TestOutcome, TestRun},
    facts::Facts,
    interop::PeerReport,
    ledger::{DocumentCoverage, Evidence, Level, Requirement, Role, Status},
    picture::Picture,
    scenario::LiveReport,
    text::{counted, passed_of},
};

pub use difference::{Change, Difference};

/// The part of a run that ran, where it is not a full one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The project's own vectors.
    OwnVectors,
    /// Vectors from elsewhere.
    GivenVectors,
}

impl Part {
    /// Returns the name of the part.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::OwnVectors => "our vectors only",
            Self::GivenVectors => "the given vectors only",
        }
    }
}

/// Returns the path of the page of a full run, or of a part, below the repository's root. A part has a page of its
/// own and leaves that of the last full run as it is.
#[must_use]
pub fn page(part: Option<Part>) -> PathBuf {
    Path::new("target/conformance").join(match part {
        None => "index.html",
        Some(Part::OwnVectors) => "own-vectors.html",
        Some(Part::GivenVectors) => "given-vectors.html",
    })
}

/// Replaces the page of the run before by one that says that this run has not finished.
///
/// # Errors
/// Returns an error if the page cannot be written.
pub fn unfinished(root: &Path, part: Option<Part>) -> io::Result<()> {
    let text = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Conformance report: \
        not finished</title>\n<h1>Conformance report: not finished</h1>\n<p>The run has not finished, or was \
        interrupted. It has no verdict.</p>\n</html>\n";
    replace(&root.join(page(part)), text)
}

/// Writes a file as a whole: a reader finds the text before or this one.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(new, path)
}

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

/// One vector file.
#[derive(Clone, Debug, Serialize)]
pub struct SuiteReport {
    /// The suite.
    pub suite: String,
    /// The file.
    pub file: String,
    /// The origin of its cases.
    pub source: String,
    /// The number of cases that passed.
    pub passed: usize,
    /// The number of cases.
    pub total: usize,
    /// The number of cases that do not have the suite's form.
    pub malformed: usize,
    /// The number of cases that showed that the implementation breaks an invariant.
    pub violated: usize,
    /// Each case.
    pub cases: Vec<CaseReport>,
}

/// One case.
#[derive(Clone, Debug, Serialize)]
pub struct CaseReport {
    /// Its name.
    pub name: String,
    /// `true` if the case passed.
    pub passed: bool,
    /// The state of the case.
    pub state: CaseState,
    /// The requirements it shows.
    pub requirements: Vec<String>,
    /// The expected outcome, if the case failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    /// The actual outcome, if the case failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<Value>,
    /// The whole case, for its page.
    #[serde(skip)]
    pub detail: CaseDetail,
}

/// A case as a whole.
#[derive(Clone, Debug, Default)]
pub struct CaseDetail {
    /// The input.
    pub input: Map<String, Value>,
    /// The expected outcome.
    pub expected: Value,
    /// The actual outcome.
    pub actual: Option<Value>,
    /// The messages in the input; `None` if the suite has no annotator.
    pub pictures: Option<Vec<Picture>>,
}

/// The state of a case after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaseState {
    /// The outcome was the expected one.
    Passed,
    /// The outcome was another one.
    Differs,
    /// The case is not of the suite's form.
    Malformed,
    /// The implementation broke an invariant that holds for every input.
    Violated,
}

impl CaseState {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Differs => "differs",
            Self::Malformed => "malformed case",
            Self::Violated => "invariant violated",
        }
    }
}

/// The ledger of one draft.
#[derive(Clone, Debug, Serialize)]
pub struct LedgerReport {
    /// The draft.
    pub draft: String,
    /// The document whose sections the entries name.
    pub document: String,
    /// Its requirements.
    pub requirements: Vec<RequirementReport>,
}

/// One requirement.
#[derive(Clone, Debug, Serialize)]
pub struct RequirementReport {
    /// The entry.
    #[serde(flatten)]
    pub requirement: Requirement,
    /// The outcomes of its evidence.
    pub shown_by: Vec<EvidenceReport>,
    /// The number of cases that name the requirement or are its evidence.
    pub cases: usize,
    /// The number of those cases that passed.
    pub cases_passed: usize,
    /// The state of the requirement.
    pub state: RequirementState,
}

/// The state of a requirement after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequirementState {
    /// There is evidence, and all of it ran and passed.
    Shown,
    /// Evidence failed or did not run.
    Failed,
    /// No evidence failed, but tests were left out.
    LeftOut,
    /// The ledger has no evidence for it.
    NoEvidence,
}

/// The tests of a run.
#[derive(Clone, Debug, Serialize)]
pub struct TestsReport {
    /// The number of executables that ran.
    pub executables: usize,
    /// The number of tests that passed.
    pub passed: usize,
    /// The number of tests that failed.
    pub failed: usize,
    /// The number of tests that did not run because they are ignored.
    pub ignored: usize,
    /// The packages, and the origin of their tests' outcomes.
    pub packages: BTreeMap<String, Origin>,
    /// The packages whose tests did not run, because no requirement names them.
    pub left_out: Vec<String>,
    /// `true` if the outcomes are those of the record.
    pub recorded: bool,
    /// The failures, named by a requirement or not.
    pub failures: Vec<TestFailure>,
    /// The outcome of each test, by package and path.
    pub outcomes: BTreeMap<String, BTreeMap<String, TestOutcome>>,
}

impl From<&TestRun> for TestsReport {
    fn from(run: &TestRun) -> Self {
        let mut outcomes = BTreeMap::<_, BTreeMap<_, _>>::new();
        for (package, path, outcome) in run.outcomes() {
            let of_package = outcomes.entry(package.to_owned()).or_default();
            of_package.insert(path.to_owned(), outcome);
        }
        Self {
            outcomes,
            executables: run.executables(),
            passed: run.count(TestOutcome::Passed),
            failed: run.count(TestOutcome::Failed),
            ignored: run.count(TestOutcome::Ignored),
            packages: run
                .packages()
                .map(|(name, origin)| (name.to_owned(), origin.clone()))
                .collect(),
            left_out: run.left_out().iter().cloned().collect(),
            recorded: run.is_recorded(),
            failures: run.failures(),
        }
    }
}

impl RequirementReport {
    /// Returns the numbers of tests, scenarios and cases that show the requirement.
    #[must_use]
    pub fn evidence(&self) -> String {
        let mut parts = Vec::new();
        let (mut tests, mut scenarios) = ((0, 0), (0, 0));
        for (evidence, report) in self.requirement.evidence.iter().zip(&self.shown_by) {
            let (passed, all) = match evidence {
                Evidence::Test { .. } => &mut tests,
                Evidence::Live { .. } => &mut scenarios,
                Evidence::Vector { .. } => continue,
            };
            *passed += usize::from(report.state == EvidenceState::Passed);
            *all += 1;
        }
        let cases = (self.cases_passed, self.cases);
        for ((passed, all), noun) in [(tests, "test"), (scenarios, "scenario"), (cases, "case")] {
            if all > 0 {
                parts.push(passed_of(passed, all, noun));
            }
        }
        let missing = |it: &&EvidenceReport| {
            it.name.starts_with("vector:") && it.state == EvidenceState::DidNotRun
        };
        let missing = self.shown_by.iter().filter(missing).count();
        if missing > 0 {
            parts.push(format!("{} did not run", counted(missing, "case")));
        }
        if parts.is_empty() {
            "no evidence".to_owned()
        } else {
            parts.join(", ")
        }
    }

    /// Returns the entry's status as one word or two.
    #[must_use]
    pub fn status(&self) -> &'static str {
        status(self.requirement.status)
    }
}

/// Returns a status in words.
pub(crate) const fn status(status: Status) -> &'static str {
    match status {
        Status::Done => "done",
        Status::Partial => "partial",
        Status::NotApplicable => "not applicable",
        Status::Deviates => "deviates",
        Status::Open => "open",
    }
}

/// Returns a level as the documents write it.
pub(crate) const fn level(level: Level) -> &'static str {
    match level {
        Level::Must => "MUST",
        Level::MustNot => "MUST NOT",
        Level::Should => "SHOULD",
        Level::ShouldNot => "SHOULD NOT",
        Level::May => "MAY",
        Level::Statement => "statement",
    }
}

/// Returns a party in words.
pub(crate) const fn role(role: Role) -> &'static str {
    match role {
        Role::Client => "client",
        Role::Server => "server",
        Role::Both => "both",
        Role::Operator => "operator",
    }
}

impl RequirementState {
    /// Returns the state in words.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::Failed => "failed",
            Self::LeftOut => "left out",
            Self::NoEvidence => "no evidence",
        }
    }
}

/// One piece of evidence.
#[derive(Clone, Debug, Serialize)]
pub struct EvidenceReport {
    /// Its name.
    pub name: String,
    /// The outcome.
    pub state: EvidenceState,
    /// The reason, if it did not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The outcome of a piece of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceState {
    /// The evidence ran and passed.
    Passed,
    /// The evidence ran and failed.
    Failed,
    /// The evidence did not run: there is no such case or test, or it is ignored.
    DidNotRun,
    /// The test was not asked for, and no outcome is recorded of these sources.
    LeftOut,
}

impl EvidenceState {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::DidNotRun => "did not run",
            Self::LeftOut => "left out",
        }
    }
}

impl LedgerReport {
    pub(crate) fn count(&self, status: Status) -> usize {
        let of_status = |entry: &&RequirementReport| entry.requirement.status == status;
        self.requirements.iter().filter(of_status).count()
    }

    pub(crate) fn in_state(&self, state: RequirementState) -> usize {
        let in_state = |entry: &&RequirementReport| entry.state == state;
        self.requirements.iter().filter(in_state).count()
    }
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

    /// Writes the page to [`page`], the pages of the suites, `report.json` and `junit.xml`, and returns the path of the page
    /// below `root`. The difference is that to the report that was there.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    pub fn write(&mut self, root: &Path) -> io::Result<PathBuf> {
        let page = page(self.part);
        let directory = root.join(page.parent().unwrap_or(Path::new("")));
        let name = |full: &str, extension: &str| {
            let stem = page.file_stem().unwrap_or_default().to_string_lossy();
            let stem = if self.part.is_none() {
                full.into()
            } else {
                stem
            };
            directory.join(format!("{stem}.{extension}"))
        };
        let (json, junit) = (name("report", "json"), name("junit", "xml"));
        self.difference = difference::since(&json, self);
        html::write(self, root, &page)?;
        replace(&junit, &junit::text(self))?;
        replace(&json, &json::text(self)?)?;
        Ok(page)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

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
             without evidence. Not run: 3 tests passed as recorded at c1; doc tests; scenarios with foreign peers \
             (cargo xtask interop). Verdict: conforms, with tests as recorded."
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
             without evidence. Not run: 3 tests passed as recorded at c1; tests of q, changed since their record \
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
        let requirement = crate::Ledger::parse("d", text)
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
