//! Tests with the crypto provider aws-lc-rs, in `tests`. The crate has no code of its own.
