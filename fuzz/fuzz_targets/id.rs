//! `TokenBindingID` under both point encodings.
#![no_main]

use tokenbind_wire::PointEncoding::{Bare64, X962};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for point in [X962, Bare64] {
        conformance_tokenbind_wire::oracle::id(bytes, point).unwrap();
    }
});
