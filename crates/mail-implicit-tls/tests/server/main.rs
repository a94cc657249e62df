//! The acceptor with clients that behave well and badly.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod application_protocol;
mod certificates;
mod chains;
mod client_certificates;
mod http;
mod in_memory;
mod record;
mod refusals;
mod running;
mod services;
mod session_stream;
#[path = "../support/site.rs"]
mod site;
mod upgrade;
