//! An IMAP proxy between any client and servers of all kinds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_deep_latch::oracle::proxy::any(data).unwrap();
});
