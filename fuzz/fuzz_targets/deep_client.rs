//! The octets of a server for a client of deep-latch.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_deep_latch::oracle::client::any(data).unwrap();
});
