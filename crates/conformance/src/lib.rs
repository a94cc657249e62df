//! The harness of the conformance suite, which names no protocol: vectors and their runners, the interface of oracles,
//! live scenarios, the requirements ledger and the report.
//!
//! The evidence of each protocol is a crate beside this one, and gives the harness a [`Protocol`]. The protocols are named
//! together in one place, which is `xtask`.

mod answer;
mod cargo;
mod evidence;
mod generator;
mod implementation;
mod ledger;
pub mod octets;
pub mod oracle;
#[cfg(feature = "live")]
pub mod outcome;
#[cfg(feature = "live")]
pub mod process;
mod protocol;
mod report;
mod run;
mod scenario;
mod serve;
mod step;
mod stream;
mod suite;
pub mod text;
mod vector;
mod written;

pub use {
    answer::{Answer, AnswerError, Comparison, request},
    cargo::cargo,
    evidence::{TestFailure, TestOutcome, TestRun, run_tests},
    generator::{PythonError, known_answers, python},
    implementation::{
        ANSWER_DEADLINE, AnswerState, AnsweredCase, AnsweredSuite, Fault, ImplementationError,
        ImplementationOptions, ImplementationReport, Trouble, run_implementation,
    },
    ledger::{Evidence, Ledger, LedgerError, Level, Requirement, Role, Status},
    protocol::Protocol,
    report::{
        CaseReport, CaseState, EvidenceReport, EvidenceState, Judgement, LedgerReport, Part,
        Report, RequirementReport, RequirementState, SuiteReport, TestsReport, page, unfinished,
    },
    run::{Options, RunError, own_vectors, repository, run},
    scenario::{Live, LiveReport, LiveRun, LiveState, LiveVerdict, Scenario, live_table},
    serve::serve,
    step::Step,
    suite::{
        Input, IsRight, MalformedCase, Outcome, Ran, Stopped, Suite, Verdict, malformed, violated,
    },
    vector::{
        Case, Expected, Origin, RejectPattern, VectorError, VectorErrorKind, VectorFile, files,
    },
    written::{Recipe, Written},
};
