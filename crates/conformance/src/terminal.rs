//! A report as a table for a terminal.

use std::collections::BTreeMap;

use crate::{
    finding::{EvidenceState, RequirementState},
    ledger::Status,
    report::Report,
    scenario::LiveState,
    text::{counted, passed_of, table, wrap},
};

impl Report {
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
        let header = [
            "requirements of",
            "shown",
            "failed",
            "left out",
            "no evidence",
        ];
        let mut table = table(width, &header);
        for ledger in &self.ledgers {
            table.add_row([
                ledger.draft.clone(),
                ledger.in_state(RequirementState::Shown).to_string(),
                ledger.in_state(RequirementState::Failed).to_string(),
                ledger.in_state(RequirementState::LeftOut).to_string(),
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
                if !matches!(
                    evidence.state,
                    EvidenceState::Passed | EvidenceState::LeftOut
                ) {
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
}
