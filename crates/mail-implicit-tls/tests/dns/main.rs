//! Questions to the DNS: the resolvers, and the lookup of a host with its TLSA records.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[cfg(all(feature = "dns", feature = "hickory"))]
mod aliases;
#[cfg(all(feature = "dns", feature = "hickory"))]
mod denials;
mod host;
mod host_alias;
#[cfg(all(feature = "dns", feature = "hickory"))]
mod name_server;
#[cfg(all(feature = "dns", feature = "hickory"))]
mod resolver;
#[cfg(feature = "dns")]
mod signature_expiry;
#[cfg(all(feature = "dns", feature = "hickory"))]
mod support;
mod table;
