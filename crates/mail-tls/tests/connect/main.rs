//! The command against servers on loopback.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod arguments;
mod autoconfig;
mod files;
mod latches;
mod name_server;
#[path = "../support/name_server.rs"]
mod name_server_support;
mod shown;
mod srv;
mod web;
mod world;
