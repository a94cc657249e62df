//! Dialogues before login, octet by octet and at once, with what servers and attackers send.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::format_push_string,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod capabilities;
mod refusals;
mod script;
mod upgrade;
