//! A host's record, and what happens on a connection to it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_deep_latch::oracle::trace::events(data).unwrap();
});
