//! The conformance suite as a library: vectors and their runners, oracles, live scenarios, the
//! requirements ledger and the report. `cargo xtask conformance`, the tests and the fuzz targets all call it.

mod authres_tls;
mod authres_tls_method;
mod cargo;
mod deep_latch;
mod deep_latch_server;
mod deep_latch_trace;
mod evidence;
mod ledger;
mod live;
/// The evidence of `mail-implicit-tls`, which is in one folder with its vectors, requirements and generators.
#[path = "../mail-implicit-tls/src/suites.rs"]
pub mod mail_implicit_tls;
pub mod oracle;
mod python;
mod report;
mod run;
mod sealed_token;
mod step;
mod stream;
mod suite;
pub mod text;
mod tokenbind_http;
mod tokenbind_wire;
mod vector;

pub use {
    cargo::cargo,
    evidence::{TestFailure, TestOutcome, TestRun, run_tests},
    ledger::{Evidence, Ledger, LedgerError, Level, Requirement, Role, Status},
    live::{Live, LiveReport, LiveRun, LiveState, LiveVerdict, Scenario, live_table, scenarios},
    python::{PythonError, known_answers, python},
    report::{
        CaseReport, CaseState, EvidenceReport, EvidenceState, Judgement, LedgerReport, Part,
        Report, RequirementReport, RequirementState, SuiteReport, TestsReport, page, unfinished,
    },
    run::{Options, RunError, repository, run},
    step::Step,
    suite::{Input, MalformedCase, Outcome, Ran, Stopped, Suite, Verdict, suite, suites},
    vector::{Case, Expected, Origin, RejectPattern, VectorError, VectorFile, files},
};

/// The workspace's README: its examples are compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
