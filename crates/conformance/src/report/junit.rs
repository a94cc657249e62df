//! The report as JUnit XML, for servers that build: a test suite for each suite of vectors, each crate's tests, the live
//! scenarios and each draft.

use std::fmt::Write as _;

use super::Report;
use crate::{
    evidence::TestOutcome,
    finding::{CaseState, EvidenceState, RequirementState},
    scenario::LiveState,
};

/// The outcome of one entry.
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// One test suite of the file.
struct Entries {
    name: String,
    entries: Vec<(String, Outcome)>,
}

/// Returns the report as JUnit XML.
pub(super) fn text(report: &Report) -> String {
    let suites = suites(report);
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let count = |is: fn(&Outcome) -> bool| -> usize {
        let outcomes = suites.iter().flat_map(|it| &it.entries);
        outcomes.filter(|(_, outcome)| is(outcome)).count()
    };
    let is_failed = |it: &Outcome| matches!(it, Outcome::Failed(_));
    text += &format!(
        "<testsuites name=\"conformance\" tests=\"{}\" failures=\"{}\" errors=\"0\" time=\"{:.3}\">\n",
        count(|_| true),
        count(is_failed),
        report.facts.seconds
    );
    for suite in &suites {
        let failed = suite.entries.iter().filter(|(_, it)| is_failed(it)).count();
        let is_skipped = |it: &&(String, Outcome)| matches!(it.1, Outcome::Skipped(_));
        let skipped = suite.entries.iter().filter(is_skipped).count();
        let name = escaped(&suite.name);
        text += &format!(
            "<testsuite name=\"{name}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\">\n",
            suite.entries.len()
        );
        for (case, outcome) in &suite.entries {
            text += &format!("<testcase classname=\"{name}\" name=\"{}\"", escaped(case));
            text += &match outcome {
                Outcome::Passed => "/>\n".to_owned(),
                Outcome::Failed(why) => {
                    // What some programs show alone.
                    let first = escaped(why.lines().next().unwrap_or_default());
                    let why = escaped(why);
                    format!("><failure message=\"{first}\">{why}</failure></testcase>\n")
                }
                Outcome::Skipped(why) => {
                    format!("><skipped message=\"{}\"/></testcase>\n", escaped(why))
                }
            };
        }
        text += "</testsuite>\n";
    }
    text + "</testsuites>\n"
}

