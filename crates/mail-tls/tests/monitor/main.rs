//! The monitor against servers on loopback.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests"
)]

mod arguments;
mod exit_codes;
mod metrics;
#[path = "../support/name_server.rs"]
mod name_server;
mod page;
mod schema;
mod shown;
mod states;
#[cfg(unix)]
mod watch;
mod world;
