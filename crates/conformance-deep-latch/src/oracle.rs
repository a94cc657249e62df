//! The invariants that hold for any octets: the grammars, the client, the proxy, and the latch machine.

pub mod client;
mod field;
pub mod grammar;
mod invariant;
pub mod proxy;
pub mod trace;
