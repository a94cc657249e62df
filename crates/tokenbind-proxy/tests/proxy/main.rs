//! The proxy before a backend: the requests that the backend receives, whatever clients send.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod backend_failures;
mod bodies;
mod config;
mod headers;
mod hostile;
#[path = "../../../tokenbind-http/tests/support/loopback.rs"]
mod loopback;
mod operator;
mod policy;
#[path = "../../../tokenbind-http/tests/support/programs.rs"]
mod programs;
#[path = "../../../tokenbind-http/tests/support/raw_http2.rs"]
mod raw_http2;
mod setup;
