//! Other implementations: a command that is started once, reads a request a line and writes an answer a line.

mod command;
mod known;
mod report;

use std::{fmt, path::PathBuf, time::Duration};

use crate::{
    answer::{Answer, Comparison},
    protocol::Protocol,
    step::Step,
    suite::{Input, Suite},
    vector::{Case, Expected, Origin, VectorError, VectorFile},
};

use self::command::Running;
pub use self::{
    command::{Fault, Trouble},
    known::{KnownDifferences, second_implementation},
    report::{AnswerState, AnsweredCase, AnsweredSuite, ImplementationReport},
};

/// The time that an implementation has for an answer, of which the first includes its start.
pub const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// A run of an implementation.
#[derive(Clone, Debug)]
pub struct ImplementationOptions {
    /// The command, for `sh`.
    pub command: String,
    /// The vector files.
    pub files: Vec<PathBuf>,
    /// The origin of the files.
    pub origin: Origin,
    /// The names of the suites that are run; the others are left out.
    pub suites: Vec<String>,
    /// The parts of answers that are compared.
    pub comparison: Comparison,
    /// The time for an answer.
    pub deadline: Duration,
}

/// The reason for which a run has no report.
#[derive(Debug)]
pub enum ImplementationError {
    /// A vector file is refused.
    Vectors(VectorError),
    /// A file is of a suite that no protocol has.
    UnknownSuite(VectorFile),
    /// The chosen suites have no cases.
    NothingToAsk,
}

impl fmt::Display for ImplementationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vectors(error) => error.fmt(f),
            Self::UnknownSuite(file) => {
                write!(f, "{}: unknown suite {}", file.path.display(), file.suite)
            }
            Self::NothingToAsk => write!(f, "the chosen suites have no cases, and nothing ran"),
        }
    }
}

impl std::error::Error for ImplementationError {}

