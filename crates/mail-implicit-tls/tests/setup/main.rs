//! Account setup: offers from SRV records and configuration files, and their check by connections.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod answers;
#[cfg(feature = "client")]
mod candidates;
#[cfg(feature = "client")]
mod check;
#[cfg(feature = "client")]
mod check_clear_text;
mod domain;
#[cfg(feature = "autoconfig-fetch")]
mod fetch;
#[cfg(feature = "autoconfig-fetch")]
mod fetch_https;
#[cfg(feature = "autoconfig-fetch")]
mod fetch_request;
mod identities;
mod recheck;
mod services;
#[cfg(feature = "client")]
#[path = "../support/site.rs"]
mod site;
#[cfg(feature = "autoconfig-fetch")]
mod web;
