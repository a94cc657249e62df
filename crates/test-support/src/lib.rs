//! Infrastructure for the tests of the workspace: certificates ([`pki`]), processes that write until they are killed
//! ([`killed_writer`]), and stores that several tasks open at the same time ([`opened_at_once`]), and keys whose behaviour a test chooses ([`keys`]).
//!
//! The crate depends on no other crate of the workspace, except on `tokenbind-wire` with feature `keys`. Its functions panic where a test would
//! call `unwrap`: a failure here is a failure of the machine, not of the code under test.

#[cfg(feature = "opened-at-once")]
mod at_once;
#[cfg(feature = "keys")]
pub mod keys;
#[cfg(feature = "killed-writer")]
pub mod killed_writer;
#[cfg(feature = "pki")]
pub mod pki;

#[cfg(feature = "opened-at-once")]
pub use at_once::opened_at_once;
