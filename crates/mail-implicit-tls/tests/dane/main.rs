//! TLSA records against chains of certificates.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod anchor;
mod chain;
mod inbound;
mod judging;
mod own_certificate;
mod pkix;
mod records;
