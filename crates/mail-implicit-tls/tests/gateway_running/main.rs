//! A gateway that runs, between clients and backends that behave well and badly.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod backend_failures;
mod before_login;
mod ending;
mod failed_logins;
mod hostile_clients;
mod hostile_imap;
mod hostile_submission;
mod limits;
mod load;
mod probing;
mod protocols;
mod proxies;
mod refused_clients;
mod script;
mod sessions;
#[path = "../support/site.rs"]
mod site;
mod slow;
mod stopping;
#[path = "../support/table.rs"]
mod table;
mod tls_backends;
mod world;
