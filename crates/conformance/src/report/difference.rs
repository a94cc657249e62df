//! The difference of a report to the one before.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Serialize;
use serde_json::Value;

/// The difference to the report before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The commit and the date of the report before.
    pub since: String,
    /// The names that have another verdict now.
    pub changed: Vec<Change>,
    /// The names that were not there before.
    pub added: Vec<String>,
    /// The names that are not there any more.
    pub removed: Vec<String>,
}

/// A name with another verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The name, with its kind before it: `vector:`, `test:`, `live:` or `requirement:`.
    pub name: String,
    /// The verdict before.
    pub before: String,
    /// The verdict now.
    pub now: String,
}

impl Difference {
    /// Returns `true` if nothing has changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.added.is_empty() && self.removed.is_empty()
    }
}

/// Returns the difference to the report in this file, or `None` if the file is absent or malformed.
pub(super) fn since(path: &Path, report: &impl Serialize) -> Option<Difference> {
    let before = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
    let now = serde_json::to_value(report).ok()?;
    Some(between(&before, &now))
}

fn between(before: &Value, now: &Value) -> Difference {
    let facts = |field: &str| before["facts"][field].as_str().unwrap_or("unknown");
    let since = format!("{} at {}", facts("date"), facts("commit"));
    let (before, mut now) = (verdicts(before), verdicts(now));
    let (mut changed, mut removed) = (Vec::new(), Vec::new());
    for (name, before) in before {
        match now.remove(&name) {
            None => removed.push(name),
            Some(now) if now != before => changed.push(Change { name, before, now }),
            Some(_) => {}
        }
    }
    Difference {
        since,
        changed,
        added: now.into_keys().collect(),
        removed,
    }
}

/// Returns the verdict of each case, test, scenario and requirement.
fn verdicts(report: &Value) -> BTreeMap<String, String> {
    let mut verdicts = BTreeMap::new();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for suite in list(&report["suites"]) {
        for case in list(&suite["cases"]) {
            let name = format!("vector:{}/{}", text(&suite["suite"]), text(&case["name"]));
            verdicts.insert(name, text(&case["state"]));
        }
    }
    let tests = report["tests"]["outcomes"].as_object();
    for (package, outcomes) in tests.into_iter().flatten() {
        for (path, outcome) in outcomes.as_object().into_iter().flatten() {
            verdicts.insert(format!("test:{package}::{path}"), text(outcome));
        }
    }
    for live in list(&report["live"]) {
        verdicts.insert(
            format!("live:{}", text(&live["name"])),
            text(&live["state"]),
        );
    }
    for ledger in list(&report["ledgers"]) {
        for entry in list(&ledger["requirements"]) {
            let name = format!("requirement:{}", text(&entry["id"]));
            let (status, state) = (text(&entry["status"]), text(&entry["state"]));
            verdicts.insert(name, format!("{status}, {state}"));
        }
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::tests::report;

    #[test]
    fn names_what_changed_what_is_new_and_what_is_gone() {
        let before = report(true, None);
        let mut now = report(false, None);
        now.suites.remove(0);
        let mut case = now.suites[0].cases[0].clone();
        case.name = "new".into();
        now.suites[0].cases.push(case);
        let json = |report| serde_json::to_value(report).expect("JSON");
        let (before, now) = (json(before), json(now));
        let difference = between(&before, &now);
        let change = |name: &str, before: &str, now: &str| Change {
            name: name.into(),
            before: before.into(),
            now: now.into(),
        };
        let changed = [
            change("test:p::t", "passed", "failed"),
            change("vector:p/b/c", "passed", "differs"),
        ];
        assert_eq!(difference.changed, changed);
        assert_eq!(difference.added, ["vector:p/b/new"]);
        assert_eq!(difference.removed, ["vector:p/a/c"]);
        assert!(between(&now, &now).is_empty());
    }

    #[test]
    fn compares_scenarios_and_requirements_both_ways_and_names_the_run_before() {
        let report = |commit: &str, live: &str, status: &str, state: &str| {
            json!({
                "facts": {"date": "today", "commit": commit},
                "live": [{"name": "p/l", "peer": "q", "state": live}],
                "ledgers": [{"requirements": [{"id": "r-1", "status": status, "state": state}]}],
            })
        };
        let reports = [
            ("c1", "failed", "done", "shown"),
            ("c2", "passed", "partial", "shown"),
        ];
        for [before, now] in [[0, 1], [1, 0]].map(|order| order.map(|it| reports[it])) {
            let value = |of: (&str, &str, &str, &str)| report(of.0, of.1, of.2, of.3);
            let difference = between(&value(before), &value(now));
            let change = |name: &str, before: &str, now: &str| Change {
                name: name.into(),
                before: before.into(),
                now: now.into(),
            };
            let requirement = |of: (&str, &str, &str, &str)| format!("{}, {}", of.2, of.3);
            let expected = Difference {
                since: format!("today at {}", before.0),
                changed: vec![
                    change("live:p/l", before.1, now.1),
                    change("requirement:r-1", &requirement(before), &requirement(now)),
                ],
                added: Vec::new(),
                removed: Vec::new(),
            };
            assert_eq!(difference, expected);
        }
    }

    #[test]
    fn has_no_difference_without_a_report_before() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("report.json");
        assert_eq!(since(&path, &report(true, None)), None);
        fs::write(&path, "not JSON").expect("written");
        assert_eq!(since(&path, &report(true, None)), None);
    }
}
