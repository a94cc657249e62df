//! The invariants that hold for any octets: the grammars, the client, the proxy, and the latch machine.

pub mod client;
pub mod grammar;
pub mod proxy;
pub mod trace;
