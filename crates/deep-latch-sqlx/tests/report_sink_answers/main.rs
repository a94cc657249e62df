//! The answers of the three report sinks, in memory, SQLite and PostgreSQL, to the operator's questions.

#![cfg(unix)]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod answers;
#[path = "../report_sink/support.rs"]
mod support;

use support::*;
