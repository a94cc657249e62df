//! The harness of the conformance suite, which names no protocol: vectors and their runners, the interface of oracles,
//! live scenarios, the requirements ledger and the report.
//!
//! The evidence of each protocol is a crate beside this one, and gives the harness a [`Protocol`]. The protocols are named
//! together in one place, which is `xtask`.

mod cargo;
mod evidence;
mod facts;
mod generator;
mod interop;
mod ledger;
mod locate;
pub mod oracle;
#[cfg(feature = "live")]
pub mod outcome;
mod picture;
#[cfg(feature = "live")]
pub mod process;
mod protocol;
mod record;
mod report;
mod run;
mod scenario;
mod selection;
mod step;
mod stream;
mod suite;
pub mod text;
mod vector;
mod written;

pub use {
    cargo::cargo,
    evidence::{
        Origin as TestOrigin, TestFailure, TestOutcome, TestRun, recorded_tests, run_tests,
    },
    facts::Facts,
    generator::{PythonError, known_answers, python},
    interop::{PeerReport, keep as keep_interop},
    ledger::{
        DocumentCoverage, Evidence, Keywords, Ledger, LedgerError, Level, Requirement, Role,
        SectionCoverage, Status, coverage,
    },
    locate::TestPlaces,
    picture::{Annotator, Picture, Span, Walk},
    protocol::Protocol,
    report::{
        CaseDetail, CaseReport, CaseState, Change, Difference, EvidenceReport, EvidenceState,
        Judgement, LedgerReport, Part, Report, RequirementReport, RequirementState, SuiteReport,
        TestsReport,
        markdown::{DOCUMENT, document},
        page, unfinished,
    },
    run::{Options, RunError, Tests, repository, run},
    scenario::{Live, LiveReport, LiveRun, LiveState, LiveVerdict, Peer, Scenario, live_table},
    selection::Selection,
    step::Step,
    suite::{Input, MalformedCase, Outcome, Ran, Stopped, Suite, Verdict, malformed, violated},
    vector::{Case, Expected, Origin, RejectPattern, VectorError, VectorFile, files},
    written::{Recipe, Written},
};
