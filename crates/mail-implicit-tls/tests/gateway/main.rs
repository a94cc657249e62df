//! Sessions of a gateway with scripts of clients and backends, whole and octet by octet.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod imap_capabilities;
mod imap_commands;
mod imap_external;
mod imap_failures;
mod imap_id;
mod imap_literals;
mod imap_login;
mod imap_parsed;
mod options;
mod pop_capabilities;
mod pop_commands;
mod pop_failures;
mod pop_login;
mod script;
