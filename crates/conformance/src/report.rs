//! The findings of a run: as data, as a table for a person, and as HTML.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use askama::Template;
use serde::Serialize;
use serde_json::Value;

use crate::{
    evidence::{TestFailure, TestOutcome, TestRun},
    ledger::{Evidence, Requirement, Status},
    scenario::{LiveReport, LiveState},
    text::{counted, passed_of, table, wrap},
};

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
fn replace(path: &Path, text: &str) -> io::Result<()> {
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
            Self::DoesNotConform => "does not conform",
            Self::PartPassed => "this part passed",
            Self::PartFailed => "this part failed",
        }
    }
}

/// The findings of a conformance run.
#[derive(Clone, Debug, Serialize, Template)]
#[template(path = "report.html")]
pub struct Report {
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
    /// The packages whose tests ran.
    pub packages: Vec<String>,
    /// The packages whose tests did not run, because no requirement names them.
    pub left_out: Vec<String>,
    /// The failures, named by a requirement or not.
    pub failures: Vec<TestFailure>,
}

impl From<&TestRun> for TestsReport {
    fn from(run: &TestRun) -> Self {
        Self {
            executables: run.executables(),
            passed: run.count(TestOutcome::Passed),
            failed: run.count(TestOutcome::Failed),
            ignored: run.count(TestOutcome::Ignored),
            packages: run.packages().iter().cloned().collect(),
            left_out: run.left_out().iter().cloned().collect(),
            failures: run.failures().to_vec(),
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

    fn failed(&self) -> bool {
        self.state == RequirementState::Failed
    }

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

    fn in_state(&self, state: RequirementState) -> usize {
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
        let verdict = match (part, passed) {
            (None, true) => Judgement::Conforms,
            (None, false) => Judgement::DoesNotConform,
            (Some(_), true) => Judgement::PartPassed,
            (Some(_), false) => Judgement::PartFailed,
        };
        Self {
            passed,
            part,
            verdict,
            suites,
            tests,
            live,
            ledgers,
            problems,
        }
    }

    /// Returns the number of cases that passed, and the number of all cases.
    #[must_use]
    pub fn cases(&self) -> (usize, usize) {
        let passed = self.suites.iter().map(|suite| suite.passed).sum();
        (passed, self.suites.iter().map(|suite| suite.total).sum())
    }

    /// Returns the report for a terminal of this width: a line for each protocol and draft, each failure, and the
    /// verdict.
    #[must_use]
    pub fn table(&self, width: u16) -> String {
        let mut text = self.by_protocol(width);
        if !self.ledgers.is_empty() {
            text += &format!("\n{}", self.by_draft(width));
        }
        let failures = self.failures();
        if !failures.is_empty() {
            text += &format!("\n{failures}");
        }
        text + &format!("\n{}\n", wrap(width, &self.summary()))
    }

    fn by_protocol(&self, width: u16) -> String {
        let mut protocols = BTreeMap::<&str, [usize; 5]>::new();
        let first = |name: &str| name.split('/').next().unwrap_or_default().len();
        for suite in &self.suites {
            let name = suite.suite.get(..first(&suite.suite)).unwrap_or_default();
            let [suites, passed, cases, ..] = protocols.entry(name).or_default();
            *suites += 1;
            *passed += suite.passed;
            *cases += suite.total;
        }
        for report in &self.live {
            let name = report.name.get(..first(&report.name)).unwrap_or_default();
            let [.., passed, scenarios] = protocols.entry(name).or_default();
            *passed += usize::from(report.state == LiveState::Passed);
            *scenarios += 1;
        }
        let header = ["protocol", "suites", "cases", "live scenarios"];
        let columns = if self.live.is_empty() { 3 } else { 4 };
        let mut table = table(width, header.get(..columns).unwrap_or_default());
        for (name, [suites, passed, cases, live, scenarios]) in protocols {
            let row = [
                name.to_owned(),
                suites.to_string(),
                passed_of(passed, cases, "case"),
                match scenarios {
                    0 => "none".to_owned(),
                    _ => passed_of(live, scenarios, "scenario"),
                },
            ];
            table.add_row(row.into_iter().take(columns));
        }
        format!("{table}\n")
    }

    fn by_draft(&self, width: u16) -> String {
        let header = ["requirements of", "shown", "failed", "no evidence"];
        let mut table = table(width, &header);
        for ledger in &self.ledgers {
            table.add_row([
                ledger.draft.clone(),
                ledger.in_state(RequirementState::Shown).to_string(),
                ledger.in_state(RequirementState::Failed).to_string(),
                ledger.in_state(RequirementState::NoEvidence).to_string(),
            ]);
        }
        let statuses = [
            (Status::Done, "done"),
            (Status::Partial, "partial"),
            (Status::Deviates, "deviating"),
            (Status::Open, "open"),
            (Status::NotApplicable, "not applicable"),
        ];
        let statuses: Vec<_> = statuses
            .into_iter()
            .map(|(status, label)| {
                let counts = self.ledgers.iter().map(|ledger| ledger.count(status));
                format!("{} {label}", counts.sum::<usize>())
            })
            .collect();
        let statuses = format!("Status in the ledgers: {}.", statuses.join(", "));
        format!("{table}\n{}\n", wrap(width, &statuses))
    }

    fn failures(&self) -> String {
        let mut text = String::new();
        for suite in &self.suites {
            for case in suite.cases.iter().filter(|case| !case.passed) {
                let (name, state) = (&case.name, case.state.label());
                text += &format!("FAILED {}/{name}: {state} ({})\n", suite.suite, suite.file);
                for (label, value) in [("expected", &case.expected), ("actual", &case.actual)] {
                    if let Some(value) = value {
                        text += &format!("  {label}: {value}\n");
                    }
                }
            }
        }
        for failure in self.tests.iter().flat_map(|tests| &tests.failures) {
            let message = failure.message.replace('\n', "\n  ");
            text += &format!(
                "FAILED {}\n  {message}\n  next: {}\n",
                failure.subject, failure.next
            );
        }
        for report in &self.live {
            let (name, detail) = (&report.name, &report.detail);
            match report.state {
                LiveState::Passed => {}
                LiveState::Skipped => {
                    text += &format!("FAILED live:{name} did not run: {detail}\n")
                }
                LiveState::Failed => text += &format!("FAILED live:{name}: {detail}\n"),
            }
        }
        let no_test_ran = self.tests.iter().any(|tests| tests.executables == 0);
        let mut untested = 0_usize;
        for entry in self.ledgers.iter().flat_map(|ledger| &ledger.requirements) {
            let id = &entry.requirement.id;
            // One cause is reported once.
            let only_tests_lack = entry.cases == entry.cases_passed
                && entry.shown_by.iter().all(|it| {
                    it.state == EvidenceState::Passed
                        || it.state == EvidenceState::DidNotRun && it.name.starts_with("test:")
                });
            if no_test_ran && only_tests_lack {
                untested += usize::from(entry.failed());
                continue;
            }
            if entry.state == RequirementState::Failed {
                text += &format!("FAILED {id}: {}\n", entry.evidence());
            }
            for evidence in &entry.shown_by {
                if evidence.state != EvidenceState::Passed {
                    let (name, state) = (&evidence.name, evidence.state.label());
                    let detail = evidence.detail.as_deref().unwrap_or_default();
                    text += &format!("  {name} {state}: {detail}\n");
                }
            }
        }
        if untested > 0 {
            let requirements = counted(untested, "requirement");
            text += &format!("FAILED {requirements} with tests as evidence: no test ran\n");
        }
        for problem in &self.problems {
            text += &format!("FAILED {problem}\n");
        }
        text
    }

    /// Returns the sentences that say what ran, what did not run, and the verdict.
    #[must_use]
    pub fn summary(&self) -> String {
        let (passed, total) = self.cases();
        let suites = counted(self.suites.len(), "suite");
        let mut ran = vec![format!("{} in {suites}", passed_of(passed, total, "case"))];
        let mut not_run = Vec::new();
        if let Some(tests) = &self.tests {
            let all = tests.passed + tests.failed;
            if tests.executables == 0 {
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
        ran.push(format!(
            "{shown} of {} requirements with evidence shown, {} without evidence",
            shown + failed,
            requirements(RequirementState::NoEvidence)
        ));
        not_run.push("doc tests; scenarios with foreign peers (cargo xtask interop)".to_owned());
        format!(
            "Ran: {}. Not run: {}. Verdict: {}.",
            ran.join("; "),
            not_run.join("; "),
            self.verdict.label()
        )
    }

    /// Returns the report as a page of its own.
    ///
    /// # Errors
    /// Returns the template engine's error, which no report can cause.
    pub fn html(&self) -> Result<String, askama::Error> {
        self.render()
    }

    /// Writes the page to [`page`] and returns its path below `root`.
    ///
    /// # Errors
    /// Returns an error if the page cannot be written.
    pub fn write(&self, root: &Path) -> io::Result<PathBuf> {
        let page = page(self.part);
        let text = self.html().map_err(io::Error::other)?;
        replace(&root.join(&page), &text)?;
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(passed: bool, part: Option<Part>) -> Report {
        let suite = |suite: &str| SuiteReport {
            suite: suite.into(),
            file: "f.json".into(),
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
            }],
        };
        let tests = part.is_none().then(|| TestsReport {
            executables: 2,
            passed: 3,
            failed: usize::from(!passed),
            ignored: 1,
            packages: vec!["p".into()],
            left_out: vec!["q".into()],
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
            let html = report.html().expect("HTML");
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
        let html = report(false, None).html().expect("HTML");
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
