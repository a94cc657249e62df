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
        let mut answered = AnsweredSuite::new(suite.name);
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
        hint: shown.as_ref().and_then(|_| answer.hint(&case.expected)),
        expected: shown,
        actual: (state != AnswerState::Passed).then(|| answer.to_value()),
    }
}
