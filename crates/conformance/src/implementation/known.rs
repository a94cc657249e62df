//! Peers whose differences from the vectors are known: a new one is a failure, and so is one that is gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde::Deserialize;

use super::{
    ANSWER_DEADLINE, AnswerState, ImplementationOptions, ImplementationReport, run_implementation,
};
use crate::{
    answer::Comparison, generator::python, protocol::Protocol, scenario::Live, vector::Origin,
};

/// Runs `python/implementation.py` of a protocol, a second implementation that shares nothing with the crate, on suites.
///
/// # Errors
/// Returns the trouble with the script, or the cases in which it differs.
pub fn second_implementation(
    root: &Path,
    protocol: &Protocol,
    suites: &[&str],
    comparison: Comparison,
) -> Result<Live, String> {
    let interpreter = match python(root) {
        Ok(interpreter) => interpreter,
        Err(missing) => return Ok(Live::Skipped(missing.to_string())),
    };
    let script = protocol.folder(root).join("python/implementation.py");
    let command = format!("'{}' '{}'", interpreter.display(), script.display());
    let none = KnownDifferences::default();
    none.check(root, protocol, &command, suites, comparison)
        .map(Live::Passed)
}

/// The known differences of a peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownDifferences {
    /// The cases that fail, by the reason for the difference and by suite.
    #[serde(default)]
    pub differs: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    /// The number of unsupported cases of each suite.
    #[serde(default)]
    pub unsupported: BTreeMap<String, usize>,
}

impl KnownDifferences {
    /// Runs a peer on suites of a protocol, and returns the numbers of its cases in words.
    ///
    /// # Errors
    /// Returns the trouble with the peer, or the differences that are new or gone.
    pub fn check(
        &self,
        root: &Path,
        protocol: &Protocol,
        command: &str,
        suites: &[&str],
        comparison: Comparison,
    ) -> Result<String, String> {
        let vectors = protocol.folder(root).join("vectors");
        let file = |suite: &&str| {
            let name = suite.rsplit('/').next().unwrap_or_default();
            vectors.join(format!("{name}.json"))
        };
        let options = ImplementationOptions {
            command: command.to_owned(),
            files: suites.iter().map(file).collect(),
            origin: Origin::Own,
            suites: suites.iter().map(|suite| (*suite).to_owned()).collect(),
            comparison,
            deadline: ANSWER_DEADLINE,
        };
        let report = run_implementation(&options, std::slice::from_ref(protocol), |_| ())
            .map_err(|error| error.to_string())?;
        let problems = self.problems(&report);
        if problems.is_empty() {
            let (passed, failed, unsupported) = (report.passed, report.failed, report.unsupported);
            Ok(format!(
                "{passed} answers as expected, {failed} known differences, {unsupported} unsupported"
            ))
        } else {
            Err(problems.join("\n"))
        }
    }

    /// Returns what is not as known.
    fn problems(&self, report: &ImplementationReport) -> Vec<String> {
        let mut problems: Vec<_> = report.trouble.clone().into_iter().collect();
        let mut known = BTreeMap::new();
        for (reason, suites) in &self.differs {
            for (suite, cases) in suites {
                for case in cases {
                    if known
                        .insert((suite.as_str(), case.as_str()), reason)
                        .is_some()
                    {
                        problems.push(format!("{suite} {case}: known for two reasons"));
                    }
                }
            }
        }
        for suite in &report.suites {
            for case in &suite.cases {
                let is_known = known
                    .remove(&(suite.suite.as_str(), case.name.as_str()))
                    .is_some();
                let (name, failed) = (&case.name, case.state == AnswerState::Failed);
                match (is_known, failed, &case.expected, &case.actual) {
                    (false, true, Some(expected), Some(actual)) => problems.push(format!(
                        "{} {name}: a new difference: expected {expected}, actual {actual}",
                        suite.suite
                    )),
                    (true, false, _, _) => {
                        problems.push(format!("{} {name}: no longer a difference", suite.suite));
                    }
                    _ => {}
                }
            }
            let unsupported = self
                .unsupported
                .get(&suite.suite)
                .copied()
                .unwrap_or_default();
            if suite.unsupported != unsupported {
                problems.push(format!(
                    "{}: {} cases are unsupported, {unsupported} are known",
                    suite.suite, suite.unsupported
                ));
            }
        }
        let gone = known
            .keys()
            .map(|(suite, case)| format!("{suite} {case}: no such case"));
        problems.extend(gone);
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::implementation::{AnsweredCase, AnsweredSuite};
    use serde_json::json;

    fn report(states: &[(&str, AnswerState)]) -> ImplementationReport {
        let mut suite = AnsweredSuite::new("p/s", std::path::Path::new("f"));
        for (name, state) in states {
            suite.push(AnsweredCase {
                name: (*name).to_owned(),
                state: *state,
                input: None,
                expected: Some(json!(1)),
                actual: Some(json!(2)),
                hint: None,
            });
        }
        let options = ImplementationOptions {
            command: "c".into(),
            files: Vec::new(),
            origin: Origin::Own,
            suites: vec!["p/s".into()],
            comparison: Comparison::Given,
            deadline: ANSWER_DEADLINE,
        };
        ImplementationReport::new(&options, vec![suite], states.len(), None)
    }

    #[test]
    fn reports_new_differences_and_those_that_are_gone() {
        use AnswerState::{Failed, Passed, Unsupported};
        let known = json!({"differs": {"why": {"p/s": ["a", "b"]}}, "unsupported": {"p/s": 1}});
        let known: KnownDifferences = serde_json::from_value(known).expect("known");
        for (states, problems) in [
            (
                &[
                    ("a", Failed),
                    ("b", Failed),
                    ("c", Passed),
                    ("d", Unsupported),
                ][..],
                &[][..],
            ),
            (
                &[
                    ("a", Failed),
                    ("b", Passed),
                    ("c", Failed),
                    ("d", Unsupported),
                ],
                &[
                    "p/s b: no longer a difference",
                    "p/s c: a new difference: expected 1, actual 2",
                ],
            ),
            (
                &[("a", Failed), ("d", Passed)],
                &[
                    "p/s: 0 cases are unsupported, 1 are known",
                    "p/s b: no such case",
                ],
            ),
            (
                &[("a", Unsupported), ("b", Failed)],
                &["p/s a: no longer a difference"],
            ),
        ] {
            assert_eq!(known.problems(&report(states)), problems);
        }
        let mut more = report(&[
            ("a", Failed),
            ("b", Failed),
            ("c", Unsupported),
            ("d", Unsupported),
        ]);
        more.trouble = Some("it ended".into());
        assert_eq!(
            known.problems(&more),
            ["it ended", "p/s: 2 cases are unsupported, 1 are known"]
        );
        let twice = json!({"differs": {"why": {"p/s": ["a"]}, "also": {"p/s": ["a"]}}});
        let twice: KnownDifferences = serde_json::from_value(twice).expect("known");
        assert_eq!(
            twice.problems(&report(&[("a", Failed)])),
            ["p/s a: known for two reasons"]
        );
    }
}
