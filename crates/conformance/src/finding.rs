//! The findings of a run as data: vector files, tests, and requirements with their evidence.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    evidence::{Origin, TestFailure, TestOutcome, TestRun},
    ledger::{Evidence, Requirement, Status},
    picture::Picture,
    text::{counted, passed_of},
};

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

    pub(crate) fn failed(&self) -> bool {
        self.state == RequirementState::Failed
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EvidenceReport {
    /// Its name.
    pub name: String,
    /// The outcome.
    pub state: EvidenceState,
    /// The reason, if it did not pass in this run.
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
