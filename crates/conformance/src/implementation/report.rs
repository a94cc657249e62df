//! The report on another implementation.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::{Value, json};

use super::{ImplementationOptions, Trouble};
use crate::{
    answer::Comparison,
    part::replace,
    root::repository,
    text::{cut, passed_of, table, wrap},
};

/// The path of the report below the repository's root.
const PATH: &str = "target/conformance/implementation.json";

/// The number of failed cases of a suite that are shown.
const SHOWN: usize = 20;

/// The state of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerState {
    /// The answer is the expected one.
    Passed,
    /// The answer is another one.
    Failed,
    /// The implementation has no answer.
    Unsupported,
}

/// A case that was answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AnsweredCase {
    /// The name of the case.
    pub name: String,
    /// The state.
    pub state: AnswerState,
    /// The input, of a case that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// The expectation, of a case that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    /// The answer, of a case that did not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<Value>,
    /// The form of the answer that may be the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The answers to the cases of a suite's file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AnsweredSuite {
    /// The suite.
    pub suite: String,
    /// The file, below the repository's root if it is there.
    pub file: String,
    /// The number of cases that passed.
    pub passed: usize,
    /// The number of cases that failed.
    pub failed: usize,
    /// The number of cases without an answer.
    pub unsupported: usize,
    /// The cases.
    pub cases: Vec<AnsweredCase>,
}

impl AnsweredSuite {
    pub(super) fn new(suite: &str, file: &Path) -> Self {
        let file = file.strip_prefix(repository()).unwrap_or(file);
        Self {
            suite: suite.to_owned(),
            file: file.display().to_string(),
            passed: 0,
            failed: 0,
            unsupported: 0,
            cases: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, case: AnsweredCase) {
        *match case.state {
            AnswerState::Passed => &mut self.passed,
            AnswerState::Failed => &mut self.failed,
            AnswerState::Unsupported => &mut self.unsupported,
        } += 1;
        self.cases.push(case);
    }
}

/// The report on an implementation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImplementationReport {
    /// The command.
    pub command: String,
    /// `true` if kinds, offsets and all accepted fields were compared.
    pub strict: bool,
    /// The number of cases of the chosen suites.
    pub cases: usize,
    /// The number of cases that passed.
    pub passed: usize,
    /// The number of cases that failed.
    pub failed: usize,
    /// The number of cases without an answer.
    pub unsupported: usize,
    /// The number of cases that were not asked about, or not answered, because of trouble with the command.
    pub did_not_run: usize,
    /// The trouble with the command, which ended the run.
    pub trouble: Option<String>,
    /// The suites.
    pub suites: Vec<AnsweredSuite>,
}

impl ImplementationReport {
    pub(super) fn new(
        options: &ImplementationOptions,
        suites: Vec<AnsweredSuite>,
        cases: usize,
        trouble: Option<Trouble>,
    ) -> Self {
        let sum = |count: fn(&AnsweredSuite) -> usize| suites.iter().map(count).sum::<usize>();
        let answered = sum(|suite| suite.cases.len());
        Self {
            command: options.command.clone(),
            strict: options.comparison == Comparison::Strict,
            cases,
            passed: sum(|suite| suite.passed),
            failed: sum(|suite| suite.failed),
            unsupported: sum(|suite| suite.unsupported),
            did_not_run: cases.saturating_sub(answered),
            trouble: trouble.map(|trouble| trouble.to_string()),
            suites,
        }
    }

    /// Returns `true` if every case of the chosen suites passed, and the command kept to the interface.
    #[must_use]
    pub fn passed_all(&self) -> bool {
        self.passed == self.cases && self.trouble.is_none()
    }