fn suites(report: &Report) -> Vec<Entries> {
    let mut suites = Vec::new();
    for suite in &report.suites {
        let entries = suite.cases.iter().map(|case| {
            let values = [("expected", &case.expected), ("actual", &case.actual)];
            let shown = |(label, value): (&str, &Option<serde_json::Value>)| {
                value.as_ref().map(|value| format!("{label}: {value}"))
            };
            let outcome = match case.state {
                CaseState::Passed => Outcome::Passed,
                state => {
                    let shown: Vec<_> = values.into_iter().filter_map(shown).collect();
                    Outcome::Failed(format!("{}\n{}", state.label(), shown.join("\n")))
                }
            };
            (case.name.clone(), outcome)
        });
        let (name, entries) = (suite.suite.clone(), entries.collect());
        suites.push(Entries { name, entries });
    }
    if let Some(tests) = &report.tests {
        for (package, outcomes) in &tests.outcomes {
            let entries = outcomes.iter().map(|(path, outcome)| {
                let subject = format!("test:{package}::{path}");
                let mut failures = tests.failures.iter();
                let message = failures.find(|it| it.subject == subject);
                let outcome = match outcome {
                    TestOutcome::Passed => Outcome::Passed,
                    TestOutcome::Failed => {
                        Outcome::Failed(message.map(|it| it.message.clone()).unwrap_or_default())
                    }
                    TestOutcome::Ignored => Outcome::Skipped("the test is ignored".to_owned()),
                };
                (path.clone(), outcome)
            });
            let (name, entries) = (format!("tests of {package}"), entries.collect());
            suites.push(Entries { name, entries });
        }
        // Failures of executables and of the build belong to no test.
        let others = tests.failures.iter().filter(|failure| {
            let named = failure.subject.strip_prefix("test:");
            let named = named.and_then(|it| it.split_once("::"));
            named.is_none_or(|(package, path)| {
                !tests
                    .outcomes
                    .get(package)
                    .is_some_and(|it| it.contains_key(path))
            })
        });
        let entries: Vec<_> = others
            .map(|it| (it.subject.clone(), Outcome::Failed(it.message.clone())))
            .collect();
        if !entries.is_empty() {
            let name = "test executables".to_owned();
            suites.push(Entries { name, entries });
        }
    }
    let live = report.live.iter().map(|it| {
        let outcome = match it.state {
            LiveState::Passed => Outcome::Passed,
            LiveState::Failed => Outcome::Failed(it.detail.clone()),
            LiveState::Skipped => Outcome::Skipped(it.detail.clone()),
        };
        (it.name.clone(), outcome)
    });
    let live: Vec<_> = live.collect();
    if !live.is_empty() {
        let name = "live scenarios".to_owned();
        suites.push(Entries {
            name,
            entries: live,
        });
    }
    for ledger in &report.ledgers {
        let entries = ledger.requirements.iter().map(|entry| {
            let mut why = entry.evidence();
            for evidence in &entry.shown_by {
                if evidence.state != EvidenceState::Passed {
                    let detail = evidence.detail.as_deref().unwrap_or_default();
                    let (name, state) = (&evidence.name, evidence.state.label());
                    let _ = write!(why, "\n{name} {state}: {detail}");
                }
            }
            let outcome = match entry.state {
                RequirementState::Shown => Outcome::Passed,
                RequirementState::Failed => Outcome::Failed(why),
                RequirementState::LeftOut | RequirementState::NoEvidence => Outcome::Skipped(why),
            };
            (entry.requirement.id.clone(), outcome)
        });
        let name = format!("requirements of {}", ledger.draft);
        let entries = entries.collect();
        suites.push(Entries { name, entries });
    }
    let problems = report.problems.iter();
    let entries: Vec<_> = problems
        .map(|it| (it.clone(), Outcome::Failed(it.clone())))
        .collect();
    if !entries.is_empty() {
        let name = "problems".to_owned();
        suites.push(Entries { name, entries });
    }
    suites
}

/// Escapes text for XML 1.0, which has no form for most control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\n' => escaped += "&#10;",
            '\t' => escaped += "&#9;",
            it if it < ' ' || ('\u{fffe}'..='\u{ffff}').contains(&it) => escaped.push('\u{fffd}'),
            it => escaped.push(it),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn has_an_entry_for_each_case_and_test_with_its_message() {
        let text = text(&report(false, None));
        for part in [
            "<testsuites name=\"conformance\" tests=\"3\" failures=\"3\" errors=\"0\" time=\"0.000\">\n",
            "<testsuite name=\"p/a\" tests=\"1\" failures=\"1\" errors=\"0\" skipped=\"0\">\n\
             <testcase classname=\"p/a\" name=\"c\"><failure message=\"differs\">differs&#10;</failure></testcase>\n\
             </testsuite>\n",
            "<testcase classname=\"tests of p\" name=\"t\"><failure message=\"no server\">no server&#10;at all</failure>\
             </testcase>\n",
        ] {
            assert!(text.contains(part), "{text}");
        }
        let passed = super::text(&report(true, None));
        assert!(passed.contains("tests=\"3\" failures=\"0\""), "{passed}");
        assert!(passed.contains("<testcase classname=\"p/b\" name=\"c\"/>\n"));
    }

    #[test]
    fn escapes_what_xml_cannot_hold() {
        assert_eq!(
            escaped("a<b>&\"\0\u{1b}\u{ffff}é"),
            "a&lt;b&gt;&amp;&quot;\u{fffd}\u{fffd}\u{fffd}é"
        );
    }
}
