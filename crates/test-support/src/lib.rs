//! Infrastructure for the tests of the workspace: certificates ([`pki`]), connections in memory ([`in_memory`]), processes that write until they are killed
//! ([`killed_writer`]), stores that several tasks open at the same time ([`opened_at_once`]), keys whose behaviour a test
//! chooses ([`keys`]), services with Token Binding on loopback ([`loopback`]), programs that run while a test does
//! ([`programs`]), and frames of HTTP/2 that may be wrong ([`raw_http2`]).
//!
//! The crate depends on no other crate of the workspace, except on `tokenbind-wire` with feature `keys`, and on
//! `tokenbind-http` with feature `loopback`. Its functions panic where a test would call `unwrap`: a failure here is a
//! failure of the machine, not of the code under test.

#[cfg(feature = "opened-at-once")]
mod at_once;
#[cfg(feature = "rustls")]
pub mod in_memory;
#[cfg(feature = "keys")]
pub mod keys;
#[cfg(feature = "killed-writer")]
pub mod killed_writer;
#[cfg(feature = "loopback")]
pub mod loopback;
#[cfg(feature = "pki")]
pub mod pki;
#[cfg(feature = "programs")]
pub mod programs;
#[cfg(feature = "raw-http2")]
pub mod raw_http2;

#[cfg(feature = "opened-at-once")]
pub use at_once::opened_at_once;