    /// Returns the failed cases, the numbers of each suite, and the verdict.
    #[must_use]
    pub fn table(&self, width: u16) -> String {
        let mut text = String::new();
        for suite in &self.suites {
            let failed = suite
                .cases
                .iter()
                .filter(|case| case.state == AnswerState::Failed);
            for case in failed.take(SHOWN) {
                text += &format!("FAILED {} {} ({})\n", suite.suite, case.name, suite.file);
                let (expected, actual) = differing(&case.expected, &case.actual, self.strict);
                for (label, value) in [
                    ("input", &case.input),
                    ("expected", &expected),
                    ("actual", &actual),
                ] {
                    let value = value.as_ref().map(Value::to_string).unwrap_or_default();
                    text += &labelled(width, label, &cut(&value));
                }
                if let Some(hint) = &case.hint {
                    text += &labelled(width, "hint", hint);
                }
            }
            let more = suite.failed.saturating_sub(SHOWN);
            if more > 0 {
                text += &format!("FAILED {} {more} more, which the report has\n", suite.suite);
            }
        }
        let mut numbers = table(width, &["suite", "passed", "failed", "unsupported"]);
        for suite in &self.suites {
            let counts = [suite.passed, suite.failed, suite.unsupported];
            let [passed, failed, unsupported] = counts.map(|count| count.to_string());
            numbers.add_row([&suite.suite, &passed, &failed, &unsupported]);
        }
        text += &format!("{numbers}\n");
        if let Some(trouble) = &self.trouble {
            text += &format!("trouble with the command: {trouble}\n");
        }
        text + &wrap(width, &self.verdict()) + "\n"
    }

    fn verdict(&self) -> String {
        let compared = if self.strict {
            "accept or reject, all accepted fields, kinds and offsets compared"
        } else {
            "accept or reject, and the accepted fields that were given compared"
        };
        let mut verdict = passed_of(self.passed, self.cases, "case");
        for (count, state) in [
            (self.failed, "failed"),
            (self.unsupported, "unsupported"),
            (self.did_not_run, "did not run"),
        ] {
            if count > 0 {
                verdict += &format!(", {count} {state}");
            }
        }
        format!("{verdict}; {compared}")
    }

    /// Writes `target/conformance/implementation.json` and returns this path, which is below `root`.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn write(&self, root: &Path) -> io::Result<PathBuf> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        replace(&root.join(PATH), &text)?;
        Ok(PATH.into())
    }

    /// Removes the report of the run before, which is not that of a run that begins.
    ///
    /// # Errors
    /// Returns an error if the file is there and cannot be removed.
    pub fn remove(root: &Path) -> io::Result<()> {
        match fs::remove_file(root.join(PATH)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let what = format!("{PATH}: {error}");
                Err(io::Error::new(error.kind(), what))
            }
            _ => Ok(()),
        }
    }
}

/// Returns the members of an expectation and of an answer that differ, if both accept or both reject; else both whole.
fn differing(
    expected: &Option<Value>,
    actual: &Option<Value>,
    strict: bool,
) -> (Option<Value>, Option<Value>) {
    let whole = || (expected.clone(), actual.clone());
    for outcome in ["accept", "reject"] {
        let of = |value: &Option<Value>| {
            let fields = value.as_ref()?.get(outcome)?.as_object();
            fields.cloned()
        };
        let (Some(mut left), Some(mut right)) = (of(expected), of(actual)) else {
            continue;
        };
        let same = left.clone();
        let compared = right.clone();
        right.retain(|name, value| same.get(name) != Some(value));
        left.retain(|name, value| match compared.get(name) {
            None => strict,
            Some(other) => other != value,
        });
        return (Some(json!({outcome: left})), Some(json!({outcome: right})));
    }
    whole()
}

/// Returns a label and a text, broken after commas into lines of at most `width` characters where it can be.
fn labelled(width: u16, label: &str, text: &str) -> String {
    let indent = 11;
    let room = usize::from(width).saturating_sub(indent).max(20);
    let mut lines = vec![String::new()];
    for part in parts(text) {
        let length = |text: &str| text.chars().count();
        match lines.last_mut() {
            Some(line) if line.is_empty() || length(line) + length(part) <= room => *line += part,
            _ => lines.push(part.to_owned()),
        }
    }
    let lines = lines.iter().enumerate().map(|(at, line)| {
        let label = if at == 0 { label } else { "" };
        format!("  {label:<9}{line}\n")
    });
    lines.collect()
}

