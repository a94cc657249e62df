//! The command `mail-tls gateway` as a process, between backends and clients.

#![cfg(unix)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod certificate_pairs;
mod certificates;
mod check;
mod configuration;
mod descriptors;
mod endpoint;
mod fleet;
mod kills;
mod listeners;
mod log;
mod log_destination;
mod memory;
#[path = "../support/name_server.rs"]
mod name_server;
mod operation;
mod packaging;
mod prometheus;
mod protocols;
mod report_database;
mod script;
mod transcripts;
mod units;
mod world;
