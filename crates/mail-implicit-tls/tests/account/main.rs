//! Accounts, levels, pins and indications: draft-newman-email-deep-02 section 3.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

mod accounts;
mod clear_text;
mod failures;
mod levels;
mod pins;
#[cfg(feature = "serde")]
mod serde;
mod servers;
