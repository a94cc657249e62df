//! The findings of a run: as data, as a table for a person, and as HTML.

use askama::Template;
use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};
use serde::Serialize;
use serde_json::Value;

use crate::{
    ledger::{Requirement, Status},
    live::{LiveReport, LiveState, live_table},
};

/// The findings of a conformance run.
#[derive(Clone, Debug, Serialize, Template)]
#[template(path = "report.html")]
pub struct Report {
    /// `true` if everything passed.
    pub passed: bool,
    /// The vector files.
    pub suites: Vec<SuiteReport>,
    /// The live scenarios; none if only vectors were asked for.
    pub live: Vec<LiveReport>,
    /// The ledgers; none if only vectors were asked for.
    pub ledgers: Vec<LedgerReport>,
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
    fn label(self) -> &'static str {
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
    /// The number of further cases that name the requirement.
    pub cases: usize,
    /// `true` if all its evidence ran and passed.
    pub passed: bool,
}

impl RequirementReport {
    fn status(&self) -> &'static str {
        match self.requirement.status {
            Status::Done => "done",
            Status::Partial => "partial",
            Status::NotApplicable => "not applicable",
            Status::Deviates => "deviates",
            Status::Open => "open",
        }
    }

    fn level(&self) -> String {
        serde_json::to_value(self.requirement.level)
            .ok()
            .and_then(|level| level.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}

/// One piece of evidence.
#[derive(Clone, Debug, Serialize)]
pub struct EvidenceReport {
    /// Its name.
    pub name: String,
    /// The outcome.
    pub state: EvidenceState,
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
}

impl EvidenceState {
    fn label(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::DidNotRun => "did not run",
        }
    }
}

impl LedgerReport {
    fn count(&self, status: Status) -> usize {
        let of_status = |entry: &&RequirementReport| entry.requirement.status == status;
        self.requirements.iter().filter(of_status).count()
    }

    fn failed(&self) -> usize {
        self.requirements
            .iter()
            .filter(|entry| !entry.passed)
            .count()
    }
}

impl Report {
    /// Returns the number of cases that passed, and the number of all cases.
    #[must_use]
    pub fn cases(&self) -> (usize, usize) {
        let passed = self.suites.iter().map(|suite| suite.passed).sum();
        (passed, self.suites.iter().map(|suite| suite.total).sum())
    }

    /// The report for a terminal.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        let mut table = Table::new();
        table.load_preset(UTF8_HORIZONTAL_ONLY);
        table.set_header(["vectors", "passed", "of", "malformed", "violated"]);
        for suite in &self.suites {
            table.add_row([
                &suite.suite,
                &suite.passed.to_string(),
                &suite.total.to_string(),
                &suite.malformed.to_string(),
                &suite.violated.to_string(),
            ]);
        }
        text += &format!("{table}\n");
        if !self.live.is_empty() {
            text += &live_table(&self.live);
        }
        if !self.ledgers.is_empty() {
            let mut table = Table::new();
            table.load_preset(UTF8_HORIZONTAL_ONLY);
            table.set_header([
                "requirements",
                "done",
                "partial",
                "not applicable",
                "deviates",
                "open",
                "failed",
            ]);
            for ledger in &self.ledgers {
                table.add_row([
                    ledger.draft.clone(),
                    ledger.count(Status::Done).to_string(),
                    ledger.count(Status::Partial).to_string(),
                    ledger.count(Status::NotApplicable).to_string(),
                    ledger.count(Status::Deviates).to_string(),
                    ledger.count(Status::Open).to_string(),
                    ledger.failed().to_string(),
                ]);
            }
            text += &format!("{table}\n");
        }
        for suite in &self.suites {
            for case in suite.cases.iter().filter(|case| !case.passed) {
                let (name, state) = (&case.name, case.state.label());
                text += &format!("FAILED {}/{name}: {state}\n", suite.suite);
                for (label, value) in [("expected", &case.expected), ("actual", &case.actual)] {
                    if let Some(value) = value {
                        text += &format!("  {label}: {value}\n");
                    }
                }
            }
        }
        for report in &self.live {
            if report.state != LiveState::Passed {
                text += &format!("FAILED live:{}: {}\n", report.name, report.detail);
            }
        }
        for entry in self.ledgers.iter().flat_map(|ledger| &ledger.requirements) {
            for evidence in entry
                .shown_by
                .iter()
                .filter(|e| e.state != EvidenceState::Passed)
            {
                let (id, state) = (&entry.requirement.id, evidence.state.label());
                text += &format!("FAILED {id}: {} {state}\n", evidence.name);
            }
        }
        for problem in &self.problems {
            text += &format!("FAILED {problem}\n");
        }
        let (passed, total) = self.cases();
        text + &format!(
            "{passed} of {total} cases passed{}: {}\n",
            if self.ledgers.is_empty() {
                " (the ledger was not checked)"
            } else {
                ""
            },
            if self.passed {
                "conforms"
            } else {
                "does not conform"
            }
        )
    }

    /// The report as a page of its own.
    ///
    /// # Errors
    /// Returns the template engine's error, which no report can cause.
    pub fn html(&self) -> Result<String, askama::Error> {
        self.render()
    }
}
