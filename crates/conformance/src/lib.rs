//! The harness of the conformance suite, which names no protocol: vectors and their runners, the interface of oracles,
//! live scenarios, the requirements ledger and the report.
//!
//! The evidence of each protocol is a crate beside this one, and gives the harness a [`Protocol`]. The protocols are named
//! together in one place, which is `xtask`.

mod cargo;
mod evidence;
mod finding;
mod generator;
mod judge;
mod ledger;
pub mod oracle;
#[cfg(feature = "live")]
pub mod outcome;
mod part;
#[cfg(feature = "live")]
pub mod process;
mod protocol;
mod record;
mod report;
mod run;
mod scenario;
#[cfg(feature = "schemas")]
mod schema;
mod selection;
mod similar;
mod step;
mod stream;
mod suite;
mod terminal;
pub mod text;
mod vector;
mod written;

pub use {
    cargo::cargo,
    evidence::{
        Origin as TestOrigin, TestFailure, TestOutcome, TestRun, recorded_tests, run_tests,
    },
    finding::{
        CaseReport, CaseState, EvidenceReport, EvidenceState, LedgerReport, RequirementReport,
        RequirementState, SuiteReport, TestsReport,
    },
    generator::{PythonError, known_answers, python},
    ledger::{Evidence, Ledger, LedgerError, Level, Requirement, Role, Status},
    part::{Part, page, unfinished},
    protocol::Protocol,
    report::{Judgement, Report},
    run::{Options, RunError, Tests, own_vectors, repository, run},
    scenario::{Live, LiveReport, LiveRun, LiveState, LiveVerdict, Scenario, live_table},
    selection::Selection,
    similar::similar,
    step::Step,
    suite::{Input, MalformedCase, Outcome, Ran, Stopped, Suite, Verdict, malformed, violated},
    vector::{Case, Expected, Origin, RejectPattern, VectorError, VectorFile, files},
    written::{Recipe, Written},
};

#[cfg(feature = "schemas")]
pub use schema::check_schemas;
