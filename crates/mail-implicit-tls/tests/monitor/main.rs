//! Findings about a mail domain, by hand-made observations and by connections to servers on loopback.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "../support/site.rs"]
mod site;

mod addresses;
mod after_tls;
mod clear_text;
mod deep;
mod disk;
mod dnssec;
mod domain;
mod facts;
mod inbound;
mod names;
mod policy_file;
mod probing;
mod resolver;
mod rollover;
mod srv;
mod tlsa;
mod transport;
mod validity;
mod versions;
mod zone;
