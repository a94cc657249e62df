//! The contract of the latch stores, in memory, in a file and in SQLite.

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

mod contract;
#[path = "../latch_store/support.rs"]
mod support;

use support::*;
