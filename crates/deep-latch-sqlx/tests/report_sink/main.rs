//! The three report sinks, in memory, SQLite and PostgreSQL, answer alike, and lose nothing when a writer is
//! killed.

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

mod access;
mod alike;
mod killed;
mod limits;
mod schema;
mod support;
mod writers;

use support::*;
