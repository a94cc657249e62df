//! The harness of the conformance suite, which names no protocol: vectors and their runners, the interface of oracles,
//! live scenarios, the requirements ledger and the report.
//!
//! The evidence of each protocol is a crate beside this one, and gives the harness a [`Protocol`]. The protocols are named
//! together in one place, which is `xtask`.

mod answer;
mod at_once;
mod cargo;
pub mod checks;
mod descendants;
mod evidence;
mod facts;
mod finding;
mod generator;
mod implementation;
mod interop;
mod judge;
mod ledger;
mod locate;
pub mod octets;
pub mod oracle;
#[cfg(feature = "live")]
pub mod outcome;
mod part;
mod picture;
#[cfg(feature = "live")]
pub mod process;
mod protocol;
mod ran;
mod report;
mod root;
mod run;
mod scenario;
mod selection;
mod serve;
#[cfg(feature = "live")]
pub mod servers;
mod similar;
mod step;
mod stream;
mod suite;
mod terminal;
pub mod text;
mod unambiguous;
mod vector;
mod written;

pub use {
    answer::{Answer, AnswerError, Comparison, request},
    at_once::{LiveEvent, at_once, run_scenarios},
    cargo::{build, build_command, built, cargo},
    descendants::end_descendants,
    evidence::{
        Origin as TestOrigin, TestFailure, TestOutcome, TestRun, recorded_tests, run_tests,
    },
    facts::Facts,
    finding::{
        CaseDetail, CaseReport, CaseState, EvidenceReport, EvidenceState, LedgerReport,
        RequirementReport, RequirementState, SuiteReport, TestsReport,
    },
    generator::{PythonError, python},
    implementation::{
        ANSWER_DEADLINE, AnswerState, AnsweredCase, AnsweredSuite, Fault, ImplementationError,
        ImplementationOptions, ImplementationReport, KnownDifferences, Trouble, run_implementation,
        second_implementation,
    },
    interop::{PeerReport, keep as keep_interop},
    ledger::{
        DocumentCoverage, Evidence, Keywords, Ledger, LedgerError, Level, Requirement, Role,
        SectionCoverage, Status, coverage,
    },
    locate::TestPlaces,
    part::{Part, page, unfinished},
    picture::{Annotator, Offsets, Picture, Span, Walk},
    protocol::Protocol,
    ran::{MalformedCase, Outcome, Ran, Stopped, malformed, violated},
    report::{
        Change, Difference, Judgement, Report,
        markdown::{DOCUMENT, document},
    },
    root::repository,
    run::{Options, RunError, Tests, own_vectors, run},
    scenario::{Live, LiveReport, LiveRun, LiveState, LiveVerdict, Peer, Scenario, live_table},
    selection::Selection,
    serve::serve,
    similar::similar,
    step::Step,
    suite::{Input, IsRight, Suite, Verdict},
    vector::{
        Case, Expected, Origin, RejectPattern, VectorError, VectorErrorKind, VectorFile, files,
    },
    written::{Recipe, Written, repeated},
};
