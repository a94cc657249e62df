//! Databases for the tests of the workspace: a PostgreSQL server ([`postgres`]), and stores of three kinds that behave
//! alike ([`stores`]).
//!
//! The functions panic where a test would call `unwrap`: a failure here is a failure of the machine, not of the code
//! under test.

pub mod postgres;
pub mod stores;
