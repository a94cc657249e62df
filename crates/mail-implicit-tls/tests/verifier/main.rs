//! The verifier of rustls: chains, names, revocation, pins, sessions, and the place of DANE.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod accounts;
mod certificates;
mod chain;
mod dane_judge;
mod handshakes;
mod lists;
mod name_constraints;
mod pins;
mod revocation;
mod sessions;