/// Asks an implementation about the cases of suites, and compares its answers.
///
/// # Errors
/// When there is nothing to ask about. Trouble with the command is in the report, with the answers before it.
pub fn run_implementation(
    options: &ImplementationOptions,
    protocols: &[Protocol],
    mut progress: impl FnMut(Step<'_>),
) -> Result<ImplementationReport, ImplementationError> {
    let mut files = Vec::new();
    for path in &options.files {
        let file = VectorFile::load(path, options.origin).map_err(ImplementationError::Vectors)?;
        let mut suites = protocols.iter().flat_map(Protocol::suites);
        let Some(suite) = suites.find(|suite| suite.name == file.suite) else {
            return Err(ImplementationError::UnknownSuite(file));
        };
        if options.suites.contains(&file.suite) {
            files.push((suite, file));
        }
    }
    let count = files.iter().map(|(_, file)| file.cases.len()).sum();
    if count == 0 {
        return Err(ImplementationError::NothingToAsk);
    }
    progress(Step::Cases(count));
    let mut suites = Vec::new();
    let trouble = ask_all(options, &files, &mut suites, &mut progress).err();
    Ok(ImplementationReport::new(options, suites, count, trouble))
}

fn ask_all(
    options: &ImplementationOptions,
    files: &[(&Suite, VectorFile)],
    suites: &mut Vec<AnsweredSuite>,
    progress: &mut impl FnMut(Step<'_>),
) -> Result<(), Trouble> {
    let mut running = Running::start(&options.command)?;
    for (suite, file) in files {
        let mut answered = AnsweredSuite::new(suite.name, &file.path);
        for case in &file.cases {
            let case = suite.imported(case, file.origin);
            match running.ask(suite.name, &case, options.deadline) {
                Ok(answer) => answered.push(judge(suite, &case, answer, options.comparison)),
                Err(trouble) => {
                    suites.push(answered);
                    return Err(trouble);
                }
            }
            progress(Step::Case(&case.name));
        }
        suites.push(answered);
    }
    running.finish(options.deadline)
}

fn judge(suite: &Suite, case: &Case, answer: Answer, comparison: Comparison) -> AnsweredCase {
    let is_right = || match (suite.is_right, &case.expected, &answer) {
        (Some(is_right), Expected::Accept(expected), Answer::Accept(actual)) => {
            is_right(&Input(case.input.clone()), expected, actual)
        }
        _ => false,
    };
    let state = if matches!(answer, Answer::Unsupported(_)) {
        AnswerState::Unsupported
    } else if answer.is_expected(&case.expected, comparison) || is_right() {
        AnswerState::Passed
    } else {
        AnswerState::Failed
    };
    let shown = (state == AnswerState::Failed).then(|| case.expected.to_value());
    AnsweredCase {
        name: case.name.clone(),
        state,
        input: shown.as_ref().map(|_| case.input.clone().into()),
        hint: shown.as_ref().and_then(|_| answer.hint(&case.expected)),
        expected: shown,
        actual: (state != AnswerState::Passed).then(|| answer.to_value()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        ran::{Outcome, Ran},
        vector::Expected,
    };

    /// A suite that takes octets which are even. Files from elsewhere call them numbers; an answer may be twice as much.
    const EVEN: Suite = Suite {
        name: "toy/even",
        run: |_: Input| -> Ran { Ok(Outcome::Accept(Value::Null)) },
        import: Some(|case| case.rename("number", "octet")),
        is_right: Some(|_, expected, actual| {
            let octet = |value: &Value| value.get("octet").and_then(Value::as_u64);
            octet(expected).map(|it| it * 2) == octet(actual)
        }),
    };

    const TOY: Protocol = Protocol {
        name: "toy",
        suites: &[&[EVEN]],
        scenarios: &[],
        annotators: &[],
        peers: &[],
    };

    fn options(file: &str, command: &str, folder: &std::path::Path) -> ImplementationOptions {
        let path = folder.join("even.json");
        std::fs::write(&path, file).expect("a file");
        ImplementationOptions {
            command: command.to_owned(),
            files: vec![path],
            origin: Origin::Foreign,
            suites: vec![EVEN.name.to_owned()],
            comparison: Comparison::Given,
            deadline: Duration::from_secs(120),
        }
    }

    fn file() -> String {
        let cases = [
            json!({"name": "a", "input": {"number": 2}, "accept": {"octet": 2, "hex": "0a"}}),
            json!({"name": "b", "input": {"octet": 4}, "accept": {"octet": 4, "hex": "0b"}}),
            json!({"name": "c", "input": {"octet": 5}, "reject": {"kind": "odd"}}),
        ];
        json!({"suite": "toy/even", "source": "s", "count": 3, "cases": cases}).to_string()
    }

    fn run(answers: &str) -> ImplementationReport {
        let folder = tempfile::tempdir().expect("a directory");
        let options = options(&file(), answers, folder.path());
        run_implementation(&options, &[TOY], |_| ()).expect("a report")
    }

    fn answers(lines: &[&str]) -> String {
        let answer = |line: &&str| format!("read request; echo '{line}'\n");
        lines.iter().map(answer).collect()
    }

    #[test]
    fn asks_by_the_names_of_this_project() {
        let echo = "while read request; do case $request in *'\"octet\":'*) echo '{\"accept\": null}';; \
            *) echo '{\"unsupported\": \"other\"}';; esac; done";
        let report = run(echo);
        let states: Vec<_> = report.suites[0].cases.iter().map(|it| it.state).collect();
        use AnswerState::{Failed, Passed};
        assert_eq!(states, [Passed, Passed, Failed]);
    }

    #[test]
    fn takes_what_the_suite_calls_right_and_keeps_what_is_expected_of_failures_alone() {
        let lines = [
            r#"{"accept": {"octet": 4}}"#,
            r#"{"accept": {"hex": "0B"}}"#,
            r#"{"unsupported": "later"}"#,
        ];
        let report = run(&answers(&lines));
        assert_eq!(report.trouble, None);
        let cases = &report.suites[0].cases;
        let case = |name: &str, state, expected, actual, hint: Option<&str>| AnsweredCase {
            name: name.to_owned(),
            state,
            input: hint.map(|_| json!({"octet": 4})),
            expected,
            actual,
            hint: hint.map(str::to_owned),
        };
        let hint = "upper-case hex at accept/hex";
        let expected = [
            case("a", AnswerState::Passed, None, None, None),
            case(
                "b",
                AnswerState::Failed,
                Some(json!({"accept": {"octet": 4, "hex": "0b"}})),
                Some(json!({"accept": {"hex": "0B"}})),
                Some(hint),
            ),
            case(
                "c",
                AnswerState::Unsupported,
                None,
                Some(json!({"unsupported": "later"})),
                None,
            ),
        ];
        assert_eq!(cases, &expected);
        let table = report.table(80);
        assert!(table.contains(&format!("  hint     {hint}\n")), "{table}");
    }

    #[test]
    fn keeps_the_answers_before_trouble() {
        let report = run(&answers(&[r#"{"accept": null}"#, "what"]));
        assert!(report.trouble.is_some());
        let names: Vec<_> = report.suites[0].cases.iter().map(|it| &it.name).collect();
        assert_eq!(names, ["a"]);
        assert_eq!((report.passed, report.did_not_run), (1, 2));
        assert!(!report.passed_all());
        let verdict = "1 of 3 cases passed, 2 did not run; ";
        assert!(report.table(80).contains(verdict), "{}", report.table(80));
    }

    #[test]
    fn refuses_to_ask_about_nothing() {
        let folder = tempfile::tempdir().expect("a directory");
        let mut options = options(&file(), "true", folder.path());
        options.suites.clear();
        let error = run_implementation(&options, &[TOY], |_| ()).expect_err("an error");
        let expected = "the chosen suites have no cases, and nothing ran";
        assert_eq!(error.to_string(), expected);
        let other = file().replace("toy/even", "toy/odd");
        std::fs::write(folder.path().join("even.json"), other).expect("a file");
        let error = run_implementation(&options, &[TOY], |_| ()).expect_err("an error");
        assert!(
            error
                .to_string()
                .ends_with("even.json: unknown suite toy/odd")
        );
    }

    #[test]
    fn judges_a_case_of_the_suite_that_expects_an_error() {
        let case = Case {
            name: "c".into(),
            requirements: Vec::new(),
            input: serde_json::Map::new(),
            expected: Expected::Reject(crate::vector::RejectPattern::default()),
        };
        let accept = Answer::Accept(json!({"octet": 1}));
        let judged = judge(&EVEN, &case, accept, Comparison::Given);
        assert_eq!(judged.state, AnswerState::Failed);
    }
}
