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
mod operator;
mod policy;
mod setup;

use test_support::{loopback, programs, raw_http2};