/// Splits JSON after each comma that is in no text.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), text);
    let (mut in_text, mut escaped) = (false, false);
    let mut begin = 0;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            ',' if !in_text => {
                let (part, after) = rest.split_at(at.saturating_add(1).saturating_sub(begin));
                parts.push(part);
                (rest, begin) = (after, at.saturating_add(1));
            }
            _ => {}
        }
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{implementation::Fault, vector::Origin};

    fn report(
        states: &[AnswerState],
        comparison: Comparison,
        trouble: bool,
    ) -> ImplementationReport {
        let options = ImplementationOptions {
            command: "c".into(),
            files: Vec::new(),
            origin: Origin::Own,
            suites: Vec::new(),
            comparison,
            deadline: crate::ANSWER_DEADLINE,
        };
        let mut suite = AnsweredSuite::new("p/s", Path::new("f"));
        for state in states {
            suite.push(AnsweredCase {
                name: "c".into(),
                state: *state,
                input: None,
                expected: None,
                actual: None,
                hint: None,
            });
        }
        let trouble = trouble.then(|| Trouble {
            case: None,
            fault: Fault::Start("why".into()),
            stderr: Vec::new(),
        });
        ImplementationReport::new(&options, vec![suite], states.len(), trouble)
    }

    #[test]
    fn counts_each_state_and_says_what_was_compared() {
        use AnswerState::{Failed, Passed, Unsupported};
        let states = [Passed, Failed, Unsupported, Passed];
        let strict = report(&states, Comparison::Strict, false);
        assert!(strict.strict && !strict.passed_all());
        assert_eq!(
            strict.verdict(),
            "2 of 4 cases passed, 1 failed, 1 unsupported; accept or reject, all accepted fields, kinds and offsets \
             compared"
        );
        let given = report(&[Passed], Comparison::Given, false);
        assert!(!given.strict && given.passed_all());
        assert_eq!(
            given.verdict(),
            "1 case passed; accept or reject, and the accepted fields that were given compared"
        );
        assert!(!report(&[Passed], Comparison::Given, true).passed_all());
    }

    #[test]
    fn breaks_a_long_text_between_members_below_its_label() {
        let text = r#"{"a":"x, \",y","b":[1,2,3],"c":"a longer text, which is whole"}"#;
        let expected = concat!(
            "  actual   {\"a\":\"x, \\\",y\",\n",
            "           \"b\":[1,2,3],\n",
            "           \"c\":\"a longer text, which is whole\"}\n"
        );
        assert_eq!(labelled(31, "actual", text), expected);
        // A narrow terminal has room for some text nevertheless.
        assert_eq!(labelled(3, "actual", text), expected);
        assert_eq!(labelled(90, "actual", text), format!("  actual   {text}\n"));
        assert_eq!(labelled(80, "actual", ""), "  actual   \n");
    }

    #[test]
    fn removes_the_report_before_or_names_it() {
        let root = tempfile::tempdir().expect("a directory");
        let remove = || ImplementationReport::remove(root.path()).map_err(|it| it.to_string());
        assert_eq!(remove(), Ok(()));
        let before = report(&[], Comparison::Strict, false);
        let path = root
            .path()
            .join(before.write(root.path()).expect("written"));
        assert!(path.is_file());
        assert_eq!(remove(), Ok(()));
        assert!(!path.exists());
        fs::remove_dir(root.path().join("target/conformance")).expect("removed");
        fs::write(root.path().join("target/conformance"), "").expect("a file");
        let expected = "target/conformance/implementation.json: Not a directory (os error 20)";
        assert_eq!(remove(), Err(expected.to_owned()));
    }

    #[test]
    fn shows_the_members_that_differ() {
        let expected = Some(json!({"accept": {"a": 1, "b": 2, "c": 3}}));
        let actual = Some(json!({"accept": {"a": 1, "b": 4, "d": 5}}));
        let differs = Some(json!({"accept": {"b": 4, "d": 5}}));
        for (strict, of_expected) in [
            (false, json!({"accept": {"b": 2}})),
            (true, json!({"accept": {"b": 2, "c": 3}})),
        ] {
            let shown = differing(&expected, &actual, strict);
            assert_eq!(shown, (Some(of_expected), differs.clone()));
        }
        let reject = Some(json!({"reject": {"kind": "k", "offset": 1}}));
        let other = Some(json!({"reject": {"kind": "k", "offset": 2}}));
        let of = |offset: u8| Some(json!({"reject": {"offset": offset}}));
        assert_eq!(differing(&reject, &other, true), (of(1), of(2)));
        let whole = (expected.clone(), reject.clone());
        assert_eq!(differing(&expected, &reject, true), whole);
    }
}
