//! The latch stores, in memory, in a file and in SQLite, answer alike and lose nothing.

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

mod alike;
mod database;
mod file;
mod killed;
mod support;

use support::*;
