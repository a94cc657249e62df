//! Connections of an account to servers on loopback that behave well, badly and hostilely.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod client_hello;
mod dane;
mod deadline;
#[cfg(feature = "deep")]
mod deep_server;
mod ending;
mod fallback;
mod injection;
#[cfg(feature = "deep")]
mod latched;
#[cfg(all(feature = "async-imap", feature = "lettre"))]
mod libraries;
mod lookup;
mod no_tls;
mod not_verified;
mod partly_filled;
mod resumed_servers;
mod resumption;
#[cfg(all(feature = "async-imap", feature = "lettre"))]
mod scripted;
mod serving;
mod settings;
#[path = "../support/site.rs"]
mod site;
#[path = "../support/table.rs"]
mod table;
mod tlsa_validity;
mod upgrade;
mod zone;
